/* The spawner's one structure, and how its parts wait and answer.
 *
 * Single-threaded: one epoll loop, one event at a time, so that an event may free whatever it likes
 * without leaving a stale one behind. */
#ifndef WORKER_SPAWNER_SPAWNER_H
#define WORKER_SPAWNER_SPAWNER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/spawner.pb-c.h"
#include "worker/spawner/cgroup.h"
#include "worker/spawner/cgroup_pool.h"
#include "worker/spawner/convert_job.h"
#include "worker/spawner/environment.h"
#include "worker/spawner/network.h"
#include "worker/spawner/package_store.h"
#include "worker/spawner/ready_pool.h"
#include "worker/spawner/socket_guard.h"
#include "worker/spawner/source.h"
#include "worker/spawner/spawner_config.h"
#include "worker/spawner/user_namespaces.h"

struct spawner {
    struct spawner_config config;
    struct cgroups groups;
    struct cgroup_pool group_pool;
    struct network network;
    struct package_store packages;
    struct user_namespaces users; /* by slot, then by converter, then those of `ready` */
    struct ready_pool ready;
    struct sock_fprog filter;
    int epoll;
    int agent;                         /* packets, see proto/spawner.proto */
    int signals;                       /* signalfd: SIGTERM, SIGINT */
    int self;                          /* pidfd of this process */
    int init;                          /* lapwing-init, to execute */
    int convert;                       /* lapwing-convert, to execute */
    int mounts[RUNTIME_ROOTS_MAX + 1]; /* namespaces that environments copy, by rootfs_of() */
    int own_mounts;                    /* the mount namespace that we are in */
    uint64_t serial;                   /* for names that must not repeat */
    uint32_t starting;                 /* environments between clone and exec */
    bool used;              /* an environment was asked for: pools are worth their memory */
    uint32_t told_networks; /* pools as the agent was told last */
    uint32_t told_groups;
    uint32_t told_ready;
    bool stopping;

    struct environment *environments; /* by slot; config.environments_max of them */
    struct convert converts[CONVERTS_MAX];
    struct socket_guard socket_guard;
    struct source agent_source;
    struct source signal_source;
    struct source maker_source;
};

/* Open all that is needed and leave the host's mount namespace.  `spawner->config` is filled.  What
 * fails is said in one sentence. */
enum status spawner_open(struct spawner *spawner, struct err *err);

/* Serve until the agent's socket closes or SIGTERM comes. */
void spawner_run(struct spawner *spawner);

/* Kill every environment, wait for them, and remove control groups, uplink and rules. */
void spawner_close(struct spawner *spawner);

/* Remove what an instance that was killed has left.  Returns the first failure, having tried all.
 */
enum status spawner_clean(const char *instance, const char *cgroup_parent, struct err *err);

/* Answer a request; `reply` is complete but for the id.  An agent that does not read for
 * ANSWER_MS_MAX is taken for dead and the spawner stops. */
void spawner_reply(struct spawner *spawner,
                   uint64_t id,
                   Lapwing__SpawnReply *reply,
                   const int *fds,
                   size_t fd_count);
void spawner_say_exited(struct spawner *spawner, Lapwing__EnvironmentExited *exited);

/* Wait for `events` on `fd` with `source`. */
enum status spawner_watch(
    struct spawner *spawner, int fd, uint32_t events, struct source *source, struct err *err);
/* End a watch and close; -1 is nothing.  Closing alone would not do: a child that was cloned
 * meanwhile holds a copy, and events would go on for what is no more. */
void spawner_close_watched(struct spawner *spawner, int *fd);

#endif
