#include "controlplane/dispatch/dispatch.h"

#include <stdio.h>

#include "base/identity.h"
#include "base/log.h"
#include "controlplane/replica/replica.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

/* Rows of workers are none of this test's matter: no command is taken. */
enum status replica_propose(struct replica_client *client,
                            Lapwing__CommandType type,
                            struct bytes body,
                            uint32_t deadline_ms,
                            replica_propose_cb done,
                            void *context)
{
    return ST_LIMIT;
}

struct fixture {
    uv_loop_t loop;
    struct stream_identity identity;
    struct dispatch *dispatch;
};

static void fixture_init(struct fixture *f)
{
    log_threshold(LOG_ERROR);
    CHECK(uv_loop_init(&f->loop) == 0);
    test_identity("one/controlplane/a/node-a", &f->identity);
    f->dispatch = dispatch_new(&(struct dispatch_options){
        .loop = &f->loop, .identity = &f->identity, .zone = "a", .detection = { 300, 900, 50 } });
}

static void fixture_done(struct fixture *f)
{
    dispatch_close(f->dispatch);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    dispatch_free(f->dispatch);
    CHECK(uv_loop_close(&f->loop) == 0);
    identity_done(&f->identity);
}

/* The refusal of worker `number`'s heartbeat; "" when it was taken. */
static const char *beat(struct fixture *f, unsigned number, uint64_t epoch)
{
    Lapwing__HeartbeatReply reply = LAPWING__HEARTBEAT_REPLY__INIT;
    Lapwing__Heartbeat beat = LAPWING__HEARTBEAT__INIT;
    char name[NODE_BYTES_MAX + 1];

    (void)snprintf(name, sizeof name, "worker-%u", number);
    beat.cluster = (char *)"one";
    beat.worker = name;
    beat.zone = (char *)"a";
    beat.address = (char *)"127.0.0.1:1";
    beat.epoch = epoch;
    dispatch_heartbeat(f->dispatch, &beat, &reply);
    EXPECT_EQ(reply.accepted, reply.text[0] == '\0');
    return reply.text;
}

TEST(as_many_workers_as_the_limit_are_known_and_one_more_is_told)
{
    struct fixture f;
    size_t count;

    fixture_init(&f);
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        EXPECT_TEXT(beat(&f, i, 1), "");
    EXPECT_TEXT(beat(&f, WORKERS_MAX, 1), "too many workers");
    EXPECT_TEXT(beat(&f, WORKERS_MAX - 1, 1), "");
    EXPECT_TEXT(beat(&f, 0, 2), ""); /* the next process of a name that is known */
    (void)dispatch_workers(f.dispatch, &count);
    EXPECT_EQ(count, WORKERS_MAX);
    fixture_done(&f);
}
