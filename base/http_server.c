/* Sockets, loop and limits of the HTTP server.  The loop's thread.
 *
 * libmicrohttpd never polls here: its epoll set is one more descriptor of our loop, and it is run
 * at most twice a turn of the loop (before it sleeps, after it woke), so that all answers of a turn
 * leave together and no callback of ours runs inside another.  We accept ourselves: one daemon
 * serves any number of listening sockets, and what it does badly or not at all (a full table, no
 * descriptors left, slow clients, clients that went while their request was suspended) is done
 * here. */
#include "base/http_server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/descriptors.h"
#include "base/http_server_internal.h"
#include "base/log.h"
#include "base/socket_progress.h"

enum {
    SWEEP_MS = 1000,
    ACCEPT_PAUSE_MS = 100,
    ACCEPTS_PER_TURN = 32,
    RUNS_PER_TURN = 8,
    LISTEN_BACKLOG = 1024,
    GONE_EVENTS = 64,
    /* Heads are checked against HTTP_HEAD_BYTES_MAX by us; what libmicrohttpd needs beside them are
     * its own records of the fields and the head of the answer.  It clears all of this after each
     * request: with twice as much that was the largest single cost of a warm invocation. */
    CONNECTION_BYTES = 2 * HTTP_HEAD_BYTES_MAX,
    CONNECTION_INCREMENT_BYTES = 8192,
};

/* ---- running the daemon ---- */

void http_server_touch(struct http_server *server)
{
    server->dirty = true;
}

static void again_cb(uv_idle_t *handle)
{
    (void)uv_idle_stop(handle);
}

static bool daemon_is_pending(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;

    return MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

static void server_run(struct http_server *server)
{
    int left = RUNS_PER_TURN;

    if (!server->dirty || server->running || server->daemon == NULL)
        return;
    server->running = true;
    do {
        server->dirty = false;
        (void)MHD_run(server->daemon);
        server->adopted = 0; /* it has told of all that it kept */
        if (daemon_is_pending(server))
            server->dirty = true;
    } while (server->dirty && --left > 0);
    server->running = false;
    /* Others of this loop get their turn; then we go on. */
    if (server->dirty)
        (void)uv_idle_start(&server->again, again_cb);
}

static void before_cb(uv_prepare_t *handle)
{
    server_run(handle->data);
}

static void after_cb(uv_check_t *handle)
{
    server_run(handle->data);
}

static void poll_cb(uv_poll_t *handle, int status, int events)
{
    http_server_touch(handle->data);
}

/* ---- clients that closed while nobody was reading from them ---- */

/* libmicrohttpd does not look at a suspended connection.  Each connection is in this set once, for
 * its whole life, edge triggered and for the closing alone: that costs nothing a request. */
static void gone_cb(uv_poll_t *handle, int status, int events)
{
    struct http_server *server = handle->data;
    struct epoll_event gone[GONE_EVENTS];
    int count = epoll_wait(server->gone_fd, gone, GONE_EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct http_connection *connection = gone[i].data.ptr;

        if (connection->gone)
            continue;
        connection->gone = true;
        if (connection->req != NULL)
            http_request_gone(connection->req);
    }
}

static void gone_watch(struct http_connection *connection)
{
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET, .data.ptr = connection };

    /* Without it only on_gone is missing; nothing that is promised rests on that. */
    if (epoll_ctl(connection->server->gone_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        log_event(LOG_WARN, "http_watch_failed", LS("why", strerror(errno)));
}

/* ---- connections ---- */

/* A connection ends.  One that sent something and never a request is told of; one that sent nothing
 * was somebody's look whether we are there. */
static void note_no_request(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (!connection->first || connection->timed_out || server->closing ||
        !socket_received_anything(connection->fd))
        return;
    if (http_server_may_log(server, &server->heads, "http_no_request"))
        log_event(LOG_INFO, "http_no_request", LS("then", "closed the connection"));
}

static void sweep_cb(uv_timer_t *handle);
static void accept_set(struct http_server *server, bool accepting);

static void connection_cb(void *cls,
                          struct MHD_Connection *mhd,
                          void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = cls;
    struct http_connection *connection = *slot;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        CHECK(info != NULL);
        if (server->adopted > 0)
            server->adopted--;
        connection = must_calloc(1, sizeof *connection);
        connection->server = server;
        connection->mhd = mhd;
        connection->fd = info->connect_fd;
        connection->first = true;
        connection->since_ms = uv_now(server->loop);
        connection->next = server->connections;
        if (connection->next != NULL)
            connection->next->previous = connection;
        server->connections = connection;
        if (server->connection_count++ == 0)
            (void)uv_timer_start(&server->sweep, sweep_cb, server->sweep_ms, server->sweep_ms);
        gone_watch(connection);
        *slot = connection;
        return;
    }
    CHECK(connection->req == NULL);
    note_no_request(connection);
    *slot = NULL;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (--server->connection_count == 0)
        (void)uv_timer_stop(&server->sweep);
    /* Whoever waits for room need not wait for the end of the pause.  When strangers fill the table
     * as fast as they can, each new client still costs an idle one its place, at once. */
    if (server->room_wanted && !server->closing)
        accept_set(server, true);
    free(connection);
}

bool http_server_may_log(struct http_server *server, struct log_limit *limit, const char *event)
{
    uint32_t left_out;

    if (!log_limit_allows(limit, uv_now(server->loop), &left_out))
        return false;
    if (left_out > 0)
        log_event(LOG_WARN, "lines_left_out", LS("event", event), LU("count", left_out));
    return true;
}

static void connection_end(struct http_connection *connection)
{
    connection->timed_out = true;
    /* libmicrohttpd finds the socket closed and does the rest. */
    (void)shutdown(connection->fd, SHUT_RDWR);
}

static void connection_cut(struct http_connection *connection, const char *why)
{
    struct http_server *server = connection->server;

    if (http_server_may_log(server, &server->slow, "http_slow_client"))
        log_event(LOG_INFO, "http_slow_client", LS("waited_for", why));
    connection_end(connection);
}

static void connection_sweep(struct http_connection *connection, uint64_t now_ms)
{
    const struct http_server_options *options = &connection->server->options;
    const struct http_request *req = connection->req;
    uint64_t bytes = 0;

    if (connection->timed_out)
        return;
    if (req == NULL || !req->head_read) {
        unsigned limit_ms = connection->first ? options->head_ms : options->idle_ms;

        if (now_ms - connection->since_ms >= limit_ms)
            connection_cut(connection, "head");
        return;
    }
    /* Suspended: it is us who are slow. */
    if (req->suspended || !socket_progress(connection->fd, &bytes)) {
        connection->mark_ms = 0;
        return;
    }
    if (connection->mark_ms == 0) {
        connection->mark_ms = now_ms;
        connection->mark_bytes = bytes;
        return;
    }
    if (now_ms - connection->mark_ms < options->stall_ms)
        return;
    if (bytes - connection->mark_bytes <
        (uint64_t)HTTP_RATE_BYTES_MIN * (now_ms - connection->mark_ms) / 1000)
        connection_cut(connection, req->queued ? "answer" : "body");
    connection->mark_ms = now_ms;
    connection->mark_bytes = bytes;
}

static void sweep_cb(uv_timer_t *handle)
{
    struct http_server *server = handle->data;
    uint64_t now_ms = uv_now(server->loop);

    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = connection->next)
        connection_sweep(connection, now_ms);
    /* Its own timeouts are looked at when it runs. */
    http_server_touch(server);
}

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

/* The table is full: the connection that has been idle for longest makes room. */
static void make_room(struct http_server *server)
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
    if (http_server_may_log(server, &server->full, "http_connections_full"))
        log_event(LOG_WARN, "http_connections_full", LU("limit", server->options.connections_max),
                  LS("then", oldest == NULL ? "waiting" : "closing the one idle longest"));
    if (oldest != NULL)
        connection_end(oldest);
    accept_pause(server);
    server->room_wanted = true;
}

static enum status adopt(struct http_server *server,
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

static void accept_cb(uv_poll_t *handle, int status, int events)
{
    struct http_listener *listener = handle->data;
    struct http_server *server = listener->server;

    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = { 0 };
        socklen_t len = sizeof peer;
        struct err err = { 0 };
        int fd;

        /* Only the first round knows that somebody waits; if more do, we are called again. */
        if (server->connection_count + server->adopted >= server->options.connections_max) {
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
        if (adopt(server, fd, (struct sockaddr *)&peer, len, &err) != ST_OK)
            log_event(LOG_WARN, "http_accept_failed", LS("why", err.text));
    }
}

/* ---- the server ---- */

static void library_log(void *cls, const char *format, va_list args)
{
    struct http_server *server = cls;
    char text[200];
    unsigned status = 0;

    (void)vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    /* Heads that it refuses by itself, with a page of its own, are told of here alone. */
    if (sscanf(text, "Error processing request (HTTP response code is %u", &status) != 1)
        log_event(LOG_DEBUG, "http_library", LS("text", text));
    else if (http_server_may_log(server, &server->heads, "http_head_refused"))
        log_event(LOG_INFO, "http_head_refused", LU("status", status));
}

/* Targets are decoded by who knows their rules, from what was sent. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    return strlen(text);
}

static void handle_opened(struct http_server *server, void *handle, int rv)
{
    CHECK(rv == 0); /* none of these can fail on a live loop with an open descriptor */
    ((uv_handle_t *)handle)->data = server;
    server->handles++;
}

static void handles_open(struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_loop_t *loop = server->loop;

    CHECK(info != NULL);
    handle_opened(server, &server->poll, uv_poll_init(loop, &server->poll, info->epoll_fd));
    handle_opened(server, &server->gone_poll,
                  uv_poll_init(loop, &server->gone_poll, server->gone_fd));
    handle_opened(server, &server->before, uv_prepare_init(loop, &server->before));
    handle_opened(server, &server->after, uv_check_init(loop, &server->after));
    handle_opened(server, &server->again, uv_idle_init(loop, &server->again));
    handle_opened(server, &server->sweep, uv_timer_init(loop, &server->sweep));
    handle_opened(server, &server->pause, uv_timer_init(loop, &server->pause));
    (void)uv_poll_start(&server->poll, UV_READABLE, poll_cb);
    (void)uv_poll_start(&server->gone_poll, UV_READABLE, gone_cb);
    (void)uv_prepare_start(&server->before, before_cb);
    (void)uv_check_start(&server->after, after_cb);
}

static struct MHD_Daemon *daemon_start(struct http_server *server)
{
    const struct http_server_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_request_access, server, MHD_OPTION_EXTERNAL_LOGGER, library_log,
        server, MHD_OPTION_NOTIFY_COMPLETED, http_request_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, connection_cb, server, MHD_OPTION_URI_LOG_CALLBACK,
        http_request_start, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max + ACCEPTS_PER_TURN,
        MHD_OPTION_CONNECTION_TIMEOUT, (options->idle_ms + 999) / 1000 + 1,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)CONNECTION_INCREMENT_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, (int)1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, (int)1,
        MHD_OPTION_END);
}

static unsigned or_default(unsigned value, unsigned fallback)
{
    return value == 0 ? fallback : value;
}

/* Half of the descriptors: a request may need one more for what it is passed on to. */
static unsigned connections_default(void)
{
    unsigned half = descriptors_max() / 2;

    return half < HTTP_CONNECTIONS_MAX ? half : HTTP_CONNECTIONS_MAX;
}

/* Often enough for the shortest limit. */
static unsigned sweep_interval(const struct http_server_options *options)
{
    unsigned ms = SWEEP_MS;

    if (options->head_ms < ms)
        ms = options->head_ms;
    if (options->idle_ms < ms)
        ms = options->idle_ms;
    if (options->stall_ms < ms)
        ms = options->stall_ms;
    return ms;
}

enum status http_server_new(uv_loop_t *loop,
                            const struct http_server_options *options,
                            const struct http_handler *handler,
                            void *context,
                            struct http_server **out,
                            struct err *err)
{
    struct http_server *server = must_calloc(1, sizeof *server);
    struct http_server_options given = { 0 };

    CHECK(handler->on_request != NULL && handler->on_body_end != NULL && handler->on_done != NULL);
    if (options != NULL)
        given = *options;
    server->loop = loop;
    server->handler = handler;
    server->context = context;
    server->accepting = true;
    server->options = (struct http_server_options){
        .connections_max = or_default(given.connections_max, connections_default()),
        .idle_ms = or_default(given.idle_ms, HTTP_IDLE_MS),
        .head_ms = or_default(given.head_ms, HTTP_HEAD_MS),
        .stall_ms = or_default(given.stall_ms, HTTP_STALL_MS),
    };
    server->sweep_ms = sweep_interval(&server->options);
    server->gone_fd = epoll_create1(EPOLL_CLOEXEC);
    if (server->gone_fd < 0) {
        free(server);
        return err_set_errno(err, ST_IO, errno, "start HTTP server");
    }
    /* sendfile() has no flag to refuse the signal, and we have told libmicrohttpd that it is off.
     */
    (void)signal(SIGPIPE, SIG_IGN);
    server->daemon = daemon_start(server);
    if (server->daemon == NULL) {
        enum status st = err_set_errno(err, ST_IO, errno, "start HTTP server");

        (void)close(server->gone_fd);
        free(server);
        return st;
    }
    handles_open(server);
    *out = server;
    return ST_OK;
}

enum status http_server_listen_fd(struct http_server *server, int fd, struct err *err)
{
    struct http_listener *listener = must_calloc(1, sizeof *listener);
    int rv;

    CHECK(!server->closing);
    listener->server = server;
    listener->fd = fd;
    rv = uv_poll_init(server->loop, &listener->poll, fd); /* makes it non-blocking, too */
    if (rv != 0) {
        free(listener);
        return err_set(err, ST_IO, "poll a listening socket: %s", uv_strerror(rv));
    }
    listener->poll.data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    server->handles++;
    if (server->accepting)
        (void)uv_poll_start(&listener->poll, UV_READABLE, accept_cb);
    return ST_OK;
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

enum status http_server_listen(struct http_server *server,
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
    st = http_server_listen_fd(server, fd, err);
    if (st != ST_OK)
        (void)close(fd);
    return st;
}

enum status http_server_add(struct http_server *server, int fd, struct err *err)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t len = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || len < sizeof peer.ss_family)
        len = sizeof(struct sockaddr);
    return adopt(server, fd, (struct sockaddr *)&peer, len, err);
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

unsigned http_server_requests(const struct http_server *server)
{
    return server->requests;
}

/* ---- closing ---- */

static void handle_closed(struct http_server *server)
{
    void (*closed)(void *context) = server->closed;
    void *context = server->context;

    CHECK(server->handles > 0);
    if (--server->handles > 0 || !server->closing)
        return;
    (void)close(server->gone_fd);
    free(server);
    if (closed != NULL)
        closed(context);
}

static void close_cb(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

static void listener_close_cb(uv_handle_t *handle)
{
    struct http_listener *listener = handle->data;
    struct http_server *server = listener->server;

    free(listener);
    handle_closed(server);
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

/* libmicrohttpd must not be stopped with suspended connections: wake them all, and let each end as
 * it is asked for its next step. */
static void stop_cb(uv_timer_t *handle)
{
    struct http_server *server = handle->data;
    uv_handle_t *const handles[] = {
        (uv_handle_t *)&server->poll,   (uv_handle_t *)&server->gone_poll,
        (uv_handle_t *)&server->before, (uv_handle_t *)&server->after,
        (uv_handle_t *)&server->again,  (uv_handle_t *)&server->sweep,
        (uv_handle_t *)&server->pause,
    };

    CHECK(!server->running);
    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = connection->next) {
        if (connection->req != NULL && connection->req->suspended) {
            connection->req->suspended = false;
            MHD_resume_connection(connection->mhd);
        }
    }
    server->running = true;
    (void)MHD_run(server->daemon);
    (void)uv_poll_stop(&server->poll); /* before its descriptor is closed */
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    server->running = false;
    CHECK(server->connection_count == 0 && server->requests == 0);
    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], close_cb);
}

void http_server_close(struct http_server *server, void (*closed)(void *context))
{
    CHECK(!server->closing);
    server->closing = true;
    server->closed = closed;
    http_server_stop_listening(server);
    (void)uv_timer_start(&server->pause, stop_cb, 0, 0);
}
