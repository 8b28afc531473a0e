#include "controlplane/replica/core.h"

#include "proto/raft.pb-c.h"
#include "tests/unit/check.h"
#include "tests/unit/core_fixture.h"

enum { LEASE_MS = 284 };

/* The AppendEntries sent last, and to whom. */
static struct wire_message last_append(const struct world *world)
{
    struct wire_message message = { 0 };

    for (unsigned i = world->frame_count; i > 0; i--) {
        if (wire_decode(buf_view(&world->frames[i - 1].body), SELF, &message, NULL) == ST_OK &&
            message.raft.type == RAFT_APPEND_ENTRIES)
            break;
        wire_message_done(&message);
    }
    CHECK(message.raft.type == RAFT_APPEND_ENTRIES);
    wire_message_done(&message);
    return message;
}

TEST(a_leader_reads_by_the_time_that_a_follower_gave_back)
{
    struct world world;
    uint64_t now = world_lead(&world, true);

    EXPECT_EQ(last_append(&world).sent_ms, now);
    acknowledge(&world, now + 10, 2, 2, 0); /* committed, by a peer that gives no time back */
    EXPECT_EQ(view_of(&world).applied, 2);
    EXPECT_EQ(view_of(&world).lease_until_ms, 0);
    EXPECT_EQ(core_reads_until_ms(world.core), 0);
    acknowledge(&world, now + 20, 2, 2, now);
    EXPECT_EQ(view_of(&world).lease_until_ms, now + LEASE_MS);
    EXPECT_EQ(core_reads_until_ms(world.core), now + LEASE_MS);
    EXPECT_EQ(core_barrier(world.core, now + LEASE_MS - 1, DEADLINE_MS, NULL), ST_OK);
    EXPECT_EQ(world.answered, 1);
    EXPECT_EQ(world.st, ST_OK);
    EXPECT_EQ(view_of(&world).last, 2); /* no entry */
    world_end(&world);
}

/* The core's own idea of the time is older than the request: it must not count. */
TEST(a_lease_is_judged_by_the_time_of_the_request)
{
    struct world world;
    uint64_t now = world_lead(&world, true);

    acknowledge(&world, now + 20, 2, 2, now);
    EXPECT_EQ(core_barrier(world.core, now + LEASE_MS, DEADLINE_MS, NULL), ST_OK);
    EXPECT_EQ(world.answered, 0);
    core_flush(world.core, now + LEASE_MS);
    EXPECT_EQ(view_of(&world).last, 3); /* an entry will answer it... */
    acknowledge(&world, now + LEASE_MS, 2, 2, now + LEASE_MS - 1);
    EXPECT_EQ(world.answered, 0);
    world_end(&world);
}

TEST(no_lease_before_an_entry_of_the_own_term_is_applied)
{
    struct world world;
    uint64_t now = world_lead(&world, true);

    acknowledge(&world, now + 10, 2, 1, now); /* it gives the time back, and has not the entry */
    EXPECT_EQ(view_of(&world).applied, 1);
    EXPECT_EQ(view_of(&world).lease_until_ms, 0);
    EXPECT_EQ(core_barrier(world.core, now + 10, DEADLINE_MS, NULL), ST_OK);
    EXPECT_EQ(world.answered, 0);
    acknowledge(&world, now + 20, 2, 2, now);
    EXPECT_EQ(world.answered, 1); /* now it is, and who waited is answered by the lease */
    EXPECT_EQ(view_of(&world).last, 2);
    world_end(&world);
}

TEST(without_the_setting_there_is_no_lease)
{
    struct world world;
    uint64_t now = world_lead(&world, false);

    acknowledge(&world, now + 10, 2, 2, now);
    EXPECT_EQ(view_of(&world).lease_until_ms, 0);
    EXPECT_EQ(core_barrier(world.core, now + 10, DEADLINE_MS, NULL), ST_OK);
    EXPECT_EQ(world.answered, 0);
    core_flush(world.core, now + 10);
    EXPECT_EQ(view_of(&world).last, 3);
    world_end(&world);
}

TEST(a_follower_s_question_is_answered_by_the_lease)
{
    Lapwing__Barrier question = LAPWING__BARRIER__INIT;
    Lapwing__BarrierDone *answer;
    struct world world;
    uint64_t now = world_lead(&world, true);
    uint8_t body[16];

    acknowledge(&world, now + 10, 2, 2, now);
    forget_frames(&world);
    question.id = 77;
    EXPECT_EQ(core_frame(world.core, now + 20, 3, LAPWING__RAFT_FRAME__RAFT_BARRIER,
                         bytes_of(body, lapwing__barrier__pack(&question, body)), NULL),
              ST_OK);
    CHECK(world.frame_count == 1);
    EXPECT_EQ(world.frames[0].peer, 3);
    EXPECT_EQ(world.frames[0].type, LAPWING__RAFT_FRAME__RAFT_BARRIER_DONE);
    answer =
        lapwing__barrier_done__unpack(NULL, world.frames[0].body.len, world.frames[0].body.data);
    CHECK(answer != NULL);
    EXPECT_EQ(answer->id, 77);
    EXPECT_EQ(answer->status, ST_OK);
    EXPECT_EQ(answer->index, 2);
    lapwing__barrier_done__free_unpacked(answer, NULL);
    world_end(&world);
}

TEST(a_leader_that_told_another_to_stand_has_no_lease_for_the_rest_of_its_term)
{
    struct world world;
    uint64_t now = world_lead(&world, true);
    int token;

    acknowledge(&world, now + 10, 2, 2, now);
    EXPECT_EQ(view_of(&world).lease_until_ms, now + LEASE_MS);
    EXPECT_EQ(core_transfer(world.core, now + 20, 2, DEADLINE_MS, &token), ST_OK);
    core_flush(world.core, now + 20);
    EXPECT_EQ(view_of(&world).lease_until_ms, 0);
    acknowledge(&world, now + 30, 2, 2, now + 20);
    EXPECT_EQ(view_of(&world).lease_until_ms, 0);
    world_end(&world);
}

/* One heartbeat after the other to a follower. */
static const struct {
    const char *name;
    uint64_t peer;
    uint64_t term;
    uint64_t sent_ms;
    uint64_t want;
} heartbeats[] = {
    { "the first", 2, 2, 500, 500 },
    { "a newer one", 2, 2, 550, 550 },
    { "an older one, late", 2, 2, 510, 550 },
    { "of a release without the field", 2, 2, 0, 550 },
    { "of the next leader, whose clock is another", 3, 3, 70, 70 },
    { "of the old leader: refused", 2, 2, 900, 0 },
    { "of the same leader in a later term", 3, 4, 60, 60 },
};

TEST(a_follower_gives_back_the_newest_time_of_its_leader_in_its_term)
{
    struct world world;

    world_start(&world, true);
    for (size_t i = 0; i < ARRAY_LEN(heartbeats); i++) {
        struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
        struct wire_message answer;
        struct buf body = { 0 };

        test_case = heartbeats[i].name;
        forget_frames(&world);
        message.append_entries.term = heartbeats[i].term;
        message.append_entries.prev_log_index = 1;
        message.append_entries.prev_log_term = 1;
        wire_encode_append(&message, NULL, heartbeats[i].sent_ms, &body);
        feed(&world, 1010 + i, heartbeats[i].peer, &body);
        CHECK(world.frame_count == 1);
        EXPECT_EQ(world.frames[0].peer, heartbeats[i].peer);
        CHECK(wire_decode(buf_view(&world.frames[0].body), SELF, &answer, NULL) == ST_OK);
        EXPECT_EQ(answer.raft.type, RAFT_APPEND_ENTRIES_RESULT);
        EXPECT_EQ(answer.echo_ms, heartbeats[i].want);
        wire_message_done(&answer);
    }
    world_end(&world);
}
