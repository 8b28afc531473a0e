/* The agent of one worker host: what its parts share.
 *
 *   link.c ──offers, gos──► invocation.c ◄──ready, ended──► environment.c ──► spawner_link.c
 *                                │                              │
 *                             function_log.c                 packages, runtime
 *
 * One struct of each kind below is owned by the agent; everything runs on its loop's thread. */
#ifndef WORKER_AGENT_AGENT_H
#define WORKER_AGENT_AGENT_H

#include <uv.h>

#include "base/stream.h"
#include "proto/command.pb-c.h"
#include "worker/agent/function_log.h"
#include "worker/agent/host_load.h"
#include "worker/agent/slots_plan.h"
#include "worker/agent/spawner_link.h"
#include "worker/packages/package_cache.h"
#include "worker/runtime/relay.h"
#include "worker/runtime/runtimes.h"

struct ask;
struct environment;
struct invocation;
struct objstore;
struct heartbeats;

enum { CONTROLPLANES_MAX = 9 };

struct agent_settings {
    struct stream_identity identity; /* cluster, node, zone, epoch, key */
    const char *dir;                 /* borrowed texts, valid as long as the agent */
    const char *listen_address;
    struct runtime_sources runtimes;
    uint64_t memory_mb;
    uint32_t environments_max;
    uint32_t freeze_ms;
    uint32_t idle_ms;
    uint32_t init_ms;
    uint64_t packages_bytes_max;
    struct objstore *store;
    size_t controlplane_count;
    const char *controlplanes[CONTROLPLANES_MAX];
    struct relay_targets api;
    struct relay_targets resolvers;
    int spawner_fd;
};

struct agent {
    uv_loop_t *loop;
    const struct agent_settings *settings;
    struct spawner_link *spawner;
    struct package_cache *packages;
    struct function_log *logs;
    struct runtimes runtimes;
    struct stream_listener *listener;
    struct heartbeats *heartbeats;
    struct environment *environments; /* settings->environments_max of them, by slot */
    struct slot_view *slots;          /* their states: what slots_plan decides on */
    struct invocation *invocations;   /* alive */
    struct invocation *spare;         /* to be used again */
    struct invocation *waiting;       /* for a busy environment or for room, in order */
    struct invocation **waiting_last;
    size_t waiting_count;
    uint32_t starts_max; /* at a time, of one function */
    struct host_load load;
    Lapwing__Pools pools; /* as the spawner told last; its sizes are 0 before */
    uv_prepare_t look;    /* active when those who wait should look again */
    size_t invocation_count;
    struct ask *asks; /* of link.c */
    size_t ask_count;
    void (*on_lost)(struct agent *agent, const struct err *err); /* the spawner is gone */
};

/* Start everything; on failure what was started stays until agent_stop(). */
enum status agent_start(struct agent *agent,
                        uv_loop_t *loop,
                        const struct agent_settings *settings,
                        struct err *err);
/* Close everything; the loop has to run on until its handles are closed. */
void agent_stop(struct agent *agent);

/* What front doors should know changed. */
void agent_changed(struct agent *agent);

/* "account/region/name", the key of a function's log. */
void agent_log_key(const Lapwing__Function *function, char out[LOG_KEY_BYTES]);

#endif
