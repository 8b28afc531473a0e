/* Invocations: what invocation_plan decides is done here.  Loop thread. */
#include "worker/agent/invocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/agent/invocation_send.h"
#include "worker/agent/report.h"

enum { INVOCATIONS_MAX = 8192, WAITING_MAX = 1024, STARTS_PER_PROCESSOR = 2 };

static struct invocation *find(struct agent *agent, struct stream *stream, uint64_t id)
{
    for (struct invocation *inv = agent->invocations; inv != NULL; inv = inv->next)
        if (inv->stream == stream && inv->offer->id == id)
            return inv;
    return NULL;
}

static struct invocation *take(struct agent *agent)
{
    struct invocation *inv = agent->spare;
    int rv;

    if (inv != NULL) {
        agent->spare = inv->next;
    } else {
        inv = must_calloc(1, sizeof *inv);
        rv = uv_timer_init(agent->loop, &inv->timer);
        CHECK(rv == 0); /* cannot fail on a live loop */
        inv->agent = agent;
    }
    inv->next = agent->invocations;
    agent->invocations = inv;
    agent->invocation_count++;
    return inv;
}

/* ---- the list of those who wait ---- */

static void wait_enter(struct invocation *inv)
{
    struct agent *agent = inv->agent;

    CHECK(!inv->waits);
    inv->waits = true;
    inv->since_ms = uv_now(agent->loop);
    inv->wait_next = NULL;
    *agent->waiting_last = inv;
    agent->waiting_last = &inv->wait_next;
    agent->waiting_count++;
}

static void wait_leave(struct invocation *inv)
{
    struct agent *agent = inv->agent;
    struct invocation **at;

    if (!inv->waits)
        return;
    for (at = &agent->waiting; *at != inv; at = &(*at)->wait_next)
        CHECK(*at != NULL);
    *at = inv->wait_next;
    if (agent->waiting_last == &inv->wait_next)
        agent->waiting_last = at;
    agent->waiting_count--;
    inv->waits = false;
}

/* How many wait for the same before `inv`. */
static uint32_t waiting_before(const struct invocation *inv)
{
    uint32_t count = 0;

    for (const struct invocation *at = inv->agent->waiting; at != NULL && at != inv;
         at = at->wait_next)
        count += slot_identity_equal(&at->identity, &inv->identity);
    return count;
}

struct invocation *invocation_take_waiting(struct agent *agent,
                                           const struct slot_identity *identity)
{
    for (struct invocation *inv = agent->waiting; inv != NULL; inv = inv->wait_next) {
        if (!slot_identity_equal(&inv->identity, identity))
            continue;
        wait_leave(inv);
        return inv;
    }
    return NULL;
}

/* The timer's handle stays open, so that a struct can be used again at once. */
static void give_back(struct invocation *inv)
{
    struct agent *agent = inv->agent;
    struct invocation **at;

    CHECK(inv->environment == NULL);
    wait_leave(inv);
    (void)uv_timer_stop(&inv->timer);
    for (at = &agent->invocations; *at != inv; at = &(*at)->next)
        CHECK(*at != NULL);
    *at = inv->next;
    agent->invocation_count--;
    lapwing__offer__free_unpacked(inv->offer, NULL);
    inv->offer = NULL;
    inv->stream = NULL;
    inv->tail.total = 0;
    inv->failure_payload.len = 0;
    inv->next = agent->spare;
    agent->spare = inv;
}

static void log_line(struct invocation *inv, struct buf *line)
{
    function_log_append(inv->agent->logs, inv->log_key, clock_stamp_ms(&clock_system),
                        buf_view(line));
    invocation_line(inv, buf_view(line));
    line->len = 0;
}

void invocation_line(struct invocation *inv, struct bytes line)
{
    if (!inv->offer->log_tail)
        return;
    tail_add(&inv->tail, line);
    tail_add(&inv->tail, bytes_of("\n", 1));
}

static void log_start(struct invocation *inv)
{
    struct buf line = { 0 };

    inv->started_log = true;
    report_start(&line, inv->offer->request_id, inv->offer->version);
    log_line(inv, &line);
    buf_done(&line);
}

static void log_report(struct invocation *inv, const struct invocation_outcome *outcome)
{
    struct report report = {
        .request_id = inv->offer->request_id,
        .duration_us = outcome->duration_us,
        .init_us = inv->init_us,
        .memory_mb = inv->offer->function->memory_mb,
        .max_memory_mb = inv->peak_mb,
        .status = outcome->report_status,
        .error_type = outcome->report_type,
    };
    struct buf line = { 0 };

    if (outcome->timed_out) {
        report_timed_out(&line, inv->offer->request_id, clock_stamp_ms(&clock_system),
                         inv->offer->function->timeout_s);
        log_line(inv, &line);
    }
    if (outcome->out_of_memory) {
        report_out_of_memory(&line, inv->offer->request_id, report.memory_mb);
        log_line(inv, &line);
    }
    report_end(&line, inv->offer->request_id);
    log_line(inv, &line);
    report_line(&line, &report);
    log_line(inv, &line);
    buf_done(&line);
}

/* The one result of this invocation. */
static void finish(struct invocation *inv, struct invocation_outcome *outcome)
{
    struct environment *env = inv->environment;

    (void)uv_timer_stop(&inv->timer);
    outcome->duration_us = (uv_hrtime() - inv->go_ns) / 1000;
    if (env != NULL && env->peak_mb > inv->peak_mb)
        inv->peak_mb = env->peak_mb;
    log_report(inv, outcome);
    invocation_send_result(inv, outcome);
}

uint64_t invocation_left_ms(const struct invocation *inv)
{
    uint64_t limit = (uint64_t)inv->offer->function->timeout_s * 1000;
    uint64_t used = (uv_hrtime() - inv->go_ns) / 1000000;

    return used >= limit ? 1 : limit - used;
}

static void timer_cb(uv_timer_t *timer)
{
    struct invocation *inv = container_of(timer, struct invocation, timer);

    invocation_on(inv, inv->state == INVOCATION_WAITING ? INVOCATION_LATE : INVOCATION_TIMEOUT);
}

static void arm(struct invocation *inv, uint64_t ms)
{
    int rv = uv_timer_start(&inv->timer, timer_cb, ms, 0);

    CHECK(rv == 0); /* fails only on a closing handle */
}

/* ---- actions ---- */

static struct slot_identity identity_of(const Lapwing__Offer *offer)
{
    struct slot_identity identity = { .config_epoch = offer->function->config_epoch,
                                      .version = 14695981039346656037u };

    (void)hex_decode(offer->function->uid, identity.uid, sizeof identity.uid); /* was checked */
    for (const char *c = offer->version; *c != '\0'; c++)
        identity.version = (identity.version ^ (uint8_t)*c) * 1099511628211u; /* FNV-1a */
    return identity;
}

static void start(struct invocation *inv, const struct slots_decision *decision)
{
    struct agent *agent = inv->agent;
    struct environment *env = &agent->environments[decision->slot];

    for (size_t i = 0; i < decision->evict_count; i++)
        environment_on(&agent->environments[decision->evict[i]], ENVIRONMENT_STOP);
    agent->slots[decision->slot].identity = inv->identity;
    environment_start(env, inv->offer->function, inv->offer->version, inv);
}

/* Wait, `us` at most.  One that waits already goes on: its time does not start anew. */
static enum invocation_event wait(struct invocation *inv, uint64_t us)
{
    if (inv->waits)
        return INVOCATION_NO_EVENT;
    wait_enter(inv);
    arm(inv, (us + 999) / 1000);
    return INVOCATION_NO_EVENT;
}

/* All slots or all memory are busy.  A front door that has asked everybody lets its offer wait. */
static enum invocation_event full(struct invocation *inv)
{
    struct agent *agent = inv->agent;
    uint64_t now_ms = uv_now(agent->loop);

    if (now_ms < inv->room_until_ms && agent->waiting_count < WAITING_MAX)
        return wait(inv, (inv->room_until_ms - now_ms) * 1000);
    inv->refuse_reason = LAPWING__REFUSE_REASON__REFUSE_FULL;
    (void)snprintf(inv->refusal, sizeof inv->refusal, "no memory or no slot for %u MB",
                   inv->offer->function->memory_mb);
    return INVOCATION_ENVIRONMENT_NONE;
}

/* Find an environment.  Returns INVOCATION_ENVIRONMENT_NONE when there is no room. */
static enum invocation_event place(struct invocation *inv)
{
    struct agent *agent = inv->agent;
    struct slots_wish wish = { .identity = inv->identity,
                               .memory_mb = inv->offer->function->memory_mb,
                               .wait_allowed = agent->waiting_count < WAITING_MAX,
                               .late = inv->late,
                               .since_ms = inv->since_ms,
                               .waiting = waiting_before(inv),
                               .starts_max = agent->starts_max,
                               .host_busy = host_load_busy(&agent->load, uv_hrtime()) };
    struct slots_decision decision;

    CHECK(inv->environment == NULL);
    if (runtimes_find(&agent->runtimes, inv->offer->function->runtime) == NULL) {
        inv->refuse_reason = LAPWING__REFUSE_REASON__REFUSE_RUNTIME;
        (void)snprintf(inv->refusal, sizeof inv->refusal, "no runtime %.60s on this host",
                       inv->offer->function->runtime);
        return INVOCATION_ENVIRONMENT_NONE;
    }
    slots_decide(agent->slots, agent->settings->environments_max, agent->settings->memory_mb, &wish,
                 &decision);
    if (decision.choice == SLOTS_WAIT)
        return wait(inv, decision.wait_us);
    if (decision.choice == SLOTS_FULL)
        return full(inv);
    wait_leave(inv);
    (void)uv_timer_stop(&inv->timer);
    inv->cold = decision.choice != SLOTS_TAKE;
    if (decision.choice == SLOTS_START)
        start(inv, &decision);
    else
        environment_bind(&agent->environments[decision.slot], inv);
    return INVOCATION_NO_EVENT;
}

/* It waited in vain for a busy environment, or for room. */
static enum invocation_event place_late(struct invocation *inv)
{
    wait_leave(inv);
    inv->late++;
    return place(inv);
}

static void look_cb(uv_prepare_t *look)
{
    struct agent *agent = container_of(look, struct agent, look);
    struct invocation *next;

    (void)uv_prepare_stop(look);
    /* What is placed here takes no other off the list. */
    for (struct invocation *inv = agent->waiting; inv != NULL; inv = next) {
        next = inv->wait_next;
        invocation_on(inv, place(inv));
    }
}

void invocations_look(struct agent *agent)
{
    if (agent->waiting_count > 0)
        (void)uv_prepare_start(&agent->look, look_cb);
}

void invocations_init(struct agent *agent)
{
    int rv = uv_prepare_init(agent->loop, &agent->look);

    CHECK(rv == 0); /* cannot fail on a live loop */
    agent->waiting_last = &agent->waiting;
    agent->starts_max = STARTS_PER_PROCESSOR * uv_available_parallelism();
    host_load_init(&agent->load);
}

static void hand_out(struct invocation *inv)
{
    const Lapwing__Offer *offer = inv->offer;
    uint64_t left_ms = invocation_left_ms(inv);
    struct runtime_event event = {
        .request_id = offer->request_id,
        .deadline_ms = clock_stamp_ms(&clock_system) + left_ms,
        .invoked_arn = offer->invoked_arn,
        .trace_id = offer->trace_id,
        .client_context = offer->client_context,
        .payload = bytes_of(offer->payload.data, offer->payload.len),
    };

    environment_hand_out(inv->environment, &event);
    environment_measure(inv->environment);
}

static void start_clock(struct invocation *inv)
{
    inv->go_ns = uv_hrtime();
    arm(inv, (uint64_t)inv->offer->function->timeout_s * 1000);
}

static void let_go(struct invocation *inv)
{
    struct environment *env = inv->environment;

    if (env == NULL)
        return;
    environment_unbind(env);
    environment_on(env, ENVIRONMENT_RELEASE);
}

static void send_timed_out(struct invocation *inv)
{
    struct environment *env = inv->environment;
    struct invocation_outcome outcome = { .error_type = "Sandbox.Timedout",
                                          .report_status = "timeout",
                                          .timed_out = true,
                                          .failed = true };
    struct buf payload = { 0 };

    if (env != NULL)
        environment_drain(env);
    payload_timed_out(&payload, inv->offer->request_id, inv->offer->function->timeout_s);
    outcome.payload = buf_view(&payload);
    finish(inv, &outcome);
    buf_done(&payload);
    if (env == NULL)
        return;
    environment_unbind(env);
    environment_on(env, ENVIRONMENT_STOP);
}

static void send_failure(struct invocation *inv)
{
    struct invocation_outcome outcome = { .failed = true };
    struct buf payload = { 0 };

    if (!inv->started_log) {
        /* Its init failed before go: the lines of an invocation that never reached the function. */
        inv->go_ns = uv_hrtime();
        log_start(inv);
    }
    invocation_failure_outcome(inv, &payload, &outcome);
    finish(inv, &outcome);
    buf_done(&payload);
}

static void send_none(struct invocation *inv)
{
    struct invocation_outcome outcome = { .failed = true,
                                          .error_type = "Sandbox.Failure",
                                          .report_status = "error",
                                          .report_type = "Sandbox.Failure" };
    struct buf payload = { 0 };

    payload_failure(&payload, inv->offer->request_id, inv->refusal);
    outcome.payload = buf_view(&payload);
    finish(inv, &outcome);
    buf_done(&payload);
}

/* Perform one action.  Returns the event it caused at once, or INVOCATION_NO_EVENT. */
static enum invocation_event perform(struct invocation *inv, enum invocation_action action)
{
    switch (action) {
    case INVOCATION_DO_NOTHING:
    case INVOCATION_DO_SEND_RESULT: /* by invocation_answered(), which has the answer */
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_SEND_READY:
        (void)uv_timer_stop(&inv->timer);
        invocation_send_ready(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_SEND_REFUSE:
        if (inv->stream != NULL)
            invocation_refuse(inv->stream, inv->offer->id, inv->refuse_reason, inv->refusal);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_PLACE_AGAIN:
        return place_late(inv);
    case INVOCATION_DO_LET_GO:
        let_go(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_HAND_OUT:
        start_clock(inv);
        hand_out(inv);
        log_start(inv); /* what the function prints is read later, and so comes after it */
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_RESTART:
        start_clock(inv);
        log_start(inv);
        environment_on(inv->environment, ENVIRONMENT_START);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_CONTINUE:
        inv->init_us = 0; /* part of the duration */
        hand_out(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_SEND_FAILURE:
        send_failure(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_SEND_NONE:
        send_none(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_SEND_TIMED_OUT:
        send_timed_out(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_FORBIDDEN:
        break;
    }
    CHECK(!"invocation: event not allowed in this state");
}

void invocation_on(struct invocation *inv, enum invocation_event event)
{
    while (event != INVOCATION_NO_EVENT) {
        struct invocation_move move = invocation_next(inv->state, event);

        inv->state = move.next;
        event = perform(inv, move.action);
        if (move.next == INVOCATION_DONE && move.action != INVOCATION_DO_SEND_RESULT) {
            CHECK(event == INVOCATION_NO_EVENT);
            give_back(inv);
            return;
        }
    }
}

void invocation_answered(struct invocation *inv, const struct runtime_answer *answer)
{
    struct environment *env = inv->environment;
    struct invocation_outcome outcome = { .failed = answer->failed || answer->too_large,
                                          .payload = answer->body };
    struct buf payload = { 0 };
    uint64_t left_ms = invocation_left_ms(inv);

    invocation_on(inv, outcome.failed ? INVOCATION_ERRED : INVOCATION_RESPONDED);
    if (answer->too_large) {
        payload_too_large(&payload);
        outcome.payload = buf_view(&payload);
        outcome.error_type = "Function.ResponseSizeTooLarge";
    } else if (answer->failed) {
        outcome.error_type = payload_error_type(answer->error_type);
    }
    if (outcome.failed) {
        outcome.report_status = "error";
        outcome.report_type = outcome.error_type;
    }
    finish(inv, &outcome);
    buf_done(&payload);
    environment_unbind(env);
    give_back(inv);
    environment_answered(env, left_ms);
}

/* ---- from the link ---- */

void invocation_offer(struct agent *agent, struct stream *stream, Lapwing__Offer *offer)
{
    struct invocation *inv;

    if (agent->invocation_count == INVOCATIONS_MAX) {
        invocation_refuse(stream, offer->id, LAPWING__REFUSE_REASON__REFUSE_FULL,
                          "too many invocations");
        lapwing__offer__free_unpacked(offer, NULL);
        return;
    }
    inv = take(agent);
    inv->state = INVOCATION_WAITING;
    inv->stream = stream;
    inv->offer = offer;
    inv->identity = identity_of(offer);
    inv->room_until_ms = uv_now(agent->loop) + offer->room_within_ms;
    inv->late = 0;
    inv->cold = false;
    inv->started_log = false;
    inv->init_us = 0;
    inv->peak_mb = 0;
    inv->failure = FAILURE_NONE;
    inv->refusal[0] = '\0';
    agent_log_key(offer->function, inv->log_key);
    invocation_on(inv, place(inv));
}

void invocation_go(struct agent *agent, struct stream *stream, uint64_t id)
{
    struct invocation *inv = find(agent, stream, id);

    if (inv != NULL)
        invocation_on(inv, INVOCATION_GO);
}

void invocation_withdraw(struct agent *agent, struct stream *stream, uint64_t id)
{
    struct invocation *inv = find(agent, stream, id);

    if (inv != NULL)
        invocation_on(inv, INVOCATION_WITHDRAWN);
}

void invocations_stream_closed(struct agent *agent, struct stream *stream)
{
    struct invocation *inv = agent->invocations;

    while (inv != NULL) {
        struct invocation *next = inv->next;

        if (inv->stream == stream) {
            inv->stream = NULL;
            invocation_on(inv, INVOCATION_WITHDRAWN);
        }
        inv = next;
    }
}

static void close_cb(uv_handle_t *handle)
{
    struct invocation *inv = container_of((uv_timer_t *)handle, struct invocation, timer);

    buf_done(&inv->failure_payload);
    free(inv);
}

void invocations_stop(struct agent *agent)
{
    uv_close((uv_handle_t *)&agent->look, NULL);
    while (agent->invocations != NULL) {
        if (agent->invocations->environment != NULL)
            environment_unbind(agent->invocations->environment);
        give_back(agent->invocations);
    }
    while (agent->spare != NULL) {
        struct invocation *inv = agent->spare;

        agent->spare = inv->next;
        uv_close((uv_handle_t *)&inv->timer, close_cb);
    }
}
