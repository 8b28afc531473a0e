/* One execution environment, from a checked request to the message that it has ended.
 *
 *   FREE --start--> STARTING --"started" record--> RUNNING --last process gone--> FREE
 *                       '------- last process gone: the start failed -----------'
 *
 * The request is answered when STARTING ends; after RUNNING the agent is told unasked. */
#ifndef WORKER_SPAWNER_ENVIRONMENT_H
#define WORKER_SPAWNER_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/spawner.pb-c.h"
#include "worker/spawner/cgroup.h"
#include "worker/spawner/network.h"
#include "worker/spawner/request_check.h"
#include "worker/spawner/sandbox_record.h"
#include "worker/spawner/source.h"

struct spawner;

enum environment_state { ENVIRONMENT_FREE, ENVIRONMENT_STARTING, ENVIRONMENT_RUNNING };

/* Owned by the spawner's table; all descriptors are -1 while FREE. */
struct environment {
    struct spawner *spawner; /* borrowed */
    uint32_t slot;
    enum environment_state state;
    uint64_t request; /* to answer when STARTING ends */
    char package[PACKAGE_NAME_BYTES + 1];
    struct cgroup group;
    struct netns netns; /* given to the agent with the answer */
    int output;         /* the same */
    int status;         /* read end of the status pipe */
    int pidfd;
    uint32_t user;          /* of user_namespaces: the slot, or one of ready_pool.h */
    bool ready;             /* its process was there before its function was known */
    uint64_t cpu_before_us; /* what it had used until then, which is nobody's */
    bool killed;            /* the agent asked for it */
    bool out_of_memory;
    bool frozen;
    uint32_t memory_mb; /* its limits, for who asks why it was killed */
    uint32_t processes_max;
    struct sandbox_record last; /* how it ended, as far as known; kind 0: not at all */

    struct source status_source;
    struct source pid_source;
    struct source oom_source;
};

/* What an environment's processes are.  All borrowed. */
struct environment_want {
    const char *runtime;
    char *const *argv;
    size_t argc;
    char *const *variables;
    size_t variable_count;
    const char *package; /* NULL: not known yet */
    uint32_t memory_mb;
    uint32_t ephemeral_mb;  /* 0: no /tmp yet */
    uint32_t processes_max; /* 0: SPAWN_PROCESSES_MAX */
    uint32_t cpu_weight;    /* struct cgroup_limits */
    uint32_t user;          /* index of its user namespace */
    int wait;               /* struct sandbox; -1 but for one that waits for its function */
};

void environment_init(struct environment *env, struct spawner *spawner, uint32_t slot);

/* Start it.  `req` is checked and borrowed.  On ST_OK the answer follows; otherwise nothing has
 * been started: ST_CONFLICT when the slot is taken, ST_NOT_FOUND when the package is not there. */
enum status environment_start(struct environment *env,
                              uint64_t request,
                              const Lapwing__SpawnEnvironment *req,
                              struct err *err);

/* Make namespaces, control group and first process.  Nothing is watched and nobody told: `env`
 * stays FREE.  On failure it holds nothing. */
enum status environment_make(struct environment *env,
                             const struct environment_want *want,
                             struct err *err);
/* Give back what `env` holds, at whatever point its start got to; its processes are gone. */
void environment_release(struct environment *env);

/* Give a made environment, whose process waits, to `env`, which is FREE, with the package and the
 * limits of `req`.
 *
 * from  holds nothing afterwards, on ST_OK; its process is to be woken before, see ready_pool.h
 *
 * The answer follows as after environment_start(). */
void environment_adopt(struct environment *env,
                       uint64_t request,
                       const Lapwing__SpawnEnvironment *req,
                       struct environment *from);
/* The limits of its control group as `want` has them. */
enum status environment_limit(struct environment *env,
                              const struct environment_want *want,
                              struct err *err);
/* It is over its memory limit: end all of it, and say so when it has ended. */
void environment_out_of_memory(struct environment *env);

/* Kill, freeze, thaw.  ST_NOT_FOUND when the slot is free. */
enum status environment_kill(struct environment *env, struct err *err);
enum status environment_freeze(struct environment *env, bool frozen, struct err *err);

/* What it uses now.  ST_NOT_FOUND when the slot is free. */
enum status environment_usage(const struct environment *env,
                              struct cgroup_usage *out,
                              struct err *err);

#endif
