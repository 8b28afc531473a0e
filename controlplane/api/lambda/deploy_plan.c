/* See deploy_plan.h. */
#include "controlplane/api/lambda/deploy_plan.h"

#include "base/check.h"

// clang-format off
static const struct deploy_move moves[DEPLOY_STATES][DEPLOY_EVENTS] = {
    [DEPLOY_READING] = {
        [DEPLOY_READ]      = { DEPLOY_LOOKING,   DEPLOY_DO_LOOK },
        [DEPLOY_FAILED]    = { DEPLOY_FINISHED,  DEPLOY_DO_REFUSE },
    },
    [DEPLOY_LOOKING] = {
        [DEPLOY_LOOKED]    = { DEPLOY_STORING,   DEPLOY_DO_STORE },
        [DEPLOY_ELSEWHERE] = { DEPLOY_FETCHING,  DEPLOY_DO_FETCH },
        [DEPLOY_WITHOUT_CODE] = { DEPLOY_PROPOSING, DEPLOY_DO_PROPOSE },
        [DEPLOY_DRY]       = { DEPLOY_FINISHED,  DEPLOY_DO_ANSWER },
        [DEPLOY_FAILED]    = { DEPLOY_FINISHED,  DEPLOY_DO_REFUSE },
    },
    [DEPLOY_FETCHING] = {
        [DEPLOY_FETCHED]   = { DEPLOY_STORING,   DEPLOY_DO_STORE },
        [DEPLOY_DRY]       = { DEPLOY_FINISHED,  DEPLOY_DO_ANSWER },
        [DEPLOY_FAILED]    = { DEPLOY_FINISHED,  DEPLOY_DO_REFUSE },
    },
    [DEPLOY_STORING] = {
        [DEPLOY_STORED]    = { DEPLOY_CHECKING,  DEPLOY_DO_CHECK },
        [DEPLOY_FAILED]    = { DEPLOY_FINISHED,  DEPLOY_DO_REFUSE },
    },
    [DEPLOY_CHECKING] = {
        [DEPLOY_CHECKED]   = { DEPLOY_PROPOSING, DEPLOY_DO_PROPOSE },
        [DEPLOY_FAILED]    = { DEPLOY_FINISHED,  DEPLOY_DO_REFUSE },
    },
    [DEPLOY_PROPOSING] = {
        [DEPLOY_COMMITTED] = { DEPLOY_FINISHED,  DEPLOY_DO_ANSWER },
        [DEPLOY_FAILED]    = { DEPLOY_FINISHED,  DEPLOY_DO_REFUSE },
    },
};
// clang-format on

struct deploy_move deploy_next(enum deploy_state state, enum deploy_event event)
{
    CHECK(state < DEPLOY_STATES);
    CHECK(event < DEPLOY_EVENTS);
    return moves[state][event];
}
