/* The life of an invocation: from (state, event) to (next state, action).
 *
 * Pure.  The line that matters is the go: before it nothing has run, so any trouble is answered by
 * asking the next worker; after it the function has started, so trouble is told to the client.
 *
 *              offer sent            ready             result, lost, deadline
 *   PLACING ───────────────► OFFERED ───────► RUNNING ───────────────────────► FINISHED
 *      ▲  ▲                     │                                                 ▲
 *      │  └── refused, lost, ───┘                                                 │
 *      │      no ready in time                                                    │
 *      └────── nobody left, deadline ─────────────────────────────────────────────┘ */
#ifndef CONTROLPLANE_DISPATCH_INVOCATION_PLAN_H
#define CONTROLPLANE_DISPATCH_INVOCATION_PLAN_H

enum invocation_state {
    INVOCATION_PLACING,
    INVOCATION_OFFERED,
    INVOCATION_RUNNING,
    INVOCATION_FINISHED,
    INVOCATION_STATES,
};

enum invocation_event {
    INVOCATION_NO_EVENT,
    INVOCATION_OFFER_SENT,
    INVOCATION_OFFER_FAILED, /* the chosen link would not take it */
    INVOCATION_NOBODY,       /* every worker that could do it was asked */
    INVOCATION_READY,
    INVOCATION_REFUSED,
    INVOCATION_LOST, /* the link to the worker closed */
    INVOCATION_SLOW, /* no ready in time */
    INVOCATION_RESULT,
    INVOCATION_DEADLINE,
    INVOCATION_EVENTS,
};

enum invocation_action {
    INVOCATION_FORBIDDEN, /* the pair cannot happen: our mistake */
    INVOCATION_DO_NOTHING,
    INVOCATION_DO_OFFER,           /* choose the next worker and offer */
    INVOCATION_DO_WITHDRAW_OFFER,  /* tell the slow one to forget it, then as DO_OFFER */
    INVOCATION_DO_WITHDRAW_ANSWER, /* the same, then answer that it was not done */
    INVOCATION_DO_GO,              /* write the go: from here on it has started */
    INVOCATION_DO_ANSWER_RESULT,   /* what the function said */
    INVOCATION_DO_ANSWER_NOT_DONE, /* certainly not started */
    INVOCATION_DO_ANSWER_UNKNOWN,  /* started, and its end is not known */
};

struct invocation_move {
    enum invocation_state next;
    enum invocation_action action;
};

/* The move for a pair; action INVOCATION_FORBIDDEN for pairs that cannot happen. */
struct invocation_move invocation_next(enum invocation_state state, enum invocation_event event);

#endif
