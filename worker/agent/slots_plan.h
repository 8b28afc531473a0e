/* Which environment an offer gets, and which idle ones must make room.
 *
 * Pure: the slots as they stand and one wish in, one decision out.  Policy: an idle environment of
 * the same function first, the one used last (its caches are warm and the others grow old enough to
 * be given up); then one that is being started and that nobody waits for; then one that is about
 * to become idle; then a new one, for which idle environments are given up, longest unused first.
 */
#ifndef WORKER_AGENT_SLOTS_PLAN_H
#define WORKER_AGENT_SLOTS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/agent/environment_plan.h"

enum { SLOTS_MAX = 4096, SLOT_NONE = UINT32_MAX };

/* What tells environments apart: an environment runs the same code with the same settings for life.
 */
struct slot_identity {
    uint8_t uid[16];
    uint64_t config_epoch;
    uint64_t version; /* hash of the version's text */
};

struct slot_view {
    struct slot_identity identity;
    enum environment_state state;
    bool bound;         /* an invocation waits for it or uses it */
    uint32_t memory_mb; /* reserved while the state counts */
    uint64_t last_used_ms;
};

struct slots_wish {
    struct slot_identity identity;
    uint32_t memory_mb;
    bool busy_allowed; /* may wait for an environment that is about to become idle */
};

enum slots_choice {
    SLOTS_TAKE,   /* `slot` is idle */
    SLOTS_JOIN,   /* `slot` is being started */
    SLOTS_FOLLOW, /* `slot` answered and will ask for the next event soon */
    SLOTS_START,  /* `slot` is free, or idle and to be replaced; stop the `evict_count` others first
                   */
    SLOTS_FULL,
};

enum { SLOTS_EVICT_MAX = 64 };

struct slots_decision {
    enum slots_choice choice;
    uint32_t slot;
    size_t evict_count;
    uint32_t evict[SLOTS_EVICT_MAX]; /* may be stopped at once; never contains `slot` */
};

/* Decide for one wish.  `memory_mb` is the budget of all slots together.  O(slots x evicted). */
void slots_decide(const struct slot_view *slots,
                  size_t count,
                  uint64_t memory_mb,
                  const struct slots_wish *wish,
                  struct slots_decision *out);

/* Memory that is reserved by all slots. */
uint64_t slots_reserved_mb(const struct slot_view *slots, size_t count);

#endif
