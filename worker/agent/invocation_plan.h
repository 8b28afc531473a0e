/* The life of one invocation on a worker, from its offer to its result, as a table.
 *
 * Pure.  The rule that everything here serves: nothing of the function runs for an invocation
 * before its go, and after its go there is exactly one result, whatever happens to the environment.
 */
#ifndef WORKER_AGENT_INVOCATION_PLAN_H
#define WORKER_AGENT_INVOCATION_PLAN_H

enum invocation_state {
    INVOCATION_WAITING,      /* its environment is being made ready */
    INVOCATION_READY,        /* READY was sent: an environment is held for it */
    INVOCATION_READY_FAILED, /* READY was sent: init failed, and that is the answer after go */
    INVOCATION_READY_AGAIN,  /* READY was sent: init must be repeated after go */
    INVOCATION_RESTARTING,   /* after go, init runs again under the function's time limit */
    INVOCATION_RUNNING,      /* the event was handed out */
    INVOCATION_DONE,
    INVOCATION_STATES,
};

enum invocation_event {
    INVOCATION_NO_EVENT,
    INVOCATION_ENVIRONMENT_READY,   /* idle and held for this invocation */
    INVOCATION_ENVIRONMENT_NONE,    /* none can be had here */
    INVOCATION_ENVIRONMENT_FAILED,  /* its init failed, or its process ended */
    INVOCATION_ENVIRONMENT_OVERRAN, /* its init took longer than the init limit, or it died held */
    INVOCATION_LATE,                /* the busy environment it waited for is still busy */
    INVOCATION_GO,
    INVOCATION_WITHDRAWN, /* by the front door, or the link is gone */
    INVOCATION_RESPONDED, /* the runtime posted a response */
    INVOCATION_ERRED,     /* the runtime posted an error, or a response that is too large */
    INVOCATION_TIMEOUT,   /* the function's time limit, counted from go */
    INVOCATION_EVENTS,
};

enum invocation_action {
    INVOCATION_FORBIDDEN,
    INVOCATION_DO_NOTHING,
    INVOCATION_DO_SEND_READY,
    INVOCATION_DO_SEND_REFUSE,    /* with the reason that is known */
    INVOCATION_DO_PLACE_AGAIN,    /* look for another environment */
    INVOCATION_DO_LET_GO,         /* give the environment back */
    INVOCATION_DO_HAND_OUT,       /* start the time limit, let the event out */
    INVOCATION_DO_RESTART,        /* start the time limit, start the environment again */
    INVOCATION_DO_CONTINUE,       /* let the event out; the time limit runs already */
    INVOCATION_DO_SEND_RESULT,    /* what the runtime posted */
    INVOCATION_DO_SEND_FAILURE,   /* how the environment ended */
    INVOCATION_DO_SEND_NONE,      /* it could not be started again */
    INVOCATION_DO_SEND_TIMED_OUT, /* and stop the environment */
};

struct invocation_move {
    enum invocation_state next;
    enum invocation_action action;
};

struct invocation_move invocation_next(enum invocation_state state, enum invocation_event event);

const char *invocation_state_name(enum invocation_state state);

#endif
