/* lapwing-controlplane: one node of the control plane.
 *
 * Two Raft groups, each with its own thread; on the main loop the front door, dispatch, the state
 * service and the registration of workers.  Starts in that order and stops in the reverse. */
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/config.h"
#include "base/descriptors.h"
#include "base/https_files.h"
#include "base/identity.h"
#include "base/log.h"
#include "controlplane/api/api.h"
#include "controlplane/cluster_version.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/dispatch/registration.h"
#include "controlplane/membership.h"
#include "controlplane/node.h"
#include "controlplane/readiness_plan.h"
#include "controlplane/replica/replica.h"
#include "controlplane/service/state_service.h"

enum {
    READY_CHECK_MS = 50,
    EXIT_REMOVED = 3,   /* starting again is of no use */
    HANDOVER_MS = 1000, /* so long may a planned stop wait for another node to lead */
    /* More than the payload of an invocation, less than a package worth minding.  Allocations from
     * here on go back to the kernel when they are freed.  Left alone, the C library raises this
     * mark to the largest one it saw and keeps up to twice as much: 100 MB after one upload of 50
     * MB. */
    KEPT_ALLOCATION_BYTES = 1048576,
};

struct node {
    uv_loop_t loop;
    struct config *config;
    struct node_settings settings;
    struct https_files *https; /* NULL if no port speaks it */
    struct replica *control;
    struct replica *storage;
    uv_mutex_t groups_mutex; /* groups that run are not stopped while it is held */
    bool groups_run;         /* both of them; under the mutex */
    struct replica_client *control_client;
    struct replica_client *storage_client;
    struct dispatch *dispatch;
    struct api *api;
    struct state_service *service;
    struct registration *registration;
    struct certificate_watch *watch;
    struct cluster_version *cluster_version;
    struct membership *membership;
    uv_timer_t readiness;
    struct readiness_plan plan;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    bool stopping;
    bool removed;       /* no member of the cluster any more */
    bool forgot;        /* its folder is not the one that it took part with */
    unsigned handovers; /* of leadership, on their way */
    bool handles;       /* the timer and the signals are open */
    bool failed;        /* could not listen: the exit code says so */
};

/* On the thread of the group whose disk it was.  The process is about to end, so what else it leads
 * goes to others, too. */
static void disk_failed_cb(void *context)
{
    struct node *node = context;

    uv_mutex_lock(&node->groups_mutex);
    if (node->groups_run) {
        replica_disk_is_failing(node->control);
        replica_disk_is_failing(node->storage);
    }
    uv_mutex_unlock(&node->groups_mutex);
}

static void set_groups_run(struct node *node, bool run)
{
    uv_mutex_lock(&node->groups_mutex);
    node->groups_run = run;
    uv_mutex_unlock(&node->groups_mutex);
}

static enum status start_group(struct node *node,
                               const char *group,
                               enum stream_service service,
                               const struct replica_member *members,
                               struct replica **out,
                               struct err *err)
{
    const struct node_settings *settings = &node->settings;
    struct buf dir = { 0 };
    enum status st;

    buf_printf(&dir, "%s/%s", config_text(node->config, "data", "dir"), group);
    st = replica_start(
        &(struct replica_config){
            .dir = buf_text(&dir),
            .group = group,
            .self_id = settings->self_id,
            .members = members,
            .member_count = settings->member_count,
            .join = config_boolean(node->config, "node", "join"),
            .identity = &settings->identity,
            .service = service,
            .snapshot_log_bytes = config_unsigned(node->config, "replica", "snapshot_log_bytes"),
            .reserve_bytes = config_unsigned(node->config, "replica", "reserve_bytes"),
            .disk_low_bytes = config_unsigned(node->config, "replica", "disk_low_bytes"),
            .disk_high_bytes = config_unsigned(node->config, "replica", "disk_high_bytes"),
            .disk_slow_ms = (uint32_t)config_unsigned(node->config, "replica", "disk_slow_ms"),
            .disk_failed = disk_failed_cb,
            .disk_failed_context = node,
            .leader_lease = config_boolean(node->config, "replica", "leader_lease"),
        },
        out, err);
    buf_done(&dir);
    node->forgot = node->forgot || st == ST_DENIED;
    return st;
}

static enum status start_groups(struct node *node, struct err *err)
{
    enum status st = start_group(node, "control", STREAM_RAFT_CONTROL, node->settings.control,
                                 &node->control, err);

    if (st == ST_OK)
        st = start_group(node, "storage", STREAM_RAFT_STORAGE, node->settings.storage,
                         &node->storage, err);
    if (st != ST_OK)
        return st;
    set_groups_run(node, true);
    node->control_client = replica_client_new(node->control, &node->loop);
    node->storage_client = replica_client_new(node->storage, &node->loop);
    return ST_OK;
}

static enum status start_api(struct node *node, struct err *err)
{
    const struct stream_hello *self = &node->settings.identity.self;
    const struct api_options options = {
        .loop = &node->loop,
        .config = node->config,
        .cluster = self->cluster,
        .node = self->node,
        .zone = self->zone,
        .account = config_text(node->config, "account", "id"),
        .cluster_key = node->settings.identity.key,
        .objstore_addresses = config_text(node->config, "objstore", "addresses"),
        .s3_domain = config_text(node->config, "listen", "s3_domain"),
        .control = node->control,
        .storage = node->storage,
        .control_client = node->control_client,
        .storage_client = node->storage_client,
        .dispatch = node->dispatch,
        .tls = node->settings.identity.tls,
        .https = node->https,
    };

    return api_new(&options, &node->api, err);
}

static enum status listen_api(struct node *node, struct err *err)
{
    struct https_certificate *certificate =
        node->https == NULL ? NULL : https_files_certificate(node->https);
    bool share = config_boolean(node->config, "listen", "share_port");
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < node->settings.api_count; i++) {
        const struct endpoint *endpoint = &node->settings.api[i];

        st = api_listen(node->api, endpoint->address, endpoint->https ? certificate : NULL, share,
                        err);
    }
    return st;
}

static void heartbeat_cb(const Lapwing__Heartbeat *beat,
                         Lapwing__HeartbeatReply *reply,
                         void *context)
{
    struct node *node = context;

    dispatch_heartbeat(node->dispatch, beat, reply);
}

static void worker_gone_cb(const struct stream_hello *worker, const char *why, void *context)
{
    struct node *node = context;

    dispatch_worker_gone(node->dispatch, worker->node, worker->epoch, why);
}

static const struct registration_handler registration_handler = {
    .on_beat = heartbeat_cb,
    .on_gone = worker_gone_cb,
};

static enum status start_doors(struct node *node, struct err *err)
{
    const struct state_service_config service = {
        .loop = &node->loop,
        .address = config_text(node->config, "listen", "state"),
        .identity = &node->settings.identity,
        .control = node->control_client,
        .storage = node->storage_client,
        .storage_replica = node->storage,
    };
    const struct registration_config registration = {
        .loop = &node->loop,
        .address = config_text(node->config, "listen", "registration"),
        .identity = &node->settings.identity,
        .handler = &registration_handler,
        .context = node,
    };
    enum status st;

    node->dispatch = dispatch_new(&(struct dispatch_options){
        .loop = &node->loop,
        .identity = &node->settings.identity,
        .zone = node->settings.identity.self.zone,
        .control = node->control_client,
        .detection = node->settings.detection,
    });
    st = state_service_start(&service, &node->service, err);
    if (st == ST_OK)
        st = start_api(node, err);
    if (st == ST_OK)
        st = registration_start(&registration, &node->registration, err);
    return st;
}

static bool has_leader(struct replica *replica)
{
    struct replica_status status;

    replica_status(replica, &status);
    return status.leader_id != 0;
}

static bool has_worker(const struct node *node)
{
    size_t count;
    const struct worker_view *const *workers = dispatch_workers(node->dispatch, &count);

    for (size_t i = 0; i < count; i++)
        if (worker_view_is_usable(workers[i]))
            return true;
    return false;
}

static void stop_doors(struct node *node)
{
    registration_stop(node->registration);
    node->registration = NULL;
    https_files_close(node->https);
    cluster_version_stop(node->cluster_version);
    node->cluster_version = NULL;
    membership_stop(node->membership);
    node->membership = NULL;
    api_close(node->api);
    dispatch_close(node->dispatch);
    if (node->service != NULL)
        state_service_stop(node->service);
    node->service = NULL;
    replica_client_close(node->control_client);
    replica_client_close(node->storage_client);
    certificate_watch_stop(node->watch);
    node->watch = NULL;
    if (!node->handles)
        return;
    uv_close((uv_handle_t *)&node->readiness, NULL);
    uv_close((uv_handle_t *)&node->terminate, NULL);
    uv_close((uv_handle_t *)&node->interrupt, NULL);
    node->handles = false;
}

static void readiness_cb(uv_timer_t *timer)
{
    struct node *node = container_of(timer, struct node, readiness);
    bool leaders = has_leader(node->control) && has_leader(node->storage);
    enum readiness readiness =
        readiness_next(&node->plan, leaders, has_worker(node), uv_now(&node->loop));
    struct err err = { 0 };

    if (readiness == READINESS_NOT_YET)
        return;
    uv_timer_stop(timer);
    if (listen_api(node, &err) != ST_OK) {
        log_event(LOG_ERROR, "cannot_start", LS("why", err.text));
        node->failed = true;
        stop_doors(node);
        return;
    }
    api_set_ready(node->api, true);
    if (readiness == READINESS_NO_WORKER)
        log_event(LOG_WARN, "no_worker", LU("waited_ms", READINESS_WORKER_MS),
                  LS("then", "taking requests without one"));
    log_event(LOG_INFO, "ready", LS("api", config_text(node->config, "listen", "api")),
              LS("worker", readiness == READINESS_COMPLETE ? "connected" : "none"));
}

static void handed_over_cb(enum status st, void *context)
{
    struct node *node = context;

    if (st != ST_OK)
        log_event(LOG_WARN, "leadership_not_handed_over", LS("status", status_name(st)),
                  LS("then", "stopping, the others elect by time-out"));
    if (--node->handovers == 0 && node->handles)
        stop_doors(node);
}

/* A leader that just goes costs every write an election time-out. */
static void hand_over(struct node *node, struct replica *replica, struct replica_client *client)
{
    struct replica_status status;

    replica_status(replica, &status);
    if (status.role == REPLICA_LEADER && status.member_count > 1 &&
        replica_transfer(client, 0, HANDOVER_MS, handed_over_cb, node) == ST_OK)
        node->handovers++;
}

/* A second signal does not wait. */
static void signal_cb(uv_signal_t *handle, int number)
{
    struct node *node = handle->data;

    log_event(LOG_INFO, "stopping", LI("signal", number));
    if (!node->stopping) {
        node->stopping = true;
        hand_over(node, node->control, node->control_client);
        hand_over(node, node->storage, node->storage_client);
        if (node->handovers > 0)
            return;
    }
    stop_doors(node);
}

static void removed_cb(void *context)
{
    struct node *node = context;

    log_event(LOG_ERROR, "removed",
              LS("then", "stopping: wipe this node's data, it is no member any more"));
    node->removed = true;
    stop_doors(node);
}

static void watch(struct node *node)
{
    int rv = uv_timer_init(&node->loop, &node->readiness);

    rv |= uv_signal_init(&node->loop, &node->terminate);
    rv |= uv_signal_init(&node->loop, &node->interrupt);
    node->terminate.data = node;
    node->interrupt.data = node;
    rv |= uv_timer_start(&node->readiness, readiness_cb, 0, READY_CHECK_MS);
    rv |= uv_signal_start(&node->terminate, signal_cb, SIGTERM);
    rv |= uv_signal_start(&node->interrupt, signal_cb, SIGINT);
    CHECK(rv == 0);
    node->watch = identity_watch(&node->loop, node->config, &node->settings.identity);
    node->handles = true;
}

static enum status node_start(struct node *node, struct err *err)
{
    enum status st = node_settings_read(node->config, &node->settings, err);
    struct buf identity = { 0 };

    if (st != ST_OK)
        return st;
    buf_printf(&identity, "program=controlplane node=%s zone=%s", node->settings.identity.self.node,
               node->settings.identity.self.zone);
    log_identity(buf_text(&identity));
    buf_done(&identity);
    if (node->settings.https)
        st = https_files_open(&node->loop, node->config, &node->https, err);
    if (st == ST_OK)
        st = start_groups(node, err);
    if (st == ST_OK)
        st = start_doors(node, err);
    if (st != ST_OK)
        return st;
    watch(node);
    node->membership = membership_start(&(struct membership_config){
        .loop = &node->loop,
        .settings = &node->settings,
        .control = node->control,
        .storage = node->storage,
        .control_client = node->control_client,
        .on_removed = removed_cb,
        .context = node,
    });
    if (config_boolean(node->config, "cluster", "raise_version"))
        node->cluster_version = cluster_version_start(
            &node->loop, (struct cluster_version_group){ node->control, node->control_client },
            (struct cluster_version_group){ node->storage, node->storage_client });
    return ST_OK;
}

int main(int argc, char **argv)
{
    struct node *node = must_calloc(1, sizeof *node);
    struct err err = { 0 };
    enum status st;
    int code;

    descriptors_raise();
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_ALLOCATION_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_ALLOCATION_BYTES);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* "read your files again": there may be none to read */
    /* Uploads and large bodies block a thread each; the default of four would let four slow ones
     * stop all others. */
    (void)setenv("UV_THREADPOOL_SIZE", "16", 0);
    json_object_seed(0); /* from the kernel, before any thread can race for it */
    node->config = config_start(node_options, "lapwing-controlplane",
                                "One node of Lapwing's control plane.", argc, argv);
    CHECK(uv_loop_init(&node->loop) == 0);
    CHECK(uv_mutex_init(&node->groups_mutex) == 0);
    st = node_start(node, &err);
    if (st != ST_OK) {
        log_event(LOG_ERROR, "cannot_start", LS("why", err.text));
        /* A group that did start has a thread: OpenSSL is not to be taken apart under it. */
        _exit(node->forgot ? REPLICA_EXIT_FORGOT : 1);
    }
    (void)uv_run(&node->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&node->loop) == 0);
    api_free(node->api);
    https_files_free(node->https);
    dispatch_free(node->dispatch);
    set_groups_run(node, false);
    replica_stop(node->control);
    replica_stop(node->storage);
    identity_done(&node->settings.identity);
    config_free(node->config);
    log_event(LOG_INFO, "stopped",
              LS("why", node->failed    ? "cannot listen"
                        : node->removed ? "removed"
                                        : "signal"));
    code = node->failed ? 1 : node->removed ? EXIT_REMOVED : 0;
    free(node);
    return code;
}
