#include "worker/runtime/runtime_server.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/unit/check.h"

enum { TURNS_MAX = 200000, CLIENTS = 2 };

#define API      "/2018-06-01/runtime/"
#define GET_NEXT "GET " API "invocation/next HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, body_len, body)                                                                 \
    "POST " API path " HTTP/1.1\r\nHost: a\r\nContent-Length: " body_len "\r\n\r\n" body

/* A server on a loop, and what it told. */
static struct {
    uv_loop_t loop;
    struct runtime_server *server;
    struct sockaddr_in address;
    int clients[CLIENTS];
    unsigned nexts, answers, init_errors;
    bool failed, too_large;
    size_t body_bytes;
    char body[64], error_type[64];
} t;

static void on_next(void *context)
{
    t.nexts++;
}

static void keep(const struct runtime_answer *answer)
{
    size_t len = answer->body.len < sizeof t.body ? answer->body.len : sizeof t.body - 1;

    t.failed = answer->failed;
    t.too_large = answer->too_large;
    t.body_bytes = answer->body.len;
    memcpy(t.body, answer->body.data == NULL ? (const uint8_t *)"" : answer->body.data, len);
    t.body[len] = '\0';
    (void)snprintf(t.error_type, sizeof t.error_type, "%s", answer->error_type);
}

static void on_answer(const struct runtime_answer *answer, void *context)
{
    t.answers++;
    keep(answer);
}

static void on_init_error(const struct runtime_answer *answer, void *context)
{
    t.init_errors++;
    keep(answer);
    runtime_server_close(t.server); /* as the agent does: inside the callback */
}

static const struct runtime_handler handler = { on_next, on_answer, on_init_error };

static void open_client(int index)
{
    t.clients[index] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(t.clients[index], (struct sockaddr *)&t.address, sizeof t.address) == 0);
}

static void start(void)
{
    socklen_t len = sizeof t.address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct err err;

    memset(&t, 0, sizeof t);
    t.address.sin_family = AF_INET;
    t.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&t.address, len) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&t.address, &len) == 0);
    CHECK(uv_loop_init(&t.loop) == 0);
    CHECK(runtime_server_start(&t.loop, fd, &handler, NULL, &t.server, &err) == ST_OK);
    for (int i = 0; i < CLIENTS; i++)
        open_client(i);
}

static void stop(void)
{
    runtime_server_close(t.server);
    for (int i = 0; i < CLIENTS; i++)
        (void)close(t.clients[i]);
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&t.loop), 0);
}

static void turn(void)
{
    (void)uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void say(int client, const char *text)
{
    size_t len = strlen(text), done = 0;

    while (done < len) {
        ssize_t sent =
            send(t.clients[client], text + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0)
            done += (size_t)sent;
        turn();
    }
}

/* The status of the next answer, 0 when the connection was closed, -1 when nothing came. */
static int hear(int client)
{
    static char text[65536];
    size_t len = 0;

    for (int i = 0; i < TURNS_MAX; i++) {
        ssize_t got = recv(t.clients[client], text + len, sizeof text - 1 - len, MSG_DONTWAIT);
        const char *end, *field;

        turn();
        if (got == 0)
            return 0;
        if (got < 0)
            continue;
        len += (size_t)got;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        field = strstr(text, "Content-Length: ");
        if (end != NULL && field != NULL &&
            len >= (size_t)(end + 4 - text) + strtoul(field + 16, NULL, 10))
            return atoi(text + 9);
    }
    return -1;
}

static void wait_for_next(unsigned count)
{
    for (int i = 0; i < TURNS_MAX && t.nexts < count; i++)
        turn();
    EXPECT_EQ(t.nexts, count);
}

static void hand_out(const char *id)
{
    struct runtime_event event = {
        .request_id = id, .deadline_ms = 1, .trace_id = "a\r\nX: y", .payload = bytes_of_text("{}")
    };

    runtime_server_hand_out(t.server, &event);
}

TEST(an_event_goes_out_and_its_answer_comes_back_on_one_connection)
{
    start();
    for (unsigned i = 1; i <= 3; i++) {
        say(0, GET_NEXT);
        wait_for_next(i);
        hand_out("id-1");
        EXPECT_EQ(hear(0), 200);
        say(0, POST("invocation/id-1/response", "4", "done"));
        EXPECT_EQ(hear(0), 202);
        EXPECT_EQ(t.answers, i);
        EXPECT(!t.failed);
        EXPECT_TEXT(t.body, "done");
    }
    stop();
}

/* All that a client has been sent until now. */
static const char *heard(int client)
{
    static char text[65536];
    size_t len = 0;
    ssize_t got;

    for (int i = 0; i < 100; i++) /* what is written is there at once on loopback */
        turn();
    while ((got = recv(t.clients[client], text + len, sizeof text - 1 - len, MSG_DONTWAIT)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    return text;
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

TEST(an_answer_that_brings_the_next_request_is_acknowledged_with_the_next_event)
{
    const char *text;

    start();
    say(0, GET_NEXT);
    wait_for_next(1);
    hand_out("id-1");
    EXPECT_EQ(hear(0), 200);
    say(0, POST("invocation/id-1/response", "4", "done") GET_NEXT);
    wait_for_next(2);
    EXPECT_EQ(t.answers, 1);
    EXPECT_TEXT(heard(0), "");
    hand_out("id-2");
    text = heard(0);
    EXPECT(strncmp(text, "HTTP/1.1 202 ", 13) == 0);
    EXPECT(strstr(text, "{\"status\":\"OK\"}\nHTTP/1.1 200 ") != NULL);
    EXPECT(strstr(text, "id-2") != NULL);
    stop();
}

TEST(what_waits_for_a_next_response_is_bounded)
{
    enum { PINGS = 100 };
    struct buf pings = { 0 };

    start();
    for (unsigned i = 0; i < PINGS; i++)
        buf_append_text(&pings, "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_append_text(&pings, "GET /ping HTTP/1.1\r\nHo"); /* never whole, so nothing makes them go */
    say(0, buf_text(&pings));
    EXPECT(count_of(heard(0), "pong") > PINGS / 2);
    say(0, "st: a\r\n\r\n");
    EXPECT(count_of(heard(0), "pong") > 0);
    buf_done(&pings);
    stop();
}

static const struct {
    const char *name, *request;
    int want;
} rows[] = {
    { "a ping", "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n", 200 },
    { "an unknown path", "GET /other HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
    { "a wrong id", POST("invocation/id-2/response", "2", "{}"), 400 },
    { "next out of turn", GET_NEXT, 403 },
    { "init error out of turn", POST("init/error", "2", "{}"), 403 },
    { "not HTTP", "nonsense\r\n\r\n", 400 },
};

TEST(a_call_that_is_wrong_changes_nothing)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        start();
        say(0, GET_NEXT);
        wait_for_next(1);
        hand_out("id-1");
        EXPECT_EQ(hear(0), 200);
        say(1, rows[i].request);
        EXPECT_EQ(hear(1), rows[i].want);
        EXPECT_EQ(t.answers, 0);
        say(0, "POST " API "invocation/id-1/error HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
               "Lambda-Runtime-Function-Error-Type: Function.Mine\r\n\r\n{}");
        EXPECT_EQ(hear(0), 202);
        EXPECT_EQ(t.answers, 1);
        EXPECT(t.failed);
        EXPECT_TEXT(t.error_type, "Function.Mine");
        stop();
    }
}

TEST(a_response_of_the_limit_passes_and_one_byte_more_does_not)
{
    for (int extra = 0; extra <= 1; extra++) {
        size_t len = PAYLOAD_BYTES_MAX + (size_t)extra;
        struct buf request = { 0 };

        test_case = extra == 0 ? "the limit" : "one more";
        buf_printf(&request,
                   "POST " API "invocation/id-1/response HTTP/1.1\r\nHost: a\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   len);
        memset(buf_reserve(&request, len), 'x', len);
        request.len += len;
        start();
        say(0, GET_NEXT);
        wait_for_next(1);
        hand_out("id-1");
        EXPECT_EQ(hear(0), 200);
        say(0, buf_text(&request));
        EXPECT_EQ(hear(0), extra == 0 ? 202 : 413);
        EXPECT_EQ(t.answers, 1);
        EXPECT_EQ(t.too_large, extra == 1);
        EXPECT(extra == 1 || t.body_bytes == len);
        buf_done(&request);
        stop();
    }
}

TEST(an_init_error_is_told_and_the_server_may_be_closed_in_it)
{
    start();
    say(0, POST("init/error", "5", "{\"a\":"));
    for (int i = 0; i < TURNS_MAX && t.init_errors == 0; i++)
        turn();
    EXPECT_EQ(t.init_errors, 1);
    EXPECT_TEXT(t.body, "{\"a\":");
    t.server = NULL;
    stop();
}

TEST(a_second_next_takes_the_place_of_the_first)
{
    start();
    say(0, GET_NEXT);
    wait_for_next(1);
    say(1, GET_NEXT);
    EXPECT_EQ(hear(0), 0);
    EXPECT_EQ(t.nexts, 1); /* the agent knows of one environment that waits */
    hand_out("id-1");
    EXPECT_EQ(hear(1), 200);
    stop();
}

TEST(a_peer_that_talks_while_next_is_open_is_cut_off)
{
    start();
    say(0, GET_NEXT);
    wait_for_next(1);
    say(0, GET_NEXT);
    EXPECT_EQ(hear(0), 0);
    stop();
}
