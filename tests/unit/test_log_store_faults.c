/* One member's life (appends, votes, a truncation, a snapshot taken, one installed, a start) on a
 * disk that fails at the 1st, 2nd, 3rd... call, until the story passes untouched.  After each
 * failure the folder is opened on a healthy disk: what was told to be durable is there. */
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "controlplane/replica/log_store.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/snapshot_file.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"

enum { ENTRIES_MAX = 64, CALLS_MAX = 2000, BYTES = 3000 };

/* What the log has said is durable, and so may have been promised to others. */
struct promised {
    uint64_t vote_term;
    uint64_t voted_for;
    uint64_t snapshot;
    uint64_t last;
    uint64_t terms[ENTRIES_MAX]; /* of each entry up to `last`; 0 behind a snapshot */
};

struct story {
    char dir[64];
    struct log_data *bootstrap;
    struct log_store *store;
    struct log_recovery recovery;
    struct promised promised;
    uint64_t doing_vote; /* term of a vote that failed: may be durable or not */
    bool retry;          /* the disk is full for one call: try again, as the disk thread does */
    enum status failed;
};

static void story_init(struct story *story, bool retry)
{
    const uint64_t ids[] = { 1, 2, 3 };

    memset(story, 0, sizeof *story);
    story->retry = retry;
    fault_disk_folder(story->dir);
    story->bootstrap = rules_bootstrap(ids, 3);
}

static void story_close(struct story *story)
{
    log_store_close(story->store);
    log_recovery_done(&story->recovery);
    story->store = NULL;
}

static void story_done(struct story *story)
{
    char command[128];

    story_close(story);
    log_data_drop(story->bootstrap);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", story->dir);
    EXPECT_EQ(system(command), 0);
}

static bool ended(struct story *story, enum status st, const struct err *err)
{
    if (st == ST_OK)
        return false;
    EXPECT(err->text[0] != '\0');
    EXPECT(st == ST_NO_SPACE || st == ST_IO);
    story->failed = st;
    return true;
}

/* Ask again as long as the disk is full, which it is once. */
#define TRY(story, st, call)                                                                       \
    do {                                                                                           \
        (st) = (call);                                                                             \
        for (int i = 0; i < 3 && (story)->retry && (st) == ST_NO_SPACE; i++)                       \
            (st) = (call);                                                                         \
    } while (0)

static bool open_log(struct story *story)
{
    struct err err = { 0 };
    enum status st;

    TRY(story, st,
        log_store_open(story->dir, story->bootstrap, &story->store, &story->recovery, &err));
    if (story->promised.last == 0 && st == ST_OK) {
        story->promised.last = 1;
        story->promised.terms[1] = 1;
        story->promised.vote_term = 1;
    }
    return !ended(story, st, &err);
}

static bool append(struct story *story, uint64_t first, unsigned count, uint64_t term)
{
    static const uint8_t content[BYTES];
    struct log_entry entries[16];
    struct disk_op op = { .kind = DISK_APPEND, .first = first, .count = count, .entries = entries };
    struct err err = { 0 };
    enum status st;

    CHECK(count <= ARRAY_LEN(entries));
    for (unsigned i = 0; i < count; i++)
        entries[i] =
            (struct log_entry){ term, LOG_COMMAND, log_data_new(bytes_of(content, BYTES)) };
    /* What is to be taken back is promised no longer from the moment that it is asked for. */
    if (first <= story->promised.last)
        story->promised.last = first - 1;
    TRY(story, st, log_store_append(story->store, &op, NULL, &err));
    for (unsigned i = 0; i < count; i++)
        log_data_drop(entries[i].data);
    if (ended(story, st, &err))
        return false;
    for (unsigned i = 0; i < count; i++)
        story->promised.terms[first + i] = term;
    story->promised.last = first + count - 1;
    return true;
}

static bool vote(struct story *story, uint64_t term, uint64_t voted_for)
{
    struct err err = { 0 };
    enum status st;

    story->doing_vote = term;
    TRY(story, st, log_store_set_vote(story->store, term, voted_for, &err));
    if (ended(story, st, &err))
        return false;
    story->promised.vote_term = term;
    story->promised.voted_for = voted_for;
    return true;
}

static struct snapshot_meta snapshot_at(const struct story *story, uint64_t index, uint64_t term)
{
    struct snapshot_meta meta = { .index = index, .term = term, .configuration_index = 1 };

    meta.configuration_len = story->bootstrap->len;
    memcpy(meta.configuration, story->bootstrap->bytes, story->bootstrap->len);
    return meta;
}

static bool store_file(struct story *story, const char *from, uint64_t index)
{
    struct err err = { 0 };
    FILE *file = fopen(from, "w");
    enum status st;

    CHECK(file != NULL);
    (void)fputs("rows", file);
    (void)fclose(file);
    TRY(story, st, snapshot_file_store(story->dir, from, index, &err));
    return !ended(story, st, &err);
}

static bool take(struct story *story, uint64_t index, uint64_t term, uint64_t first)
{
    struct snapshot_meta meta = snapshot_at(story, index, term);
    char path[SNAPSHOT_PATH_BYTES];
    struct err err = { 0 };
    enum status st;

    snapshot_file_tmp_path(story->dir, path);
    if (!store_file(story, path, index))
        return false;
    TRY(story, st, log_store_take(story->store, &meta, &err));
    if (ended(story, st, &err))
        return false;
    story->promised.snapshot = index;
    TRY(story, st, log_store_drop(story->store, first, &err));
    return !ended(story, st, &err);
}

static bool install(struct story *story, uint64_t index, uint64_t term)
{
    struct snapshot_meta meta = snapshot_at(story, index, term);
    char path[SNAPSHOT_PATH_BYTES];
    struct err err = { 0 };
    enum status st;

    snapshot_file_part_path(story->dir, path);
    if (!store_file(story, path, index))
        return false;
    /* All entries are given up for it, once it is asked for. */
    story->promised.last = story->promised.snapshot;
    TRY(story, st, log_store_install(story->store, &meta, &err));
    if (ended(story, st, &err))
        return false;
    story->promised.snapshot = index;
    story->promised.last = index;
    return true;
}

static bool start_again(struct story *story)
{
    story_close(story);
    return open_log(story);
}

static bool tell(struct story *story)
{
    if (!open_log(story) || !append(story, 2, 9, 1) || !vote(story, 2, 3))
        return false;
    if (!append(story, 6, 2, 2) || !append(story, 8, 4, 2) || !vote(story, 4, 2))
        return false;
    if (!take(story, 9, 2, 7) || !append(story, 12, 3, 4) || !start_again(story))
        return false;
    if (!append(story, 15, 2, 4) || !install(story, 20, 5) || !append(story, 21, 3, 5))
        return false;
    return vote(story, 6, 1) && start_again(story) && append(story, 24, 2, 6);
}

/* The folder on a healthy disk holds at least what was promised. */
static void expect_promised(struct story *story)
{
    const struct promised *promised = &story->promised;
    const struct log_recovery *found = &story->recovery;
    uint64_t last;
    struct err err = { 0 };

    story_close(story);
    story->retry = false;
    if (log_store_open(story->dir, story->bootstrap, &story->store, &story->recovery, &err) !=
        ST_OK) {
        printf("# %s: %s\n", test_case, err.text);
        EXPECT(!"what was promised can be opened");
        return;
    }
    last = found->count == 0 ? found->snapshot.index : found->first + found->count - 1;
    EXPECT(found->term >= promised->vote_term);
    if (found->term == promised->vote_term && story->doing_vote <= promised->vote_term)
        EXPECT_EQ(found->voted_for, promised->voted_for);
    EXPECT(found->snapshot.index >= promised->snapshot);
    EXPECT(last >= promised->last);
    for (uint64_t at = found->first; at <= promised->last && found->count > 0; at++)
        EXPECT_EQ(found->entries[at - found->first].term, promised->terms[at]);
}

static const struct {
    const char *name;
    enum fault_kind kind;
    bool lasting;
    bool retry;
    enum status want; /* how the story ends while calls fail; ST_OK: it does not */
} disks[] = {
    { "full once, tried again", FAULT_FULL, false, true, ST_OK },
    { "over quota once, tried again", FAULT_QUOTA, false, true, ST_OK },
    { "over quota from some call on", FAULT_QUOTA, true, false, ST_NO_SPACE },
    { "full from some call on", FAULT_FULL, true, false, ST_NO_SPACE },
    { "broken at one call", FAULT_BROKEN, false, false, ST_IO },
    { "broken from some call on", FAULT_BROKEN, true, false, ST_IO },
    { "one sync fails", FAULT_SYNC, false, false, ST_IO },
    { "syncs fail from some call on", FAULT_SYNC, true, false, ST_IO },
};

TEST(nothing_promised_is_lost_wherever_the_disk_fails)
{
    fault_disk_install();
    for (size_t i = 0; i < ARRAY_LEN(disks); i++) {
        unsigned failures = 0;
        bool untouched = false;

        test_case = disks[i].name;
        for (unsigned at = 1; !untouched && at < CALLS_MAX; at++) {
            struct story story;

            story_init(&story, disks[i].retry);
            fault_disk_arm(disks[i].kind, at, disks[i].lasting);
            if (tell(&story))
                EXPECT_EQ(story.failed, ST_OK);
            else
                EXPECT_EQ(story.failed, disks[i].want);
            untouched = !fault_disk_heal();
            failures += !untouched;
            expect_promised(&story);
            story_done(&story);
        }
        EXPECT(untouched);
        EXPECT(failures > 4);
        printf("# %s: %u calls failed\n", disks[i].name, failures);
    }
}

/* The group's thread votes while its disk thread's failure is still on its way to it. */
TEST(after_a_failed_write_no_other_one_is_called_durable)
{
    const enum fault_kind kinds[] = { FAULT_SYNC, FAULT_BROKEN };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct err err = { 0 };
        struct story story;

        story_init(&story, false);
        EXPECT(open_log(&story));
        fault_disk_arm(kinds[i], 1, false);
        EXPECT(!append(&story, 2, 2, 1));
        EXPECT(fault_disk_heal());
        EXPECT_EQ(log_store_set_vote(story.store, 5, 2, &err), ST_IO);
        EXPECT(strstr(err.text, "a write before has failed") != NULL);
        expect_promised(&story);
        EXPECT_EQ(story.recovery.term, 1);
        story_done(&story);
    }
}
