/* Environments kept ready: whole sandboxes whose interpreter has loaded the runtime loop and waits
 * at a socket (SANDBOX_WAIT_FD) for the variables of its function.  No byte of any user is in one.
 *
 *   FREE --start--> STARTING --"ready" byte--> READY --take--> FREE, as an environment of a slot
 *                       '--------- any end, or dropped ---------> ENDING --last process gone-->
 * FREE
 *
 * It is given to one function, once: package and /tmp are mounted into it, its control group gets
 * the function's limits, its process the variables, and from there on it is an environment like any
 * other.  One that died or misbehaved is dropped, and the start goes the plain path.  When which
 * are made and dropped is in ready_plan.h.  The spawner's thread. */
#ifndef WORKER_SPAWNER_READY_POOL_H
#define WORKER_SPAWNER_READY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/spawner.pb-c.h"
#include "worker/spawner/environment.h"
#include "worker/spawner/ready_plan.h"
#include "worker/spawner/source.h"

struct spawner;

enum { READY_ENDING_SPARE = 8 }; /* entries beside those that may be ready, for what is ending */

enum ready_state { READY_STATE_FREE, READY_STATE_STARTING, READY_STATE_READY, READY_STATE_ENDING };

struct ready_environment {
    struct environment env; /* nobody is told of it */
    enum ready_state state;
    size_t kind;       /* not when ENDING: that may be another by then */
    uint64_t since_ms; /* STARTING */
    int socket;        /* our end of the one that its process waits at */
    struct source socket_source;
};

/* What a kind's processes are: the packed message is what kinds are told apart by. */
struct ready_kind {
    struct buf key;
    Lapwing__SpawnEnvironment *command; /* runtime, argv, ready_environment */
};

/* Embedded in the spawner. */
struct ready_pool {
    struct spawner *spawner; /* borrowed */
    struct ready_limits limits;
    struct ready_kind_view views[READY_KINDS_MAX];
    struct ready_kind kinds[READY_KINDS_MAX];
    uint32_t count; /* of entries in `list` */
    struct ready_environment *list;
    uint64_t last_start_ms; /* of any environment */
    uint32_t processors;
    bool waits_for_calm; /* there is one to make */
    uint32_t user_first; /* its user namespaces: as many as slots and entries together */
    uint32_t user_count;
    bool *users;
};

/* How many of such environments there may be at once, those that are ending counted. */
uint32_t ready_pool_capacity(const struct ready_limits *limits);
/* How many users of their own such environments need, for so many slots; 0 where none are kept. */
uint32_t ready_pool_users(const struct ready_limits *limits, uint32_t slots);

/* user_first  index of the first of ready_pool_users() user namespaces */
void ready_pool_init(struct ready_pool *pool,
                     struct spawner *spawner,
                     const struct ready_limits *limits,
                     uint32_t user_first);
void ready_pool_done(struct ready_pool *pool);

/* Let a ready environment become `env`, for a checked request whose package is here; note what was
 * asked for.  False: there was none, and nothing happened. */
bool ready_pool_take(struct ready_pool *pool,
                     struct environment *env,
                     uint64_t request,
                     const Lapwing__SpawnEnvironment *req,
                     const struct environment_want *want);

/* Do the next thing that ready_next() says.  False: there is none, or it failed. */
bool ready_pool_step(struct ready_pool *pool);

/* Until when it need not be looked at the pool where nothing happens, -1: for ever. */
int ready_pool_rest_ms(const struct ready_pool *pool);

struct ready_level ready_pool_level(const struct ready_pool *pool);
/* What those that are ready use of memory. */
uint64_t ready_pool_bytes(const struct ready_pool *pool);

/* The environment that had this user is gone; other users are not looked at. */
void ready_pool_give_user(struct ready_pool *pool, uint32_t user);

#endif
