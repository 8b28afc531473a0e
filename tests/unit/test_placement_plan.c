#include "controlplane/dispatch/placement_plan.h"

#include <stdio.h>

#include "tests/unit/check.h"

static uint8_t sha[32] = { 7 };
static uint8_t packages[1][32] = { { 7 } };
#define UID "0123456789abcdef0123456789abcdef"

enum {
    WARM = 1,
    CACHED = 2,
    FULL = 4,
    UNUSABLE = 8,
    NO_RUNTIME = 16,
    SOON = 32,
    SMALL = 64,
    SUSPECTED = 128
};

struct given {
    const char *zone;
    unsigned free_mb; /* of 1000 */
    unsigned flags;
};

static const struct {
    const char *name;
    struct given workers[3];
    uint64_t excluded;
    enum status want;
    size_t index;
} rows[] = {
    { "the own zone among equals",
      { { "b", 900, 0 }, { "a", 900, 0 }, { "c", 900, 0 } },
      0,
      ST_OK,
      1 },
    { "warm elsewhere before cold here",
      { { "a", 900, CACHED }, { "b", 500, WARM } },
      0,
      ST_OK,
      1 },
    { "the package elsewhere before none here",
      { { "a", 900, 0 }, { "b", 900, CACHED } },
      0,
      ST_OK,
      1 },
    { "a quick one soon before a start here",
      { { "a", 900, CACHED }, { "b", 500, SOON } },
      0,
      ST_OK,
      1 },
    { "an idle one before a quick one soon",
      { { "a", 900, SOON }, { "b", 500, WARM } },
      0,
      ST_OK,
      1 },
    { "room before the package", { { "a", 100, CACHED | FULL }, { "b", 900, 0 } }, 0, ST_OK, 1 },
    { "a little more load here is fine", { { "b", 900, 0 }, { "a", 700, 0 } }, 0, ST_OK, 1 },
    { "much more load is not", { { "b", 900, 0 }, { "a", 600, 0 } }, 0, ST_OK, 0 },
    { "a tie goes to the lowest", { { "b", 900, 0 }, { "c", 900, 0 } }, 0, ST_OK, 0 },
    { "who was asked is not asked again", { { "a", 900, WARM }, { "b", 900, 0 } }, 1, ST_OK, 1 },
    { "all were asked", { { "a", 900, 0 }, { "b", 900, 0 } }, 3, ST_UNAVAILABLE, 0 },
    { "a full one is asked when it is the last", { { "a", 0, FULL } }, 0, ST_OK, 0 },
    { "one without a link is not there", { { "a", 900, WARM | UNUSABLE } }, 0, ST_UNAVAILABLE, 0 },
    { "a cold one before one that is suspected",
      { { "a", 900, WARM | SUSPECTED }, { "c", 100, FULL } },
      0,
      ST_OK,
      1 },
    { "one that is suspected when nobody else is left",
      { { "a", 900, WARM | SUSPECTED }, { "c", 900, 0 } },
      2,
      ST_OK,
      0 },
    { "one without the runtime cannot",
      { { "a", 900, NO_RUNTIME }, { "b", 900, NO_RUNTIME } },
      0,
      ST_UNSUPPORTED,
      0 },
    { "one that is too small is not asked",
      { { "a", 127, SMALL }, { "b", 0, FULL } },
      0,
      ST_OK,
      1 },
    { "all are too small", { { "a", 127, SMALL }, { "b", 900, NO_RUNTIME } }, 0, ST_BAD_INPUT, 0 },
    { "nobody at all", { { NULL, 0, 0 } }, 0, ST_UNAVAILABLE, 0 },
};

TEST(the_best_worker_is_asked_first)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Function function = LAPWING__FUNCTION__INIT;
        struct warm_view warm = { .uid = UID, .config_epoch = 4, .idle = 1 };
        struct warm_view soon = {
            .uid = UID, .config_epoch = 4, .busy = 1, .start_us = 5000, .run_us = 100
        };
        struct worker_view views[3] = { 0 };
        const struct worker_view *list[3];
        struct placement_need need = { &function, "a", rows[i].excluded, 0 };
        size_t count = 0;
        size_t index = 0;

        function.uid = (char *)UID;
        function.config_epoch = 4;
        function.runtime = (char *)"python3.11";
        function.memory_mb = 128;
        function.code_sha256 = (ProtobufCBinaryData){ .len = 32, .data = sha };
        for (; count < 3 && rows[i].workers[count].zone != NULL; count++) {
            const struct given *given = &rows[i].workers[count];
            struct worker_view *view = &views[count];

            (void)snprintf(view->zone, sizeof view->zone, "%s", given->zone);
            view->memory_mb = (given->flags & SMALL) != 0 ? 127 : 1000;
            view->memory_free_mb = given->free_mb;
            view->environments_max = (given->flags & FULL) != 0 ? 0 : 10;
            view->state = WORKER_LIVE;
            if ((given->flags & UNUSABLE) != 0)
                view->state = WORKER_STARTING;
            if ((given->flags & SUSPECTED) != 0)
                view->state = WORKER_SUSPECTED;
            (void)snprintf(view->runtimes[0], sizeof view->runtimes[0], "python3.11");
            view->runtime_count = (given->flags & NO_RUNTIME) == 0;
            view->warm = (given->flags & SOON) != 0 ? &soon : &warm;
            view->warm_count = (given->flags & (WARM | SOON)) != 0;
            view->packages = packages;
            view->package_count = (given->flags & CACHED) != 0;
            list[count] = view;
        }
        test_case = rows[i].name;
        EXPECT_EQ(placement_choose(list, count, &need, &index), rows[i].want);
        EXPECT_EQ(index, rows[i].index);
    }
}

TEST(any_worker_will_do_for_a_package_check)
{
    struct worker_view view = { .zone = "b", .state = WORKER_LIVE };
    const struct worker_view *list[] = { &view };
    struct placement_need need = { NULL, "a", 0, 0 };
    size_t index = 9;

    EXPECT_EQ(placement_choose(list, 1, &need, &index), ST_OK);
    EXPECT_EQ(index, 0);
}

TEST(those_who_are_full_are_asked_once_more)
{
    struct placement_need need = { .excluded = 7, .full = 5 };

    EXPECT(placement_insist(&need));
    EXPECT_EQ(need.excluded, 2);
    need.excluded = 7;
    EXPECT(!placement_insist(&need)); /* whoever refuses now is not asked a third time */
    EXPECT_EQ(need.excluded, 7);
}
