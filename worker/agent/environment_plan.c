/* The table of an environment's life.  Deciding code: no clock, no descriptor, no call outwards. */
#include "worker/agent/environment_plan.h"

#include "base/check.h"

#define MOVE(state, action)                                                                        \
    {                                                                                              \
        ENVIRONMENT_##state, ENVIRONMENT_DO_##action                                               \
    }

// clang-format off
static const struct environment_move moves[ENVIRONMENT_STATES][ENVIRONMENT_EVENTS] = {
    [ENVIRONMENT_FREE] = {
        [ENVIRONMENT_START]        = MOVE(FETCHING,   FETCH),
    },
    [ENVIRONMENT_FETCHING] = {
        [ENVIRONMENT_PACKAGE]      = MOVE(SPAWNING,   SPAWN),
        [ENVIRONMENT_NO_PACKAGE]   = MOVE(FREE,       GIVE_UP),
        [ENVIRONMENT_RELEASE]      = MOVE(FETCHING,   NOTHING), /* somebody else may want it soon */
        [ENVIRONMENT_STOP]         = MOVE(FETCHING,   NOTHING), /* nothing runs yet */
    },
    [ENVIRONMENT_SPAWNING] = {
        [ENVIRONMENT_SPAWNED]      = MOVE(INIT,       SERVE),
        [ENVIRONMENT_SPAWN_FAILED] = MOVE(FREE,       GIVE_UP),
        [ENVIRONMENT_RELEASE]      = MOVE(SPAWNING,   NOTHING),
        [ENVIRONMENT_STOP]         = MOVE(DOOMED,     NOTHING),
    },
    [ENVIRONMENT_DOOMED] = {
        [ENVIRONMENT_SPAWNED]      = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_SPAWN_FAILED] = MOVE(FREE,       CLEAR),
        [ENVIRONMENT_STOP]         = MOVE(DOOMED,     NOTHING),
    },
    [ENVIRONMENT_INIT] = {
        [ENVIRONMENT_NEXT]         = MOVE(IDLE,       REST),
        [ENVIRONMENT_INIT_ERROR]   = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_LIMIT]        = MOVE(STOPPING,   OVERRUN),
        [ENVIRONMENT_RELEASE]      = MOVE(INIT,       NOTHING),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_EXITED]       = MOVE(FREE,       BURY),
    },
    [ENVIRONMENT_IDLE] = {
        [ENVIRONMENT_BIND]         = MOVE(HELD,       OFFER),
        [ENVIRONMENT_LIMIT]        = MOVE(FROZEN,     FREEZE),
        [ENVIRONMENT_START]        = MOVE(RESTARTING, REPLACE), /* its slot is wanted for another function */
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_EXITED]       = MOVE(FREE,       BURY),
    },
    [ENVIRONMENT_FROZEN] = {
        [ENVIRONMENT_BIND]         = MOVE(HELD,       THAW),
        [ENVIRONMENT_LIMIT]        = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_START]        = MOVE(RESTARTING, REPLACE),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_EXITED]       = MOVE(FREE,       BURY),
    },
    [ENVIRONMENT_HELD] = {
        [ENVIRONMENT_HAND_OUT]     = MOVE(RUNNING,    DELIVER),
        [ENVIRONMENT_RELEASE]      = MOVE(IDLE,       REST),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_EXITED]       = MOVE(PARKED,     LOSE),
    },
    [ENVIRONMENT_RUNNING] = {
        [ENVIRONMENT_ANSWERED]     = MOVE(FINISHING,  FINISH),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_EXITED]       = MOVE(FREE,       BURY),
    },
    [ENVIRONMENT_FINISHING] = {
        [ENVIRONMENT_NEXT]         = MOVE(IDLE,       REST),
        [ENVIRONMENT_LIMIT]        = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   KILL),
        [ENVIRONMENT_EXITED]       = MOVE(FREE,       CLEAR),
    },
    [ENVIRONMENT_STOPPING] = {
        [ENVIRONMENT_PARK]         = MOVE(PARKING,    NOTHING),
        [ENVIRONMENT_RELEASE]      = MOVE(STOPPING,   NOTHING),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   NOTHING),
        [ENVIRONMENT_EXITED]       = MOVE(FREE,       CLEAR),
    },
    [ENVIRONMENT_RESTARTING] = {
        [ENVIRONMENT_RELEASE]      = MOVE(RESTARTING, NOTHING),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   NOTHING),
        [ENVIRONMENT_EXITED]       = MOVE(FETCHING,   FETCH),
    },
    [ENVIRONMENT_PARKING] = {
        [ENVIRONMENT_START]        = MOVE(RESTARTING, NOTHING),
        [ENVIRONMENT_RELEASE]      = MOVE(STOPPING,   NOTHING),
        [ENVIRONMENT_STOP]         = MOVE(STOPPING,   NOTHING),
        [ENVIRONMENT_EXITED]       = MOVE(PARKED,     NOTHING),
    },
    [ENVIRONMENT_PARKED] = {
        [ENVIRONMENT_START]        = MOVE(FETCHING,   FETCH),
        [ENVIRONMENT_RELEASE]      = MOVE(FREE,       CLEAR),
        [ENVIRONMENT_STOP]         = MOVE(FREE,       CLEAR),
    },
};
// clang-format on

static const char *const state_names[ENVIRONMENT_STATES] = {
    [ENVIRONMENT_FREE] = "free",         [ENVIRONMENT_FETCHING] = "fetching",
    [ENVIRONMENT_SPAWNING] = "spawning", [ENVIRONMENT_DOOMED] = "doomed",
    [ENVIRONMENT_INIT] = "init",         [ENVIRONMENT_IDLE] = "idle",
    [ENVIRONMENT_FROZEN] = "frozen",     [ENVIRONMENT_HELD] = "held",
    [ENVIRONMENT_RUNNING] = "running",   [ENVIRONMENT_FINISHING] = "finishing",
    [ENVIRONMENT_STOPPING] = "stopping", [ENVIRONMENT_RESTARTING] = "restarting",
    [ENVIRONMENT_PARKING] = "parking",   [ENVIRONMENT_PARKED] = "parked",
};

struct environment_move environment_next(enum environment_state state, enum environment_event event)
{
    CHECK(state < ENVIRONMENT_STATES);
    CHECK(event < ENVIRONMENT_EVENTS);
    return moves[state][event];
}

bool environment_counts(enum environment_state state)
{
    CHECK(state < ENVIRONMENT_STATES);
    return state != ENVIRONMENT_FREE;
}

const char *environment_state_name(enum environment_state state)
{
    CHECK(state < ENVIRONMENT_STATES);
    return state_names[state];
}
