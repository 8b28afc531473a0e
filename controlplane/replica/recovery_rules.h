/* What a start makes of rows and log that it finds: pure. */
#ifndef CONTROLPLANE_REPLICA_RECOVERY_RULES_H
#define CONTROLPLANE_REPLICA_RECOVERY_RULES_H

#include <stdint.h>

#include "controlplane/replica/log_store.h"

/* The rows are a cache of the log: of a file that this boot wrote, is it one of this log?
 *
 *   ... snapshot ......... last
 *     ^        ^      ^        ^
 *   behind   fits   fits     ahead: applied once two others had made durable what our own log was
 *                            still to get; it will come again, and applying it is skipped */
enum recovery_rows {
    RECOVERY_ROWS_FIT,
    RECOVERY_ROWS_BEHIND,  /* of the snapshot: install it */
    RECOVERY_ROWS_FOREIGN, /* another term at the same index: of another history */
};
enum recovery_rows recovery_judge_rows(const struct log_recovery *log,
                                       uint64_t rows_index,
                                       uint64_t rows_term);

#endif
