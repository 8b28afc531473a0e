/* Real replicas over real files that were damaged, lost or rolled back between two starts. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/state/functions.h"
#include "controlplane/state/state.h"
#include "tests/cluster/replica_trio.h"
#include "tests/unit/check.h"

enum { PORT = 17370, WAIT_S = 40, SNAPSHOT_LOG_BYTES = 32768 };

struct group {
    struct replica_trio trio;
    uv_loop_t loop;
    struct replica_client *client;
    unsigned at; /* whose the client is */
    uint64_t names;
    unsigned open;
    unsigned failed;
};

static void group_init(struct group *group, unsigned members)
{
    char dir[] = "/tmp/test_recovery.XXXXXX";
    const char *port = getenv("TEST_PORT");

    memset(group, 0, sizeof *group);
    CHECK(mkdtemp(dir) != NULL);
    log_threshold(LOG_ERROR);
    CHECK(uv_loop_init(&group->loop) == 0);
    replica_trio_init(&group->trio, dir, port != NULL ? (uint16_t)atoi(port) : PORT);
    group->trio.member_count = members;
    group->trio.snapshot_log_bytes = SNAPSHOT_LOG_BYTES;
}

static void group_done(struct group *group)
{
    char command[400];

    CHECK(uv_loop_close(&group->loop) == 0);
    replica_trio_done(&group->trio);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", group->trio.dir);
    EXPECT_EQ(system(command), 0);
}

static void client_open(struct group *group, unsigned at)
{
    group->at = at;
    group->client = replica_client_new(group->trio.replicas[at], &group->loop);
}

static void client_close(struct group *group)
{
    replica_client_close(group->client);
    (void)uv_run(&group->loop, UV_RUN_DEFAULT);
}

static void proposed(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct group *group = context;

    group->open--;
    if (st != ST_OK || outcome->status != ST_OK)
        group->failed++;
}

/* Create so many functions, and wait for the answers. */
static void create(struct group *group, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct buf body = { 0 };
        char name[32];

        (void)snprintf(name, sizeof name, "f-%llu", (unsigned long long)++group->names);
        replica_trio_create_body(name, group->names, &body);
        EXPECT_EQ(replica_propose(group->client, LAPWING__COMMAND_TYPE__CREATE_FUNCTION,
                                  buf_view(&body), WAIT_S * 1000, proposed, group),
                  ST_OK);
        group->open++;
        buf_done(&body);
        while (group->open > 0)
            (void)uv_run(&group->loop, UV_RUN_ONCE);
    }
    EXPECT_EQ(group->failed, 0);
}

static struct replica_status status_of(const struct group *group, unsigned at)
{
    struct replica_status status;

    replica_status(group->trio.replicas[at], &status);
    return status;
}

/* Until the node's stored snapshot is newer than `index`, writing meanwhile. */
static void create_until_snapshot(struct group *group, unsigned at, uint64_t index)
{
    uint64_t until = uv_hrtime() + (uint64_t)WAIT_S * 1000000000;

    while (status_of(group, at).snapshot_index <= index && uv_hrtime() < until)
        create(group, 1);
    EXPECT(status_of(group, at).snapshot_index > index);
}

static void path_of(const struct group *group, unsigned at, const char *name, char out[400])
{
    (void)snprintf(out, 400, "%s/%s/%s", group->trio.dir, group->trio.members[at].node, name);
}

static void shell(const struct group *group, unsigned at, const char *what)
{
    char command[1000];

    (void)snprintf(command, sizeof command, "cd '%s/%s' && %s", group->trio.dir,
                   group->trio.members[at].node, what);
    EXPECT_EQ(system(command), 0);
}

static void change_rows(const struct group *group, unsigned at, const char *sql)
{
    char path[400];
    sqlite3 *db;

    path_of(group, at, "state.db", path);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

/* All functions that were created are there; returns the digest of all rows. */
static uint64_t expect_rows(const struct group *group, unsigned at)
{
    struct state *state = NULL;
    uint64_t digest = 0;
    uint64_t missing = 0;
    char path[400];

    path_of(group, at, "state.db", path);
    EXPECT_EQ(state_open(path, STATE_GROUP_CONTROL, &state, NULL), ST_OK);
    for (uint64_t n = 1; n <= group->names; n++) {
        Lapwing__Function *function = NULL;
        char name[32];

        (void)snprintf(name, sizeof name, "f-%llu", (unsigned long long)n);
        if (state_get_function(state_reader_of(state), "000000000000", "eu-west-1", name, &function,
                               NULL) == ST_OK)
            lapwing__function__free_unpacked(function, NULL);
        else
            missing++;
    }
    EXPECT_EQ(missing, 0);
    EXPECT_EQ(state_digest(state, &digest, NULL), ST_OK);
    state_close(state);
    return digest;
}

/* ---- one member: rows and snapshot ---- */

/* Started with a snapshot and `more` functions behind it, and left running. */
static void start_with_snapshot(struct group *group, unsigned more)
{
    replica_trio_start(&group->trio, 0);
    client_open(group, 0);
    create_until_snapshot(group, 0, 0);
    create(group, more);
    client_close(group);
}

static void expect_a_start_with_all_rows(struct group *group)
{
    replica_trio_start(&group->trio, 0);
    client_open(group, 0);
    create(group, 1);
    client_close(group);
    replica_trio_stop(&group->trio, 0);
    (void)expect_rows(group, 0);
}

/* Each row: what happened to the files of a node that has a snapshot and log behind it. */
static const struct {
    const char *name;
    const char *rows_sql; /* run on state.db */
    const char *command;  /* run in the folder */
    const char *refused;  /* a word of the reason; NULL: it starts with all rows */
} damages[] = {
    { "nothing", "", "true", NULL },
    { "another boot", "UPDATE meta SET boot_id = 'before'", "true", NULL },
    { "another history", "UPDATE meta SET applied_term = applied_term + 7", "true", NULL },
    { "rows older than the snapshot", "UPDATE meta SET applied_index = 1", "true", NULL },
    { "no rows", "", "rm state.db*", NULL },
    { "rows that are none", "", "rm -f state.db-*; head -c 9000 /dev/zero > state.db", NULL },
    { "a rotten snapshot, rows kept", "",
      "printf X | dd of=$(ls snapshot-*) bs=1 seek=9000 "
      "conv=notrunc status=none",
      NULL },
    { "no snapshot, rows kept", "", "rm snapshot-*", NULL },
    { "a rotten snapshot, another boot", "UPDATE meta SET boot_id = 'before'",
      "printf X | dd of=$(ls snapshot-*) bs=1 seek=9000 conv=notrunc status=none", "snapshot-" },
    { "a cut snapshot and no rows", "", "rm state.db*; truncate -s 8192 snapshot-*", "snapshot-" },
    { "no snapshot and no rows", "", "rm state.db* snapshot-*", "snapshot-" },
    { "no log", "", "rm log.db", "log.db" },
    { "no mark", "", "rm log.mark", "log.mark" },
};

static void expect_refused(struct group *group, const char *word)
{
    struct err err = { 0 };

    shell(group, 0,
          "cat log.db log.db-wal log.mark snapshot-* 2>/dev/null | sha256sum > ../before; true");
    EXPECT_EQ(replica_trio_try(&group->trio, 0, &err), ST_CORRUPT);
    EXPECT(strstr(err.text, word) != NULL);
    EXPECT(strstr(err.text, "lapwing node replace") != NULL);
    shell(group, 0,
          "cat log.db log.db-wal log.mark snapshot-* 2>/dev/null | sha256sum | cmp - ../before");
}

TEST(rows_and_snapshots_that_are_damaged_are_made_anew_or_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        struct group group;

        test_case = damages[i].name;
        group_init(&group, 1);
        start_with_snapshot(&group, 5);
        replica_trio_stop(&group.trio, 0);
        change_rows(&group, 0, damages[i].rows_sql);
        shell(&group, 0, damages[i].command);
        if (damages[i].refused != NULL)
            expect_refused(&group, damages[i].refused);
        else
            expect_a_start_with_all_rows(&group);
        group_done(&group);
    }
}

TEST(a_rotten_snapshot_is_replaced_while_the_rows_are_good)
{
    struct group group;
    uint64_t rotten;

    group_init(&group, 1);
    start_with_snapshot(&group, 1);
    rotten = status_of(&group, 0).snapshot_index;
    replica_trio_stop(&group.trio, 0);
    shell(&group, 0, "truncate -s 4096 snapshot-*");
    group.trio.snapshot_log_bytes = 1 << 30; /* none would be due */
    replica_trio_start(&group.trio, 0);
    client_open(&group, 0);
    create_until_snapshot(&group, 0, rotten);
    client_close(&group);
    replica_trio_stop(&group.trio, 0);
    change_rows(&group, 0, "UPDATE meta SET boot_id = 'before'"); /* the next start needs it */
    expect_a_start_with_all_rows(&group);
    group_done(&group);
}

TEST(a_copy_that_meets_the_limit_of_the_rows_log_does_not_starve)
{
    struct group group;

    group_init(&group, 1);
    group.trio.snapshot_wal_bytes_max = 1; /* every copy meets it */
    replica_trio_start(&group.trio, 0);
    client_open(&group, 0);
    create_until_snapshot(&group, 0, 0);
    create_until_snapshot(&group, 0, status_of(&group, 0).snapshot_index);
    client_close(&group);
    replica_trio_stop(&group.trio, 0);
    (void)expect_rows(&group, 0);
    group_done(&group);
}

/* ---- three members: rows ahead of the log ---- */

/* Who took a write and says that it leads. */
static unsigned leader_of(struct group *group)
{
    unsigned leader = TRIO;

    client_open(group, 0);
    while (leader == TRIO) {
        create(group, 1);
        for (unsigned i = 0; i < TRIO; i++)
            if (status_of(group, i).role == REPLICA_LEADER)
                leader = i;
    }
    client_close(group);
    return leader;
}

/* A leader applies what two others made durable before its own log has it; killed then, it comes
 * back with rows that are ahead of its log.  Here the log is rolled back, the rows are not, and all
 * start anew: a leader that remembered what the log had acknowledged would not send it again. */
TEST(rows_ahead_of_the_log_are_kept_and_nothing_counts_twice)
{
    struct group group;
    unsigned leader;
    unsigned other;
    uint64_t digest;

    group_init(&group, 3);
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_start(&group.trio, i);
    leader = leader_of(&group);
    other = (leader + 1) % TRIO;
    client_open(&group, leader);
    create(&group, 10);
    replica_trio_stop(&group.trio, other);
    shell(&group, other, "mkdir old && cp log.* old");
    replica_trio_start(&group.trio, other);
    create(&group, 20);
    client_close(&group);
    client_open(&group, other);
    create(&group, 1); /* answered when its own rows show it */
    client_close(&group);
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_stop(&group.trio, i);
    shell(&group, other, "rm log.* && mv old/* . && rmdir old");
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_start(&group.trio, i);
    leader = leader_of(&group);
    EXPECT(leader != other); /* its log is the shortest */
    client_open(&group, leader);
    create(&group, 5);
    client_close(&group);
    client_open(&group, other);
    create(&group, 1); /* answered when its own rows show it, and the leader's do before */
    client_close(&group);
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_stop(&group.trio, i);
    digest = expect_rows(&group, leader);
    EXPECT(expect_rows(&group, other) == digest);
    group_done(&group);
}

/* ---- watchers ---- */

static void count_wakes(uv_async_t *async)
{
    ++*(unsigned *)async->data;
}

TEST(a_watcher_is_woken_by_the_next_change_and_then_no_more)
{
    struct group group;
    struct replica *replica;
    uv_async_t async;
    unsigned wakes = 0;

    group_init(&group, 1);
    replica_trio_start(&group.trio, 0);
    replica = group.trio.replicas[0];
    client_open(&group, 0);
    CHECK(uv_async_init(&group.loop, &async, count_wakes) == 0);
    async.data = &wakes;
    create(&group, 1);
    EXPECT_EQ(wakes, 0);
    for (unsigned round = 1; round <= 2; round++) {
        replica_watch(replica, &async);
        create(&group, 3); /* its answers come behind the wake of the first */
        while (wakes < round)
            (void)uv_run(&group.loop, UV_RUN_ONCE);
        EXPECT_EQ(wakes, round);
    }
    replica_watch(replica, &async);
    replica_watch(replica, NULL);
    create(&group, 1);
    EXPECT_EQ(wakes, 2);
    uv_close((uv_handle_t *)&async, NULL);
    client_close(&group);
    replica_trio_stop(&group.trio, 0);
    group_done(&group);
}
