/* lapwing-worker: the agent of a worker host.  Started by whoever made the socket pair with the
 * spawner; runs as an unprivileged user. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/endpoint.h"
#include "base/https.h"
#include "base/identity.h"
#include "base/log.h"
#include "objstore/client/objstore.h"
#include "worker/agent/agent.h"
#include "worker/runtime/dns_relay.h"

enum { STOP_TURNS = 100, RESOLV_CONF_BYTES = 4096 };

// clang-format off
static const struct config_option options[] = {
    IDENTITY_OPTIONS,
    { "listen", "invoke", NULL, "address of the invoke stream", CONFIG_ADDRESS, false, 0, 0 },
    { "worker", "dir", NULL, "folder for logs and packages on their way", CONFIG_TEXT, false, 1, 400 },
    { "worker", "memory_mb", "0", "memory for environments; 0: memory_percent of the host's", CONFIG_UNSIGNED, false, 0, 0 },
    { "worker", "memory_percent", "75", "share of the host's memory for environments", CONFIG_UNSIGNED, false, 1, 100 },
    { "worker", "environments_max", "64", "environments at once, at most the spawner's", CONFIG_UNSIGNED, false, 1, 1000 },
    { "worker", "packages_mb", "10240", "disk for unpacked packages", CONFIG_UNSIGNED, false, 256, 0 },
    { "worker", "freeze_ms", "50", "idle time after which an environment is frozen", CONFIG_UNSIGNED, false, 1, 600000 },
    { "worker", "idle_ms", "600000", "idle time after which a frozen environment is ended", CONFIG_UNSIGNED, false, 1, 86400000 },
    { "worker", "root_dir", "/", "folder whose /usr environments see, as the spawner has it", CONFIG_TEXT, false, 1, PATH_MAX - 1 },
    { "worker", "any_runtime", "no", "take every runtime name of a family that is here, and run the nearest version", CONFIG_BOOLEAN, false, 0, 0 },
    { "runtimes", "name", NULL, "root folder of a runtime that is not the host's, as the spawner has it", CONFIG_ENTRIES, true, 0, 0 },
    { "spawner", "fd", "3", "inherited SOCK_SEQPACKET descriptor to the spawner", CONFIG_UNSIGNED, false, 0, 1023 },
    { "spawner", "socket", "", "where a service manager starts the spawner when we connect; empty: spawner.fd", CONFIG_TEXT, false, 0, 107 },
    { "objstore", "addresses", NULL, "S3 ports of the object stores, nearest first, comma separated", CONFIG_TEXT, false, 1, 1024 },
    { "controlplane", "registration", NULL, "registration ports of all control-plane nodes, comma separated", CONFIG_TEXT, false, 1, 1024 },
    { "objstore", "plain_http", "no", "they need not be on loopback; packages come in plain HTTP", CONFIG_BOOLEAN, false, 0, 0 },
    { "api", "addresses", NULL, "the public API, nearest first, comma separated: https://ADDRESS, or http://ADDRESS on loopback", CONFIG_TEXT, false, 1, 1024 },
    { "api", "plain_http", "no", "http:// addresses of api.addresses need not be on loopback", CONFIG_BOOLEAN, false, 0, 0 },
    { "api", "ca_file", NULL, "CA certificates that vouch for the https:// addresses, PEM; else those of tls.ca_file", CONFIG_TEXT, true, 1, PATH_MAX - 1 },
    { "api", "name", NULL, "name that their certificates have; else it must be the address", CONFIG_TEXT, true, 1, 253 },
    { 0 },
};
// clang-format on

enum { INIT_MS = 10000 };

struct worker {
    struct agent agent;
    struct agent_settings settings;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    struct certificate_watch *watch;
    char *controlplanes; /* what settings.controlplanes point into */
    int exit_code;
};

/* Whom to believe when a front door is reached over TLS: [api]'s CA, or without it the cluster's.
 */
static enum status read_trust(const struct config *config,
                              struct relay_targets *out,
                              struct err *err)
{
    const char *ca_file = config_text(config, "api", "ca_file");

    if (ca_file == NULL && config_declares(config, "tls", "ca_file"))
        ca_file = config_text(config, "tls", "ca_file");
    if (ca_file == NULL)
        return err_set(err, ST_BAD_INPUT,
                       "api.addresses has https:// addresses: api.ca_file is needed");
    out->peer_name = config_text(config, "api", "name");
    return https_client_new(ca_file, &out->trust, err);
}

static enum status read_api(const struct config *config, struct relay_targets *out, struct err *err)
{
    struct endpoint endpoints[RELAY_TARGETS_MAX];
    bool allowed = config_boolean(config, "api", "plain_http");
    bool https = false;
    enum status st = endpoint_list(config_text(config, "api", "addresses"), "api.addresses",
                                   endpoints, RELAY_TARGETS_MAX, &out->count, err);

    for (size_t i = 0; st == ST_OK && i < out->count; i++) {
        st = endpoint_check_plain(&endpoints[i], allowed, "api.addresses", "api.plain_http", err);
        out->list[i] = endpoints[i].where;
        out->https[i] = endpoints[i].https;
        https = https || endpoints[i].https;
    }
    return st == ST_OK && https ? read_trust(config, out, err) : st;
}

static enum status read_controlplanes(struct worker *worker, const char *list, struct err *err)
{
    char *rest = worker->controlplanes = must_strdup(list);
    struct sockaddr_storage address;

    for (char *one; (one = strsep(&rest, ", ")) != NULL;) {
        enum status st;

        if (one[0] == '\0')
            continue;
        if (worker->settings.controlplane_count == CONTROLPLANES_MAX)
            return err_set(err, ST_BAD_INPUT, "controlplane.registration: more than %d",
                           CONTROLPLANES_MAX);
        st = address_parse(one, &address, err);
        if (st != ST_OK)
            return st;
        worker->settings.controlplanes[worker->settings.controlplane_count++] = one;
    }
    return ST_OK;
}

static enum status read_runtimes(const struct config *config,
                                 struct runtime_sources *out,
                                 struct err *err)
{
    size_t count = config_entry_count(config, "runtimes");

    if (count > RUNTIME_ROOTS_MAX)
        return err_set(err, ST_BAD_INPUT, "runtimes: %zu of them, want at most %d", count,
                       RUNTIME_ROOTS_MAX);
    out->count = count;
    for (size_t i = 0; i < count; i++)
        config_entry_at(config, "runtimes", i, &out->list[i].name, &out->list[i].root);
    return ST_OK;
}

/* The host's resolvers as they are at start; without any, functions get no answer from DNS. */
static void read_resolvers(struct relay_targets *out)
{
    char text[RESOLV_CONF_BYTES] = "";
    FILE *file = fopen("/etc/resolv.conf", "re");

    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        (void)fclose(file);
    }
    dns_resolvers_parse(text, out);
    if (out->count == 0)
        log_event(LOG_WARN, "no_resolvers", LS("file", "/etc/resolv.conf"),
                  LS("then", "functions cannot look up names"));
}

static uint64_t read_memory_mb(const struct config *config)
{
    uint64_t set = config_unsigned(config, "worker", "memory_mb");
    uint64_t host_mb = uv_get_total_memory() >> 20;

    return set != 0 ? set : host_mb * config_unsigned(config, "worker", "memory_percent") / 100;
}

static enum status find_spawner(const struct config *config, int *out_fd, struct err *err)
{
    const char *path = config_text(config, "spawner", "socket");

    if (path[0] != '\0')
        return spawner_client_connect(path, out_fd, err);
    *out_fd = (int)config_unsigned(config, "spawner", "fd");
    return ST_OK;
}

static enum status read_settings(struct worker *worker,
                                 const struct config *config,
                                 struct err *err)
{
    struct agent_settings *settings = &worker->settings;
    char secret[OBJSTORE_SECRET_BYTES];
    enum status st;

    settings->dir = config_text(config, "worker", "dir");
    settings->runtimes.root = config_text(config, "worker", "root_dir");
    settings->runtimes.any = config_boolean(config, "worker", "any_runtime");
    settings->listen_address = config_text(config, "listen", "invoke");
    settings->memory_mb = read_memory_mb(config);
    settings->environments_max = (uint32_t)config_unsigned(config, "worker", "environments_max");
    settings->packages_bytes_max = config_unsigned(config, "worker", "packages_mb") << 20;
    settings->freeze_ms = (uint32_t)config_unsigned(config, "worker", "freeze_ms");
    settings->idle_ms = (uint32_t)config_unsigned(config, "worker", "idle_ms");
    settings->init_ms = INIT_MS;
    read_resolvers(&settings->resolvers);
    st = identity_read(config, "worker", &settings->identity, err);
    if (st == ST_OK)
        st = read_runtimes(config, &settings->runtimes, err);
    if (st == ST_OK)
        st = read_api(config, &settings->api, err);
    if (st == ST_OK)
        st = read_controlplanes(worker, config_text(config, "controlplane", "registration"), err);
    if (st == ST_OK)
        st = find_spawner(config, &settings->spawner_fd, err);
    if (st != ST_OK)
        return st;
    st = endpoint_list_plain(config_text(config, "objstore", "addresses"),
                             config_boolean(config, "objstore", "plain_http"), "objstore.addresses",
                             "objstore.plain_http", err);
    if (st != ST_OK)
        return st;
    objstore_internal_secret(settings->identity.key, secret);
    return objstore_new(config_text(config, "objstore", "addresses"), OBJSTORE_INTERNAL_ACCESS_KEY,
                        secret, &settings->store, err);
}

static void on_signal(uv_signal_t *handle, int number)
{
    log_event(LOG_INFO, "stopping", LI("signal", number));
    uv_stop(handle->loop);
}

/* Without the spawner there is no environment left and none to be had: start afresh, together. */
static void on_lost(struct agent *agent, const struct err *err)
{
    struct worker *worker = container_of(agent, struct worker, agent);

    log_event(LOG_ERROR, "spawner_lost", LS("error", err->text), LS("then", "exit"));
    worker->exit_code = 1;
    uv_stop(agent->loop);
}

static void watch_signals(struct worker *worker)
{
    int rv = uv_signal_init(&worker->loop, &worker->terminate);

    if (rv == 0)
        rv = uv_signal_init(&worker->loop, &worker->interrupt);
    if (rv == 0)
        rv = uv_signal_start(&worker->terminate, on_signal, SIGTERM);
    if (rv == 0)
        rv = uv_signal_start(&worker->interrupt, on_signal, SIGINT);
    CHECK(rv == 0); /* a new loop and two known signals */
    (void)signal(SIGPIPE, SIG_IGN);
}

static void run(struct worker *worker, const struct config *config)
{
    struct err err = { 0 };

    worker->agent.on_lost = on_lost;
    worker->watch = identity_watch(&worker->loop, config, &worker->settings.identity);
    if (agent_start(&worker->agent, &worker->loop, &worker->settings, &err) != ST_OK) {
        log_event(LOG_ERROR, "start_failed", LS("error", err.text));
        worker->exit_code = 1;
    } else {
        log_event(LOG_INFO, "ready", LS("listen", worker->settings.listen_address),
                  LU("memory_mb", worker->settings.memory_mb),
                  LU("environments_max", worker->settings.environments_max));
        (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    }
    agent_stop(&worker->agent);
    certificate_watch_stop(worker->watch);
    uv_close((uv_handle_t *)&worker->terminate, NULL);
    uv_close((uv_handle_t *)&worker->interrupt, NULL);
    /* Let handles close; a download that still runs is not waited for. */
    for (int i = 0; i < STOP_TURNS && uv_loop_alive(&worker->loop); i++)
        (void)uv_run(&worker->loop, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
    static struct worker worker;
    struct config *config =
        config_start(options, "lapwing-worker", "The agent of a worker host.", argc, argv);
    struct err err = { 0 };
    char identity[NODE_BYTES_MAX + ZONE_BYTES_MAX + 40];
    int rv = uv_loop_init(&worker.loop);

    CHECK(rv == 0); /* nothing can be done without a loop */
    /* The fetches of a store that stalls hold nine threads, see worker/packages; with the default
     * of four the functions' log lines would wait for them, and packages for images being stored.
     */
    (void)setenv("UV_THREADPOOL_SIZE", "16", 0);
    descriptors_raise();
    watch_signals(&worker);
    (void)snprintf(identity, sizeof identity, "program=worker node=%s zone=%s",
                   config_text(config, "node", "name"), config_text(config, "node", "zone"));
    log_identity(identity);
    if (read_settings(&worker, config, &err) != ST_OK) {
        log_event(LOG_ERROR, "start_failed", LS("error", err.text));
        return 2;
    }
    run(&worker, config);
    log_event(LOG_INFO, "stopped");
    https_context_free(worker.settings.api.trust);
    free(worker.controlplanes);
    config_free(config);
    /* A pool thread may still be inside the store, for as long as a fetch may take.  The C
     * library's way out would wait for it and take OpenSSL's memory from under its feet. */
    if (uv_loop_alive(&worker.loop))
        _exit(worker.exit_code);
    return worker.exit_code;
}
