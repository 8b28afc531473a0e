/* Which environment an offer gets, and which idle ones must make room.
 *
 * Pure: the slots as they stand and one wish in, one decision out.  Policy, in this order:
 *   1. an idle environment of the same function, the one used last: its caches are warm, and the
 *      others grow old enough to be given up,
 *   2. waiting, where starts would only be in each other's way:
 *      - for a busy one, if by what its invocations took so far it comes round within a quarter of
 *        a start or 2 ms: sixty-four clients of a function of 0.1 ms need a few environments, not
 *        sixty-four;
 *      - of such a quick function as many are started at a time as there are, so that their number
 *        doubles with each start while the clients outrun them, but not over four times
 * `starts_max` while the host's processors are busy: then each one slows the others down, all look
 * slow, and the count would run up to what memory holds;
 *      - of others, and of those of which nothing is known, `starts_max` at a time.
 *      A wait is 50 ms at most and is granted once; eight times to quick functions, of which one
 * has come round meanwhile or is being started,
 *   3. one that is being started and that nobody waits for,
 *   4. a new one, for which idle environments are given up, longest unused first. */
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

bool slot_identity_equal(const struct slot_identity *a, const struct slot_identity *b);

struct slot_view {
    struct slot_identity identity;
    enum environment_state state;
    bool bound;         /* an invocation waits for it or uses it */
    uint32_t memory_mb; /* reserved while the state counts */
    uint64_t last_used_ms;
    uint32_t start_us; /* from spawning to its first "next"; 0: not there yet */
    uint32_t run_us;   /* what an invocation keeps it busy for; 0: none has ended yet */
};

struct slots_wish {
    struct slot_identity identity;
    uint32_t memory_mb;
    bool wait_allowed;
    uint32_t late;       /* how often it has waited in vain */
    uint64_t since_ms;   /* the start of its last wait, on the clock of last_used_ms */
    uint32_t waiting;    /* offers for the same function that were there before and wait, too */
    uint32_t starts_max; /* what this host can start at a time without slowing all of them down */
    bool host_busy;      /* its processors have nothing left to give */
};

enum slots_choice {
    SLOTS_TAKE,  /* `slot` is idle */
    SLOTS_JOIN,  /* `slot` is being started */
    SLOTS_WAIT,  /* for one that is busy or being started, `wait_us` at most */
    SLOTS_START, /* `slot` is free, or idle and to be replaced; stop the `evict_count` others first
                  */
    SLOTS_FULL,
};

enum {
    SLOTS_EVICT_MAX = 64,
    SLOTS_FINISH_US = 20000, /* after its first answer a runtime asks for more within that, or does
                                something of its own */
    SLOTS_WAIT_US_MAX = 50000,
    SLOTS_LATE_MAX = 8,
    SLOTS_BUSY_ROUNDS = 4,    /* of starts_max; with fewer less travels together */
    SLOTS_START_SHARE = 4,    /* a start is paid once and serves many: it is worth it earlier */
    SLOTS_PATIENCE_US = 2000, /* on a busy host all take longer, and more would not help */
};

struct slots_decision {
    enum slots_choice choice;
    uint32_t slot;
    uint32_t wait_us;
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
