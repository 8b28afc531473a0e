/* Which environments are kept ready for functions to come.  Pure.
 *
 * A kind is a command line with what its processes are started with; each interpreter has its own,
 * and Node one for each size of memory, which is in its command line.  A kind is kept from the
 * first start that could have used it until none has come for `idle_ms`.  One is made at a time: it
 * takes a processor for as long as a start of that interpreter does. */
#ifndef WORKER_SPAWNER_READY_PLAN_H
#define WORKER_SPAWNER_READY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READY_KINDS_MAX = 16,
    READY_POOL_MAX = 16,    /* of one kind */
    READY_FAILURES_MAX = 3, /* in a row: then a kind is not tried before it was forgotten */
    READY_START_MS = 30000, /* for an interpreter to say that it is ready */
    READY_QUIET_MS = 80,
    READY_LOOK_MS = 5000,    /* how often it is looked whether they are still worth their memory */
    READY_DROP_PERCENT = 10, /* of the host's memory: with less available, all are given up */
    READY_REFILL_PERCENT = 15, /* with less, none is made */
};

struct ready_kind_view {
    bool used; /* this entry is a kind */
    uint32_t ready;
    uint32_t starting;
    uint32_t failures; /* since one was given to a function */
    uint64_t last_ms;  /* when a start last asked for one */
};

struct ready_limits {
    uint32_t kinds_max; /* [spawner] ready_kinds */
    uint32_t pool;      /* [spawner] ready_pool */
    uint64_t idle_ms;   /* [spawner] ready_idle_ms */
};

enum ready_action { READY_NOTHING, READY_START, READY_FORGET };

struct ready_step {
    enum ready_action action; /* FORGET: drop all of the kind, and the kind */
    size_t kind;
};

/* The next thing to do.
 *
 * views           READY_KINDS_MAX of them
 * memory_percent  of the host's memory, available
 *
 * With little memory the kind that was asked for longest ago is forgotten first. */
struct ready_step ready_next(const struct ready_kind_view *views,
                             const struct ready_limits *limits,
                             uint64_t now_ms,
                             uint32_t memory_percent);

/* May one be made now?  It takes a processor: so when no start came for READY_QUIET_MS, or while at
 * least one processor has nothing to do besides.  In a burst of starts on a small host each would
 * otherwise run beside the making of what the next ones need.
 *
 * runnable  processes of the host that run or want to, we among them */
bool ready_is_calm(uint64_t quiet_ms, uint32_t runnable, uint32_t processors);

/* Where a new kind goes: a free entry, or that of the kind which was asked for longest ago, to be
 * forgotten first.  Only when kinds_max and pool are not 0. */
size_t ready_place(const struct ready_kind_view *views, const struct ready_limits *limits);

/* How many are there, how many are on their way, how many should be. */
struct ready_level {
    uint32_t ready, starting, want;
};
struct ready_level ready_level(const struct ready_kind_view *views,
                               const struct ready_limits *limits);

#endif
