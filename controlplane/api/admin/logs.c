/* What a function printed, asked of every worker that is there and merged. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/api/admin/admin.h"
#include "controlplane/api/admin/log_merge_rules.h"
#include "controlplane/api/lambda/function_name.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/functions.h"

enum { LOG_BYTES_DEFAULT = 1048576, LOG_BYTES_MAX = 4194304 };

/* One worker's part of a listing. */
struct logs_part {
    struct logs *logs;
    char worker[NODE_BYTES_MAX + 1];
    Lapwing__Logs *answer; /* owned; NULL: it gave none */
};

/* The operation's part of a call; owned by it. */
struct logs {
    struct api_call *call;
    struct log_cursors cursors;
    char *function;
    size_t count;
    size_t waiting;
    struct logs_part parts[LOG_CURSORS_MAX];
};

static void logs_free(void *data)
{
    struct logs *logs = data;

    for (size_t i = 0; i < logs->count; i++)
        if (logs->parts[i].answer != NULL)
            lapwing__logs__free_unpacked(logs->parts[i].answer, NULL);
    free(logs->function);
    free(logs);
}

/* A worker that gave no answer keeps its cursor: its lines come with a later listing. */
static void logs_answer(struct logs *logs)
{
    struct log_part parts[LOG_CURSORS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < logs->count; i++)
        if (logs->parts[i].answer != NULL)
            parts[count++] = (struct log_part){ logs->parts[i].worker, logs->parts[i].answer };
    api_answer_json(logs->call, 200, log_merge(parts, count, &logs->cursors));
}

static enum status find_row(const struct logs *logs)
{
    const struct function_scope *scope = &logs->call->scope;
    Lapwing__Function *row = NULL;
    struct err err = { 0 };
    enum status st = state_get_function(logs->call->api->reader, scope->account, scope->region,
                                        logs->function, &row, &err);

    if (st == ST_OK)
        lapwing__function__free_unpacked(row, NULL);
    return st;
}

static void row_barrier_cb(enum status st, void *context)
{
    struct logs *logs = context;
    struct api_call *call = logs->call;
    char arn[FUNCTION_ARN_BYTES_MAX];

    if (st != ST_OK) {
        api_fail_status(call, st, "look for the function");
    } else if (find_row(logs) == ST_NOT_FOUND) {
        function_arn(&call->scope, logs->function, NULL, arn);
        (void)api_error_set(&call->error, ST_NOT_FOUND, API_NOT_FOUND, "Function not found: %s",
                            arn);
        api_fail(call, &call->error);
    } else {
        logs_answer(logs);
    }
    api_call_drop(call);
}

/* An empty answer for a name that nobody ever had would look as if the function were silent.  Lines
 * outlive their function, so only when there are none does it matter whether it exists; and this
 * node's rows may be a moment behind, so "no" is said after a barrier. */
static void logs_finish(struct logs *logs)
{
    struct api_call *call = logs->call;
    bool lines = logs->cursors.count > 0; /* of an earlier page */
    enum status st;

    for (size_t i = 0; i < logs->count; i++)
        lines = lines || (logs->parts[i].answer != NULL && logs->parts[i].answer->n_lines > 0);
    if (lines || find_row(logs) != ST_NOT_FOUND) {
        logs_answer(logs);
        return;
    }
    st = replica_barrier(call->api->options.control_client, API_READ_MS, row_barrier_cb, logs);
    if (st == ST_OK)
        api_call_hold(call);
    else
        api_fail_status(call, st, "look for the function");
}

/* The message is borrowed: keep a copy until all have answered. */
static Lapwing__Logs *copy_logs(const Lapwing__Logs *logs)
{
    size_t len = lapwing__logs__get_packed_size(logs);
    uint8_t *packed = must_calloc(1, len + 1);
    Lapwing__Logs *copy;

    (void)lapwing__logs__pack(logs, packed);
    copy = lapwing__logs__unpack(NULL, len, packed);
    CHECK(copy != NULL);
    free(packed);
    return copy;
}

static void logs_cb(enum status st, const Lapwing__Logs *answer, void *context)
{
    struct logs_part *part = context;
    struct logs *logs = part->logs;
    struct api_call *call = logs->call;

    if (st == ST_OK)
        part->answer = copy_logs(answer);
    if (--logs->waiting == 0)
        logs_finish(logs);
    api_call_drop(call);
}

static void logs_ask(struct logs *logs, uint32_t max_bytes)
{
    struct api_call *call = logs->call;
    struct dispatch *dispatch = call->api->options.dispatch;
    size_t workers;
    const struct worker_view *const *views = dispatch_workers(dispatch, &workers);

    for (size_t i = 0; i < workers; i++) {
        struct logs_part *part = &logs->parts[logs->count];
        Lapwing__ReadLogs question = LAPWING__READ_LOGS__INIT;

        part->logs = logs;
        memcpy(part->worker, views[i]->name, sizeof part->worker);
        question.account = (char *)(uintptr_t)call->scope.account;
        question.region = call->region;
        question.function = logs->function;
        question.after = log_cursors_get(&logs->cursors, part->worker);
        question.max_bytes = max_bytes;
        if (dispatch_read_logs(dispatch, i, &question, logs_cb, part) != ST_OK)
            continue;
        logs->count++;
        logs->waiting++;
        api_call_hold(call);
    }
}

static void use_region(struct api_call *call)
{
    char *region = api_parameter(call, "region");

    if (region != NULL && region[0] != '\0' && strlen(region) <= REGION_BYTES_MAX)
        memcpy(call->region, region, strlen(region) + 1);
    free(region);
}

static uint32_t wanted_bytes(const struct api_call *call)
{
    char *text = api_parameter(call, "max_bytes");
    long bytes = text == NULL ? LOG_BYTES_DEFAULT : strtol(text, NULL, 10);

    free(text);
    if (bytes < 1)
        return LOG_BYTES_DEFAULT;
    return bytes > LOG_BYTES_MAX ? LOG_BYTES_MAX : (uint32_t)bytes;
}

static enum status check_parameters(const struct logs *logs,
                                    const char *function,
                                    const char *token,
                                    struct log_cursors *out_cursors)
{
    struct api_error *error = &logs->call->error;

    if (function == NULL || function[0] == '\0' || strlen(function) > FUNCTION_NAME_BYTES_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Parameter function must be the name of a function.");
    if (token != NULL && log_cursors_read(token, out_cursors) != ST_OK)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Parameter after must be `next` of an earlier answer.");
    return ST_OK;
}

void admin_logs(struct api_call *call)
{
    struct logs *logs = must_calloc(1, sizeof *logs);
    char *token = api_parameter(call, "after");

    logs->call = call;
    logs->function = api_parameter(call, "function");
    call->data = logs;
    call->data_free = logs_free;
    if (check_parameters(logs, logs->function, token, &logs->cursors) != ST_OK) {
        free(token);
        api_fail(call, &call->error);
        return;
    }
    free(token);
    use_region(call);
    logs_ask(logs, wanted_bytes(call));
    if (logs->waiting == 0)
        logs_finish(logs);
}
