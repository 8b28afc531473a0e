/* Invocations: the driver of invocation_plan.  Loop thread. */
#ifndef WORKER_AGENT_INVOCATION_H
#define WORKER_AGENT_INVOCATION_H

#include "worker/agent/agent.h"
#include "worker/agent/environment.h"
#include "worker/agent/invocation_plan.h"
#include "worker/agent/tail.h"

/* One offer and what became of it.  Taken from the agent's spares by invocation_offer(), given back
 * when it is DONE. */
struct invocation {
    struct agent *agent;
    struct invocation *next; /* of the agent's list */
    enum invocation_state state;
    uv_timer_t timer;             /* waiting, or the function's time limit */
    struct invocation *wait_next; /* of the agent's waiting list */
    bool waits;                   /* is on that list */
    uint32_t late;                /* how often it waited in vain */
    uint64_t since_ms;            /* the start of its last wait */
    uint64_t room_until_ms;       /* until then it may wait for room */
    struct slot_identity identity;
    struct stream *stream; /* NULL once the link is gone */
    Lapwing__Offer *offer; /* owned, checked */
    struct environment *environment;
    bool cold;
    bool started_log; /* START was written */
    uint64_t go_ns;
    uint64_t init_us;
    uint32_t peak_mb;
    struct tail tail;
    char log_key[LOG_KEY_BYTES];
    /* How its environment ended, copied before the slot is cleared. */
    enum runtime_failure failure;
    struct buf failure_payload;
    char failure_type[RUNTIME_ERROR_TYPE_BYTES];
    struct exit_fact exit;
    char start_error[64];
    char refusal[ERR_TEXT_BYTES];
    uint32_t refuse_reason;
};

/* Takes `offer`, which was checked. */
void invocation_offer(struct agent *agent, struct stream *stream, Lapwing__Offer *offer);
void invocation_go(struct agent *agent, struct stream *stream, uint64_t id);
void invocation_withdraw(struct agent *agent, struct stream *stream, uint64_t id);
/* Forget the stream: offers without go are withdrawn, the others run on unheard. */
void invocations_stream_closed(struct agent *agent, struct stream *stream);

/* From its environment. */
void invocation_on(struct invocation *inv, enum invocation_event event);
void invocation_answered(struct invocation *inv, const struct runtime_answer *answer);
/* A line that the environment printed while this invocation had it. */
void invocation_line(struct invocation *inv, struct bytes line);

/* Answer an offer that never became an invocation. */
void invocation_refuse(struct stream *stream, uint64_t id, uint32_t reason, const char *text);

/* Milliseconds left of the time limit; at least 1. */
uint64_t invocation_left_ms(const struct invocation *inv);

/* The first that waits for an environment of this identity, taken off the list; or NULL. */
struct invocation *invocation_take_waiting(struct agent *agent,
                                           const struct slot_identity *identity);
/* Slots changed: those who wait look again, before the loop sleeps. */
void invocations_look(struct agent *agent);

void invocations_init(struct agent *agent);
void invocations_stop(struct agent *agent);

#endif
