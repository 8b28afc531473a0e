/* See cluster_version.h. */
#include "controlplane/cluster_version.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/cluster_version_plan.h"
#include "proto/command.pb-c.h"

/* A timer, since what it waits for is no change of rows: another node's release, which its stream
 * tells when it is opened.  It runs while some node is of an older one, and stops for good then. */
enum { LOOK_MS = 500, RAISE_MS = 5000 };

struct watched {
    struct cluster_version_group group;
    struct cluster_version *watch;
    uint32_t proposed; /* on its way; 0: nothing */
};

struct cluster_version {
    uv_timer_t timer;
    struct watched groups[2];
    unsigned in_flight; /* the timer's handle, and proposals */
    bool stopped;
};

static void maybe_free(struct cluster_version *watch)
{
    if (watch->stopped && watch->in_flight == 0)
        free(watch);
}

static const char *group_name(const struct watched *watched)
{
    return watched == &watched->watch->groups[0] ? "control" : "storage";
}

static void raise_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct watched *watched = context;
    struct cluster_version *watch = watched->watch;
    uint32_t version = watched->proposed;

    watched->proposed = 0;
    watch->in_flight--;
    /* Anything else is tried again: raising to what there is changes nothing. */
    if (st == ST_OK && outcome->status == ST_OK)
        log_event(LOG_INFO, "cluster_version_raised", LS("group", group_name(watched)),
                  LU("version", version));
    maybe_free(watch);
}

static void look(struct watched *watched)
{
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;
    struct replica_status status;
    uint8_t body[16];
    size_t len;

    if (watched->proposed != 0)
        return;
    replica_status(watched->group.replica, &status);
    raise.cluster_version = cluster_version_next(&status);
    if (raise.cluster_version == 0)
        return;
    CHECK(lapwing__raise_cluster_version__get_packed_size(&raise) <= sizeof body);
    len = lapwing__raise_cluster_version__pack(&raise, body);
    if (replica_propose(watched->group.client, LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION,
                        bytes_of(body, len), RAISE_MS, raise_cb, watched) != ST_OK)
        return; /* too much is under way: next time */
    watched->proposed = raise.cluster_version;
    watched->watch->in_flight++;
}

static bool is_done(const struct watched *watched)
{
    struct replica_status status;

    replica_status(watched->group.replica, &status);
    return status.cluster_version == CLUSTER_VERSION_MAX;
}

static void timer_cb(uv_timer_t *timer)
{
    struct cluster_version *watch = container_of(timer, struct cluster_version, timer);

    look(&watch->groups[0]);
    look(&watch->groups[1]);
    if (is_done(&watch->groups[0]) && is_done(&watch->groups[1]))
        (void)uv_timer_stop(timer);
}

struct cluster_version *cluster_version_start(uv_loop_t *loop,
                                              struct cluster_version_group control,
                                              struct cluster_version_group storage)
{
    struct cluster_version *watch = must_calloc(1, sizeof *watch);
    int rv = uv_timer_init(loop, &watch->timer);

    CHECK(rv == 0);
    watch->groups[0] = (struct watched){ .group = control, .watch = watch };
    watch->groups[1] = (struct watched){ .group = storage, .watch = watch };
    watch->in_flight = 1;
    rv = uv_timer_start(&watch->timer, timer_cb, LOOK_MS, LOOK_MS);
    CHECK(rv == 0);
    return watch;
}

static void close_cb(uv_handle_t *handle)
{
    struct cluster_version *watch =
        container_of((uv_timer_t *)handle, struct cluster_version, timer);

    watch->in_flight--;
    maybe_free(watch);
}

void cluster_version_stop(struct cluster_version *watch)
{
    if (watch == NULL)
        return;
    watch->stopped = true;
    /* Closing the clients drops their callbacks, so what is proposed is not waited for. */
    for (unsigned i = 0; i < 2; i++)
        if (watch->groups[i].proposed != 0)
            watch->in_flight--;
    uv_close((uv_handle_t *)&watch->timer, close_cb);
}
