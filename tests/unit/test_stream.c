#include "base/stream.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/address.h"
#include "base/stream_internal.h"
#include "tests/unit/check.h"

/* Two ends on one loop: a listener and a dialer that talk over loopback. */
struct ends {
    uv_loop_t loop;
    struct stream_identity server_id;
    struct stream_identity client_id;
    struct stream_listener *listener;
    struct stream_dialer *dialer;
    unsigned opened;
    unsigned closed;
    unsigned echoed;
    size_t bytes_back;
    bool refuse;
    uint16_t port;
};

static struct ends *the_ends;

static void server_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    EXPECT_EQ(stream_send(stream, type, body, bytes_of(NULL, 0)), ST_OK);
}

static void server_close(struct stream *stream,
                         enum status why,
                         const struct err *err,
                         void *context)
{
    the_ends->closed++;
}

static void *server_accept(struct stream *stream, const struct stream_hello *peer, void *context)
{
    return the_ends->refuse ? NULL : context;
}

static const struct stream_handler server_handler = { NULL, server_frame, NULL, server_close };

enum { BIG_BYTES = FRAME_BYTES_MAX };

static void finish(struct ends *ends)
{
    stream_dialer_close(ends->dialer);
    stream_listener_close(ends->listener);
    ends->dialer = NULL;
    ends->listener = NULL;
}

static void client_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct ends *ends = context;
    uint8_t *big = must_calloc(1, BIG_BYTES + 1);

    ends->opened++;
    EXPECT_TEXT(peer->node, "server");
    memset(big, 'x', BIG_BYTES);
    EXPECT_EQ(stream_send(stream, 7, bytes_of_text("he"), bytes_of_text("llo")), ST_OK);
    EXPECT_EQ(stream_send(stream, 8, bytes_of(big, BIG_BYTES), bytes_of(NULL, 0)), ST_OK);
    EXPECT_EQ(stream_send(stream, 9, bytes_of(big, BIG_BYTES + 1), bytes_of(NULL, 0)), ST_LIMIT);
    EXPECT_EQ(stream_send(stream, 9, bytes_of(big, BIG_BYTES), bytes_of("y", 1)), ST_LIMIT);
    free(big);
}

static void client_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct ends *ends = context;

    ends->echoed++;
    ends->bytes_back += body.len;
    if (type == 7)
        EXPECT(bytes_equal(body, bytes_of_text("hello")));
    if (type == 8) {
        EXPECT_EQ(body.len, BIG_BYTES);
        finish(ends);
    }
}

static void client_close(struct stream *stream,
                         enum status why,
                         const struct err *err,
                         void *context)
{
    EXPECT_EQ(why, ST_CANCELLED);
    the_ends->closed++;
}

static const struct stream_handler client_handler = { client_open, client_frame, NULL,
                                                      client_close };

static void identity(struct stream_identity *id, const char *node, const char *cluster, uint8_t key)
{
    memset(id, 0, sizeof *id);
    (void)strcpy(id->self.cluster, cluster);
    (void)strcpy(id->self.node, node);
    (void)strcpy(id->self.role, "test");
    (void)strcpy(id->self.zone, "a");
    id->self.epoch = 5;
    memset(id->key, key, sizeof id->key);
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    EXPECT(fd >= 0);
    EXPECT_EQ(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
    EXPECT_EQ(getsockname(fd, (struct sockaddr *)&where, &len), 0);
    EXPECT_EQ(close(fd), 0);
    return ntohs(where.sin_port);
}

static void open_ends(struct ends *ends, const struct stream_handler *client)
{
    char address[32];
    struct err err;

    the_ends = ends;
    EXPECT_EQ(uv_loop_init(&ends->loop), 0);
    ends->port = free_port();
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", ends->port);
    EXPECT_EQ(stream_listen(&ends->loop, address, &ends->server_id, STREAM_BLOB, &server_handler,
                            server_accept, ends, &ends->listener, &err),
              ST_OK);
    EXPECT_EQ(stream_dial(&ends->loop, address, &ends->client_id, STREAM_BLOB, client, ends,
                          &ends->dialer, &err),
              ST_OK);
}

TEST(frames_of_every_size_up_to_the_limit_come_back_whole_and_in_order)
{
    struct ends ends = { 0 };

    identity(&ends.server_id, "server", "one", 1);
    identity(&ends.client_id, "client", "one", 1);
    open_ends(&ends, &client_handler);
    (void)uv_run(&ends.loop, UV_RUN_DEFAULT);
    EXPECT_EQ(ends.opened, 1);
    EXPECT_EQ(ends.echoed, 2);
    EXPECT_EQ(ends.bytes_back, BIG_BYTES + 5);
    EXPECT_EQ(ends.closed, 2);
    EXPECT_EQ(uv_loop_close(&ends.loop), 0);
}

static const struct {
    const char *name;
    const char *cluster;
    uint8_t key;
    bool refuse;
} strangers[] = {
    { "another key", "one", 2, false },
    { "another cluster", "two", 1, false },
    { "a node that nobody expects", "one", 1, true },
};

static unsigned gone;

static void stranger_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    EXPECT(!"a stranger's stream must not open");
}

static void stop_when_tried(uv_timer_t *timer)
{
    struct ends *ends = timer->data;

    gone++;
    finish(ends);
    uv_close((uv_handle_t *)timer, NULL);
}

static const struct stream_handler stranger_handler = { stranger_open, client_frame, NULL,
                                                        client_close };

TEST(strangers_never_open_a_stream)
{
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        struct ends ends = { 0 };
        uv_timer_t timer;

        test_case = strangers[i].name;
        identity(&ends.server_id, "server", "one", 1);
        identity(&ends.client_id, "client", strangers[i].cluster, strangers[i].key);
        ends.refuse = strangers[i].refuse;
        open_ends(&ends, &stranger_handler);
        timer.data = &ends;
        EXPECT_EQ(uv_timer_init(&ends.loop, &timer), 0);
        EXPECT_EQ(uv_timer_start(&timer, stop_when_tried, 100, 0), 0);
        (void)uv_run(&ends.loop, UV_RUN_DEFAULT);
        EXPECT_EQ(ends.closed, 0);
        EXPECT_EQ(ends.opened, 0);
        EXPECT_EQ(uv_loop_close(&ends.loop), 0);
    }
    EXPECT_EQ(gone, ARRAY_LEN(strangers));
}

TEST(a_hello_survives_encoding_and_every_cut_is_refused)
{
    struct stream_hello hello = {
        .cluster = "c1",
        .node = "n",
        .role = "worker",
        .zone = "b",
        .epoch = 1ull << 40,
        .version = 3,
        .service = 4,
    };
    struct stream_hello back;
    struct buf bytes = { 0 };
    struct err err;

    stream_hello_encode(&hello, &bytes);
    EXPECT_EQ(stream_hello_decode(buf_view(&bytes), &back, &err), ST_OK);
    EXPECT_TEXT(back.zone, "b");
    EXPECT_EQ(back.epoch, hello.epoch);
    for (size_t len = 0; len < bytes.len; len++)
        EXPECT_EQ(stream_hello_decode(bytes_of(bytes.data, len), &back, &err), ST_BAD_INPUT);
    buf_append_text(&bytes, "what a later release adds");
    EXPECT_EQ(stream_hello_decode(buf_view(&bytes), &back, &err), ST_OK);
    buf_done(&bytes);
}

static const struct {
    const char *text;
    bool want;
} addresses[] = {
    { "127.0.0.1:80", true },   { "[::1]:65535", true }, { "0.0.0.0:0", true },
    { "127.0.0.1", false },     { "127.0.0.1:", false }, { "127.0.0.1:65536", false },
    { "127.0.0.1:-1", false },  { "::1:80", false },     { "localhost:80", false },
    { "127.0.0.1:80x", false }, { "", false },           { "[]:80", false },
};

TEST(addresses_are_numeric_with_a_port)
{
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct sockaddr_storage out;
        struct err err = { 0 };

        test_case = addresses[i].text;
        EXPECT_EQ(address_parse(addresses[i].text, &out, &err) == ST_OK, addresses[i].want);
        EXPECT_EQ(err.text[0] == '\0', addresses[i].want);
    }
}
