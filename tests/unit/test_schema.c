/* The tables follow the cluster version of the log, and nothing else. */
#include "controlplane/state/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/limits.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

/* CRC-32C of each step's texts, control and storage.  One that was released is never changed, for
 * logs that were written under it are read again: a new version gets a new row here. */
static const struct {
    uint32_t cluster_version;
    uint32_t control;
    uint32_t storage;
} released[] = {
    { 1, 2467919317, 3375668941 },
};

static uint32_t crc_of(const char *text)
{
    return hash_crc32c(0, bytes_of(text, strlen(text)));
}

TEST(what_a_released_cluster_version_brought_is_never_changed)
{
    for (size_t i = 0; i < ARRAY_LEN(released); i++) {
        EXPECT_EQ(schema_steps[i].cluster_version, released[i].cluster_version);
        EXPECT_EQ(crc_of(schema_steps[i].control), released[i].control);
        EXPECT_EQ(crc_of(schema_steps[i].storage), released[i].storage);
    }
}

TEST(there_is_a_step_for_each_cluster_version)
{
    for (uint32_t i = 0; i < CLUSTER_VERSION_MAX; i++)
        EXPECT_EQ(schema_steps[i].cluster_version, i + 1);
    EXPECT_EQ(schema_steps[CLUSTER_VERSION_MAX].cluster_version, 0);
}

static enum status raise(struct fixture *fixture, uint32_t version)
{
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;

    raise.cluster_version = version;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, &raise.base);
}

static bool has_table(struct state_reader *reader, const char *name)
{
    sqlite3_stmt *stmt = NULL;
    bool found;

    CHECK(sqlite3_prepare_v2(reader->connection.db,
                             "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", -1,
                             &stmt, NULL) == SQLITE_OK);
    (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    found = sqlite3_step(stmt) == SQLITE_ROW;
    (void)sqlite3_finalize(stmt);
    return found;
}

TEST(a_new_database_has_the_tables_of_cluster_version_1_whichever_release_makes_it)
{
    struct fixture fixture = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(state_cluster_version(fixture.state), 1);
    EXPECT(has_table(fixture.reader, "functions"));
    EXPECT(!has_table(fixture.reader, "members"));
    fixture_done(&fixture);
}

TEST(raising_the_cluster_version_brings_its_tables_to_the_group_that_they_belong_to)
{
    struct fixture control = { 0 };
    struct fixture storage = { 0 };

    fixture_open(&control, ":memory:", STATE_GROUP_CONTROL);
    fixture_open(&storage, ":memory:", STATE_GROUP_STORAGE);
    EXPECT_EQ(fixture_create_function(&control, "one", fixture_uid(1)), ST_OK);
    EXPECT_EQ(raise(&control, 2), ST_OK);
    EXPECT_EQ(raise(&control, 2), ST_OK); /* asked again: nothing more */
    EXPECT_EQ(raise(&storage, 2), ST_OK);
    EXPECT_EQ(state_cluster_version(control.state), 2);
    EXPECT(has_table(control.reader, "members"));
    EXPECT(!has_table(storage.reader, "members"));
    EXPECT_EQ(fixture_create_function(&control, "two", fixture_uid(2)), ST_OK);
    fixture_done(&control);
    fixture_done(&storage);
}

TEST(a_snapshot_carries_the_tables_of_its_cluster_version)
{
    struct fixture raised = { 0 };
    struct fixture behind = { 0 };
    struct buf image = { 0 };

    fixture_open(&raised, ":memory:", STATE_GROUP_CONTROL);
    fixture_open(&behind, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&behind, "old", fixture_uid(9)), ST_OK);
    EXPECT_EQ(fixture_create_function(&raised, "one", fixture_uid(1)), ST_OK);
    EXPECT_EQ(raise(&raised, CLUSTER_VERSION_MAX), ST_OK);
    EXPECT_EQ(state_image(raised.state, &image, NULL), ST_OK);
    EXPECT_EQ(state_install_image(behind.state, buf_view(&image), NULL), ST_OK);
    EXPECT_EQ(state_cluster_version(behind.state), CLUSTER_VERSION_MAX);
    EXPECT(has_table(behind.reader, "members"));
    EXPECT_EQ(fixture_digest(&behind), fixture_digest(&raised));
    buf_done(&image);
    fixture_done(&raised);
    fixture_done(&behind);
}

/* The entry of a raise that only a later release may propose. */
static enum status apply_raise(struct state *state, uint32_t version, struct err *err)
{
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;
    Lapwing__Command command = LAPWING__COMMAND__INIT;
    Lapwing__Command *commands[] = { &command };
    Lapwing__Entry entry = LAPWING__ENTRY__INIT;
    uint8_t client[16] = { 5 };
    uint8_t body[16];
    uint64_t index;
    uint64_t term;

    raise.cluster_version = version;
    command.type = LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION;
    command.version = 1;
    command.client = (ProtobufCBinaryData){ sizeof client, client };
    command.sequence = 1;
    command.body.len = lapwing__raise_cluster_version__pack(&raise, body);
    command.body.data = body;
    entry.format = 1;
    entry.commands = commands;
    entry.n_commands = 1;
    state_applied(state, &index, &term);
    return state_apply_entry(
        state, &entry, (struct state_position){ index + 1, term == 0 ? 1 : term }, NULL, NULL, err);
}

TEST(a_release_stops_before_a_cluster_version_that_it_cannot_follow)
{
    struct fixture fixture = { 0 };
    struct err err = { 0 };
    uint64_t digest;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    digest = fixture_digest(&fixture);
    EXPECT_EQ(apply_raise(fixture.state, CLUSTER_VERSION_MAX + 1, &err), ST_UNSUPPORTED);
    EXPECT(strstr(err.text, "start the newer release again") != NULL);
    EXPECT_EQ(fixture_digest(&fixture), digest);
    EXPECT_EQ(state_cluster_version(fixture.state), 1);
    fixture_done(&fixture);
}

TEST(a_database_of_a_cluster_version_that_cannot_be_followed_is_not_opened)
{
    const char *base = getenv("TMPDIR");
    char path[128];
    struct fixture fixture = { 0 };
    struct state *state = NULL;
    struct err err = { 0 };
    int fd;

    (void)snprintf(path, sizeof path, "%.64s/schema-XXXXXX", base != NULL ? base : "/tmp");
    fd = mkstemp(path);
    CHECK(fd >= 0);
    (void)close(fd);
    fixture_open(&fixture, path, STATE_GROUP_CONTROL);
    CHECK(sqlite3_exec(fixture.reader->connection.db, "UPDATE meta SET cluster_version = 1000",
                       NULL, NULL, NULL) == SQLITE_OK);
    fixture_done(&fixture);
    EXPECT_EQ(state_open(path, STATE_GROUP_CONTROL, &state, &err), ST_UNSUPPORTED);
    EXPECT(strstr(err.text, "cluster version 1000") != NULL);
    (void)unlink(path);
}

TEST(an_entry_that_raises_the_cluster_version_moves_the_applied_index_as_any_other)
{
    struct fixture fixture = { 0 };
    uint64_t index;
    uint64_t term;

    fixture_open(&fixture, ":memory:", STATE_GROUP_STORAGE);
    EXPECT_EQ(fixture_create_bucket(&fixture, "bucket", FIXTURE_ACCOUNT), ST_OK);
    fixture.now_ms = 77000;
    EXPECT_EQ(raise(&fixture, 2), ST_OK);
    state_applied(fixture.state, &index, &term);
    EXPECT_EQ(index, fixture.index);
    EXPECT_EQ(state_leader_ms(fixture.state), 77000);
    fixture_done(&fixture);
}
