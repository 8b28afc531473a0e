/* The server's limits of time: who is slow is cut, who waits for us is not. */
#include "base/http_server.h"

#include "tests/unit/check.h"
#include "tests/unit/http_fixture.h"

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
    say(&f, http_get_request);
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
    say(&f, http_get_request);
    turns(&f, 5);
    http_respond_stream(f.req, &http_ok, HTTP_LENGTH_UNKNOWN);
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
    say(&f, http_get_request);
    turns(&f, 5);
    until = uv_now(&f.loop) + 5 * short_stall.stall_ms;
    while (uv_now(&f.loop) < until)
        turn(&f);
    EXPECT_EQ(f.done, 0);
    http_respond(f.req, &http_ok, bytes_of_text("at last"));
    EXPECT(sees(&f, "at last"));
    until_done(&f, 1);
    EXPECT_EQ(f.outcome, ST_OK);
    stop(&f);
}

TEST(a_body_that_does_not_end_is_cut_when_enough_of_it_was_read_in_vain)
{
    static uint8_t block[65536];
    struct fixture f;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = 'x';
    start(&f, ANSWER_AFTER_COLLECT, NULL);
    f.collect_max = 10;
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t sent = 0; sent < 2 * (size_t)HTTP_DISCARD_BYTES_MAX && !f.closed_by_server;
         sent += sizeof block) {
        say(&f, "10000\r\n");
        say_bytes(&f, bytes_of(block, sizeof block));
        say(&f, "\r\n");
    }
    EXPECT(sees_close(&f));
    until_done(&f, 1);
    EXPECT_EQ(f.outcome, ST_CANCELLED);
    EXPECT_EQ(f.ends, 0);
    stop(&f);
}
