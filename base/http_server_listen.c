/* Where clients come in: listening sockets, accepting, and a table that is full.  The loop's
 * thread.
 *
 * We accept ourselves: one daemon serves any number of listening sockets, plain ones and HTTPS. */
#include "base/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/descriptors.h"
#include "base/http_server_internal.h"
#include "base/log.h"

enum { ACCEPT_PAUSE_MS = 100, LISTEN_BACKLOG = 1024 };

/* ---- accepting ---- */

static void accept_cb(uv_poll_t *handle, int status, int events);

static void accept_set(struct http_server *server, bool accepting)
{
    server->accepting = accepting;
    server->room_wanted = false;
    for (struct http_listener *listener = server->listeners; listener != NULL;
         listener = listener->next) {
        if (accepting)
            (void)uv_poll_start(&listener->poll, UV_READABLE, accept_cb);
        else
            (void)uv_poll_stop(&listener->poll);
    }
}

static void pause_cb(uv_timer_t *handle)
{
    accept_set(handle->data, true);
}

/* New clients wait in the kernel's queue meanwhile. */
static void accept_pause(struct http_server *server)
{
    accept_set(server, false);
    (void)uv_timer_start(&server->pause, pause_cb, ACCEPT_PAUSE_MS, 0);
}

static unsigned clients(const struct http_server *server)
{
    return server->connection_count + server->adopted + server->secure_alone;
}

void http_server_load(const struct http_server *server, struct http_server_load *out)
{
    *out = (struct http_server_load){
        .connections = clients(server),
        .handshakes = server->handshakes.under_way,
        .handshakes_waiting = server->handshakes.waiting,
        .handshakes_cut = server->handshakes.cut,
    };
}

/* The connection without a request that has waited for longest. */
static struct http_connection *oldest_idle(const struct http_server *server)
{
    struct http_connection *oldest = NULL;

    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = connection->next) {
        if (connection->req != NULL || connection->timed_out)
            continue;
        /* Of the same millisecond it is the one further down: the list begins with the newest. */
        if (oldest == NULL || connection->since_ms <= oldest->since_ms)
            oldest = connection;
    }
    return oldest;
}

/* The table is full: who has been idle for longest makes room. */
static void make_room(struct http_server *server)
{
    struct http_connection *oldest = oldest_idle(server);
    struct http_secure *alone = http_secure_oldest(server);
    bool found = oldest != NULL || alone != NULL;

    if (http_server_may_log(server, &server->full, "http_connections_full"))
        log_event(LOG_WARN, "http_connections_full", LU("limit", server->options.connections_max),
                  LS("then", found ? "closing the one idle longest" : "waiting"));
    if (alone != NULL && (oldest == NULL || alone->since_ms <= oldest->since_ms))
        http_secure_cut(alone);
    else if (oldest != NULL)
        http_connection_end(oldest);
    accept_pause(server);
    server->room_wanted = true;
}

enum status http_server_adopt(struct http_server *server,
                              int fd,
                              const struct sockaddr *peer,
                              socklen_t peer_bytes,
                              struct err *err)
{
    static const int on = 1;

    /* Fails on a socket that is not TCP, which has nothing to delay. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    server->adopted++;
    if (MHD_add_connection(server->daemon, fd, peer, peer_bytes) == MHD_NO) {
        server->adopted--;
        return err_set_errno(err, ST_LIMIT, errno, "add a connection");
    }
    http_server_touch(server);
    return ST_OK;
}

static void take_client(struct http_listener *listener,
                        int fd,
                        const struct sockaddr_storage *peer,
                        socklen_t peer_bytes)
{
    struct err err = { 0 };

    http_server_sweep_begin(listener->server);
    if (listener->certificate != NULL)
        http_secure_accept(listener->server, listener->certificate, fd, peer);
    else if (http_server_adopt(listener->server, fd, (const struct sockaddr *)peer, peer_bytes,
                               &err) != ST_OK)
        log_event(LOG_WARN, "http_accept_failed", LS("why", err.text));
}

static void accept_cb(uv_poll_t *handle, int status, int events)
{
    struct http_listener *listener = handle->data;
    struct http_server *server = listener->server;

    for (int i = 0; i < HTTP_ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = { 0 };
        socklen_t len = sizeof peer;
        int fd;

        /* Only the first round knows that somebody waits; if more do, we are called again. */
        if (clients(server) >= server->options.connections_max) {
            if (i == 0)
                make_room(server);
            return;
        }
        fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            log_event(LOG_WARN, "http_accept_paused", LS("why", strerror(errno)));
            accept_pause(server);
            return;
        }
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            continue; /* the client was gone before we looked */
        take_client(listener, fd, &peer, len);
    }
}

/* Whoever waits for room need not wait for the end of the pause.  When strangers fill the table as
 * fast as they can, each new client still costs an idle one its place, at once. */
void http_server_room(struct http_server *server)
{
    if (server->room_wanted && !server->closing)
        accept_set(server, true);
}

/* ---- listening ---- */

/* Half of the descriptors: a request may need one more for what it is passed on to. */
unsigned http_server_connections_default(unsigned descriptors_each)
{
    unsigned fit = descriptors_max() / descriptors_each;

    return fit < HTTP_CONNECTIONS_MAX ? fit : HTTP_CONNECTIONS_MAX;
}

static enum status listen_on(struct http_server *server,
                             struct https_certificate *certificate,
                             int fd,
                             struct err *err)
{
    struct http_listener *listener = must_calloc(1, sizeof *listener);
    int rv;

    CHECK(!server->closing);
    listener->server = server;
    listener->certificate = certificate;
    listener->fd = fd;
    rv = uv_poll_init(server->loop, &listener->poll, fd); /* makes it non-blocking, too */
    if (rv != 0) {
        free(listener);
        return err_set(err, ST_IO, "poll a listening socket: %s", uv_strerror(rv));
    }
    /* A TLS client has two more descriptors, for the plain connection behind it. */
    if (certificate != NULL && !server->connections_given)
        server->options.connections_max = http_server_connections_default(4);
    listener->poll.data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    server->handles++;
    if (server->accepting)
        (void)uv_poll_start(&listener->poll, UV_READABLE, accept_cb);
    return ST_OK;
}

enum status http_server_listen_fd(struct http_server *server, int fd, struct err *err)
{
    return listen_on(server, NULL, fd, err);
}

/* A socket bound to `address` and listening, or -1 with errno set. */
static int listening_socket(const struct sockaddr_storage *address, bool share_port)
{
    static const int on = 1;
    bool v6 = address->ss_family == AF_INET6;
    socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int kept;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (!share_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
        (!v6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)address, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    kept = errno;
    (void)close(fd);
    errno = kept;
    return -1;
}

static enum status listen_at(struct http_server *server,
                             struct https_certificate *certificate,
                             const char *address,
                             bool share_port,
                             struct err *err)
{
    struct sockaddr_storage parsed;
    enum status st = address_parse(address, &parsed, err);
    int fd;

    if (st != ST_OK)
        return st;
    fd = listening_socket(&parsed, share_port);
    if (fd < 0 && errno == EADDRINUSE)
        return err_set(err, ST_EXISTS, "listen on %s: the port is in use", address);
    if (fd < 0 && errno == EACCES)
        return err_set(err, ST_DENIED, "listen on %s: ports below 1024 need root", address);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "listen on %s", address);
    st = listen_on(server, certificate, fd, err);
    if (st != ST_OK)
        (void)close(fd);
    return st;
}

enum status http_server_listen(struct http_server *server,
                               const char *address,
                               bool share_port,
                               struct err *err)
{
    return listen_at(server, NULL, address, share_port, err);
}

enum status http_server_listen_https(struct http_server *server,
                                     struct https_certificate *certificate,
                                     const char *address,
                                     bool share_port,
                                     struct err *err)
{
    CHECK(certificate != NULL);
    return listen_at(server, certificate, address, share_port, err);
}

enum status http_server_add(struct http_server *server, int fd, struct err *err)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t len = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || len < sizeof peer.ss_family)
        len = sizeof(struct sockaddr);
    http_server_sweep_begin(server);
    return http_server_adopt(server, fd, (struct sockaddr *)&peer, len, err);
}

unsigned http_server_port(const struct http_server *server)
{
    const struct http_listener *first = server->listeners;
    struct sockaddr_storage bound = { 0 };
    socklen_t len = sizeof bound;

    CHECK(first != NULL);
    while (first->next != NULL)
        first = first->next;
    if (getsockname(first->fd, (struct sockaddr *)&bound, &len) < 0)
        return 0;
    if (bound.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
    return ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

static void listener_close_cb(uv_handle_t *handle)
{
    struct http_listener *listener = handle->data;
    struct http_server *server = listener->server;

    free(listener);
    http_server_handle_closed(server);
}

void http_server_stop_listening(struct http_server *server)
{
    while (server->listeners != NULL) {
        struct http_listener *listener = server->listeners;

        server->listeners = listener->next;
        (void)uv_poll_stop(&listener->poll);
        (void)close(listener->fd);
        uv_close((uv_handle_t *)&listener->poll, listener_close_cb);
    }
}
