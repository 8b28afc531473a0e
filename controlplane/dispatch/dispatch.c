/* The workers: who they are, whether they are alive, and the link to each.  See dispatch.h. */
#include "controlplane/dispatch/dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/dispatch/dispatch_internal.h"
#include "controlplane/dispatch/invocation.h"
#include "controlplane/dispatch/worker_health.h"
#include "controlplane/dispatch/worker_question.h"
#include "controlplane/replica/replica.h"

enum {
    REGISTER_MS = 5000,
    REFUSED_PAUSE_MS = 1000, /* the rows refused it: they will at the next heartbeat, too */
};

static void worker_link_change_cb(struct worker_link *link, bool open, const char *why)
{
    struct worker *worker = container_of(link, struct worker, link);

    worker->linked = open;
    if (why != NULL && !worker->dispatch->closing)
        worker_lost(worker, why);
    worker_refresh(worker);
}

struct dispatch *dispatch_new(const struct dispatch_options *options)
{
    struct dispatch *dispatch = must_calloc(1, sizeof *dispatch);

    dispatch->options = *options;
    dispatch->invocations = pool_new(invocation_bytes(), INVOCATIONS_MAX);
    dispatch->questions = pool_new(worker_question_bytes(), WORKER_QUESTIONS_MAX);
    worker_health_start(dispatch, &options->detection);
    return dispatch;
}

void dispatch_close(struct dispatch *dispatch)
{
    if (dispatch == NULL || dispatch->closing)
        return;
    dispatch->closing = true;
    for (size_t i = 0; i < dispatch->worker_count; i++)
        worker_link_close(&dispatch->workers[i]->link);
    worker_health_stop(dispatch);
}

void dispatch_free(struct dispatch *dispatch)
{
    if (dispatch == NULL)
        return;
    for (size_t i = 0; i < dispatch->worker_count; i++) {
        worker_view_done(&dispatch->workers[i]->view);
        free(dispatch->workers[i]);
    }
    pool_free(dispatch->invocations);
    pool_free(dispatch->questions);
    free(dispatch);
}

static struct worker *find_worker(struct dispatch *dispatch, const char *name)
{
    for (size_t i = 0; i < dispatch->worker_count; i++)
        if (strcmp(dispatch->workers[i]->view.name, name) == 0)
            return dispatch->workers[i];
    return NULL;
}

/* New workers go behind the others: invocations on their way remember places. */
static struct worker *add_worker(struct dispatch *dispatch)
{
    struct worker *worker;

    if (dispatch->worker_count == WORKERS_MAX)
        return NULL;
    worker = must_calloc(1, sizeof *worker);
    worker->dispatch = dispatch;
    worker_link_init(&worker->link, dispatch->options.loop, dispatch->options.identity,
                     worker_link_change_cb);
    worker_health_add(worker);
    dispatch->views[dispatch->worker_count] = &worker->view;
    dispatch->workers[dispatch->worker_count++] = worker;
    return worker;
}

static void register_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct worker *worker = context;
    uint64_t epoch = worker->registering;

    worker->registering = 0;
    if (epoch == worker->view.epoch && st == ST_OK && outcome->status == ST_OK) {
        worker->registered = true;
        worker_refresh(worker);
        log_event(LOG_INFO, "worker_registered", LS("worker", worker->view.name),
                  LS("worker_zone", worker->view.zone), LU("epoch", worker->view.epoch));
        return;
    }
    if (epoch != worker->view.epoch)
        return; /* of a process before this one, which the next heartbeat registers */
    /* A later heartbeat tries again; the command counts once however often it is committed. */
    if (st == ST_OK)
        worker->register_ms = uv_now(worker->dispatch->options.loop) + REFUSED_PAUSE_MS;
    log_event(LOG_WARN, "worker_register_failed", LS("worker", worker->view.name),
              LS("why", st == ST_OK ? outcome->text : status_name(st)),
              LS("then",
                 st == ST_OK ? "trying again in a second" : "trying again at its next heartbeat"));
}

/* Its row must be there before its first offer: who reclaims tokens asks every row. */
static void worker_register(struct worker *worker)
{
    Lapwing__RegisterWorker body = LAPWING__REGISTER_WORKER__INIT;
    uint8_t packed[512];
    size_t len;
    enum status st;

    body.worker = worker->view.name;
    body.zone = worker->view.zone;
    body.address = worker->view.address;
    body.epoch = worker->view.epoch;
    len = lapwing__register_worker__get_packed_size(&body);
    CHECK(len <= sizeof packed);
    (void)lapwing__register_worker__pack(&body, packed);
    st = replica_propose(worker->dispatch->options.control, LAPWING__COMMAND_TYPE__REGISTER_WORKER,
                         bytes_of(packed, len), REGISTER_MS, register_cb, worker);
    if (st == ST_OK)
        worker->registering = body.epoch;
}

/* The first heartbeat of a process: everything known of an earlier one is void. */
static void worker_restart(struct worker *worker, const Lapwing__Heartbeat *beat)
{
    if (worker->view.epoch != 0)
        worker_lost(worker, "another process has its name");
    worker->registered = false;
    worker->register_ms = 0;
    (void)worker_view_update(&worker->view, beat);
}

static const char *take_heartbeat(struct dispatch *dispatch, const Lapwing__Heartbeat *beat)
{
    struct worker *worker = find_worker(dispatch, beat->worker);

    if (worker == NULL)
        worker = add_worker(dispatch);
    if (worker == NULL)
        return "too many workers";
    if (beat->epoch < worker->view.epoch)
        return "an epoch of the past: another process has this worker's name";
    if (beat->epoch > worker->view.epoch)
        worker_restart(worker, beat);
    else
        (void)worker_view_update(&worker->view, beat);
    worker_heard(worker);
    if (!worker->registered && worker->registering == 0 &&
        uv_now(dispatch->options.loop) >= worker->register_ms)
        worker_register(worker);
    return NULL;
}

void dispatch_heartbeat(struct dispatch *dispatch,
                        const Lapwing__Heartbeat *beat,
                        Lapwing__HeartbeatReply *reply)
{
    const char *refusal = dispatch->closing ? "stopping" : take_heartbeat(dispatch, beat);

    reply->sequence = beat->sequence;
    reply->accepted = refusal == NULL;
    reply->text = (char *)(uintptr_t)(refusal == NULL ? "" : refusal);
}

void dispatch_worker_gone(struct dispatch *dispatch,
                          const char *name,
                          uint64_t epoch,
                          const char *why)
{
    struct worker *worker = find_worker(dispatch, name);

    /* A process that gave way to a newer one of its name is no news. */
    if (worker != NULL && worker->view.epoch == epoch && !dispatch->closing)
        worker_lost(worker, why);
}

const struct worker_view *const *dispatch_workers(const struct dispatch *dispatch,
                                                  size_t *out_count)
{
    *out_count = dispatch->worker_count;
    return dispatch->views;
}

static int compare_texts(const void *a, const void *b)
{
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

size_t dispatch_runtimes(const struct dispatch *dispatch, const char *out[CLUSTER_RUNTIMES_MAX])
{
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < dispatch->worker_count; i++) {
        const struct worker_view *worker = dispatch->views[i];

        for (size_t at = 0; worker_view_is_usable(worker) && at < worker->runtime_count; at++)
            out[count++] = worker->runtimes[at];
    }
    qsort(out, count, sizeof(*out), compare_texts);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(out[kept - 1], out[i]) != 0)
            out[kept++] = out[i];
    return kept;
}

size_t dispatch_in_flight(const struct dispatch *dispatch)
{
    return pool_out(dispatch->invocations);
}

struct worker *dispatch_choose(struct dispatch *dispatch,
                               const struct placement_need *need,
                               uint64_t *out_bit,
                               enum status *out_status)
{
    size_t index = 0;

    *out_status = placement_choose(dispatch->views, dispatch->worker_count, need, &index);
    if (*out_status != ST_OK)
        return NULL;
    *out_bit = (uint64_t)1 << index;
    return dispatch->workers[index];
}
