/* When a leader tells its followers what is committed. */
#include <raft.h>

#include "controlplane/replica/core.h"
#include "proto/raft.pb-c.h"
#include "tests/unit/check.h"
#include "tests/unit/core_fixture.h"

enum { TELL_MS = 2, CLIENT = 16 };

/* The highest commit index in a message to `peer`, among those not forgotten; 0: none. */
static uint64_t told(const struct world *world, uint64_t peer)
{
    uint64_t commit = 0;

    for (unsigned i = 0; i < world->frame_count; i++) {
        struct wire_message message = { 0 };

        if (world->frames[i].peer != peer ||
            world->frames[i].type != LAPWING__RAFT_FRAME__RAFT_MESSAGE)
            continue;
        CHECK(wire_decode(buf_view(&world->frames[i].body), SELF, &message, NULL) == ST_OK);
        if (message.raft.type == RAFT_APPEND_ENTRIES &&
            message.raft.append_entries.leader_commit > commit)
            commit = message.raft.append_entries.leader_commit;
        wire_message_done(&message);
    }
    return commit;
}

static void command_init(Lapwing__Command *command, uint64_t sequence)
{
    static uint8_t client[CLIENT] = { 1 };

    lapwing__command__init(command);
    command->type = LAPWING__COMMAND_TYPE__FORGET_CLIENTS;
    command->version = 1;
    command->client.data = client;
    command->client.len = sizeof client;
    command->sequence = sequence;
}

static void propose(struct world *world, uint64_t now, uint64_t sequence)
{
    Lapwing__Command command;

    command_init(&command, sequence);
    EXPECT_EQ(core_propose(world->core, now, core_command_copy(&command), now + DEADLINE_MS, world),
              ST_OK);
    core_flush(world->core, now);
}

static void forward(struct world *world, uint64_t now, uint64_t peer, uint64_t sequence)
{
    Lapwing__Forward message = LAPWING__FORWARD__INIT;
    Lapwing__Command command;
    uint8_t body[128];

    command_init(&command, sequence);
    message.id = sequence;
    message.command = &command;
    CHECK(lapwing__forward__get_packed_size(&message) <= sizeof body);
    EXPECT_EQ(core_frame(world->core, now, peer, LAPWING__RAFT_FRAME__RAFT_FORWARD,
                         bytes_of(body, lapwing__forward__pack(&message, body)), NULL),
              ST_OK);
    core_flush(world->core, now);
}

/* Leading, with the first entry committed and both followers told. */
static uint64_t begin(struct world *world)
{
    uint64_t now = world_lead(world, true);

    acknowledge(world, now, 2, 2, now);
    acknowledge(world, now, 3, 2, now);
    core_flush(world->core, now + TELL_MS);
    EXPECT_EQ(told(world, 2), 2);
    EXPECT_EQ(told(world, 3), 2);
    forget_frames(world);
    return now + TELL_MS;
}

/* Entry 3 is durable here and at 2: committed, and answered here. */
static void commit(struct world *world, uint64_t now)
{
    world_disk_done(world, now);
    forget_frames(world); /* the entry itself, with the commit index of before */
    acknowledge(world, now, 2, 3, now);
    EXPECT_EQ(view_of(world).commit, 3);
}

TEST(a_follower_that_waits_for_nothing_is_told_a_little_later)
{
    struct world world;
    uint64_t now = begin(&world);

    propose(&world, now, 1);
    commit(&world, now);
    EXPECT_EQ(world.answered, 1);
    EXPECT_EQ(world.frame_count, 0);
    EXPECT_EQ(core_timeout_ms(world.core), now + TELL_MS);
    core_flush(world.core, now + TELL_MS - 1);
    EXPECT_EQ(world.frame_count, 0);
    core_flush(world.core, now + TELL_MS);
    EXPECT_EQ(told(&world, 2), 3);
    EXPECT_EQ(told(&world, 3), 0); /* has not said that it holds it */
    EXPECT(core_timeout_ms(world.core) > now + TELL_MS);
    world_end(&world);
}

TEST(entries_that_come_meanwhile_tell_it_and_nothing_else_is_sent)
{
    struct world world;
    uint64_t now = begin(&world);

    propose(&world, now, 1);
    commit(&world, now);
    propose(&world, now + 1, 2);
    EXPECT_EQ(told(&world, 2), 3);
    forget_frames(&world);
    core_flush(world.core, now + TELL_MS);
    EXPECT_EQ(world.frame_count, 0);
    world_end(&world);
}

TEST(who_waits_for_its_command_is_told_at_once_and_the_other_is_not)
{
    struct world world;
    uint64_t now = begin(&world);

    forward(&world, now, 2, 1);
    world_disk_done(&world, now);
    forget_frames(&world);
    acknowledge(&world, now, 3, 3, now);
    EXPECT_EQ(view_of(&world).commit, 3);
    EXPECT_EQ(told(&world, 3), 0);
    EXPECT_EQ(told(&world, 2), 0); /* has not said that it holds it: cannot use it */
    acknowledge(&world, now, 2, 3, now);
    EXPECT_EQ(told(&world, 2), 3);
    EXPECT_EQ(told(&world, 3), 0);
    core_flush(world.core, now + TELL_MS);
    EXPECT_EQ(told(&world, 3), 3);
    world_end(&world);
}

TEST(who_asked_for_a_read_point_is_told_at_once)
{
    Lapwing__Barrier question = LAPWING__BARRIER__INIT;
    struct world world;
    uint64_t now = begin(&world);
    uint8_t body[16];

    propose(&world, now, 1);
    commit(&world, now);
    question.id = 7;
    EXPECT_EQ(core_frame(world.core, now, 2, LAPWING__RAFT_FRAME__RAFT_BARRIER,
                         bytes_of(body, lapwing__barrier__pack(&question, body)), NULL),
              ST_OK);
    core_flush(world.core, now);
    EXPECT_EQ(told(&world, 2), 3);
    world_end(&world);
}
