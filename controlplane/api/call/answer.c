/* Answers of the front door: every one carries its request id, an error also its type. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/api/call/call.h"
#include "controlplane/replica/replica.h"

enum { FIELDS_MAX = 8, LOG_TEXT_BYTES = 400 };

static bool take_answer(struct api_call *call)
{
    CHECK(!call->answered);
    call->answered = true;
    return call->http != NULL;
}

void api_answer_fields(struct api_call *call,
                       unsigned status,
                       const struct api_field *fields,
                       size_t count,
                       struct bytes body)
{
    struct http_answer_field list[FIELDS_MAX];
    struct http_answer answer = { .status = status, .fields = list };

    if (!take_answer(call))
        return;
    CHECK(count < FIELDS_MAX);
    list[answer.field_count++] = (struct http_answer_field){ "x-amzn-RequestId", call->request_id };
    for (size_t i = 0; i < count; i++)
        if (fields[i].value != NULL)
            list[answer.field_count++] =
                (struct http_answer_field){ fields[i].name, fields[i].value };
    http_respond(call->http, &answer, body);
}

void api_answer(struct api_call *call, unsigned status, const char *content_type, struct bytes body)
{
    const struct api_field field = { "Content-Type", content_type };

    api_answer_fields(call, status, &field, 1, body);
}

void api_answer_json(struct api_call *call, unsigned status, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    CHECK(text != NULL); /* our own values are never anything else */
    api_answer(call, status, "application/json", bytes_of_text(text));
    free(text);
    json_decref(value);
}

void api_log_refusal(struct api_call *call, const char *event, const char *code, const char *text)
{
    uint32_t left_out;
    char start[LOG_TEXT_BYTES];

    if (!log_limit_allows(&call->api->refusals, uv_now(call->api->options.loop), &left_out))
        return;
    /* A text may quote what the client sent: the beginning is enough to know it by. */
    (void)snprintf(start, sizeof start, "%s", text);
    log_event(LOG_INFO, event, LS("request", call->request_id), LS("method", call->method),
              LS("path", call->path), LS("code", code), LS("text", start));
    if (left_out > 0)
        log_event(LOG_WARN, "lines_left_out", LS("event", event), LU("count", left_out));
}

void api_fail(struct api_call *call, const struct api_error *error)
{
    struct buf body = { 0 };
    struct api_field fields[3] = { { "Content-Type", NULL } };
    size_t count = 1;

    CHECK(error->code != NULL);
    api_log_refusal(call, "api_refused", error->code, error->text);
    api_error_render(error, call->route.dialect, call->request_id, &body);
    fields[0].value = api_error_content_type(call->route.dialect);
    if (call->route.dialect == ROUTE_DIALECT_JSON ||
        call->route.dialect == ROUTE_DIALECT_TARGET_JSON)
        fields[count++] = (struct api_field){ "x-amzn-ErrorType", error->code };
    if (error->http_status == 429)
        fields[count++] = (struct api_field){ "Retry-After", "1" };
    api_answer_fields(call, error->http_status, fields, count, buf_view(&body));
    buf_done(&body);
}

const char *api_want_of_room(const struct api_call *call, struct err *out)
{
    struct replica_status status;

    replica_status(call->api->options.control, &status);
    replica_status_refusal(&status, out);
    return out->text[0] == '\0' ? NULL : out->text;
}

void api_fail_status(struct api_call *call, enum status st, const char *what)
{
    struct err why;
    enum status told;

    told = api_error_not_answered(&call->error, st, what, api_want_of_room(call, &why));
    CHECK(told == st);
    log_event(LOG_WARN, "api_failed", LS("request", call->request_id), LS("what", what),
              LS("why", status_name(st)), LS("then", "told the client"));
    api_fail(call, &call->error);
}

char *api_header(const struct api_call *call, const char *name)
{
    struct bytes value;
    char *text;

    if (call->http == NULL || !http_head_find(http_request_head(call->http), name, &value))
        return NULL;
    text = must_calloc(1, value.len + 1);
    memcpy(text, value.data, value.len);
    return text;
}

char *api_parameter(const struct api_call *call, const char *name)
{
    struct buf value = { 0 };
    char *text = NULL;

    if (http_query_find(bytes_of_text(call->query), name, &value) == ST_OK)
        text = must_strdup(buf_text(&value));
    buf_done(&value);
    return text;
}
