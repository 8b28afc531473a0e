/* The life of CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration and PublishVersion:
 * from (state, event) to (next state, action).
 *
 *                    ┌─────────────── without code ────────────────┐
 *   READING ──► LOOKING ─────────────► STORING ──► CHECKING ──► PROPOSING ──► FINISHED
 *   body and    the rows  └► FETCHING ─┘ zip in    a worker     one command   answered
 *   base64 on   as they      from the    the       unpacks      in the log       ▲
 *   a thread    are now      client's    object    it                            │
 *      │           │         bucket      store        │             │            │
 *      └───────────┴────────────┴────────────┴────────┴── failed ───┴────────────┘
 *
 * Nothing is named in the state before the zip is stored and known to be good; a crash on the way
 * leaves an object that nobody names, never a function without code. */
#ifndef CONTROLPLANE_API_LAMBDA_DEPLOY_PLAN_H
#define CONTROLPLANE_API_LAMBDA_DEPLOY_PLAN_H

enum deploy_state {
    DEPLOY_READING,
    DEPLOY_LOOKING,
    DEPLOY_FETCHING,
    DEPLOY_STORING,
    DEPLOY_CHECKING,
    DEPLOY_PROPOSING,
    DEPLOY_FINISHED,
    DEPLOY_STATES,
};

enum deploy_event {
    DEPLOY_NO_EVENT,
    DEPLOY_READ,
    DEPLOY_LOOKED,       /* the rows allow it, and the zip is here */
    DEPLOY_ELSEWHERE,    /* they do, and it is in a bucket */
    DEPLOY_WITHOUT_CODE, /* they do, and there is none */
    DEPLOY_DRY,          /* they do, and that was all the client wanted to know */
    DEPLOY_FETCHED,
    DEPLOY_STORED,
    DEPLOY_CHECKED,
    DEPLOY_COMMITTED,
    DEPLOY_FAILED, /* the refusal is filled in */
    DEPLOY_EVENTS,
};

enum deploy_action {
    DEPLOY_FORBIDDEN,
    DEPLOY_DO_LOOK,
    DEPLOY_DO_FETCH,
    DEPLOY_DO_STORE,
    DEPLOY_DO_CHECK,
    DEPLOY_DO_PROPOSE,
    DEPLOY_DO_ANSWER,
    DEPLOY_DO_REFUSE,
};

struct deploy_move {
    enum deploy_state next;
    enum deploy_action action;
};

struct deploy_move deploy_next(enum deploy_state state, enum deploy_event event);

#endif
