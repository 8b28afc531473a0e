/* The table of an invocation's life.  Deciding code. */
#include "worker/agent/invocation_plan.h"

#include "base/check.h"

#define MOVE(state, action)                                                                        \
    {                                                                                              \
        INVOCATION_##state, INVOCATION_DO_##action                                                 \
    }

// clang-format off
static const struct invocation_move moves[INVOCATION_STATES][INVOCATION_EVENTS] = {
    [INVOCATION_WAITING] = {
        [INVOCATION_ENVIRONMENT_READY]   = MOVE(READY,        SEND_READY),
        [INVOCATION_ENVIRONMENT_NONE]    = MOVE(DONE,         SEND_REFUSE),
        [INVOCATION_ENVIRONMENT_FAILED]  = MOVE(READY_FAILED, SEND_READY),
        [INVOCATION_ENVIRONMENT_OVERRAN] = MOVE(READY_AGAIN,  SEND_READY),
        [INVOCATION_LATE]                = MOVE(WAITING,      PLACE_AGAIN),
        [INVOCATION_GO]                  = MOVE(WAITING,      NOTHING), /* go without ready: not a promise of ours */
        [INVOCATION_WITHDRAWN]           = MOVE(DONE,         LET_GO),
    },
    [INVOCATION_READY] = {
        [INVOCATION_GO]                  = MOVE(RUNNING,      HAND_OUT),
        [INVOCATION_WITHDRAWN]           = MOVE(DONE,         LET_GO),
        [INVOCATION_ENVIRONMENT_FAILED]  = MOVE(READY_FAILED, NOTHING),
        [INVOCATION_ENVIRONMENT_OVERRAN] = MOVE(READY_AGAIN,  NOTHING),
    },
    [INVOCATION_READY_FAILED] = {
        [INVOCATION_GO]                  = MOVE(DONE,         SEND_FAILURE),
        [INVOCATION_WITHDRAWN]           = MOVE(DONE,         LET_GO),
    },
    [INVOCATION_READY_AGAIN] = {
        [INVOCATION_GO]                  = MOVE(RESTARTING,   RESTART),
        [INVOCATION_WITHDRAWN]           = MOVE(DONE,         LET_GO),
    },
    [INVOCATION_RESTARTING] = {
        [INVOCATION_ENVIRONMENT_READY]   = MOVE(RUNNING,      CONTINUE),
        [INVOCATION_ENVIRONMENT_NONE]    = MOVE(DONE,         SEND_NONE),
        [INVOCATION_ENVIRONMENT_FAILED]  = MOVE(DONE,         SEND_FAILURE),
        [INVOCATION_GO]                  = MOVE(RESTARTING,   NOTHING),
        [INVOCATION_WITHDRAWN]           = MOVE(RESTARTING,   NOTHING), /* after go it has started */
        [INVOCATION_TIMEOUT]             = MOVE(DONE,         SEND_TIMED_OUT),
    },
    [INVOCATION_RUNNING] = {
        [INVOCATION_RESPONDED]           = MOVE(DONE,         SEND_RESULT),
        [INVOCATION_ERRED]               = MOVE(DONE,         SEND_RESULT),
        [INVOCATION_ENVIRONMENT_FAILED]  = MOVE(DONE,         SEND_FAILURE),
        [INVOCATION_GO]                  = MOVE(RUNNING,      NOTHING),
        [INVOCATION_WITHDRAWN]           = MOVE(RUNNING,      NOTHING),
        [INVOCATION_TIMEOUT]             = MOVE(DONE,         SEND_TIMED_OUT),
    },
};
// clang-format on

static const char *const state_names[INVOCATION_STATES] = {
    [INVOCATION_WAITING] = "waiting",
    [INVOCATION_READY] = "ready",
    [INVOCATION_READY_FAILED] = "ready_failed",
    [INVOCATION_READY_AGAIN] = "ready_again",
    [INVOCATION_RESTARTING] = "restarting",
    [INVOCATION_RUNNING] = "running",
    [INVOCATION_DONE] = "done",
};

struct invocation_move invocation_next(enum invocation_state state, enum invocation_event event)
{
    CHECK(state < INVOCATION_STATES);
    CHECK(event < INVOCATION_EVENTS);
    return moves[state][event];
}

const char *invocation_state_name(enum invocation_state state)
{
    CHECK(state < INVOCATION_STATES);
    return state_names[state];
}
