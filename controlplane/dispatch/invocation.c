/* The driver of an invocation: performs what invocation_plan.c decides.  See dispatch.h. */
#include "controlplane/dispatch/invocation.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/dispatch/dispatch_internal.h"
#include "controlplane/dispatch/invocation_plan.h"

/* One pool of concurrency with fixed epochs until grants hand them out.
 * TODO(grants): take both from the front door's session. */
enum { SESSION_EPOCH = 1, POOL_EPOCH = 1 };

enum { OFFER_PAYLOAD_TAG = 6 << 3 | 2 }; /* field 6 of Offer, length-delimited */

/* Taken from the pool by dispatch_invoke(), given back once finished with nothing in flight. */
struct invocation {
    enum invocation_state state;
    unsigned in_flight; /* the timer handle, and the start itself */
    bool starting;      /* dispatch_invoke() has not returned */

    struct dispatch *dispatch; /* borrowed; outlives its invocations */
    struct dispatch_invocation what;
    dispatch_done_fn done;
    void *context;

    struct worker *worker; /* asked now, or NULL */
    uint64_t asked;        /* its bit */
    struct placement_need need;
    uint32_t room_within_ms; /* how long it may keep the offer while it is full */
    struct worker_call call;
    uv_timer_t timer; /* of the offer, then of the run */
    uint64_t place_until_ms;

    enum status outcome;
    const Lapwing__Result *result; /* borrowed while it is answered */
    struct err err;
};

size_t invocation_bytes(void)
{
    return sizeof(struct invocation);
}

static void invocation_on(struct invocation *inv, enum invocation_event event);

static uint64_t now_ms(const struct invocation *inv)
{
    return uv_now(inv->dispatch->options.loop);
}

static void invocation_timer_cb(uv_timer_t *timer)
{
    struct invocation *inv = container_of(timer, struct invocation, timer);
    bool again = inv->state == INVOCATION_OFFERED && now_ms(inv) < inv->place_until_ms;

    invocation_on(inv, again ? INVOCATION_SLOW : INVOCATION_DEADLINE);
}

static void arm(struct invocation *inv, uint64_t ms)
{
    int rv = uv_timer_start(&inv->timer, invocation_timer_cb, ms, 0);

    CHECK(rv == 0);
}

static enum invocation_event take_refusal(struct invocation *inv, const Lapwing__Refuse *refuse)
{
    inv->outcome = ST_UNAVAILABLE;
    if (refuse->reason == LAPWING__REFUSE_REASON__REFUSE_FULL) {
        inv->outcome = ST_LIMIT;
        worker_view_full(&inv->worker->view, inv->what.function);
        if (inv->room_within_ms == 0)
            inv->need.full |= inv->asked;
    }
    if (refuse->reason == LAPWING__REFUSE_REASON__REFUSE_RUNTIME)
        inv->outcome = ST_UNSUPPORTED;
    (void)err_set(&inv->err, inv->outcome, "worker %s: %.160s", inv->worker->view.name,
                  refuse->text[0] == '\0' ? status_name(inv->outcome) : refuse->text);
    return INVOCATION_REFUSED;
}

static enum invocation_event event_of(struct invocation *inv,
                                      uint16_t type,
                                      const ProtobufCMessage *message)
{
    if (type == LAPWING__INVOKE_FRAME__READY)
        return INVOCATION_READY;
    if (type == LAPWING__INVOKE_FRAME__REFUSE)
        return take_refusal(inv, (const Lapwing__Refuse *)(const void *)message);
    if (type != LAPWING__INVOKE_FRAME__RESULT)
        return INVOCATION_NO_EVENT;
    inv->result = (const Lapwing__Result *)(const void *)message;
    return INVOCATION_RESULT;
}

static void invocation_message_cb(struct worker_call *call,
                                  uint16_t type,
                                  const ProtobufCMessage *message)
{
    struct invocation *inv = container_of(call, struct invocation, call);
    enum invocation_event event = event_of(inv, type, message);

    /* What a worker may not say now is its mistake and must not become ours. */
    if (invocation_next(inv->state, event).action == INVOCATION_FORBIDDEN) {
        inv->result = NULL;
        worker_call_abort_link(call, "a frame that its state does not allow");
        return;
    }
    invocation_on(inv, event);
}

static void invocation_lost_cb(struct worker_call *call)
{
    struct invocation *inv = container_of(call, struct invocation, call);

    inv->outcome = ST_UNAVAILABLE;
    (void)err_set(&inv->err, ST_UNAVAILABLE, "the link to worker %s was lost",
                  inv->worker->view.name);
    invocation_on(inv, INVOCATION_LOST);
}

static void invocation_timer_close_cb(uv_handle_t *handle)
{
    struct invocation *inv = container_of((uv_timer_t *)(void *)handle, struct invocation, timer);

    inv->in_flight--;
    invocation_on(inv, INVOCATION_NO_EVENT);
}

/* The payload goes behind the packed message under its own tag: same bytes on the wire, one copy of
 * up to six megabytes less. */
static enum status send_offer(struct invocation *inv)
{
    const struct dispatch_invocation *what = &inv->what;
    Lapwing__Offer offer = LAPWING__OFFER__INIT;
    struct buf tail = { 0 };
    uint8_t header[12];
    size_t header_len = 0;
    enum status st;

    offer.id = inv->call.id;
    offer.request_id = (char *)(uintptr_t)what->request_id;
    offer.function = (Lapwing__Function *)(uintptr_t)what->function;
    offer.version = (char *)(uintptr_t)what->version;
    offer.invoked_arn = (char *)(uintptr_t)what->invoked_arn;
    offer.ready_within_ms = INVOCATION_READY_MS;
    offer.room_within_ms = inv->room_within_ms;
    offer.log_tail = what->log_tail;
    offer.client_context = (char *)(uintptr_t)what->client_context;
    offer.trace_id = (char *)(uintptr_t)what->trace_id;
    offer.session_epoch = SESSION_EPOCH;
    offer.pool_epoch = POOL_EPOCH;
    if (what->payload.len <= 1024) {
        offer.payload.data = (uint8_t *)(uintptr_t)what->payload.data;
        offer.payload.len = what->payload.len;
        return worker_call_send(&inv->call, LAPWING__INVOKE_FRAME__OFFER, &offer.base,
                                (struct bytes){ 0 });
    }
    header[header_len++] = OFFER_PAYLOAD_TAG;
    for (size_t left = what->payload.len; left > 0; left >>= 7)
        header[header_len++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    buf_append(&tail, header, header_len);
    buf_append(&tail, what->payload.data, what->payload.len);
    st = worker_call_send(&inv->call, LAPWING__INVOKE_FRAME__OFFER, &offer.base, buf_view(&tail));
    buf_done(&tail);
    return st;
}

/* Each is asked once; when all are full, once more the best one, which may then keep the offer
 * until it has room. */
static struct worker *choose(struct invocation *inv, enum status *out_status)
{
    struct worker *worker = dispatch_choose(inv->dispatch, &inv->need, &inv->asked, out_status);

    if (worker != NULL || !placement_insist(&inv->need))
        return worker;
    inv->room_within_ms = INVOCATION_ROOM_MS;
    return dispatch_choose(inv->dispatch, &inv->need, &inv->asked, out_status);
}

/* Why nobody was even asked. */
static void note_nobody(struct invocation *inv, enum status st)
{
    const Lapwing__Function *function = inv->what.function;

    inv->outcome = st;
    if (st == ST_UNSUPPORTED)
        (void)err_set(&inv->err, st, "no worker has the runtime %s", function->runtime);
    else if (st == ST_BAD_INPUT)
        (void)err_set(&inv->err, st,
                      "it needs %u MB, more than any worker with its runtime has for functions "
                      "([worker] memory_mb)",
                      function->memory_mb);
    else
        (void)err_set(&inv->err, st, "no worker is there to run %s", function->name);
}

static enum invocation_event do_offer(struct invocation *inv)
{
    enum status st;
    struct worker *worker;

    if (inv->dispatch->closing || (inv->worker != NULL && now_ms(inv) >= inv->place_until_ms))
        return INVOCATION_DEADLINE;
    worker = choose(inv, &st);
    if (worker == NULL) {
        /* With everybody asked, what the last one said is the better reason. */
        if (inv->worker == NULL)
            note_nobody(inv, st);
        return INVOCATION_NOBODY;
    }
    inv->need.excluded |= inv->asked;
    inv->worker = worker;
    st = worker_call_start(&worker->link, &inv->call);
    if (st == ST_OK) {
        st = send_offer(inv);
        if (st != ST_OK)
            worker_call_end(&inv->call);
    }
    if (st != ST_OK) {
        inv->outcome = st;
        (void)err_set(&inv->err, st, "worker %s takes no more offers", worker->view.name);
        return INVOCATION_OFFER_FAILED;
    }
    worker_view_offered(&worker->view, inv->what.function);
    arm(inv, INVOCATION_READY_MS);
    return INVOCATION_OFFER_SENT;
}

static void withdraw(struct invocation *inv)
{
    Lapwing__Withdraw withdraw = LAPWING__WITHDRAW__INIT;

    withdraw.id = inv->call.id;
    inv->outcome = ST_TIMEOUT;
    (void)err_set(&inv->err, ST_TIMEOUT, "worker %s was not ready in time", inv->worker->view.name);
    log_event(LOG_WARN, "offer_withdrawn", LS("request", inv->what.request_id),
              LS("worker", inv->worker->view.name), LS("then", "asking the next worker"));
    (void)worker_call_send(&inv->call, LAPWING__INVOKE_FRAME__WITHDRAW, &withdraw.base,
                           (struct bytes){ 0 });
    worker_call_end(&inv->call);
}

static void do_go(struct invocation *inv)
{
    Lapwing__Go go = LAPWING__GO__INIT;
    enum status st;

    go.id = inv->call.id;
    arm(inv, (uint64_t)inv->what.function->timeout_s * 1000 + INVOCATION_SLACK_MS);
    st = worker_call_send(&inv->call, LAPWING__INVOKE_FRAME__GO, &go.base, (struct bytes){ 0 });
    /* A go that does not fit in the queue is never sent later: cut the link, and its close answers
     * this invocation as all the others on it. */
    if (st != ST_OK)
        worker_call_abort_link(&inv->call, "does not read its frames");
}

static void do_answer(struct invocation *inv, enum status st)
{
    struct dispatch_outcome outcome = { .st = st, .result = inv->result, .text = inv->err.text };

    inv->outcome = st;
    outcome.worker = inv->worker == NULL ? "" : inv->worker->view.name;
    worker_call_end(&inv->call);
    if (st == ST_OK)
        worker_view_returned(&inv->worker->view, inv->what.function);
    uv_close((uv_handle_t *)&inv->timer, invocation_timer_close_cb);
    if (!inv->starting)
        inv->done(&outcome, inv->context);
    inv->result = NULL;
}

/* Perform one action.  Returns the event it caused at once, or INVOCATION_NO_EVENT. */
static enum invocation_event invocation_do(struct invocation *inv, enum invocation_action action)
{
    switch (action) {
    case INVOCATION_DO_NOTHING:
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_WITHDRAW_OFFER:
        withdraw(inv);
        return do_offer(inv);
    case INVOCATION_DO_OFFER:
        worker_call_end(&inv->call);
        return do_offer(inv);
    case INVOCATION_DO_GO:
        do_go(inv);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_WITHDRAW_ANSWER:
        withdraw(inv);
        do_answer(inv, ST_TIMEOUT);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_ANSWER_NOT_DONE:
        do_answer(inv, inv->outcome == ST_OK ? ST_UNAVAILABLE : inv->outcome);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_ANSWER_UNKNOWN:
        do_answer(inv, ST_UNKNOWN);
        return INVOCATION_NO_EVENT;
    case INVOCATION_DO_ANSWER_RESULT:
        do_answer(inv, ST_OK);
        return INVOCATION_NO_EVENT;
    case INVOCATION_FORBIDDEN:
        break;
    }
    CHECK(!"invocation: event not allowed in this state");
    return INVOCATION_NO_EVENT;
}

static void invocation_on(struct invocation *inv, enum invocation_event event)
{
    while (event != INVOCATION_NO_EVENT) {
        struct invocation_move move = invocation_next(inv->state, event);

        inv->state = move.next;
        event = invocation_do(inv, move.action);
    }
    if (inv->state == INVOCATION_FINISHED && inv->in_flight == 0)
        pool_give(inv->dispatch->invocations, inv);
}

enum status dispatch_invoke(struct dispatch *dispatch,
                            const struct dispatch_invocation *what,
                            dispatch_done_fn done,
                            void *context,
                            struct err *err)
{
    struct invocation *inv = pool_take(dispatch->invocations);
    enum status st = ST_OK;
    int rv;

    if (inv == NULL)
        return err_set(err, ST_LIMIT, "%d invocations are in flight here", INVOCATIONS_MAX);
    inv->dispatch = dispatch;
    inv->what = *what;
    inv->need =
        (struct placement_need){ .function = inv->what.function, .zone = dispatch->options.zone };
    inv->done = done;
    inv->context = context;
    inv->call.on_message = invocation_message_cb;
    inv->call.on_lost = invocation_lost_cb;
    inv->place_until_ms = now_ms(inv) + INVOCATION_PLACE_MS;
    rv = uv_timer_init(dispatch->options.loop, &inv->timer);
    CHECK(rv == 0);
    inv->in_flight = 1; /* the timer handle */
    inv->starting = true;
    invocation_on(inv, do_offer(inv));
    inv->starting = false;
    if (inv->state == INVOCATION_FINISHED) {
        st = inv->outcome;
        (void)err_set(err, st, "%s", inv->err.text);
    }
    return st;
}
