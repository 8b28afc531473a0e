/* The server with a real client socket (http_fixture.h). */
#include "base/http_server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/http_fixture.h"

TEST(a_request_is_seen_exactly_as_it_was_sent)
{
    struct fixture f;

    start(&f, ANSWER_AT_ONCE, NULL);
    say(&f, http_get_request);
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
        say(&f, http_get_request);
        until_done(&f, i);
    }
    say(&f, http_get_request);
    say(&f, http_get_request);
    until_done(&f, 5);
    EXPECT(!f.closed_by_server);
    EXPECT_EQ(f.requests, 5);
    stop(&f);
}

TEST(an_answer_may_come_later_and_leaves_in_the_same_turn)
{
    struct fixture f;

    start(&f, ANSWER_LATER, NULL);
    say(&f, http_get_request);
    turns(&f, 5);
    EXPECT(f.req != NULL);
    EXPECT_EQ(http_server_requests(f.server), 1);
    http_respond(f.req, &http_ok, bytes_of_text("later"));
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

TEST(who_asks_before_sending_nothing_gets_a_connection_of_its_own)
{
    struct fixture f;

    start(&f, ANSWER_AT_ONCE, NULL);
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    EXPECT(sees(&f, "hello"));
    EXPECT(strstr(buf_text(&f.in), "Connection: close") != NULL);
    EXPECT(sees_close(&f));
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
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &http_ok, HTTP_LENGTH_UNKNOWN);
    EXPECT_EQ(http_push(f.req, bytes_of_text("one")), ST_OK);
    EXPECT(sees(&f, "3\r\none\r\n"));
    EXPECT_EQ(http_push(f.req, bytes_of_text("two")), ST_OK);
    http_push_end(f.req);
    EXPECT(sees(&f, "3\r\ntwo\r\n0\r\n\r\n"));
    until_done(&f, 1);

    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &http_ok, 6);
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
    http_respond_stream(f.req, &http_ok, 5368709120);
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
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &http_ok, HTTP_LENGTH_UNKNOWN);
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
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_file(f.req, &http_ok, fd, 3, 4);
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
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_owned(f.req, &http_ok, bytes_of(must_strdup("mine"), 4), release);
    EXPECT(sees(&f, "\r\n\r\nmine"));
    until_done(&f, 1);
    EXPECT_EQ(released, 1);
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_owned(f.req, &http_ok, bytes_of(must_strdup(""), 0), release);
    until_done(&f, 2);
    EXPECT_EQ(released, 2);
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_owned(f.req, &http_ok, bytes_of(must_strdup("gone"), 4), release);
    stop(&f);
    EXPECT_EQ(released, 3);
}

TEST(a_client_that_goes_is_told_of_once_and_the_request_still_ends)
{
    struct fixture f;

    start(&f, ANSWER_LATER, NULL);
    say(&f, http_get_request);
    turns(&f, 5);
    EXPECT_EQ(f.gone, 0);
    (void)close(f.client);
    f.client = -1;
    while (f.gone == 0 && turn_again(&f))
        ;
    turns(&f, 20);
    EXPECT_EQ(f.gone, 1);
    EXPECT_EQ(f.done, 0);
    http_respond(f.req, &http_ok, bytes_of_text("nobody there"));
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
        say(&f, http_get_request);
        turns(&f, 5);
        if (state > 0)
            http_respond_stream(f.req, &http_ok, HTTP_LENGTH_UNKNOWN);
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
            http_respond_stream(f.req, &http_ok, 100);
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
        int value_bytes = i == 0 ? 780 : i == 1 ? 820 : 1;

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
    EXPECT_EQ(http_server_new(&f.loop, NULL, &http_fixture_handler, &f, &second, &err), ST_OK);
    EXPECT_EQ(http_server_listen(second, "127.0.0.1:0", true, &err), ST_OK);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", http_server_port(second));
    EXPECT_EQ(http_server_listen(f.server, address, true, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    say(&f, http_get_request);
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
    say(&f, http_get_request);
    until_done(&f, 1);
    first = f.client;
    more = client_connect(f.port);
    turns(&f, 5);
    connect_anew(&f);
    say(&f, http_get_request);
    EXPECT(sees(&f, "hello"));
    (void)close(first);
    (void)close(more);
    stop(&f);
}

/* More than could be served in the fixture's time if each had to wait for the end of a pause. */
TEST(a_full_table_of_idle_connections_keeps_no_new_client_waiting)
{
    enum { TABLE = 8, CLIENTS = 400 };
    struct fixture f;
    struct http_server_options options = { .connections_max = TABLE };
    int idle[TABLE];

    start(&f, ANSWER_AT_ONCE, &options);
    for (int i = 0; i < TABLE; i++)
        idle[i] = client_connect(f.port);
    for (int i = 0; i < CLIENTS; i++) {
        (void)close(f.client);
        connect_anew(&f);
        say(&f, http_get_request);
        if (!sees(&f, "hello")) {
            EXPECT_EQ(i, CLIENTS); /* the first that waits in vain tells enough */
            break;
        }
        idle[i % TABLE] = (close(idle[i % TABLE]), client_connect(f.port));
    }
    for (int i = 0; i < TABLE; i++)
        (void)close(idle[i]);
    stop(&f);
}
