/* Framed streams: ordered messages over one TCP connection, encrypted and authenticated.
 *
 *   frame   u32 body length (little endian) | u16 type | u16 zero | body
 *
 * A connection starts with a TLS 1.3 handshake in which both ends show their certificates, then one
 * hello each way, which must say what the certificate says; only then does on_open run, and only
 * then may frames be sent.  What is sent within one turn of the
 * loop leaves in one write.  All calls and callbacks belong to the thread of the stream's loop. */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/node_identity_rules.h"
#include "base/status.h"
#include "base/stream_service.h"
#include "base/tls.h"

enum { CLUSTER_KEY_BYTES = 32, STREAM_QUEUE_BYTES_MAX = 64 << 20 };

struct stream_hello {
    char cluster[CLUSTER_NAME_BYTES_MAX + 1];
    char node[NODE_BYTES_MAX + 1];      /* unique in the cluster, "a", "worker-a" */
    char role[ROLE_NAME_BYTES_MAX + 1]; /* "controlplane", "objstore", "worker" */
    char zone[ZONE_BYTES_MAX + 1];
    uint64_t epoch; /* rises with each start of the node's process */
    uint32_t version;
    uint32_t service; /* enum stream_service */
};

/* The four names of a hello. */
void stream_hello_identity(const struct stream_hello *hello, struct node_identity *out);

/* Who we are on every stream of this process; built once, borrowed by all streams. */
struct stream_identity {
    struct stream_hello self;       /* service is overwritten per stream */
    struct tls_context *tls;        /* shared by all threads */
    uint8_t key[CLUSTER_KEY_BYTES]; /* of the cluster: secrets are derived from it, links do not use
                                       it */
};

struct stream; /* freed by itself after on_close returned */

struct stream_handler {
    /* Handshake and hello are done; `peer` is borrowed for the call.  May be NULL. */
    void (*on_open)(struct stream *stream, const struct stream_hello *peer, void *context);
    /* One whole frame; `body` is borrowed for the call. */
    void (*on_frame)(struct stream *stream, uint16_t type, struct bytes body, void *context);
    /* The send queue fell below half of its bound after stream_send() said ST_LIMIT.  May be NULL.
     */
    void (*on_drain)(struct stream *stream, void *context);
    /* The last call for this stream, exactly once if on_open ran (and never otherwise), also after
     * stream_close(); never from inside stream_send() or stream_close(). */
    void (*on_close)(struct stream *stream, enum status why, const struct err *err, void *context);
};

/* Queue one frame whose body is `head` followed by `body` (either may be empty); bytes are copied.
 * ST_LIMIT: the queue holds STREAM_QUEUE_BYTES_MAX, or the body is over FRAME_BYTES_MAX.
 * ST_UNAVAILABLE: not open yet, or closing. */
enum status stream_send(struct stream *stream, uint16_t type, struct bytes head, struct bytes body);

/* Stop now; what is queued is dropped.  on_close follows from the loop.  Twice is harmless. */
void stream_close(struct stream *stream);

const struct stream_hello *stream_peer(const struct stream *stream);
void *stream_context(const struct stream *stream);
size_t stream_queued_bytes(const struct stream *stream);
/* Stop and go on with reading (back-pressure towards the peer). */
void stream_pause(struct stream *stream, bool paused);

/* A listening socket.  `accepted` runs for each incoming stream that said its hello and gives it a
 * handler context by returning it (NULL refuses the stream); on_open follows.  Who may come is told
 * by link_rules.c.  A node has one stream here: a newer one (same or higher epoch) closes the
 * older, one of a lower epoch is refused, so a second process of one name waits until the later
 * started has gone. Refusals are logged once a minute for each peer address and reason
 * ("stream_refused"), and the peer is told.  Of more than STREAM_HANDSHAKES_MAX handshakes at once
 * the oldest is closed. */
struct stream_listener;
typedef void *(*stream_accept_fn)(struct stream *stream,
                                  const struct stream_hello *peer,
                                  void *listener_context);
struct stream_listen_options {
    const char *address;                    /* "127.0.0.1:4576" or "[::1]:4576"; for the call */
    const struct stream_identity *identity; /* this and all below: borrowed for its life */
    enum stream_service service;
    const struct stream_handler *handler;
    stream_accept_fn accepted;
    void *context; /* of `accepted` */
};
enum status stream_listen(uv_loop_t *loop,
                          const struct stream_listen_options *options,
                          struct stream_listener **out_listener,
                          struct err *err);
/* Closes the socket and every stream accepted on it; frees itself when the last one is gone. */
void stream_listener_close(struct stream_listener *listener);

/* A dialer keeps one connection to an address: connects, and after each loss again, with a delay
 * from 20 ms doubling to 1 s plus jitter.  handler callbacks run for each connection in turn with
 * `context`.  A change of what keeps it from connecting is logged once, as "link_down", and each
 * reason at most once a minute; a refusal (by us or by the peer) is said again each minute while it
 * lasts. */
struct stream_dialer;
struct stream_dial_options {
    const char *address;                    /* for the call */
    const struct stream_identity *identity; /* borrowed for its life, as handler and context */
    enum stream_service service;
    /* Who is expected there, copied; NULL where any node of a role that serves this will do. */
    const char *node;
    const struct stream_handler *handler;
    void *context;
};
enum status stream_dial(uv_loop_t *loop,
                        const struct stream_dial_options *options,
                        struct stream_dialer **out_dialer,
                        struct err *err);
/* The open stream, or NULL while there is none. */
struct stream *stream_dialer_current(const struct stream_dialer *dialer);
void stream_dialer_close(struct stream_dialer *dialer);

#endif
