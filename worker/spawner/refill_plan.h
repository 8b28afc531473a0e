/* When the spawner's pools are filled.  Pure.
 *
 * What is made ahead takes processors from a function that starts just now and from whoever called
 * it.  So: nothing before the first start; then in quiet moments, which come the sooner the emptier
 * a pool is, and never while a child is on its way to its program.  Namespaces are made by a
 * process beside the loop (network_maker.h), which may go on where it is not quiet and hardly any
 * is left: one at a time. */
#ifndef WORKER_SPAWNER_REFILL_PLAN_H
#define WORKER_SPAWNER_REFILL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REFILL_SOON_MS = 2, REFILL_QUIET_MS = 6 };

struct pool_level {
    uint32_t ready;
    uint32_t under_way; /* asked for, not there yet */
    uint32_t want;      /* size of the pool */
};

/* How long it must be quiet before each pool below its size gets one more; -1: all are full. */
int refill_wait_ms(const struct pool_level *levels, size_t count, uint32_t starting);

/* Is this pool of what is made beside the loop so empty that one is asked for at once? */
bool refill_at_once(const struct pool_level *level);

#endif
