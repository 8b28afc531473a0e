/* state.db with its write-ahead log written through a mapping: what a killed process leaves, and
 * that nothing else sees a difference. */
#include "controlplane/replica/mapped_wal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

enum { FUNCTIONS = 50 };

struct folder {
    char name[64];
    char state[96];
    char copy[96]; /* of state.db, as a killed process would leave it, in a folder below */
};

static void folder_make(struct folder *folder)
{
    const char *base = getenv("TMPDIR");
    char below[96];

    (void)snprintf(folder->name, sizeof folder->name, "%.40s/mapped-XXXXXX",
                   base != NULL ? base : "/tmp");
    CHECK(mkdtemp(folder->name) != NULL);
    (void)snprintf(folder->state, sizeof folder->state, "%s/state.db", folder->name);
    (void)snprintf(below, sizeof below, "%s/copy", folder->name);
    CHECK(mkdir(below, 0700) == 0);
    (void)snprintf(folder->copy, sizeof folder->copy, "%s/copy/state.db", folder->name);
}

static void remove_with_tail(const char *path, const char *tail)
{
    char name[128];

    (void)snprintf(name, sizeof name, "%s%s", path, tail);
    (void)unlink(name);
}

static void folder_remove(const struct folder *folder)
{
    static const char *const tails[] = { "", "-wal", "-shm" };
    char below[96];

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        remove_with_tail(folder->state, tails[i]);
        remove_with_tail(folder->copy, tails[i]);
    }
    (void)snprintf(below, sizeof below, "%s/copy", folder->name);
    EXPECT_EQ(rmdir(below), 0);
    EXPECT_EQ(rmdir(folder->name), 0);
}

static void copy_file(const char *from, const char *to, const char *tail)
{
    char name[128];
    char buf[65536];
    ssize_t got;
    int in;
    int out;

    (void)snprintf(name, sizeof name, "%s%s", from, tail);
    in = open(name, O_RDONLY | O_CLOEXEC);
    CHECK(in >= 0);
    (void)snprintf(name, sizeof name, "%s%s", to, tail);
    out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(out >= 0);
    while ((got = read(in, buf, sizeof buf)) > 0)
        CHECK(write(out, buf, (size_t)got) == got);
    (void)close(in);
    (void)close(out);
}

static void create_some(struct fixture *fixture, unsigned from, unsigned count)
{
    char name[24];

    for (unsigned i = from; i < from + count; i++) {
        (void)snprintf(name, sizeof name, "function-%u", i);
        EXPECT_EQ(fixture_create_function(fixture, name, fixture_uid(i + 1)), ST_OK);
    }
}

/* What is in the files now, as a killed process would leave them, opens with the same rows. */
static void expect_copy_opens(const struct folder *folder, struct fixture *fixture)
{
    struct state *state = NULL;
    uint64_t want = fixture_digest(fixture);
    uint64_t digest;

    copy_file(folder->state, folder->copy, "");
    copy_file(folder->state, folder->copy, "-wal");
    EXPECT_EQ(state_open(folder->copy, STATE_GROUP_CONTROL, &state, NULL), ST_OK);
    EXPECT_EQ(state_digest(state, &digest, NULL), ST_OK);
    EXPECT_EQ(digest, want);
    state_close(state);
}

TEST(what_a_killed_process_leaves_opens_with_every_row)
{
    struct folder folder;
    struct fixture fixture = { 0 };

    mapped_wal_register();
    folder_make(&folder);
    fixture_open(&fixture, folder.state, STATE_GROUP_CONTROL);
    create_some(&fixture, 0, FUNCTIONS);
    expect_copy_opens(&folder, &fixture);
    fixture_done(&fixture);
    folder_remove(&folder);
}

TEST(after_a_checkpoint_that_empties_the_log_it_is_used_again_from_its_start)
{
    struct folder folder;
    struct fixture fixture = { 0 };

    mapped_wal_register();
    folder_make(&folder);
    fixture_open(&fixture, folder.state, STATE_GROUP_CONTROL);
    create_some(&fixture, 0, FUNCTIONS);
    EXPECT_EQ(state_checkpoint(folder.state, 0, NULL, NULL), ST_OK);
    create_some(&fixture, FUNCTIONS, 3); /* shorter than what was there */
    expect_copy_opens(&folder, &fixture);
    fixture_done(&fixture);
    folder_remove(&folder);
}

TEST(a_reader_sees_what_was_written_through_the_mapping)
{
    struct folder folder;
    struct fixture fixture = { 0 };
    struct state_reader *reader = NULL;
    uint64_t index;
    uint64_t term;

    mapped_wal_register();
    folder_make(&folder);
    fixture_open(&fixture, folder.state, STATE_GROUP_CONTROL);
    EXPECT_EQ(state_open_reader(folder.state, STATE_GROUP_CONTROL, &reader, NULL), ST_OK);
    for (unsigned i = 0; i < 5; i++) {
        create_some(&fixture, i, 1);
        EXPECT_EQ(state_reader_applied(reader, &index, &term, NULL), ST_OK);
        EXPECT_EQ(index, fixture.index);
    }
    state_reader_close(reader);
    fixture_done(&fixture);
    folder_remove(&folder);
}

/* Mappings of this process of a file of that name. */
static unsigned mappings_of(const char *name)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned count = 0;

    CHECK(maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, name) != NULL;
    (void)fclose(maps);
    return count;
}

TEST(a_log_that_was_long_once_does_not_stay_mapped)
{
    enum { KEPT = 16 };
    struct folder folder;
    struct fixture fixture = { 0 };
    char wal[128];

    mapped_wal_register();
    folder_make(&folder);
    (void)snprintf(wal, sizeof wal, "%s-wal", folder.state);
    fixture_open(&fixture, folder.state, STATE_GROUP_STORAGE);
    EXPECT_EQ(fixture_create_bucket(&fixture, "bucket", FIXTURE_ACCOUNT), ST_OK);
    for (unsigned i = 0; mappings_of(wal) <= KEPT; i++) {
        char key[32];

        (void)snprintf(key, sizeof key, "key-%u", i);
        EXPECT_EQ(fixture_put_object(&fixture, "bucket", key), ST_OK);
    }
    EXPECT_EQ(state_checkpoint(folder.state, 0, NULL, NULL), ST_OK);
    EXPECT_EQ(fixture_put_object(&fixture, "bucket", "again"), ST_OK);
    EXPECT(mappings_of(wal) <= KEPT);
    fixture_done(&fixture);
    folder_remove(&folder);
}
