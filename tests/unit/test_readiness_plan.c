#include "controlplane/readiness_plan.h"

#include "tests/unit/check.h"

struct look {
    uint64_t now_ms;
    bool leaders;
    bool worker;
    enum readiness want;
};

static const struct {
    const char *name;
    struct look looks[4];
} rows[] = {
    { "a worker was there before the leaders",
      { { 0, false, true, READINESS_NOT_YET }, { 9000, true, true, READINESS_COMPLETE } } },
    { "a worker comes after the leaders",
      { { 5, true, false, READINESS_NOT_YET }, { 2900, true, true, READINESS_COMPLETE } } },
    { "no worker comes",
      { { 5, true, false, READINESS_NOT_YET },
        { 3004, true, false, READINESS_NOT_YET },
        { 3005, true, false, READINESS_NO_WORKER } } },
    { "the time without a leader does not count",
      { { 5, true, false, READINESS_NOT_YET },
        { 2000, false, true, READINESS_NOT_YET },
        { 4000, true, false, READINESS_NOT_YET },
        { 7000, true, false, READINESS_NO_WORKER } } },
};

TEST(a_front_door_opens_with_leaders_and_a_worker_or_three_seconds_after_the_leaders)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct readiness_plan plan = { 0 };

        test_case = rows[i].name;
        for (size_t at = 0; at < ARRAY_LEN(rows[i].looks); at++) {
            const struct look *look = &rows[i].looks[at];

            if (at == 0 || look->now_ms > 0)
                EXPECT_EQ(readiness_next(&plan, look->leaders, look->worker, look->now_ms),
                          look->want);
        }
    }
}
