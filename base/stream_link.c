/* Who makes framed streams: listeners and dialers.  Each owns its streams until their on_gone, and
 * is freed with the last of them.  Everything runs on the thread of the loop. */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/check.h"
#include "base/log.h"
#include "base/stream.h"
#include "base/stream_internal.h"

enum { BACKLOG = 128, REDIAL_MS_MIN = 20, REDIAL_MS_MAX = 1000 };

struct stream_listener {
    uv_tcp_t tcp;
    const struct stream_identity *identity;
    uint32_t service;
    const struct stream_handler *handler;
    stream_accept_fn accepted;
    void *context;
    struct tls_context *tls;
    struct stream *streams;
    unsigned in_flight; /* streams and the socket itself */
};

static void listener_release(struct stream_listener *listener)
{
    if (--listener->in_flight > 0)
        return;
    tls_context_free(listener->tls);
    free(listener);
}

static enum status close_older(struct stream_listener *listener,
                               struct stream *newcomer,
                               struct err *err)
{
    for (struct stream *stream = listener->streams; stream != NULL; stream = stream->next) {
        if (stream == newcomer || !stream->opened ||
            strcmp(stream->peer.node, newcomer->peer.node) != 0)
            continue;
        if (newcomer->peer.epoch < stream->peer.epoch)
            return err_set(err, ST_CONFLICT, "hello: epoch %llu of %s is older than the one in use",
                           (unsigned long long)newcomer->peer.epoch, newcomer->peer.node);
        stream_close(stream);
    }
    return ST_OK;
}

static enum status listener_hello(struct stream *stream, struct err *err)
{
    struct stream_listener *listener = stream->owner_data;
    enum status st = close_older(listener, stream, err);

    if (st != ST_OK)
        return st;
    stream->context = listener->accepted(stream, &stream->peer, listener->context);
    if (stream->context == NULL)
        return err_set(err, ST_DENIED, "node %s (%s) is not expected here", stream->peer.node,
                       stream->peer.role);
    return ST_OK;
}

static void listener_gone(struct stream *stream, enum status why, const struct err *err)
{
    struct stream_listener *listener = stream->owner_data;

    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        listener->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (!stream->opened && why != ST_CANCELLED)
        log_event(LOG_WARN, "stream_refused", LU("service", listener->service),
                  LS("reason", err->text));
    listener_release(listener);
}

static const struct stream_owner listener_owner = { listener_hello, listener_gone };

static void connection_cb(uv_stream_t *server, int rv)
{
    struct stream_listener *listener = server->data;
    struct stream *stream;

    if (rv < 0) {
        log_event(LOG_WARN, "accept_failed", LS("reason", uv_strerror(rv)));
        return;
    }
    stream = stream_new(server->loop, listener->identity, listener->service, listener->tls, false);
    stream->owner = &listener_owner;
    stream->owner_data = listener;
    stream->handler = listener->handler;
    stream->next = listener->streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    listener->streams = stream;
    listener->in_flight++;
    rv = uv_accept(server, (uv_stream_t *)&stream->tcp);
    if (rv < 0)
        stream_close(stream);
    else
        stream_start(stream);
}

static void listener_closed_cb(uv_handle_t *handle)
{
    listener_release(handle->data);
}

enum status stream_listen(uv_loop_t *loop,
                          const char *address,
                          const struct stream_identity *identity,
                          enum stream_service service,
                          const struct stream_handler *handler,
                          stream_accept_fn accepted,
                          void *listener_context,
                          struct stream_listener **out_listener,
                          struct err *err)
{
    struct stream_listener *listener;
    struct sockaddr_storage where;
    enum status st = address_parse(address, &where, err);
    int rv;

    if (st != ST_OK)
        return st;
    listener = must_calloc(1, sizeof *listener);
    listener->identity = identity;
    listener->service = service;
    listener->handler = handler;
    listener->accepted = accepted;
    listener->context = listener_context;
    listener->tls = tls_context_new(identity->key, true);
    listener->in_flight = 1;
    rv = uv_tcp_init(loop, &listener->tcp);
    CHECK(rv == 0);
    listener->tcp.data = listener;
    rv = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&where, 0);
    if (rv == 0)
        rv = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, connection_cb);
    if (rv < 0) {
        uv_close((uv_handle_t *)&listener->tcp, listener_closed_cb);
        return err_set(err, ST_IO, "listen on %s: %s", address, uv_strerror(rv));
    }
    *out_listener = listener;
    return ST_OK;
}

void stream_listener_close(struct stream_listener *listener)
{
    if (listener == NULL)
        return;
    uv_close((uv_handle_t *)&listener->tcp, listener_closed_cb);
    for (struct stream *stream = listener->streams; stream != NULL; stream = stream->next)
        stream_close(stream);
}

struct stream_dialer {
    uv_timer_t timer;
    uv_connect_t connect;
    struct sockaddr_storage where;
    char address[ADDRESS_BYTES_MAX + 1];
    const struct stream_identity *identity;
    uint32_t service;
    const struct stream_handler *handler;
    void *context;
    struct tls_context *tls;
    struct stream *stream; /* connecting or connected */
    uint64_t delay_ms;
    unsigned seed;
    bool closing;
    bool timer_closed;
    char said[ERR_TEXT_BYTES]; /* the last reason that was logged */
};

static void dial_now(struct stream_dialer *dialer);

static void dialer_release(struct stream_dialer *dialer)
{
    if (!dialer->timer_closed || dialer->stream != NULL)
        return;
    tls_context_free(dialer->tls);
    free(dialer);
}

static void redial_cb(uv_timer_t *timer)
{
    dial_now(timer->data);
}

static enum status dialer_hello(struct stream *stream, struct err *err)
{
    struct stream_dialer *dialer = stream->owner_data;

    dialer->delay_ms = REDIAL_MS_MIN;
    dialer->said[0] = '\0';
    return ST_OK;
}

/* A link that stays down for the same reason is said once, not every second. */
static void say_why(struct stream_dialer *dialer, const struct err *err)
{
    if (strcmp(dialer->said, err->text) == 0)
        return;
    (void)strcpy(dialer->said, err->text);
    log_event(LOG_WARN, "link_down", LS("address", dialer->address), LU("service", dialer->service),
              LS("reason", err->text), LS("then", "dialling again"));
}

static void dialer_gone(struct stream *stream, enum status why, const struct err *err)
{
    struct stream_dialer *dialer = stream->owner_data;
    uint64_t jitter;
    int rv;

    dialer->stream = NULL;
    if (dialer->closing) {
        dialer_release(dialer);
        return;
    }
    say_why(dialer, err);
    jitter = (uint64_t)rand_r(&dialer->seed) % (dialer->delay_ms / 2 + 1);
    rv = uv_timer_start(&dialer->timer, redial_cb, dialer->delay_ms + jitter, 0);
    CHECK(rv == 0);
    dialer->delay_ms *= 2;
    if (dialer->delay_ms > REDIAL_MS_MAX)
        dialer->delay_ms = REDIAL_MS_MAX;
}

static const struct stream_owner dialer_owner = { dialer_hello, dialer_gone };

static void connect_cb(uv_connect_t *req, int rv)
{
    struct stream *stream = req->data;
    struct err err;

    if (stream->state == STREAM_CLOSING)
        return;
    if (rv < 0)
        stream_fail(stream, err_set(&err, ST_UNAVAILABLE, "connect: %s", uv_strerror(rv)), &err);
    else
        stream_start(stream);
}

static void dial_now(struct stream_dialer *dialer)
{
    struct stream *stream =
        stream_new(dialer->timer.loop, dialer->identity, dialer->service, dialer->tls, true);
    struct err err;
    int rv;

    stream->owner = &dialer_owner;
    stream->owner_data = dialer;
    stream->handler = dialer->handler;
    stream->context = dialer->context;
    dialer->stream = stream;
    dialer->connect.data = stream;
    rv = uv_tcp_connect(&dialer->connect, &stream->tcp, (const struct sockaddr *)&dialer->where,
                        connect_cb);
    if (rv < 0)
        stream_fail(stream, err_set(&err, ST_UNAVAILABLE, "connect: %s", uv_strerror(rv)), &err);
}

enum status stream_dial(uv_loop_t *loop,
                        const char *address,
                        const struct stream_identity *identity,
                        enum stream_service service,
                        const struct stream_handler *handler,
                        void *context,
                        struct stream_dialer **out_dialer,
                        struct err *err)
{
    struct stream_dialer *dialer;
    struct sockaddr_storage where;
    enum status st = address_parse(address, &where, err);
    int rv;

    if (st != ST_OK)
        return st;
    dialer = must_calloc(1, sizeof *dialer);
    dialer->where = where;
    (void)strcpy(dialer->address, address); /* address_parse checked its length */
    dialer->identity = identity;
    dialer->service = service;
    dialer->handler = handler;
    dialer->context = context;
    dialer->tls = tls_context_new(identity->key, false);
    dialer->delay_ms = REDIAL_MS_MIN;
    dialer->seed = (unsigned)uv_hrtime();
    rv = uv_timer_init(loop, &dialer->timer);
    CHECK(rv == 0);
    dialer->timer.data = dialer;
    dial_now(dialer);
    *out_dialer = dialer;
    return ST_OK;
}

struct stream *stream_dialer_current(const struct stream_dialer *dialer)
{
    if (dialer->stream == NULL || dialer->stream->state != STREAM_OPEN)
        return NULL;
    return dialer->stream;
}

static void timer_closed_cb(uv_handle_t *handle)
{
    struct stream_dialer *dialer = handle->data;

    dialer->timer_closed = true;
    dialer_release(dialer);
}

void stream_dialer_close(struct stream_dialer *dialer)
{
    if (dialer == NULL || dialer->closing)
        return;
    dialer->closing = true;
    if (dialer->stream != NULL)
        stream_close(dialer->stream);
    uv_close((uv_handle_t *)&dialer->timer, timer_closed_cb);
}
