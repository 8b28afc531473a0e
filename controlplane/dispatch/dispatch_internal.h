/* Shared by the files of dispatch/ alone. */
#ifndef CONTROLPLANE_DISPATCH_DISPATCH_INTERNAL_H
#define CONTROLPLANE_DISPATCH_DISPATCH_INTERNAL_H

#include "base/failure_rules.h"
#include "base/pool.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/dispatch/placement_plan.h"
#include "controlplane/dispatch/worker_link.h"

/* A worker that registered since this process started.  Never freed before dispatch_free(): their
 * number is bounded, and late callbacks find it. */
struct worker {
    struct worker_view view;
    struct worker_link link;
    struct dispatch *dispatch;
    struct failure_peer health;
    uint64_t registering; /* the epoch of the proposal that is on its way, or 0 */
    uint64_t register_ms; /* uv_now() before which no other is sent */
    bool registered;      /* the row of this epoch is committed */
    bool linked;
};

struct dispatch {
    struct dispatch_options options;
    struct worker *workers[WORKERS_MAX];          /* in the order of their first heartbeats */
    const struct worker_view *views[WORKERS_MAX]; /* the same, for placement */
    size_t worker_count;
    struct pool *invocations;
    struct pool *questions;
    struct failure_watch watch;
    uv_timer_t tick; /* of the watch */
    bool closing;
};

/* The best worker for a need; NULL and the status of placement_choose() when there is none.
 * out_bit is its bit for placement_need.excluded. */
struct worker *dispatch_choose(struct dispatch *dispatch,
                               const struct placement_need *need,
                               uint64_t *out_bit,
                               enum status *out_status);

#endif
