/* What is special about TLS clients; test_http_server.c and test_http_limits.c also run over TLS.
 */
#include "base/https.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/http_fixture.h"

/* A client whose records and bytes the test cuts itself. */
struct cutter {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in;
    BIO *out;
};

static void cutter_init(struct cutter *cutter)
{
    cutter->context = SSL_CTX_new(TLS_client_method());
    CHECK(cutter->context != NULL);
    cutter->ssl = SSL_new(cutter->context);
    cutter->in = BIO_new(BIO_s_mem());
    cutter->out = BIO_new(BIO_s_mem());
    CHECK(cutter->ssl != NULL && cutter->in != NULL && cutter->out != NULL);
    SSL_set_bio(cutter->ssl, cutter->in, cutter->out);
    SSL_set_connect_state(cutter->ssl);
}

static void cutter_done(struct cutter *cutter)
{
    SSL_free(cutter->ssl);
    SSL_CTX_free(cutter->context);
}

/* What it has to send, byte by byte, the server turning after each; then what came back. */
static void cutter_exchange(struct cutter *cutter, struct fixture *f)
{
    char byte;
    char block[16384];
    ssize_t got;

    while (BIO_read(cutter->out, &byte, 1) == 1) {
        CHECK(send(f->client, &byte, 1, MSG_NOSIGNAL) == 1);
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    while ((got = recv(f->client, block, sizeof block, 0)) > 0)
        (void)BIO_write(cutter->in, block, (int)got);
    while ((got = SSL_read(cutter->ssl, block, sizeof block)) > 0)
        buf_append(&f->in, block, (size_t)got);
}

static bool cutter_sees(struct cutter *cutter, struct fixture *f, const char *text)
{
    uint64_t until_ns = uv_hrtime() + 20000000000;

    while (strstr(buf_text(&f->in), text) == NULL) {
        if (uv_hrtime() > until_ns)
            return false;
        cutter_exchange(cutter, f);
    }
    return true;
}

TEST(a_client_that_sends_byte_by_byte_is_served)
{
    struct fixture f;
    struct cutter cutter;

    start_https(&f, ANSWER_AFTER_COLLECT, NULL);
    cutter_init(&cutter);
    for (int i = 0; i < 1000 && SSL_do_handshake(cutter.ssl) != 1; i++)
        cutter_exchange(&cutter, &f);
    EXPECT(SSL_is_init_finished(cutter.ssl));
    for (const char *c = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"; *c != '\0';
         c++)
        EXPECT_EQ(SSL_write(cutter.ssl, c, 1), 1); /* a record each */
    EXPECT(cutter_sees(&cutter, &f, "\r\n\r\nabc"));
    EXPECT_EQ(f.done, 1);
    cutter_done(&cutter);
    stop(&f);
}

static const size_t body_sizes[] = { 1, 16383, 16384, 16385, 32768, 65536, 3 * 16384, 1 << 20 };

/* Head and body in records of their own: the last one ends exactly where the body does, and nothing
 * follows that would wake anybody. */
TEST(a_body_that_ends_where_its_record_does_is_complete)
{
    struct fixture f;

    start_https(&f, ANSWER_AFTER_COLLECT, NULL);
    for (size_t i = 0; i < ARRAY_LEN(body_sizes); i++) {
        char head[80];
        struct buf body = { 0 };

        memset(buf_reserve(&body, body_sizes[i]), 'x', body_sizes[i]);
        body.len = body_sizes[i];
        (void)snprintf(head, sizeof head,
                       "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body_sizes[i]);
        f.in.len = 0;
        say(&f, head);
        say_bytes(&f, buf_view(&body));
        until_done(&f, (unsigned)i + 1);
        EXPECT(sees(&f, "\r\n\r\nx"));
        buf_done(&body);
    }
    EXPECT(!f.closed_by_server);
    stop(&f);
}

TEST(requests_in_one_record_are_answered_in_order)
{
    struct fixture f;
    struct buf text = { 0 };

    start_https(&f, ANSWER_AT_ONCE, NULL);
    for (int i = 0; i < 40; i++)
        buf_append_text(&text, http_get_request);
    EXPECT(text.len < 16384);
    say_bytes(&f, buf_view(&text));
    until_done(&f, 40);
    EXPECT(!f.closed_by_server);
    buf_done(&text);
    stop(&f);
}

TEST(a_request_that_waits_in_the_same_record_is_served_when_the_one_before_it_is_answered)
{
    struct fixture f;
    struct buf text = { 0 };

    start_https(&f, ANSWER_LATER, NULL);
    buf_append_text(&text, http_get_request);
    buf_append_text(&text, http_get_request);
    say_bytes(&f, buf_view(&text));
    for (unsigned i = 1; i <= 2; i++) {
        while (f.requests < i && turn_again(&f))
            ;
        EXPECT(f.req != NULL);
        turns(&f, 20);
        EXPECT_EQ(f.done, i - 1);
        http_respond(f.req, &http_ok, bytes_of_text("one"));
        until_done(&f, i);
    }
    buf_done(&text);
    stop(&f);
}

TEST(a_client_that_closes_its_side_without_a_goodbye_still_gets_its_answer)
{
    struct fixture f;

    start_https(&f, ANSWER_LATER, NULL);
    say(&f, http_get_request);
    while (f.requests == 0 && turn_again(&f))
        ;
    EXPECT(shutdown(f.client, SHUT_WR) == 0);
    while (f.gone == 0 && turn_again(&f))
        ;
    EXPECT_EQ(f.gone, 1);
    EXPECT_EQ(f.done, 0);
    http_respond(f.req, &http_ok, bytes_of_text("late"));
    EXPECT(sees(&f, "late"));
    until_done(&f, 1);
    EXPECT(sees_close(&f));
    stop(&f);
}

TEST(a_long_answer_arrives_whole_before_the_connection_is_closed)
{
    enum { LENGTH = 8 << 20 };
    struct fixture f;
    struct http_answer last = http_ok;
    uint8_t *body = must_calloc(1, LENGTH);

    last.close = true;
    start_https(&f, ANSWER_LATER, NULL);
    say(&f, http_get_request);
    while (f.requests == 0 && turn_again(&f))
        ;
    http_respond_owned(f.req, &last, bytes_of(body, LENGTH), free);
    EXPECT(sees_close(&f));
    EXPECT(f.in.len > LENGTH);
    EXPECT_EQ(f.done, 1);
    EXPECT_EQ(f.outcome, ST_OK);
    stop(&f);
}

TEST(an_answer_that_was_given_leaves_although_the_server_closes)
{
    struct fixture f;

    start_https(&f, ANSWER_LATER, NULL);
    say(&f, http_get_request);
    while (f.requests == 0 && turn_again(&f))
        ;
    http_respond(f.req, &http_ok, bytes_of_text("the last word"));
    (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    EXPECT_EQ(f.done, 1);
    http_server_close(f.server, NULL);
    (void)uv_run(&f.loop, UV_RUN_DEFAULT);
    EXPECT(sees_close(&f));
    EXPECT(strstr(buf_text(&f.in), "the last word") != NULL);
    CHECK(uv_loop_close(&f.loop) == 0);
    (void)close(f.client);
    https_client_done(&f.tls);
    https_certificate_free(f.certificate);
    https_folder_remove(&f.files);
    buf_done(&f.in);
}

static unsigned open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count;
}

/* A goodbye is waited for, but not for ever, also when the client goes on sending. */
TEST(a_client_that_does_not_close_after_the_last_answer_is_cut)
{
    static const struct http_server_options short_stall = { .stall_ms = 100 };
    struct http_answer last = http_ok;

    last.close = true;
    for (int sending = 0; sending < 2; sending++) {
        struct fixture f;
        unsigned held;

        start_https(&f, ANSWER_LATER, &short_stall);
        say(&f, http_get_request);
        while (f.requests == 0 && turn_again(&f))
            ;
        http_respond(f.req, &last, bytes_of_text("bye"));
        EXPECT(sees_close(&f)); /* TLS's goodbye; the socket is open still */
        EXPECT(strstr(buf_text(&f.in), "bye") != NULL);
        held = open_descriptors();
        while (open_descriptors() >= held && turn_again(&f))
            if (sending == 1)
                (void)https_client_send(&f.tls, bytes_of_text("more"));
        EXPECT(open_descriptors() < held);
        stop(&f);
    }
}

static const char *const plain_rows[] = {
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /2015-03-31/functions HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "DELETE / HTTP/1.0\r\n\r\n",
};

TEST(plain_http_is_refused_at_once_with_a_sentence)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_rows); i++) {
        struct fixture f;

        test_case = plain_rows[i];
        start_https(&f, ANSWER_AT_ONCE, NULL);
        f.https = false; /* the client alone */
        say(&f, plain_rows[i]);
        EXPECT(sees_close(&f));
        EXPECT(strstr(buf_text(&f.in), "HTTP/1.1 400 ") != NULL);
        EXPECT(strstr(buf_text(&f.in), "https://") != NULL);
        EXPECT_EQ(f.requests, 0);
        f.https = true;
        stop(&f);
    }
}

TEST(what_is_neither_tls_nor_http_is_cut)
{
    struct fixture f;

    start_https(&f, ANSWER_AT_ONCE, NULL);
    f.https = false;
    say(&f, "\x05\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
    EXPECT(sees_close(&f));
    EXPECT_EQ(f.requests, 0);
    f.https = true;
    stop(&f);
}

static const struct {
    const char *name;
    const char *sent;
    size_t bytes;
} unfinished_rows[] = {
    { "nothing", "", 0 },
    { "a byte", "\x16", 1 },
    { "half of a hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11 },
};

TEST(a_handshake_that_is_not_completed_is_cut_in_time_and_costs_nothing_until_then)
{
    static const struct http_server_options short_head = { .head_ms = 500 };

    for (size_t i = 0; i < ARRAY_LEN(unfinished_rows); i++) {
        struct fixture f;

        test_case = unfinished_rows[i].name;
        start_https(&f, ANSWER_AT_ONCE, &short_head);
        f.https = false;
        say_bytes(&f, bytes_of(unfinished_rows[i].sent, unfinished_rows[i].bytes));
        turns(&f, 20);
        EXPECT(uv_backend_timeout(&f.loop) != 0); /* the loop sleeps */
        EXPECT(sees_close(&f));
        EXPECT_EQ(f.requests, 0);
        f.https = true;
        stop(&f);
    }
}

TEST(a_client_that_greets_and_then_says_nothing_is_cut_in_time)
{
    static const struct http_server_options short_head = { .head_ms = 500 };
    struct fixture f;

    start_https(&f, ANSWER_AT_ONCE, &short_head);
    while (!SSL_is_init_finished((https_client_use(&f.tls, f.client), f.tls.ssl)) && turn_again(&f))
        ;
    EXPECT(uv_backend_timeout(&f.loop) != 0);
    EXPECT(sees_close(&f));
    stop(&f);
}

static const struct {
    const char *name;
    int newest;
    bool served;
} version_rows[] = {
    { "TLS 1.3", TLS1_3_VERSION, true },
    { "TLS 1.2", TLS1_2_VERSION, true },
    { "TLS 1.1", TLS1_1_VERSION, false },
};

TEST(tls_1_2_and_1_3_are_spoken_and_nothing_older)
{
    for (size_t i = 0; i < ARRAY_LEN(version_rows); i++) {
        struct fixture f;

        test_case = version_rows[i].name;
        start_https(&f, ANSWER_AT_ONCE, NULL);
        https_client_use(&f.tls, f.client);
        SSL_set_security_level(f.tls.ssl, 0);
        (void)SSL_set_min_proto_version(f.tls.ssl, TLS1_1_VERSION);
        EXPECT_EQ(SSL_set_max_proto_version(f.tls.ssl, version_rows[i].newest), 1);
        say(&f, http_get_request);
        EXPECT_EQ(version_rows[i].served ? sees(&f, "hello") : sees_close(&f), true);
        EXPECT_EQ(f.requests, version_rows[i].served);
        if (version_rows[i].served)
            EXPECT_EQ(SSL_version(f.tls.ssl), version_rows[i].newest);
        stop(&f);
    }
}

static const struct {
    const char *name;
    const char *offered;
    unsigned bytes;
    bool served;
} protocol_rows[] = {
    { "both", "\x02h2\x08http/1.1", 12, true },
    { "ours", "\x08http/1.1", 9, true },
    { "HTTP/2 alone", "\x02h2", 3, false },
};

TEST(of_the_protocols_that_a_client_offers_http_1_1_is_taken)
{
    for (size_t i = 0; i < ARRAY_LEN(protocol_rows); i++) {
        struct fixture f;
        const unsigned char *chosen = NULL;
        unsigned len = 0;

        test_case = protocol_rows[i].name;
        start_https(&f, ANSWER_AT_ONCE, NULL);
        https_client_use(&f.tls, f.client);
        (void)SSL_set_alpn_protos(f.tls.ssl, (const unsigned char *)protocol_rows[i].offered,
                                  protocol_rows[i].bytes);
        say(&f, http_get_request);
        EXPECT_EQ(protocol_rows[i].served ? sees(&f, "hello") : sees_close(&f), true);
        SSL_get0_alpn_selected(f.tls.ssl, &chosen, &len);
        EXPECT_EQ(len, protocol_rows[i].served ? 8 : 0);
        stop(&f);
    }
}

/* The serial number of what the server showed. */
static long shown(struct fixture *f)
{
    X509 *certificate = SSL_get1_peer_certificate(f->tls.ssl);
    unsigned long hash;

    CHECK(certificate != NULL);
    hash = X509_issuer_and_serial_hash(certificate);
    X509_free(certificate);
    return (long)hash;
}

TEST(a_renewed_certificate_is_for_new_connections_and_old_ones_go_on)
{
    struct fixture f;
    struct test_certificate pair;
    struct err err;
    long before;
    int old;

    start_https(&f, ANSWER_AT_ONCE, NULL);
    say(&f, http_get_request);
    until_done(&f, 1);
    before = shown(&f);
    https_pair_new(&pair);
    https_file_write(f.files.certificate, buf_view(&pair.certificate));
    https_file_write(f.files.key, buf_view(&pair.key));
    EXPECT_EQ(https_certificate_reload(f.certificate, f.files.certificate, f.files.key, &err),
              ST_OK);
    say(&f, http_get_request);
    until_done(&f, 2);
    EXPECT(!f.closed_by_server);
    old = f.client;
    connect_anew(&f);
    say(&f, http_get_request);
    until_done(&f, 3);
    EXPECT(shown(&f) != before);
    (void)close(old);
    test_certificate_done(&pair);
    stop(&f);
}

TEST(idle_clients_keep_no_other_waiting)
{
    enum { IDLE = 400 };
    struct fixture f;
    int idle[IDLE];

    start_https(&f, ANSWER_AT_ONCE, NULL);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = client_connect(f.port);
        turn(&f);
    }
    /* The first one is the idle one that was closed for them. */
    (void)close(f.client);
    connect_anew(&f);
    say(&f, http_get_request);
    EXPECT(sees(&f, "hello"));
    turns(&f, 20);
    EXPECT(uv_backend_timeout(&f.loop) != 0);
    for (int i = 0; i < IDLE; i++)
        (void)close(idle[i]);
    stop(&f);
}

static void note_peer(struct http_request *req, void *context)
{
    struct fixture *f = context;
    const struct sockaddr_in *peer = (const struct sockaddr_in *)http_request_peer(req);

    EXPECT(http_request_is_https(req));
    EXPECT_EQ(peer->sin_family, AF_INET);
    EXPECT_EQ(ntohl(peer->sin_addr.s_addr), INADDR_LOOPBACK);
    f->req = req;
    http_respond(req, &http_ok, bytes_of_text("seen"));
}

TEST(a_handler_sees_the_client_and_that_it_came_over_tls)
{
    struct fixture f;
    struct http_handler handler = http_fixture_handler;
    struct http_server *second;
    struct err err = { 0 };

    start_https(&f, ANSWER_AT_ONCE, NULL);
    handler.on_request = note_peer;
    EXPECT_EQ(http_server_new(&f.loop, NULL, &handler, &f, &second, &err), ST_OK);
    EXPECT_EQ(http_server_listen_https(second, f.certificate, "127.0.0.1:0", false, &err), ST_OK);
    f.port = http_server_port(second);
    (void)close(f.client);
    connect_anew(&f);
    say(&f, http_get_request);
    EXPECT(sees(&f, "seen"));
    until_done(&f, 1);
    http_server_close(second, NULL);
    stop(&f);
}

/* ---- handshakes at once ---- */

static const char half_hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/* Clients that begin a handshake and do not go on, until the server has seen each speak. */
static void begin_halves(struct fixture *f, int *fds, unsigned count)
{
    struct http_server_load load;
    struct http_server_load before;

    http_server_load(f->server, &before);
    for (unsigned i = 0; i < count; i++) {
        fds[i] = client_connect(f->port);
        CHECK(send(fds[i], half_hello, sizeof half_hello - 1, MSG_NOSIGNAL) ==
              sizeof half_hello - 1);
    }
    do
        http_server_load(f->server, &load);
    while (load.handshakes + load.handshakes_waiting <
               before.handshakes + before.handshakes_waiting + count &&
           turn_again(f));
}

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)close(fds[i]);
}

static const struct {
    const char *name;
    unsigned clients;
    unsigned under_way;
    unsigned waiting;
} handshake_rows[] = {
    { "as many as are allowed", HTTP_HANDSHAKES_MAX, HTTP_HANDSHAKES_MAX, 0 },
    { "one more", HTTP_HANDSHAKES_MAX + 1, HTTP_HANDSHAKES_MAX, 1 },
};

TEST(so_many_handshakes_are_under_way_and_the_next_client_waits)
{
    static const struct http_server_options roomy = { .connections_max = HTTP_HANDSHAKES_MAX + 10 };

    for (size_t i = 0; i < ARRAY_LEN(handshake_rows); i++) {
        struct http_server_load load;
        int fds[HTTP_HANDSHAKES_MAX + 1];
        struct fixture f;

        test_case = handshake_rows[i].name;
        start_https(&f, ANSWER_AT_ONCE, &roomy);
        f.https = false; /* the fixture's own client is silent, which is no handshake */
        begin_halves(&f, fds, handshake_rows[i].clients);
        http_server_load(f.server, &load);
        EXPECT_EQ(load.handshakes, handshake_rows[i].under_way);
        EXPECT_EQ(load.handshakes_waiting, handshake_rows[i].waiting);
        EXPECT_EQ(load.connections, handshake_rows[i].clients + 1);
        close_all(fds, handshake_rows[i].clients);
        f.https = true;
        stop(&f);
    }
}

/* One of a herd: what it has to do, done as far as it goes without waiting. */
struct member {
    struct https_client tls;
    int fd;
    bool asked;
    bool served;
    bool lost;
};

static void member_turn(struct member *member)
{
    char block[4096];
    ssize_t got;

    https_client_use(&member->tls, member->fd);
    if (!member->asked)
        member->asked = https_client_send(&member->tls, bytes_of_text(http_get_request)) > 0;
    got = https_client_recv(&member->tls, block, sizeof block);
    if (got > 0)
        member->served = true;
    else if (got == 0 || errno != EAGAIN)
        member->lost = !member->served;
}

static bool herd_turn(struct fixture *f, struct member *herd, unsigned count)
{
    unsigned open = 0;

    for (unsigned i = 0; i < count; i++) {
        if (herd[i].served || herd[i].lost)
            continue;
        member_turn(&herd[i]);
        open++;
    }
    return open > 0 && turn_again(f);
}

TEST(of_a_herd_that_comes_at_once_everybody_gets_in_a_few_at_a_time)
{
    enum { HERD = 60, AT_ONCE = 4 };
    static const struct http_server_options few = { .handshakes_max = AT_ONCE,
                                                    .connections_max = HERD + 1 };
    struct member herd[HERD] = { 0 };
    unsigned most_waiting = 0;
    struct http_server_load load;
    struct fixture f;

    start_https(&f, ANSWER_AT_ONCE, &few);
    f.https = false;
    for (unsigned i = 0; i < HERD; i++)
        herd[i].fd = client_connect(f.port);
    while (herd_turn(&f, herd, HERD)) {
        http_server_load(f.server, &load);
        EXPECT(load.handshakes <= AT_ONCE);
        if (load.handshakes_waiting > most_waiting)
            most_waiting = load.handshakes_waiting;
    }
    EXPECT(most_waiting > HERD / 2);
    for (unsigned i = 0; i < HERD; i++) {
        EXPECT(herd[i].served);
        (void)close(herd[i].fd);
        https_client_done(&herd[i].tls);
    }
    http_server_load(f.server, &load);
    EXPECT_EQ(load.handshakes + load.handshakes_waiting, 0);
    EXPECT_EQ(load.handshakes_cut, 0);
    f.https = true;
    stop(&f);
}

TEST(who_does_not_go_on_makes_room_for_who_waits_and_for_nobody_else)
{
    static const struct http_server_options few = { .handshakes_max = 2, .handshake_turn_ms = 50 };
    struct http_server_load load;
    struct fixture f;
    int fds[2];

    start_https(&f, ANSWER_AT_ONCE, &few);
    f.https = false;
    begin_halves(&f, fds, 2);
    f.https = true;
    say(&f, http_get_request);
    until_done(&f, 1);
    EXPECT(!f.closed_by_server);
    http_server_load(f.server, &load);
    EXPECT_EQ(load.handshakes_cut, 1);
    EXPECT_EQ(load.handshakes, 1);
    close_all(fds, 2);
    stop(&f);
}

TEST(who_gives_up_while_it_waits_leaves_the_queue_in_its_turn)
{
    static const struct http_server_options few = { .handshakes_max = 1 };
    struct http_server_load load;
    struct fixture f;
    int fds[3];

    start_https(&f, ANSWER_AT_ONCE, &few);
    f.https = false;
    begin_halves(&f, fds, 3);
    f.https = true;
    https_client_use(&f.tls, f.client);
    (void)SSL_do_handshake(f.tls.ssl);
    turns(&f, 5);
    http_server_load(f.server, &load);
    EXPECT_EQ(load.handshakes_waiting, 3);
    (void)close(fds[1]);
    (void)close(fds[2]);
    (void)close(fds[0]);
    say(&f, http_get_request);
    until_done(&f, 1);
    http_server_load(f.server, &load);
    EXPECT_EQ(load.handshakes + load.handshakes_waiting, 0);
    stop(&f);
}
