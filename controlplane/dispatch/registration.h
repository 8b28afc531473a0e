/* Where workers register and say how they stand: framed streams that they dial.
 *
 * A heartbeat is passed on only when it is whole, makes sense, and names the worker whose stream it
 * came on; others are refused with a reason, and one line a stream says so.  Everything belongs to
 * the loop's thread. */
#ifndef CONTROLPLANE_DISPATCH_REGISTRATION_H
#define CONTROLPLANE_DISPATCH_REGISTRATION_H

#include <uv.h>

#include "base/status.h"
#include "base/stream.h"
#include "controlplane/dispatch/worker_view.h"
#include "proto/worker.pb-c.h"

struct registration;

/* Streams at once: each worker has one, and a second one for the moment in which it replaces the
 * first.  One more is closed, and its worker dials again. */
enum { REGISTRATION_SESSIONS_MAX = 2 * WORKERS_MAX };

struct registration_handler {
    /* A heartbeat that passed its checks.  Fills the reply, whose texts need to live until it
     * returns to the loop. */
    void (*on_beat)(const Lapwing__Heartbeat *beat, Lapwing__HeartbeatReply *reply, void *context);
    /* The stream of a worker's process is gone, and no newer one of it is open. */
    void (*on_gone)(const struct stream_hello *worker, const char *why, void *context);
};

struct registration_config {
    uv_loop_t *loop;
    const char *address;                    /* "127.0.0.1:4579" */
    const struct stream_identity *identity; /* borrowed for the life */
    const struct registration_handler *handler;
    void *context;
};

/* Listen.  ST_IO: the address cannot be used. */
enum status registration_start(const struct registration_config *config,
                               struct registration **out,
                               struct err *err);
/* No callback runs after it; frees itself when the last stream is gone.  NULL is harmless. */
void registration_stop(struct registration *registration);

#endif
