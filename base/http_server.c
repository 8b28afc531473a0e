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
#include "base/tls_link.h"

enum {
    SWEEP_MS = 1000,
    RUNS_PER_TURN = 8,
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
        http_secure_forget_joining(server);
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

void http_connection_gone(struct http_connection *connection)
{
    if (connection->gone)
        return;
    connection->gone = true;
    if (connection->req != NULL)
        http_request_gone(connection->req);
}

/* libmicrohttpd does not look at a suspended connection.  Each connection is in this set once, for
 * its whole life, edge triggered and for the closing alone: that costs nothing a request. */
static void gone_cb(uv_poll_t *handle, int status, int events)
{
    struct http_server *server = handle->data;
    struct epoll_event gone[GONE_EVENTS];
    int count = epoll_wait(server->gone_fd, gone, GONE_EVENTS, 0);

    for (int i = 0; i < count; i++)
        http_connection_gone(gone[i].data.ptr);
}

static void gone_watch(struct http_connection *connection)
{
    struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET, .data.ptr = connection };
    int fd = http_connection_socket(connection);

    if (fd < 0) {
        connection->gone = true; /* since its first byte was read */
        return;
    }
    /* Without it only on_gone is missing; nothing that is promised rests on that. */
    if (epoll_ctl(connection->server->gone_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        log_event(LOG_WARN, "http_watch_failed", LS("why", strerror(errno)));
}

/* A plain client's socket is closed, and so out of the set, right after its connection's end; the
 * one of a TLS client lives on. */
static void gone_forget(struct http_connection *connection)
{
    int fd = http_connection_socket(connection);

    if (connection->secure != NULL && fd >= 0)
        (void)epoll_ctl(connection->server->gone_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* ---- connections ---- */

int http_connection_socket(const struct http_connection *connection)
{
    if (connection->secure == NULL)
        return connection->fd;
    return connection->secure->link == NULL ? -1 : tls_link_fd(connection->secure->link);
}

void http_connection_shutdown(const struct http_connection *connection)
{
    int fd = http_connection_socket(connection);

    (void)shutdown(connection->fd, SHUT_RDWR);
    if (connection->secure != NULL && fd >= 0)
        (void)shutdown(fd, SHUT_RDWR);
}

/* A connection ends.  One that sent something and never a request is told of; one that sent nothing
 * was somebody's look whether we are there. */
static void note_no_request(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (!connection->first || connection->timed_out || server->closing ||
        !socket_received_anything(http_connection_socket(connection)))
        return;
    if (http_server_may_log(server, &server->heads, "http_no_request"))
        log_event(LOG_INFO, "http_no_request", LS("then", "closed the connection"));
}

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
        connection->secure = http_secure_started(server, connection);
        if (connection->secure != NULL)
            connection->since_ms = connection->secure->since_ms; /* the handshake counts */
        connection->next = server->connections;
        if (connection->next != NULL)
            connection->next->previous = connection;
        server->connections = connection;
        server->connection_count++;
        gone_watch(connection);
        *slot = connection;
        return;
    }
    CHECK(connection->req == NULL);
    note_no_request(connection);
    gone_forget(connection);
    if (connection->secure != NULL)
        http_secure_ended(connection->secure);
    *slot = NULL;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    server->connection_count--;
    http_server_room(server);
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

void http_connection_end(struct http_connection *connection)
{
    connection->timed_out = true;
    http_connection_shutdown(connection);
}

static void connection_cut(struct http_connection *connection, const char *why)
{
    struct http_server *server = connection->server;

    if (http_server_may_log(server, &server->slow, "http_slow_client"))
        log_event(LOG_INFO, "http_slow_client", LS("waited_for", why));
    http_connection_end(connection);
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
    if (req->suspended || !socket_progress(http_connection_socket(connection), &bytes)) {
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

    if (server->connections == NULL && server->secures == NULL && server->adopted == 0) {
        (void)uv_timer_stop(handle); /* until somebody comes */
        return;
    }
    for (struct http_connection *connection = server->connections; connection != NULL;
         connection = connection->next)
        connection_sweep(connection, now_ms);
    http_secure_sweep(server, now_ms);
    /* Its own timeouts are looked at when it runs. */
    http_server_touch(server);
}

void http_server_sweep_begin(struct http_server *server)
{
    if (!uv_is_active((uv_handle_t *)&server->sweep))
        (void)uv_timer_start(&server->sweep, sweep_cb, server->sweep_ms, server->sweep_ms);
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
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max + HTTP_ACCEPTS_PER_TURN,
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
    if (options->handshake_turn_ms < ms)
        ms = options->handshake_turn_ms;
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
    server->connections_given = given.connections_max != 0;
    server->options = (struct http_server_options){
        .connections_max = or_default(given.connections_max, http_server_connections_default(2)),
        .idle_ms = or_default(given.idle_ms, HTTP_IDLE_MS),
        .head_ms = or_default(given.head_ms, HTTP_HEAD_MS),
        .stall_ms = or_default(given.stall_ms, HTTP_STALL_MS),
        .handshakes_max = or_default(given.handshakes_max, HTTP_HANDSHAKES_MAX),
        .handshake_turn_ms = or_default(given.handshake_turn_ms, HTTP_HANDSHAKE_TURN_MS),
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

unsigned http_server_requests(const struct http_server *server)
{
    return server->requests;
}

/* ---- closing ---- */

void http_server_handle_closed(struct http_server *server)
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
    http_server_handle_closed(handle->data);
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
    http_secure_finish_all(server);
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
