/* Package checks and log reads: one frame there, one back.  See dispatch.h.
 *
 * A package check may go to any worker, so a lost one only means asking the next; a log read is
 * about one worker and ends with it. */
#include "controlplane/dispatch/worker_question.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/dispatch/dispatch_internal.h"
#include "controlplane/dispatch/prefetch_plan.h"

/* Taken from the pool by a start, given back when its timer has closed. */
struct worker_question {
    struct dispatch *dispatch;
    struct worker_call call;
    uv_timer_t timer;
    uint64_t excluded;
    Lapwing__CheckPackage check;
    uint8_t sha256[32];
    dispatch_checked_fn checked; /* one of the two */
    dispatch_logs_fn logs;
    void *context;
    bool answered;
};

size_t worker_question_bytes(void)
{
    return sizeof(struct worker_question);
}

static void question_close_cb(uv_handle_t *handle)
{
    struct worker_question *question =
        container_of((uv_timer_t *)(void *)handle, struct worker_question, timer);

    pool_give(question->dispatch->questions, question);
}

static void question_answer(struct worker_question *question,
                            enum status st,
                            const ProtobufCMessage *message)
{
    CHECK(!question->answered);
    question->answered = true;
    worker_call_end(&question->call);
    uv_close((uv_handle_t *)&question->timer, question_close_cb);
    if (question->checked != NULL)
        question->checked(st, (const Lapwing__PackageChecked *)(const void *)message,
                          question->context);
    else
        question->logs(st, (const Lapwing__Logs *)(const void *)message, question->context);
}

static void question_timer_cb(uv_timer_t *timer)
{
    question_answer(container_of(timer, struct worker_question, timer), ST_TIMEOUT, NULL);
}

static enum status check_ask_worker(struct worker_question *question, struct worker *worker)
{
    enum status st = worker_call_start(&worker->link, &question->call);

    if (st != ST_OK)
        return st;
    question->check.id = question->call.id;
    st = worker_call_send(&question->call, LAPWING__INVOKE_FRAME__CHECK_PACKAGE,
                          &question->check.base, (struct bytes){ 0 });
    if (st != ST_OK)
        worker_call_end(&question->call);
    return st;
}

/* Ask the next worker to check.  ST_UNAVAILABLE when all were asked. */
static enum status check_ask(struct worker_question *question)
{
    struct placement_need need = { .zone = question->dispatch->options.zone };

    for (;;) {
        enum status st;
        uint64_t bit = 0;
        struct worker *worker;

        need.excluded = question->excluded;
        worker = dispatch_choose(question->dispatch, &need, &bit, &st);
        if (worker == NULL)
            return ST_UNAVAILABLE;
        question->excluded |= bit;
        if (check_ask_worker(question, worker) == ST_OK)
            return ST_OK;
    }
}

static void question_message_cb(struct worker_call *call,
                                uint16_t type,
                                const ProtobufCMessage *message)
{
    struct worker_question *question = container_of(call, struct worker_question, call);
    const Lapwing__PackageChecked *checked = (const Lapwing__PackageChecked *)(const void *)message;
    uint16_t want = question->checked != NULL ? LAPWING__INVOKE_FRAME__PACKAGE_CHECKED
                                              : LAPWING__INVOKE_FRAME__LOGS;

    if (type != want) {
        worker_call_abort_link(call, "a frame that was not asked for");
        return;
    }
    /* That it could not check says nothing about the package. */
    if (question->checked != NULL && checked->status != ST_OK && checked->status != ST_BAD_INPUT) {
        worker_call_end(call);
        if (check_ask(question) == ST_OK)
            return;
    }
    question_answer(question, ST_OK, message);
}

static void question_lost_cb(struct worker_call *call)
{
    struct worker_question *question = container_of(call, struct worker_question, call);

    if (question->checked != NULL && check_ask(question) == ST_OK)
        return;
    question_answer(question, ST_UNAVAILABLE, NULL);
}

static struct worker_question *question_new(struct dispatch *dispatch, uint64_t deadline_ms)
{
    struct worker_question *question = pool_take(dispatch->questions);
    int rv;

    if (question == NULL)
        return NULL;
    question->dispatch = dispatch;
    question->call.on_message = question_message_cb;
    question->call.on_lost = question_lost_cb;
    rv = uv_timer_init(dispatch->options.loop, &question->timer);
    CHECK(rv == 0);
    rv = uv_timer_start(&question->timer, question_timer_cb, deadline_ms, 0);
    CHECK(rv == 0);
    return question;
}

/* A start that failed never calls back. */
static enum status question_discard(struct worker_question *question, enum status st)
{
    worker_call_end(&question->call);
    uv_close((uv_handle_t *)&question->timer, question_close_cb);
    return st;
}

static void fill_check(struct worker_question *question, const uint8_t sha256[32], uint64_t bytes)
{
    memcpy(question->sha256, sha256, sizeof question->sha256);
    lapwing__check_package__init(&question->check);
    question->check.sha256.data = question->sha256;
    question->check.sha256.len = sizeof question->sha256;
    question->check.bytes = bytes;
}

enum status dispatch_check_package(struct dispatch *dispatch,
                                   const uint8_t sha256[32],
                                   uint64_t bytes,
                                   dispatch_checked_fn done,
                                   void *context)
{
    struct worker_question *question = question_new(dispatch, PACKAGE_CHECK_MS);
    enum status st;

    if (question == NULL)
        return ST_LIMIT;
    fill_check(question, sha256, bytes);
    question->checked = done;
    question->context = context;
    st = check_ask(question);
    return st == ST_OK ? ST_OK : question_discard(question, st);
}

static void prefetched_cb(enum status st, const Lapwing__PackageChecked *checked, void *context)
{
    const struct worker *worker = context;

    if (st == ST_OK && checked->status != ST_OK)
        log_event(LOG_INFO, "package_not_prefetched", LS("worker", worker->view.name),
                  LS("why", checked->text));
}

static void prefetch_by(struct worker *worker, const Lapwing__Function *function)
{
    struct worker_question *question = question_new(worker->dispatch, PACKAGE_CHECK_MS);

    if (question == NULL)
        return;
    question->excluded = UINT64_MAX; /* nobody is asked instead */
    question->checked = prefetched_cb;
    question->context = worker;
    fill_check(question, function->code_sha256.data, function->code_bytes);
    if (check_ask_worker(question, worker) != ST_OK)
        (void)question_discard(question, ST_UNAVAILABLE);
}

void dispatch_prefetch(struct dispatch *dispatch, const Lapwing__Function *function)
{
    uint64_t chosen = prefetch_choose(dispatch->views, dispatch->worker_count, function);

    for (size_t i = 0; i < dispatch->worker_count; i++)
        if ((chosen >> i & 1) != 0)
            prefetch_by(dispatch->workers[i], function);
}

enum status dispatch_read_logs(struct dispatch *dispatch,
                               size_t worker,
                               const Lapwing__ReadLogs *what,
                               dispatch_logs_fn done,
                               void *context)
{
    struct worker_question *question;
    Lapwing__ReadLogs frame = *what;
    enum status st;

    CHECK(worker < dispatch->worker_count);
    if (!worker_view_is_usable(&dispatch->workers[worker]->view))
        return ST_UNAVAILABLE;
    question = question_new(dispatch, LOG_READ_MS);
    if (question == NULL)
        return ST_LIMIT;
    question->logs = done;
    question->context = context;
    st = worker_call_start(&dispatch->workers[worker]->link, &question->call);
    if (st != ST_OK)
        return question_discard(question, st);
    frame.id = question->call.id;
    st = worker_call_send(&question->call, LAPWING__INVOKE_FRAME__READ_LOGS, &frame.base,
                          (struct bytes){ 0 });
    return st == ST_OK ? ST_OK : question_discard(question, st);
}
