/* The client's side of a link, against a real HTTPS server: who is believed, and that bytes pass.
 */
#include "base/tls_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/https.h"
#include "tests/unit/check.h"
#include "tests/unit/http_fixture.h"

struct dialled {
    bool closed;
    enum status outcome;
    struct err why;
};

static void first(struct tls_link *link, void *context)
{
    CHECK(!"a link that was joined before needs no joining");
}

static void closed(enum status outcome, const struct err *why, void *context)
{
    struct dialled *dialled = context;

    dialled->closed = true;
    dialled->outcome = outcome;
    dialled->why = *why;
}

static const struct tls_link_events events = { .on_first = first, .on_closed = closed };

/* Connect the fixture's plain client through a link that expects `name`. */
static enum status dial(struct fixture *f,
                        struct ssl_ctx_st *trust,
                        const char *name,
                        struct dialled *out,
                        struct tls_link **out_link,
                        struct err *err)
{
    int ends[2];
    struct tls_link_spec spec = {
        .tls = trust,
        .fd = client_connect(f->port),
        .peer_name = name,
        .events = &events,
        .context = out,
    };
    enum status st = tls_link_new(&f->loop, &spec, out_link, err);

    if (st != ST_OK) {
        (void)close(spec.fd);
        return st;
    }
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    tls_link_join(*out_link, ends[1]);
    (void)close(f->client);
    f->client = ends[0];
    f->https = false; /* it speaks plain to the link */
    return ST_OK;
}

static void finish(struct fixture *f, struct dialled *dialled)
{
    if (f->client >= 0)
        (void)close(f->client);
    f->client = -1;
    while (!dialled->closed && turn_again(f))
        ;
    EXPECT(dialled->closed);
    f->https = true;
    stop(f);
}

static const struct {
    const char *name; /* that is expected */
    bool other_ca;
    const char *why; /* NULL: believed */
} trust_rows[] = {
    { "127.0.0.1", false, NULL },
    { "::1", false, NULL },
    { "localhost", false, NULL },
    { "bucket.s3.localhost", false, NULL },
    { "127.0.0.2", false, "IP address mismatch" },
    { "lapwing.example.org", false, "hostname mismatch" },
    { "127.0.0.1", true, "unable to get local issuer certificate" },
};

TEST(a_server_is_believed_by_its_ca_and_its_name)
{
    for (size_t i = 0; i < ARRAY_LEN(trust_rows); i++) {
        struct fixture f;
        struct https_folder other;
        struct ssl_ctx_st *trust = NULL;
        struct dialled dialled = { 0 };
        struct tls_link *link;
        struct err err = { 0 };
        bool served;

        test_case = trust_rows[i].name;
        start_https(&f, ANSWER_AT_ONCE, NULL);
        https_folder_make(&other);
        EXPECT_EQ(https_client_new(trust_rows[i].other_ca ? other.ca : f.files.ca, &trust, &err),
                  ST_OK);
        EXPECT_EQ(dial(&f, trust, trust_rows[i].name, &dialled, &link, &err), ST_OK);
        say(&f, http_get_request);
        served = trust_rows[i].why == NULL ? sees(&f, "hello") : !sees_close(&f);
        EXPECT_EQ(served, (trust_rows[i].why == NULL));
        finish(&f, &dialled);
        EXPECT_EQ(dialled.outcome, served ? ST_OK : ST_DENIED);
        EXPECT(served || strstr(dialled.why.text, trust_rows[i].why) != NULL);
        EXPECT_EQ(f.requests, served);
        https_context_free(trust);
        https_folder_remove(&other);
    }
}

static const struct {
    const char *name;
    const char *sent;
    enum status outcome;
    const char *why;
} first_rows[] = {
    { "nothing: somebody only looked", "", ST_OK, "" },
    { "plain HTTP", "GET / HTTP/1.1\r\n\r\n", ST_UNSUPPORTED, "plain HTTP" },
    { "something else", "0123456789", ST_DENIED, "TLS handshake: " },
    { "a beginning", "\x16\x03\x01", ST_DENIED, "TLS handshake: the connection was lost" },
};

TEST(what_a_client_says_first_decides_how_its_link_ends)
{
    for (size_t i = 0; i < ARRAY_LEN(first_rows); i++) {
        struct fixture f;
        struct dialled dialled = { 0 };
        struct tls_link *link;
        struct ssl_ctx_st *server;
        struct err err = { 0 };
        int ends[2];
        size_t len = strlen(first_rows[i].sent);

        test_case = first_rows[i].name;
        start_https(&f, ANSWER_AT_ONCE, NULL);
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
        server = https_certificate_context(f.certificate);
        EXPECT_EQ(tls_link_new(&f.loop,
                               &(struct tls_link_spec){
                                   .tls = server,
                                   .fd = ends[1],
                                   .events = &events,
                                   .context = &dialled,
                               },
                               &link, &err),
                  ST_OK);
        https_context_free(server);
        CHECK(send(ends[0], first_rows[i].sent, len, 0) == (ssize_t)len);
        (void)shutdown(ends[0], SHUT_WR);
        while (!dialled.closed && turn_again(&f))
            ;
        EXPECT_EQ(dialled.outcome, first_rows[i].outcome);
        EXPECT(strstr(dialled.why.text, first_rows[i].why) != NULL);
        EXPECT_EQ(dialled.why.text[0] == '\0', first_rows[i].outcome == ST_OK);
        (void)close(ends[0]);
        stop(&f);
    }
}

TEST(a_name_that_no_certificate_can_have_is_refused)
{
    struct fixture f;
    struct ssl_ctx_st *trust = NULL;
    struct dialled dialled = { 0 };
    struct tls_link *link;
    struct err err = { 0 };

    start_https(&f, ANSWER_AT_ONCE, NULL);
    EXPECT_EQ(https_client_new(f.files.ca, &trust, &err), ST_OK);
    EXPECT_EQ(dial(&f, trust, "", &dialled, &link, &err), ST_BAD_INPUT);
    https_context_free(trust);
    stop(&f);
}

/* Both directions at once and more than any buffer between holds; the peer closes first. */
TEST(much_passes_in_both_directions_and_nothing_is_lost_at_the_end)
{
    enum { LENGTH = 5 << 20 };
    struct fixture f;
    struct ssl_ctx_st *trust = NULL;
    struct dialled dialled = { 0 };
    struct tls_link *link;
    struct err err = { 0 };
    struct buf body = { 0 };
    const char *answer;

    start_https(&f, ANSWER_ECHO, NULL);
    EXPECT_EQ(https_client_new(f.files.ca, &trust, &err), ST_OK);
    EXPECT_EQ(dial(&f, trust, "127.0.0.1", &dialled, &link, &err), ST_OK);
    for (int i = 0; i < LENGTH / 16; i++)
        buf_printf(&body, "%015d\n", i);
    say(&f, "PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5242880\r\n\r\n");
    say_bytes(&f, buf_view(&body));
    EXPECT(sees_close(&f));
    answer = strstr(buf_text(&f.in), "\r\n\r\n");
    EXPECT(answer != NULL && f.in.len - (size_t)(answer + 4 - (const char *)f.in.data) == LENGTH);
    EXPECT(answer != NULL && memcmp(answer + 4, body.data, LENGTH) == 0);
    finish(&f, &dialled);
    EXPECT_EQ(dialled.outcome, ST_OK);
    https_context_free(trust);
    buf_done(&body);
}

TEST(a_link_that_is_cut_closes_both_sides)
{
    struct fixture f;
    struct ssl_ctx_st *trust = NULL;
    struct dialled dialled = { 0 };
    struct tls_link *link;
    struct err err = { 0 };

    start_https(&f, ANSWER_LATER, NULL);
    EXPECT_EQ(https_client_new(f.files.ca, &trust, &err), ST_OK);
    EXPECT_EQ(dial(&f, trust, "127.0.0.1", &dialled, &link, &err), ST_OK);
    say(&f, http_get_request);
    while (f.requests == 0 && turn_again(&f))
        ;
    tls_link_cut(link);
    EXPECT(sees_close(&f));
    while (f.gone == 0 && turn_again(&f))
        ;
    EXPECT_EQ(f.gone, 1);
    http_respond(f.req, &http_ok, bytes_of_text("nobody there"));
    until_done(&f, 1);
    finish(&f, &dialled);
    EXPECT_EQ(dialled.outcome, ST_CANCELLED);
    https_context_free(trust);
}

/* Key updates: records that OpenSSL takes without giving us a byte. */
static void say_key_updates(struct https_client *client, int fd, size_t bytes)
{
    BIO *wire = BIO_new(BIO_s_mem());
    char *all;
    long len;

    CHECK(wire != NULL);
    SSL_set0_wbio(client->ssl, wire); /* the session owns it */
    while (BIO_pending(wire) < (int)bytes) {
        CHECK(SSL_key_update(client->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
        CHECK(SSL_do_handshake(client->ssl) == 1);
    }
    len = BIO_get_mem_data(wire, &all);
    CHECK(send(fd, all, (size_t)len, 0) == len);
    CHECK(SSL_set_fd(client->ssl, fd) == 1);
}

static int unread(const struct tls_link *link)
{
    int bytes = 0;

    CHECK(ioctl(tls_link_fd(link), FIONREAD, &bytes) == 0);
    return bytes;
}

/* A server's link between two socket pairs, its handshake done. */
struct between {
    struct fixture f;
    struct dialled dialled;
    struct https_client client;
    struct tls_link *link;
    int peer;
    int plain;
};

static void between_pair(int ends[2])
{
    static const int size = 1 << 20;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
}

static void between_start(struct between *b)
{
    struct ssl_ctx_st *server;
    struct err err = { 0 };
    int outer[2];
    int inner[2];

    *b = (struct between){ 0 };
    start_https(&b->f, ANSWER_AT_ONCE, NULL);
    between_pair(outer);
    between_pair(inner);
    b->peer = outer[0];
    b->plain = inner[0];
    server = https_certificate_context(b->f.certificate);
    EXPECT_EQ(tls_link_new(&b->f.loop,
                           &(struct tls_link_spec){
                               .tls = server,
                               .fd = outer[1],
                               .events = &events,
                               .context = &b->dialled,
                           },
                           &b->link, &err),
              ST_OK);
    https_context_free(server);
    tls_link_join(b->link, inner[1]);
    https_client_use(&b->client, b->peer);
    while (SSL_do_handshake(b->client.ssl) != 1 && turn_again(&b->f))
        ;
    turn(&b->f);
}

static void between_stop(struct between *b)
{
    while (!b->dialled.closed && turn_again(&b->f))
        ;
    EXPECT_EQ(b->dialled.outcome, ST_CANCELLED);
    (void)close(b->peer);
    (void)close(b->plain);
    https_client_done(&b->client);
    stop(&b->f);
}

/* A peer that says much which is of no use must not keep the loop from others. */
TEST(one_turn_reads_only_so_much_of_a_peer)
{
    enum { FLOOD_BYTES = 200000 };
    struct between b;
    char text[8] = "";

    between_start(&b);
    say_key_updates(&b.client, b.peer, FLOOD_BYTES);
    (void)uv_run(&b.f.loop, UV_RUN_NOWAIT);
    EXPECT(unread(b.link) > FLOOD_BYTES / 4);
    while (unread(b.link) > 0 && turn_again(&b.f))
        ;
    EXPECT_EQ(https_client_send(&b.client, bytes_of_text("hello")), 5);
    while (recv(b.plain, text, sizeof text - 1, 0) != 5 && turn_again(&b.f))
        ;
    EXPECT(strcmp(text, "hello") == 0);
    tls_link_cut(b.link);
    between_stop(&b);
}

/* More than a turn moves, and no more than the kernel takes. */
TEST(a_link_that_is_finished_has_sent_all_that_the_plain_side_said)
{
    enum { LENGTH = 200000 };
    struct between b;
    struct buf said = { 0 };
    size_t got = 0;
    ssize_t n = 1;

    between_start(&b);
    (void)memset(buf_reserve(&said, LENGTH), 'x', LENGTH);
    CHECK(send(b.plain, said.data, LENGTH, 0) == LENGTH);
    tls_link_finish(b.link);
    while (n > 0) {
        n = https_client_recv(&b.client, said.data, LENGTH);
        got += n > 0 ? (size_t)n : 0;
    }
    EXPECT_EQ(got, LENGTH);
    between_stop(&b);
    buf_done(&said);
}
