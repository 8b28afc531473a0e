#include "controlplane/api/lambda/invoke_rules.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static const struct {
    const char *name;
    struct invoke_headers headers;
    const char *code;
    enum invoke_type type;
    bool tail;
    const char *context;
} rows[] = {
    { "no header at all", { NULL, NULL, NULL }, NULL, INVOKE_REQUEST_RESPONSE, false, "" },
    { "all the usual ones",
      { "RequestResponse", "Tail", "e30=" },
      NULL,
      INVOKE_REQUEST_RESPONSE,
      true,
      "{}" },
    { "a dry run", { "DryRun", "None", "" }, NULL, INVOKE_DRY_RUN, false, "" },
    { "an event", { "Event", NULL, NULL }, "NotImplementedException", INVOKE_EVENT, false, "" },
    { "an unknown type",
      { "Stream", NULL, NULL },
      "ValidationException",
      INVOKE_REQUEST_RESPONSE,
      false,
      "" },
    { "an unknown log type",
      { NULL, "tail", NULL },
      "ValidationException",
      INVOKE_REQUEST_RESPONSE,
      false,
      "" },
    { "a context that is not base64",
      { NULL, NULL, "{}" },
      "InvalidRequestContentException",
      INVOKE_REQUEST_RESPONSE,
      false,
      "" },
    { "a context that is not JSON",
      { NULL, NULL, "eA==" },
      "InvalidRequestContentException",
      INVOKE_REQUEST_RESPONSE,
      false,
      "x" },
};

TEST(the_headers_of_invoke_are_read_or_refused_by_name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct invoke_settings settings = { 0 };
        struct api_error error = { 0 };

        test_case = rows[i].name;
        EXPECT_EQ(invoke_settings_read(&rows[i].headers, &settings, &error) == ST_OK,
                  rows[i].code == NULL);
        EXPECT_TEXT(error.code, rows[i].code);
        EXPECT_EQ(settings.type, rows[i].type);
        EXPECT_EQ(settings.log_tail, rows[i].tail);
        EXPECT_TEXT(buf_text(&settings.client_context), rows[i].context);
        buf_done(&settings.client_context);
    }
}

static const struct {
    enum status st;
    unsigned http_status;
    const char *code;
    const char *text;
    const char *reason;
} failures[] = {
    { ST_LIMIT, 429, "TooManyRequestsException", "Rate Exceeded.",
      "ConcurrentInvocationLimitExceeded" },
    { ST_UNSUPPORTED, 502, "InvalidRuntimeException", "Function f was not started: why.", NULL },
    { ST_UNKNOWN, 500, "ServiceException",
      "Function f was started and its outcome is unknown: why.", NULL },
    { ST_UNAVAILABLE, 503, "ServiceUnavailableException", "Function f was not started: why.",
      NULL },
    { ST_TIMEOUT, 503, "ServiceUnavailableException", "Function f was not started: why.", NULL },
};

TEST(only_what_was_started_is_told_as_unknown)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        struct api_error error = { 0 };

        invoke_failure(failures[i].st, "f", "why", &error);
        EXPECT_EQ(error.http_status, failures[i].http_status);
        EXPECT_TEXT(error.code, failures[i].code);
        EXPECT_TEXT(error.text, failures[i].text);
        EXPECT_TEXT(error.reason, failures[i].reason);
    }
}
