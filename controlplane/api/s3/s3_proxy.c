/* The way of an S3 request to an object store and back.
 *
 * An exchange holds the client's request and at most one upstream connection.  Idle upstream
 * connections are kept in a list of the proxy.  Which store is asked, and what follows when it
 * fails, is decided in s3_failover_rules.h.  One thread. */
#include "controlplane/api/s3/s3_proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/check.h"
#include "base/http_parser.h"
#include "base/log.h"
#include "controlplane/api/s3/s3_failover_rules.h"
#include "controlplane/api/s3/s3_proxy_rules.h"

enum {
    IDLE_CONNECTIONS_MAX = 32,
    QUEUE_BYTES_MAX = 262144, /* towards the object store, one exchange */
    READ_BYTES = 65536,
};

struct upstream {
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct s3_proxy *proxy;
    struct s3_exchange *exchange; /* NULL while idle */
    size_t store;                 /* its place in the list, for good */
    struct http_parser parser;
    struct upstream *next; /* in the idle list */
    bool used_before;      /* a kept connection may turn out to be closed already */
    bool write_failed;     /* at once: told by the timer, not from inside the call */
    char read_buf[READ_BYTES];
};

struct s3_exchange {
    struct s3_proxy *proxy;
    struct http_request *req; /* NULL after s3_exchange_done() */
    struct upstream *upstream;
    uv_timer_t wait; /* for the phase */
    enum s3_phase phase;
    unsigned tried;  /* bit i: store i was */
    bool body;       /* the request has one */
    bool chunked;    /* the body's length is not known: chunks upstream, too */
    bool sent_body;  /* some of the body has left us */
    bool holds;      /* the body is kept for a second try... */
    struct buf held; /* ...what has come of it */
    bool body_done;
    bool waiting;  /* on_body took nothing: read on once there is room */
    bool finished; /* the whole answer, or an error, has gone to the client */
};

struct s3_proxy {
    uv_loop_t *loop;
    struct s3_stores stores;
    struct sockaddr_storage where[S3_STORES_MAX];
    char addresses[S3_STORES_MAX][ADDRESS_BYTES_MAX + 1]; /* as configured, for the log */
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

static void try_next(struct s3_exchange *exchange);
static bool dial(struct s3_exchange *exchange, size_t store);

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

static void wait_closed_cb(uv_handle_t *handle)
{
    struct s3_exchange *exchange = handle->data;
    struct s3_proxy *proxy = exchange->proxy;

    buf_done(&exchange->held);
    free(exchange);
    proxy_release(proxy);
}

/* ---- failing ---- */

static void store_failed(struct s3_proxy *proxy, size_t store, bool silent, const char *why)
{
    struct upstream *next;

    if (!proxy->stores.list[store].failed)
        log_event(LOG_WARN, "object_store_failed", LS("address", proxy->addresses[store]),
                  LS("reason", why), LS("then", "asking the other zones first"));
    s3_stores_fail(&proxy->stores, store, silent, uv_now(proxy->loop));
    for (struct upstream *upstream = proxy->idle; upstream != NULL; upstream = next) {
        next = upstream->next;
        if (upstream->store != store)
            continue;
        forget_idle(upstream);
        upstream_close(upstream);
    }
}

static void store_answered(struct s3_proxy *proxy, size_t store)
{
    if (proxy->stores.list[store].failed)
        log_event(LOG_INFO, "object_store_back", LS("address", proxy->addresses[store]));
    s3_stores_answer(&proxy->stores, store);
}

static void refuse(struct s3_exchange *exchange, const char *why)
{
    struct http_answer_field type = { "Content-Type", "application/xml" };
    struct http_answer answer = { .status = 503, .fields = &type, .field_count = 1 };
    struct buf body = { 0 };

    exchange->finished = true;
    log_event(LOG_WARN, "s3_proxy_failed", LS("reason", why), LS("then", "answered 503"));
    (void)uv_timer_stop(&exchange->wait);
    s3_proxy_unavailable(&body);
    http_respond(exchange->req, &answer, buf_view(&body));
    buf_done(&body);
}

static void cut(struct s3_exchange *exchange, const char *why)
{
    exchange->finished = true;
    log_event(LOG_WARN, "s3_proxy_failed", LS("reason", why), LS("then", "cut the answer"));
    (void)uv_timer_stop(&exchange->wait);
    http_request_abort(exchange->req);
}

static struct s3_try describe(const struct s3_exchange *exchange, bool timed_out)
{
    const struct s3_proxy *proxy = exchange->proxy;

    return (struct s3_try){
        .phase = exchange->phase,
        .method = http_request_head(exchange->req)->method,
        .body = exchange->body,
        .sent_body = exchange->sent_body,
        .held = exchange->holds,
        .others = exchange->tried != (1u << proxy->stores.count) - 1,
        .kept = exchange->upstream != NULL && exchange->upstream->used_before,
        .timed_out = timed_out,
    };
}

/* The store did not do its part.  The upstream connection is gone afterwards. */
static void failed(struct s3_exchange *exchange, bool timed_out, const char *why)
{
    struct s3_try try = describe(exchange, timed_out);
    enum s3_then then = s3_try_then(&try);
    size_t store = exchange->upstream->store;

    upstream_close(exchange->upstream);
    if (then == S3_THEN_AGAIN && dial(exchange, store))
        return;
    store_failed(exchange->proxy, store, timed_out && try.phase != S3_CONNECTING, why);
    switch (then) {
    case S3_THEN_AGAIN: /* the new connection could not even be begun */
    case S3_THEN_NEXT:
        try_next(exchange);
        return;
    case S3_THEN_REFUSE:
        refuse(exchange, why);
        return;
    case S3_THEN_CUT:
        cut(exchange, why);
        return;
    }
    CHECK(!"s3_try_then: unknown");
}

static void broken(struct s3_exchange *exchange, const char *why)
{
    if (exchange->finished)
        upstream_close(exchange->upstream);
    else
        failed(exchange, false, why);
}

static void wait_cb(uv_timer_t *timer);

/* Something moved, or another phase began. */
static void moved(struct s3_exchange *exchange)
{
    struct s3_try try = describe(exchange, false);
    int rv = uv_timer_start(&exchange->wait, wait_cb, s3_try_wait_ms(&try), 0);

    CHECK(rv == 0);
}

static void wait_cb(uv_timer_t *timer)
{
    struct s3_exchange *exchange = timer->data;
    struct upstream *upstream = exchange->upstream;

    if (exchange->finished || upstream == NULL)
        return;
    if (upstream->write_failed)
        failed(exchange, false, "it cannot be written to");
    else if (exchange->phase == S3_SENDING &&
             uv_stream_get_write_queue_size((uv_stream_t *)&upstream->tcp) == 0)
        moved(exchange); /* the store has all there is: the client takes its time */
    else
        failed(exchange, true,
               exchange->phase == S3_CONNECTING ? "no connection in time" : "no progress in time");
}

/* ---- up ---- */

static void read_on(struct s3_exchange *exchange)
{
    exchange->waiting = false;
    http_request_read(exchange->req);
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
    if (exchange->phase == S3_SENDING)
        moved(exchange);
    if (exchange->waiting)
        read_on(exchange);
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
        exchange->upstream->write_failed = true;
        rv = uv_timer_start(&exchange->wait, wait_cb, 0, 0);
        CHECK(rv == 0);
    }
}

static void send_body_end(struct s3_exchange *exchange)
{
    struct buf data = { 0 };

    if (!exchange->chunked)
        return;
    exchange->sent_body = true;
    buf_append_text(&data, "0\r\n\r\n");
    send_up(exchange, &data);
}

/* What another store was sent before. */
static void send_held(struct s3_exchange *exchange)
{
    struct buf data = { 0 };

    buf_append(&data, exchange->held.data, exchange->held.len);
    send_up(exchange, &data);
}

/* The connection stands: from now on the body may be read.  Not before, for what was read and sent
 * to a store can be sent to another only if it is held. */
static void send_head(struct s3_exchange *exchange)
{
    struct buf head = { 0 };

    s3_proxy_request_head(http_request_head(exchange->req), http_request_is_https(exchange->req),
                          exchange->chunked, &head);
    if (bytes_equal(http_request_head(exchange->req)->method, bytes_of_text("HEAD")))
        http_parser_no_body(&exchange->upstream->parser);
    exchange->phase = exchange->body && !exchange->body_done ? S3_SENDING : S3_WAITING;
    moved(exchange);
    send_up(exchange, &head);
    if (exchange->held.len > 0)
        send_held(exchange);
    if (exchange->body_done)
        send_body_end(exchange);
    else
        read_on(exchange);
}

/* ---- down ---- */

static void respond(struct s3_exchange *exchange, const struct http_parser *parser)
{
    struct http_answer_field fields[HTTP_FIELDS_MAX];
    struct buf texts = { 0 };
    struct http_answer answer = { .status = parser->status, .fields = fields };

    answer.field_count =
        s3_proxy_answer_fields(parser->fields, parser->field_count, &texts, fields);
    store_answered(exchange->proxy, exchange->upstream->store);
    exchange->phase = S3_ANSWERING;
    moved(exchange);
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
    (void)uv_timer_stop(&exchange->wait);
    http_push_end(exchange->req);
    if (upstream->parser.keep_alive && exchange->body_done)
        keep(upstream);
    else
        upstream_close(upstream); /* what is left of the body has nowhere to go */
}

/* One event of the answer; false when nothing more may be read for this exchange. */
static bool take_event(struct s3_exchange *exchange, enum http_event event)
{
    struct upstream *upstream = exchange->upstream;

    switch (event) {
    case HTTP_EVENT_HEAD:
        if (upstream->parser.status >= 200) /* 100 Continue is between the store and us */
            respond(exchange, &upstream->parser);
        return true;
    case HTTP_EVENT_BODY:
        if (http_push(exchange->req, upstream->parser.chunk) == ST_LIMIT)
            (void)uv_read_stop((uv_stream_t *)&upstream->tcp);
        return true;
    case HTTP_EVENT_END:
        if (exchange->phase != S3_ANSWERING)
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

    if (exchange->phase == S3_ANSWERING)
        moved(exchange);
    for (;;) {
        struct err err;
        enum http_event event;

        if (http_parser_next(&upstream->parser, &in, &event, &err) != ST_OK) {
            broken(exchange, err.text);
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

    if (exchange->phase == S3_ANSWERING &&
        http_parser_eof(&upstream->parser, &event, NULL) == ST_OK && event == HTTP_EVENT_END) {
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

/* ---- connections ---- */

static void connect_cb(uv_connect_t *connect, int rv)
{
    struct upstream *upstream = connect->data;

    if (upstream->exchange == NULL)
        return; /* given up meanwhile, and closing */
    if (rv == 0)
        rv = uv_read_start((uv_stream_t *)&upstream->tcp, alloc_cb, read_cb);
    if (rv < 0)
        failed(upstream->exchange, false, uv_strerror(rv));
    else
        send_head(upstream->exchange);
}

/* False when it could not even be begun; the exchange then has no upstream. */
static bool dial(struct s3_exchange *exchange, size_t store)
{
    struct s3_proxy *proxy = exchange->proxy;
    struct upstream *upstream = must_calloc(1, sizeof *upstream);
    int rv = uv_tcp_init(proxy->loop, &upstream->tcp);

    CHECK(rv == 0);
    proxy->in_flight++;
    upstream->proxy = proxy;
    upstream->store = store;
    upstream->exchange = exchange;
    upstream->tcp.data = upstream;
    upstream->connect.data = upstream;
    http_parser_init(&upstream->parser, HTTP_PARSER_RESPONSE);
    exchange->upstream = upstream;
    exchange->phase = S3_CONNECTING;
    (void)uv_tcp_nodelay(&upstream->tcp, 1);
    rv = uv_tcp_connect(&upstream->connect, &upstream->tcp,
                        (const struct sockaddr *)&proxy->where[store], connect_cb);
    if (rv < 0) {
        upstream_close(upstream);
        return false;
    }
    moved(exchange);
    return true;
}

/* Has the store closed it, while the loop has not got round to saying so? */
static bool is_stale(const struct upstream *upstream)
{
    uv_os_fd_t fd;
    char byte;

    if (uv_fileno((const uv_handle_t *)&upstream->tcp, &fd) != 0)
        return true;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static struct upstream *take_idle(struct s3_proxy *proxy, size_t store)
{
    struct upstream *next;

    for (struct upstream *upstream = proxy->idle; upstream != NULL; upstream = next) {
        next = upstream->next;
        if (upstream->store != store)
            continue;
        forget_idle(upstream);
        if (!is_stale(upstream))
            return upstream;
        upstream_close(upstream);
    }
    return NULL;
}

static void try_next(struct s3_exchange *exchange)
{
    struct s3_proxy *proxy = exchange->proxy;
    uint64_t now_ms = uv_now(proxy->loop);
    size_t store;

    while ((store = s3_stores_choose(&proxy->stores, exchange->tried, exchange->body, now_ms)) <
           proxy->stores.count) {
        struct upstream *upstream = take_idle(proxy, store);

        exchange->tried |= 1u << store;
        s3_stores_ask(&proxy->stores, store, now_ms);
        if (upstream != NULL) {
            upstream->exchange = exchange;
            exchange->upstream = upstream;
            send_head(exchange);
            return;
        }
        if (dial(exchange, store))
            return;
        store_failed(proxy, store, false, "it cannot be dialled");
    }
    refuse(exchange, "no object store can be reached");
}

/* ---- the front door's side ---- */

struct s3_exchange *s3_proxy_start(struct s3_proxy *proxy, struct http_request *req)
{
    struct s3_exchange *exchange = must_calloc(1, sizeof *exchange);
    uint64_t length = http_request_content_length(req);
    int rv = uv_timer_init(proxy->loop, &exchange->wait);

    CHECK(rv == 0);
    CHECK(!proxy->closing);
    proxy->in_flight++;
    exchange->proxy = proxy;
    exchange->req = req;
    exchange->body = length != 0;
    exchange->chunked = length == HTTP_LENGTH_UNKNOWN;
    exchange->holds = s3_is_held(http_request_head(req), length);
    exchange->wait.data = exchange;
    try_next(exchange);
    return exchange;
}

size_t s3_exchange_body(struct s3_exchange *exchange, struct bytes chunk)
{
    struct buf data = { 0 };

    if (exchange->upstream == NULL || exchange->finished)
        return chunk.len; /* answered already: the rest of the body is of no use */
    if (exchange->phase == S3_CONNECTING || exchange->upstream->write_failed) {
        exchange->waiting = true; /* on the way to another store; send_head() reads on */
        return 0;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&exchange->upstream->tcp) > QUEUE_BYTES_MAX) {
        exchange->waiting = true;
        return 0;
    }
    exchange->sent_body = true;
    if (exchange->holds)
        buf_append(&exchange->held, chunk.data, chunk.len);
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
    exchange->body_done = true;
    if (exchange->upstream == NULL || exchange->finished || exchange->phase == S3_CONNECTING)
        return; /* in the last case send_head() ends it */
    if (exchange->phase == S3_SENDING) {
        exchange->phase = S3_WAITING;
        moved(exchange);
    }
    send_body_end(exchange);
}

void s3_exchange_drain(struct s3_exchange *exchange)
{
    if (exchange->upstream == NULL || exchange->finished)
        return;
    moved(exchange);
    (void)uv_read_start((uv_stream_t *)&exchange->upstream->tcp, alloc_cb, read_cb);
}

void s3_exchange_done(struct s3_exchange *exchange)
{
    exchange->req = NULL;
    if (exchange->upstream != NULL)
        upstream_close(exchange->upstream);
    uv_close((uv_handle_t *)&exchange->wait, wait_closed_cb);
}

static enum status read_addresses(struct s3_proxy *proxy, const char *list, struct err *err)
{
    for (list += strspn(list, ", "); *list != '\0'; list += strspn(list, ", ")) {
        size_t count = proxy->stores.count;
        size_t len = strcspn(list, ", ");
        enum status st;

        if (count == S3_STORES_MAX || len > ADDRESS_BYTES_MAX)
            return err_set(err, ST_BAD_INPUT,
                           "objstore: more than %d addresses, or one of %zu bytes", S3_STORES_MAX,
                           len);
        memcpy(proxy->addresses[count], list, len);
        st = address_parse(proxy->addresses[count], &proxy->where[count], err);
        if (st != ST_OK)
            return st;
        proxy->stores.count++;
        list += len;
    }
    if (proxy->stores.count == 0)
        return err_set(err, ST_BAD_INPUT, "objstore: no address");
    return ST_OK;
}

enum status s3_proxy_new(uv_loop_t *loop,
                         const char *addresses,
                         struct s3_proxy **out,
                         struct err *err)
{
    struct s3_proxy *proxy = must_calloc(1, sizeof *proxy);
    enum status st = read_addresses(proxy, addresses, err);

    if (st != ST_OK) {
        free(proxy);
        return st;
    }
    proxy->loop = loop;
    proxy->in_flight = 1; /* until s3_proxy_close() */
    *out = proxy;
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
