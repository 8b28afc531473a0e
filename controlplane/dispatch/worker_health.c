/* See worker_health.h. */
#include "controlplane/dispatch/worker_health.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/failure_rules.h"
#include "base/log.h"
#include "controlplane/dispatch/dispatch_internal.h"

/* The watch ran again.  All times are of the lease clock: it goes on while the host is suspended,
 * so that waking from it looks like any other pause. */
static void watch_run(struct dispatch *dispatch)
{
    uint64_t pause_ms =
        failure_watch_run(&dispatch->watch, clock_lease_ns(&clock_system) / 1000000);

    if (pause_ms > 0 && dispatch->worker_count > 0)
        log_event(LOG_WARN, "watch_was_paused", LU("pause_ms", pause_ms),
                  LS("then", "no worker is blamed for that time"));
}

static enum worker_state state_of(const struct worker *worker)
{
    if (worker->health.state == FAILURE_OUT)
        return failure_is_returning(&worker->dispatch->watch, &worker->health) ? WORKER_RETURNING
                                                                               : WORKER_OUT;
    if (!worker->registered || !worker->linked)
        return WORKER_STARTING;
    return worker->health.state == FAILURE_SUSPECTED ? WORKER_SUSPECTED : WORKER_LIVE;
}

void worker_refresh(struct worker *worker)
{
    worker->view.state = state_of(worker);
}

static void dial(struct worker *worker)
{
    struct err err = { 0 };

    if (worker_link_dial(&worker->link, worker->view.name, worker->view.address, &err) != ST_OK)
        log_event(LOG_ERROR, "worker_dial_failed", LS("worker", worker->view.name),
                  LS("why", err.text));
}

static void go_out(struct worker *worker, const char *why)
{
    log_event(LOG_WARN, "worker_out", LS("worker", worker->view.name),
              LS("worker_zone", worker->view.zone), LS("why", why),
              LU("silent_ms", failure_silence_ms(&worker->dispatch->watch, &worker->health)),
              LU("hold_ms", worker->health.hold_ms),
              LS("then", "no more offers until it was heard in time for hold_ms"));
    worker_refresh(worker);
    worker_link_close(&worker->link);
}

static void come_back(struct worker *worker, const char *from)
{
    log_event(LOG_INFO, "worker_back", LS("worker", worker->view.name),
              LS("worker_zone", worker->view.zone), LS("from", from));
}

static void perform(struct worker *worker, enum failure_change change, const char *why)
{
    switch (change) {
    case FAILURE_SAME:
        break;
    case FAILURE_NOW_SUSPECTED:
        log_event(LOG_WARN, "worker_suspected", LS("worker", worker->view.name),
                  LS("worker_zone", worker->view.zone),
                  LU("silent_ms", failure_silence_ms(&worker->dispatch->watch, &worker->health)),
                  LS("then", "offering to others first"));
        break;
    case FAILURE_NOW_OUT:
        go_out(worker, why);
        break;
    case FAILURE_NOW_CLEARED:
        come_back(worker, "suspected");
        break;
    case FAILURE_NOW_BACK:
        come_back(worker, "out");
        break;
    }
    worker_refresh(worker);
}

/* A host that vanished sends no close: its silence must cut the link, or every offer to it would
 * wait for its own deadline. */
static void tick_cb(uv_timer_t *timer)
{
    struct dispatch *dispatch = container_of(timer, struct dispatch, tick);

    watch_run(dispatch);
    for (size_t i = 0; i < dispatch->worker_count; i++)
        perform(dispatch->workers[i], failure_tick(&dispatch->watch, &dispatch->workers[i]->health),
                "silent");
}

void worker_health_start(struct dispatch *dispatch, const struct failure_limits *limits)
{
    int rv = uv_timer_init(dispatch->options.loop, &dispatch->tick);

    CHECK(rv == 0);
    failure_watch_start(&dispatch->watch, limits, clock_lease_ns(&clock_system) / 1000000);
    rv = uv_timer_start(&dispatch->tick, tick_cb, limits->tick_ms, limits->tick_ms);
    CHECK(rv == 0);
}

void worker_health_stop(struct dispatch *dispatch)
{
    uv_close((uv_handle_t *)&dispatch->tick, NULL);
}

void worker_health_add(struct worker *worker)
{
    watch_run(worker->dispatch);
    failure_peer_start(&worker->dispatch->watch, &worker->health);
}

void worker_heard(struct worker *worker)
{
    watch_run(worker->dispatch);
    perform(worker, failure_heard(&worker->dispatch->watch, &worker->health), NULL);
    if (worker->health.state != FAILURE_OUT && worker->link.dialer == NULL)
        dial(worker);
}

void worker_lost(struct worker *worker, const char *why)
{
    watch_run(worker->dispatch);
    perform(worker, failure_lost(&worker->dispatch->watch, &worker->health), why);
}
