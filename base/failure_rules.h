/* Failure detection: who is there, who is silent, who may come back.
 *
 *              silent for suspect_ms            silent for out_ms, or lost
 *    ALIVE ───────────────────────► SUSPECTED ───────────────────────────► OUT
 *      ▲ ▲                              │                                   │
 *      │ └── heard in time, suspect_ms ─┘                                   │
 *      └──────────────────────── heard in time for hold_ms ─────────────────┘
 *
 * Pure: times come in.  One watch for each thread that listens, one peer for each node listened to.
 *
 * - A peer is lost when the kernel says so: its connection was refused, reset or closed.  That is
 *   as good as a death notice, so nothing is waited for.  A frozen process or a vanished host says
 *   nothing, and only its silence tells.
 * - Heard in time means: again and again, never suspect_ms after the time before.
 * - hold_ms is what keeps a peer that stops and goes on again and again (a paused process, a
 *   starved host) from flapping.  It starts at suspect_ms and doubles with each time out that comes
 *   within FAILURE_QUIET_MS of the last return, up to FAILURE_HOLD_MS_MAX; a peer that held out for
 *   longer starts from the beginning.  So within any FAILURE_QUIET_MS a peer is out at most
 *   2 + log2(FAILURE_HOLD_MS_MAX / suspect_ms) + FAILURE_QUIET_MS / FAILURE_HOLD_MS_MAX times, and
 *   one that is steady again is back FAILURE_HOLD_MS_MAX later at the latest.
 * - A watch that was kept from running itself heard nobody, and that is its own fault: time passes
 *   only as far as it listens, two ticks at most each time that it runs.  When it comes more than
 *   suspect_ms after it was due, every peer gets a fresh period of grace: what they sent meanwhile
 *   is yet to be read.  Death notices count as ever. */
#ifndef BASE_FAILURE_RULES_H
#define BASE_FAILURE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum {
    FAILURE_SUSPECT_MS_MIN = 200, /* two of the heartbeats that come every 100 ms may be missed */
    FAILURE_SUSPECT_MS_MAX = 10000,
    FAILURE_OUT_MS_MIN = 300,
    FAILURE_OUT_MS_MAX = 60000,
    FAILURE_HOLD_MS_MAX = 30000,
    FAILURE_QUIET_MS = 60000,
};

struct failure_limits {
    uint32_t suspect_ms;
    uint32_t out_ms;  /* more than suspect_ms */
    uint32_t tick_ms; /* how often the watch runs at least: detection is that much later */
};

/* Settings of an operator: [detection] suspect_ms and out_ms.  ST_BAD_INPUT names the one that is
 * wrong and what is allowed. */
enum status failure_limits_check(const struct failure_limits *limits, struct err *err);

/* Who listens.  All times are of the time for which it has listened, but for ran_ms. */
struct failure_watch {
    struct failure_limits limits;
    uint64_t ran_ms; /* for the last time, by the clock that it is given */
    uint64_t now_ms;
    uint64_t grace_ms; /* silence is counted from here on at the earliest */
};

enum failure_state {
    FAILURE_ALIVE,
    FAILURE_SUSPECTED, /* to be used when nobody else is left */
    FAILURE_OUT,       /* not to be used */
    FAILURE_STATES,
};

/* What an event changed. */
enum failure_change {
    FAILURE_SAME,
    FAILURE_NOW_SUSPECTED,
    FAILURE_NOW_OUT,
    FAILURE_NOW_CLEARED, /* of the suspicion */
    FAILURE_NOW_BACK,    /* from having been out */
};

struct failure_peer {
    enum failure_state state;
    bool steady;       /* heard, and in time ever since steady_ms */
    uint64_t heard_ms; /* for the last time */
    uint64_t steady_ms;
    uint64_t back_ms; /* since when it has not been out */
    uint64_t hold_ms; /* for this time out, or the last one; 0: never was out */
};

/* limits    passed failure_limits_check()
 * now_ms    of a clock that does not go back */
void failure_watch_start(struct failure_watch *watch,
                         const struct failure_limits *limits,
                         uint64_t now_ms);
/* The watch runs: before every event of its peers, and every tick_ms at least.  Returns how long
 * it had been kept from running when that was so long that the peers were given grace, else 0. */
uint64_t failure_watch_run(struct failure_watch *watch, uint64_t now_ms);

/* A peer that was never heard of before: alive. */
void failure_peer_start(const struct failure_watch *watch, struct failure_peer *peer);
/* Something came from it.  SAME, CLEARED or BACK. */
enum failure_change failure_heard(const struct failure_watch *watch, struct failure_peer *peer);
/* Its connection was refused, reset or closed.  SAME or OUT. */
enum failure_change failure_lost(const struct failure_watch *watch, struct failure_peer *peer);
/* Time has passed.  SAME, SUSPECTED or OUT. */
enum failure_change failure_tick(const struct failure_watch *watch, struct failure_peer *peer);

/* For how long it has been silent while the watch listened. */
uint64_t failure_silence_ms(const struct failure_watch *watch, const struct failure_peer *peer);
/* Out, but heard in time at the moment. */
bool failure_is_returning(const struct failure_watch *watch, const struct failure_peer *peer);

#endif
