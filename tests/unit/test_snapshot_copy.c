/* A snapshot of the rows on a disk that fails at the 1st, 2nd, 3rd... call. */
#include "controlplane/replica/snapshot_copy.h"

#include <stdlib.h>
#include <unistd.h>

#include "controlplane/state/state.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"

struct fixture {
    char dir[64];
    struct state *state;
    struct snapshot_copy copy;
};

static void fixture_init(struct fixture *f)
{
    char path[128];

    memset(f, 0, sizeof *f);
    fault_disk_install();
    fault_disk_folder(f->dir);
    (void)snprintf(path, sizeof path, "%s/state.db", f->dir);
    CHECK(state_open(path, STATE_GROUP_CONTROL, &f->state, NULL) == ST_OK);
    f->copy.dir = f->dir;
    CHECK(state_snapshot_begin(f->state, &f->copy.snapshot, NULL) == ST_OK);
}

static void fixture_done(struct fixture *f)
{
    char command[128];

    state_snapshot_end(f->copy.snapshot);
    state_close(f->state);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    EXPECT_EQ(system(command), 0);
}

/* Each row: how the disk fails, what the copy says of it, and whether that is the disk's end at
 * each call, at some, or at none. */
static const struct {
    const char *name;
    enum fault_kind kind;
    bool lasting;
    enum status want;
    bool may_end;
    bool may_go_on;
} rows[] = {
    { "full once", FAULT_FULL, false, ST_NO_SPACE, false, true },
    { "full from some call on", FAULT_FULL, true, ST_NO_SPACE, false, true },
    { "over quota from some call on", FAULT_QUOTA, true, ST_NO_SPACE, false, true },
    { "one sync fails", FAULT_SYNC, false, ST_IO, true, false },
    { "syncs fail from some call on", FAULT_SYNC, true, ST_IO, true, false },
    { "broken at one call", FAULT_BROKEN, false, ST_IO, true, true },
};

TEST(a_failed_sync_of_a_copy_is_told_from_its_other_failures)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned ended = 0;
        unsigned went_on = 0;
        bool untouched = false;

        test_case = rows[i].name;
        for (unsigned at = 1; !untouched && at < 1000; at++) {
            struct err err = { 0 };
            struct fixture f;
            enum status st;

            fixture_init(&f);
            fault_disk_arm(rows[i].kind, at, rows[i].lasting);
            st = snapshot_copy_run(&f.copy, &err);
            untouched = !fault_disk_heal();
            EXPECT_EQ(st, untouched ? ST_OK : rows[i].want);
            EXPECT_EQ(err.text[0] == '\0', untouched);
            ended += f.copy.sync_failed;
            went_on += !untouched && !f.copy.sync_failed;
            fixture_done(&f);
        }
        EXPECT(untouched);
        EXPECT_EQ(ended > 0, rows[i].may_end);
        EXPECT_EQ(went_on > 0, rows[i].may_go_on);
    }
}

TEST(a_copy_is_described_by_its_length_and_hash_and_another_takes_its_place)
{
    char path[SNAPSHOT_PATH_BYTES];
    struct fixture f;

    fixture_init(&f);
    snapshot_file_tmp_path(f.dir, path);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(snapshot_copy_run(&f.copy, NULL), ST_OK);
        EXPECT(f.copy.meta.bytes > 0);
        EXPECT_EQ(snapshot_file_verify(path, &f.copy.meta, NULL), ST_OK);
    }
    fixture_done(&f);
}

TEST(a_copy_that_is_given_up_says_so)
{
    struct err err = { 0 };
    struct fixture f;

    fixture_init(&f);
    f.copy.give_up = true;
    EXPECT_EQ(snapshot_copy_run(&f.copy, &err), ST_CANCELLED);
    EXPECT(!f.copy.sync_failed);
    fixture_done(&f);
}
