/* log.mark: what is known to be durable in log.db: the last entry and the vote.  See log_store.h
 * for the format and when it is written. */
#ifndef CONTROLPLANE_REPLICA_LOG_MARK_H
#define CONTROLPLANE_REPLICA_LOG_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct log_mark {
    int fd; /* -1: closed */
    uint64_t index;
    uint64_t term; /* of the entry at index; 0: not known, written by a release before */
    uint64_t vote_term;
    uint64_t voted_for; /* in vote_term; 0: nobody yet, or not known */
};

/* Open DIR/log.mark; made, at zero, if `create`.  ST_CORRUPT: missing or not ours; ST_IO. */
enum status log_mark_open(struct log_mark *mark, const char *dir, bool create, struct err *err);
void log_mark_close(struct log_mark *mark);
/* Write what it says now; synced if asked for. */
enum status log_mark_write(struct log_mark *mark, bool synced, struct err *err);

#endif
