#include "tests/unit/core_fixture.h"

#include "controlplane/replica/raft_rules.h"
#include "controlplane/state/state.h"
#include "proto/raft.pb-c.h"
#include "tests/unit/check.h"

static void set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    (void)context;
    (void)term;
    (void)voted_for;
}

static void disk(void *context, struct disk_op *op)
{
    struct world *world = context;

    CHECK(world->op == NULL);
    world->op = op;
}

static void send_frame(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    struct world *world = context;

    CHECK(world->frame_count < FRAMES_MAX);
    world->frames[world->frame_count].peer = peer;
    world->frames[world->frame_count].type = type;
    buf_append(&world->frames[world->frame_count].body, body.data, body.len);
    world->frame_count++;
}

static uint64_t stamp_ms(void *context)
{
    (void)context;
    return 1;
}

static void barrier_done(void *context, void *token, enum status st)
{
    struct world *world = context;

    (void)token;
    world->answered++;
    world->st = st;
}

static void proposed(void *context, void *token, enum status st, const Lapwing__Outcome *outcome)
{
    (void)outcome;
    barrier_done(context, token, st);
}

static void transferred(void *context, void *token, enum status st)
{
    (void)context;
    (void)token;
    (void)st;
}

void world_start(struct world *world, bool leader_lease)
{
    const uint64_t ids[] = { SELF, 2, 3 };
    struct core_io io = { .set_vote = set_vote,
                          .disk = disk,
                          .send = send_frame,
                          .stamp_ms = stamp_ms,
                          .work_us = stamp_ms,
                          .proposed = proposed,
                          .barrier_done = barrier_done,
                          .transferred = transferred,
                          .context = world };
    struct log_entry entry = { 1, LOG_CHANGE, rules_bootstrap(ids, ARRAY_LEN(ids)) };
    struct snapshot_meta none = { 0 };
    struct core_config config = { .self_id = SELF,
                                  .peer_ids = { 2, 3 },
                                  .peer_count = 2,
                                  .election_ms = ELECTION_MS,
                                  .heartbeat_ms = 50,
                                  .snapshots = { .log_bytes_min = 1 << 20 },
                                  .now_ms = 1000,
                                  .leader_lease = leader_lease,
                                  .fresh = true,
                                  .term = 1,
                                  .snapshot = &none,
                                  .first = 1,
                                  .entries = &entry,
                                  .entry_count = 1 };

    memset(world, 0, sizeof *world);
    CHECK(state_open(":memory:", STATE_GROUP_CONTROL, &world->state, NULL) == ST_OK);
    world->core = core_new(&config, &io, world->state);
    log_data_drop(entry.data);
    core_link(world->core, 1000, 2, true);
    core_link(world->core, 1000, 3, true);
}

void forget_frames(struct world *world)
{
    while (world->frame_count > 0)
        buf_done(&world->frames[--world->frame_count].body);
    memset(world->frames, 0, sizeof world->frames);
}

void world_end(struct world *world)
{
    core_free(world->core);
    state_close(world->state);
    forget_frames(world);
}

void feed(struct world *world, uint64_t now_ms, uint64_t peer, struct buf *body)
{
    EXPECT_EQ(core_frame(world->core, now_ms, peer, LAPWING__RAFT_FRAME__RAFT_MESSAGE,
                         buf_view(body), NULL),
              ST_OK);
    buf_done(body);
    core_flush(world->core, now_ms);
}

static void grant(struct world *world, uint64_t now_ms, bool pre_vote)
{
    struct raft_message message = { .type = RAFT_REQUEST_VOTE_RESULT };
    struct buf body = { 0 };

    message.request_vote_result.term = 2;
    message.request_vote_result.vote_granted = true;
    message.request_vote_result.pre_vote = pre_vote;
    wire_encode(&message, NULL, NULL, &body);
    feed(world, now_ms, 2, &body);
}

void acknowledge(
    struct world *world, uint64_t now_ms, uint64_t peer, uint64_t index, uint64_t echo_ms)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES_RESULT };
    struct buf body = { 0 };

    message.append_entries_result.term = 2;
    message.append_entries_result.last_log_index = index;
    wire_encode_append_result(&message, echo_ms, &body);
    feed(world, now_ms, peer, &body);
}

struct core_view view_of(const struct world *world)
{
    struct core_view view;

    core_view(world->core, &view);
    return view;
}

void world_disk_done(struct world *world, uint64_t now_ms)
{
    struct disk_op *op = world->op;

    CHECK(op != NULL);
    world->op = NULL; /* the turn may bring the next */
    core_disk_done(world->core, now_ms, op);
    core_flush(world->core, now_ms);
}

uint64_t world_lead(struct world *world, bool leader_lease)
{
    uint64_t now;

    world_start(world, leader_lease);
    now = core_timeout_ms(world->core);
    core_tick(world->core, now);
    grant(world, now, true);
    grant(world, now, false);
    EXPECT_EQ(view_of(world).raft_state, RAFT_LEADER);
    world_disk_done(world, now);
    return now;
}
