#include "controlplane/replica/snapshot_part.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "controlplane/replica/snapshot_file.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"

enum { CHUNK = 1 << 20, INDEX = 70, TERM = 4, CHUNKS = 40 };

struct fixture {
    char dir[64];
    struct snapshot_part part;
    uint8_t chunk[CHUNK];
};

static const struct snapshot_progress which = { INDEX, TERM, (uint64_t)CHUNKS *CHUNK, 0 };

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_snapshot_part.XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    f->part.fd = -1;
    EXPECT_EQ(snapshot_part_reset(&f->part, f->dir, &which, NULL), ST_OK);
}

static void fixture_done(struct fixture *f)
{
    char command[128];

    snapshot_part_close(&f->part);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    EXPECT_EQ(system(command), 0);
}

/* Chunks `from` to `to`; points that fall due are noted, as a pool thread would. */
static unsigned receive(struct fixture *f, unsigned from, unsigned to)
{
    struct snapshot_part_point point;
    unsigned noted = 0;

    for (unsigned i = from; i < to; i++) {
        memset(f->chunk, (int)i, sizeof f->chunk);
        EXPECT_EQ(snapshot_part_append(&f->part, bytes_of(f->chunk, CHUNK), NULL), ST_OK);
        if (snapshot_part_point(&f->part, &point)) {
            EXPECT_EQ(snapshot_part_note(&point, f->dir, NULL), ST_OK);
            noted++;
        }
    }
    return noted;
}

static void expected_hash(uint8_t out[SNAPSHOT_HASH_BYTES])
{
    static uint8_t chunk[CHUNK];
    struct hash hash = { 0 };

    hash_init(&hash, HASH_SHA256);
    for (unsigned i = 0; i < CHUNKS; i++) {
        memset(chunk, (int)i, sizeof chunk);
        hash_add(&hash, bytes_of(chunk, sizeof chunk));
    }
    hash_end(&hash, out);
}

TEST(a_transfer_goes_on_from_what_was_synced)
{
    uint8_t want[SNAPSHOT_HASH_BYTES];
    uint8_t got[SNAPSHOT_HASH_BYTES];
    struct fixture f;

    fixture_init(&f);
    EXPECT_EQ(receive(&f, 0, 15), 0);
    EXPECT_EQ(receive(&f, 15, 20), 1); /* at 16 MiB; four more are not known to be on the disk */
    snapshot_part_close(&f.part);
    snapshot_part_resume(&f.part, f.dir, INDEX - 1);
    EXPECT_EQ(f.part.progress.index, INDEX);
    EXPECT_EQ(f.part.progress.term, TERM);
    EXPECT_EQ(f.part.progress.total, which.total);
    EXPECT_EQ(f.part.progress.offset, SNAPSHOT_PART_SYNC_BYTES);
    EXPECT_EQ(receive(&f, 16, CHUNKS), 1);
    expected_hash(want);
    snapshot_part_hash(&f.part, got);
    EXPECT(memcmp(got, want, sizeof want) == 0);
    fixture_done(&f);
}

/* Each row: what happened to the files, or what is above them, while nobody ran. */
static const struct {
    const char *name;
    uint64_t above;
    const char *file;
    long cut;  /* to so many bytes; -1: not */
    long flip; /* a bit of this byte; -1: none */
} damages[] = {
    { "a newer snapshot is stored", INDEX, "snapshot.part", -1, -1 },
    { "what was synced has rotted", 0, "snapshot.part", -1, 5000000 },
    { "what was synced is cut", 0, "snapshot.part", SNAPSHOT_PART_SYNC_BYTES - 1, -1 },
    { "the file is empty", 0, "snapshot.part", 0, -1 },
    { "the mark has rotted", 0, "snapshot.part.mark", -1, 9 },
    { "the hash in the mark has rotted", 0, "snapshot.part.mark", -1, 50 },
    { "the mark is cut", 0, "snapshot.part.mark", 75, -1 },
    { "the mark is empty", 0, "snapshot.part.mark", 0, -1 },
};

static void damage(const struct fixture *f, size_t row)
{
    char path[128];
    char byte;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", f->dir, damages[row].file);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    if (damages[row].cut >= 0)
        CHECK(ftruncate(fd, damages[row].cut) == 0);
    if (damages[row].flip >= 0) {
        CHECK(pread(fd, &byte, 1, damages[row].flip) == 1);
        byte ^= 1;
        CHECK(pwrite(fd, &byte, 1, damages[row].flip) == 1);
    }
    close(fd);
}

TEST(what_is_not_as_it_was_noted_begins_anew)
{
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        struct fixture f;
        char path[SNAPSHOT_PATH_BYTES];

        test_case = damages[i].name;
        fixture_init(&f);
        EXPECT_EQ(receive(&f, 0, 17), 1);
        snapshot_part_close(&f.part);
        damage(&f, i);
        snapshot_part_resume(&f.part, f.dir, damages[i].above);
        EXPECT_EQ(f.part.progress.index, 0);
        EXPECT_EQ(f.part.fd, -1);
        snapshot_file_part_path(f.dir, path);
        EXPECT_EQ(access(path, F_OK), -1);
        fixture_done(&f);
    }
}

TEST(another_snapshot_is_not_taken_for_the_noted_one)
{
    struct snapshot_progress other = which;
    struct fixture f;

    fixture_init(&f);
    EXPECT_EQ(receive(&f, 0, 17), 1);
    other.index++;
    EXPECT_EQ(snapshot_part_reset(&f.part, f.dir, &other, NULL), ST_OK);
    EXPECT_EQ(receive(&f, 17, 20), 0);
    snapshot_part_close(&f.part);
    snapshot_part_resume(&f.part, f.dir, 0);
    EXPECT_EQ(f.part.progress.index, 0);
    fixture_done(&f);
}

TEST(a_sync_that_fails_of_what_was_received_or_of_its_mark_is_told)
{
    for (unsigned at = 1; at <= 3; at++) { /* the file, its mark, nothing */
        struct snapshot_part_point point;
        struct err err = { 0 };
        struct fixture f;

        fixture_init(&f);
        while (!snapshot_part_point(&f.part, &point))
            EXPECT_EQ(snapshot_part_append(&f.part, bytes_of(f.chunk, CHUNK), NULL), ST_OK);
        fault_disk_arm(FAULT_SYNC, at, false);
        EXPECT_EQ(snapshot_part_note(&point, f.dir, &err), at <= 2 ? ST_IO : ST_OK);
        EXPECT_EQ(fault_disk_heal(), at <= 2);
        EXPECT_EQ(err.text[0] != '\0', at <= 2);
        fixture_done(&f);
    }
}
