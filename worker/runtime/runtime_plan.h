/* The Runtime API's protocol as a table: which call is allowed when.
 *
 * Pure.  One such state per environment; runtime_server.c drives it.  The states follow AWS's own
 * runtime interface emulator: a call out of turn is answered 403 InvalidStateTransition. */
#ifndef WORKER_RUNTIME_RUNTIME_PLAN_H
#define WORKER_RUNTIME_RUNTIME_PLAN_H

#include "base/bytes.h"

enum runtime_state {
    RUNTIME_STARTING, /* nothing was asked yet */
    RUNTIME_WAITING,  /* a GET next is open */
    RUNTIME_RUNNING,  /* an event was handed out */
    RUNTIME_ANSWERED, /* it was answered; the next GET next is awaited */
    RUNTIME_FAILED,   /* init/error was posted */
    RUNTIME_STATES,
};

enum runtime_call {
    RUNTIME_NO_CALL, /* not a path of this API: 404 */
    RUNTIME_PING,
    RUNTIME_NEXT,
    RUNTIME_RESPONSE,
    RUNTIME_ERROR,
    RUNTIME_INIT_ERROR,
    RUNTIME_HAND_OUT, /* not a call: the agent has an event */
    RUNTIME_CALLS,
};

enum runtime_action {
    RUNTIME_DO_REFUSE, /* 403 InvalidStateTransition: what is not in the table */
    RUNTIME_DO_PONG,
    RUNTIME_DO_HOLD,        /* keep the call open, tell the agent */
    RUNTIME_DO_HOLD_AGAIN,  /* keep this call open in place of an earlier one */
    RUNTIME_DO_TELL,        /* 202; hand the body to the agent */
    RUNTIME_DO_TELL_FAILED, /* 202; hand the init error to the agent */
    RUNTIME_DO_DELIVER,     /* answer the open call with the event */
};

struct runtime_move {
    enum runtime_state next;
    enum runtime_action action;
};

struct runtime_move runtime_next(enum runtime_state state, enum runtime_call call);

/* What a request asks for.  For RESPONSE and ERROR `out_id` is the id inside `target`, else empty.
 */
enum runtime_call runtime_route(struct bytes method, struct bytes target, struct bytes *out_id);

#endif
