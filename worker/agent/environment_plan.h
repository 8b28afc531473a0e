/* The life of one execution environment, as a table.
 *
 * Pure: a slot's state and an event give the next state and what the driver (environment.c) must
 * do. Kept beside it is the life of one invocation (invocation_plan.h); the two meet only in the
 * drivers. The picture is in worker/agent/README.md. */
#ifndef WORKER_AGENT_ENVIRONMENT_PLAN_H
#define WORKER_AGENT_ENVIRONMENT_PLAN_H

#include <stdbool.h>

enum environment_state {
    ENVIRONMENT_FREE,       /* no process, no memory reserved */
    ENVIRONMENT_FETCHING,   /* its package is on the way */
    ENVIRONMENT_SPAWNING,   /* the spawner was asked */
    ENVIRONMENT_DOOMED,     /* the spawner was asked, but nobody wants it any more */
    ENVIRONMENT_INIT,       /* its process runs and has not asked for an event yet */
    ENVIRONMENT_IDLE,       /* its process waits for an event */
    ENVIRONMENT_FROZEN,     /* the same, stopped by the kernel */
    ENVIRONMENT_HELD,       /* idle and promised to an invocation that has not got its go */
    ENVIRONMENT_RUNNING,    /* an event was handed out */
    ENVIRONMENT_FINISHING,  /* the event was answered; its process has not asked for the next one */
    ENVIRONMENT_STOPPING,   /* killed; its last process is not gone yet */
    ENVIRONMENT_RESTARTING, /* the same, and the slot starts again afterwards */
    ENVIRONMENT_PARKING,    /* killed; the slot is kept for an invocation without its go */
    ENVIRONMENT_PARKED,     /* no process; the slot is kept for an invocation without its go */
    ENVIRONMENT_STATES,
};

enum environment_event {
    ENVIRONMENT_NO_EVENT,
    ENVIRONMENT_START,        /* an invocation wants a process in this slot */
    ENVIRONMENT_PACKAGE,      /* the package is here */
    ENVIRONMENT_NO_PACKAGE,   /* it cannot be had */
    ENVIRONMENT_SPAWNED,      /* the spawner made it */
    ENVIRONMENT_SPAWN_FAILED, /* or could not */
    ENVIRONMENT_NEXT,         /* the runtime asks for an event */
    ENVIRONMENT_INIT_ERROR,   /* the runtime reports that it cannot start */
    ENVIRONMENT_BIND,         /* an invocation takes it */
    ENVIRONMENT_RELEASE,      /* the invocation will not get its go */
    ENVIRONMENT_HAND_OUT,     /* the invocation got its go */
    ENVIRONMENT_ANSWERED,     /* the runtime answered the event */
    ENVIRONMENT_LIMIT,        /* the time that its state may last is over */
    ENVIRONMENT_STOP,         /* time limit of the invocation, pressure, or a fault */
    ENVIRONMENT_PARK,         /* killed, but an invocation waits for another try */
    ENVIRONMENT_EXITED,       /* the spawner says that its last process is gone */
    ENVIRONMENT_EVENTS,
};

enum environment_action {
    ENVIRONMENT_FORBIDDEN, /* a pair that is not in the table: our mistake */
    ENVIRONMENT_DO_NOTHING,
    ENVIRONMENT_DO_FETCH,   /* ask the package cache */
    ENVIRONMENT_DO_SPAWN,   /* ask the spawner */
    ENVIRONMENT_DO_GIVE_UP, /* tell the invocation that there will be none; clear the slot */
    ENVIRONMENT_DO_SERVE,   /* open its Runtime API, relays and output; arm the init limit */
    ENVIRONMENT_DO_REST,    /* offer it to the invocation that waits, or arm the freeze delay */
    ENVIRONMENT_DO_OFFER,   /* tell the invocation that it is ready */
    ENVIRONMENT_DO_THAW,    /* thaw, then as DO_OFFER */
    ENVIRONMENT_DO_FREEZE,  /* freeze; arm the idle limit */
    ENVIRONMENT_DO_DELIVER, /* hand the event out */
    ENVIRONMENT_DO_FINISH,  /* arm what is left of the time limit */
    ENVIRONMENT_DO_KILL,    /* close everything of it, ask the spawner to kill */
    ENVIRONMENT_DO_REPLACE, /* as DO_KILL, but the invocation that waits is the next one's */
    ENVIRONMENT_DO_OVERRUN, /* as DO_KILL; PARK follows if an invocation waits */
    ENVIRONMENT_DO_BURY,    /* tell the invocation that it died; clear the slot */
    ENVIRONMENT_DO_LOSE,    /* it died while promised: the invocation starts it again at its go */
    ENVIRONMENT_DO_CLEAR,   /* clear the slot */
};

struct environment_move {
    enum environment_state next;
    enum environment_action action;
};

struct environment_move environment_next(enum environment_state state,
                                         enum environment_event event);

/* True where the slot's memory counts, which is everywhere but FREE. */
bool environment_counts(enum environment_state state);

/* The state as a word, for logs and the tests. */
const char *environment_state_name(enum environment_state state);

#endif
