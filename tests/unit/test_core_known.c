/* What a member says and takes before its log is known, and of logs that are not the known ones. */
#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/replica/core.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/wire.h"
#include "controlplane/state/state.h"
#include "tests/unit/check.h"

enum { ELECTION_MS = 300, START_MS = 1000, OWN = 11, SENT_MAX = 64 };

struct sent {
    uint64_t peer;
    uint16_t type;
    int message; /* of a RAFT_MESSAGE: enum raft_message_type */
    bool waits;  /* of a hello */
    size_t known;
};

/* Member 1 of three, whose disk does at once what it is asked for. */
struct world {
    struct state *state;
    struct core *core;
    uint64_t now;
    struct known stored;
    enum status store; /* the answer to the next known_store() */
    unsigned forgotten;
    uint64_t forgotten_by;
    unsigned sent_count;
    struct sent sent[SENT_MAX];
};

static void set_vote(void *context, uint64_t term, uint64_t voted_for)
{
}

static void disk(void *context, struct disk_op *op)
{
    CHECK(!"nothing of this test is written");
}

static enum status known_store(void *context, const struct known *known, struct err *err)
{
    struct world *world = context;

    if (world->store == ST_OK)
        world->stored = *known;
    return world->store;
}

static void forgotten(void *context, uint64_t by, uint64_t incarnation)
{
    struct world *world = context;

    world->forgotten++;
    world->forgotten_by = by;
    EXPECT(incarnation != OWN);
}

static void note_hello(struct sent *sent, struct bytes body)
{
    Lapwing__RaftHello *hello = lapwing__raft_hello__unpack(NULL, body.len, body.data);

    CHECK(hello != NULL);
    EXPECT(hello->incarnation == OWN);
    EXPECT_EQ(hello->from, 1);
    EXPECT_EQ(hello->to, sent->peer);
    sent->waits = hello->waits;
    sent->known = hello->n_known;
    lapwing__raft_hello__free_unpacked(hello, NULL);
}

static void send_frame(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    struct world *world = context;
    struct sent *sent = &world->sent[world->sent_count++];
    struct wire_message message;

    CHECK(world->sent_count < SENT_MAX);
    *sent = (struct sent){ .peer = peer, .type = type };
    if (type == LAPWING__RAFT_FRAME__RAFT_HELLO) {
        note_hello(sent, body);
    } else if (type == LAPWING__RAFT_FRAME__RAFT_MESSAGE) {
        CHECK(wire_decode(body, 1, &message, NULL) == ST_OK);
        sent->message = message.raft.type;
        wire_message_done(&message);
    }
}

static uint64_t clock_ms(void *context)
{
    return 1700000000000;
}

static const struct core_io io = {
    .set_vote = set_vote,
    .disk = disk,
    .known_store = known_store,
    .forgotten = forgotten,
    .send = send_frame,
    .stamp_ms = clock_ms,
    .work_us = clock_ms,
};

/* `log` is 0 with the first configuration of three; JOINS: empty; BEHIND: behind a snapshot with a
 * configuration that members came and went before. */
enum { JOINS = 1, BEHIND = 2, BEHIND_ID = 200 };

static void world_init(struct world *world, const struct known *known, unsigned log)
{
    const uint64_t ids[] = { 1, 2, log == BEHIND ? BEHIND_ID : 3 };
    struct log_entry entry = { 1, LOG_CHANGE, rules_bootstrap(ids, ARRAY_LEN(ids)) };
    struct snapshot_meta snapshot = { 0 };
    struct core_io own = io;
    struct core_config config = {
        .self_id = 1,
        .peer_ids = { 2, 3 },
        .peer_count = 2,
        .election_ms = ELECTION_MS,
        .heartbeat_ms = 50,
        .fresh = true,
        .now_ms = START_MS,
        .term = 1,
        .snapshot = &snapshot,
        .first = log == BEHIND ? 6 : 1,
        .entries = &entry,
        .entry_count = log == 0 ? 1 : 0,
        .known = known,
        .address = "127.0.0.1:1",
    };

    if (log == BEHIND) {
        snapshot = (struct snapshot_meta){
            .index = 5, .term = 1, .configuration_index = 1, .bytes = 4096
        };
        snapshot.configuration_len = entry.data->len;
        memcpy(snapshot.configuration, entry.data->bytes, entry.data->len);
    }
    memset(world, 0, sizeof *world);
    world->now = START_MS;
    world->stored = *known;
    own.context = world;
    EXPECT_EQ(state_open(":memory:", STATE_GROUP_CONTROL, &world->state, NULL), ST_OK);
    world->core = core_new(&config, &own, world->state);
    log_data_drop(entry.data);
    core_link(world->core, world->now, 2, true);
    core_link(world->core, world->now, 3, true);
}

static void world_done(struct world *world)
{
    core_free(world->core);
    state_close(world->state);
}

static const struct known silent = { .incarnation = OWN };

/* A hello of `from`, whose log is `incarnation`; `as`: it knows ours as that, 0: not at all. */
static enum status hello(
    struct world *world, uint64_t from, uint64_t incarnation, uint64_t as, bool early)
{
    Lapwing__RaftHello message = LAPWING__RAFT_HELLO__INIT;
    Lapwing__RaftKnown log = LAPWING__RAFT_KNOWN__INIT;
    Lapwing__RaftKnown *list[] = { &log };
    struct err err = { 0 };

    log.id = 1;
    log.incarnation = as;
    log.early = early;
    message.from = from;
    message.to = 1;
    message.incarnation = incarnation;
    message.known = list;
    message.n_known = as != 0 ? 1 : 0;
    return core_hello(world->core, world->now, from, &message, &err);
}

static void ask_for_vote(struct world *world, uint64_t peer, uint64_t term)
{
    struct raft_message message = { .type = RAFT_REQUEST_VOTE };
    struct buf body = { 0 };
    struct err err = { 0 };

    message.request_vote = (struct raft_request_vote){
        .version = 2, .term = term, .candidate_id = peer, .last_log_index = 9, .last_log_term = 1
    };
    wire_encode(&message, NULL, NULL, &body);
    EXPECT_EQ(core_frame(world->core, world->now, peer, LAPWING__RAFT_FRAME__RAFT_MESSAGE,
                         buf_view(&body), &err),
              ST_OK);
    buf_done(&body);
}

static void append_nothing(struct world *world, uint64_t peer, uint64_t term)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
    struct buf body = { 0 };
    struct err err = { 0 };

    message.append_entries =
        (struct raft_append_entries){ .term = term, .prev_log_index = 1, .prev_log_term = 1 };
    wire_encode(&message, NULL, NULL, &body);
    EXPECT_EQ(core_frame(world->core, world->now, peer, LAPWING__RAFT_FRAME__RAFT_MESSAGE,
                         buf_view(&body), &err),
              ST_OK);
    buf_done(&body);
}

static void pass(struct world *world, uint64_t ms)
{
    for (uint64_t until = world->now + ms; world->now < until; world->now++) {
        if (world->now >= core_timeout_ms(world->core))
            core_tick(world->core, world->now);
        core_flush(world->core, world->now);
    }
}

static unsigned sent_messages(const struct world *world)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world->sent_count; i++)
        count += world->sent[i].type == LAPWING__RAFT_FRAME__RAFT_MESSAGE;
    return count;
}

/* Hellos to `peer`; the newest one's number of logs and whether it waits. */
static unsigned hellos_to(const struct world *world, uint64_t peer, struct sent *out_newest)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world->sent_count; i++)
        if (world->sent[i].type == LAPWING__RAFT_FRAME__RAFT_HELLO && world->sent[i].peer == peer) {
            *out_newest = world->sent[i];
            count++;
        }
    return count;
}

TEST(a_new_member_neither_votes_nor_acknowledges_nor_stands_before_it_is_known)
{
    struct world world;

    world_init(&world, &silent, 0);
    EXPECT(core_is_silent(world.core));
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_OK);
    EXPECT_EQ(hello(&world, 3, 33, 0, false), ST_OK);
    ask_for_vote(&world, 2, 5);
    append_nothing(&world, 3, 5);
    pass(&world, 10 * ELECTION_MS);
    EXPECT_EQ(sent_messages(&world), 0);

    EXPECT_EQ(hello(&world, 2, 22, OWN, true), ST_OK);
    EXPECT(!core_is_silent(world.core));
    EXPECT(world.stored.takes_part);
    ask_for_vote(&world, 2, 6);
    EXPECT_EQ(sent_messages(&world), 1);
    EXPECT_EQ(world.sent[world.sent_count - 1].message, RAFT_REQUEST_VOTE_RESULT);
    append_nothing(&world, 2, 6);
    EXPECT_EQ(sent_messages(&world), 2);
    world_done(&world);
}

TEST(of_those_who_took_part_before_they_heard_of_it_one_more_is_needed)
{
    struct world world;

    world_init(&world, &silent, 0);
    EXPECT_EQ(hello(&world, 2, 22, OWN, false), ST_OK);
    EXPECT(core_is_silent(world.core));
    EXPECT_EQ(hello(&world, 4, 44, OWN, false), ST_OK); /* no voter of the first configuration */
    EXPECT(core_is_silent(world.core));
    EXPECT_EQ(hello(&world, 3, 33, OWN, false), ST_OK);
    EXPECT(!core_is_silent(world.core));
    world_done(&world);
}

TEST(a_peer_of_a_release_before_cannot_refuse_and_hears_one_hello)
{
    struct world world;
    struct sent newest;

    world_init(&world, &silent, 0);
    EXPECT_EQ(core_hello(world.core, world.now, 2, NULL, NULL), ST_OK);
    EXPECT(!core_is_silent(world.core));
    EXPECT_EQ(hello(&world, 3, 33, OWN, false), ST_OK);
    EXPECT_EQ(hellos_to(&world, 2, &newest), 1);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 2);
    world_done(&world);
}

TEST(who_is_known_as_another_log_stops_for_good)
{
    struct known took_part = { .incarnation = OWN, .takes_part = true };
    const struct known *const cases[] = { &silent, &took_part };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world;

        world_init(&world, cases[i], 0);
        EXPECT_EQ(hello(&world, 2, 22, 12, false), ST_DENIED);
        EXPECT_EQ(world.forgotten, 1);
        EXPECT_EQ(world.forgotten_by, 2);
        EXPECT(world.stored.refused);
        EXPECT(core_is_silent(world.core));
        EXPECT_EQ(hello(&world, 3, 33, OWN, true), ST_OK); /* others cannot make it good */
        EXPECT(core_is_silent(world.core));
        EXPECT_EQ(world.forgotten, 1);
        pass(&world, 10 * ELECTION_MS);
        EXPECT_EQ(sent_messages(&world), 0);
        world_done(&world);
    }
}

TEST(nothing_is_taken_from_another_log_until_the_known_one_is_back)
{
    struct known known = { .incarnation = OWN, .takes_part = true };
    struct world world;
    struct core_view view;

    world_init(&world, &known, 0);
    EXPECT_EQ(hello(&world, 2, 22, OWN, false), ST_OK);
    EXPECT_EQ(hello(&world, 2, 23, 12, false), ST_DENIED); /* what it says of us is not heard */
    EXPECT_EQ(world.forgotten, 0);
    ask_for_vote(&world, 2, 5);
    EXPECT_EQ(sent_messages(&world), 0);
    core_view(world.core, &view);
    EXPECT(view.members[1].forgot);
    EXPECT(!view.members[1].takes_part);
    EXPECT(known_find(&world.stored, 2)->incarnation == 22);

    EXPECT_EQ(hello(&world, 2, 22, OWN, false), ST_OK);
    ask_for_vote(&world, 2, 5);
    EXPECT_EQ(sent_messages(&world), 1);
    core_view(world.core, &view);
    EXPECT(!view.members[1].forgot);
    EXPECT(view.members[1].takes_part);
    world_done(&world);
}

TEST(what_is_learned_goes_to_all_who_understand_it_and_is_durable_before)
{
    struct known known = { .incarnation = OWN, .takes_part = true };
    struct world world;
    struct core_view view;
    struct sent newest = { 0 };

    world_init(&world, &known, 0);
    EXPECT_EQ(hellos_to(&world, 2, &newest), 1);
    EXPECT_EQ(newest.known, 0);
    world.store = ST_NO_SPACE;
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_NO_SPACE);
    EXPECT_EQ(hellos_to(&world, 2, &newest), 1);
    core_view(world.core, &view);
    EXPECT(!view.members[1].takes_part); /* for all that counts on its being known */
    world.store = ST_OK;
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_OK);
    EXPECT_EQ(world.stored.count, 1);
    core_view(world.core, &view);
    EXPECT(view.members[1].takes_part);
    EXPECT_EQ(hellos_to(&world, 2, &newest), 2);
    EXPECT_EQ(newest.known, 1);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 1); /* it has not said that it understands */
    EXPECT_EQ(hello(&world, 3, 33, 0, false), ST_OK);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 2);
    EXPECT_EQ(newest.known, 2);
    EXPECT_EQ(hellos_to(&world, 2, &newest), 3);
    EXPECT_EQ(hello(&world, 3, 33, 0, false), ST_OK); /* nothing new */
    EXPECT_EQ(hellos_to(&world, 2, &newest), 3);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 2);
    world_done(&world);
}

TEST(a_member_that_says_hello_after_the_news_hears_them_then)
{
    struct known known = { .incarnation = OWN, .takes_part = true };
    struct world world;
    struct sent newest = { 0 };

    EXPECT_EQ(known_learn(&known, 2, 22), KNOWN_NEW);
    world_init(&world, &known, 0);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 1);
    EXPECT_EQ(newest.known, 1);
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_OK); /* known: no news */
    EXPECT_EQ(hellos_to(&world, 2, &newest), 1);
    EXPECT_EQ(hello(&world, 4, 44, 0, false), ST_OK); /* not in the book */
    EXPECT_EQ(hellos_to(&world, 2, &newest), 2);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 1);
    EXPECT_EQ(hello(&world, 3, 33, 0, false), ST_OK);
    EXPECT_EQ(hellos_to(&world, 3, &newest), 2);
    EXPECT_EQ(newest.known, 3);
    world_done(&world);
}

TEST(a_node_that_joins_votes_when_it_has_heard_of_its_group)
{
    struct known joins = { .incarnation = OWN, .takes_part = true };
    struct world world;

    world_init(&world, &joins, JOINS);
    EXPECT(!core_is_silent(world.core));
    EXPECT_EQ(hello(&world, 2, 22, OWN, false), ST_OK);
    ask_for_vote(&world, 2, 5);
    EXPECT_EQ(sent_messages(&world), 0);
    world_done(&world);
    world_init(&world, &joins, 0);
    ask_for_vote(&world, 2, 5);
    EXPECT_EQ(sent_messages(&world), 1);
    world_done(&world);
}

TEST(one_more_log_than_there_are_places_is_refused_unless_one_is_out)
{
    struct known known = { .incarnation = OWN, .takes_part = true };
    struct world world;

    for (uint64_t id = 10; known.count < RAFT_KNOWN_MAX; id++)
        EXPECT_EQ(known_learn(&known, id, 1000 + id), KNOWN_NEW);
    world_init(&world, &known, 0);
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_LIMIT);
    world_done(&world);

    world_init(&world, &known, BEHIND);
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_OK);
    EXPECT_EQ(world.stored.count, RAFT_KNOWN_MAX);
    EXPECT(known_find(&world.stored, 2) != NULL);
    world_done(&world);

    known.count--;
    world_init(&world, &known, 0);
    EXPECT_EQ(hello(&world, 2, 22, 0, false), ST_OK);
    world_done(&world);
}
