#include "base/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/address.h"
#include "base/identity.h"
#include "base/stream_internal.h"
#include "tests/unit/certificates.h"
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
    enum stream_service service;
    const char *expected; /* whom the dialer expects */
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

static void open_listener(struct ends *ends)
{
    char address[32];
    struct err err;

    the_ends = ends;
    EXPECT_EQ(uv_loop_init(&ends->loop), 0);
    ends->port = free_port();
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", ends->port);
    EXPECT_EQ(stream_listen(&ends->loop,
                            &(struct stream_listen_options){
                                .address = address,
                                .identity = &ends->server_id,
                                .service = ends->service,
                                .handler = &server_handler,
                                .accepted = server_accept,
                                .context = ends,
                            },
                            &ends->listener, &err),
              ST_OK);
}

static void open_dialer(struct ends *ends, const struct stream_handler *client)
{
    char address[32];
    struct err err;

    (void)snprintf(address, sizeof address, "127.0.0.1:%u", ends->port);
    EXPECT_EQ(stream_dial(&ends->loop,
                          &(struct stream_dial_options){
                              .address = address,
                              .identity = &ends->client_id,
                              .service = ends->service,
                              .node = ends->expected,
                              .handler = client,
                              .context = ends,
                          },
                          &ends->dialer, &err),
              ST_OK);
}

static void open_ends(struct ends *ends, const struct stream_handler *client)
{
    open_listener(ends);
    open_dialer(ends, client);
}

static void close_ends(struct ends *ends)
{
    EXPECT_EQ(uv_loop_close(&ends->loop), 0);
    identity_done(&ends->server_id);
    identity_done(&ends->client_id);
}

TEST(frames_of_every_size_up_to_the_limit_come_back_whole_and_in_order)
{
    struct ends ends = { .service = STREAM_BLOB, .expected = "server" };

    test_identity("one/objstore/a/server", &ends.server_id);
    test_identity("one/objstore/b/client", &ends.client_id);
    open_ends(&ends, &client_handler);
    (void)uv_run(&ends.loop, UV_RUN_DEFAULT);
    EXPECT_EQ(ends.opened, 1);
    EXPECT_EQ(ends.echoed, 2);
    EXPECT_EQ(ends.bytes_back, BIG_BYTES + 5);
    EXPECT_EQ(ends.closed, 2);
    close_ends(&ends);
}

/* What the dialer is, and one thing that is wrong with it or with whom it dials. */
static const struct {
    const char *name;
    const char *client; /* by its certificate */
    const char *hello_node;
    const char *hello_zone;
    const char *expected;
    enum stream_service service;
    bool refuse;
} strangers[] = {
    { "another cluster, and so another CA", "two/objstore/b/client", NULL, NULL, NULL, STREAM_BLOB,
      false },
    { "a role without business here", "one/worker/b/client", NULL, NULL, NULL, STREAM_BLOB, false },
    { "a server's role without business here", "one/controlplane/b/client", NULL, NULL, NULL,
      STREAM_INVOKE, false },
    { "a hello with another node than the certificate", "one/objstore/b/client", "other", NULL,
      NULL, STREAM_BLOB, false },
    { "a hello with another zone than the certificate", "one/objstore/b/client", NULL, "c", NULL,
      STREAM_BLOB, false },
    { "a server that is not the one expected", "one/objstore/b/client", NULL, NULL, "server-b",
      STREAM_BLOB, false },
    { "a node that nobody expects", "one/objstore/b/client", NULL, NULL, NULL, STREAM_BLOB, true },
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
        struct ends ends = { .service = strangers[i].service, .expected = strangers[i].expected };
        uv_timer_t timer;

        test_case = strangers[i].name;
        test_identity("one/objstore/a/server", &ends.server_id);
        test_identity(strangers[i].client, &ends.client_id);
        if (strangers[i].hello_node != NULL)
            (void)strcpy(ends.client_id.self.node, strangers[i].hello_node);
        if (strangers[i].hello_zone != NULL)
            (void)strcpy(ends.client_id.self.zone, strangers[i].hello_zone);
        ends.refuse = strangers[i].refuse;
        open_ends(&ends, &stranger_handler);
        timer.data = &ends;
        EXPECT_EQ(uv_timer_init(&ends.loop, &timer), 0);
        EXPECT_EQ(uv_timer_start(&timer, stop_when_tried, 100, 0), 0);
        (void)uv_run(&ends.loop, UV_RUN_DEFAULT);
        EXPECT_EQ(ends.closed, 0);
        EXPECT_EQ(ends.opened, 0);
        close_ends(&ends);
    }
    EXPECT_EQ(gone, ARRAY_LEN(strangers));
}

/* ---- more handshakes than there may be at once ---- */

static int connect_silently(uv_loop_t *loop, uint16_t port)
{
    struct sockaddr_in where = { .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    EXPECT(fd >= 0);
    EXPECT_EQ(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    (void)uv_run(loop, UV_RUN_NOWAIT); /* it is accepted */
    (void)uv_run(loop, UV_RUN_NOWAIT); /* and whom it pushes out is closed */
    return fd;
}

static bool is_open(int fd)
{
    uint8_t byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void leave_cb(uv_timer_t *timer)
{
    struct ends *ends = timer->data;

    if (ends->opened == 0 && ++gone < 1000)
        return;
    finish(ends);
    uv_close((uv_handle_t *)timer, NULL);
}

static void guest_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    the_ends->opened++;
}

static const struct stream_handler guest_handler = { guest_open, client_frame, NULL, client_close };

TEST(of_too_many_handshakes_the_oldest_goes_and_a_peer_with_a_certificate_gets_in)
{
    struct ends ends = { .service = STREAM_BLOB };
    int fds[STREAM_HANDSHAKES_MAX + 1];
    uv_timer_t timer;

    gone = 0;
    test_identity("one/objstore/a/server", &ends.server_id);
    test_identity("one/objstore/b/client", &ends.client_id);
    open_listener(&ends);
    for (size_t i = 0; i < STREAM_HANDSHAKES_MAX; i++)
        fds[i] = connect_silently(&ends.loop, ends.port);
    EXPECT(is_open(fds[0]));
    fds[STREAM_HANDSHAKES_MAX] = connect_silently(&ends.loop, ends.port);
    EXPECT(!is_open(fds[0]));
    EXPECT(is_open(fds[1]));
    open_dialer(&ends, &guest_handler);
    timer.data = &ends;
    EXPECT_EQ(uv_timer_init(&ends.loop, &timer), 0);
    EXPECT_EQ(uv_timer_start(&timer, leave_cb, 2, 2), 0);
    (void)uv_run(&ends.loop, UV_RUN_DEFAULT);
    EXPECT_EQ(ends.opened, 1);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        EXPECT_EQ(close(fds[i]), 0);
    close_ends(&ends);
}

/* ---- two processes with one name ---- */

/* One listener and two dialers of the same node; the second is opened once the first is. */
struct twins {
    struct ends ends;
    struct stream_identity late_id;
    struct stream_dialer *late;
    unsigned opened[2]; /* the dialer of `ends`, the late one */
    unsigned closed[2];
    uint64_t late_epoch;
    uv_timer_t timer;
};

static struct twins *the_twins;

static unsigned twin_of(const void *context)
{
    return context == &the_twins->late_id ? 1 : 0;
}

static void twin_open(struct stream *stream, const struct stream_hello *peer, void *context);

static void twin_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    the_twins->closed[twin_of(context)]++;
}

static const struct stream_handler twin_handler = { twin_open, client_frame, NULL, twin_close };

static void twins_end(uv_timer_t *timer)
{
    stream_dialer_close(the_twins->late);
    finish(&the_twins->ends);
    uv_close((uv_handle_t *)timer, NULL);
}

static void twin_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct twins *twins = the_twins;
    char address[32];
    struct err err;

    if (twins->opened[twin_of(context)]++ > 0 || context == &twins->late_id)
        return;
    twins->late_id.self.epoch = twins->late_epoch;
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", twins->ends.port);
    EXPECT_EQ(stream_dial(&twins->ends.loop,
                          &(struct stream_dial_options){
                              .address = address,
                              .identity = &twins->late_id,
                              .service = STREAM_BLOB,
                              .handler = &twin_handler,
                              .context = &twins->late_id,
                          },
                          &twins->late, &err),
              ST_OK);
}

/* Runs for half a second: a dozen of dials of the one that is refused. */
static void run_twins(struct twins *twins, uint64_t epoch, uint64_t late_epoch)
{
    the_twins = twins;
    twins->ends.service = STREAM_BLOB;
    twins->late_epoch = late_epoch;
    test_identity("one/objstore/a/server", &twins->ends.server_id);
    test_identity("one/objstore/b/client", &twins->ends.client_id);
    test_identity("one/objstore/b/client", &twins->late_id);
    twins->ends.client_id.self.epoch = epoch;
    open_ends(&twins->ends, &twin_handler);
    EXPECT_EQ(uv_timer_init(&twins->ends.loop, &twins->timer), 0);
    EXPECT_EQ(uv_timer_start(&twins->timer, twins_end, 500, 0), 0);
    (void)uv_run(&twins->ends.loop, UV_RUN_DEFAULT);
    identity_done(&twins->late_id);
    close_ends(&twins->ends);
}

TEST(a_newer_process_of_a_node_replaces_the_older_which_then_stays_out)
{
    struct twins twins = { 0 };

    run_twins(&twins, 5, 6);
    EXPECT_EQ(twins.opened[0], 1);
    EXPECT_EQ(twins.closed[0], 1);
    EXPECT_EQ(twins.opened[1], 1);
    EXPECT_EQ(twins.closed[1], 1); /* at the end */
}

TEST(an_older_process_of_a_node_never_gets_in_beside_the_newer)
{
    struct twins twins = { 0 };

    run_twins(&twins, 6, 5);
    EXPECT_EQ(twins.opened[0], 1);
    EXPECT_EQ(twins.closed[0], 1); /* at the end */
    EXPECT_EQ(twins.opened[1], 0);
}

static const struct {
    const char *name;
    const char *hello;
    enum status want;
} hello_rows[] = {
    { "the same", "c/worker/z/n", ST_OK },
    { "another cluster", "d/worker/z/n", ST_DENIED },
    { "another role", "c/objstore/z/n", ST_DENIED },
    { "another zone", "c/worker/y/n", ST_DENIED },
    { "another node", "c/worker/z/m", ST_DENIED },
};

TEST(a_hello_must_say_what_the_certificate_says)
{
    struct node_identity certified = test_names("c/worker/z/n");

    for (size_t i = 0; i < ARRAY_LEN(hello_rows); i++) {
        struct node_identity names = test_names(hello_rows[i].hello);
        struct stream_hello hello = { 0 };
        struct node_identity back;
        struct err err = { 0 };

        test_case = hello_rows[i].name;
        (void)strcpy(hello.cluster, names.cluster);
        (void)strcpy(hello.role, names.role);
        (void)strcpy(hello.zone, names.zone);
        (void)strcpy(hello.node, names.node);
        EXPECT_EQ(stream_hello_check(&hello, &certified, &err), hello_rows[i].want);
        stream_hello_identity(&hello, &back);
        EXPECT(node_identity_equal(&back, &names));
    }
}

TEST(open_streams_tell_when_their_peers_certificates_run_out)
{
    struct tls_expiry list[TLS_EXPIRIES_MAX];
    struct tls_peer_entry peers[3] = { 0 };
    struct stream_identity self;

    test_identity("one/controlplane/a/a", &self);
    EXPECT_EQ(tls_expiries(self.tls, list), 1);
    EXPECT_TEXT(list[0].identity.node, "a");
    EXPECT_EQ(list[0].not_after_s, tls_context_expires_s(self.tls));
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        peers[i].facts.identity = test_names(i == 1 ? "one/worker/b/w" : "one/objstore/b/o");
        peers[i].facts.not_after_s = 100 + (int64_t)i;
        tls_peers_add(self.tls, &peers[i]);
    }
    EXPECT_EQ(tls_expiries(self.tls, list), 3);
    EXPECT_TEXT(list[1].identity.node, "o");
    EXPECT_EQ(list[1].not_after_s, 102); /* the latest handshake's */
    EXPECT_TEXT(list[2].identity.node, "w");
    tls_peers_remove(self.tls, &peers[2]);
    tls_peers_remove(self.tls, &peers[1]);
    EXPECT_EQ(tls_expiries(self.tls, list), 2);
    EXPECT_EQ(list[1].not_after_s, 100);
    tls_peers_remove(self.tls, &peers[0]);
    identity_done(&self);
}

TEST(peers_beyond_the_limit_of_a_report_are_left_out_of_it)
{
    struct tls_expiry list[TLS_EXPIRIES_MAX];
    struct tls_peer_entry *peers = must_calloc(TLS_EXPIRIES_MAX, sizeof *peers);
    struct stream_identity self;

    test_identity("one/controlplane/a/a", &self);
    for (size_t i = 0; i < TLS_EXPIRIES_MAX; i++) {
        peers[i].facts.identity = test_names("one/worker/b/w");
        (void)snprintf(peers[i].facts.identity.node, NODE_BYTES_MAX, "w%zu", i);
        tls_peers_add(self.tls, &peers[i]);
        /* With the own one it is full one peer earlier. */
        EXPECT_EQ(tls_expiries(self.tls, list),
                  i + 2 < TLS_EXPIRIES_MAX ? i + 2 : TLS_EXPIRIES_MAX);
    }
    EXPECT_TEXT(list[0].identity.node, "a");
    for (size_t i = 0; i < TLS_EXPIRIES_MAX; i++)
        tls_peers_remove(self.tls, &peers[i]);
    EXPECT_EQ(tls_expiries(self.tls, list), 1);
    identity_done(&self);
    free(peers);
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
