/* Invoke: the function as this node knows it, then dispatch; no commit, no other node on the way.
 *
 *   row here? ──yes──────────────► dispatch ──► answer
 *       └──no──► barrier ──► row? ────┘ └──► 404
 *
 * Only a function that is not here costs a round to the leader: it may have been made a moment ago
 * through another node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/api/lambda/function_cache.h"
#include "controlplane/api/lambda/invoke_rules.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/api/lambda/payload_rules.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/replica/replica.h"
#include "proto/message_limits.h"

/* The operation's part of a call; owned by it. */
struct invoke {
    struct api_call *call;
    struct function_ref ref;
    struct invoke_settings settings;
    struct function_row *row; /* held */
    char arn[FUNCTION_ARN_BYTES_MAX];
    char version[FUNCTION_VERSION_BYTES];
    char trace_id[TRACE_ID_BYTES_MAX + 1];
};

static void invoke_free(void *data)
{
    struct invoke *invoke = data;

    buf_done(&invoke->settings.client_context);
    function_row_drop(invoke->row);
    free(invoke);
}

static void answer_result(struct invoke *invoke, const Lapwing__Result *result)
{
    struct buf tail = { 0 };
    const struct api_field fields[] = {
        { "Content-Type", "application/json" },
        { "X-Amz-Executed-Version", invoke->version },
        { "X-Amz-Function-Error",
          result->function_error[0] == '\0' ? NULL : result->function_error },
        { "X-Amz-Log-Result", NULL },
        { "X-Amzn-Trace-Id", invoke->trace_id },
    };
    struct api_field list[ARRAY_LEN(fields)];

    memcpy(list, fields, sizeof list);
    if (invoke->settings.log_tail) {
        base64_encode(bytes_of(result->log_tail.data, result->log_tail.len), &tail);
        list[3].value = buf_text(&tail);
    }
    api_answer_fields(invoke->call, 200, list, ARRAY_LEN(list),
                      bytes_of(result->payload.data, result->payload.len));
    buf_done(&tail);
}

static void invoke_done_cb(const struct dispatch_outcome *outcome, void *context)
{
    struct invoke *invoke = context;
    struct api_call *call = invoke->call;

    if (outcome->st == ST_OK) {
        answer_result(invoke, outcome->result);
    } else {
        invoke_failure(outcome->st, invoke->ref.name, outcome->text, &call->error);
        log_event(LOG_WARN, "invocation_failed", LS("request", call->request_id),
                  LS("function", invoke->ref.name), LS("worker", outcome->worker),
                  LS("why", status_name(outcome->st)), LS("text", outcome->text));
        api_fail(call, &call->error);
    }
    api_call_drop(call);
}

/* The client's, as it is, or a new one. */
static void choose_trace_id(struct invoke *invoke)
{
    char *given = api_header(invoke->call, "X-Amzn-Trace-Id");
    uint8_t random[TRACE_ROOT_BYTES + TRACE_PARENT_BYTES];

    if (invoke_trace_is_usable(given)) {
        (void)snprintf(invoke->trace_id, sizeof invoke->trace_id, "%s", given);
    } else {
        random_bytes(random, sizeof random);
        invoke_trace_write((uint32_t)(clock_stamp_ms(&clock_system) / 1000), random,
                           invoke->trace_id);
    }
    free(given);
}

static void invoke_run(struct invoke *invoke)
{
    struct api_call *call = invoke->call;
    struct dispatch_invocation what = { .function = invoke->row->function,
                                        .request_id = call->request_id,
                                        .version = invoke->version,
                                        .invoked_arn = invoke->arn,
                                        .trace_id = invoke->trace_id,
                                        .payload = buf_view(&call->body),
                                        .log_tail = invoke->settings.log_tail };
    struct err err = { 0 };
    enum status st;

    if (invoke->settings.type == INVOKE_DRY_RUN) {
        api_answer_fields(call, 204, NULL, 0, bytes_of_text(""));
        return;
    }
    if (what.payload.len == 0)
        what.payload = bytes_of_text("{}");
    what.client_context = buf_text(&invoke->settings.client_context);
    choose_trace_id(invoke);
    function_arn(&call->scope, invoke->ref.name, invoke->ref.qualifier, invoke->arn);
    function_version_text(invoke->row->function->version, invoke->version);
    st = dispatch_invoke(call->api->options.dispatch, &what, invoke_done_cb, invoke, &err);
    if (st == ST_OK) {
        api_call_hold(call);
        return;
    }
    invoke_failure(st, invoke->ref.name, err.text, &call->error);
    api_fail(call, &call->error);
}

/* The function as this node knows it now. */
static enum status invoke_find(struct invoke *invoke, struct api_error *error)
{
    const struct api_call *call = invoke->call;
    const struct function_ref *ref = &invoke->ref;
    /* Before the read: a change that comes between makes the row stale at once. */
    uint64_t changes = replica_changes(call->api->options.control);
    Lapwing__Function *function = NULL;
    uint64_t version;
    enum status st;

    if (function_ref_version(ref, &version))
        invoke->row = function_cache_find(call->api->functions, call->scope.account,
                                          call->scope.region, ref->name, version, changes);
    if (invoke->row != NULL)
        return ST_OK;
    st = lambda_row_of(call, ref, &function, error);
    if (st == ST_OK)
        invoke->row = function_cache_add(call->api->functions, function, changes);
    return st;
}

static void invoke_barrier_cb(enum status st, void *context)
{
    struct invoke *invoke = context;
    struct api_call *call = invoke->call;

    if (st != ST_OK)
        api_fail_status(call, st, "look for the function");
    else if (invoke_find(invoke, &call->error) != ST_OK)
        api_fail(call, &call->error);
    else
        invoke_run(invoke);
    api_call_drop(call);
}

static enum status invoke_read(struct invoke *invoke, struct api_error *error)
{
    struct api_call *call = invoke->call;
    char *type = api_header(call, "X-Amz-Invocation-Type");
    char *log_type = api_header(call, "X-Amz-Log-Type");
    char *context = api_header(call, "X-Amz-Client-Context");
    const struct invoke_headers headers = { type, log_type, context };
    enum status st = lambda_function_of(call, &invoke->ref, error);

    if (st == ST_OK)
        st = invoke_settings_read(&headers, &invoke->settings, error);
    free(type);
    free(log_type);
    free(context);
    return st;
}

void lambda_invoke_prepare(struct api_call *call)
{
    call->prepared = payload_check(buf_view(&call->body), &call->error);
}

void lambda_invoke(struct api_call *call)
{
    struct invoke *invoke = must_calloc(1, sizeof *invoke);
    enum status st;

    invoke->call = call;
    call->data = invoke;
    call->data_free = invoke_free;
    if (call->prepared != ST_OK) {
        if (lambda_function_of(call, &invoke->ref, NULL) == ST_OK)
            lambda_log_cli_hint(call, "payload_not_json", invoke->ref.name);
        api_fail(call, &call->error);
        return;
    }
    if (invoke_read(invoke, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    st = invoke_find(invoke, &call->error);
    if (st == ST_OK) {
        invoke_run(invoke);
        return;
    }
    if (st != ST_NOT_FOUND) {
        api_fail(call, &call->error);
        return;
    }
    st = replica_barrier(call->api->options.control_client, API_READ_MS, invoke_barrier_cb, invoke);
    if (st == ST_OK)
        api_call_hold(call);
    else
        api_fail_status(call, st, "look for the function");
}
