/* lapwing-objstore: the S3 API, blobs on this node's disk, their copies in the other zones.
 *
 * One loop; disk calls on the libuv threadpool.  Stopping: take no more connections, give requests
 * STOP_MS to end, then cut links, peers and HTTP; the loop ends when the last handle is closed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/endpoint.h"
#include "base/failure_settings.h"
#include "base/https_files.h"
#include "base/identity.h"
#include "base/log.h"
#include "base/stream.h"
#include "objstore/blobs/blob_store.h"
#include "objstore/link/state_link.h"
#include "objstore/peers/peers.h"
#include "objstore/s3/s3_server.h"

enum {
    STOP_MS = 3000,
    STOP_TICK_MS = 50,
    KEYS_MAX = 64,
    /* fsync is the wait that most threads stand in; libuv's four would be the limit of small puts.
     */
    DISK_THREADS = 16,
};

static const struct config_option options[] = {
    IDENTITY_OPTIONS,
    { "listen", "http", NULL,
      "where S3 clients connect: http://ADDRESS or the address alone, or https://ADDRESS",
      CONFIG_TEXT, false, 1, 1024 },
    { "listen", "plain_http", "no", "an http:// address need not be on loopback", CONFIG_BOOLEAN,
      false, 0, 0 },
    HTTPS_OPTIONS,
    { "listen", "stream", NULL, "where the other zones' object stores connect", CONFIG_ADDRESS,
      false, 0, 0 },
    { "listen", "domain", NULL, "buckets are hosts under this name: BUCKET.DOMAIN", CONFIG_TEXT,
      true, 1, 253 },
    { "peers", "NODE", NULL, "the other object stores: NODE = ADDRESS of its listen.stream",
      CONFIG_ENTRIES, true, 0, 0 },
    { "state", "addresses", NULL, "state services of the control plane, own zone first, by comma",
      CONFIG_TEXT, false, 1, 1024 },
    FAILURE_OPTIONS,
    { "store", "dir", NULL, "folder for blobs", CONFIG_TEXT, false, 1, 4096 },
    { "keys", "ACCESS_KEY", NULL, "access keys: ACCESS_KEY = SECRET", CONFIG_ENTRIES, true, 0, 0 },
    { 0 },
};

/* All that main() owns. */
struct objstore_process {
    struct config *config;
    uv_loop_t loop;
    uv_signal_t signals[2];
    uv_timer_t stopping;
    uint64_t stop_at_ms;
    struct stream_identity identity;
    struct endpoint http;
    struct https_files *https; /* NULL for plain HTTP */
    struct certificate_watch *watch;
    struct s3_key key_list[KEYS_MAX];
    struct s3_keys keys;
    struct blob_store *store;
    struct state_link *link;
    struct peers *peers;
    struct s3_server *s3;
};

static enum status read_identity(struct objstore_process *process, struct err *err)
{
    return identity_read(process->config, "objstore", &process->identity, err);
}

static enum status read_keys(struct objstore_process *process, struct err *err)
{
    size_t count = config_entry_count(process->config, "keys");

    if (count > KEYS_MAX)
        return err_set(err, ST_BAD_INPUT, "%zu keys, want at most %d", count, KEYS_MAX);
    for (size_t i = 0; i < count; i++)
        config_entry_at(process->config, "keys", i, &process->key_list[i].id,
                        &process->key_list[i].secret);
    process->keys.list = process->key_list;
    process->keys.count = count;
    process->keys.cluster_key = bytes_of(process->identity.key, CLUSTER_KEY_BYTES);
    return ST_OK;
}

static enum status open_link(struct objstore_process *process, struct err *err)
{
    const char *addresses[STATE_NODES_MAX];
    char *copy = must_strdup(config_text(process->config, "state", "addresses"));
    char *rest = copy;
    const char *address;
    size_t count = 0;
    enum status st = ST_OK;

    while ((address = strtok_r(rest, ", ", &rest)) != NULL && st == ST_OK) {
        if (count == STATE_NODES_MAX)
            st = err_set(err, ST_BAD_INPUT, "state.addresses: more than %d", STATE_NODES_MAX);
        else
            addresses[count++] = address;
    }
    if (st == ST_OK)
        st = state_link_new(&process->loop, &process->identity, addresses, count, &process->link,
                            err);
    free(copy);
    return st;
}

static enum status open_peers(struct objstore_process *process, struct err *err)
{
    struct peer_address addresses[PEERS_MAX];
    struct peers_options peers = {
        .loop = &process->loop,
        .identity = &process->identity,
        .store = process->store,
        .listen = config_text(process->config, "listen", "stream"),
        .addresses = addresses,
        .count = config_entry_count(process->config, "peers"),
    };
    enum status st;

    if (peers.count > PEERS_MAX)
        return err_set(err, ST_BAD_INPUT, "%zu peers, want at most %d", peers.count, PEERS_MAX);
    for (size_t i = 0; i < peers.count; i++)
        config_entry_at(process->config, "peers", i, &addresses[i].node, &addresses[i].address);
    st = failure_limits_read(process->config, PEERS_TICK_MS, &peers.detection, err);
    return st == ST_OK ? peers_open(&peers, &process->peers, err) : st;
}

static enum status read_endpoint(struct objstore_process *process, struct err *err)
{
    const char *text = config_text(process->config, "listen", "http");
    struct endpoint *http = &process->http;
    size_t count;
    enum status st = endpoint_list(text, "listen.http", http, 1, &count, err);

    if (st == ST_OK)
        st = endpoint_check_plain(http, config_boolean(process->config, "listen", "plain_http"),
                                  "listen.http", "listen.plain_http", err);
    if (st == ST_OK && http->https)
        st = https_files_open(&process->loop, process->config, &process->https, err);
    return st;
}

static enum status open_s3(struct objstore_process *process, struct err *err)
{
    struct s3_options s3 = {
        .loop = &process->loop,
        .listen = process->http.address,
        .certificate = process->https == NULL ? NULL : https_files_certificate(process->https),
        .keys = &process->keys,
        .domain = config_text(process->config, "listen", "domain"),
        .clock = &clock_system,
        .store = process->store,
        .peers = process->peers,
        .link = process->link,
    };

    return s3_server_open(&s3, &process->s3, err);
}

static enum status open_all(struct objstore_process *process, struct err *err)
{
    enum status (*const rest[])(struct objstore_process *, struct err *) = {
        read_identity, read_keys, read_endpoint, open_link, open_peers, open_s3,
    };
    enum status st = blob_store_open(&process->loop, config_text(process->config, "store", "dir"),
                                     &process->store, err);

    for (size_t i = 0; i < ARRAY_LEN(rest) && st == ST_OK; i++)
        st = rest[i](process, err);
    return st;
}

/* ---- stopping ---- */

static void s3_closed(void *context)
{
    struct objstore_process *process = context;

    process->s3 = NULL;
}

static void cut(struct objstore_process *process)
{
    uv_close((uv_handle_t *)&process->stopping, NULL);
    certificate_watch_stop(process->watch);
    for (size_t i = 0; i < ARRAY_LEN(process->signals); i++)
        uv_close((uv_handle_t *)&process->signals[i], NULL);
    /* The state first: calls to it cannot be cancelled by those who wait for them. */
    https_files_close(process->https);
    state_link_close(process->link);
    peers_close(process->peers);
    s3_server_close(process->s3, s3_closed, process);
}

static void stopping_cb(uv_timer_t *timer)
{
    struct objstore_process *process = container_of(timer, struct objstore_process, stopping);

    if (s3_server_requests(process->s3) > 0 && uv_now(&process->loop) < process->stop_at_ms)
        return;
    (void)uv_timer_stop(timer);
    cut(process);
}

static void signal_cb(uv_signal_t *handle, int number)
{
    struct objstore_process *process = handle->data;

    if (process->stop_at_ms != 0)
        return;
    log_event(LOG_INFO, "stopping", LI("signal", number),
              LU("requests", s3_server_requests(process->s3)));
    process->stop_at_ms = uv_now(&process->loop) + STOP_MS;
    s3_server_stop_listening(process->s3);
    CHECK(uv_timer_start(&process->stopping, stopping_cb, 0, STOP_TICK_MS) == 0);
}

static void handle_signals(struct objstore_process *process)
{
    static const int numbers[] = { SIGTERM, SIGINT };

    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        process->signals[i].data = process;
        CHECK(uv_signal_init(&process->loop, &process->signals[i]) == 0);
        CHECK(uv_signal_start(&process->signals[i], signal_cb, numbers[i]) == 0);
    }
    CHECK(uv_timer_init(&process->loop, &process->stopping) == 0);
}

static void say_who(const struct objstore_process *process)
{
    char fields[80];

    (void)snprintf(fields, sizeof fields, "program=objstore zone=%s", process->identity.self.zone);
    log_identity(fields);
}

int main(int argc, char **argv)
{
    static struct objstore_process process; /* too large for the stack's taste; one a process */
    struct err err = { 0 };
    char threads[8];

    descriptors_raise();
    (void)signal(SIGHUP, SIG_IGN); /* "read your files again": there may be none to read */
    (void)snprintf(threads, sizeof threads, "%d", DISK_THREADS);
    (void)setenv("UV_THREADPOOL_SIZE", threads, 0);
    process.config = config_start(options, "lapwing-objstore",
                                  "the S3 API and the blobs of one zone", argc, argv);
    CHECK(uv_loop_init(&process.loop) == 0);
    if (open_all(&process, &err) != ST_OK) {
        log_event(LOG_ERROR, "start_failed", LS("text", err.text));
        return 1;
    }
    say_who(&process);
    handle_signals(&process);
    process.watch = identity_watch(&process.loop, process.config, &process.identity);
    log_event(LOG_INFO, "ready", LS("http", config_text(process.config, "listen", "http")),
              LS("dir", config_text(process.config, "store", "dir")));
    (void)uv_run(&process.loop, UV_RUN_DEFAULT);

    peers_free(process.peers);
    blob_store_close(process.store);
    (void)uv_loop_close(&process.loop);
    https_files_free(process.https);
    identity_done(&process.identity);
    config_free(process.config);
    log_event(LOG_INFO, "stopped");
    return 0;
}
