/* What a member does whose disk is not fit; the group as a whole is the simulation's. */
#include <raft.h>
#include <stdlib.h>

#include "controlplane/replica/core.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/wire.h"
#include "controlplane/state/state.h"
#include "proto/raft.pb-c.h"
#include "tests/unit/check.h"

enum { ELECTION_MS = 300, START_MS = 1000, SNAPSHOT_INDEX = 5 };

/* A core whose disk does what it is asked for when the test says so. */
struct world {
    struct state *state;
    struct core *core;
    uint64_t now;
    struct disk_op *ops[8];
    unsigned op_count;
    unsigned answers;
    enum status answer;
    unsigned barriers;
    enum status barrier;
    unsigned told; /* frames that say what our disk is fit for */
    uint8_t said;
    unsigned chunks; /* of snapshots, sent */
};

static void set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    (void)context;
    (void)term;
    (void)voted_for;
}

static void disk(void *context, struct disk_op *op)
{
    struct world *world = context;

    CHECK(world->op_count < ARRAY_LEN(world->ops));
    world->ops[world->op_count++] = op;
}

static void send_frame(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    struct world *world = context;
    Lapwing__RaftDisk *message;

    (void)peer;
    world->chunks += type == LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_CHUNK;
    if (type != LAPWING__RAFT_FRAME__RAFT_DISK)
        return;
    message = lapwing__raft_disk__unpack(NULL, body.len, body.data);
    CHECK(message != NULL);
    world->told++;
    world->said = (uint8_t)message->condition;
    lapwing__raft_disk__free_unpacked(message, NULL);
}

static uint64_t stamp_ms(void *context)
{
    (void)context;
    return 1700000000000;
}

static void proposed(void *context, void *token, enum status st, const Lapwing__Outcome *outcome)
{
    struct world *world = context;

    (void)token;
    (void)outcome;
    world->answers++;
    world->answer = st;
}

static void barrier_done(void *context, void *token, enum status st)
{
    struct world *world = context;

    (void)token;
    world->barriers++;
    world->barrier = st;
}

/* Of a new group, or of one whose log begins behind a snapshot. */
static void world_begin(struct world *world, unsigned members, bool has_snapshot)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct log_entry entry = { 1, LOG_CHANGE, rules_bootstrap(ids, members) };
    struct snapshot_meta snapshot = { 0 };
    const struct core_io io = { .set_vote = set_vote,
                                .disk = disk,
                                .send = send_frame,
                                .stamp_ms = stamp_ms,
                                .work_us = stamp_ms,
                                .proposed = proposed,
                                .barrier_done = barrier_done,
                                .context = world };
    struct core_config config = {
        .self_id = 1,
        .peer_ids = { 2, 3 },
        .peer_count = members - 1,
        .election_ms = ELECTION_MS,
        .heartbeat_ms = 50,
        .snapshots = { .log_bytes_min = 1 << 20 },
        .fresh = true,
        .now_ms = START_MS,
        .term = 1,
        .snapshot = &snapshot,
        .first = has_snapshot ? SNAPSHOT_INDEX + 1 : 1,
        .entries = &entry,
        .entry_count = has_snapshot ? 0 : 1,
    };

    if (has_snapshot) {
        snapshot = (struct snapshot_meta){
            .index = SNAPSHOT_INDEX, .term = 1, .configuration_index = 1, .bytes = 4096
        };
        snapshot.configuration_len = entry.data->len;
        memcpy(snapshot.configuration, entry.data->bytes, entry.data->len);
    }
    memset(world, 0, sizeof *world);
    world->now = START_MS;
    EXPECT_EQ(state_open(":memory:", STATE_GROUP_CONTROL, &world->state, NULL), ST_OK);
    world->core = core_new(&config, &io, world->state);
    log_data_drop(entry.data);
}

static void world_init(struct world *world, unsigned members)
{
    world_begin(world, members, false);
}

static void world_done(struct world *world)
{
    core_free(world->core);
    state_close(world->state);
}

/* So much time passes; the disk does all that it is asked for. */
static void pass(struct world *world, uint64_t ms)
{
    for (uint64_t until = world->now + ms; world->now < until; world->now++) {
        if (world->now >= core_timeout_ms(world->core))
            core_tick(world->core, world->now);
        core_flush(world->core, world->now);
        while (world->op_count > 0) {
            struct disk_op *op = world->ops[0];

            memmove(world->ops, world->ops + 1, --world->op_count * sizeof world->ops[0]);
            core_disk_done(world->core, world->now, op);
            core_flush(world->core, world->now);
        }
    }
}

static void propose(struct world *world, uint64_t sequence)
{
    uint8_t client[16] = { 1 };
    Lapwing__Command command = LAPWING__COMMAND__INIT;

    command.type = LAPWING__COMMAND_TYPE__DELETE_FUNCTION;
    command.version = 9; /* unknown, and so refused by the rows: an outcome like any other */
    command.client.data = client;
    command.client.len = sizeof client;
    command.sequence = sequence;
    EXPECT_EQ(core_propose(world->core, world->now, core_command_copy(&command), world->now + 10000,
                           world),
              ST_OK);
}

static int role(const struct world *world)
{
    struct core_view view;

    core_view(world->core, &view);
    return view.raft_state;
}

TEST(a_full_leader_without_a_fit_peer_refuses_commands_at_once_and_answers_reads)
{
    struct world world;

    world_init(&world, 1);
    pass(&world, 50);
    propose(&world, 1);
    pass(&world, 50);
    EXPECT_EQ(world.answers, 1);
    EXPECT_EQ(world.answer, ST_OK);

    core_set_disk(world.core, world.now, DISK_FULL);
    propose(&world, 2);
    EXPECT_EQ(core_barrier(world.core, world.now, world.now + 10000, &world), ST_OK);
    pass(&world, 100);
    EXPECT_EQ(world.answers, 2);
    EXPECT_EQ(world.answer, ST_UNAVAILABLE);
    EXPECT_EQ(world.barriers, 1);
    EXPECT_EQ(world.barrier, ST_OK);
    EXPECT_EQ(role(&world), RAFT_LEADER);

    core_set_disk(world.core, world.now, DISK_FIT);
    propose(&world, 3);
    pass(&world, 50);
    EXPECT_EQ(world.answers, 3);
    EXPECT_EQ(world.answer, ST_OK);
    world_done(&world);
}

TEST(a_slow_leader_without_a_fit_peer_goes_on)
{
    struct world world;

    world_init(&world, 1);
    pass(&world, 50);
    core_set_disk(world.core, world.now, DISK_SLOW);
    propose(&world, 1);
    pass(&world, 50);
    EXPECT_EQ(world.answer, ST_OK);
    EXPECT_EQ(world.answers, 1);
    world_done(&world);
}

/* Each row: whether a member of three stands for election when nobody leads. */
static const struct {
    const char *name;
    enum disk_condition disk;
    uint64_t after_ms;
    int want;
} elections[] = {
    { "fit", DISK_FIT, 2 * ELECTION_MS + 10, RAFT_CANDIDATE },
    { "full, after two timeouts", DISK_FULL, 2 * ELECTION_MS + 10, RAFT_FOLLOWER },
    { "full, before its patience ends", DISK_FULL, 10 * ELECTION_MS, RAFT_FOLLOWER },
    { "full, when it has ended", DISK_FULL, 10 * ELECTION_MS + 10, RAFT_CANDIDATE },
    { "slow, before its patience ends", DISK_SLOW, 10 * ELECTION_MS, RAFT_FOLLOWER },
    { "slow, when it has ended", DISK_SLOW, 10 * ELECTION_MS + 10, RAFT_CANDIDATE },
};

TEST(an_unfit_member_stands_for_election_only_when_nobody_else_does)
{
    for (size_t i = 0; i < ARRAY_LEN(elections); i++) {
        struct world world;

        test_case = elections[i].name;
        world_init(&world, 3);
        core_set_disk(world.core, world.now, elections[i].disk);
        pass(&world, elections[i].after_ms);
        EXPECT_EQ(role(&world), elections[i].want);
        world_done(&world);
    }
}

TEST(peers_are_told_of_a_disk_that_is_not_fit_again_and_again)
{
    struct world world;

    world_init(&world, 3);
    core_link(world.core, world.now, 2, true);
    EXPECT_EQ(world.told, 0); /* one that is fit says nothing */
    core_set_disk(world.core, world.now, DISK_FULL);
    EXPECT_EQ(world.told, 1);
    EXPECT_EQ(world.said, DISK_FULL);
    core_set_disk(world.core, world.now, DISK_FULL);
    EXPECT_EQ(world.told, 1);
    core_link(world.core, world.now, 3, true);
    EXPECT_EQ(world.told, 2);
    pass(&world, 900);
    EXPECT_EQ(world.told, 2);
    pass(&world, 200);
    EXPECT_EQ(world.told, 4);
    core_set_disk(world.core, world.now, DISK_FIT);
    EXPECT_EQ(world.told, 6);
    EXPECT_EQ(world.said, DISK_FIT);
    pass(&world, 3000);
    EXPECT_EQ(world.told, 6);
    world_done(&world);
}

TEST(what_a_peer_said_counts_for_five_seconds)
{
    static const uint8_t full[] = { 0x08, DISK_FULL };
    struct core_view view;
    struct world world;

    world_init(&world, 3);
    EXPECT_EQ(core_frame(world.core, world.now, 2, LAPWING__RAFT_FRAME__RAFT_DISK,
                         bytes_of(full, sizeof full), NULL),
              ST_OK);
    core_flush(world.core, world.now + 4999);
    core_view(world.core, &view);
    EXPECT_EQ(view.members[1].disk, DISK_FULL);
    core_flush(world.core, world.now + 5000);
    core_view(world.core, &view);
    EXPECT_EQ(view.members[1].disk, DISK_FIT);
    world_done(&world);
}

static void hear(struct world *world, uint64_t peer, const struct raft_message *message)
{
    struct buf body = { 0 };

    wire_encode(message, NULL, NULL, &body);
    EXPECT_EQ(core_frame(world->core, world->now, peer, LAPWING__RAFT_FRAME__RAFT_MESSAGE,
                         buf_view(&body), NULL),
              ST_OK);
    buf_done(&body);
    core_flush(world->core, world->now);
}

/* Voted for by 2, in term 2. */
static void lead(struct world *world)
{
    struct raft_message vote = { .type = RAFT_REQUEST_VOTE_RESULT };

    world->now = core_timeout_ms(world->core);
    core_tick(world->core, world->now);
    vote.request_vote_result.term = 2;
    vote.request_vote_result.vote_granted = true;
    vote.request_vote_result.pre_vote = true;
    hear(world, 2, &vote);
    vote.request_vote_result.pre_vote = false;
    hear(world, 2, &vote);
    EXPECT_EQ(role(world), RAFT_LEADER);
}

/* A full peer would not answer, and a leader takes no snapshot of its own while it sends one. */
static const struct {
    const char *name;
    uint8_t disk;
    unsigned chunks;
} offers[] = {
    { "fit", DISK_FIT, 1 },
    { "slow", DISK_SLOW, 1 },
    { "full", DISK_FULL, 0 },
};

TEST(a_peer_with_an_empty_log_is_sent_a_snapshot_unless_it_has_no_room)
{
    for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
        const uint8_t disk_body[] = { 0x08, offers[i].disk };
        struct raft_message result = { .type = RAFT_APPEND_ENTRIES_RESULT };
        struct world world;

        test_case = offers[i].name;
        world_begin(&world, 3, true);
        lead(&world);
        core_link(world.core, world.now, 3, true);
        EXPECT_EQ(core_frame(world.core, world.now, 3, LAPWING__RAFT_FRAME__RAFT_DISK,
                             bytes_of(disk_body, sizeof disk_body), NULL),
                  ST_OK);
        result.append_entries_result.term = 2;
        result.append_entries_result.rejected = SNAPSHOT_INDEX;
        hear(&world, 3, &result);
        pass(&world, 100);
        EXPECT_EQ(world.chunks, offers[i].chunks);
        world_done(&world);
    }
}

static const struct {
    const char *name;
    uint8_t bytes[4];
    size_t len;
    enum status want;
    enum disk_condition disk;
} frames[] = {
    { "fit says nothing", { 0 }, 0, ST_OK, DISK_FIT },
    { "full", { 0x08, DISK_FULL }, 2, ST_OK, DISK_FULL },
    { "the last one", { 0x08, DISK_FAILED }, 2, ST_OK, DISK_FAILED },
    { "one more", { 0x08, DISK_CONDITIONS }, 2, ST_BAD_INPUT, DISK_FIT },
    { "not a message", { 0xff, 0xff }, 2, ST_BAD_INPUT, DISK_FIT },
};

TEST(what_a_peer_says_of_its_disk_is_checked)
{
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        struct err err = { 0 };
        struct core_view view;
        struct world world;

        test_case = frames[i].name;
        world_init(&world, 3);
        EXPECT_EQ(core_frame(world.core, world.now, 2, LAPWING__RAFT_FRAME__RAFT_DISK,
                             bytes_of(frames[i].bytes, frames[i].len), &err),
                  frames[i].want);
        core_view(world.core, &view);
        EXPECT_EQ(view.members[1].disk, frames[i].disk);
        EXPECT_EQ(view.members[2].disk, DISK_FIT);
        world_done(&world);
    }
}
