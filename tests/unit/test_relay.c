/* A relay towards an HTTPS front door: plain inside, TLS outside, and only to whom is believed. */
#include "worker/runtime/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/https.h"
#include "tests/unit/check.h"
#include "tests/unit/http_fixture.h"

static struct sockaddr_storage loopback(unsigned port)
{
    struct sockaddr_storage out = { 0 };
    struct sockaddr_in *in = (struct sockaddr_in *)&out;

    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

/* A bound socket as the spawner hands them over; its port. */
static int bound(unsigned *out_port)
{
    struct sockaddr_storage address = loopback(0);
    socklen_t len = sizeof(struct sockaddr_in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *out_port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    return fd;
}

/* The fixture's client, plain and through a relay to its server. */
static struct relay *begin(struct fixture *f, struct relay_targets *targets)
{
    struct relay *relay = NULL;
    struct err err = { 0 };
    unsigned port;
    int fd = bound(&port);

    EXPECT_EQ(relay_start(&f->loop, fd, targets, &relay, &err), ST_OK);
    (void)close(f->client);
    f->client = client_connect(port);
    f->https = false;
    return relay;
}

static void end(struct fixture *f, struct relay *relay)
{
    relay_close(relay);
    f->https = true;
    stop(f);
}

static const struct {
    const char *name;
    const char *peer_name; /* NULL: the address dialled */
    bool other_ca;
    bool dead_first; /* a front door that does not answer stands before it */
    bool served;
} rows[] = {
    { "by its address", NULL, false, false, true },
    { "by its name", "localhost", false, false, true },
    { "after one that is dead", NULL, false, true, true },
    { "another name", "lapwing.example.org", false, false, false },
    { "another CA", NULL, true, false, false },
};

TEST(a_function_reaches_a_front_door_over_tls_if_it_is_the_right_one)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct https_folder other;
        struct relay_targets targets = { .peer_name = rows[i].peer_name };
        struct relay *relay;
        struct err err = { 0 };
        unsigned dead;
        int holder = bound(&dead); /* not listening: refused */

        test_case = rows[i].name;
        start_https(&f, ANSWER_AFTER_COLLECT, NULL);
        https_folder_make(&other);
        EXPECT_EQ(https_client_new(rows[i].other_ca ? other.ca : f.files.ca, &targets.trust, &err),
                  ST_OK);
        if (rows[i].dead_first)
            targets.list[targets.count++] = loopback(dead);
        targets.https[0] = true;
        targets.https[targets.count] = true;
        targets.list[targets.count++] = loopback(f.port);
        relay = begin(&f, &targets);
        say(&f, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        EXPECT_EQ(rows[i].served ? sees(&f, "\r\n\r\nhi") : !sees_close(&f), rows[i].served);
        EXPECT_EQ(f.requests, rows[i].served);
        end(&f, relay);
        https_context_free(targets.trust);
        https_folder_remove(&other);
        (void)close(holder);
    }
}

/* In each state: connected, in the handshake, in a request. */
TEST(closing_a_relay_ends_what_is_open)
{
    for (int state = 0; state < 3; state++) {
        struct fixture f;
        struct relay_targets targets = { .count = 1, .https = { true } };
        struct relay *relay;
        struct err err = { 0 };

        start_https(&f, ANSWER_LATER, NULL);
        EXPECT_EQ(https_client_new(f.files.ca, &targets.trust, &err), ST_OK);
        targets.list[0] = loopback(f.port);
        relay = begin(&f, &targets);
        if (state == 1)
            turns(&f, 2);
        if (state == 2) {
            say(&f, http_get_request);
            while (f.requests == 0 && turn_again(&f))
                ;
        }
        relay_close(relay);
        EXPECT(sees_close(&f));
        if (state == 2) {
            while (f.gone == 0 && turn_again(&f))
                ;
            EXPECT_EQ(f.gone, 1);
        }
        end(&f, NULL);
        https_context_free(targets.trust);
    }
}
