#include "controlplane/dispatch/prefetch_plan.h"

#include "tests/unit/check.h"

enum { HAS = 1, OUT = 2, NO_RUNTIME = 4 };

static uint8_t sha[32] = { 7 };
static uint8_t packages[1][32] = { { 7 } };

static const struct {
    const char *name;
    struct {
        const char *zone; /* NULL: no such worker */
        unsigned free_mb; /* of 1000 */
        unsigned flags;
    } workers[4];
    uint64_t want;
} rows[] = {
    { "nobody is there", { { NULL, 0, 0 } }, 0 },
    { "one of each zone that lacks it",
      { { "a", 900, HAS }, { "b", 900, 0 }, { "c", 900, 0 }, { "a", 900, 0 } },
      6 },
    { "the least loaded of a zone", { { "a", 100, 0 }, { "a", 900, 0 }, { "b", 500, 0 } }, 6 },
    { "who has it counts only while it can be used",
      { { "a", 900, HAS | OUT }, { "a", 900, 0 } },
      2 },
    { "nobody of a zone can be used", { { "a", 900, HAS }, { "b", 900, OUT } }, 0 },
    { "who lacks the runtime will not run it", { { "a", 900, NO_RUNTIME }, { "b", 900, 0 } }, 2 },
};

TEST(a_package_goes_to_one_worker_of_each_zone_that_lacks_it)
{
    static char runtime[] = "python3.11";
    Lapwing__Function function = LAPWING__FUNCTION__INIT;

    function.runtime = runtime;
    function.memory_mb = 128;
    function.code_sha256.data = sha;
    function.code_sha256.len = sizeof sha;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct worker_view views[4] = { 0 };
        const struct worker_view *list[4];
        size_t count = 0;

        test_case = rows[i].name;
        for (; count < 4 && rows[i].workers[count].zone != NULL; count++) {
            struct worker_view *view = &views[count];
            unsigned flags = rows[i].workers[count].flags;

            (void)snprintf(view->zone, sizeof view->zone, "%s", rows[i].workers[count].zone);
            view->memory_mb = 1000;
            view->memory_free_mb = rows[i].workers[count].free_mb;
            view->environments_max = 10;
            view->state = (flags & OUT) != 0 ? WORKER_OUT : WORKER_LIVE;
            view->runtime_count = (flags & NO_RUNTIME) != 0 ? 0 : 1;
            (void)snprintf(view->runtimes[0], sizeof view->runtimes[0], "%s", runtime);
            view->packages = packages;
            view->package_count = (flags & HAS) != 0;
            list[count] = view;
        }
        EXPECT_EQ(prefetch_choose(list, count, &function), rows[i].want);
    }
    test_case = NULL;
}
