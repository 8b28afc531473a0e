/* A core whose stored snapshot is found rotten: when it is taken again. */
#include "controlplane/replica/core.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/state/state.h"
#include "tests/unit/check.h"

enum { START_MS = 1000, RETAKE_MS = 1000 };

struct world {
    struct core *core;
    struct state *state;
    struct disk_op *op; /* the leader's first entry, not durable here: nothing more is committed */
    struct snapshot_meta written;
    unsigned writes;
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

    CHECK(world->op == NULL);
    world->op = op;
}

static void snapshot_write(void *context, const struct snapshot_meta *meta)
{
    struct world *world = context;

    world->written = *meta;
    world->writes++;
}

/* The only member, with a snapshot of entry 1 and no log behind it. */
static void world_start(struct world *world)
{
    const uint64_t ids[] = { 1 };
    struct core_io io = {
        .set_vote = set_vote, .disk = disk, .snapshot_write = snapshot_write, .context = world
    };
    struct log_data *members = rules_bootstrap(ids, ARRAY_LEN(ids));
    struct snapshot_meta meta = { .index = 1, .term = 1, .bytes = 4096, .configuration_index = 1 };
    struct core_config config = { .self_id = 1,
                                  .election_ms = 300,
                                  .heartbeat_ms = 50,
                                  .snapshots = { .log_bytes_min = 1 << 20 },
                                  .now_ms = START_MS,
                                  .term = 1,
                                  .snapshot = &meta,
                                  .first = 2 };

    memset(world, 0, sizeof *world);
    meta.configuration_len = members->len;
    memcpy(meta.configuration, members->bytes, members->len);
    log_data_drop(members);
    CHECK(state_open(":memory:", STATE_GROUP_CONTROL, &world->state, NULL) == ST_OK);
    CHECK(state_apply_entry(world->state, NULL, (struct state_position){ .index = 1, .term = 1 },
                            NULL, NULL, NULL) == ST_OK);
    world->core = core_new(&config, &io, world->state);
}

static void world_end(struct world *world)
{
    core_free(world->core);
    state_close(world->state);
}

TEST(a_rotten_snapshot_is_taken_again_at_once_and_after_a_failure_not_before_its_time)
{
    struct world world;

    world_start(&world);
    core_flush(world.core, START_MS);
    EXPECT_EQ(world.writes, 0);
    core_snapshot_rotten(world.core, START_MS);
    core_flush(world.core, START_MS);
    EXPECT_EQ(world.writes, 1);
    EXPECT_EQ(world.written.index, 1);

    core_snapshot_written(world.core, START_MS, ST_IO, &world.written);
    core_flush(world.core, START_MS);
    core_flush(world.core, START_MS + RETAKE_MS - 1);
    EXPECT_EQ(world.writes, 1);
    EXPECT(core_timeout_ms(world.core) <= START_MS + RETAKE_MS);
    core_flush(world.core, START_MS + RETAKE_MS);
    EXPECT_EQ(world.writes, 2);
    world_end(&world);
}
