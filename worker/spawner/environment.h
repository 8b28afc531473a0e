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
    bool killed; /* the agent asked for it */
    bool out_of_memory;
    bool frozen;
    uint32_t memory_mb; /* its limits, for who asks why it was killed */
    uint32_t processes_max;
    struct sandbox_record last; /* how it ended, as far as known; kind 0: not at all */

    struct source status_source;
    struct source pid_source;
    struct source oom_source;
};

void environment_init(struct environment *env, struct spawner *spawner, uint32_t slot);

/* Start it.  `req` is checked and borrowed.  On ST_OK the answer follows; otherwise nothing has
 * been started: ST_CONFLICT when the slot is taken, ST_NOT_FOUND when the package is not there. */
enum status environment_start(struct environment *env,
                              uint64_t request,
                              const Lapwing__SpawnEnvironment *req,
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
