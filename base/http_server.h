/* An HTTP/1.1 server on a libuv loop, over libmicrohttpd, without threads of its own.
 *
 * All calls and callbacks belong to the thread of the loop.  The life of a request:
 *
 *   on_request ──► http_request_collect() ─────────────► on_body_end ─┐
 *        │    └──► http_request_read()  ──► on_body ... ► on_body_end ─┤
 *        │                                                            ▼
 *        └───────────────────────────────────────────────────► http_respond*()  ──► on_done
 *
 *  - A handler may answer in any callback or later from the loop; exactly one http_respond*() or
 *    http_request_abort() a request.  Answering before the body has arrived is allowed: the rest of
 *    the body is read and dropped up to HTTP_DISCARD_BYTES_MAX, so that the client sees the answer.
 *  - Until http_request_collect() or http_request_read() is called, no body is read (and a client
 *    that asked is not told to continue), so a handler may look things up first.
 *  - on_done is the last call of every request that on_request announced, exactly once, and never
 *    from inside a call of this header; views of the request are valid until it returns.
 *  - Answers that are given in one turn of the loop leave in that same turn. */
#ifndef BASE_HTTP_SERVER_H
#define BASE_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/http_message.h"
#include "base/limits.h"
#include "base/status.h"

struct http_server;
struct http_request;
struct https_certificate; /* base/https.h */

struct http_handler {
    /* The head is complete. */
    void (*on_request)(struct http_request *req, void *context);
    /* A piece of the body after http_request_read(); returns how much was taken.  Less than
     * chunk.len stops reading until http_request_read() is called again, and what was left comes
     * first then.  May be NULL if bodies are only collected. */
    size_t (*on_body)(struct http_request *req, struct bytes chunk, void *context);
    /* The body is complete (also for requests without one, once collect or read was called).  After
     * http_request_collect() it is in http_request_body(), or http_request_body_too_large(). */
    void (*on_body_end)(struct http_request *req, void *context);
    /* The client closed its side while the request was in our hands; at most once.  It may be only
     * half closed, so an answer is still tried.  May be NULL. */
    void (*on_gone)(struct http_request *req, void *context);
    /* http_push() may be called again after it said ST_LIMIT.  May be NULL. */
    void (*on_drain)(struct http_request *req, void *context);
    /* The last call.  ST_OK: the whole answer was handed to the kernel.  ST_TIMEOUT: the client was
     * too slow.  ST_CANCELLED: we cut it (abort, server closed).  ST_IO: the connection was lost.
     */
    void (*on_done)(struct http_request *req, enum status outcome, void *context);
};

struct http_server_options {
    unsigned connections_max;   /* 0: HTTP_CONNECTIONS_MAX, or half of the descriptors if fewer */
    unsigned idle_ms;           /* keep-alive between requests; 0: HTTP_IDLE_MS */
    unsigned head_ms;           /* from first byte wanted to a complete head, TLS's handshake
                                 * included; 0: HTTP_HEAD_MS */
    unsigned stall_ms;          /* body or answer moving slower than HTTP_RATE_BYTES_MIN bytes a
                                 * second for so long; 0: HTTP_STALL_MS */
    unsigned handshakes_max;    /* of TLS at once, others wait; 0: HTTP_HANDSHAKES_MAX */
    unsigned handshake_turn_ms; /* what one may take while others wait; 0: HTTP_HANDSHAKE_TURN_MS */
};

/* Who is there now. */
struct http_server_load {
    unsigned connections;
    unsigned handshakes;         /* of TLS, under way */
    unsigned handshakes_waiting; /* with a client that has spoken, for one of the others to end */
    uint64_t handshakes_cut;     /* ever, for others that waited */
};

/* A server without sockets yet.  `handler` is borrowed for its life; options may be NULL. */
enum status http_server_new(uv_loop_t *loop,
                            const struct http_server_options *options,
                            const struct http_handler *handler,
                            void *context,
                            struct http_server **out,
                            struct err *err);

/* Listen on "127.0.0.1:4566" or "[::1]:4566" (port 0: the kernel's choice, see http_server_port()).
 * May be called several times.  ST_EXISTS: the address is in use; ST_DENIED: a port below 1024. */
enum status http_server_listen(struct http_server *server,
                               const char *address,
                               bool share_port, /* SO_REUSEPORT: several processes, one port */
                               struct err *err);
/* The same for HTTPS: TLS 1.2 or 1.3 with this certificate, which is borrowed for the server's life
 * and may be refreshed meanwhile; connections that are open go on with the one they began with. */
enum status http_server_listen_https(struct http_server *server,
                                     struct https_certificate *certificate,
                                     const char *address,
                                     bool share_port,
                                     struct err *err);
/* Take a socket that is bound and listening. */
enum status http_server_listen_fd(struct http_server *server, int fd, struct err *err);
/* Serve one connected socket, taken in any case (socket pairs in tests, sockets passed over). */
enum status http_server_add(struct http_server *server, int fd, struct err *err);
/* The port of the first listening socket. */
unsigned http_server_port(const struct http_server *server);
void http_server_load(const struct http_server *server, struct http_server_load *out);
/* Take no more connections; those that are open go on. */
void http_server_stop_listening(struct http_server *server);
/* Requests that on_request announced and on_done has not. */
unsigned http_server_requests(const struct http_server *server);
/* Cut everything.  Every open request gets its on_done, then `closed` runs from the loop, once, and
 * the server is freed.  Not from inside a callback of the handler. */
void http_server_close(struct http_server *server, void (*closed)(void *context));

/* What came in.  The views and texts live until on_done returns. */
const struct http_head *http_request_head(const struct http_request *req);
/* Who connected; a socket pair has sa_family AF_UNSPEC or AF_UNIX. */
const struct sockaddr *http_request_peer(const struct http_request *req);
/* Did it come over TLS? */
bool http_request_is_https(const struct http_request *req);
/* From the Content-Length, else HTTP_LENGTH_UNKNOWN for a chunked body, 0 for none. */
uint64_t http_request_content_length(const struct http_request *req);
void http_request_set_context(struct http_request *req, void *context);
void *http_request_context(const struct http_request *req);

/* Read the whole body into memory, then on_body_end.  A longer one than `bytes_max` is dropped as
 * it arrives, and http_request_body_too_large() is then true: the handler words the 413.  One that
 * goes on for HTTP_DISCARD_BYTES_MAX more is cut. */
void http_request_collect(struct http_request *req, size_t bytes_max);
/* Hand the body to on_body as it arrives; also after on_body took less than it got. */
void http_request_read(struct http_request *req);
struct bytes http_request_body(const struct http_request *req);
bool http_request_body_too_large(const struct http_request *req);
/* Move the collected body to the caller, who frees it with buf_done(). */
struct buf http_request_take_body(struct http_request *req);

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* A field of an answer.  Date, Connection, Content-Length and Transfer-Encoding are ours; for the
 * answer to a HEAD, give the length with http_respond_stream(). */
struct http_answer_field {
    const char *name;
    const char *value;
};
struct http_answer {
    unsigned status;
    const struct http_answer_field *fields; /* copied */
    size_t field_count;
    bool close; /* close the connection after it */
};

/* Answer with bytes that are copied. */
void http_respond(struct http_request *req, const struct http_answer *answer, struct bytes body);
/* Answer with bytes that are taken: `release(body.data)` runs when they were sent or dropped. */
void http_respond_owned(struct http_request *req,
                        const struct http_answer *answer,
                        struct bytes body,
                        void (*release)(void *));
/* Answer with `length` bytes of a file from `offset`, sent by the kernel.  Takes `fd`.  Blocks on a
 * disk that has not the pages in memory. */
void http_respond_file(struct http_request *req,
                       const struct http_answer *answer,
                       int fd,
                       uint64_t offset,
                       uint64_t length);
/* Answer with a body that follows by http_push(): `length` bytes, or HTTP_LENGTH_UNKNOWN for a
 * chunked one.  A HEAD is answered with the length, and pushes are dropped. */
void http_respond_stream(struct http_request *req,
                         const struct http_answer *answer,
                         uint64_t length);

/* Queue bytes of the body; copied.  They are always accepted; ST_LIMIT asks to wait for on_drain
 * before the next (HTTP_QUEUE_BYTES_MAX are queued), ST_CANCELLED says that nobody reads them. */
enum status http_push(struct http_request *req, struct bytes chunk);
/* The body is complete.  With a known length fewer bytes than promised cut the connection. */
void http_push_end(struct http_request *req);

/* Cut the connection without (the rest of) an answer; on_done follows. */
void http_request_abort(struct http_request *req);

#endif
