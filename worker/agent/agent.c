/* The agent's start and stop, and the joints between its parts.  Loop thread. */
#include "worker/agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/agent/environment.h"
#include "worker/agent/heartbeat.h"
#include "worker/agent/invocation.h"
#include "worker/agent/link.h"
#include "worker/agent/package_link.h"

enum { FETCH_MS = 20000 };

void agent_changed(struct agent *agent)
{
    heartbeats_changed(agent->heartbeats);
}

void agent_log_key(const Lapwing__Function *function, char out[LOG_KEY_BYTES])
{
    (void)snprintf(out, LOG_KEY_BYTES, "%s/%s/%s", function->account, function->region,
                   function->name);
}

/* ---- the spawner's messages ---- */

static void on_spawned(uint32_t slot, struct spawner_message *message, void *context)
{
    environment_on_spawned(context, slot, message);
}

static void on_usage(uint32_t slot, const Lapwing__SpawnReply *reply, void *context)
{
    environment_on_usage(context, slot, reply);
}

static void on_exited(const Lapwing__EnvironmentExited *exited, void *context)
{
    environment_on_exited(context, exited);
}

static void on_pools(const Lapwing__Pools *pools, void *context)
{
    struct agent *agent = context;
    Lapwing__Pools copy = LAPWING__POOLS__INIT;

    copy.networks = pools->networks;
    copy.networks_max = pools->networks_max;
    copy.groups = pools->groups;
    copy.groups_max = pools->groups_max;
    copy.ready = pools->ready;
    copy.ready_max = pools->ready_max;
    copy.ready_bytes = pools->ready_bytes;
    agent->pools = copy;
}

static void on_lost(const struct err *err, void *context)
{
    struct agent *agent = context;

    agent->on_lost(agent, err);
}

static const struct spawner_handler spawner_handler = { on_spawned, on_usage, on_exited, on_pools,
                                                        on_lost };

/* ---- start and stop ---- */

static enum status make_log_folder(struct agent *agent, struct err *err)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/logs", agent->settings->dir);
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return err_set_errno(err, ST_IO, errno, "make the folder %s", path);
    agent->logs = function_log_new(agent->loop, path);
    return ST_OK;
}

enum status agent_start(struct agent *agent,
                        uv_loop_t *loop,
                        const struct agent_settings *settings,
                        struct err *err)
{
    struct package_settings packages = {
        .dir = settings->dir,
        .store = settings->store,
        .bytes_max = settings->packages_bytes_max,
        .fetch_ms = FETCH_MS,
        .spawner = { package_link_ask, agent },
    };
    enum status st;

    lapwing__pools__init(&agent->pools);
    CHECK(settings->environments_max >= 1 && settings->environments_max <= SLOTS_MAX);
    agent->loop = loop;
    agent->settings = settings;
    environments_init(agent);
    invocations_init(agent);
    agent->packages = package_cache_new(loop, &packages);
    st = make_log_folder(agent, err);
    if (st == ST_OK)
        st = runtimes_probe(&settings->runtimes, &agent->runtimes, err);
    if (st == ST_OK)
        st = spawner_link_new(loop, settings->spawner_fd, &spawner_handler, agent, &agent->spawner,
                              err);
    if (st == ST_OK)
        st = package_cache_start(agent->packages, err);
    if (st == ST_OK)
        st = link_listen(agent, err);
    if (st == ST_OK)
        st = heartbeats_start(agent, &agent->heartbeats, err);
    return st;
}

void agent_stop(struct agent *agent)
{
    heartbeats_stop(agent->heartbeats);
    agent->heartbeats = NULL;
    if (agent->listener != NULL)
        stream_listener_close(agent->listener);
    agent->listener = NULL;
    invocations_stop(agent);
    environments_stop(agent);
    host_load_done(&agent->load);
    function_log_free(agent->logs);
    spawner_link_free(agent->spawner);
    agent->spawner = NULL; /* a download that ends while the loop runs out still asks for it */
}
