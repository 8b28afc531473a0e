/* The inside of the HTTP server, shared by http_server.c (loop, connections, limits),
 * http_server_listen.c (who comes in), http_server_secure.c (TLS), http_server_handshakes.c (how
 * many at once) and http_request.c (the life of one request).  Only these include libmicrohttpd. */
#ifndef BASE_HTTP_SERVER_INTERNAL_H
#define BASE_HTTP_SERVER_INTERNAL_H

#include <microhttpd.h>

#include "base/http_server.h"
#include "base/log_limit_rules.h"

struct tls_link;

enum http_handshake {
    HTTP_HANDSHAKE_SILENT, /* the client has said nothing */
    HTTP_HANDSHAKE_WAITING,
    HTTP_HANDSHAKE_UNDER_WAY,
    HTTP_HANDSHAKE_OVER,
};

/* One HTTPS client: its TLS connection, and the plain one behind it that libmicrohttpd serves once
 * the first byte of a request is here.  Made at the accept, freed when both have ended. */
struct http_secure {
    struct http_secure *next;
    struct http_secure *previous;
    struct http_server *server;
    struct tls_link *link;              /* NULL once it has ended */
    struct http_connection *connection; /* NULL before the first byte, and after the last answer */
    struct sockaddr_storage peer;
    struct http_secure *next_joining;
    int inner_fd;      /* of the plain connection, while `connection` is expected; else -1 */
    bool joined;       /* there was a first byte */
    uint64_t since_ms; /* since when there is no `connection`, waiting for a turn not counted */
    enum http_handshake handshake;
    struct http_secure *next_waiting; /* and the one before it */
    struct http_secure *previous_waiting;
    uint64_t mark_bytes;
};

/* Clients that are accepted in one turn of the loop and socket; the daemon has room for as many
 * more than it should have. */
enum { HTTP_ACCEPTS_PER_TURN = 32 };

/* One client connection.  Made and freed by http_server.c as libmicrohttpd says. */
struct http_connection {
    struct http_connection *next;
    struct http_connection *previous;
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct http_request *req;   /* at most one: pipelined requests are served one after another */
    struct http_secure *secure; /* NULL for plain HTTP */
    int fd;
    bool first;        /* no request was completed yet */
    bool gone;         /* the peer closed its side */
    bool timed_out;    /* we shut it down for being slow */
    uint64_t since_ms; /* since when we wait for a head */
    uint64_t mark_ms;  /* when progress was last looked at, and what it was */
    uint64_t mark_bytes;
};

/* The handshakes of a server.  Those that wait stand in a queue. */
struct http_handshakes {
    unsigned under_way;
    unsigned waiting;
    uint64_t cut;
    struct http_secure *first;
    struct http_secure *last;
};

/* A socket that accepts. */
struct http_listener {
    struct http_listener *next;
    struct http_server *server;
    struct https_certificate *certificate; /* NULL for plain HTTP; borrowed */
    uv_poll_t poll;
    int fd;
};

struct http_server {
    uv_loop_t *loop;
    const struct http_handler *handler;
    void *context;
    struct http_server_options options;
    bool connections_given; /* their limit is the program's, not worked out from the descriptors */
    struct MHD_Daemon *daemon;
    struct http_listener *listeners;
    struct http_connection *connections;
    unsigned connection_count;
    struct http_secure *secures;
    struct http_secure *joining; /* handed to the daemon, which has not told of them yet */
    unsigned secure_alone;       /* those without a connection of `connections` */
    struct http_handshakes handshakes;
    unsigned adopted;  /* handed to the daemon, which may tell of them only when it runs */
    unsigned requests; /* announced, not done */
    int gone_fd;       /* an epoll set that reports only peers that closed */

    uv_poll_t poll; /* of the daemon's epoll set */
    uv_poll_t gone_poll;
    uv_prepare_t before; /* runs the daemon before the loop sleeps... */
    uv_check_t after;    /* ...and right after it was woken, if there is something to do */
    uv_idle_t again;     /* keeps the loop awake for one more turn */
    unsigned sweep_ms;
    uv_timer_t sweep; /* once a second at most, while there are connections */
    uv_timer_t pause; /* ends a pause of accepting, or starts the closing */
    unsigned handles; /* open libuv handles */

    struct log_limit slow; /* lines of the log about slow clients, refused heads, a full table */
    struct log_limit heads;
    struct log_limit refused;
    struct log_limit queued;
    struct log_limit full;

    bool dirty;   /* the daemon has something to do */
    bool running; /* inside the daemon */
    bool accepting;
    bool room_wanted; /* not accepting, because the table is full */
    bool closing;
    void (*closed)(void *context);
};

enum http_body_mode {
    HTTP_BODY_HELD,    /* not read until the handler says how */
    HTTP_BODY_COLLECT, /* into memory */
    HTTP_BODY_STREAM,  /* to on_body */
    HTTP_BODY_DISCARD, /* answered before it ended: dropped */
};

/* One request, from its first line to libmicrohttpd's word that it is over.
 * Made by http_request_start(), freed by http_request_completed(). */
struct http_request {
    struct http_server *server;
    struct http_connection *connection;
    struct http_head head; /* views into libmicrohttpd's memory of the connection, and `target` */
    struct http_field *fields;
    char *target;
    uint64_t content_length;
    void *context;

    bool head_read;   /* the fields above are set */
    bool announced;   /* on_request ran: on_done is owed */
    bool head_passed; /* libmicrohttpd was told to go on to the body */
    bool body_ended;
    bool end_told; /* on_body_end ran */
    bool expects_continue;
    bool suspended;
    bool aborted;
    bool gone_told;
    bool queued; /* the answer is libmicrohttpd's now */

    enum http_body_mode mode;
    struct buf body; /* HTTP_BODY_COLLECT */
    size_t body_bytes_max;
    bool body_too_large;
    uint64_t discarded;

    struct MHD_Response *response; /* ours until queued */
    unsigned status;
    bool streaming;
    bool push_ended;
    bool choked;        /* http_push() said ST_LIMIT: on_drain is owed */
    uint64_t push_left; /* of a known length; HTTP_LENGTH_UNKNOWN for none */
    struct buf queue;
    size_t queue_at; /* bytes before it were sent */
};

/* May a line be written about what a stranger did?  Writes the one about those left out. */
bool http_server_may_log(struct http_server *server, struct log_limit *limit, const char *event);

/* The daemon has something to do; it will be run before the loop sleeps again. */
void http_server_touch(struct http_server *server);

/* The socket towards the client: of its TLS connection where there is one; -1 once that is closed.
 */
int http_connection_socket(const struct http_connection *connection);
/* End both directions of it; libmicrohttpd finds that out and does the rest. */
void http_connection_shutdown(const struct http_connection *connection);
/* The client closed its side, or is gone altogether. */
void http_connection_gone(struct http_connection *connection);
/* The same for one that was too slow, or must make room. */
void http_connection_end(struct http_connection *connection);
/* Somebody is here whose slowness must be looked at. */
void http_server_sweep_begin(struct http_server *server);
/* How many clients there is room for, if each has so many descriptors. */
unsigned http_server_connections_default(unsigned descriptors_each);
/* Hand a connected socket to the daemon, which owns it in any case. */
enum status http_server_adopt(struct http_server *server,
                              int fd,
                              const struct sockaddr *peer,
                              socklen_t peer_bytes,
                              struct err *err);
/* One of server->handles is closed; the last one ends a server that is closing. */
void http_server_handle_closed(struct http_server *server);
/* There is room in the table again. */
void http_server_room(struct http_server *server);

/* HTTPS clients (http_server_secure.c). */

/* Serve one accepted socket, which is taken in any case. */
void http_secure_accept(struct http_server *server,
                        struct https_certificate *certificate,
                        int fd,
                        const struct sockaddr_storage *peer);
/* The connection that libmicrohttpd made for a joined one; NULL if it is a plain client's. */
struct http_secure *http_secure_started(struct http_server *server,
                                        struct http_connection *connection);
/* The daemon has run: what it has not told of it did not keep. */
void http_secure_forget_joining(struct http_server *server);
/* libmicrohttpd has ended the connection: what it said is still on its way to the client. */
void http_secure_ended(struct http_secure *secure);
/* Cut the slow ones among those without a connection. */
void http_secure_sweep(struct http_server *server, uint64_t now_ms);
/* The one without a connection that has been so for longest; NULL if there is none. */
struct http_secure *http_secure_oldest(const struct http_server *server);
void http_secure_cut(struct http_secure *secure);

/* Turns of TLS handshakes (http_server_handshakes.c). */

/* A client has spoken.  True: its handshake begins; false: it waits for tls_link_begin(). */
bool http_handshake_begin(struct http_secure *secure);
/* It is over, or will never be: the next one begins.  Harmless when it is over already. */
void http_handshake_end(struct http_secure *secure);
/* While others wait, cut those that take too long. */
void http_handshakes_sweep(struct http_server *server, uint64_t now_ms);

/* The server closes: nothing is read any more, and what was said is sent as far as the kernel takes
 * it.  Each counts among the server's handles until it has ended. */
void http_secure_finish_all(struct http_server *server);

/* Callbacks of libmicrohttpd for one request. */
void *http_request_start(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_request_access(void *cls,
                                    struct MHD_Connection *mhd,
                                    const char *url,
                                    const char *method,
                                    const char *version,
                                    const char *data,
                                    size_t *data_bytes,
                                    void **slot);
void http_request_completed(void *cls,
                            struct MHD_Connection *mhd,
                            void **slot,
                            enum MHD_RequestTerminationCode why);
/* The peer closed its side. */
void http_request_gone(struct http_request *req);

#endif
