/* A blob is written to a disk that is full or broken at the 1st, 2nd, 3rd... call: an error,
 * nothing under its name that is not whole, nothing left behind, and nothing wrong with what was
 * there. */
#include <dirent.h>
#include <stdlib.h>

#include "base/hash.h"
#include "objstore/blobs/blob_store.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"

enum { CALLS_MAX = 100, BLOB_BYTES = 300000 };

struct world {
    uv_loop_t loop;
    char dir[64];
    struct blob_store *store;
    struct blob_write_result written;
    enum status read;
    uint64_t read_bytes;
};

static void on_done(struct blob_writer *writer,
                    const struct blob_write_result *result,
                    const struct err *err,
                    void *context)
{
    struct world *world = context;

    world->written = *result;
    EXPECT_EQ(err->text[0] == '\0', result->status == ST_OK);
}

static const struct blob_writer_handler writing = { .on_done = on_done };

static void on_open(struct blob_reader *reader, enum status status, uint64_t bytes, void *context)
{
    struct world *world = context;

    world->read = status;
    if (status == ST_OK)
        blob_read_next(reader);
    else
        blob_read_close(reader);
}

static void on_piece(struct blob_reader *reader,
                     enum status status,
                     struct bytes piece,
                     void *context)
{
    struct world *world = context;

    world->read = status;
    world->read_bytes += piece.len;
    if (status != ST_OK || piece.len == 0)
        blob_read_close(reader);
    else
        blob_read_next(reader);
}

static const struct blob_reader_handler reading = { on_open, on_piece };

static enum status put(struct world *world, uint8_t byte, struct blob_id *out_id)
{
    static uint8_t content[BLOB_BYTES];
    struct blob_writer *writer;

    memset(content, byte, sizeof content);
    hash_sha256(bytes_of(content, sizeof content), out_id->sha256);
    blob_write_start(world->store, &writing, world, &writer);
    blob_write(writer, bytes_of(content, sizeof content));
    blob_write_finish(writer, NULL);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    return world->written.status;
}

static enum status get(struct world *world, const struct blob_id *id)
{
    const struct blob_range whole = { 0, UINT64_MAX };
    struct blob_reader *reader;

    world->read_bytes = 0;
    blob_read_start(world->store, id, &whole, &reading, world, &reader);
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    if (world->read == ST_OK)
        EXPECT_EQ(world->read_bytes, BLOB_BYTES);
    return world->read;
}

static unsigned unfinished(const struct world *world)
{
    const struct dirent *entry;
    unsigned count = 0;
    char path[80];
    DIR *dir;

    (void)snprintf(path, sizeof path, "%s/tmp", world->dir);
    dir = opendir(path);
    CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

static void begin(struct world *world)
{
    struct err err = { 0 };

    memset(world, 0, sizeof *world);
    fault_disk_folder(world->dir);
    CHECK(uv_loop_init(&world->loop) == 0);
    EXPECT_EQ(blob_store_open(&world->loop, world->dir, &world->store, &err), ST_OK);
}

static void end(struct world *world)
{
    char command[128];

    blob_store_close(world->store);
    CHECK(uv_loop_close(&world->loop) == 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", world->dir);
    EXPECT_EQ(system(command), 0);
}

static const struct {
    const char *name;
    enum fault_kind kind;
    bool lasting;
    enum status want;
} disks[] = {
    { "full at one call", FAULT_FULL, false, ST_LIMIT },
    { "full from some call on", FAULT_FULL, true, ST_LIMIT },
    { "broken at one call", FAULT_BROKEN, false, ST_IO },
    { "broken from some call on", FAULT_BROKEN, true, ST_IO },
    { "one sync fails", FAULT_SYNC, false, ST_IO },
    { "syncs fail from some call on", FAULT_SYNC, true, ST_IO },
};

static bool one_story(size_t row, unsigned at)
{
    struct world world;
    struct blob_id before;
    struct blob_id id;
    enum status st;
    bool failed;

    begin(&world);
    EXPECT_EQ(put(&world, 'a', &before), ST_OK);
    fault_disk_arm(disks[row].kind, at, disks[row].lasting);
    st = put(&world, 'b', &id);
    failed = fault_disk_heal();
    EXPECT_EQ(st, failed ? disks[row].want : ST_OK);
    EXPECT_EQ(unfinished(&world), 0);
    EXPECT_EQ(get(&world, &before), ST_OK);
    if (!failed)
        EXPECT_EQ(get(&world, &id), ST_OK);
    EXPECT_EQ(put(&world, 'b', &id), ST_OK); /* as its client will ask again */
    EXPECT_EQ(get(&world, &id), ST_OK);
    end(&world);
    return failed;
}

TEST(a_blob_is_whole_or_an_error_wherever_the_disk_fails)
{
    fault_disk_install();
    for (size_t i = 0; i < ARRAY_LEN(disks); i++) {
        unsigned at = 1;

        test_case = disks[i].name;
        while (at < CALLS_MAX && one_story(i, at))
            at++;
        EXPECT(at > 2 && at < CALLS_MAX);
        printf("# %s: %u calls failed\n", disks[i].name, at - 1);
    }
}
