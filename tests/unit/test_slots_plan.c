#include "worker/agent/slots_plan.h"

#include <string.h>

#include "tests/unit/check.h"

enum { SLOTS = 4, MEMORY_MB = 1024 };

#define SLOT(uid, st, is_bound, mb, used)                                                          \
    {                                                                                              \
        { { uid }, 1, 7 }, ENVIRONMENT_##st, is_bound, mb, used                                    \
    }
#define NO_SLOT SLOT(0, FREE, false, 0, 0)

/* The wish is function 1, 256 MB, epoch 1, version 7. */
static const struct {
    const char *name;
    struct slot_view slots[SLOTS];
    bool busy_allowed;
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
      SLOTS_FOLLOW,
      0,
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
    struct slots_wish wish = { .identity = { { 1 }, 1, 7 }, .memory_mb = 256 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slots_decision out;

        test_case = rows[i].name;
        wish.busy_allowed = rows[i].busy_allowed;
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
