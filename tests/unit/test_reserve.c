#include "controlplane/replica/reserve.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

enum { MIB = 1 << 20, TARGET = 16 * MIB };

static void make_dir(char *dir)
{
    CHECK(mkdtemp(dir) != NULL);
}

static void remove_dir(const char *dir)
{
    char command[96];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT_EQ(system(command), 0);
}

static uint64_t allocated(const struct reserve *reserve)
{
    struct stat info;

    CHECK(stat(reserve->path, &info) == 0);
    return (uint64_t)info.st_blocks * 512;
}

TEST(a_reserve_is_made_given_back_in_parts_and_made_again)
{
    char dir[] = "/tmp/test_reserve.XXXXXX";
    struct reserve reserve = { 0 };
    unsigned rounds = 0;

    make_dir(dir);
    reserve_open(&reserve, dir, TARGET);
    EXPECT_EQ(reserve_missing(&reserve), TARGET);
    EXPECT(!reserve_give(&reserve, 1, true)); /* there is nothing yet */
    EXPECT_EQ(reserve_fill(&reserve, NULL), ST_OK);
    EXPECT_EQ(reserve_missing(&reserve), 0);
    EXPECT(allocated(&reserve) >= TARGET);

    EXPECT(reserve_give(&reserve, 3 * MIB, false));
    EXPECT_EQ(reserve_missing(&reserve), 3 * MIB + RESERVE_ROUND_BYTES);
    while (reserve_give(&reserve, 0, false))
        rounds++;
    EXPECT_EQ(rounds, 10); /* of 12 MiB all but what is for votes */
    EXPECT_EQ(reserve_missing(&reserve), TARGET - TARGET / RESERVE_VOTES_PART);
    EXPECT(reserve_give(&reserve, 0, true));
    EXPECT(reserve_give(&reserve, 100 * MIB, true));
    EXPECT(!reserve_give(&reserve, 0, true));
    EXPECT_EQ(reserve_missing(&reserve), TARGET);
    EXPECT_EQ(allocated(&reserve), 0);

    EXPECT_EQ(reserve_fill(&reserve, NULL), ST_OK);
    EXPECT_EQ(reserve_missing(&reserve), 0);
    reserve_done(&reserve);
    remove_dir(dir);
}

/* For a file that will not fit in any case nothing is spent, for votes never. */
TEST(a_reserve_is_given_for_a_file_only_if_it_will_fit)
{
    char dir[] = "/tmp/test_reserve.XXXXXX";
    struct reserve reserve = { 0 };
    unsigned rounds = 0;

    make_dir(dir);
    reserve_open(&reserve, dir, TARGET);
    EXPECT(!reserve_give_for(&reserve, 1));
    EXPECT_EQ(reserve_fill(&reserve, NULL), ST_OK);
    EXPECT(!reserve_give_for(&reserve, UINT64_MAX / 2));
    EXPECT_EQ(reserve_missing(&reserve), 0);
    EXPECT(reserve_give_for(&reserve, 1));
    EXPECT_EQ(reserve_missing(&reserve), RESERVE_ROUND_BYTES);
    while (reserve_give_for(&reserve, 1))
        rounds++;
    EXPECT_EQ(rounds, 13);
    EXPECT_EQ(reserve_missing(&reserve), TARGET - TARGET / RESERVE_VOTES_PART);
    reserve_done(&reserve);
    remove_dir(dir);
}

/* Each row: what stands in the folder when it is opened. */
static const struct {
    const char *name;
    off_t size;
    bool hole;
    uint64_t missing;
} found[] = {
    { "all of it", TARGET, false, 0 },
    { "a part", TARGET / 4, false, TARGET - TARGET / 4 },
    { "more than is wanted now", TARGET * 2, false, 0 },
    { "a copy that is all hole", TARGET, true, TARGET },
};

TEST(a_reserve_counts_what_it_finds)
{
    for (size_t i = 0; i < ARRAY_LEN(found); i++) {
        char dir[] = "/tmp/test_reserve.XXXXXX";
        struct reserve reserve = { 0 };

        test_case = found[i].name;
        make_dir(dir);
        reserve_open(&reserve, dir, (uint64_t)found[i].size);
        EXPECT_EQ(reserve_fill(&reserve, NULL), ST_OK);
        if (found[i].hole) {
            CHECK(ftruncate(reserve.fd, 0) == 0);
            CHECK(ftruncate(reserve.fd, found[i].size) == 0);
        }
        reserve_done(&reserve);

        reserve_open(&reserve, dir, TARGET);
        EXPECT_EQ(reserve_missing(&reserve), found[i].missing);
        EXPECT(allocated(&reserve) <= TARGET + 4096);
        reserve_done(&reserve);
        remove_dir(dir);
    }
}
