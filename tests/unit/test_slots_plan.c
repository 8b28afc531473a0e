#include "worker/agent/slots_plan.h"

#include <string.h>

#include "tests/unit/check.h"

enum { SLOTS = 4, MEMORY_MB = 1024 };

#define SLOT(uid, st, is_bound, mb, used)                                                          \
    {                                                                                              \
        { { uid }, 1, 7 }, ENVIRONMENT_##st, is_bound, mb, used                                    \
    }
/* 256 MB; a start took 20 ms. */
#define MEASURED(uid, st, is_bound, run)                                                           \
    {                                                                                              \
        { { uid }, 1, 7 }, ENVIRONMENT_##st, is_bound, 256, 0, 20000, run                          \
    }
#define STARTING(st) SLOT(1, st, true, 256, 0)
#define NO_SLOT      SLOT(0, FREE, false, 0, 0)

/* The wish is function 1, 256 MB, epoch 1, version 7. */
static const struct {
    const char *name;
    struct slot_view slots[SLOTS];
    bool wait_allowed;
    enum slots_choice want;
    uint32_t want_slot;
    size_t want_evicted;
    uint32_t evicted;
} rows[] = {
    { "nothing there", { NO_SLOT, NO_SLOT, NO_SLOT, NO_SLOT }, true, SLOTS_START, 0, 0, 0 },
    { "the idle one that was used last",
      { SLOT(1, IDLE, false, 256, 5), SLOT(1, FROZEN, false, 256, 9), NO_SLOT, NO_SLOT },
      true,
      SLOTS_TAKE,
      1,
      0,
      0 },
    { "a held one is not idle",
      { SLOT(1, HELD, true, 256, 5), NO_SLOT, NO_SLOT, NO_SLOT },
      true,
      SLOTS_START,
      1,
      0,
      0 },
    { "another function's is not ours",
      { SLOT(2, IDLE, false, 256, 5), NO_SLOT, NO_SLOT, NO_SLOT },
      true,
      SLOTS_START,
      1,
      0,
      0 },
    { "one being started that nobody waits for",
      { SLOT(1, INIT, true, 256, 0), SLOT(1, SPAWNING, false, 256, 0), NO_SLOT, NO_SLOT },
      true,
      SLOTS_JOIN,
      1,
      0,
      0 },
    { "one about to become idle",
      { SLOT(1, FINISHING, false, 256, 0), NO_SLOT, NO_SLOT, NO_SLOT },
      true,
      SLOTS_WAIT,
      SLOT_NONE,
      0,
      0 },
    { "unless it was waited for in vain",
      { SLOT(1, FINISHING, false, 256, 0), NO_SLOT, NO_SLOT, NO_SLOT },
      false,
      SLOTS_START,
      1,
      0,
      0 },
    { "memory is made by ending the one unused longest",
      { SLOT(2, FROZEN, false, 512, 9), SLOT(3, FROZEN, false, 512, 4), NO_SLOT, NO_SLOT },
      true,
      SLOTS_START,
      2,
      1,
      1 },
    { "no slot: the one unused longest is replaced",
      { SLOT(2, IDLE, false, 128, 9), SLOT(3, RUNNING, true, 128, 1), SLOT(4, IDLE, false, 128, 3),
        SLOT(5, RUNNING, true, 128, 1) },
      true,
      SLOTS_START,
      2,
      0,
      0 },
    { "all busy",
      { SLOT(2, RUNNING, true, 128, 9), SLOT(3, RUNNING, true, 128, 1),
        SLOT(4, RUNNING, true, 128, 3), SLOT(5, STOPPING, false, 128, 1) },
      true,
      SLOTS_FULL,
      SLOT_NONE,
      0,
      0 },
    { "no memory and nothing idle",
      { SLOT(2, RUNNING, true, 1000, 9), NO_SLOT, NO_SLOT, NO_SLOT },
      true,
      SLOTS_FULL,
      SLOT_NONE,
      0,
      0 },
    { "memory of those on their way out is given already",
      { SLOT(2, STOPPING, false, 512, 9), SLOT(3, IDLE, false, 512, 4),
        SLOT(4, DOOMED, false, 512, 4), NO_SLOT },
      true,
      SLOTS_START,
      3,
      0,
      0 },
    { "exactly enough memory",
      { SLOT(2, RUNNING, true, 768, 9), NO_SLOT, NO_SLOT, NO_SLOT },
      true,
      SLOTS_START,
      1,
      0,
      0 },
};

TEST(an_offer_gets_the_environment_that_the_policy_names)
{
    struct slots_wish wish = { .identity = { { 1 }, 1, 7 }, .memory_mb = 256, .starts_max = 4 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slots_decision out;

        test_case = rows[i].name;
        wish.wait_allowed = rows[i].wait_allowed;
        slots_decide(rows[i].slots, SLOTS, MEMORY_MB, &wish, &out);
        EXPECT_EQ(out.choice, rows[i].want);
        EXPECT_EQ(out.slot, rows[i].want_slot);
        EXPECT_EQ(out.evict_count, rows[i].want_evicted);
        if (rows[i].want_evicted > 0)
            EXPECT_EQ(out.evict[0], rows[i].evicted);
    }
}

TEST(epoch_and_version_are_part_of_an_environments_identity)
{
    struct slot_view slots[1] = { SLOT(1, IDLE, false, 256, 1) };
    struct slots_wish wish = { .identity = { { 1 }, 2, 7 }, .memory_mb = 256 };
    struct slots_decision out;

    slots_decide(slots, 1, MEMORY_MB, &wish, &out);
    EXPECT_EQ(out.choice, SLOTS_START); /* replaced, not taken */
    wish.identity = (struct slot_identity){ { 1 }, 1, 8 };
    slots_decide(slots, 1, MEMORY_MB, &wish, &out);
    EXPECT_EQ(out.choice, SLOTS_START);
    wish.identity.version = 7;
    slots_decide(slots, 1, MEMORY_MB, &wish, &out);
    EXPECT_EQ(out.choice, SLOTS_TAKE);
}

static const struct {
    const char *name;
    struct slot_view slots[SLOTS];
    uint32_t waiting;
    uint32_t late;
    uint32_t want_wait_us; /* 0: not to wait */
    bool host_busy;
} waits[] = {
    { "a quick one is waited for",
      { MEASURED(1, RUNNING, true, 100), NO_SLOT, NO_SLOT, NO_SLOT },
      0,
      0,
      50000 },
    { "also with as many before as fit into a quarter of a start",
      { MEASURED(1, RUNNING, true, 100), NO_SLOT, NO_SLOT, NO_SLOT },
      49,
      0,
      50000 },
    { "or within two milliseconds, however short a start",
      { { { { 1 }, 1, 7 }, ENVIRONMENT_RUNNING, true, 256, 0, 800, 100 },
        NO_SLOT,
        NO_SLOT,
        NO_SLOT },
      19,
      0,
      50000 },
    { "with one more it is time for another",
      { MEASURED(1, RUNNING, true, 100), NO_SLOT, NO_SLOT, NO_SLOT },
      50,
      0,
      0 },
    { "on a busy host another is started up to four rounds of what it can start at a time",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100),
        MEASURED(1, FINISHING, true, 100), NO_SLOT },
      500,
      0,
      0,
      true },
    { "and then they are waited for",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100),
        MEASURED(1, FINISHING, true, 100), MEASURED(1, RUNNING, true, 100) },
      500,
      0,
      50000,
      true },
    { "also with one of them on its way",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100),
        MEASURED(1, FINISHING, true, 100), STARTING(INIT) },
      500,
      0,
      50000,
      true },
    { "for as long as quick ones are waited for at all",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100),
        MEASURED(1, FINISHING, true, 100), MEASURED(1, RUNNING, true, 100) },
      500,
      7,
      50000,
      true },
    { "and no longer",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100),
        MEASURED(1, FINISHING, true, 100), MEASURED(1, RUNNING, true, 100) },
      500,
      8,
      0,
      true },
    { "nor are slow ones",
      { MEASURED(1, RUNNING, true, 20001), MEASURED(1, RUNNING, true, 20001),
        MEASURED(1, RUNNING, true, 20001), MEASURED(1, RUNNING, true, 20001) },
      500,
      0,
      0,
      true },
    { "a host with processors to spare starts more",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100), NO_SLOT, NO_SLOT },
      500,
      0,
      0 },
    { "two of them come round twice as often",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, HELD, true, 100), NO_SLOT, NO_SLOT },
      99,
      0,
      50000 },
    { "one that is being started beside one is enough for now",
      { MEASURED(1, RUNNING, true, 100), STARTING(INIT), NO_SLOT, NO_SLOT },
      60,
      0,
      50000 },
    { "also after a wait in vain",
      { MEASURED(1, RUNNING, true, 100), STARTING(INIT), NO_SLOT, NO_SLOT },
      0,
      7,
      50000 },
    { "but not for ever",
      { MEASURED(1, RUNNING, true, 100), STARTING(INIT), NO_SLOT, NO_SLOT },
      0,
      8,
      0 },
    { "one that comes round is waited for again",
      { { { { 1 }, 1, 7 }, ENVIRONMENT_RUNNING, true, 256, 1001, 20000, 100 },
        NO_SLOT,
        NO_SLOT,
        NO_SLOT },
      0,
      7,
      50000 },
    { "who waited in vain gets another",
      { MEASURED(1, RUNNING, true, 100), NO_SLOT, NO_SLOT, NO_SLOT },
      0,
      1,
      0 },
    { "a slow one is not waited for",
      { MEASURED(1, RUNNING, true, 20001), STARTING(INIT), NO_SLOT, NO_SLOT },
      0,
      0,
      0 },
    { "one of which nothing is known is not, either",
      { MEASURED(1, RUNNING, true, 0), STARTING(INIT), NO_SLOT, NO_SLOT },
      0,
      0,
      0 },
    { "unless as many are being started as the host can",
      { STARTING(SPAWNING), STARTING(INIT), NO_SLOT, NO_SLOT },
      0,
      0,
      50000 },
    { "which is waited for once",
      { STARTING(SPAWNING), STARTING(INIT), NO_SLOT, NO_SLOT },
      0,
      1,
      0 },
    { "another function's tell nothing",
      { MEASURED(2, RUNNING, true, 100), NO_SLOT, NO_SLOT, NO_SLOT },
      0,
      0,
      0 },
    { "an idle one is there at once",
      { MEASURED(1, RUNNING, true, 100), MEASURED(1, FROZEN, false, 100), NO_SLOT, NO_SLOT },
      0,
      0,
      0 },
    { "a first answer promises one place",
      { MEASURED(1, FINISHING, false, 0), NO_SLOT, NO_SLOT, NO_SLOT },
      1,
      0,
      0 },
};

TEST(an_offer_waits_where_a_start_would_not_be_sooner)
{
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        struct slots_wish wish = { .identity = { { 1 }, 1, 7 },
                                   .memory_mb = 256,
                                   .wait_allowed = true,
                                   .late = waits[i].late,
                                   .since_ms = 1000,
                                   .waiting = waits[i].waiting,
                                   .starts_max = waits[i].host_busy ? 1 : 2,
                                   .host_busy = waits[i].host_busy };
        struct slots_decision out;

        test_case = waits[i].name;
        slots_decide(waits[i].slots, SLOTS, MEMORY_MB, &wish, &out);
        EXPECT_EQ(out.choice == SLOTS_WAIT, waits[i].want_wait_us > 0);
        if (out.choice == SLOTS_WAIT)
            EXPECT_EQ(out.wait_us, waits[i].want_wait_us);
        wish.wait_allowed = false;
        slots_decide(waits[i].slots, SLOTS, MEMORY_MB, &wish, &out);
        EXPECT(out.choice != SLOTS_WAIT);
    }
}

/* Sixteen offers at once on a worker whose memory is held by idle environments of others. */
TEST(a_burst_gives_up_as_many_idle_ones_as_it_needs)
{
    enum { MANY = 32 };
    struct slot_view slots[MANY] = { 0 };
    uint32_t victims = 0;

    for (uint8_t i = 0; i < 16; i++)
        slots[i] = (struct slot_view)SLOT(2, FROZEN, false, 64, i);
    for (uint8_t i = 0; i < 16; i++) {
        struct slots_wish wish = { .identity = { { 1 }, 1, 7 }, .memory_mb = 64 };
        struct slots_decision out;

        slots_decide(slots, MANY, MEMORY_MB, &wish, &out);
        EXPECT_EQ(out.choice, SLOTS_START);
        EXPECT_EQ(out.evict_count, 1);
        for (size_t k = 0; k < out.evict_count; k++)
            slots[out.evict[k]].state = ENVIRONMENT_STOPPING;
        victims += (uint32_t)out.evict_count;
        slots[out.slot] = (struct slot_view)SLOT(1, SPAWNING, true, 64, 0);
    }
    EXPECT_EQ(victims, 16);
}
