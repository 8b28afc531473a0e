/* See invoke_rules.h. */
#include "controlplane/api/lambda/invoke_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/api/lambda/payload_rules.h"
#include "proto/message_limits.h"

static enum status refuse_enum(const char *value,
                               const char *member,
                               const char *allowed,
                               struct api_error *error)
{
    return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                         "1 validation error detected: Value '%.128s' at '%s' failed to satisfy "
                         "constraint: Member must satisfy enum value set: [%s]",
                         value, member, allowed);
}

static enum status read_type(const char *text, enum invoke_type *out, struct api_error *error)
{
    static const char *const names[] = { [INVOKE_REQUEST_RESPONSE] = "RequestResponse",
                                         [INVOKE_EVENT] = "Event",
                                         [INVOKE_DRY_RUN] = "DryRun" };

    *out = INVOKE_REQUEST_RESPONSE;
    if (text == NULL || text[0] == '\0')
        return ST_OK;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], text) == 0) {
            *out = (enum invoke_type)i;
            return ST_OK;
        }
    return refuse_enum(text, "invocationType", "Event, RequestResponse, DryRun", error);
}

/* Of valid JSON: is it an object? */
static bool starts_object(struct bytes json)
{
    size_t at = 0;

    while (at < json.len && strchr(" \t\r\n", json.data[at]) != NULL)
        at++;
    return at < json.len && json.data[at] == '{';
}

static enum status read_context(const char *text, struct buf *out, struct api_error *error)
{
    if (text == NULL || text[0] == '\0')
        return ST_OK;
    if (strlen(text) > CLIENT_CONTEXT_BASE64_BYTES_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Client context must be at most %d bytes of base64.",
                             CLIENT_CONTEXT_BASE64_BYTES_MAX);
    if (base64_decode(bytes_of_text(text), out) != ST_OK)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Client context must be a valid Base64-encoded JSON object.");
    if (payload_check(buf_view(out), NULL) != ST_OK || !starts_object(buf_view(out)))
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Client context must be a valid JSON-encoded object.");
    return ST_OK;
}

enum status invoke_settings_read(const struct invoke_headers *headers,
                                 struct invoke_settings *out,
                                 struct api_error *error)
{
    enum status st = read_type(headers->invocation_type, &out->type, error);

    if (st != ST_OK)
        return st;
    if (out->type == INVOKE_EVENT)
        return api_error_set(error, ST_UNSUPPORTED, API_NOT_IMPLEMENTED,
                             "Lapwing does not implement InvocationType Event of Invoke yet.");
    out->log_tail = false;
    if (headers->log_type != NULL && strcmp(headers->log_type, "Tail") == 0)
        out->log_tail = true;
    else if (headers->log_type != NULL && headers->log_type[0] != '\0' &&
             strcmp(headers->log_type, "None") != 0)
        return refuse_enum(headers->log_type, "logType", "None, Tail", error);
    return read_context(headers->client_context, &out->client_context, error);
}

bool invoke_trace_is_usable(const char *given)
{
    size_t len = given == NULL ? 0 : strlen(given);

    if (len == 0 || len > TRACE_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (given[i] < ' ' || given[i] > '~')
            return false;
    return true;
}

void invoke_trace_write(uint32_t now_s,
                        const uint8_t random[TRACE_ROOT_BYTES + TRACE_PARENT_BYTES],
                        char *out)
{
    char root[2 * TRACE_ROOT_BYTES + 1];
    char parent[2 * TRACE_PARENT_BYTES + 1];

    hex_encode(bytes_of(random, TRACE_ROOT_BYTES), root);
    hex_encode(bytes_of(random + TRACE_ROOT_BYTES, TRACE_PARENT_BYTES), parent);
    (void)snprintf(out, TRACE_ID_BYTES_MAX + 1, "Root=1-%08x-%s;Parent=%s;Sampled=0", now_s, root,
                   parent);
}

void invoke_failure(enum status st, const char *name, const char *text, struct api_error *error)
{
    switch (st) {
    case ST_LIMIT:
        (void)api_error_set(error, st, API_TOO_MANY_REQUESTS, "Rate Exceeded.");
        error->reason = "ConcurrentInvocationLimitExceeded";
        return;
    case ST_UNSUPPORTED:
        (void)api_error_set(error, st, API_INVALID_RUNTIME, "Function %s was not started: %s.",
                            name, text);
        return;
    case ST_BAD_INPUT:
        (void)api_error_set(error, st, API_INVALID_PARAMETER, "Function %s was not started: %s.",
                            name, text);
        return;
    case ST_UNKNOWN:
        (void)api_error_set(error, st, API_SERVICE,
                            "Function %s was started and its outcome is unknown: %s.", name, text);
        return;
    default:
        (void)api_error_set(error, st, API_UNAVAILABLE, "Function %s was not started: %s.", name,
                            text);
        return;
    }
}
