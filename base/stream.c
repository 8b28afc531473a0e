/* One connection of a framed stream: handshake, hello, frames in and out.  Owned by itself once
 * started; everything runs on the thread of its loop. */
#include "base/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/link_rules.h"
#include "base/stream_internal.h"

enum {
    FRAME_HEADER_BYTES = 8,
    FRAME_HELLO = 0xffff,
    FRAME_REFUSED = 0xfffe, /* in place of a listener's hello: a text that says why */
    HANDSHAKE_MS = 5000,
    /* A peer whose kernel has not answered for so long is gone, whatever TCP still hopes. */
    PEER_SILENT_MS = 10000,
};

struct write {
    uv_write_t req;
    struct stream *stream;
    struct buf data;
};

static void handle_closed_cb(uv_handle_t *handle)
{
    struct stream *stream = handle->data;

    if (--stream->handles > 0)
        return;
    if (stream->opened)
        tls_peers_remove(stream->identity->tls, &stream->standing);
    if (stream->opened)
        stream->handler->on_close(stream, stream->why, &stream->err, stream->context);
    stream->owner->on_gone(stream, stream->why, &stream->err);
    tls_session_free(stream->tls);
    buf_done(&stream->in);
    buf_done(&stream->out);
    buf_done(&stream->wire);
    free(stream);
}

void stream_fail(struct stream *stream, enum status why, const struct err *err)
{
    if (stream->state == STREAM_CLOSING)
        return;
    stream->state = STREAM_CLOSING;
    stream->why = why;
    if (err != NULL)
        stream->err = *err;
    uv_close((uv_handle_t *)&stream->tcp, handle_closed_cb);
    uv_close((uv_handle_t *)&stream->deadline, handle_closed_cb);
    uv_close((uv_handle_t *)&stream->before, handle_closed_cb);
    uv_close((uv_handle_t *)&stream->after, handle_closed_cb);
}

void stream_close(struct stream *stream)
{
    struct err err;

    (void)err_set(&err, ST_CANCELLED, "closed by this side");
    stream_fail(stream, ST_CANCELLED, &err);
}

static void fail_uv(struct stream *stream, const char *operation, int rv)
{
    struct err err;
    enum status st = err_set(&err, ST_IO, "%s: %s", operation, uv_strerror(rv));

    stream_fail(stream, st, &err);
}

size_t stream_queued_bytes(const struct stream *stream)
{
    return stream->out.len + stream->wire.len +
           uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp);
}

static void drained(struct stream *stream)
{
    if (!stream->choked || stream->state != STREAM_OPEN ||
        stream_queued_bytes(stream) > STREAM_QUEUE_BYTES_MAX / 2)
        return;
    stream->choked = false;
    if (stream->handler->on_drain != NULL)
        stream->handler->on_drain(stream, stream->context);
}

static void write_cb(uv_write_t *req, int rv)
{
    struct write *write = container_of(req, struct write, req);
    struct stream *stream = write->stream;

    buf_done(&write->data);
    free(write);
    if (rv < 0)
        fail_uv(stream, "write", rv);
    else
        drained(stream);
}

/* Give `wire` to the kernel: what it takes at once is not copied again. */
static void write_wire(struct stream *stream)
{
    uv_buf_t piece = uv_buf_init((char *)stream->wire.data, (unsigned)stream->wire.len);
    struct write *write;
    int rv;

    if (stream->wire.len == 0 || stream->state == STREAM_CLOSING)
        return;
    rv = uv_try_write((uv_stream_t *)&stream->tcp, &piece, 1);
    if (rv == (int)stream->wire.len) {
        stream->wire.len = 0;
        return;
    }
    if (rv > 0)
        buf_consume(&stream->wire, (size_t)rv);
    else if (rv < 0 && rv != UV_EAGAIN) {
        fail_uv(stream, "write", rv);
        return;
    }
    write = must_calloc(1, sizeof *write);
    write->stream = stream;
    write->data = stream->wire;
    stream->wire = (struct buf){ 0 };
    piece = uv_buf_init((char *)write->data.data, (unsigned)write->data.len);
    rv = uv_write(&write->req, (uv_stream_t *)&stream->tcp, &piece, 1, write_cb);
    if (rv < 0) {
        buf_done(&write->data);
        free(write);
        fail_uv(stream, "write", rv);
    }
}

static void flush(struct stream *stream)
{
    struct err err;
    enum status st;

    if (stream->flushing) {
        stream->flushing = false;
        (void)uv_prepare_stop(&stream->before);
        (void)uv_check_stop(&stream->after);
    }
    if (stream->state == STREAM_CLOSING || stream->out.len == 0)
        return;
    st = tls_send(stream->tls, buf_view(&stream->out), &stream->wire, &err);
    if (stream->out.capacity > STREAM_READ_BYTES * 4)
        buf_done(&stream->out); /* a burst must not hold its memory for ever */
    stream->out.len = 0;
    if (st != ST_OK)
        stream_fail(stream, st, &err);
    write_wire(stream);
}

static void before_cb(uv_prepare_t *handle)
{
    flush(handle->data);
}

static void after_cb(uv_check_t *handle)
{
    flush(handle->data);
}

static void queue_frame(struct stream *stream, uint16_t type, struct bytes head, struct bytes body)
{
    uint32_t len = (uint32_t)(head.len + body.len);
    uint8_t header[FRAME_HEADER_BYTES] = {
        (uint8_t)len,         (uint8_t)(len >> 8),   (uint8_t)(len >> 16),
        (uint8_t)(len >> 24), (uint8_t)(type & 255), (uint8_t)(type >> 8),
    };

    buf_append(&stream->out, header, sizeof header);
    buf_append(&stream->out, head.data, head.len);
    buf_append(&stream->out, body.data, body.len);
    if (!stream->flushing) {
        stream->flushing = true;
        (void)uv_prepare_start(&stream->before, before_cb);
        (void)uv_check_start(&stream->after, after_cb);
    }
}

enum status stream_send(struct stream *stream, uint16_t type, struct bytes head, struct bytes body)
{
    CHECK(type < FRAME_REFUSED);
    if (stream->state != STREAM_OPEN)
        return ST_UNAVAILABLE;
    if (head.len > FRAME_BYTES_MAX || body.len > FRAME_BYTES_MAX - head.len)
        return ST_LIMIT;
    if (stream_queued_bytes(stream) + head.len + body.len > STREAM_QUEUE_BYTES_MAX) {
        stream->choked = true;
        return ST_LIMIT;
    }
    queue_frame(stream, type, head, body);
    return ST_OK;
}

void stream_refuse(struct stream *stream, enum status why, const struct err *err)
{
    if (stream->state == STREAM_CLOSING)
        return;
    queue_frame(stream, FRAME_REFUSED, bytes_of_text(err->text), bytes_of(NULL, 0));
    flush(stream); /* what the kernel does not take at once is lost with the connection */
    stream_fail(stream, why, err);
}

static void send_hello(struct stream *stream)
{
    struct stream_hello self = stream->identity->self;
    struct buf hello = { 0 };

    self.service = stream->service;
    stream_hello_encode(&self, &hello);
    queue_frame(stream, FRAME_HELLO, buf_view(&hello), bytes_of(NULL, 0));
    buf_done(&hello);
}

/* Is this the peer of the certificate, and does it want what we are for? */
static enum status take_hello(struct stream *stream, struct bytes body, struct err *err)
{
    enum status st = stream_hello_decode(body, &stream->peer, err);

    if (st == ST_OK)
        st = stream_hello_check(&stream->peer, &tls_peer(stream->tls)->identity, err);
    if (st != ST_OK)
        return st;
    if (stream->peer.service != stream->service)
        return err_set(err, ST_DENIED, "hello: service %u, this one is %u", stream->peer.service,
                       stream->service);
    return stream->owner->on_hello(stream, err);
}

/* What it says of us goes into our log: cut, and only what is printable. */
static enum status take_refusal(struct bytes body, struct err *err)
{
    enum { TEXT_BYTES_MAX = 160 };
    char text[TEXT_BYTES_MAX + 1];
    size_t len = body.len < TEXT_BYTES_MAX ? body.len : TEXT_BYTES_MAX;

    for (size_t i = 0; i < len; i++)
        text[i] = (char)(body.data[i] >= ' ' && body.data[i] < 0x7f ? body.data[i] : '?');
    text[len] = '\0';
    return err_set(err, ST_DENIED, "the peer refuses us: %s", text);
}

static void open_stream(struct stream *stream)
{
    if (!stream->client)
        send_hello(stream);
    stream->state = STREAM_OPEN;
    stream->opened = true;
    stream->standing.facts = *tls_peer(stream->tls);
    tls_peers_add(stream->identity->tls, &stream->standing);
    (void)uv_timer_stop(&stream->deadline);
    if (stream->handler->on_open != NULL)
        stream->handler->on_open(stream, &stream->peer, stream->context);
}

static void open_by_hello(struct stream *stream, uint16_t type, struct bytes body)
{
    struct err err;
    enum status st;

    if (stream->client && type == FRAME_REFUSED)
        st = take_refusal(body, &err);
    else if (type != FRAME_HELLO)
        st = err_set(&err, ST_BAD_INPUT, "frame of type %u before the hello", type);
    else
        st = take_hello(stream, body, &err);
    if (st == ST_OK)
        open_stream(stream);
    else if (stream->client)
        stream_fail(stream, st, &err);
    else
        stream_refuse(stream, st, &err);
}

static void take_frame(struct stream *stream, uint16_t type, struct bytes body)
{
    if (stream->state == STREAM_HELLO) {
        open_by_hello(stream, type, body);
    } else if (type >= FRAME_REFUSED) {
        struct err err;
        enum status st = err_set(&err, ST_BAD_INPUT, "a second hello");

        stream_fail(stream, st, &err);
    } else {
        stream->handler->on_frame(stream, type, body, stream->context);
    }
}

static void take_frames(struct stream *stream)
{
    size_t at = 0;

    while (stream->state != STREAM_CLOSING && stream->in.len - at >= FRAME_HEADER_BYTES) {
        const uint8_t *header = stream->in.data + at;
        uint32_t len = (uint32_t)header[0] | (uint32_t)header[1] << 8 | (uint32_t)header[2] << 16 |
                       (uint32_t)header[3] << 24;
        uint16_t type = (uint16_t)(header[4] | header[5] << 8);

        if (len > FRAME_BYTES_MAX || header[6] != 0 || header[7] != 0) {
            struct err err;
            enum status st =
                err_set(&err, ST_BAD_INPUT, "frame of %u bytes, at most %d", len, FRAME_BYTES_MAX);

            stream_fail(stream, st, &err);
            return;
        }
        if (stream->in.len - at - FRAME_HEADER_BYTES < len)
            break;
        take_frame(stream, type, bytes_of(header + FRAME_HEADER_BYTES, len));
        at += FRAME_HEADER_BYTES + len;
    }
    buf_consume(&stream->in, at);
    if (stream->in.len == 0 && stream->in.capacity > STREAM_READ_BYTES * 4)
        buf_done(&stream->in);
}

static void take_wire(struct stream *stream, struct bytes wire)
{
    struct err err;
    enum status st = tls_receive(stream->tls, wire, &stream->in, &stream->wire, &err);

    write_wire(stream);
    if (st != ST_OK) {
        stream_fail(stream, st, &err);
        return;
    }
    if (stream->state == STREAM_HANDSHAKE && tls_ready(stream->tls)) {
        stream->state = STREAM_HELLO;
        if (stream->client)
            send_hello(stream);
    }
    if (stream->state != STREAM_CLOSING)
        take_frames(stream);
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct stream *stream = handle->data;

    *out = uv_buf_init((char *)stream->read_buf, sizeof stream->read_buf);
}

static void read_cb(uv_stream_t *handle, ssize_t n, const uv_buf_t *buf)
{
    struct stream *stream = handle->data;

    if (n == UV_EOF)
        fail_uv(stream, "the peer closed the connection", (int)n);
    else if (n < 0)
        fail_uv(stream, "read", (int)n);
    else if (n > 0)
        take_wire(stream, bytes_of(buf->base, (size_t)n));
}

void stream_pause(struct stream *stream, bool paused)
{
    int rv = 0;

    if (stream->state == STREAM_CLOSING)
        return;
    if (paused)
        rv = uv_read_stop((uv_stream_t *)&stream->tcp);
    else
        rv = uv_read_start((uv_stream_t *)&stream->tcp, alloc_cb, read_cb);
    if (rv < 0 && rv != UV_EALREADY)
        fail_uv(stream, "read", rv);
}

static void deadline_cb(uv_timer_t *timer)
{
    struct err err;
    enum status st = err_set(&err, ST_TIMEOUT, "no hello within %d ms", HANDSHAKE_MS);

    stream_fail(timer->data, st, &err);
}

static void set_options(struct stream *stream)
{
    unsigned silent_ms = PEER_SILENT_MS;
    uv_os_fd_t fd;

    (void)uv_tcp_nodelay(&stream->tcp, 1); /* without it one request waits 40 ms for an old ACK */
    (void)uv_tcp_keepalive(&stream->tcp, 1, 5);
    if (uv_fileno((uv_handle_t *)&stream->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof silent_ms);
}

void stream_start(struct stream *stream)
{
    int rv;

    set_options(stream);
    rv = uv_timer_start(&stream->deadline, deadline_cb, HANDSHAKE_MS, 0);
    CHECK(rv == 0);
    rv = uv_read_start((uv_stream_t *)&stream->tcp, alloc_cb, read_cb);
    if (rv < 0) {
        fail_uv(stream, "read", rv);
        return;
    }
    if (stream->client)
        take_wire(stream, bytes_of(NULL, 0));
}

struct stream *stream_new(uv_loop_t *loop,
                          const struct stream_identity *identity,
                          uint32_t service,
                          bool client,
                          const char *node)
{
    const struct tls_expected expected = {
        .server = !client,
        .roles = link_roles(service, client ? LINK_ACCEPTOR : LINK_DIALER),
        .node = node,
    };
    struct stream *stream = must_calloc(1, sizeof *stream);
    int rv = uv_tcp_init(loop, &stream->tcp);

    CHECK(rv == 0);
    rv = uv_timer_init(loop, &stream->deadline);
    CHECK(rv == 0);
    rv = uv_prepare_init(loop, &stream->before);
    CHECK(rv == 0);
    rv = uv_check_init(loop, &stream->after);
    CHECK(rv == 0);
    stream->handles = 4;
    stream->tcp.data = stream;
    stream->deadline.data = stream;
    stream->before.data = stream;
    stream->after.data = stream;
    stream->identity = identity;
    stream->service = service;
    stream->client = client;
    stream->tls = tls_session_new(identity->tls, &expected);
    return stream;
}

const struct stream_hello *stream_peer(const struct stream *stream)
{
    return &stream->peer;
}

void *stream_context(const struct stream *stream)
{
    return stream->context;
}
