/* What an account uses in a region: counted from the rows. */
#ifndef CONTROLPLANE_STATE_ACCOUNT_H
#define CONTROLPLANE_STATE_ACCOUNT_H

#include <stdint.h>

#include "base/status.h"

struct state_reader;

struct account_usage {
    uint64_t functions;
    uint64_t code_bytes; /* of their zips */
};

/* Count.  ST_IO.  The reader's thread; walks every function of the account and region: 2 ms for
 * 10,000 of them. */
enum status state_account_usage(struct state_reader *reader,
                                const char *account,
                                const char *region,
                                struct account_usage *out,
                                struct err *err);

#endif
