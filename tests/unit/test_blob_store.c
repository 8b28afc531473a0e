#include "objstore/blobs/blob_store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/hash.h"
#include "tests/unit/check.h"

static uv_loop_t loop;
static char dir[64];
static struct blob_store *store;

/* What the callbacks of one test saw. */
static struct {
    bool done;
    struct blob_write_result result;
    bool opened;
    enum status open_status;
    uint64_t open_bytes;
    struct buf content;
    enum status piece_status;
    unsigned pieces;
    uint64_t tapped;
} seen;

static void tap(struct bytes piece, void *context)
{
    seen.tapped += piece.len;
}

static void on_done(struct blob_writer *writer,
                    const struct blob_write_result *result,
                    const struct err *err,
                    void *context)
{
    seen.done = true;
    seen.result = *result;
}

static const struct blob_writer_handler writing = { .tap = tap, .on_done = on_done };

static void on_open(struct blob_reader *reader, enum status status, uint64_t bytes, void *context)
{
    seen.opened = true;
    seen.open_status = status;
    seen.open_bytes = bytes;
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
    seen.pieces++;
    seen.piece_status = status;
    if (status != ST_OK || piece.len == 0) {
        blob_read_close(reader);
        return;
    }
    buf_append(&seen.content, piece.data, piece.len);
    blob_read_next(reader);
}

static const struct blob_reader_handler reading = { on_open, on_piece };

static void begin(void)
{
    struct err err = { 0 };

    buf_done(&seen.content);
    memset(&seen, 0, sizeof seen);
    (void)snprintf(dir, sizeof dir, "/tmp/blob-test-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    CHECK(uv_loop_init(&loop) == 0);
    EXPECT_EQ(blob_store_open(&loop, dir, &store, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
}

static void end(void)
{
    char command[128];

    blob_store_close(store);
    CHECK(uv_loop_close(&loop) == 0);
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK(system(command) == 0);
}

static unsigned files_in(const char *folder)
{
    const struct dirent *entry;
    unsigned count = 0;
    char path[128];
    DIR *open_dir;

    (void)snprintf(path, sizeof path, "%s/%s", dir, folder);
    open_dir = opendir(path);
    CHECK(open_dir != NULL);
    while ((entry = readdir(open_dir)) != NULL)
        count += entry->d_name[0] != '.';
    (void)closedir(open_dir);
    return count;
}

static void run(void)
{
    (void)uv_run(&loop, UV_RUN_DEFAULT);
}

static struct blob_id id_of(struct bytes data)
{
    struct blob_id id;

    hash_sha256(data, id.sha256);
    return id;
}

static struct blob_id put(struct bytes data)
{
    struct blob_writer *writer;

    seen.done = false;
    blob_write_start(store, &writing, NULL, &writer);
    for (size_t at = 0; at < data.len; at += 100000)
        blob_write(writer,
                   bytes_of(data.data + at, data.len - at < 100000 ? data.len - at : 100000));
    blob_write_finish(writer, NULL);
    run();
    EXPECT(seen.done);
    EXPECT_EQ(seen.result.status, ST_OK);
    return seen.result.id;
}

static void get(const struct blob_id *id, const struct blob_range *range)
{
    struct blob_reader *reader;

    seen.opened = false;
    seen.pieces = 0;
    seen.content.len = 0;
    blob_read_start(store, id, range, &reading, NULL, &reader);
    run();
    EXPECT(seen.opened);
}

static uint8_t *pattern(size_t len)
{
    uint8_t *data = must_calloc(1, len + 1);

    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 31 + i / 257);
    return data;
}

static void blob_file(const struct blob_id *id, char out[192])
{
    char hex[65];

    hex_encode(bytes_of(id->sha256, 32), hex);
    (void)snprintf(out, 192, "%s/blobs/%.2s/%.2s/%s", dir, hex, hex + 2, hex);
}

TEST(what_is_written_is_read_back_whole)
{
    static const size_t sizes[] = { 0,      1, 65536, BLOB_HELD_BYTES_MAX, BLOB_HELD_BYTES_MAX + 1,
                                    5000000 };

    begin();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *data = pattern(sizes[i]);
        struct bytes bytes = bytes_of(data, sizes[i]);
        struct blob_id want = id_of(bytes);
        struct blob_id id = put(bytes);

        EXPECT(memcmp(&id, &want, sizeof id) == 0);
        EXPECT_EQ(seen.result.bytes, sizes[i]);
        get(&id, NULL);
        EXPECT_EQ(seen.open_status, ST_OK);
        EXPECT_EQ(seen.open_bytes, sizes[i]);
        EXPECT(bytes_equal(buf_view(&seen.content), bytes));
        free(data);
    }
    EXPECT_EQ(files_in("tmp"), 0);
    EXPECT_EQ(seen.tapped, 0 + 1 + 65536 + BLOB_HELD_BYTES_MAX * 2 + 1 + 5000000);
    end();
}

TEST(a_range_yields_its_bytes_only)
{
    static const struct {
        size_t bytes;
        struct blob_range range;
        size_t from, len;
    } rows[] = {
        { 1000, { 0, 10 }, 0, 10 },
        { 1000, { 990, 100 }, 990, 10 },
        { 1000, { 2000, 5 }, 0, 0 },
        { 3000000, { 1000000, 600000 }, 1000000, 600000 },
        { 3000000, { 2999999, UINT64_MAX }, 2999999, 1 },
    };

    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *data = pattern(rows[i].bytes);
        struct blob_id id = put(bytes_of(data, rows[i].bytes));

        get(&id, &rows[i].range);
        EXPECT_EQ(seen.open_status, ST_OK);
        EXPECT(bytes_equal(buf_view(&seen.content), bytes_of(data + rows[i].from, rows[i].len)));
        free(data);
    }
    end();
}

TEST(a_blob_that_is_not_there_is_not_found)
{
    struct blob_id id = id_of(bytes_of_text("nobody wrote this"));

    begin();
    get(&id, NULL);
    EXPECT_EQ(seen.open_status, ST_NOT_FOUND);
    end();
}

TEST(a_corrupt_blob_is_set_aside_and_can_be_written_again)
{
    static const size_t sizes[] = { 5000, 3000000 };

    begin();
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *data = pattern(sizes[i]);
        struct blob_id id = put(bytes_of(data, sizes[i]));
        char path[192];
        FILE *file;

        blob_file(&id, path);
        file = fopen(path, "r+");
        CHECK(file != NULL);
        (void)fseek(file, 4000, SEEK_SET);
        (void)fputc(data[4000] ^ 1, file);
        (void)fclose(file);

        get(&id, NULL);
        EXPECT_EQ(seen.open_status, ST_CORRUPT);
        EXPECT_EQ(seen.content.len, 0);
        get(&id, NULL);
        EXPECT_EQ(seen.open_status, ST_NOT_FOUND);
        EXPECT_EQ(files_in("bad"), i + 1);
        (void)put(bytes_of(data, sizes[i]));
        get(&id, NULL);
        EXPECT_EQ(seen.open_status, ST_OK);
        EXPECT_EQ(seen.content.len, sizes[i]);
        free(data);
    }
    end();
}

TEST(bytes_that_are_not_what_was_announced_leave_nothing)
{
    struct blob_id other = id_of(bytes_of_text("something else"));
    struct blob_writer *writer;

    begin();
    blob_write_start(store, &writing, NULL, &writer);
    blob_write(writer, bytes_of_text("hello"));
    blob_write_finish(writer, &other);
    run();
    EXPECT_EQ(seen.result.status, ST_CORRUPT);
    EXPECT_EQ(files_in("tmp"), 0);
    get(&other, NULL);
    EXPECT_EQ(seen.open_status, ST_NOT_FOUND);
    end();
}

TEST(a_writer_given_up_leaves_nothing)
{
    struct blob_writer *writer;

    begin();
    blob_write_start(store, &writing, NULL, &writer);
    blob_write(writer, bytes_of_text("hello"));
    blob_write_abort(writer);
    run();
    EXPECT_EQ(seen.result.status, ST_CANCELLED);
    EXPECT_EQ(files_in("tmp"), 0);
    end();
}

TEST(a_start_sweeps_what_a_crash_left)
{
    struct err err = { 0 };
    char path[96];
    FILE *file;

    begin();
    (void)snprintf(path, sizeof path, "%s/tmp/17", dir);
    file = fopen(path, "w");
    CHECK(file != NULL);
    (void)fclose(file);
    blob_store_close(store);
    EXPECT_EQ(blob_store_open(&loop, dir, &store, &err), ST_OK);
    EXPECT_EQ(files_in("tmp"), 0);
    end();
}

TEST(a_reader_closed_early_says_nothing_more)
{
    struct blob_reader *reader;
    struct blob_id id;

    begin();
    id = put(bytes_of_text("hello"));
    blob_read_start(store, &id, NULL, &reading, NULL, &reader);
    blob_read_close(reader);
    run();
    EXPECT(!seen.opened);
    end();
}
