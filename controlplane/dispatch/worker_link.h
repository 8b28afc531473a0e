/* The framed stream to one worker, and the calls that share it.
 *
 * The front door dials; frames carry the id of the call that they belong to.  All of it belongs to
 * the thread of the loop. */
#ifndef CONTROLPLANE_DISPATCH_WORKER_LINK_H
#define CONTROLPLANE_DISPATCH_WORKER_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"
#include "base/stream.h"
#include "proto/invoke.pb-c.h"

enum { WORKER_CALLS_MAX = 4096 }; /* on one link; a power of two */

struct worker_call;
struct worker_link;

/* The stream opened or is gone; `why` it was lost, or NULL when this side gave it up.  Runs before
 * the calls on it are lost. */
typedef void (*worker_link_change_fn)(struct worker_link *link, bool open, const char *why);

/* Embedded in a worker.  Lives until the loop has run dry after worker_link_close(): a late close
 * of a stream still finds it. */
struct worker_link {
    uv_loop_t *loop;
    const struct stream_identity *identity;
    struct stream_dialer *dialer;
    struct stream *stream; /* open, or NULL */
    struct worker_call *calls[WORKER_CALLS_MAX];
    uint32_t free_slots[WORKER_CALLS_MAX];
    uint32_t free_count;
    uint64_t next_id;
    worker_link_change_fn on_change;
};

/* One exchange of frames under one id.  Embedded in whoever asks. */
struct worker_call {
    struct worker_link *link; /* NULL: not running */
    uint64_t id;
    /* A frame of this call; the message is borrowed for the call.  May end the call. */
    void (*on_message)(struct worker_call *call, uint16_t type, const ProtobufCMessage *message);
    /* The stream is gone; the call has ended. */
    void (*on_lost)(struct worker_call *call);
};

void worker_link_init(struct worker_link *link,
                      uv_loop_t *loop,
                      const struct stream_identity *identity,
                      worker_link_change_fn on_change);
/* Dial `address` from now on; an earlier address is given up, its calls are lost. */
enum status worker_link_dial(struct worker_link *link,
                             const char *node, /* its name; who else answers there is refused */
                             const char *address,
                             struct err *err);
/* Stop dialling; every call is lost before this returns. */
void worker_link_close(struct worker_link *link);

/* Take an id on the link.  ST_UNAVAILABLE: no open stream.  ST_LIMIT: WORKER_CALLS_MAX are running.
 */
enum status worker_call_start(struct worker_link *link, struct worker_call *call);
/* Send one frame; `tail` follows the packed message, for a field that is not worth copying twice.
 */
enum status worker_call_send(struct worker_call *call,
                             uint16_t type,
                             const ProtobufCMessage *message,
                             struct bytes tail);
/* Give the id back; frames that still arrive for it are dropped.  Twice is harmless. */
void worker_call_end(struct worker_call *call);
/* The worker broke the protocol: cut the stream, so that all its calls are lost.  From the loop. */
void worker_call_abort_link(struct worker_call *call, const char *why);

#endif
