/* A TLS connection joined to a plain one: what comes out of one session goes into one socket, and
 * back.  Two descriptors, no thread; the loop's thread.
 *
 *   peer ══ TLS ══ link ── plain socket ── whoever speaks HTTP
 *
 * Each direction holds at most one piece and reads no more until that is taken, so a slow side
 * holds back the other.  An end of either side is passed on after what was said before it: by a
 * shutdown towards the plain side, by TLS's goodbye and a shutdown towards the peer.  The link ends
 * when both directions have ended, on an error, or when it is cut. */
#ifndef BASE_TLS_LINK_H
#define BASE_TLS_LINK_H

#include <stdbool.h>
#include <uv.h>

#include "base/status.h"

struct ssl_ctx_st;
struct tls_link; /* freed by itself after on_closed */

struct tls_link_events {
    /* The peer of a server has said something, TLS by its first byte.  False: nothing of it is read
     * before tls_link_begin().  May be NULL, as if true. */
    bool (*on_hello)(void *context);
    /* The handshake is over.  May be NULL. */
    void (*on_ready)(void *context);
    /* The handshake is over and the first plain byte is here: call tls_link_join() or
     * tls_link_cut().  Not called for links that were joined before. */
    void (*on_first)(struct tls_link *link, void *context);
    /* Bytes went to the plain side.  May be NULL. */
    void (*on_passed)(void *context);
    /* The peer of a server does not speak TLS but, by its first byte, HTTP.  What is sent to `fd`
     * is the last that it hears.  May be NULL. */
    void (*on_plain)(int fd, void *context);
    /* The last call, from the loop; both sockets are closed.  `why` is empty after an orderly end,
     * else it says what was wrong: ST_DENIED in the handshake, ST_UNSUPPORTED for a peer that spoke
     * plain HTTP, ST_IO later, ST_CANCELLED for a link that was cut. */
    void (*on_closed)(enum status outcome, const struct err *why, void *context);
};

/* How a link begins. */
struct tls_link_spec {
    struct ssl_ctx_st *tls; /* borrowed for the call: the link holds a reference of its own */
    int fd;                 /* connected and non-blocking; taken if the link was made */
    /* NULL for the server's side.  On the client's: the name or numeric address that the peer's
     * certificate must have. */
    const char *peer_name;
    const struct tls_link_events *events; /* borrowed */
    void *context;
};

/* ST_IO: the loop cannot watch the socket.  ST_BAD_INPUT: `peer_name`. */
enum status tls_link_new(uv_loop_t *loop,
                         const struct tls_link_spec *spec,
                         struct tls_link **out,
                         struct err *err);

/* Go on with a handshake that on_hello held back. */
void tls_link_begin(struct tls_link *link);

/* Give it the plain side; takes `fd` in any case, and ends the link if it cannot be watched.  Once
 * a link, from on_first or before the loop runs. */
void tls_link_join(struct tls_link *link, int fd);

/* The socket towards the peer; -1 once it is closed. */
int tls_link_fd(const struct tls_link *link);

/* Everything was said, and that it was all: what the peer still says is dropped. */
bool tls_link_said_bye(const struct tls_link *link);

/* End it now; on_closed follows.  Harmless when it is ending. */
void tls_link_cut(struct tls_link *link);
/* As tls_link_cut(), after what the plain side has said so far, as much as the kernel takes. */
void tls_link_finish(struct tls_link *link);

#endif
