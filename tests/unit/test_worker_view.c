#include "controlplane/dispatch/worker_view.h"

#include "tests/unit/check.h"

#define UID "0123456789abcdef0123456789abcdef"

static Lapwing__WarmFunction warm_sample = LAPWING__WARM_FUNCTION__INIT;
static Lapwing__WarmFunction *warm_list[] = { &warm_sample };
static char *runtimes[] = { (char *)"python3.11" };

static Lapwing__Heartbeat sample(void)
{
    Lapwing__Heartbeat beat = LAPWING__HEARTBEAT__INIT;

    warm_sample.uid = (char *)UID;
    warm_sample.config_epoch = 1;
    warm_sample.idle = 2;
    beat.worker = (char *)"worker-a";
    beat.zone = (char *)"a";
    beat.address = (char *)"127.0.0.1:4582";
    beat.epoch = 5;
    beat.sequence = 1;
    beat.memory_mb = 1000;
    beat.memory_free_mb = 600;
    beat.environments_max = 8;
    beat.runtimes = runtimes;
    beat.n_runtimes = 1;
    beat.warm = warm_list;
    beat.n_warm = 1;
    return beat;
}

TEST(a_heartbeat_that_was_overtaken_changes_nothing)
{
    static const struct {
        uint64_t epoch, sequence;
        bool taken;
    } rows[] = { { 5, 1, true }, { 5, 1, false }, { 5, 2, true }, { 4, 9, false }, { 6, 1, true } };
    struct worker_view view = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Heartbeat beat = sample();

        beat.epoch = rows[i].epoch;
        beat.sequence = rows[i].sequence;
        EXPECT_EQ(worker_view_update(&view, &beat), rows[i].taken);
    }
    EXPECT_EQ(view.epoch, 6);
    worker_view_done(&view);
}

TEST(offers_and_results_are_counted_until_the_next_heartbeat)
{
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    Lapwing__Heartbeat beat = sample();
    struct worker_view view = { 0 };

    function.uid = (char *)UID;
    function.config_epoch = 1;
    function.memory_mb = 512;
    EXPECT(worker_view_update(&view, &beat));
    EXPECT_EQ(worker_view_idle(&view, &function), 2);
    worker_view_offered(&view, &function);
    worker_view_offered(&view, &function);
    EXPECT_EQ(worker_view_idle(&view, &function), 0);
    EXPECT_EQ(view.memory_free_mb, 600);
    worker_view_offered(&view, &function);
    EXPECT_EQ(view.memory_free_mb, 88);
    worker_view_offered(&view, &function);
    EXPECT_EQ(view.memory_free_mb, 0);
    worker_view_returned(&view, &function);
    EXPECT_EQ(worker_view_idle(&view, &function), 1);
    function.config_epoch = 2;
    EXPECT_EQ(worker_view_idle(&view, &function), 0);
    worker_view_returned(&view, &function);
    EXPECT_EQ(worker_view_idle(&view, &function), 1);
    worker_view_done(&view);
}

TEST(offers_wait_for_a_quick_environment_until_a_start_is_sooner)
{
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    Lapwing__Heartbeat beat = sample();
    struct worker_view view = { 0 };

    function.uid = (char *)UID;
    function.config_epoch = 1;
    function.memory_mb = 512;
    warm_sample.idle = 0;
    warm_sample.busy = 1;
    warm_sample.start_us = 4000;
    warm_sample.run_us = 1000;
    EXPECT(worker_view_update(&view, &beat));
    EXPECT(worker_view_soon(&view, &function));
    worker_view_offered(&view, &function);
    EXPECT(worker_view_soon(&view, &function));
    worker_view_offered(&view, &function);
    EXPECT(!worker_view_soon(&view, &function));
    EXPECT_EQ(view.memory_free_mb, 600);
    worker_view_offered(&view, &function);
    EXPECT_EQ(view.memory_free_mb, 88);
    worker_view_returned(&view, &function);
    EXPECT(worker_view_soon(&view, &function));
    EXPECT_EQ(worker_view_idle(&view, &function), 0);
    worker_view_full(&view, &function);
    EXPECT_EQ(view.memory_free_mb, 0);
    worker_view_done(&view);
}

TEST(a_worker_is_used_when_it_is_there)
{
    static const struct {
        enum worker_state state;
        const char *name;
        bool usable;
    } rows[WORKER_STATES] = {
        { WORKER_STARTING, "starting", false },   { WORKER_LIVE, "live", true },
        { WORKER_SUSPECTED, "suspected", true },  { WORKER_OUT, "out", false },
        { WORKER_RETURNING, "returning", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct worker_view view = { .state = rows[i].state };

        EXPECT_TEXT(worker_state_name(rows[i].state), rows[i].name);
        EXPECT_EQ(worker_view_is_usable(&view), rows[i].usable);
    }
}
