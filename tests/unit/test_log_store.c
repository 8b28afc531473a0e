#include "controlplane/replica/log_store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/replica/raft_rules.h"
#include "tests/unit/check.h"

/* A folder with a log of ten entries, for one row of a table. */
struct fixture {
    char dir[64];
    struct log_data *bootstrap;
    struct log_store *store;
    struct log_recovery recovery;
};

static void fixture_init(struct fixture *f)
{
    const uint64_t ids[] = { 1, 2, 3 };

    memset(f, 0, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_log_store.XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    f->bootstrap = rules_bootstrap(ids, 3);
}

static enum status fixture_open(struct fixture *f)
{
    struct err err = { 0 };
    enum status st = log_store_open(f->dir, f->bootstrap, &f->store, &f->recovery, &err);

    EXPECT_EQ(err.text[0] == '\0', st == ST_OK);
    return st;
}

static void fixture_close(struct fixture *f)
{
    log_store_close(f->store);
    log_recovery_done(&f->recovery);
    f->store = NULL;
}

static void fixture_done(struct fixture *f)
{
    char command[128];

    fixture_close(f);
    log_data_drop(f->bootstrap);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    EXPECT_EQ(system(command), 0);
}

static void append(struct fixture *f, uint64_t first, unsigned count, uint64_t term)
{
    struct log_entry entries[16];
    struct disk_op op = { .kind = DISK_APPEND, .first = first, .count = count, .entries = entries };

    for (unsigned i = 0; i < count; i++)
        entries[i] =
            (struct log_entry){ term, LOG_COMMAND, log_data_new(bytes_of_text("content")) };
    EXPECT_EQ(log_store_append(f->store, &op, NULL, NULL), ST_OK);
    for (unsigned i = 0; i < count; i++)
        log_data_drop(entries[i].data);
}

static struct snapshot_meta snapshot_at(const struct fixture *f, uint64_t index, uint64_t term)
{
    struct snapshot_meta meta = {
        .index = index, .term = term, .configuration_index = 1, .bytes = 5
    };

    meta.configuration_len = f->bootstrap->len;
    memcpy(meta.configuration, f->bootstrap->bytes, f->bootstrap->len);
    return meta;
}

static void run_sql(const struct fixture *f, const char *sql)
{
    char path[96];
    sqlite3 *db;

    (void)snprintf(path, sizeof path, "%s/log.db", f->dir);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

static void remove_file(const struct fixture *f, const char *name)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
    (void)unlink(path);
}

TEST(a_new_folder_gets_the_bootstrap_entry_and_opens_again_the_same)
{
    struct fixture f;

    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(fixture_open(&f), ST_OK);
        EXPECT_EQ(f.recovery.fresh, i == 0);
        EXPECT_EQ(f.recovery.term, 1);
        EXPECT_EQ(f.recovery.voted_for, 0);
        EXPECT_EQ(f.recovery.first, 1);
        EXPECT_EQ(f.recovery.count, 1);
        EXPECT_EQ(f.recovery.entries[0].type, LOG_CHANGE);
        fixture_close(&f);
    }
    fixture_done(&f);
}

TEST(votes_entries_and_truncations_are_found_again)
{
    struct fixture f;

    fixture_init(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    append(&f, 2, 9, 1);
    append(&f, 5, 2, 3); /* another leader's: 5 and 6 replace 5..10 */
    EXPECT_EQ(log_store_set_vote(f.store, 4, 2, NULL), ST_OK);
    fixture_close(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    EXPECT_EQ(f.recovery.term, 4);
    EXPECT_EQ(f.recovery.voted_for, 2);
    EXPECT_EQ(f.recovery.count, 6);
    EXPECT_EQ(f.recovery.entries[3].term, 1);
    EXPECT_EQ(f.recovery.entries[5].term, 3);
    fixture_done(&f);
}

/* Each row: what happens to a log of entries 1..10 (term 1) while it is closed. */
static const struct {
    const char *name;
    const char *sql;
    const char *removed;
    enum status want;
    unsigned count;
} damages[] = {
    { "nothing", "", "", ST_OK, 10 },
    { "the newest durable entry is gone", "DELETE FROM entries WHERE idx = 10", "", ST_CORRUPT, 0 },
    { "one in the middle is gone", "DELETE FROM entries WHERE idx = 5", "", ST_CORRUPT, 0 },
    { "a byte has rotted", "UPDATE entries SET data = x'00' WHERE idx = 7", "", ST_CORRUPT, 0 },
    { "a term has rotted", "UPDATE entries SET term = 2 WHERE idx = 7", "", ST_CORRUPT, 0 },
    { "a torn entry behind what was durable", "INSERT INTO entries VALUES (11, 1, 1, x'00', 0)", "",
      ST_OK, 10 },
    { "a gap behind what was durable", "INSERT INTO entries VALUES (13, 1, 1, x'00', 0)", "", ST_OK,
      10 },
    { "a vote is lost", "UPDATE vote SET term = 1", "", ST_CORRUPT, 0 },
    { "everything is lost but the mark", "DELETE FROM entries", "", ST_CORRUPT, 0 },
    { "the database is lost", "", "log.db", ST_CORRUPT, 0 },
    { "the mark is lost", "", "log.mark", ST_CORRUPT, 0 },
    { "a newer release's format", "PRAGMA user_version = 2", "", ST_BAD_INPUT, 0 },
    { "a vote of a release before", "UPDATE vote SET term = 5, voted_for = 1", "", ST_OK, 10 },
    { "a vote whose checksum has rotted", "UPDATE checks SET crc = crc + 1", "", ST_CORRUPT, 0 },
    { "a log of a release before",
      "DROP TRIGGER vote_changed; DROP TRIGGER snapshot_changed; DROP TABLE checks", "", ST_OK,
      10 },
};

TEST(rot_is_told_from_a_torn_end)
{
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        struct fixture f;

        test_case = damages[i].name;
        fixture_init(&f);
        EXPECT_EQ(fixture_open(&f), ST_OK);
        append(&f, 2, 9, 1);
        EXPECT_EQ(log_store_set_vote(f.store, 3, 2, NULL), ST_OK);
        fixture_close(&f);
        run_sql(&f, damages[i].sql);
        if (damages[i].removed[0] != '\0')
            remove_file(&f, damages[i].removed);
        EXPECT_EQ(fixture_open(&f), damages[i].want);
        if (damages[i].want == ST_OK)
            EXPECT_EQ(f.recovery.count, damages[i].count);
        fixture_done(&f);
    }
}

/* Each row: a snapshot beside the log that is left of entries 1..10 (term 1). */
static const struct {
    const char *name;
    uint64_t index;
    uint64_t term;
    const char *sql;
    uint64_t first;
    unsigned count;
} joins[] = {
    { "the log holds the snapshot's entry", 6, 1, "DELETE FROM entries WHERE idx < 3", 3, 8 },
    { "the log starts right behind it", 6, 1, "DELETE FROM entries WHERE idx < 7", 7, 4 },
    { "the log is of another history", 6, 2, "DELETE FROM entries WHERE idx < 3", 7, 0 },
    { "the log ends before it", 12, 1, "", 13, 0 },
    { "the log is empty", 10, 1, "DELETE FROM entries", 11, 0 },
};

TEST(a_log_is_kept_only_if_it_joins_on_to_the_snapshot)
{
    for (size_t i = 0; i < ARRAY_LEN(joins); i++) {
        struct snapshot_meta meta;
        struct fixture f;

        test_case = joins[i].name;
        fixture_init(&f);
        EXPECT_EQ(fixture_open(&f), ST_OK);
        append(&f, 2, 9, 1);
        meta = snapshot_at(&f, joins[i].index, joins[i].term);
        EXPECT_EQ(log_store_take(f.store, &meta, NULL), ST_OK);
        fixture_close(&f);
        run_sql(&f, joins[i].sql);
        for (int again = 0; again < 2; again++) { /* what was dropped stays so */
            EXPECT_EQ(fixture_open(&f), ST_OK);
            EXPECT_EQ(f.recovery.snapshot.index, joins[i].index);
            EXPECT_EQ(f.recovery.first, joins[i].first);
            EXPECT_EQ(f.recovery.count, joins[i].count);
            fixture_close(&f);
        }
        fixture_done(&f);
    }
}

/* Each row: what is gone of a log of entries 11..14 behind a snapshot of 10. */
static const struct {
    const char *name;
    const char *sql;
    enum status want;
} gaps[] = {
    { "nothing", "", ST_OK },
    { "the first entry", "DELETE FROM entries WHERE idx = 11", ST_CORRUPT },
    { "all but the last", "DELETE FROM entries WHERE idx < 14", ST_CORRUPT },
    { "the last entry", "DELETE FROM entries WHERE idx = 14", ST_CORRUPT },
};

TEST(a_gap_behind_the_snapshot_is_rot_and_not_another_history)
{
    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        struct snapshot_meta meta;
        struct fixture f;

        test_case = gaps[i].name;
        fixture_init(&f);
        EXPECT_EQ(fixture_open(&f), ST_OK);
        meta = snapshot_at(&f, 10, 1);
        EXPECT_EQ(log_store_install(f.store, &meta, NULL), ST_OK);
        append(&f, 11, 4, 1);
        fixture_close(&f);
        run_sql(&f, gaps[i].sql);
        EXPECT_EQ(fixture_open(&f), gaps[i].want);
        if (gaps[i].want == ST_OK)
            EXPECT_EQ(f.recovery.count, 4);
        fixture_done(&f);
    }
}

TEST(taking_drops_what_is_old_and_installing_drops_all)
{
    struct snapshot_meta meta;
    struct fixture f;

    fixture_init(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    append(&f, 2, 9, 1);
    meta = snapshot_at(&f, 8, 1);
    EXPECT_EQ(log_store_take(f.store, &meta, NULL), ST_OK);
    EXPECT_EQ(log_store_drop(f.store, 6, NULL), ST_OK);
    fixture_close(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    EXPECT_EQ(f.recovery.first, 6);
    EXPECT_EQ(f.recovery.count, 5);
    meta = snapshot_at(&f, 9, 2); /* shorter than our log, of a newer history */
    EXPECT_EQ(log_store_install(f.store, &meta, NULL), ST_OK);
    fixture_close(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    EXPECT_EQ(f.recovery.first, 10);
    EXPECT_EQ(f.recovery.count, 0);
    append(&f, 10, 2, 2);
    fixture_close(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    EXPECT_EQ(f.recovery.count, 2);
    fixture_done(&f);
}

static uint64_t bytes_of_file(const struct fixture *f, const char *name)
{
    struct stat info;
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

/* The checkpoint is ours, and so is that the write-ahead log stays small. */
TEST(the_write_ahead_log_stays_small_however_much_is_written)
{
    enum { ROUNDS = 60, ENTRIES = 8, BYTES = 65536, LOG_MAX = 8 << 20 };
    static const uint8_t content[BYTES];
    struct log_data *data = log_data_new(bytes_of(content, BYTES));
    struct log_entry entries[ENTRIES];
    uint64_t most = 0;
    struct fixture f;

    for (unsigned i = 0; i < ENTRIES; i++)
        entries[i] = (struct log_entry){ 1, LOG_COMMAND, data };
    fixture_init(&f);
    EXPECT_EQ(fixture_open(&f), ST_OK);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct disk_op op = {
            .kind = DISK_APPEND, .first = 2 + round * ENTRIES, .count = ENTRIES, .entries = entries
        };

        EXPECT_EQ(log_store_append(f.store, &op, NULL, NULL), ST_OK);
        if (bytes_of_file(&f, "log.db-wal") > most)
            most = bytes_of_file(&f, "log.db-wal");
    }
    EXPECT(bytes_of_file(&f, "log.db") > (uint64_t)LOG_MAX); /* it was far more than that */
    EXPECT(most < LOG_MAX);
    log_data_drop(data);
    fixture_done(&f);
}
