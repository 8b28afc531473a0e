/* One end of a framed stream, shared by stream.c (the connection), stream_listener.c and
 * stream_dialer.c (who makes it). */
#ifndef BASE_STREAM_INTERNAL_H
#define BASE_STREAM_INTERNAL_H

#include "base/stream.h"
#include "base/tls.h"

enum stream_state { STREAM_HANDSHAKE, STREAM_HELLO, STREAM_OPEN, STREAM_CLOSING };

enum { STREAM_READ_BYTES = 65536, STREAM_PEER_BYTES = 48 };

/* What the listener or dialer wants to know of its streams. */
struct stream_owner {
    /* The peer's hello arrived and is of our cluster and service.  ST_OK opens the stream. */
    enum status (*on_hello)(struct stream *stream, struct err *err);
    /* Nothing of the stream is left; it is freed after this returns.  `why` as in on_close. */
    void (*on_gone)(struct stream *stream, enum status why, const struct err *err);
};

/* Made by stream_new(), freed by itself once its four handles are closed. */
struct stream {
    uv_tcp_t tcp;
    uv_timer_t deadline; /* for handshake and hello */
    uv_prepare_t before; /* flush what was queued before polling... */
    uv_check_t after;    /* ...or right after; whichever comes first */
    unsigned handles;    /* not yet closed */
    enum stream_state state;
    bool client;
    bool opened;   /* on_open ran: on_close is owed */
    bool choked;   /* stream_send() said ST_LIMIT: on_drain is owed */
    bool flushing; /* `before` and `after` are active */
    uint32_t service;

    const struct stream_identity *identity;
    const struct stream_handler *handler;
    const struct stream_owner *owner;
    void *owner_data; /* the listener or dialer */
    void *context;
    struct tls_session *tls;
    struct stream_hello peer;
    char address[STREAM_PEER_BYTES]; /* of an accepted one's peer, for the log */
    struct tls_peer_entry standing;  /* with the identity's tls while opened */
    struct buf in;                   /* decrypted, not yet whole frames */
    struct buf out;                  /* frames, not yet encrypted */
    struct buf wire;                 /* encrypted, not yet given to the kernel */
    enum status why;
    struct err err;
    struct stream *next; /* the listener's list */
    struct stream *previous;
    uint8_t read_buf[STREAM_READ_BYTES];
};

struct stream *stream_new(uv_loop_t *loop,
                          const struct stream_identity *identity,
                          uint32_t service,
                          bool client,
                          const char *node); /* whom we expect, NULL for any; borrowed */
/* The TCP connection stands: start handshake, deadline and reading. */
void stream_start(struct stream *stream);
void stream_fail(struct stream *stream, enum status why, const struct err *err);
/* As stream_fail(), and tell the peer why: only one whose certificate we accepted. */
void stream_refuse(struct stream *stream, enum status why, const struct err *err);

/* The hello's bytes: "LWH1", u32 version, u32 service, u64 epoch (little endian), then cluster,
 * node, role and zone, each a length byte and text.  What follows is of a later release and
 * ignored. */
void stream_hello_encode(const struct stream_hello *hello, struct buf *out);
enum status stream_hello_decode(struct bytes in, struct stream_hello *out, struct err *err);
/* Does the hello say what the certificate says?  ST_DENIED names what differs. */
enum status stream_hello_check(const struct stream_hello *hello,
                               const struct node_identity *certified,
                               struct err *err);

#endif
