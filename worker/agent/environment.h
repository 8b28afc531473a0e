/* Execution environments: the driver of environment_plan.  Loop thread. */
#ifndef WORKER_AGENT_ENVIRONMENT_H
#define WORKER_AGENT_ENVIRONMENT_H

#include "proto/command.pb-c.h"
#include "proto/invoke.pb-c.h"
#include "worker/agent/agent.h"
#include "worker/agent/environment_plan.h"
#include "worker/agent/payloads.h"
#include "worker/runtime/runtime_server.h"

enum { ENVIRONMENT_VERSION_BYTES = 24, LOG_STREAM_BYTES = 96 };

struct output;
struct dns_relay;

/* One slot.  Its state is agent->slots[slot].state; everything here belongs to the slot's present
 * life and is cleared with it. */
struct environment {
    struct agent *agent;
    uint32_t slot;
    uv_timer_t timer;              /* the limit of the present state */
    struct invocation *invocation; /* that waits for it or runs in it; borrowed */
    Lapwing__Function *function;   /* owned */
    Lapwing__Function *successor;  /* owned: what the slot becomes after a restart, or NULL */
    char version[ENVIRONMENT_VERSION_BYTES];
    char log_key[LOG_KEY_BYTES];
    bool holds_package;
    struct package_waiter package;
    struct spawner_message *spawned; /* borrowed while SPAWNED is handled */
    struct runtime_server *runtime;
    struct relay *api, *dns_tcp;
    struct dns_relay *dns;
    struct output *output;
    uint64_t init_start_ns;
    uint64_t init_us; /* of the init that is done and not reported yet */
    uint32_t peak_mb;
    uint64_t usage_asked_ms;
    uint64_t busy_since_ns; /* promised to an invocation since then */
    uint64_t finish_ms;     /* how long it may go on after its answer */
    enum runtime_failure { FAILURE_NONE, FAILURE_POSTED, FAILURE_EXITED, FAILURE_OURS } failure;
    struct buf failure_payload; /* POSTED: the init error */
    char failure_type[RUNTIME_ERROR_TYPE_BYTES];
    struct exit_fact exit;
    char start_error[64];
    char refusal[ERR_TEXT_BYTES]; /* why it could not be started */
    uint32_t refuse_reason;       /* enum RefuseReason */
};

/* Prepare the slots; agent->environments and ->slots are allocated here. */
void environments_init(struct agent *agent);
void environments_stop(struct agent *agent);

enum environment_state environment_state(const struct environment *env);

/* Start the slot for a function (copied), for `inv`; the slot is free or idle.  The caller has set
 * the identity in agent->slots. */
void environment_start(struct environment *env,
                       const Lapwing__Function *function,
                       const char *version,
                       struct invocation *inv);
/* An event that needs no more than itself: BIND, RELEASE, STOP, START of a parked slot. */
void environment_on(struct environment *env, enum environment_event event);
/* Attach `inv` to a slot that is idle or starting. */
void environment_bind(struct environment *env, struct invocation *inv);
/* Detach its invocation, which got an answer or will never get its go. */
void environment_unbind(struct environment *env);

/* Hand the event out; only when HELD. */
void environment_hand_out(struct environment *env, const struct runtime_event *event);

/* Its runtime answered the event, `left_ms` before its time limit. */
void environment_answered(struct environment *env, uint64_t left_ms);

/* Lines that it printed so far are in the log after this. */
void environment_drain(struct environment *env);
/* Ask for its memory if that was not asked lately. */
void environment_measure(struct environment *env);

/* From the spawner. */
void environment_on_spawned(struct agent *agent, uint32_t slot, struct spawner_message *message);
void environment_on_exited(struct agent *agent, const Lapwing__EnvironmentExited *exited);
void environment_on_usage(struct agent *agent, uint32_t slot, const Lapwing__SpawnReply *reply);

#endif
