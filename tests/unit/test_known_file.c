/* DIR/incarnation: made, read again, refused when it is not whole. */
#include "controlplane/replica/known_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

static bool same(const struct known *a, const struct known *b)
{
    if (a->incarnation != b->incarnation || a->takes_part != b->takes_part ||
        a->refused != b->refused || a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (a->logs[i].id != b->logs[i].id || a->logs[i].incarnation != b->logs[i].incarnation ||
            a->logs[i].early != b->logs[i].early)
            return false;
    return true;
}

static struct known full(void)
{
    struct known known = { .incarnation = UINT64_MAX, .takes_part = true, .refused = true };

    for (uint64_t i = 0; i < RAFT_KNOWN_MAX; i++) {
        known.takes_part = i % 2 == 0;
        EXPECT_EQ(known_learn(&known, INT64_MAX - i, UINT64_MAX - i), KNOWN_NEW);
    }
    return known;
}

static void folder(char out[64])
{
    (void)snprintf(out, 64, "/tmp/test_known_file.XXXXXX");
    CHECK(mkdtemp(out) != NULL);
}

static void remove_folder(const char *dir)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT_EQ(system(command), 0);
}

/* Each row: what the folder has, what the configuration says, what the member begins as. */
static const struct {
    const char *name;
    bool log_made;
    bool silent;
    bool takes_part;
} beginnings[] = {
    { "one of the first of a new group is silent", false, true, false },
    { "one that joins is not", false, false, true },
    { "a log of a release before took part", true, true, true },
    { "so did one of a member that joined", true, false, true },
};

TEST(a_member_begins_with_a_number_of_its_own_and_keeps_it)
{
    uint64_t last = 0;

    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++) {
        struct known made;
        struct known again;
        char dir[64];

        test_case = beginnings[i].name;
        folder(dir);
        EXPECT_EQ(known_file_open(dir, beginnings[i].log_made, beginnings[i].silent, &made, NULL),
                  ST_OK);
        EXPECT(made.takes_part == beginnings[i].takes_part);
        EXPECT(made.incarnation != 0);
        EXPECT(made.incarnation != last);
        last = made.incarnation;
        EXPECT_EQ(made.count, 0);
        EXPECT_EQ(known_file_open(dir, true, false, &again, NULL), ST_OK);
        EXPECT(same(&made, &again));
        remove_folder(dir);
    }
}

TEST(what_is_written_is_read_again)
{
    struct known known = full();
    struct known again;
    char dir[64];

    folder(dir);
    EXPECT_EQ(known_file_write(dir, &known, NULL), ST_OK);
    EXPECT_EQ(known_file_open(dir, true, true, &again, NULL), ST_OK);
    EXPECT(same(&known, &again));
    known.count = 0;
    EXPECT_EQ(known_file_write(dir, &known, NULL), ST_OK);
    EXPECT_EQ(known_file_open(dir, true, true, &again, NULL), ST_OK);
    EXPECT(same(&known, &again));
    remove_folder(dir);
}

TEST(every_flipped_bit_and_every_cut_is_found)
{
    struct known known = { .incarnation = 77, .takes_part = true };
    struct buf bytes = { 0 };
    struct known out;
    struct err err;

    EXPECT_EQ(known_learn(&known, 2, 22), KNOWN_NEW);
    known_file_encode(&known, &bytes);
    EXPECT_EQ(known_file_decode(buf_view(&bytes), &out, &err), ST_OK);
    EXPECT(same(&known, &out));
    for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_EQ(known_file_decode(buf_view(&bytes), &out, &err), ST_CORRUPT);
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < bytes.len; len++)
        EXPECT_EQ(known_file_decode(bytes_of(bytes.data, len), &out, &err), ST_CORRUPT);
    buf_done(&bytes);
}

TEST(a_number_that_is_none_is_refused)
{
    struct known known = { .takes_part = true };
    struct buf bytes = { 0 };
    struct known out;

    known_file_encode(&known, &bytes);
    EXPECT_EQ(known_file_decode(buf_view(&bytes), &out, NULL), ST_CORRUPT);
    known.incarnation = 1;
    known.count = 1; /* of member 0 */
    known_file_encode(&known, &bytes);
    EXPECT_EQ(known_file_decode(buf_view(&bytes), &out, NULL), ST_CORRUPT);
    buf_done(&bytes);
}

TEST(a_file_that_is_damaged_is_not_made_anew)
{
    struct known out;
    struct err err = { 0 };
    char path[128];
    char dir[64];

    folder(dir);
    EXPECT_EQ(known_file_open(dir, false, true, &out, NULL), ST_OK);
    (void)snprintf(path, sizeof path, "%s/incarnation", dir);
    EXPECT_EQ(truncate(path, 3), 0);
    EXPECT_EQ(known_file_open(dir, true, true, &out, &err), ST_CORRUPT);
    EXPECT(strstr(err.text, "incarnation") != NULL);
    EXPECT_EQ(truncate(path, 0), 0);
    EXPECT_EQ(known_file_open(dir, true, true, &out, &err), ST_CORRUPT);
    remove_folder(dir);
}

TEST(what_can_not_be_written_leaves_the_one_before)
{
    struct known known;
    struct known again;
    char path[128];
    char dir[64];

    folder(dir);
    EXPECT_EQ(known_file_open(dir, false, true, &known, NULL), ST_OK);
    (void)snprintf(path, sizeof path, "%s/incarnation.new", dir);
    EXPECT_EQ(symlink("/dev/full", path), 0); /* every write to it finds no room */
    EXPECT_EQ(known_file_write(dir, &known, NULL), ST_NO_SPACE);
    EXPECT(access(path, F_OK) < 0);
    EXPECT_EQ(mkdir(path, 0700), 0);
    EXPECT_EQ(known_file_write(dir, &known, NULL), ST_IO);
    EXPECT_EQ(known_file_open(dir, true, true, &again, NULL), ST_OK);
    EXPECT(same(&known, &again));
    remove_folder(dir);
}
