/* Rows on a disk without room: an entry that could not be written has changed nothing, and applied
 * again as a whole it leads to the rows of a replica that always had room. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "controlplane/state/sqlite_fault.h"
#include "controlplane/state/state_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"
#include "tests/unit/state_fixture.h"

enum { COMMANDS = 200, CALLS_MAX = 10000 };

/* A story of commands that write rows of several tables and, by then, pages of all kinds. */
static void tell(struct fixture *fixture, void (*before_each)(struct fixture *fixture))
{
    char name[32];

    for (unsigned i = 0; i < COMMANDS; i++) {
        Lapwing__PublishVersion publish = LAPWING__PUBLISH_VERSION__INIT;
        Lapwing__DeleteFunction del = LAPWING__DELETE_FUNCTION__INIT;

        if (before_each != NULL)
            before_each(fixture);
        (void)snprintf(name, sizeof name, "function-%u", i);
        EXPECT_EQ(fixture_create_function(fixture, name, fixture_uid(i)), ST_OK);
        publish.account = del.account = (char *)FIXTURE_ACCOUNT;
        publish.region = del.region = (char *)FIXTURE_REGION;
        publish.name = del.name = name;
        publish.revision_id = (char *)"00000000-0000-4000-8000-000000000009";
        if (i % 2 == 0)
            EXPECT_EQ(fixture_apply(fixture, LAPWING__COMMAND_TYPE__PUBLISH_VERSION, &publish.base),
                      ST_OK);
        if (i % 5 == 0)
            EXPECT_EQ(fixture_apply(fixture, LAPWING__COMMAND_TYPE__DELETE_FUNCTION, &del.base),
                      ST_OK);
    }
}

static uint64_t untouched_digest(void)
{
    struct fixture fixture = { 0 };
    uint64_t digest;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    tell(&fixture, NULL);
    digest = fixture_digest(&fixture);
    fixture_done(&fixture);
    return digest;
}

/* ---- no page is left, at any statement of an entry ---- */

static void set_page_limit(struct fixture *fixture, int more)
{
    sqlite3 *db = fixture->state->reader.connection.db;
    sqlite3_stmt *stmt = NULL;
    char text[64];
    int pages;

    CHECK(sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &stmt, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(stmt) == SQLITE_ROW);
    pages = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    (void)snprintf(text, sizeof text, "PRAGMA max_page_count = %d", pages + more);
    CHECK(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK);
}

static unsigned refusals;
static uint64_t refused_at;
static int room;

/* A page more at each attempt, so that every statement of an entry is once the one that fails. */
static void one_page_more(struct fixture *fixture)
{
    uint64_t index;
    uint64_t term;

    refusals++;
    EXPECT_EQ(fixture->shown, 0);
    state_applied(fixture->state, &index, &term);
    EXPECT_EQ(index, fixture->index - 1);
    room = refused_at == fixture->index ? room + 1 : 1;
    refused_at = fixture->index;
    set_page_limit(fixture, room);
}

static void no_page_more(struct fixture *fixture)
{
    set_page_limit(fixture, 0);
}

TEST(an_entry_that_finds_no_page_is_applied_again_as_a_whole)
{
    uint64_t want = untouched_digest();
    struct fixture fixture = { 0 };

    refusals = 0;
    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    fixture.make_room = one_page_more;
    tell(&fixture, no_page_more);
    printf("# %u attempts without a page\n", refusals);
    EXPECT(refusals > 10);
    EXPECT(fixture_digest(&fixture) == want);
    fixture_done(&fixture);
}

/* ---- a call of the file fails ---- */

static void disk_is_back(struct fixture *fixture)
{
    EXPECT_EQ(fixture->shown, 0);
    EXPECT(fault_disk_heal());
    refusals++;
}

TEST(an_entry_whose_write_finds_the_disk_full_is_applied_again_as_a_whole)
{
    uint64_t want = untouched_digest();
    bool untouched = false;

    fault_disk_install();
    refusals = 0;
    for (unsigned at = 1; !untouched && at < CALLS_MAX; at++) {
        struct fixture fixture = { 0 };
        char dir[64];
        char path[128];
        char command[128];

        fault_disk_folder(dir);
        (void)snprintf(path, sizeof path, "%s/state.db", dir);
        fixture_open(&fixture, path, STATE_GROUP_CONTROL);
        fixture.make_room = disk_is_back;
        fault_disk_arm(FAULT_FULL, at, true);
        tell(&fixture, NULL);
        untouched = !fault_disk_heal();
        EXPECT(fixture_digest(&fixture) == want);
        fixture_done(&fixture);
        (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
        EXPECT_EQ(system(command), 0);
        at += at / 8; /* the first ones all, then fewer: a story is some hundred calls long */
    }
    EXPECT(untouched);
    printf("# %u stories with a full disk\n", refusals);
    EXPECT(refusals > 20);
}

/* ---- a snapshot that finds the disk full ---- */

static struct state *open_filled(const char *path, unsigned first, unsigned count)
{
    struct fixture fixture = { 0 };
    struct state *state;
    char name[32];

    fixture_open(&fixture, path, STATE_GROUP_CONTROL);
    for (unsigned i = first; i < first + count; i++) {
        (void)snprintf(name, sizeof name, "function-%u", i);
        EXPECT_EQ(fixture_create_function(&fixture, name, fixture_uid(i)), ST_OK);
    }
    EXPECT_EQ(state_set_boot_id(fixture.state, path, NULL), ST_OK);
    state = fixture.state;
    fixture.state = NULL;
    fixture_done(&fixture);
    return state;
}

static enum status write_snapshot(struct state *state, const char *path)
{
    struct state_snapshot *snapshot = NULL;
    enum status st = state_snapshot_begin(state, &snapshot, NULL);

    (void)unlink(path);
    if (st == ST_OK)
        st = state_snapshot_write(snapshot, path, NULL, NULL, NULL);
    state_snapshot_end(snapshot);
    return st;
}

static uint64_t digest_of(struct state *state)
{
    uint64_t digest = 0;

    EXPECT_EQ(state_digest(state, &digest, NULL), ST_OK);
    return digest;
}

/* Written and installed, each with the disk full from the `at`-th call on, then tried again with
 * room. True when no call failed. */
static bool snapshot_story(unsigned at)
{
    char dir[64];
    char from_path[96];
    char to_path[96];
    char snapshot_path[96];
    char command[128];
    struct state *from;
    struct state *to;
    uint64_t before;
    bool untouched = true;
    enum status st;

    fault_disk_folder(dir);
    (void)snprintf(from_path, sizeof from_path, "%s/from.db", dir);
    (void)snprintf(to_path, sizeof to_path, "%s/to.db", dir);
    (void)snprintf(snapshot_path, sizeof snapshot_path, "%s/snapshot.db", dir);
    from = open_filled(from_path, 0, 60);
    to = open_filled(to_path, 100, 20);
    before = digest_of(to);

    fault_disk_arm(FAULT_FULL, at, true);
    st = write_snapshot(from, snapshot_path);
    EXPECT_EQ(st, fault_disk_heal() ? ST_NO_SPACE : ST_OK);
    untouched = untouched && st == ST_OK;
    EXPECT_EQ(write_snapshot(from, snapshot_path), ST_OK);

    fault_disk_arm(FAULT_FULL, at, true);
    st = state_install(to, snapshot_path, true, NULL);
    EXPECT_EQ(st, fault_disk_heal() ? ST_NO_SPACE : ST_OK);
    if (st != ST_OK) /* the old rows, or the new ones, and nothing between */
        EXPECT(digest_of(to) == before || digest_of(to) == digest_of(from));
    untouched = untouched && st == ST_OK;
    EXPECT_EQ(state_install(to, snapshot_path, false, NULL), ST_OK);
    EXPECT(digest_of(to) == digest_of(from));
    EXPECT_TEXT(state_boot_id(to), to_path);

    state_close(from);
    state_close(to);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT_EQ(system(command), 0);
    return untouched;
}

TEST(a_snapshot_that_finds_the_disk_full_is_written_and_installed_when_there_is_room)
{
    unsigned at = 1;

    fault_disk_install();
    while (at < 500 && !snapshot_story(at))
        at += 1 + at / 8;
    EXPECT(at > 10 && at < 500);
}

/* ---- what SQLite's codes mean ---- */

static const struct {
    int code;
    int errnum;
    enum status want;
} faults[] = {
    { SQLITE_FULL, 0, ST_NO_SPACE },
    { SQLITE_IOERR_WRITE, EDQUOT, ST_NO_SPACE },
    { SQLITE_IOERR_WRITE, ENOSPC, ST_NO_SPACE },
    { SQLITE_IOERR_WRITE, EIO, ST_IO },
    { SQLITE_IOERR_FSYNC, EIO, ST_IO },
    { SQLITE_IOERR_FSYNC, ENOSPC, ST_IO }, /* never tried again, whatever it says */
    { SQLITE_IOERR_DIR_FSYNC, ENOSPC, ST_IO },
    { SQLITE_IOERR_SHMSIZE, 0, ST_NO_SPACE },
    { SQLITE_IOERR_SHMSIZE, EIO, ST_IO },
    { SQLITE_IOERR_READ, EIO, ST_IO },
    { SQLITE_CANTOPEN, ENOSPC, ST_NO_SPACE },
    { SQLITE_CANTOPEN, EROFS, ST_IO },
    { SQLITE_READONLY, EROFS, ST_IO },
    { SQLITE_CORRUPT_VTAB, 0, ST_CORRUPT },
    { SQLITE_NOTADB, 0, ST_CORRUPT },
    { SQLITE_CONSTRAINT_UNIQUE, 0, ST_BAD_INPUT },
    { SQLITE_MISUSE, 0, ST_BAD_INPUT },
    { SQLITE_BUSY, 0, ST_IO },
};

TEST(each_code_of_sqlite_has_its_meaning)
{
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        test_case = sqlite3_errstr(faults[i].code);
        EXPECT_EQ(sqlite_fault(faults[i].code, faults[i].errnum), faults[i].want);
    }
    EXPECT_EQ(status_of_errno(ENOSPC), ST_NO_SPACE);
    EXPECT_EQ(status_of_errno(EDQUOT), ST_NO_SPACE);
    EXPECT_EQ(status_of_errno(EIO), ST_IO);
    EXPECT_EQ(status_of_errno(EROFS), ST_IO);
}
