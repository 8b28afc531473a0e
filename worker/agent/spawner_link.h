/* The spawner as the agent's loop sees it: requests out, callbacks in.
 *
 * Requests that only name a slot never fail here: they wait in a queue while the socket is full.
 * Loop thread. */
#ifndef WORKER_AGENT_SPAWNER_LINK_H
#define WORKER_AGENT_SPAWNER_LINK_H

#include <uv.h>

#include "base/status.h"
#include "worker/spawner/spawner_client.h"

struct spawner_link;

enum spawner_slot_request { SPAWNER_KILL, SPAWNER_FREEZE, SPAWNER_THAW, SPAWNER_USAGE };

struct spawner_handler {
    /* Answer to spawner_link_spawn(); descriptors may be taken out of `message`. */
    void (*on_spawned)(uint32_t slot, struct spawner_message *message, void *context);
    void (*on_usage)(uint32_t slot, const Lapwing__SpawnReply *reply, void *context);
    void (*on_exited)(const Lapwing__EnvironmentExited *exited, void *context);
    void (*on_pools)(const Lapwing__Pools *pools, void *context);
    /* The spawner is gone and every environment with it. */
    void (*on_lost)(const struct err *err, void *context);
};

/* Descriptors may be taken out of `message`. */
typedef void (*spawner_package_fn)(struct spawner_message *message, void *context);

/* Takes `fd`. */
enum status spawner_link_new(uv_loop_t *loop,
                             int fd,
                             const struct spawner_handler *handler,
                             void *context,
                             struct spawner_link **out,
                             struct err *err);
void spawner_link_free(struct spawner_link *link);

/* ST_LIMIT, ST_UNAVAILABLE: on_spawned does not follow. */
enum status spawner_link_spawn(struct spawner_link *link,
                               Lapwing__SpawnEnvironment *spawn,
                               struct err *err);
void spawner_link_slot(struct spawner_link *link, enum spawner_slot_request what, uint32_t slot);

/* Who is told about a package request; exactly once, later, unless the request returned an error.
 */
struct spawner_waiter {
    spawner_package_fn done;
    void *context;
};

/* Ask about packages.  `message` is one of convert, new_image, verify_package, list_packages,
 * remove_package; its id is given here.  `fd` goes with it and stays open; or is -1. */
enum status spawner_link_package(struct spawner_link *link,
                                 Lapwing__SpawnRequest *message,
                                 int fd,
                                 struct spawner_waiter waiter,
                                 struct err *err);

#endif
