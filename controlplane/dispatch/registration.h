/* Where workers register and say how they stand: request and reply over nng.
 *
 * Every message is protobuf followed by 32 bytes of HMAC-SHA256 under the cluster key; one that
 * does not match is dropped and counted.  nng has threads of its own; heartbeats reach the loop
 * through a mailbox. */
#ifndef CONTROLPLANE_DISPATCH_REGISTRATION_H
#define CONTROLPLANE_DISPATCH_REGISTRATION_H

#include <uv.h>

#include "base/status.h"
#include "proto/worker.pb-c.h"

struct registration;

/* Runs on the loop's thread for each heartbeat; fills the reply, whose texts need to live until it
 * returns to the loop. */
typedef void (*registration_beat_fn)(const Lapwing__Heartbeat *beat,
                                     Lapwing__HeartbeatReply *reply,
                                     void *context);

struct registration_config {
    uv_loop_t *loop;
    const char *address; /* "127.0.0.1:4579" */
    const uint8_t *key;  /* the cluster key, 32 bytes; borrowed for the life */
    registration_beat_fn on_beat;
    void *context;
};

/* Listen.  ST_IO: the address cannot be used. */
enum status registration_start(const struct registration_config *config,
                               struct registration **out,
                               struct err *err);
/* On the loop's thread; no beat runs after it.  NULL is harmless. */
void registration_stop(struct registration *registration);

#endif
