#include "worker/agent/environment_plan.h"

#include "tests/unit/check.h"

enum { STEPS_MAX = 12 };

#define S(name) ENVIRONMENT_##name

/* Each row is a life from FREE; the last action is what the last event must cause. */
static const struct {
    const char *name;
    enum environment_event events[STEPS_MAX];
    enum environment_state want;
    enum environment_action want_action;
} lives[] = {
    { "a first invocation waits for init",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(BIND), S(HAND_OUT), S(ANSWERED), S(NEXT) },
      S(IDLE),
      S(DO_REST) },
    { "an idle one freezes and thaws",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(LIMIT), S(BIND) },
      S(HELD),
      S(DO_THAW) },
    { "a frozen one ends at the idle limit",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(LIMIT), S(LIMIT) },
      S(STOPPING),
      S(DO_KILL) },
    { "no package, no environment", { S(START), S(NO_PACKAGE) }, S(FREE), S(DO_GIVE_UP) },
    { "a spawn that nobody wants any more is killed when it is there",
      { S(START), S(PACKAGE), S(STOP), S(SPAWNED) },
      S(STOPPING),
      S(DO_KILL) },
    { "an init that overran is parked for its invocation",
      { S(START), S(PACKAGE), S(SPAWNED), S(LIMIT), S(PARK), S(EXITED) },
      S(PARKED),
      S(DO_NOTHING) },
    { "go before the overrun one is gone",
      { S(START), S(PACKAGE), S(SPAWNED), S(LIMIT), S(PARK), S(START), S(EXITED) },
      S(FETCHING),
      S(DO_FETCH) },
    { "a parked one that is not wanted is free",
      { S(START), S(PACKAGE), S(SPAWNED), S(LIMIT), S(PARK), S(EXITED), S(RELEASE) },
      S(FREE),
      S(DO_CLEAR) },
    { "an init error ends it",
      { S(START), S(PACKAGE), S(SPAWNED), S(INIT_ERROR), S(EXITED) },
      S(FREE),
      S(DO_CLEAR) },
    { "death between ready and go keeps the slot for another start",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(BIND), S(EXITED) },
      S(PARKED),
      S(DO_LOSE) },
    { "a withdrawn offer gives it back",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(BIND), S(RELEASE) },
      S(IDLE),
      S(DO_REST) },
    { "death while running is told",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(BIND), S(HAND_OUT), S(EXITED) },
      S(FREE),
      S(DO_BURY) },
    { "death after the answer harms nobody",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(BIND), S(HAND_OUT), S(ANSWERED), S(EXITED) },
      S(FREE),
      S(DO_CLEAR) },
    { "a time limit stops it",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(BIND), S(HAND_OUT), S(STOP), S(EXITED) },
      S(FREE),
      S(DO_CLEAR) },
    { "an idle one makes room in its own slot",
      { S(START), S(PACKAGE), S(SPAWNED), S(NEXT), S(START), S(EXITED) },
      S(FETCHING),
      S(DO_FETCH) },
};

TEST(an_environment_lives_as_its_table_says)
{
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        struct environment_move move = { ENVIRONMENT_FREE, ENVIRONMENT_DO_NOTHING };

        test_case = lives[i].name;
        for (size_t k = 0; k < STEPS_MAX && lives[i].events[k] != ENVIRONMENT_NO_EVENT; k++) {
            move = environment_next(move.next, lives[i].events[k]);
            EXPECT(move.action != ENVIRONMENT_FORBIDDEN);
        }
        EXPECT_EQ(move.next, lives[i].want);
        EXPECT_EQ(move.action, lives[i].want_action);
    }
}

/* What may come at any moment of a state must be allowed in it. */
TEST(no_state_with_a_process_is_surprised_by_its_end_or_a_stop)
{
    for (int state = 0; state < ENVIRONMENT_STATES; state++) {
        bool process = state >= ENVIRONMENT_INIT && state != ENVIRONMENT_PARKED;

        test_case = environment_state_name((enum environment_state)state);
        if (process)
            EXPECT(environment_next((enum environment_state)state, ENVIRONMENT_EXITED).action !=
                   ENVIRONMENT_FORBIDDEN);
        if (state != ENVIRONMENT_FREE)
            EXPECT(environment_next((enum environment_state)state, ENVIRONMENT_STOP).action !=
                   ENVIRONMENT_FORBIDDEN);
        EXPECT_EQ(environment_counts((enum environment_state)state), state != ENVIRONMENT_FREE);
    }
}

/* From every state some way leads back to FREE, so that no slot is lost for good. */
TEST(every_state_can_become_free)
{
    bool reaches[ENVIRONMENT_STATES] = { [ENVIRONMENT_FREE] = true };

    for (int round = 0; round < ENVIRONMENT_STATES; round++)
        for (int state = 0; state < ENVIRONMENT_STATES; state++)
            for (int event = 1; event < ENVIRONMENT_EVENTS; event++) {
                struct environment_move move =
                    environment_next((enum environment_state)state, (enum environment_event)event);

                if (move.action != ENVIRONMENT_FORBIDDEN && reaches[move.next])
                    reaches[state] = true;
            }
    for (int state = 0; state < ENVIRONMENT_STATES; state++) {
        test_case = environment_state_name((enum environment_state)state);
        EXPECT(reaches[state]);
    }
}
