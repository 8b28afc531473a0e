#include "worker/spawner/refill_plan.h"

#include "tests/unit/check.h"

static const struct {
    const char *name;
    struct pool_level networks, groups;
    uint32_t starting;
    int want_ms;
} waits[] = {
    { "all full", { 8, 0, 8 }, { 8, 0, 8 }, 0, -1 },
    { "no pools at all", { 0, 0, 0 }, { 0, 0, 0 }, 0, -1 },
    { "the rest is under way", { 1, 7, 8 }, { 8, 0, 8 }, 0, -1 },
    { "one is missing", { 8, 0, 8 }, { 7, 0, 8 }, 0, REFILL_QUIET_MS },
    { "half is there", { 4, 0, 8 }, { 8, 0, 8 }, 0, REFILL_QUIET_MS },
    { "less than half is there", { 8, 0, 8 }, { 3, 0, 8 }, 0, REFILL_SOON_MS },
    { "half with those under way", { 1, 3, 8 }, { 8, 0, 8 }, 0, REFILL_QUIET_MS },
    { "less, and a child is on its way", { 0, 0, 8 }, { 0, 0, 8 }, 1, REFILL_QUIET_MS },
};

TEST(pools_are_filled_in_quiet_moments)
{
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        struct pool_level levels[] = { waits[i].networks, waits[i].groups };

        test_case = waits[i].name;
        EXPECT_EQ(refill_wait_ms(levels, 2, waits[i].starting), waits[i].want_ms);
    }
    test_case = NULL;
}

static const struct {
    const char *name;
    struct pool_level level;
    bool want;
} at_once[] = {
    { "empty", { 0, 0, 8 }, true },         { "one of eight", { 1, 0, 8 }, true },
    { "a quarter", { 2, 0, 8 }, false },    { "one is under way", { 0, 1, 8 }, false },
    { "no pool", { 0, 0, 0 }, false },      { "empty, of one", { 0, 0, 1 }, true },
    { "full, of one", { 1, 0, 1 }, false },
};

TEST(where_hardly_any_is_left_one_at_a_time_is_asked_for_at_once)
{
    for (size_t i = 0; i < ARRAY_LEN(at_once); i++) {
        test_case = at_once[i].name;
        EXPECT_EQ(refill_at_once(&at_once[i].level), at_once[i].want);
    }
    test_case = NULL;
}
