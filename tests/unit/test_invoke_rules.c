#include "controlplane/api/lambda/invoke_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proto/message_limits.h"
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
    { "a context that is no object",
      { NULL, NULL, "WzFd" },
      "InvalidRequestContentException",
      INVOKE_REQUEST_RESPONSE,
      false,
      "[1]" },
    { "a context with blanks around it",
      { NULL, NULL, "IAp7fQo=" },
      NULL,
      INVOKE_REQUEST_RESPONSE,
      false,
      " \n{}\n" },
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

TEST(a_client_context_is_refused_in_the_words_of_aws)
{
    static const struct {
        const char *context, *text;
    } texts[] = {
        { "{}", "Client context must be a valid Base64-encoded JSON object." },
        { "eA==", "Client context must be a valid JSON-encoded object." },
        { "MQ==", "Client context must be a valid JSON-encoded object." },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct invoke_headers headers = { NULL, NULL, texts[i].context };
        struct invoke_settings settings = { 0 };
        struct api_error error = { 0 };

        EXPECT_EQ(invoke_settings_read(&headers, &settings, &error), ST_BAD_INPUT);
        EXPECT_TEXT(error.text, texts[i].text);
        buf_done(&settings.client_context);
    }
}

TEST(a_client_context_is_held_to_its_limit)
{
    /* Base64 comes in fours: 3580 is the longest that the limit of 3583 lets through. */
    static const size_t sizes[] = { CLIENT_CONTEXT_BASE64_BYTES_MAX - 3,
                                    CLIENT_CONTEXT_BASE64_BYTES_MAX + 1 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf json = { 0 };
        struct buf text = { 0 };
        struct invoke_headers headers = { NULL, NULL, NULL };
        struct invoke_settings settings = { 0 };
        struct api_error error = { 0 };

        buf_append_text(&json, "{\"a\":\"");
        while (json.len < sizes[i] / 4 * 3 - 2)
            buf_append_text(&json, "x");
        buf_append_text(&json, "\"}");
        base64_encode(buf_view(&json), &text);
        headers.client_context = buf_text(&text);
        EXPECT_EQ(text.len, sizes[i]);
        EXPECT_EQ(invoke_settings_read(&headers, &settings, &error), i == 0 ? ST_OK : ST_BAD_INPUT);
        EXPECT_TEXT(error.text,
                    i == 0 ? "" : "Client context must be at most 3583 bytes of base64.");
        EXPECT(settings.client_context.len <= CLIENT_CONTEXT_BYTES_MAX); /* a worker takes it */
        buf_done(&settings.client_context);
        buf_done(&json);
        buf_done(&text);
    }
}

TEST(a_trace_goes_on_as_it_is_if_a_worker_would_take_it)
{
    static char longest[TRACE_ID_BYTES_MAX + 2];
    static const struct {
        const char *given;
        bool usable;
    } traces[] = {
        { "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", true },
        { "anything that is text", true },
        { NULL, false },
        { "", false },
        { "a\tb", false },
        { "l\xc3\xa4rm", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        test_case = traces[i].given;
        EXPECT_EQ(invoke_trace_is_usable(traces[i].given), traces[i].usable);
    }
    test_case = NULL;
    memset(longest, 'x', TRACE_ID_BYTES_MAX);
    EXPECT(invoke_trace_is_usable(longest));
    longest[TRACE_ID_BYTES_MAX] = 'x';
    EXPECT(!invoke_trace_is_usable(longest));
}

TEST(a_new_trace_has_root_parent_and_is_not_sampled)
{
    static const uint8_t random[TRACE_ROOT_BYTES + TRACE_PARENT_BYTES] = { 1, [12] = 0xab };
    char out[TRACE_ID_BYTES_MAX + 1];

    invoke_trace_write(0x5759e988, random, out);
    EXPECT_TEXT(out, "Root=1-5759e988-010000000000000000000000;Parent=ab00000000000000;Sampled=0");
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
    { ST_BAD_INPUT, 400, "InvalidParameterValueException", "Function f was not started: why.",
      NULL },
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
