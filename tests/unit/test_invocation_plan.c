#include "controlplane/dispatch/invocation_plan.h"

#include "tests/unit/check.h"

TEST(nothing_is_repeated_once_go_was_written)
{
    for (int event = INVOCATION_NO_EVENT + 1; event < INVOCATION_EVENTS; event++) {
        struct invocation_move move = invocation_next(INVOCATION_RUNNING, event);

        EXPECT(move.action != INVOCATION_DO_OFFER);
        EXPECT(move.action != INVOCATION_DO_WITHDRAW_OFFER);
        EXPECT(move.action == INVOCATION_FORBIDDEN || move.next == INVOCATION_FINISHED);
    }
}

TEST(trouble_before_go_means_the_next_worker)
{
    static const enum invocation_event trouble[] = { INVOCATION_REFUSED, INVOCATION_LOST,
                                                     INVOCATION_SLOW };

    for (size_t i = 0; i < ARRAY_LEN(trouble); i++) {
        struct invocation_move move = invocation_next(INVOCATION_OFFERED, trouble[i]);

        EXPECT_EQ(move.next, INVOCATION_PLACING);
        EXPECT(move.action == INVOCATION_DO_OFFER || move.action == INVOCATION_DO_WITHDRAW_OFFER);
    }
}

TEST(only_ready_leads_to_go)
{
    for (int state = 0; state < INVOCATION_STATES; state++)
        for (int event = 0; event < INVOCATION_EVENTS; event++) {
            struct invocation_move move = invocation_next(state, event);

            EXPECT_EQ(move.action == INVOCATION_DO_GO,
                      state == INVOCATION_OFFERED && event == INVOCATION_READY);
        }
}

TEST(a_finished_invocation_hears_nothing)
{
    for (int event = 0; event < INVOCATION_EVENTS; event++)
        EXPECT_EQ(invocation_next(INVOCATION_FINISHED, event).action, INVOCATION_FORBIDDEN);
}

TEST(a_result_without_go_is_not_allowed)
{
    EXPECT_EQ(invocation_next(INVOCATION_OFFERED, INVOCATION_RESULT).action, INVOCATION_FORBIDDEN);
    EXPECT_EQ(invocation_next(INVOCATION_RUNNING, INVOCATION_READY).action, INVOCATION_FORBIDDEN);
}
