#include "controlplane/replica/disk_rules.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct disk_limits limits = {
    .low_bytes = 100, .high_bytes = 200, .slow_ms = 1000, .steady_ms = 30000
};

/* Each row is a look at the same disk, one after the other. */
static const struct {
    const char *name;
    struct disk_seen seen;
    enum disk_condition want;
} looks[] = {
    { "room at the low mark", { 1000, 100, 0, false, 0 }, DISK_FIT },
    { "a byte below it", { 2000, 99, 0, false, 0 }, DISK_FULL },
    { "a byte below the high mark", { 3000, 199, 0, false, 0 }, DISK_FULL },
    { "at the high mark", { 4000, 200, 0, false, 0 }, DISK_FIT },
    { "back below the high mark", { 5000, 150, 0, false, 0 }, DISK_FIT },
    { "room that the reserve will take", { 6000, 160, 61, false, 0 }, DISK_FULL },
    { "more missing than free", { 7000, 10, 500, false, 0 }, DISK_FULL },
    { "room for both", { 8000, 260, 60, false, 0 }, DISK_FIT },
    { "much room, but a write was refused", { 9000, 9000, 0, true, 0 }, DISK_FULL },
    { "it is written", { 10000, 9000, 0, false, 0 }, DISK_FIT },
    { "just fast enough", { 11000, 9000, 0, false, 999 }, DISK_FIT },
    { "slow", { 12000, 9000, 0, false, 1000 }, DISK_SLOW },
    { "fast again, not for long", { 41999, 9000, 0, false, 3 }, DISK_SLOW },
    { "fast for long enough", { 42000, 9000, 0, false, 3 }, DISK_FIT },
    { "slow", { 43000, 9000, 0, false, 5000 }, DISK_SLOW },
    { "slow once more: it counts from here", { 60000, 9000, 0, false, 2000 }, DISK_SLOW },
    { "30 s after the first", { 73000, 9000, 0, false, 1 }, DISK_SLOW },
    { "slow and full is full", { 74000, 9, 0, false, 1 }, DISK_FULL },
    { "room again, slow still", { 75000, 9000, 0, false, 1 }, DISK_SLOW },
    { "30 s after the second", { 90000, 9000, 0, false, 1 }, DISK_FIT },
};

TEST(a_disk_is_full_and_slow_with_hysteresis)
{
    struct disk_judge judge = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        test_case = looks[i].name;
        EXPECT_EQ(disk_judge_next(&judge, &limits, &looks[i].seen), looks[i].want);
    }
}

TEST(each_condition_has_a_name)
{
    for (int i = 0; i < DISK_CONDITIONS; i++)
        EXPECT(strlen(disk_condition_name((enum disk_condition)i)) > 0);
}
