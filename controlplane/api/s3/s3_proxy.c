/* The way of an S3 request to the object store and back.
 *
 * An exchange holds the client's request and at most one upstream connection.  Idle upstream
 * connections are kept in a list of the proxy.  One thread. */
#include "controlplane/api/s3/s3_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/check.h"
#include "base/http_parser.h"
#include "base/log.h"
#include "controlplane/api/s3/s3_proxy_rules.h"

enum {
    IDLE_CONNECTIONS_MAX = 32,
    QUEUE_BYTES_MAX = 262144, /* towards the object store, one exchange */
    SILENCE_MS = 60000,       /* neither side moved: the exchange is given up */
    READ_BYTES = 65536,
};

struct upstream {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct s3_proxy *proxy;
    struct s3_exchange *exchange; /* NULL while idle */
    struct http_parser parser;
    struct upstream *next; /* in the idle list */
    bool used_before;      /* a kept connection may turn out to be closed already */
    char read_buf[READ_BYTES];
};

struct s3_exchange {
    struct s3_proxy *proxy;
    struct http_request *req; /* NULL after s3_exchange_done() */
    struct upstream *upstream;
    uv_timer_t silence;
    bool chunked;   /* the body's length is not known: chunks upstream, too */
    bool sent_body; /* some of the body has left us: no second try */
    bool body_done;
    bool waiting;  /* on_body took nothing: read on once the queue is short */
    bool answered; /* the head of the answer has gone to the client */
    bool finished; /* the whole answer, or an error, has */
    bool timer_closed;
};

struct s3_proxy {
    uv_loop_t *loop;
    struct sockaddr_storage where;
    struct upstream *idle;
    unsigned idle_count;
    unsigned in_flight; /* upstream connections and exchanges, for closing */
    bool closing;
};

struct write {
    uv_write_t req;
    struct upstream *upstream;
    struct buf data;
};

static void dial(struct s3_exchange *exchange);

static void proxy_release(struct s3_proxy *proxy)
{
    if (--proxy->in_flight == 0 && proxy->closing)
        free(proxy);
}

static void upstream_closed_cb(uv_handle_t *handle)
{
    struct upstream *upstream = handle->data;
    struct s3_proxy *proxy = upstream->proxy;

    http_parser_done(&upstream->parser);
    free(upstream);
    proxy_release(proxy);
}

static void upstream_close(struct upstream *upstream)
{
    if (upstream->exchange != NULL)
        upstream->exchange->upstream = NULL;
    upstream->exchange = NULL;
    if (!uv_is_closing((uv_handle_t *)&upstream->tcp))
        uv_close((uv_handle_t *)&upstream->tcp, upstream_closed_cb);
}

static void forget_idle(struct upstream *upstream)
{
    struct s3_proxy *proxy = upstream->proxy;

    for (struct upstream **at = &proxy->idle; *at != NULL; at = &(*at)->next) {
        if (*at != upstream)
            continue;
        *at = upstream->next;
        proxy->idle_count--;
        return;
    }
}

static void keep(struct upstream *upstream)
{
    struct s3_proxy *proxy = upstream->proxy;

    upstream->exchange->upstream = NULL;
    upstream->exchange = NULL;
    upstream->used_before = true;
    if (proxy->closing || proxy->idle_count == IDLE_CONNECTIONS_MAX) {
        upstream_close(upstream);
        return;
    }
    http_parser_done(&upstream->parser);
    http_parser_init(&upstream->parser, HTTP_PARSER_RESPONSE);
    upstream->next = proxy->idle;
    proxy->idle = upstream;
    proxy->idle_count++;
}

static void silence_closed_cb(uv_handle_t *handle)
{
    struct s3_exchange *exchange = handle->data;
    struct s3_proxy *proxy = exchange->proxy;

    free(exchange);
    proxy_release(proxy);
}

/* The store cannot serve this request: say so if nothing was said, else cut. */
static void fail(struct s3_exchange *exchange, const char *why)
{
    if (exchange->upstream != NULL)
        upstream_close(exchange->upstream);
    if (exchange->req == NULL || exchange->finished)
        return;
    exchange->finished = true;
    log_event(LOG_WARN, "s3_proxy_failed", LS("reason", why),
              LS("then", exchange->answered ? "cut the answer" : "answered 503"));
    if (exchange->answered) {
        http_request_abort(exchange->req);
    } else {
        struct http_answer_field type = { "Content-Type", "application/xml" };
        struct http_answer answer = { .status = 503, .fields = &type, .field_count = 1 };
        struct buf body = { 0 };

        s3_proxy_unavailable(&body);
        http_respond(exchange->req, &answer, buf_view(&body));
        buf_done(&body);
    }
}

static void silence_cb(uv_timer_t *timer)
{
    fail(timer->data, "no progress for 60 s");
}

static void moved(struct s3_exchange *exchange)
{
    int rv = uv_timer_start(&exchange->silence, silence_cb, SILENCE_MS, 0);

    CHECK(rv == 0);
}

/* The connection broke before anything of the answer arrived. */
static void broken(struct s3_exchange *exchange, const char *why)
{
    bool again = exchange->upstream->used_before && !exchange->sent_body && !exchange->answered;

    upstream_close(exchange->upstream);
    if (again)
        dial(exchange); /* a kept connection that the store had closed meanwhile */
    else
        fail(exchange, why);
}

static void write_cb(uv_write_t *req, int rv)
{
    struct write *write = container_of(req, struct write, req);
    struct s3_exchange *exchange = write->upstream->exchange;

    buf_done(&write->data);
    free(write);
    if (exchange == NULL)
        return;
    if (rv < 0) {
        broken(exchange, uv_strerror(rv));
        return;
    }
    moved(exchange);
    if (exchange->waiting && exchange->req != NULL) {
        exchange->waiting = false;
        http_request_read(exchange->req);
    }
}

/* Takes what is in `data`. */
static void send_up(struct s3_exchange *exchange, struct buf *data)
{
    struct write *write = must_calloc(1, sizeof *write);
    uv_buf_t piece;
    int rv;

    write->upstream = exchange->upstream;
    write->data = *data;
    *data = (struct buf){ 0 };
    piece = uv_buf_init((char *)write->data.data, (unsigned)write->data.len);
    rv = uv_write(&write->req, (uv_stream_t *)&write->upstream->tcp, &piece, 1, write_cb);
    if (rv < 0) {
        buf_done(&write->data);
        free(write);
        broken(exchange, uv_strerror(rv));
    }
}

static void send_head(struct s3_exchange *exchange)
{
    struct buf head = { 0 };

    exchange->chunked = http_request_content_length(exchange->req) == HTTP_LENGTH_UNKNOWN;
    s3_proxy_request_head(http_request_head(exchange->req), exchange->chunked, &head);
    if (bytes_equal(http_request_head(exchange->req)->method, bytes_of_text("HEAD")))
        http_parser_no_body(&exchange->upstream->parser);
    send_up(exchange, &head);
    if (exchange->upstream != NULL)
        http_request_read(exchange->req);
}

static void respond(struct s3_exchange *exchange, const struct http_parser *parser)
{
    struct http_answer_field fields[HTTP_FIELDS_MAX];
    struct buf texts = { 0 };
    struct http_answer answer = { .status = parser->status, .fields = fields };

    answer.field_count =
        s3_proxy_answer_fields(parser->fields, parser->field_count, &texts, fields);
    exchange->answered = true;
    http_respond_stream(exchange->req, &answer,
                        parser->has_length ? parser->content_length
                        : parser->chunked  ? HTTP_LENGTH_UNKNOWN
                                           : 0);
    buf_done(&texts);
}

static void end_answer(struct s3_exchange *exchange)
{
    struct upstream *upstream = exchange->upstream;

    exchange->finished = true;
    http_push_end(exchange->req);
    if (exchange->upstream != upstream || upstream == NULL)
        return;
    if (upstream->parser.keep_alive && exchange->body_done)
        keep(upstream);
    else
        upstream_close(upstream); /* what is left of the body has nowhere to go */
}

/* One event of the answer; false when nothing more may be read for this exchange. */
static bool take_event(struct s3_exchange *exchange, enum http_event event)
{
    struct upstream *upstream = exchange->upstream;

    if (exchange->req == NULL) {
        upstream_close(upstream);
        return false;
    }
    switch (event) {
    case HTTP_EVENT_HEAD:
        if (upstream->parser.status >= 200) /* 100 Continue is between the store and us */
            respond(exchange, &upstream->parser);
        return true;
    case HTTP_EVENT_BODY:
        if (http_push(exchange->req, upstream->parser.chunk) == ST_LIMIT)
            (void)uv_read_stop((uv_stream_t *)&upstream->tcp);
        return exchange->upstream == upstream;
    case HTTP_EVENT_END:
        if (!exchange->answered)
            return true; /* the end of an interim answer */
        end_answer(exchange);
        return false;
    case HTTP_EVENT_NONE:
        break;
    }
    return false;
}

static void take_answer(struct upstream *upstream, struct bytes in)
{
    struct s3_exchange *exchange = upstream->exchange;

    moved(exchange);
    for (;;) {
        struct err err;
        enum http_event event;

        if (http_parser_next(&upstream->parser, &in, &event, &err) != ST_OK) {
            fail(exchange, err.text);
            return;
        }
        if (event == HTTP_EVENT_NONE || !take_event(exchange, event))
            return;
    }
}

static void take_end(struct upstream *upstream, const char *why)
{
    struct s3_exchange *exchange = upstream->exchange;
    enum http_event event = HTTP_EVENT_NONE;

    if (exchange->answered && http_parser_eof(&upstream->parser, &event, NULL) == ST_OK &&
        event == HTTP_EVENT_END) {
        upstream->parser.keep_alive = false;
        (void)take_event(exchange, event);
        return;
    }
    broken(exchange, why);
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct upstream *upstream = handle->data;

    *out = uv_buf_init(upstream->read_buf, sizeof upstream->read_buf);
}

static void read_cb(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct upstream *upstream = stream->data;

    if (n == 0)
        return;
    if (upstream->exchange == NULL) { /* idle: closed by the store, or talking out of turn */
        forget_idle(upstream);
        upstream_close(upstream);
        return;
    }
    if (n < 0)
        take_end(upstream, uv_strerror((int)n));
    else
        take_answer(upstream, bytes_of(buf->base, (size_t)n));
}

static void connect_cb(uv_connect_t *connect, int rv)
{
    struct upstream *upstream = connect->data;

    if (upstream->exchange == NULL)
        return; /* given up meanwhile, and closing */
    if (rv == 0)
        rv = uv_read_start((uv_stream_t *)&upstream->tcp, alloc_cb, read_cb);
    if (rv < 0)
        fail(upstream->exchange, uv_strerror(rv));
    else if (upstream->exchange->req != NULL)
        send_head(upstream->exchange);
}

static void dial(struct s3_exchange *exchange)
{
    struct s3_proxy *proxy = exchange->proxy;
    struct upstream *upstream = must_calloc(1, sizeof *upstream);
    int rv = uv_tcp_init(proxy->loop, &upstream->tcp);

    CHECK(rv == 0);
    proxy->in_flight++;
    upstream->proxy = proxy;
    upstream->exchange = exchange;
    upstream->tcp.data = upstream;
    upstream->connect.data = upstream;
    http_parser_init(&upstream->parser, HTTP_PARSER_RESPONSE);
    exchange->upstream = upstream;
    (void)uv_tcp_nodelay(&upstream->tcp, 1);
    rv = uv_tcp_connect(&upstream->connect, &upstream->tcp, (const struct sockaddr *)&proxy->where,
                        connect_cb);
    if (rv < 0)
        fail(exchange, uv_strerror(rv));
}

struct s3_exchange *s3_proxy_start(struct s3_proxy *proxy, struct http_request *req)
{
    struct s3_exchange *exchange = must_calloc(1, sizeof *exchange);
    struct upstream *upstream = proxy->idle;
    int rv = uv_timer_init(proxy->loop, &exchange->silence);

    CHECK(rv == 0);
    CHECK(!proxy->closing);
    proxy->in_flight++;
    exchange->proxy = proxy;
    exchange->req = req;
    exchange->silence.data = exchange;
    moved(exchange);
    if (upstream == NULL) {
        dial(exchange);
        return exchange;
    }
    forget_idle(upstream);
    upstream->exchange = exchange;
    exchange->upstream = upstream;
    send_head(exchange);
    return exchange;
}

size_t s3_exchange_body(struct s3_exchange *exchange, struct bytes chunk)
{
    struct buf data = { 0 };

    if (exchange->upstream == NULL || exchange->finished)
        return chunk.len; /* answered already: the rest of the body is of no use */
    if (uv_stream_get_write_queue_size((uv_stream_t *)&exchange->upstream->tcp) > QUEUE_BYTES_MAX) {
        exchange->waiting = true;
        return 0;
    }
    exchange->sent_body = true;
    if (exchange->chunked)
        buf_printf(&data, "%zx\r\n", chunk.len);
    buf_append(&data, chunk.data, chunk.len);
    if (exchange->chunked)
        buf_append_text(&data, "\r\n");
    send_up(exchange, &data);
    return chunk.len;
}

void s3_exchange_body_end(struct s3_exchange *exchange)
{
    struct buf data = { 0 };

    exchange->body_done = true;
    if (!exchange->chunked || exchange->upstream == NULL)
        return;
    buf_append_text(&data, "0\r\n\r\n");
    send_up(exchange, &data);
}

void s3_exchange_drain(struct s3_exchange *exchange)
{
    if (exchange->upstream != NULL)
        (void)uv_read_start((uv_stream_t *)&exchange->upstream->tcp, alloc_cb, read_cb);
}

void s3_exchange_done(struct s3_exchange *exchange)
{
    exchange->req = NULL;
    if (exchange->upstream != NULL)
        upstream_close(exchange->upstream);
    uv_close((uv_handle_t *)&exchange->silence, silence_closed_cb);
}

enum status s3_proxy_new(uv_loop_t *loop,
                         const char *address,
                         struct s3_proxy **out,
                         struct err *err)
{
    struct sockaddr_storage where;
    enum status st = address_parse(address, &where, err);

    if (st != ST_OK)
        return st;
    *out = must_calloc(1, sizeof **out);
    (*out)->loop = loop;
    (*out)->where = where;
    (*out)->in_flight = 1; /* until s3_proxy_close() */
    return ST_OK;
}

void s3_proxy_close(struct s3_proxy *proxy)
{
    if (proxy == NULL)
        return;
    proxy->closing = true;
    while (proxy->idle != NULL) {
        struct upstream *upstream = proxy->idle;

        forget_idle(upstream);
        upstream_close(upstream);
    }
    proxy_release(proxy);
}
