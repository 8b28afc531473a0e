/* Nodes of the same cluster, with certificates of its CA, that say they are a member that they are
 * not. */
#include <stdlib.h>

#include "base/identity.h"
#include "base/log.h"
#include "proto/raft.pb-c.h"
#include "tests/cluster/replica_trio.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

enum { PORT = 17380, WAIT_MS = 10000 };

/* A node that dials the first replica and says which member it is. */
struct guest {
    struct stream_identity identity;
    struct stream_dialer *dialer;
    uint64_t id; /* that it says */
    unsigned opened;
    unsigned closed;
};

static void say_hello(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct guest *guest = context;
    Lapwing__RaftHello hello = LAPWING__RAFT_HELLO__INIT;
    uint8_t body[64];

    hello.from = guest->id;
    hello.to = 1;
    hello.address = (char *)"127.0.0.1:1";
    guest->opened++;
    EXPECT_EQ(stream_send(stream, LAPWING__RAFT_FRAME__RAFT_HELLO, bytes_of(NULL, 0),
                          bytes_of(body, lapwing__raft_hello__pack(&hello, body))),
              ST_OK);
}

static void no_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
}

static void note_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct guest *guest = context;

    guest->closed++;
}

static const struct stream_handler guest_handler = { say_hello, no_frame, NULL, note_close };

static void guest_dial(struct guest *guest, uv_loop_t *loop, const char *names, const char *address)
{
    struct err err = { 0 };

    test_identity(names, &guest->identity);
    guest->identity.self.epoch = uv_hrtime();
    guest->identity.self.version = CLUSTER_VERSION_MAX;
    EXPECT_EQ(stream_dial(loop,
                          &(struct stream_dial_options){
                              .address = address,
                              .identity = &guest->identity,
                              .service = STREAM_RAFT_CONTROL,
                              .handler = &guest_handler,
                              .context = guest,
                          },
                          &guest->dialer, &err),
              ST_OK);
}

static void on_timer(uv_timer_t *timer)
{
}

/* Turn the loop until the number is there; the timer bounds it. */
static void turn_until(uv_loop_t *loop, uv_timer_t *timer, const unsigned *number)
{
    EXPECT_EQ(uv_timer_start(timer, on_timer, WAIT_MS, 0), 0);
    while (*number == 0 && uv_is_active((uv_handle_t *)timer))
        (void)uv_run(loop, UV_RUN_ONCE);
    EXPECT(*number > 0);
}

TEST(a_node_cannot_speak_as_a_member_that_another_node_is)
{
    char dir[] = "/tmp/test_strangers.XXXXXX";
    const char *port = getenv("TEST_PORT");
    struct replica_trio trio;
    struct guest real = { .id = 2 };
    struct guest stranger = { .id = 2 };
    uv_timer_t timer;
    uv_loop_t loop;
    char command[400];

    CHECK(mkdtemp(dir) != NULL);
    log_threshold(LOG_ERROR);
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(uv_timer_init(&loop, &timer) == 0);
    replica_trio_init(&trio, dir, port != NULL ? (uint16_t)atoi(port) : PORT);
    replica_trio_start(&trio, 0);
    guest_dial(&real, &loop, "trio/controlplane/b/b", trio.members[0].address);
    turn_until(&loop, &timer, &real.opened);
    guest_dial(&stranger, &loop, "trio/controlplane/b/x", trio.members[0].address);
    turn_until(&loop, &timer, &stranger.closed);
    EXPECT_EQ(real.closed, 0);
    stream_dialer_close(real.dialer);
    stream_dialer_close(stranger.dialer);
    uv_close((uv_handle_t *)&timer, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    replica_trio_stop(&trio, 0);
    replica_trio_done(&trio);
    identity_done(&real.identity);
    identity_done(&stranger.identity);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT_EQ(system(command), 0);
}
