/* When may a front door take connections?
 *
 *   no leader ──both groups have one──► wants a worker ──a link opened──────► listen
 *       ▲                                 │        └──READINESS_WORKER_MS──► listen without
 *       └────────── a leader is gone ─────┘
 *
 * Pure.  Front doors of one machine share a port, and the kernel gives a new one its part of the
 * connections at once: one that cannot serve yet would answer 503 to requests that its neighbours
 * could have served. */
#ifndef CONTROLPLANE_READINESS_PLAN_H
#define CONTROLPLANE_READINESS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/* How long workers may take to find this node.  They dial it every 1.5 seconds at the latest
 * and then send at once, so after three there is none; S3 and the functions' configuration can be
 * served all the same. */
enum { READINESS_WORKER_MS = 3000 };

enum readiness {
    READINESS_NOT_YET,
    READINESS_COMPLETE,
    READINESS_NO_WORKER, /* listen all the same */
};

/* Zero-initialised is the start. */
struct readiness_plan {
    bool had_leaders;
    uint64_t leaders_ms; /* since when */
};

/* leaders   both groups have a leader, as this node knows
 * worker    the link to at least one worker is open
 * now_ms    of a clock that does not go back */
enum readiness readiness_next(struct readiness_plan *plan,
                              bool leaders,
                              bool worker,
                              uint64_t now_ms);

#endif
