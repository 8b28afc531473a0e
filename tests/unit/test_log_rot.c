/* log.db, its write-ahead log and log.mark, each damaged in every place: the log is found whole, or
 * it is refused with a reason and left as it was found.  Never is less found than the mark says. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/replica/log_mark.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/raft_rules.h"
#include "tests/unit/check.h"

enum {
    ENTRIES = 48,      /* beside the bootstrap one */
    ENTRY_BYTES = 700, /* several a page; one in eight has pages of its own */
    LARGE_BYTES = 9000,
    TERM = 3,
    VOTED_FOR = 2,
    FLIP_STEP = 3067,
    CUT_STEP = 4096,
    MARK_HEAD_BYTES = 28,
};

enum { FILE_DB, FILE_WAL, FILE_MARK, FILES };
static const char *const names[FILES] = { "log.db", "log.db-wal", "log.mark" };

/* A folder's files as they were at one moment; absent ones have no bytes. */
struct image {
    const char *name;
    struct buf files[FILES];
    uint64_t durable; /* as its mark says */
};

struct world {
    char dir[64];
    struct log_data *bootstrap;
    struct image closed; /* everything is in log.db */
    struct image killed; /* everything is in the write-ahead log */
    struct image
        behind; /* the same, and the mark of a commit before the last is all that was kept */
};

static void path_of(const struct world *world, int file, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", world->dir, names[file]);
}

static void read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;

    out->len = 0;
    if (fd < 0)
        return;
    CHECK(fstat(fd, &found) == 0);
    CHECK(read(fd, buf_reserve(out, (size_t)found.st_size + 1), (size_t)found.st_size) ==
          found.st_size);
    out->len = (size_t)found.st_size;
    close(fd);
}

static void write_file(const char *path, struct bytes content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK(write(fd, content.data, content.len) == (ssize_t)content.len);
    close(fd);
}

static void save(const struct world *world, struct image *out, const char *name, uint64_t durable)
{
    char path[128];

    out->name = name;
    out->durable = durable;
    for (int i = 0; i < FILES; i++) {
        path_of(world, i, path);
        read_file(path, &out->files[i]);
    }
}

static void restore(const struct world *world, const struct image *image)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/log.db-shm", world->dir);
    (void)unlink(path);
    for (int i = 0; i < FILES; i++) {
        path_of(world, i, path);
        if (image->files[i].len == 0)
            (void)unlink(path);
        else
            write_file(path, buf_view(&image->files[i]));
    }
}

static struct log_data *content_of(uint64_t index)
{
    static uint8_t bytes[LARGE_BYTES];
    size_t len = index % 8 == 0 ? LARGE_BYTES : ENTRY_BYTES;

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(index * 31 + i * 7);
    return log_data_new(bytes_of(bytes, len));
}

static void append(struct log_store *store, uint64_t index)
{
    struct log_entry entry = { TERM, LOG_COMMAND, content_of(index) };
    struct disk_op op = { .kind = DISK_APPEND, .first = index, .count = 1, .entries = &entry };

    EXPECT_EQ(log_store_append(store, &op, NULL, NULL), ST_OK);
    log_data_drop(entry.data);
}

static void world_init(struct world *world)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct log_recovery recovery;
    struct log_store *store;
    struct buf mark = { 0 };
    char path[128];

    memset(world, 0, sizeof *world);
    (void)snprintf(world->dir, sizeof world->dir, "/tmp/test_log_rot.XXXXXX");
    CHECK(mkdtemp(world->dir) != NULL);
    path_of(world, FILE_MARK, path);
    world->bootstrap = rules_bootstrap(ids, 3);
    EXPECT_EQ(log_store_open(world->dir, world->bootstrap, &store, &recovery, NULL), ST_OK);
    EXPECT_EQ(log_store_set_vote(store, TERM, VOTED_FOR, NULL), ST_OK);
    for (uint64_t index = 2; index <= ENTRIES; index++)
        append(store, index);
    read_file(path, &mark);
    append(store, ENTRIES + 1);
    save(world, &world->killed, "killed", ENTRIES + 1);
    save(world, &world->behind, "mark behind", ENTRIES);
    world->behind.files[FILE_MARK].len = 0;
    buf_append(&world->behind.files[FILE_MARK], mark.data, mark.len);
    buf_done(&mark);
    log_store_close(store);
    log_recovery_done(&recovery);
    save(world, &world->closed, "closed", ENTRIES + 1);
    EXPECT(world->killed.files[FILE_WAL].len > world->closed.files[FILE_DB].len);
    EXPECT_EQ(world->closed.files[FILE_WAL].len, 0);
}

static void world_done(struct world *world)
{
    struct image *images[] = { &world->closed, &world->killed, &world->behind };
    char command[128];

    for (size_t i = 0; i < ARRAY_LEN(images); i++)
        for (int file = 0; file < FILES; file++)
            buf_done(&images[i]->files[file]);
    log_data_drop(world->bootstrap);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", world->dir);
    EXPECT_EQ(system(command), 0);
}

/* Everything that was durable is there, with its bytes, and so is the vote. */
static void expect_whole(const struct image *image,
                         struct log_store *store,
                         const struct log_recovery *recovery)
{
    EXPECT(!recovery->fresh);
    EXPECT_EQ(recovery->term, TERM);
    EXPECT_EQ(recovery->voted_for, VOTED_FOR);
    EXPECT_EQ(recovery->first, 1);
    EXPECT(recovery->count >= image->durable);
    for (uint64_t index = 2; index <= recovery->count; index++) {
        struct log_data *want = content_of(index);
        struct log_entry got = { 0 };

        EXPECT_EQ(log_store_read(store, index, 1, &got, NULL), ST_OK);
        EXPECT(got.data != NULL && bytes_equal(bytes_of(got.data->bytes, got.data->len),
                                               bytes_of(want->bytes, want->len)));
        log_data_drop(got.data);
        log_data_drop(want);
    }
}

static void expect_untouched(const struct world *world, const struct image *damaged)
{
    for (int i = 0; i < FILES; i++) {
        struct buf now = { 0 };
        char path[128];

        path_of(world, i, path);
        read_file(path, &now);
        EXPECT(bytes_equal(buf_view(&now), buf_view(&damaged->files[i])));
        buf_done(&now);
    }
}

/* Open what is left of `image`.  True when it was found whole. */
static bool open_damaged(const struct world *world, const struct image *image)
{
    struct log_recovery recovery = { 0 };
    struct log_store *store = NULL;
    struct err err = { 0 };
    enum status st;

    restore(world, image);
    st = log_store_open(world->dir, world->bootstrap, &store, &recovery, &err);
    if (st == ST_OK) {
        expect_whole(image, store, &recovery);
        log_store_close(store);
        log_recovery_done(&recovery);
        return true;
    }
    EXPECT(st == ST_CORRUPT || st == ST_BAD_INPUT); /* the latter: another format's number */
    EXPECT(strstr(err.text, "log.db") != NULL || strstr(err.text, "log.mark") != NULL);
    expect_untouched(world, image);
    return false;
}

static void flip_bits(const struct world *world, struct image *image, int file)
{
    struct buf *content = &image->files[file];
    size_t step = content->len < FLIP_STEP ? 1 : FLIP_STEP;
    unsigned refused = 0;

    for (size_t at = 0; at < content->len; at += step) {
        char place[64];

        (void)snprintf(place, sizeof place, "%s, %s, bit in byte %zu", image->name, names[file],
                       at);
        test_case = place;
        content->data[at] ^= (uint8_t)(1u << (at % 8));
        refused += !open_damaged(world, image);
        content->data[at] ^= (uint8_t)(1u << (at % 8));
        test_case = NULL;
    }
    printf("# %s, %s: refused %u of %zu\n", image->name, names[file], refused,
           (content->len + step - 1) / step);
    EXPECT(refused > 0 || content->len == 0);
}

TEST(a_flipped_bit_in_any_region_loses_nothing_unsaid)
{
    struct world world;

    world_init(&world);
    flip_bits(&world, &world.closed, FILE_DB);
    flip_bits(&world, &world.closed, FILE_MARK);
    flip_bits(&world, &world.killed, FILE_WAL);
    flip_bits(&world, &world.behind, FILE_WAL);
    world_done(&world);
}

static void cut(const struct world *world, struct image *image, int file, size_t step)
{
    struct buf *content = &image->files[file];
    size_t whole = content->len;
    bool whole_log;

    for (size_t len = 0; len < whole; len += step) {
        char place[64];

        (void)snprintf(place, sizeof place, "%s, %s, cut to %zu", image->name, names[file], len);
        test_case = place;
        content->len = len;
        whole_log = open_damaged(world, image);
        EXPECT(!whole_log || image->durable == ENTRIES ||
               (file == FILE_MARK && len == MARK_HEAD_BYTES)); /* as releases before wrote it */
        test_case = NULL;
    }
    content->len = whole;
}

/* Cut to nothing is removed: restore() makes no difference. */
TEST(a_file_that_was_cut_or_removed_is_noticed)
{
    struct world world;

    world_init(&world);
    cut(&world, &world.closed, FILE_DB, CUT_STEP);
    cut(&world, &world.closed, FILE_MARK, 1);
    cut(&world, &world.killed, FILE_WAL, CUT_STEP);
    cut(&world, &world.behind, FILE_WAL, CUT_STEP);
    world_done(&world);
}

TEST(a_torn_end_behind_the_mark_is_none)
{
    struct world world;
    struct buf *wal = &world.behind.files[FILE_WAL];

    world_init(&world);
    EXPECT(open_damaged(&world, &world.behind));
    wal->len -= 1; /* the last commit's last frame */
    EXPECT(open_damaged(&world, &world.behind));
    world_done(&world);
}

/* It writes the head of the mark alone: what stands behind it is of another head, and says nothing.
 */
TEST(a_mark_that_a_release_before_has_written_over_counts_as_far_as_it_goes)
{
    struct world world;

    world_init(&world);
    memcpy(world.closed.files[FILE_MARK].data, world.behind.files[FILE_MARK].data, MARK_HEAD_BYTES);
    EXPECT(open_damaged(&world, &world.closed));
    world.closed.files[FILE_MARK].data[MARK_HEAD_BYTES + 6] ^= 1; /* rot is told from that */
    EXPECT(!open_damaged(&world, &world.closed));
    world_done(&world);
}

/* The end of another history took the place of entries 5 to 8, and is lost again: what it replaced
 * has as many entries, but was given up. */
TEST(an_end_that_was_replaced_does_not_stand_for_the_one_that_replaced_it)
{
    struct world world;
    struct image before = { 0 };
    struct log_recovery recovery;
    struct log_store *store;
    struct log_entry entries[4];
    struct disk_op op = { .kind = DISK_APPEND, .first = 5, .count = 4, .entries = entries };

    world_init(&world);
    restore(&world, &world.closed);
    EXPECT_EQ(log_store_open(world.dir, world.bootstrap, &store, &recovery, NULL), ST_OK);
    save(&world, &before, "before", 8);
    for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
        entries[i] = (struct log_entry){ TERM + 1, LOG_COMMAND, content_of(5 + i) };
    EXPECT_EQ(log_store_append(store, &op, NULL, NULL), ST_OK);
    for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
        log_data_drop(entries[i].data);
    before.files[FILE_MARK].len = 0;
    save(&world, &world.killed, "replaced", 8);
    buf_append(&before.files[FILE_MARK], world.killed.files[FILE_MARK].data,
               world.killed.files[FILE_MARK].len);
    log_store_close(store);
    log_recovery_done(&recovery);
    EXPECT(!open_damaged(&world, &before));
    for (int file = 0; file < FILES; file++)
        buf_done(&before.files[file]);
    world_done(&world);
}

/* What a snapshot stands for is not missed. */
TEST(a_rotten_entry_below_the_snapshot_is_let_go)
{
    struct world world;
    struct log_recovery recovery;
    struct log_store *store;
    struct snapshot_meta meta = { .index = 20, .term = TERM, .configuration_index = 1, .bytes = 5 };
    char path[128];
    sqlite3 *db;

    world_init(&world);
    restore(&world, &world.closed);
    meta.configuration_len = world.bootstrap->len;
    memcpy(meta.configuration, world.bootstrap->bytes, world.bootstrap->len);
    EXPECT_EQ(log_store_open(world.dir, world.bootstrap, &store, &recovery, NULL), ST_OK);
    EXPECT_EQ(log_store_take(store, &meta, NULL), ST_OK);
    log_store_close(store);
    log_recovery_done(&recovery);
    path_of(&world, FILE_DB, path);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "UPDATE entries SET data = x'00' WHERE idx = 17", NULL, NULL, NULL) ==
          SQLITE_OK);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    EXPECT_EQ(log_store_open(world.dir, world.bootstrap, &store, &recovery, NULL), ST_OK);
    EXPECT_EQ(recovery.first, 18);
    EXPECT_EQ(recovery.first + recovery.count - 1, ENTRIES + 1);
    log_store_close(store);
    log_recovery_done(&recovery);
    world_done(&world);
}
