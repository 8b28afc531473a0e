/* The writer: entries, outcomes, repeated commands, snapshots, readers. */
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "controlplane/state/clients.h"
#include "controlplane/state/functions.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

/* A folder for one test; the path of a file in it. */
struct folder {
    char name[64];
    char path[96];
    char other[96];
};

static void folder_make(struct folder *folder)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(folder->name, sizeof folder->name, "%.40s/state-XXXXXX",
                   base != NULL ? base : "/tmp");
    CHECK(mkdtemp(folder->name) != NULL);
    (void)snprintf(folder->path, sizeof folder->path, "%s/state.db", folder->name);
    (void)snprintf(folder->other, sizeof folder->other, "%s/snapshot.db", folder->name);
}

static void folder_remove(const struct folder *folder)
{
    char wal[128];

    (void)unlink(folder->path);
    (void)unlink(folder->other);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(wal, sizeof wal, "%s-%s", i < 2 ? folder->path : folder->other,
                       i % 2 == 0 ? "wal" : "shm");
        (void)unlink(wal);
    }
    EXPECT_EQ(rmdir(folder->name), 0);
}

static uint64_t applied_index(struct fixture *fixture)
{
    uint64_t index;
    uint64_t term;

    state_applied(fixture->state, &index, &term);
    return index;
}

static bool function_exists(struct state_reader *reader, const char *name)
{
    Lapwing__Function *f = NULL;
    struct err err = { 0 };
    enum status st = state_get_function(reader, FIXTURE_ACCOUNT, FIXTURE_REGION, name, &f, &err);

    if (st == ST_OK)
        lapwing__function__free_unpacked(f, NULL);
    EXPECT(st == ST_OK || st == ST_NOT_FOUND);
    return st == ST_OK;
}

TEST(a_new_state_has_applied_nothing)
{
    struct fixture fixture = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(applied_index(&fixture), 0);
    EXPECT_EQ(state_leader_ms(fixture.state), 0);
    EXPECT_EQ(state_cluster_version(fixture.state), 1);
    EXPECT_TEXT(state_boot_id(fixture.state), "");
    fixture_done(&fixture);
}

TEST(an_entry_at_or_below_the_applied_index_is_skipped)
{
    struct fixture fixture = { 0 };
    uint64_t digest;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    digest = fixture_digest(&fixture);
    fixture.index = 0;
    fixture_apply_entry(
        &fixture,
        &(struct fixture_command){ 7, 1, 0, LAPWING__COMMAND_TYPE__FORGET_CLIENTS, 1, NULL }, 1);
    EXPECT_EQ(fixture.shown, 0);
    EXPECT_EQ(applied_index(&fixture), 1);
    EXPECT_EQ(fixture_digest(&fixture), digest);
    fixture_done(&fixture);
}

TEST(an_entry_without_commands_moves_index_and_term_only)
{
    struct fixture fixture = { 0 };
    uint64_t index;
    uint64_t term;
    uint64_t digest;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    digest = fixture_digest(&fixture);
    EXPECT_EQ(
        state_apply_entry(fixture.state, NULL, (struct state_position){ 5, 3 }, NULL, NULL, NULL),
        ST_OK);
    state_applied(fixture.state, &index, &term);
    EXPECT_EQ(index, 5);
    EXPECT_EQ(term, 3);
    EXPECT_EQ(fixture_digest(&fixture), digest);
    fixture_done(&fixture);
}

TEST(time_never_goes_back)
{
    struct fixture fixture = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    fixture.now_ms = 5000;
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    fixture.now_ms = 4000;
    EXPECT_EQ(fixture_create_function(&fixture, "two", fixture_uid(2)), ST_OK);
    EXPECT_EQ(state_leader_ms(fixture.state), 5000);
    fixture_done(&fixture);
}

static const struct unknown_row {
    const char *name;
    enum state_group group;
    Lapwing__CommandType type;
    uint32_t version;
} unknown_rows[] = {
    { "no type", STATE_GROUP_CONTROL, LAPWING__COMMAND_TYPE__COMMAND_NONE, 1 },
    { "a type of a later release", STATE_GROUP_CONTROL, (Lapwing__CommandType)999, 1 },
    { "a later version", STATE_GROUP_CONTROL, LAPWING__COMMAND_TYPE__DELETE_FUNCTION, 2 },
    { "the other group's", STATE_GROUP_STORAGE, LAPWING__COMMAND_TYPE__DELETE_FUNCTION, 1 },
    { "the other group's too", STATE_GROUP_CONTROL, LAPWING__COMMAND_TYPE__PUT_OBJECT, 1 },
};

TEST(an_unknown_command_is_refused_and_the_refusal_is_remembered)
{
    for (size_t i = 0; i < ARRAY_LEN(unknown_rows); i++) {
        const struct unknown_row *row = &unknown_rows[i];
        struct fixture fixture = { 0 };
        struct fixture_command command = { 1, 1, 0, row->type, row->version, NULL };
        uint64_t digest;

        test_case = row->name;
        fixture_open(&fixture, ":memory:", row->group);
        fixture_apply_entry(&fixture, &command, 1);
        EXPECT_EQ(fixture.last->status, ST_UNSUPPORTED);
        EXPECT_TEXT(fixture.last->reason, "unsupported");
        digest = fixture_digest(&fixture);
        fixture_apply_entry(&fixture, &command, 1);
        EXPECT_EQ(fixture.last->status, ST_UNSUPPORTED);
        EXPECT_EQ(fixture_digest(&fixture), digest);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

/* What one command of client 1 comes to after sequences 1 to 3 were created and 1 to 2
 * acknowledged. */
static const struct repeat_row {
    const char *name;
    uint64_t sequence, acked;
    enum status want;
    const char *reason;
} repeat_rows[] = {
    { "a new one", 4, 2, ST_EXISTS, "function_exists" },
    { "the one remembered", 3, 2, ST_OK, "" },
    { "an acknowledged one", 2, 1, ST_CONFLICT, "sequence_forgotten" },
    { "the first", 1, 0, ST_CONFLICT, "sequence_forgotten" },
    { "one far ahead", 2 + STATE_CLIENT_WINDOW_MAX, 2, ST_EXISTS, "function_exists" },
    { "one too far ahead", 3 + STATE_CLIENT_WINDOW_MAX, 2, ST_LIMIT, "window_full" },
    { "one ahead that acknowledges", 3 + STATE_CLIENT_WINDOW_MAX, 3, ST_EXISTS, "function_exists" },
};

TEST(a_repeated_command_counts_once)
{
    for (size_t i = 0; i < ARRAY_LEN(repeat_rows); i++) {
        const struct repeat_row *row = &repeat_rows[i];
        struct fixture fixture = { 0 };
        Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
        Lapwing__Function function;
        struct fixture_command command = { 1,          row->sequence,
                                           row->acked, LAPWING__COMMAND_TYPE__CREATE_FUNCTION,
                                           1,          &create.base };

        test_case = row->name;
        fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
        EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
        EXPECT_EQ(fixture_create_function(&fixture, "two", fixture_uid(2)), ST_OK);
        EXPECT_EQ(fixture_create_function(&fixture, "three", fixture_uid(3)), ST_OK);
        fixture_function(&function, "three", fixture_uid(3));
        create.function = &function;
        fixture_apply_entry(&fixture, &command, 1);
        EXPECT_EQ(fixture.last->status, row->want);
        EXPECT_TEXT(fixture.last->reason, row->reason);
        EXPECT_EQ(fixture.last->body.len > 0, row->want == ST_OK);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(clients_do_not_share_sequences)
{
    struct fixture fixture = { 0 };
    struct fixture_command commands[] = {
        { 1, 1, 0, LAPWING__COMMAND_TYPE__FORGET_CLIENTS, 1, NULL },
        { 2, 1, 0, LAPWING__COMMAND_TYPE__COMMAND_NONE, 1, NULL },
    };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    fixture_apply_entry(&fixture, commands, ARRAY_LEN(commands));
    EXPECT_EQ(fixture.shown, 2);
    EXPECT_EQ(fixture.last->status, ST_UNSUPPORTED);
    fixture_done(&fixture);
}

TEST(a_repeated_command_within_one_entry_counts_once)
{
    struct fixture fixture = { 0 };
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function function;
    struct fixture_command commands[2] = { { 1, 1, 0, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, 1,
                                             &create.base } };

    fixture_function(&function, "one", fixture_uid(1));
    create.function = &function;
    commands[1] = commands[0];
    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    fixture_apply_entry(&fixture, commands, ARRAY_LEN(commands));
    EXPECT_EQ(fixture.shown, 2);
    EXPECT_EQ(fixture.last->status, ST_OK);
    fixture_done(&fixture);
}

TEST(idle_clients_are_forgotten_and_busy_ones_are_not)
{
    struct fixture fixture = { 0 };
    Lapwing__ForgetClients forget = LAPWING__FORGET_CLIENTS__INIT;
    struct fixture_command old = { 8, 5, 4, LAPWING__COMMAND_TYPE__COMMAND_NONE, 1, NULL };
    struct fixture_command busy = { 9, 5, 4, LAPWING__COMMAND_TYPE__COMMAND_NONE, 1, NULL };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    fixture_apply_entry(&fixture, &old, 1);
    fixture.now_ms = 2000;
    fixture_apply_entry(&fixture, &busy, 1);
    forget.idle_before_ms = 2000;
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__FORGET_CLIENTS, &forget.base), ST_OK);
    old.sequence = busy.sequence = 4;
    old.acked = busy.acked = 0;
    fixture_apply_entry(&fixture, &old, 1);
    EXPECT_TEXT(fixture.last->reason, "unsupported"); /* as if never seen */
    fixture_apply_entry(&fixture, &busy, 1);
    EXPECT_TEXT(fixture.last->reason, "sequence_forgotten");
    fixture_done(&fixture);
}

TEST(the_cluster_version_is_raised_and_never_lowered)
{
    struct fixture fixture = { 0 };
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;
    struct fixture_command lower = { 3, 1,          0, LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION,
                                     1, &raise.base };

    fixture_open(&fixture, ":memory:", STATE_GROUP_STORAGE);
    raise.cluster_version = CLUSTER_VERSION_MAX;
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, &raise.base),
              ST_OK);
    EXPECT_EQ(state_cluster_version(fixture.state), CLUSTER_VERSION_MAX);
    raise.cluster_version = CLUSTER_VERSION_MAX - 1;
    fixture_apply_entry(&fixture, &lower, 1);
    EXPECT_TEXT(fixture.last->reason, "cluster_version_lower");
    fixture_done(&fixture);
}

TEST(two_states_with_the_same_log_have_the_same_digest_and_another_log_another)
{
    struct fixture fixtures[3] = { 0 };
    uint64_t digests[3];

    for (size_t i = 0; i < ARRAY_LEN(fixtures); i++) {
        fixture_open(&fixtures[i], ":memory:", STATE_GROUP_CONTROL);
        EXPECT_EQ(fixture_create_function(&fixtures[i], "one", fixture_uid(1)), ST_OK);
        EXPECT_EQ(fixture_create_function(&fixtures[i], i < 2 ? "two" : "other", fixture_uid(2)),
                  ST_OK);
        digests[i] = fixture_digest(&fixtures[i]);
    }
    EXPECT_EQ(state_set_boot_id(fixtures[1].state, "a boot", NULL), ST_OK);
    EXPECT_EQ(fixture_digest(&fixtures[1]), digests[0]);
    EXPECT(digests[0] != digests[2]);
    for (size_t i = 0; i < ARRAY_LEN(fixtures); i++)
        fixture_done(&fixtures[i]);
}

TEST(a_state_in_a_file_survives_and_belongs_to_its_group)
{
    struct folder folder;
    struct fixture fixture = { 0 };
    struct state *other = NULL;
    struct err err = { 0 };
    uint64_t digest;

    folder_make(&folder);
    fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    EXPECT_EQ(state_set_boot_id(fixture.state, "boot 1", &err), ST_OK);
    digest = fixture_digest(&fixture);
    fixture_done(&fixture);

    EXPECT_EQ(state_open(folder.path, STATE_GROUP_STORAGE, &other, &err), ST_CONFLICT);
    fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
    EXPECT_EQ(applied_index(&fixture), 1);
    EXPECT_EQ(state_leader_ms(fixture.state), 1000);
    EXPECT_TEXT(state_boot_id(fixture.state), "boot 1");
    EXPECT_EQ(fixture_digest(&fixture), digest);
    fixture_done(&fixture);
    folder_remove(&folder);
}

TEST(a_file_that_is_no_state_is_refused)
{
    static const char text[] = "this is not a database, but it is long enough to look like one's "
                               "header, which has one hundred bytes to say so in the beginning";
    struct folder folder;
    struct state *state = NULL;
    struct err err = { 0 };
    FILE *file;

    folder_make(&folder);
    file = fopen(folder.path, "w");
    CHECK(file != NULL);
    (void)fwrite(text, 1, sizeof text, file);
    (void)fclose(file);
    EXPECT_EQ(state_open(folder.path, STATE_GROUP_CONTROL, &state, &err), ST_CORRUPT);
    EXPECT(err.text[0] != '\0');
    EXPECT_EQ(state_open("/nonexistent/state.db", STATE_GROUP_CONTROL, &state, &err), ST_IO);
    folder_remove(&folder);
}

TEST(a_reader_sees_what_was_committed)
{
    struct folder folder;
    struct fixture fixture = { 0 };
    struct state_reader *reader = NULL;
    struct err err = { 0 };
    uint64_t index = 0;
    uint64_t term = 0;

    folder_make(&folder);
    fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
    EXPECT_EQ(state_open_reader(folder.path, STATE_GROUP_CONTROL, &reader, &err), ST_OK);
    EXPECT(!function_exists(reader, "one"));
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    EXPECT(function_exists(reader, "one"));
    EXPECT_EQ(state_reader_applied(reader, &index, &term, &err), ST_OK);
    EXPECT_EQ(index, 1);
    EXPECT_EQ(term, 1);
    state_reader_close(reader);
    fixture_done(&fixture);
    folder_remove(&folder);
}

TEST(a_snapshot_is_the_state_at_its_index_and_readers_see_what_is_installed)
{
    struct folder folders[2];
    struct fixture from = { 0 };
    struct fixture to = { 0 };
    struct state_snapshot *snapshot = NULL;
    struct state_reader *reader = NULL;
    struct err err = { 0 };
    uint64_t index;
    uint64_t term;
    uint64_t digest;

    folder_make(&folders[0]);
    folder_make(&folders[1]);
    fixture_open(&from, folders[0].path, STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&from, "one", fixture_uid(1)), ST_OK);
    digest = fixture_digest(&from);
    EXPECT_EQ(state_snapshot_begin(from.state, &snapshot, &err), ST_OK);
    EXPECT_EQ(fixture_create_function(&from, "two", fixture_uid(2)), ST_OK);
    state_snapshot_applied(snapshot, &index, &term);
    EXPECT_EQ(index, 1);
    EXPECT_EQ(state_snapshot_write(snapshot, folders[0].other, NULL, NULL, &err), ST_OK);
    state_snapshot_end(snapshot);

    fixture_open(&to, folders[1].path, STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&to, "gone", fixture_uid(3)), ST_OK);
    EXPECT_EQ(state_set_boot_id(to.state, "of the host", &err), ST_OK);
    EXPECT_EQ(state_open_reader(folders[1].path, STATE_GROUP_CONTROL, &reader, &err), ST_OK);
    EXPECT(function_exists(reader, "gone"));
    EXPECT_EQ(state_install(to.state, folders[0].other, false, &err), ST_OK);
    EXPECT_EQ(applied_index(&to), 1);
    EXPECT_EQ(fixture_digest(&to), digest);
    EXPECT_TEXT(state_boot_id(to.state), "of the host");
    EXPECT(function_exists(reader, "one"));
    EXPECT(!function_exists(reader, "gone"));
    EXPECT(!function_exists(reader, "two"));
    to.index = 1;
    to.sequence = 1;
    EXPECT_EQ(fixture_create_function(&to, "two", fixture_uid(2)), ST_OK);
    EXPECT_EQ(fixture_digest(&to), fixture_digest(&from));

    state_reader_close(reader);
    fixture_done(&from);
    fixture_done(&to);
    folder_remove(&folders[0]);
    folder_remove(&folders[1]);
}

TEST(an_image_installs_in_memory_and_nothing_else_does)
{
    struct folder folder;
    struct fixture from = { 0 };
    struct fixture to = { 0 };
    struct buf image = { 0 };
    struct err err = { 0 };
    uint64_t digest;

    folder_make(&folder);
    fixture_open(&from, folder.path, STATE_GROUP_STORAGE);
    fixture_open(&to, ":memory:", STATE_GROUP_STORAGE);
    EXPECT_EQ(fixture_create_bucket(&from, "bucket", FIXTURE_ACCOUNT), ST_OK);
    EXPECT_EQ(state_image(from.state, &image, &err), ST_OK);
    EXPECT_EQ(state_install_image(to.state, buf_view(&image), &err), ST_OK);
    digest = fixture_digest(&from);
    EXPECT_EQ(fixture_digest(&to), digest);
    EXPECT_EQ(applied_index(&to), 1);

    memset(image.data, 'x', 100);
    EXPECT_EQ(state_install_image(to.state, buf_view(&image), &err), ST_CORRUPT);
    EXPECT_EQ(state_install_image(to.state, (struct bytes){ 0 }, &err), ST_CORRUPT);
    EXPECT_EQ(fixture_digest(&to), digest);
    image.len = 0;
    fixture_done(&from);
    fixture_open(&from, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(state_image(from.state, &image, &err), ST_OK);
    EXPECT_EQ(state_install_image(to.state, buf_view(&image), &err), ST_CONFLICT);
    EXPECT_EQ(fixture_digest(&to), digest);
    buf_done(&image);
    fixture_done(&from);
    fixture_done(&to);
    folder_remove(&folder);
}

/* A page of a listing that breaks off in the middle, a row, a row that is not there: none leaves
 * its view open, which would keep the log from being emptied for as long as the reader lives. */
TEST(a_reader_holds_the_log_no_longer_than_its_question)
{
    struct folder folder;
    struct fixture fixture = { 0 };
    struct state_reader *reader = NULL;
    struct function_list list;
    struct function_page page = { FIXTURE_ACCOUNT, FIXTURE_REGION, "", 1 };
    struct err err = { 0 };

    folder_make(&folder);
    fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "two", fixture_uid(2)), ST_OK);
    EXPECT_EQ(state_open_reader(folder.path, STATE_GROUP_CONTROL, &reader, &err), ST_OK);
    EXPECT(function_exists(reader, "one"));
    EXPECT_EQ(state_checkpoint(folder.path, 0, NULL, &err), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "three", fixture_uid(3)), ST_OK);
    EXPECT_EQ(state_list_functions(reader, &page, &list, &err), ST_OK);
    EXPECT(list.more);
    function_list_done(&list);
    EXPECT_EQ(state_checkpoint(folder.path, 0, NULL, &err), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "four", fixture_uid(4)), ST_OK);
    EXPECT(!function_exists(reader, "none"));
    EXPECT_EQ(state_checkpoint(folder.path, 0, NULL, &err), ST_OK);
    state_reader_close(reader);
    fixture_done(&fixture);
    folder_remove(&folder);
}

/* Each row: what a stranger did to a file that was a snapshot of ours. */
static const struct {
    const char *name;
    const char *sql;
    enum status want;
} strangers[] = {
    { "nothing", "", ST_OK },
    { "a trigger", "CREATE TRIGGER t AFTER INSERT ON clients BEGIN DELETE FROM clients; END",
      ST_CORRUPT },
    { "a view", "CREATE VIEW v AS SELECT 1", ST_CORRUPT },
    { "a table more", "CREATE TABLE more (x)", ST_CORRUPT },
    { "a table less", "DROP TABLE outcomes", ST_CORRUPT },
    { "an index more", "CREATE INDEX more ON clients (client)", ST_CORRUPT },
    { "another schema version", "UPDATE meta SET schema_version = 99", ST_UNSUPPORTED },
    { "the other group's number", "UPDATE meta SET state_group = 2", ST_CONFLICT },
    { "not ours at all", "PRAGMA application_id = 1", ST_CORRUPT },
};

TEST(a_snapshot_of_a_stranger_is_refused_before_it_replaces_anything)
{
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        struct folder folder;
        struct fixture fixture = { 0 };
        struct state_snapshot *snapshot = NULL;
        struct err err = { 0 };
        uint64_t digest;
        sqlite3 *db;

        test_case = strangers[i].name;
        folder_make(&folder);
        fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
        EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
        EXPECT_EQ(state_snapshot_begin(fixture.state, &snapshot, &err), ST_OK);
        EXPECT_EQ(state_snapshot_write(snapshot, folder.other, NULL, NULL, &err), ST_OK);
        state_snapshot_end(snapshot);
        CHECK(sqlite3_open(folder.other, &db) == SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(db, strangers[i].sql, NULL, NULL, NULL), SQLITE_OK);
        CHECK(sqlite3_close(db) == SQLITE_OK);
        EXPECT_EQ(fixture_create_function(&fixture, "two", fixture_uid(2)), ST_OK);
        digest = fixture_digest(&fixture);
        EXPECT_EQ(state_check_snapshot(folder.other, STATE_GROUP_CONTROL, &err), strangers[i].want);
        EXPECT_EQ(state_install(fixture.state, folder.other, false, &err), strangers[i].want);
        EXPECT_EQ(fixture_digest(&fixture) == digest, strangers[i].want != ST_OK);
        fixture_done(&fixture);
        folder_remove(&folder);
    }
}

static bool refuse(void *context)
{
    ++*(unsigned *)context;
    return false;
}

TEST(a_copy_that_is_not_wanted_any_more_is_given_up)
{
    struct folder folder;
    struct fixture fixture = { 0 };
    struct state_snapshot *snapshot = NULL;
    struct err err = { 0 };
    unsigned asked = 0;

    folder_make(&folder);
    fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    EXPECT_EQ(state_snapshot_begin(fixture.state, &snapshot, &err), ST_OK);
    EXPECT_EQ(state_snapshot_write(snapshot, folder.other, refuse, &asked, &err), ST_CANCELLED);
    EXPECT_EQ(asked, 1);
    EXPECT(err.text[0] != '\0');
    EXPECT(state_wal_bytes(fixture.state) > 0);
    state_snapshot_end(snapshot);
    fixture_done(&fixture);
    folder_remove(&folder);
}

TEST(a_checkpoint_empties_the_log_unless_a_reader_holds_it)
{
    struct folder folder;
    struct fixture fixture = { 0 };
    struct state_snapshot *snapshot = NULL;
    struct err err = { 0 };

    folder_make(&folder);
    fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
    EXPECT_EQ(state_checkpoint(folder.path, 1 << 20, NULL, &err), ST_OK);
    EXPECT_EQ(state_checkpoint(folder.path, 0, NULL, &err), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "two", fixture_uid(2)), ST_OK);
    EXPECT_EQ(state_snapshot_begin(fixture.state, &snapshot, &err), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "three", fixture_uid(3)), ST_OK);
    EXPECT_EQ(state_checkpoint(folder.path, 1 << 20, NULL, &err), ST_OK);
    state_snapshot_end(snapshot);
    EXPECT_EQ(state_checkpoint(folder.path, 0, NULL, &err), ST_OK);
    EXPECT(function_exists(fixture.reader, "three"));
    fixture_done(&fixture);
    folder_remove(&folder);
}

/* A checkpoint, then what was written meanwhile: whether the writer moves that, and a reader is in
 * the log; then another commit. */
static const struct {
    const char *name;
    bool moved;
    bool read;
    bool begins_anew;
} rests[] = {
    { "left where it is", false, false, false },
    { "moved", true, false, true },
    { "moved under a reader", true, true, false },
};

TEST(the_log_begins_anew_when_its_writer_has_moved_the_rest_and_nobody_reads_in_it)
{
    for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
        struct folder folder;
        struct fixture fixture = { 0 };
        struct state_snapshot *snapshot = NULL;
        uint64_t bytes;

        test_case = rests[i].name;
        folder_make(&folder);
        fixture_open(&fixture, folder.path, STATE_GROUP_CONTROL);
        EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(1)), ST_OK);
        EXPECT_EQ(state_checkpoint(folder.path, 1 << 20, NULL, NULL), ST_OK);
        for (unsigned k = 2; k <= 4; k++) {
            char name[8];

            (void)snprintf(name, sizeof name, "n%u", k);
            EXPECT_EQ(fixture_create_function(&fixture, name, fixture_uid(k)), ST_OK);
        }
        if (rests[i].read)
            EXPECT_EQ(state_snapshot_begin(fixture.state, &snapshot, NULL), ST_OK);
        if (rests[i].moved)
            state_checkpoint_rest(fixture.state);
        bytes = state_wal_bytes(fixture.state);
        EXPECT_EQ(fixture_create_function(&fixture, "last", fixture_uid(5)), ST_OK);
        EXPECT_EQ(state_wal_bytes(fixture.state) < bytes, rests[i].begins_anew);
        state_snapshot_end(snapshot);
        EXPECT(function_exists(fixture.reader, "n4"));
        EXPECT(function_exists(fixture.reader, "last"));
        fixture_done(&fixture);
        folder_remove(&folder);
    }
    test_case = NULL;
}

/* Commands of more clients than are kept in mind, some repeated, some acknowledging, in `out`. */
static void mixed_commands(struct fixture_command *out, size_t count, uint64_t random)
{
    uint64_t next[CLIENT_MEMOS + 10] = { 0 };

    for (size_t i = 0; i < count; i++) {
        size_t client = (random = random * 6364136223846793005u + 1) >> 40;
        uint64_t back = (random = random * 6364136223846793005u + 1) >> 61;

        client %= ARRAY_LEN(next);
        if (back > 2 || next[client] == 0) {
            next[client]++;
            back = 0;
        }
        out[i] =
            (struct fixture_command){ .client = (uint8_t)(client + 1),
                                      .sequence = next[client] > back ? next[client] - back : 1,
                                      .acked = next[client] > 3 ? next[client] - 3 : 0,
                                      .type = LAPWING__COMMAND_TYPE__FORGET_CLIENTS,
                                      .version = 1 };
        /* An unknown type is refused and remembered; FORGET_CLIENTS of before all times does
         * nothing. */
        if (i % 3 == 0)
            out[i].type = LAPWING__COMMAND_TYPE__COMMAND_NONE;
        if (out[i].acked >= out[i].sequence)
            out[i].acked = out[i].sequence - 1;
    }
}

TEST(how_commands_are_batched_into_entries_changes_no_row)
{
    enum { COUNT = 600 };
    static struct fixture_command commands[COUNT];
    static const size_t batches[] = { 1, 7, 200, COUNT };
    uint64_t digests[ARRAY_LEN(batches)];

    for (uint64_t seed = 1; seed <= 5; seed++) {
        mixed_commands(commands, COUNT, seed);
        for (size_t b = 0; b < ARRAY_LEN(batches); b++) {
            struct fixture fixture = { 0 };

            fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
            for (size_t i = 0; i < COUNT; i += batches[b])
                fixture_apply_entry(&fixture, commands + i,
                                    COUNT - i < batches[b] ? COUNT - i : batches[b]);
            digests[b] = fixture_digest(&fixture);
            EXPECT_EQ(digests[b], digests[0]);
            fixture_done(&fixture);
        }
    }
}
