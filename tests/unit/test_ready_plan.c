#include "worker/spawner/ready_plan.h"

#include "base/check.h"
#include "tests/unit/check.h"

enum { NOW = 1000000, IDLE = 60000, ENOUGH = 50 };

static const struct ready_limits limits = { .kinds_max = 2, .pool = 3, .idle_ms = IDLE };

static const struct {
    const char *name;
    struct ready_kind_view a, b;
    uint32_t memory_percent;
    enum ready_action want;
    size_t kind;
} rows[] = {
    { "no kinds", { 0 }, { 0 }, ENOUGH, READY_NOTHING, 0 },
    { "an empty one", { true, 0, 0, 0, NOW }, { 0 }, ENOUGH, READY_START, 0 },
    { "one lacks one", { true, 2, 0, 0, NOW }, { 0 }, ENOUGH, READY_START, 0 },
    { "a full one", { true, 3, 0, 0, NOW }, { 0 }, ENOUGH, READY_NOTHING, 0 },
    { "the emptier",
      { true, 2, 0, 0, NOW },
      { true, 1, 0, 0, 5 + NOW - IDLE },
      ENOUGH,
      READY_START,
      1 },
    { "of two the last asked for",
      { true, 1, 0, 0, NOW - 1 },
      { true, 1, 0, 0, NOW },
      ENOUGH,
      READY_START,
      1 },
    { "one at a time", { true, 0, 0, 0, NOW }, { true, 2, 1, 0, NOW }, ENOUGH, READY_NOTHING, 0 },
    { "failed less", { true, 0, 0, READY_FAILURES_MAX - 1, NOW }, { 0 }, ENOUGH, READY_START, 0 },
    { "failed too often",
      { true, 0, 0, READY_FAILURES_MAX, NOW },
      { 0 },
      ENOUGH,
      READY_NOTHING,
      0 },
    { "and the other goes on",
      { true, 0, 0, READY_FAILURES_MAX, NOW },
      { true, 2, 0, 0, NOW },
      ENOUGH,
      READY_START,
      1 },
    { "nearly idle", { true, 3, 0, 0, NOW - IDLE + 1 }, { 0 }, ENOUGH, READY_NOTHING, 0 },
    { "idle", { true, 3, 0, 0, NOW - IDLE }, { 0 }, ENOUGH, READY_FORGET, 0 },
    { "idle while another starts",
      { true, 3, 0, 0, NOW - IDLE },
      { true, 0, 1, 0, NOW },
      ENOUGH,
      READY_FORGET,
      0 },
    { "memory for more", { true, 0, 0, 0, NOW }, { 0 }, READY_REFILL_PERCENT, READY_START, 0 },
    { "for no more", { true, 0, 0, 0, NOW }, { 0 }, READY_REFILL_PERCENT - 1, READY_NOTHING, 0 },
    { "for those", { true, 1, 0, 0, NOW }, { 0 }, READY_DROP_PERCENT, READY_NOTHING, 0 },
    { "not even for those",
      { true, 1, 0, 0, NOW },
      { 0 },
      READY_DROP_PERCENT - 1,
      READY_FORGET,
      0 },
    { "the older first",
      { true, 1, 0, 0, NOW },
      { true, 1, 0, 0, NOW - 9 },
      READY_DROP_PERCENT - 1,
      READY_FORGET,
      1 },
};

TEST(those_are_kept_that_are_worth_their_memory)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ready_kind_view views[READY_KINDS_MAX] = { rows[i].a, rows[i].b };
        struct ready_step step = ready_next(views, &limits, NOW, rows[i].memory_percent);

        test_case = rows[i].name;
        EXPECT_EQ(step.action, rows[i].want);
        EXPECT_EQ(step.kind, rows[i].kind);
    }
    test_case = NULL;
}

TEST(one_is_made_in_quiet_or_beside_a_processor_with_nothing_to_do)
{
    EXPECT(!ready_is_calm(READY_QUIET_MS - 1, 100, 2));
    EXPECT(ready_is_calm(READY_QUIET_MS, 100, 2));
    EXPECT(!ready_is_calm(0, 1, 1));
    EXPECT(!ready_is_calm(0, 1, 2)); /* it, and what was just started */
    EXPECT(ready_is_calm(0, 1, 3));
    EXPECT(ready_is_calm(0, 14, 16));
    EXPECT(!ready_is_calm(0, 15, 16));
}

TEST(a_new_kind_takes_a_free_place_or_that_of_the_oldest)
{
    struct ready_kind_view views[READY_KINDS_MAX] = { 0 };

    EXPECT_EQ(ready_place(views, &limits), 0);
    views[0] = (struct ready_kind_view){ .used = true, .last_ms = 7 };
    EXPECT_EQ(ready_place(views, &limits), 1);
    views[1] = (struct ready_kind_view){ .used = true, .last_ms = 3 };
    EXPECT_EQ(ready_place(views, &limits), 1);
    views[1].last_ms = 8;
    EXPECT_EQ(ready_place(views, &limits), 0);
    views[0].used = false;
    EXPECT_EQ(ready_place(views, &limits), 0);
}

TEST(all_kinds_may_be_taken)
{
    struct ready_kind_view views[READY_KINDS_MAX];
    struct ready_limits most = { .kinds_max = READY_KINDS_MAX, .pool = 1, .idle_ms = IDLE };

    for (size_t i = 0; i < READY_KINDS_MAX; i++)
        views[i] = (struct ready_kind_view){ .used = true, .ready = 1, .last_ms = 100 + i };
    EXPECT_EQ(ready_place(views, &most), 0);
    EXPECT_EQ(ready_next(views, &most, 200, ENOUGH).action, READY_NOTHING);
}

TEST(what_should_be_there_leaves_out_what_was_given_up)
{
    struct ready_kind_view views[READY_KINDS_MAX] = {
        { true, 1, 1, 0, NOW },
        { true, 2, 0, 0, NOW },
        { true, 0, 0, READY_FAILURES_MAX, NOW },
    };
    struct ready_level level = ready_level(views, &limits);

    EXPECT_EQ(level.ready, 3);
    EXPECT_EQ(level.starting, 1);
    EXPECT_EQ(level.want, 6);
}
