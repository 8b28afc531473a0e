/* The server with a real client socket, both turned by this one thread: no step waits for more than
 * a turn of the loop, and none is measured. */
#include "base/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/check.h"

enum how {
    ANSWER_AT_ONCE,       /* in on_request */
    ANSWER_AFTER_COLLECT, /* in on_body_end */
    ANSWER_LATER,         /* when the test says so */
    ANSWER_STREAM,        /* pushed by the test */
    ANSWER_ECHO,          /* body read in pieces, answered at its end */
    ANSWER_PIECES,        /* takes one byte of each piece, then waits */
    ANSWER_IN_BODY,       /* after the first piece */
};

struct fixture {
    uv_loop_t loop;
    struct http_server *server;
    unsigned port;
    int client;
    struct buf in; /* what the client received */
    bool closed_by_server;
    bool stopped;

    enum how how;
    struct http_request *req; /* the open one */
    size_t collect_max;
    struct buf body;
    char method[16];
    char target[256];
    char fields[512];
    uint64_t waits_since_ns;
    unsigned requests;
    unsigned ends;
    unsigned gone;
    unsigned drained;
    unsigned done;
    enum status outcome;
};

static const struct http_answer_field text_plain[] = {
    { "Content-Type", "text/plain" },
    { "ETag", "\"abc\"" },
};
static const struct http_answer ok = { 200, text_plain, ARRAY_LEN(text_plain), false };

static void on_request(struct http_request *req, void *context)
{
    struct fixture *f = context;
    const struct http_head *head = http_request_head(req);
    struct buf fields = { 0 };

    EXPECT(f->req == NULL);
    f->req = req;
    f->requests++;
    http_request_set_context(req, f);
    (void)snprintf(f->method, sizeof f->method, "%.*s", (int)head->method.len, head->method.data);
    (void)snprintf(f->target, sizeof f->target, "%.*s", (int)head->target.len, head->target.data);
    for (size_t i = 0; i < head->field_count; i++)
        buf_printf(&fields, "%.*s=%.*s;", (int)head->fields[i].name.len, head->fields[i].name.data,
                   (int)head->fields[i].value.len, head->fields[i].value.data);
    (void)snprintf(f->fields, sizeof f->fields, "%s", buf_text(&fields));
    buf_done(&fields);
    if (f->how == ANSWER_AT_ONCE)
        http_respond(req, &ok, bytes_of_text("hello"));
    else if (f->how == ANSWER_AFTER_COLLECT)
        http_request_collect(req, f->collect_max);
    else if (f->how == ANSWER_ECHO || f->how == ANSWER_PIECES || f->how == ANSWER_IN_BODY)
        http_request_read(req);
}

static size_t on_body(struct http_request *req, struct bytes chunk, void *context)
{
    struct fixture *f = context;
    size_t take = f->how == ANSWER_PIECES ? 1 : chunk.len;

    buf_append(&f->body, chunk.data, take);
    if (f->how == ANSWER_IN_BODY)
        http_respond(req, &ok, bytes_of_text("enough"));
    return take;
}

static void on_body_end(struct http_request *req, void *context)
{
    struct fixture *f = context;
    struct bytes body = http_request_body(req);

    f->ends++;
    EXPECT(http_request_context(req) == f);
    if (f->how == ANSWER_ECHO || f->how == ANSWER_PIECES)
        body = buf_view(&f->body);
    if (http_request_body_too_large(req))
        http_respond(req, &(struct http_answer){ .status = 413 }, bytes_of_text("too large"));
    else if (f->how != ANSWER_LATER)
        http_respond(req, &ok, body);
}

static void on_gone(struct http_request *req, void *context)
{
    ((struct fixture *)context)->gone++;
}

static void on_drain(struct http_request *req, void *context)
{
    ((struct fixture *)context)->drained++;
}

static void on_done(struct http_request *req, enum status outcome, void *context)
{
    struct fixture *f = context;

    EXPECT(f->req == req);
    f->req = NULL;
    f->done++;
    f->outcome = outcome;
}

static const struct http_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_gone = on_gone,
    .on_drain = on_drain,
    .on_done = on_done,
};

static void stopped(void *context)
{
    ((struct fixture *)context)->stopped = true;
}

static int client_connect(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

static void start(struct fixture *f, enum how how, const struct http_server_options *options)
{
    struct err err = { 0 };

    *f = (struct fixture){ .how = how, .collect_max = 1 << 20 };
    CHECK(uv_loop_init(&f->loop) == 0);
    EXPECT_EQ(http_server_new(&f->loop, options, &handler, f, &f->server, &err), ST_OK);
    EXPECT_EQ(http_server_listen(f->server, "127.0.0.1:0", false, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    f->port = http_server_port(f->server);
    f->client = client_connect(f->port);
}

static void turn(struct fixture *f)
{
    uint8_t *to = buf_reserve(&f->in, 65536);
    ssize_t got;

    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    if (f->client < 0 || f->closed_by_server)
        return;
    got = recv(f->client, to, 65536, 0);
    if (got > 0)
        f->in.len += (size_t)got;
    else if (got == 0 || errno != EAGAIN)
        f->closed_by_server = true;
}

static void turns(struct fixture *f, int count)
{
    while (count-- > 0)
        turn(f);
}

static void stop(struct fixture *f)
{
    http_server_close(f->server, stopped);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    EXPECT(f->stopped);
    EXPECT(f->req == NULL);
    if (f->client >= 0)
        (void)close(f->client);
    CHECK(uv_loop_close(&f->loop) == 0);
    buf_done(&f->in);
    buf_done(&f->body);
}

static void say_bytes(struct fixture *f, struct bytes text)
{
    while (text.len > 0) {
        ssize_t sent = send(f->client, text.data, text.len, MSG_NOSIGNAL);

        if (sent > 0)
            text = bytes_of(text.data + sent, text.len - (size_t)sent);
        else if (errno != EAGAIN)
            return;
        turn(f);
    }
}

static void say(struct fixture *f, const char *text)
{
    say_bytes(f, bytes_of_text(text));
}

/* A turn, unless the test has been waiting for longer than any machine needs. */
static bool turn_again(struct fixture *f)
{
    if (f->waits_since_ns == 0)
        f->waits_since_ns = uv_hrtime();
    turn(f);
    return uv_hrtime() - f->waits_since_ns < 20000000000;
}

/* Until the client has seen `text`. */
static bool sees(struct fixture *f, const char *text)
{
    while (strstr(buf_text(&f->in), text) == NULL)
        if (!turn_again(f))
            return false;
    return true;
}

static bool sees_close(struct fixture *f)
{
    while (!f->closed_by_server)
        if (!turn_again(f))
            return false;
    return true;
}

static void until_done(struct fixture *f, unsigned count)
{
    while (f->done < count && turn_again(f))
        ;
    EXPECT_EQ(f->done, count);
}

static const char get_request[] = "GET /a%20b//../c?x=%41&y HTTP/1.1\r\n"
                                  "Host: h\r\n"
                                  "X-Amz-Date:  1 \r\n"
                                  "x-amz-date: 2\r\n\r\n";

TEST(a_request_is_seen_exactly_as_it_was_sent)
{
    struct fixture f;

    start(&f, ANSWER_AT_ONCE, NULL);
    say(&f, get_request);
    EXPECT(sees(&f, "\r\n\r\nhello"));
    EXPECT_TEXT(f.method, "GET");
    EXPECT_TEXT(f.target, "/a%20b//../c?x=%41&y");
    EXPECT_TEXT(f.fields, "Host=h;X-Amz-Date=1;x-amz-date=2;");
    EXPECT(strstr(buf_text(&f.in), "HTTP/1.1 200 OK\r\n") != NULL);
    EXPECT(strstr(buf_text(&f.in), "ETag: \"abc\"\r\n") != NULL);
    EXPECT(strstr(buf_text(&f.in), "Content-Length: 5\r\n") != NULL);
    until_done(&f, 1);
    EXPECT_EQ(f.outcome, ST_OK);
    stop(&f);
}

TEST(a_connection_is_kept_and_pipelined_requests_are_answered_in_order)
{
    struct fixture f;

    start(&f, ANSWER_AT_ONCE, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        say(&f, get_request);
        until_done(&f, i);
    }
    say(&f, get_request);
    say(&f, get_request);
    until_done(&f, 5);
    EXPECT(!f.closed_by_server);
    EXPECT_EQ(f.requests, 5);
    stop(&f);
}

TEST(an_answer_may_come_later_and_leaves_in_the_same_turn)
{
    struct fixture f;

    start(&f, ANSWER_LATER, NULL);
    say(&f, get_request);
    turns(&f, 5);
    EXPECT(f.req != NULL);
    EXPECT_EQ(http_server_requests(f.server), 1);
    http_respond(f.req, &ok, bytes_of_text("later"));
    EXPECT_EQ(f.done, 0);
    turn(&f);
    EXPECT_EQ(f.done, 1);
    EXPECT(strstr(buf_text(&f.in), "later") != NULL);
    EXPECT_EQ(http_server_requests(f.server), 0);
    stop(&f);
}

TEST(a_body_is_collected)
{
    struct fixture f;

    start(&f, ANSWER_AFTER_COLLECT, NULL);
    say(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello ");
    turns(&f, 5);
    EXPECT_EQ(f.ends, 0);
    say(&f, "world");
    EXPECT(sees(&f, "\r\n\r\nhello world"));
    say(&f, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5\r\nchunk\r\n3\r\ned!\r\n0\r\n\r\n");
    EXPECT(sees(&f, "\r\n\r\nchunked!"));
    say(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    until_done(&f, 3);
    EXPECT_EQ(f.ends, 3);
    EXPECT(!f.closed_by_server);
    stop(&f);
}

TEST(a_body_over_the_limit_is_the_handlers_to_refuse)
{
    struct fixture f;

    start(&f, ANSWER_AFTER_COLLECT, NULL);
    f.collect_max = 10;
    say(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world");
    EXPECT(sees(&f, "413 "));
    say(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhelloworld");
    EXPECT(sees(&f, "helloworld"));
    until_done(&f, 2);
    EXPECT(!f.closed_by_server);
    stop(&f);
}

TEST(who_asks_before_sending_is_told_to_go_on_only_when_the_body_is_wanted)
{
    struct fixture f;
    const char *head =
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";

    start(&f, ANSWER_LATER, NULL);
    say(&f, head);
    turns(&f, 20);
    EXPECT_EQ(f.in.len, 0);
    f.how = ANSWER_AFTER_COLLECT;
    http_request_collect(f.req, 100);
    EXPECT(sees(&f, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(&f, "ab");
    EXPECT(sees(&f, "\r\n\r\nab"));
    until_done(&f, 1);

    f.in.len = 0;
    f.how = ANSWER_AT_ONCE;
    say(&f, head);
    EXPECT(sees(&f, "hello"));
    EXPECT(strstr(buf_text(&f.in), "100 Continue") == NULL);
    EXPECT(sees_close(&f)); /* else the client could send the body as the next request */
    stop(&f);
}

TEST(an_answer_before_the_body_reaches_a_client_that_is_still_sending)
{
    struct fixture f;
    struct buf body = { 0 };

    start(&f, ANSWER_AT_ONCE, NULL);
    memset(buf_reserve(&body, 3 << 20), 'x', 3 << 20);
    body.len = 3 << 20;
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n");
    say_bytes(&f, buf_view(&body));
    EXPECT(sees(&f, "hello"));
    f.how = ANSWER_IN_BODY;
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3145728\r\n\r\n");
    say_bytes(&f, buf_view(&body));
    EXPECT(sees(&f, "enough"));
    EXPECT(f.body.len < 3 << 20);
    until_done(&f, 2);
    EXPECT(!f.closed_by_server);
    EXPECT_EQ(f.ends, 0);
    stop(&f);
    buf_done(&body);
}

TEST(a_handler_that_takes_little_holds_the_client_back)
{
    struct fixture f;

    start(&f, ANSWER_PIECES, NULL);
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd");
    turns(&f, 20);
    EXPECT_EQ(f.body.len, 1);
    for (size_t i = 2; i <= 4; i++) {
        EXPECT(f.req != NULL);
        http_request_read(f.req);
        turns(&f, 5);
        EXPECT_EQ(f.body.len, i);
    }
    EXPECT(sees(&f, "\r\n\r\nabcd"));
    until_done(&f, 1);
    EXPECT_EQ(f.ends, 1);
    stop(&f);
}

TEST(a_pushed_answer_is_sent_as_it_comes_in_chunks_or_with_its_length)
{
    struct fixture f;

    start(&f, ANSWER_LATER, NULL);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &ok, HTTP_LENGTH_UNKNOWN);
    EXPECT_EQ(http_push(f.req, bytes_of_text("one")), ST_OK);
    EXPECT(sees(&f, "3\r\none\r\n"));
    EXPECT_EQ(http_push(f.req, bytes_of_text("two")), ST_OK);
    http_push_end(f.req);
    EXPECT(sees(&f, "3\r\ntwo\r\n0\r\n\r\n"));
    until_done(&f, 1);

    say(&f, get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &ok, 6);
    EXPECT_EQ(http_push(f.req, bytes_of_text("thr")), ST_OK);
    EXPECT_EQ(http_push(f.req, bytes_of_text("ee.")), ST_OK);
    http_push_end(f.req);
    EXPECT(sees(&f, "Content-Length: 6\r\n"));
    EXPECT(sees(&f, "three."));
    until_done(&f, 2);
    EXPECT_EQ(f.outcome, ST_OK);
    EXPECT(!f.closed_by_server);
    stop(&f);
}

TEST(a_head_request_is_answered_with_the_length_alone)
{
    struct fixture f;

    start(&f, ANSWER_LATER, NULL);
    say(&f, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    turns(&f, 5);
    http_respond_stream(f.req, &ok, 5368709120);
    EXPECT_EQ(http_push(f.req, bytes_of_text("dropped")), ST_OK);
    EXPECT(sees(&f, "Content-Length: 5368709120\r\n"));
    until_done(&f, 1);
    EXPECT(strstr(buf_text(&f.in), "dropped") == NULL);
    EXPECT(!f.closed_by_server);
    stop(&f);
}

TEST(pushing_faster_than_the_client_reads_is_held_back)
{
    struct fixture f;
    static uint8_t block[65536];
    unsigned pushed = 0;
    int client;
    enum status st = ST_OK;

    start(&f, ANSWER_LATER, NULL);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &ok, HTTP_LENGTH_UNKNOWN);
    client = f.client;
    f.client = -1; /* it does not read for now */
    while (st == ST_OK && pushed < 10000) {
        st = http_push(f.req, bytes_of(block, sizeof block));
        pushed++;
        turns(&f, 2);
    }
    EXPECT_EQ(st, ST_LIMIT);
    EXPECT_EQ(f.drained, 0);
    f.client = client;
    while (f.drained == 0 && turn_again(&f))
        ;
    EXPECT_EQ(f.drained, 1);
    http_push_end(f.req);
    until_done(&f, 1);
    while (f.in.len < pushed * sizeof block && turn_again(&f))
        ;
    EXPECT(f.in.len > pushed * sizeof block);
    stop(&f);
}

TEST(a_file_is_sent_from_its_offset)
{
    struct fixture f;
    int fd = memfd_create("body", MFD_CLOEXEC);

    CHECK(write(fd, "0123456789", 10) == 10);
    start(&f, ANSWER_LATER, NULL);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_file(f.req, &ok, fd, 3, 4);
    EXPECT(sees(&f, "Content-Length: 4\r\n"));
    EXPECT(sees(&f, "\r\n\r\n3456"));
    until_done(&f, 1);
    EXPECT(fcntl(fd, F_GETFD) < 0);
    stop(&f);
}

static unsigned released;

static void release(void *data)
{
    released++;
    free(data);
}

TEST(bytes_that_were_taken_are_released_once)
{
    struct fixture f;

    released = 0;
    start(&f, ANSWER_LATER, NULL);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_owned(f.req, &ok, bytes_of(must_strdup("mine"), 4), release);
    EXPECT(sees(&f, "\r\n\r\nmine"));
    until_done(&f, 1);
    EXPECT_EQ(released, 1);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_owned(f.req, &ok, bytes_of(must_strdup(""), 0), release);
    until_done(&f, 2);
    EXPECT_EQ(released, 2);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_owned(f.req, &ok, bytes_of(must_strdup("gone"), 4), release);
    stop(&f);
    EXPECT_EQ(released, 3);
}

TEST(a_client_that_goes_is_told_of_once_and_the_request_still_ends)
{
    struct fixture f;

    start(&f, ANSWER_LATER, NULL);
    say(&f, get_request);
    turns(&f, 5);
    EXPECT_EQ(f.gone, 0);
    (void)close(f.client);
    f.client = -1;
    while (f.gone == 0 && turn_again(&f))
        ;
    turns(&f, 20);
    EXPECT_EQ(f.gone, 1);
    EXPECT_EQ(f.done, 0);
    http_respond(f.req, &ok, bytes_of_text("nobody there"));
    until_done(&f, 1);
    stop(&f);
}

TEST(a_client_that_goes_in_the_middle_of_its_body_ends_the_request)
{
    struct fixture f;

    start(&f, ANSWER_ECHO, NULL);
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
    turns(&f, 5);
    (void)close(f.client);
    f.client = -1;
    until_done(&f, 1);
    EXPECT_EQ(f.outcome, ST_IO);
    EXPECT_EQ(f.ends, 0);
    stop(&f);
}

TEST(an_aborted_request_closes_the_connection_in_every_state)
{
    for (int state = 0; state < 3; state++) {
        struct fixture f;

        start(&f, ANSWER_LATER, NULL);
        say(&f, get_request);
        turns(&f, 5);
        if (state > 0)
            http_respond_stream(f.req, &ok, HTTP_LENGTH_UNKNOWN);
        if (state > 1)
            EXPECT_EQ(http_push(f.req, bytes_of_text("part")), ST_OK);
        turns(&f, 5);
        http_request_abort(f.req);
        EXPECT(sees_close(&f));
        until_done(&f, 1);
        EXPECT_EQ(f.outcome, ST_CANCELLED);
        stop(&f);
    }
}

TEST(closing_the_server_ends_what_is_open)
{
    static const enum how states[] = { ANSWER_LATER, ANSWER_ECHO, ANSWER_PIECES, ANSWER_STREAM };

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        struct fixture f;

        start(&f, states[i], NULL);
        say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
        turns(&f, 5);
        if (states[i] == ANSWER_STREAM)
            http_respond_stream(f.req, &ok, 100);
        EXPECT_EQ(http_server_requests(f.server), 1);
        stop(&f);
        EXPECT_EQ(f.done, 1);
        EXPECT_EQ(f.outcome, ST_CANCELLED);
    }
}

/* Heads that two servers could read differently never reach a handler. */
static const struct {
    const char *name;
    const char *text;
    const char *want;
} refused_rows[] = {
    { "two lengths", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
      "400 " },
    { "length and chunks",
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "400 " },
    { "a coding we do not know", "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\na",
      "400 " },
    { "a signed length", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na", "400 " },
    { "two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "400 " },
    { "no host", "GET / HTTP/1.1\r\n\r\n", "400 " },
};

TEST(ambiguous_heads_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_rows); i++) {
        struct fixture f;

        test_case = refused_rows[i].name;
        start(&f, ANSWER_AT_ONCE, NULL);
        say(&f, refused_rows[i].text);
        EXPECT(sees(&f, refused_rows[i].want));
        EXPECT_EQ(f.requests, 0);
        EXPECT_EQ(f.done, 0);
        EXPECT(sees_close(&f));
        stop(&f);
    }
}

TEST(heads_are_limited_in_bytes_and_in_fields)
{
    for (int i = 0; i < 4; i++) {
        struct fixture f;
        struct buf text = { 0 };
        unsigned fields = i == 2 ? HTTP_FIELDS_MAX - 1 : i == 3 ? HTTP_FIELDS_MAX : 20;
        int value_bytes = i == 0 ? 1500 : i == 1 ? 2000 : 1;

        start(&f, ANSWER_AT_ONCE, NULL);
        buf_append_text(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
        for (unsigned k = 0; k < fields; k++)
            buf_printf(&text, "x-%03u: %0*d\r\n", k, value_bytes, 0);
        buf_append_text(&text, "\r\n");
        say_bytes(&f, buf_view(&text));
        EXPECT(sees(&f, i == 1 || i == 3 ? "431 " : "200 "));
        buf_done(&text);
        stop(&f);
    }
}

TEST(the_port_in_use_is_named)
{
    struct fixture f;
    struct err err = { 0 };
    char address[32];

    start(&f, ANSWER_AT_ONCE, NULL);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", f.port);
    EXPECT_EQ(http_server_listen(f.server, address, false, &err), ST_EXISTS);
    EXPECT(strstr(err.text, address) != NULL);
    EXPECT_EQ(http_server_listen(f.server, "localhost:80", false, &err), ST_BAD_INPUT);
    stop(&f);
}

TEST(several_sockets_of_both_families_serve_and_a_port_can_be_shared)
{
    struct fixture f;
    struct http_server *second;
    struct err err = { 0 };
    char address[32];

    start(&f, ANSWER_AT_ONCE, NULL);
    EXPECT_EQ(http_server_listen(f.server, "[::1]:0", false, &err), ST_OK);
    EXPECT_EQ(http_server_new(&f.loop, NULL, &handler, &f, &second, &err), ST_OK);
    EXPECT_EQ(http_server_listen(second, "127.0.0.1:0", true, &err), ST_OK);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", http_server_port(second));
    EXPECT_EQ(http_server_listen(f.server, address, true, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    say(&f, get_request);
    EXPECT(sees(&f, "hello"));
    http_server_close(second, NULL);
    stop(&f);
}

TEST(a_full_table_makes_room_by_closing_the_connection_idle_longest)
{
    struct fixture f;
    struct http_server_options options = { .connections_max = 2 };
    int first;
    int more;

    start(&f, ANSWER_AT_ONCE, &options);
    say(&f, get_request);
    until_done(&f, 1);
    first = f.client;
    more = client_connect(f.port);
    turns(&f, 5);
    f.client = client_connect(f.port);
    f.in.len = 0;
    say(&f, get_request);
    EXPECT(sees(&f, "hello"));
    (void)close(first);
    (void)close(more);
    stop(&f);
}

/* One short limit each: on a busy machine another one would fire before the bytes are read. */
static const struct http_server_options short_head = { .head_ms = 30 };
static const struct http_server_options short_idle = { .idle_ms = 30 };
static const struct http_server_options short_stall = { .stall_ms = 30 };

TEST(a_client_that_does_not_finish_its_head_is_cut)
{
    struct fixture f;

    start(&f, ANSWER_AT_ONCE, &short_head);
    say(&f, "GET / HTTP/1.1\r\nHost:");
    EXPECT(sees_close(&f));
    EXPECT_EQ(f.requests, 0);
    stop(&f);
    start(&f, ANSWER_AT_ONCE, &short_idle);
    say(&f, get_request);
    until_done(&f, 1);
    EXPECT(sees_close(&f)); /* idle for too long */
    EXPECT_EQ(f.outcome, ST_OK);
    stop(&f);
}

TEST(a_client_that_stops_in_its_body_is_cut)
{
    struct fixture f;

    start(&f, ANSWER_AFTER_COLLECT, &short_stall);
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
    EXPECT(sees_close(&f));
    until_done(&f, 1); /* the client may see the cut before the server has ended the request */
    EXPECT_EQ(f.done, 1);
    EXPECT_EQ(f.outcome, ST_TIMEOUT);
    stop(&f);
}

TEST(a_client_that_does_not_read_its_answer_is_cut)
{
    struct fixture f;
    static uint8_t block[65536];
    int client;

    start(&f, ANSWER_LATER, &short_stall);
    say(&f, get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &ok, HTTP_LENGTH_UNKNOWN);
    for (int i = 0; i < 512; i++) /* more than both kernels' buffers take */
        (void)http_push(f.req, bytes_of(block, sizeof block));
    client = f.client;
    f.client = -1; /* it does not read */
    until_done(&f, 1);
    f.client = client;
    EXPECT_EQ(f.done, 1);
    EXPECT_EQ(f.outcome, ST_TIMEOUT);
    stop(&f);
}

TEST(a_request_that_waits_for_us_is_never_cut)
{
    struct fixture f;
    uint64_t until;

    start(&f, ANSWER_LATER, &short_stall);
    say(&f, get_request);
    turns(&f, 5);
    until = uv_now(&f.loop) + 5 * short_stall.stall_ms;
    while (uv_now(&f.loop) < until)
        turn(&f);
    EXPECT_EQ(f.done, 0);
    http_respond(f.req, &ok, bytes_of_text("at last"));
    EXPECT(sees(&f, "at last"));
    until_done(&f, 1);
    EXPECT_EQ(f.outcome, ST_OK);
    stop(&f);
}
