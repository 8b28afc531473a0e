#include "worker/agent/invocation_plan.h"

#include "tests/unit/check.h"

enum { STEPS_MAX = 8 };

#define I(name) INVOCATION_##name

static const struct {
    const char *name;
    enum invocation_event events[STEPS_MAX];
    enum invocation_state want;
    enum invocation_action want_action;
} lives[] = {
    { "ready, go, answer",
      { I(ENVIRONMENT_READY), I(GO), I(RESPONDED) },
      I(DONE),
      I(DO_SEND_RESULT) },
    { "an error is a result",
      { I(ENVIRONMENT_READY), I(GO), I(ERRED) },
      I(DONE),
      I(DO_SEND_RESULT) },
    { "no room", { I(ENVIRONMENT_NONE) }, I(DONE), I(DO_SEND_REFUSE) },
    { "withdrawn while starting", { I(WITHDRAWN) }, I(DONE), I(DO_LET_GO) },
    { "withdrawn when ready", { I(ENVIRONMENT_READY), I(WITHDRAWN) }, I(DONE), I(DO_LET_GO) },
    { "withdrawn after go runs on",
      { I(ENVIRONMENT_READY), I(GO), I(WITHDRAWN) },
      I(RUNNING),
      I(DO_NOTHING) },
    { "an init that fails is the answer after go",
      { I(ENVIRONMENT_FAILED), I(GO) },
      I(DONE),
      I(DO_SEND_FAILURE) },
    { "nothing is sent for a failed init without go",
      { I(ENVIRONMENT_FAILED), I(WITHDRAWN) },
      I(DONE),
      I(DO_LET_GO) },
    { "an init that overran is repeated after go",
      { I(ENVIRONMENT_OVERRAN), I(GO) },
      I(RESTARTING),
      I(DO_RESTART) },
    { "and then goes on",
      { I(ENVIRONMENT_OVERRAN), I(GO), I(ENVIRONMENT_READY) },
      I(RUNNING),
      I(DO_CONTINUE) },
    { "or times out",
      { I(ENVIRONMENT_OVERRAN), I(GO), I(TIMEOUT) },
      I(DONE),
      I(DO_SEND_TIMED_OUT) },
    { "or fails",
      { I(ENVIRONMENT_OVERRAN), I(GO), I(ENVIRONMENT_FAILED) },
      I(DONE),
      I(DO_SEND_FAILURE) },
    { "or cannot be started again",
      { I(ENVIRONMENT_OVERRAN), I(GO), I(ENVIRONMENT_NONE) },
      I(DONE),
      I(DO_SEND_NONE) },
    { "an environment that dies held is started again after go",
      { I(ENVIRONMENT_READY), I(ENVIRONMENT_OVERRAN), I(GO) },
      I(RESTARTING),
      I(DO_RESTART) },
    { "a busy one that stays busy is left", { I(LATE) }, I(WAITING), I(DO_PLACE_AGAIN) },
    { "the time limit",
      { I(ENVIRONMENT_READY), I(GO), I(TIMEOUT) },
      I(DONE),
      I(DO_SEND_TIMED_OUT) },
    { "the end of the process",
      { I(ENVIRONMENT_READY), I(GO), I(ENVIRONMENT_FAILED) },
      I(DONE),
      I(DO_SEND_FAILURE) },
    { "a go that nobody asked for", { I(GO) }, I(WAITING), I(DO_NOTHING) },
    { "a second go", { I(ENVIRONMENT_READY), I(GO), I(GO) }, I(RUNNING), I(DO_NOTHING) },
};

TEST(an_invocation_lives_as_its_table_says)
{
    for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
        struct invocation_move move = { INVOCATION_WAITING, INVOCATION_DO_NOTHING };

        test_case = lives[i].name;
        for (size_t k = 0; k < STEPS_MAX && lives[i].events[k] != INVOCATION_NO_EVENT; k++) {
            move = invocation_next(move.next, lives[i].events[k]);
            EXPECT(move.action != INVOCATION_FORBIDDEN);
        }
        EXPECT_EQ(move.next, lives[i].want);
        EXPECT_EQ(move.action, lives[i].want_action);
    }
}

/* A front door may say go and withdraw whenever it likes. */
TEST(no_living_state_is_surprised_by_its_front_door)
{
    for (int state = 0; state < INVOCATION_DONE; state++) {
        test_case = invocation_state_name((enum invocation_state)state);
        EXPECT(invocation_next((enum invocation_state)state, INVOCATION_GO).action !=
               INVOCATION_FORBIDDEN);
        EXPECT(invocation_next((enum invocation_state)state, INVOCATION_WITHDRAWN).action !=
               INVOCATION_FORBIDDEN);
    }
}
