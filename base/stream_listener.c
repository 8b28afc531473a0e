/* Who accepts framed streams.  A listener owns its streams until their on_gone, and is freed with
 * the last of them.  Everything runs on the thread of the loop. */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/check.h"
#include "base/log.h"
#include "base/refusal_rules.h"
#include "base/stream.h"
#include "base/stream_internal.h"

enum { BACKLOG = 128 };

struct stream_listener {
    uv_tcp_t tcp;
    const struct stream_identity *identity;
    uint32_t service;
    const struct stream_handler *handler;
    stream_accept_fn accepted;
    void *context;
    struct stream *streams;
    unsigned in_flight; /* streams and the socket itself */
    struct refusals refusals;
};

static void listener_release(struct stream_listener *listener)
{
    if (--listener->in_flight > 0)
        return;
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
            return err_set(err, ST_CONFLICT,
                           "a process that started later is connected as %s: do two run as it?",
                           newcomer->peer.node);
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

/* Refused by us, or lost before its hello; what we closed ourselves is neither. */
static void say_refusal(struct stream_listener *listener,
                        const struct stream *stream,
                        const struct err *err)
{
    uint64_t now_ms = uv_now(listener->tcp.loop);
    uint32_t left_out;

    if (!refusal_is_said(&listener->refusals, stream->address, err->text, now_ms, &left_out))
        return;
    log_event(LOG_WARN, "stream_refused", LU("service", listener->service),
              LS("peer", stream->address), LS("reason", err->text), LU("left_out", left_out));
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
        say_refusal(listener, stream, err);
    listener_release(listener);
}

static const struct stream_owner listener_owner = { listener_hello, listener_gone };

/* Without the port, which is another each time. */
static void note_address(struct stream *stream)
{
    struct sockaddr_storage peer = { 0 };
    int len = sizeof peer;

    (void)strcpy(stream->address, "unknown");
    if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&peer, &len) == 0)
        (void)uv_ip_name((const struct sockaddr *)&peer, stream->address, sizeof stream->address);
}

/* Each costs 100 kB until it has shown its certificate or HANDSHAKE_MS are over.  The oldest goes:
 * of those that never speak there are many, and who has a certificate needs milliseconds. */
static void make_room(struct stream_listener *listener)
{
    struct stream *oldest = NULL; /* the newest is first in the list */
    unsigned count = 0;
    struct err err;

    for (struct stream *stream = listener->streams; stream != NULL; stream = stream->next) {
        if (stream->opened || stream->state == STREAM_CLOSING)
            continue;
        oldest = stream;
        count++;
    }
    if (count < STREAM_HANDSHAKES_MAX)
        return;
    stream_fail(oldest,
                err_set(&err, ST_LIMIT, "more than %d handshakes at once: this was the oldest",
                        STREAM_HANDSHAKES_MAX),
                &err);
}

static void connection_cb(uv_stream_t *server, int rv)
{
    struct stream_listener *listener = server->data;
    struct stream *stream;

    if (rv < 0) {
        log_event(LOG_WARN, "accept_failed", LS("reason", uv_strerror(rv)));
        return;
    }
    make_room(listener);
    stream = stream_new(server->loop, listener->identity, listener->service, false, NULL);
    stream->owner = &listener_owner;
    stream->owner_data = listener;
    stream->handler = listener->handler;
    stream->next = listener->streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    listener->streams = stream;
    listener->in_flight++;
    rv = uv_accept(server, (uv_stream_t *)&stream->tcp);
    if (rv < 0) {
        stream_close(stream);
        return;
    }
    note_address(stream);
    stream_start(stream);
}

static void listener_closed_cb(uv_handle_t *handle)
{
    listener_release(handle->data);
}

enum status stream_listen(uv_loop_t *loop,
                          const struct stream_listen_options *options,
                          struct stream_listener **out_listener,
                          struct err *err)
{
    struct stream_listener *listener;
    struct sockaddr_storage where;
    enum status st = address_parse(options->address, &where, err);
    int rv;

    if (st != ST_OK)
        return st;
    listener = must_calloc(1, sizeof *listener);
    listener->identity = options->identity;
    listener->service = options->service;
    listener->handler = options->handler;
    listener->accepted = options->accepted;
    listener->context = options->context;
    listener->in_flight = 1;
    rv = uv_tcp_init(loop, &listener->tcp);
    CHECK(rv == 0);
    listener->tcp.data = listener;
    rv = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&where, 0);
    if (rv == 0)
        rv = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, connection_cb);
    if (rv < 0) {
        uv_close((uv_handle_t *)&listener->tcp, listener_closed_cb);
        return err_set(err, ST_IO, "listen on %s: %s", options->address, uv_strerror(rv));
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
