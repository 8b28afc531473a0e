/* HTTPS clients of the HTTP server.  The loop's thread.
 *
 * TLS ends here, in front of libmicrohttpd, which serves the plain end of a socket pair: its own
 * TLS turns in circles, at all of a processor, as long as one client's handshake is not complete
 * (both of Debian's versions, with epoll).  The pair is made with the first byte of a request, so
 * who only connects costs one descriptor.  The life of a client:
 *
 *   accepted ─► handshake ─► first byte: joined, a connection ─► answered ─► rest sent ─► ended
 *       └────── alone, head_ms ──────┘                               └── alone, stall_ms ──┘
 *
 * A client that has spoken waits for its turn first, which is not counted: it is us who are slow.
 */
#include "base/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/http_server_internal.h"
#include "base/https.h"
#include "base/log.h"
#include "base/socket_progress.h"
#include "base/tls_link.h"

static void secure_free(struct http_secure *secure)
{
    struct http_server *server = secure->server;

    if (secure->previous != NULL)
        secure->previous->next = secure->next;
    else
        server->secures = secure->next;
    if (secure->next != NULL)
        secure->next->previous = secure->previous;
    CHECK(server->secure_alone > 0);
    server->secure_alone--;
    http_server_room(server);
    free(secure);
    http_server_handle_closed(server);
}

/* The daemon takes its end of a new pair as a connection, the link the other. */
static enum status join(struct http_secure *secure, struct tls_link *link, struct err *err)
{
    static const struct sockaddr nobody = { .sa_family = AF_UNIX };
    int ends[2];
    enum status st;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set_errno(err, ST_LIMIT, errno, "make a socket pair");
    /* The daemon may tell of it at once, or when it runs. */
    secure->inner_fd = ends[0];
    secure->next_joining = secure->server->joining;
    secure->server->joining = secure;
    st = http_server_adopt(secure->server, ends[0], &nobody, sizeof nobody, err);
    if (st != ST_OK) {
        CHECK(secure->server->joining == secure);
        secure->server->joining = secure->next_joining;
        secure->inner_fd = -1;
        (void)close(ends[1]);
        return st;
    }
    secure->joined = true;
    tls_link_join(link, ends[1]);
    return ST_OK;
}

static void first_cb(struct tls_link *link, void *context)
{
    struct http_secure *secure = context;
    struct err err = { 0 };

    if (secure->server->closing) {
        tls_link_cut(link);
        return;
    }
    if (join(secure, link, &err) == ST_OK)
        return;
    log_event(LOG_WARN, "http_accept_failed", LS("why", err.text));
    tls_link_cut(link);
}

static bool hello_cb(void *context)
{
    return http_handshake_begin(context);
}

static void ready_cb(void *context)
{
    http_handshake_end(context);
}

static void passed_cb(void *context)
{
    http_server_touch(((struct http_secure *)context)->server);
}

static void plain_cb(int fd, void *context)
{
    static const char text[] =
        "{\"message\":\"This port speaks HTTPS: the client's endpoint must begin with https://\"}";
    char answer[256];
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
                       "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                       sizeof text - 1, text);

    (void)send(fd, answer, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void closed_cb(enum status outcome, const struct err *why, void *context)
{
    struct http_secure *secure = context;
    struct http_server *server = secure->server;

    secure->link = NULL;
    http_handshake_end(secure);
    if ((outcome == ST_DENIED || outcome == ST_UNSUPPORTED) &&
        http_server_may_log(server, &server->refused, "https_refused"))
        log_event(LOG_INFO, "https_refused", LS("why", why->text));
    if (secure->connection != NULL)
        http_connection_gone(secure->connection); /* libmicrohttpd sees its end of the pair close */
    else
        secure_free(secure);
}

static const struct tls_link_events events = {
    .on_hello = hello_cb,
    .on_ready = ready_cb,
    .on_first = first_cb,
    .on_passed = passed_cb,
    .on_plain = plain_cb,
    .on_closed = closed_cb,
};

void http_secure_accept(struct http_server *server,
                        struct https_certificate *certificate,
                        int fd,
                        const struct sockaddr_storage *peer)
{
    static const int on = 1;
    struct http_secure *secure = must_calloc(1, sizeof *secure);
    const struct tls_link_spec spec = {
        .tls = https_certificate_context(certificate),
        .fd = fd,
        .events = &events,
        .context = secure,
    };
    struct err err = { 0 };
    enum status st;

    secure->server = server;
    secure->peer = *peer;
    secure->inner_fd = -1;
    secure->since_ms = uv_now(server->loop);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    st = tls_link_new(server->loop, &spec, &secure->link, &err);
    https_context_free(spec.tls); /* the link holds it */
    if (st != ST_OK) {
        log_event(LOG_WARN, "http_accept_failed", LS("why", err.text));
        (void)close(fd);
        free(secure);
        return;
    }
    server->handles++;
    server->secure_alone++;
    secure->next = server->secures;
    if (secure->next != NULL)
        secure->next->previous = secure;
    server->secures = secure;
}

struct http_secure *http_secure_started(struct http_server *server,
                                        struct http_connection *connection)
{
    struct http_secure *secure = server->joining;

    while (secure != NULL && secure->inner_fd != connection->fd)
        secure = secure->next_joining;
    if (secure == NULL)
        return NULL;
    CHECK(secure->connection == NULL);
    secure->connection = connection;
    secure->inner_fd = -1;
    server->secure_alone--;
    return secure;
}

void http_secure_forget_joining(struct http_server *server)
{
    for (struct http_secure *secure = server->joining; secure != NULL;
         secure = secure->next_joining)
        secure->inner_fd = -1; /* the number may be another descriptor's by now */
    server->joining = NULL;
}

void http_secure_ended(struct http_secure *secure)
{
    secure->connection = NULL;
    secure->since_ms = uv_now(secure->server->loop);
    secure->server->secure_alone++;
    if (secure->link == NULL)
        secure_free(secure);
    else if (!socket_progress(tls_link_fd(secure->link), &secure->mark_bytes))
        secure->mark_bytes = 0;
}

/* What was said last is sent as long as it moves; then the client has as long to close its side,
 * for closing over what it still sends would take the answer back. */
static void sweep_ended(struct http_secure *secure, uint64_t now_ms)
{
    uint64_t waited_ms = now_ms - secure->since_ms;
    uint64_t bytes = 0;

    if (waited_ms < secure->server->options.stall_ms)
        return;
    if (tls_link_said_bye(secure->link) || !socket_progress(tls_link_fd(secure->link), &bytes) ||
        bytes - secure->mark_bytes < HTTP_RATE_BYTES_MIN * waited_ms / 1000)
        tls_link_cut(secure->link);
    secure->since_ms = now_ms;
    secure->mark_bytes = bytes;
}

static void sweep_one(struct http_secure *secure, uint64_t now_ms)
{
    struct http_server *server = secure->server;

    if (secure->connection != NULL || secure->link == NULL)
        return;
    if (secure->joined) {
        sweep_ended(secure, now_ms);
        return;
    }
    if (secure->handshake == HTTP_HANDSHAKE_WAITING ||
        now_ms - secure->since_ms < server->options.head_ms)
        return;
    if (http_server_may_log(server, &server->slow, "http_slow_client"))
        log_event(LOG_INFO, "http_slow_client", LS("waited_for", "TLS handshake or head"));
    tls_link_cut(secure->link);
}

void http_secure_sweep(struct http_server *server, uint64_t now_ms)
{
    for (struct http_secure *secure = server->secures; secure != NULL; secure = secure->next)
        sweep_one(secure, now_ms);
    http_handshakes_sweep(server, now_ms);
}

struct http_secure *http_secure_oldest(const struct http_server *server)
{
    struct http_secure *oldest = NULL;

    for (struct http_secure *secure = server->secures; secure != NULL; secure = secure->next)
        if (secure->connection == NULL && secure->link != NULL &&
            secure->handshake != HTTP_HANDSHAKE_WAITING &&
            (oldest == NULL || secure->since_ms <= oldest->since_ms))
            oldest = secure;
    return oldest;
}

void http_secure_cut(struct http_secure *secure)
{
    tls_link_cut(secure->link);
}

void http_secure_finish_all(struct http_server *server)
{
    for (struct http_secure *secure = server->secures; secure != NULL; secure = secure->next)
        if (secure->link != NULL)
            tls_link_finish(secure->link);
}
