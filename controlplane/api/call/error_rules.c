/* Refusals, rendered.  See error_rules.h. */
#include "controlplane/api/call/error_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const struct {
    const char *name;
    unsigned http_status;
    bool capital;     /* the text is member `Message` rather than `message` */
    const char *type; /* member `Type`, or NULL where the shape has none */
} codes[API_CODES] = {
    [API_INVALID_PARAMETER] = { "InvalidParameterValueException", 400, false, "User" },
    [API_INVALID_CONTENT] = { "InvalidRequestContentException", 400, false, "User" },
    [API_VALIDATION] = { "ValidationException", 400, false, NULL },
    [API_SERIALIZATION] = { "SerializationException", 400, true, "User" },
    [API_MISSING_TOKEN] = { "MissingAuthenticationTokenException", 403, false, NULL },
    [API_INCOMPLETE_SIGNATURE] = { "IncompleteSignatureException", 400, false, NULL },
    [API_UNRECOGNIZED_CLIENT] = { "UnrecognizedClientException", 403, false, NULL },
    [API_INVALID_SIGNATURE] = { "InvalidSignatureException", 403, false, NULL },
    [API_ACCESS_DENIED] = { "AccessDeniedException", 403, true, NULL },
    [API_NOT_FOUND] = { "ResourceNotFoundException", 404, true, "User" },
    [API_UNKNOWN_OPERATION] = { "UnknownOperationException", 404, false, "User" },
    [API_CONFLICT] = { "ResourceConflictException", 409, false, "User" },
    [API_PRECONDITION] = { "PreconditionFailedException", 412, false, "User" },
    [API_ENTITY_TOO_LARGE] = { "RequestEntityTooLargeException", 413, false, "User" },
    [API_TOO_MANY_REQUESTS] = { "TooManyRequestsException", 429, false, "User" },
    [API_SERVICE] = { "ServiceException", 500, true, "Service" },
    [API_NOT_IMPLEMENTED] = { "NotImplementedException", 501, false, "Service" },
    [API_INVALID_RUNTIME] = { "InvalidRuntimeException", 502, true, "User" },
    [API_UNAVAILABLE] = { "ServiceUnavailableException", 503, false, "Service" },
};

/* Names that a query service gives to what the Lambda API calls otherwise. */
static const struct {
    const char *json;
    const char *query;
} query_names[] = {
    { "MissingAuthenticationTokenException", "MissingAuthenticationToken" },
    { "UnrecognizedClientException", "InvalidClientTokenId" },
    { "InvalidSignatureException", "SignatureDoesNotMatch" },
    { "IncompleteSignatureException", "IncompleteSignature" },
    { "UnknownOperationException", "InvalidAction" },
    { "NotImplementedException", "NotImplemented" },
    { "ServiceUnavailableException", "ServiceUnavailable" },
    { "AccessDeniedException", "AccessDenied" },
};

enum status api_error_set(
    struct api_error *error, enum status st, enum api_code code, const char *format, ...)
{
    va_list args;

    CHECK(st != ST_OK);
    CHECK(code < API_CODES);
    if (error == NULL)
        return st;
    error->http_status = codes[code].http_status;
    error->code = codes[code].name;
    error->reason = NULL;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return st;
}

enum status api_error_not_answered(struct api_error *error,
                                   enum status st,
                                   const char *what,
                                   const char *why)
{
    switch (st) {
    case ST_UNKNOWN:
        return api_error_set(error, st, API_UNAVAILABLE,
                             "outcome unknown: %s: %s. It may or may not have been done, and will "
                             "be done at most once: look before you repeat it.",
                             what, why != NULL ? why : "no answer came in time");
    case ST_LIMIT:
        return api_error_set(error, st, API_UNAVAILABLE,
                             "not done: %s: too many requests are waiting. Please try again.",
                             what);
    case ST_UNAVAILABLE:
    case ST_TIMEOUT:
    case ST_NOT_LEADER:
        return api_error_set(error, st, API_UNAVAILABLE, "not done: %s: %s. Please try again.",
                             what, why != NULL ? why : "no quorum of the cluster can be reached");
    default:
        return api_error_set(error, st, API_SERVICE, "%s: %s", what, status_name(st));
    }
}

enum status api_error_not_built(struct api_error *error, const char *service, const char *action)
{
    if (action == NULL || action[0] == '\0')
        return api_error_set(error, ST_UNSUPPORTED, API_NOT_IMPLEMENTED,
                             "Lapwing does not implement the service %s.", service);
    return api_error_set(error, ST_UNSUPPORTED, API_NOT_IMPLEMENTED,
                         "Lapwing does not implement %s of the service %s yet.", action, service);
}

void api_append_json_text(struct buf *out, const char *text)
{
    buf_append_text(out, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;

        if (byte == '"' || byte == '\\')
            buf_printf(out, "\\%c", byte);
        else if (byte == '\n')
            buf_append_text(out, "\\n");
        else if (byte < 0x20)
            buf_printf(out, "\\u%04x", byte);
        else
            buf_append(out, at, 1);
    }
    buf_append_text(out, "\"");
}

void api_append_xml_text(struct buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;

        if (byte == '<')
            buf_append_text(out, "&lt;");
        else if (byte == '>')
            buf_append_text(out, "&gt;");
        else if (byte == '&')
            buf_append_text(out, "&amp;");
        else if (byte < 0x20 && byte != '\n' && byte != '\t')
            buf_append_text(out, "?"); /* XML 1.0 cannot carry it, not even escaped */
        else
            buf_append(out, at, 1);
    }
}

static void render_json(const struct api_error *error, bool with_type, struct buf *out)
{
    const char *type = "Service";
    bool capital = false;

    for (size_t i = 0; i < API_CODES; i++) {
        if (strcmp(codes[i].name, error->code) != 0)
            continue;
        type = codes[i].type;
        capital = codes[i].capital;
    }
    buf_append_text(out, "{");
    if (with_type)
        buf_printf(out, "\"__type\":\"%s\",", error->code);
    if (error->reason != NULL)
        buf_printf(out, "\"Reason\":\"%s\",", error->reason);
    if (type != NULL)
        buf_printf(out, "\"Type\":\"%s\",", type);
    buf_append_text(out, capital ? "\"Message\":" : "\"message\":");
    api_append_json_text(out, error->text);
    buf_append_text(out, "}");
}

static void render_query_xml(const struct api_error *error, const char *request_id, struct buf *out)
{
    const char *code = error->code;

    for (size_t i = 0; i < ARRAY_LEN(query_names); i++)
        if (strcmp(query_names[i].json, code) == 0)
            code = query_names[i].query;
    buf_printf(out, "<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>",
               error->http_status < 500 ? "Sender" : "Receiver", code);
    api_append_xml_text(out, error->text);
    buf_printf(out, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>\n", request_id);
}

static void render_s3_xml(const struct api_error *error, const char *request_id, struct buf *out)
{
    bool unavailable = error->http_status == 503;

    buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>",
               unavailable ? "ServiceUnavailable" : error->code);
    api_append_xml_text(out, error->text);
    buf_printf(out, "</Message><RequestId>%s</RequestId></Error>", request_id);
}

void api_error_render(const struct api_error *error,
                      enum route_dialect dialect,
                      const char *request_id,
                      struct buf *out)
{
    CHECK(error->code != NULL);
    CHECK(error->http_status >= 400);
    if (dialect == ROUTE_DIALECT_JSON || dialect == ROUTE_DIALECT_TARGET_JSON)
        render_json(error, dialect == ROUTE_DIALECT_TARGET_JSON, out);
    else if (dialect == ROUTE_DIALECT_QUERY_XML)
        render_query_xml(error, request_id, out);
    else
        render_s3_xml(error, request_id, out);
}

const char *api_error_content_type(enum route_dialect dialect)
{
    if (dialect == ROUTE_DIALECT_JSON)
        return "application/json";
    if (dialect == ROUTE_DIALECT_TARGET_JSON)
        return "application/x-amz-json-1.0";
    return dialect == ROUTE_DIALECT_QUERY_XML ? "text/xml" : "application/xml";
}
