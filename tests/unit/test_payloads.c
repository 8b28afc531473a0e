#include "worker/agent/payloads.h"

#include "tests/unit/check.h"

#define ID "11111111-2222-4333-8444-555555555555"

static const struct {
    const char *name;
    struct exit_fact fact;
    const char *want;
    const char *type;
} exits[] = {
    { "exit 0",
      { false, false, 0 },
      "Runtime exited without providing a reason",
      "Runtime.ExitError" },
    { "exit 127",
      { false, false, 127 },
      "Runtime exited with error: exit status 127",
      "Runtime.ExitError" },
    { "killed",
      { true, false, 9 },
      "Runtime exited with error: signal: killed",
      "Runtime.ExitError" },
    { "a crash",
      { true, false, 11 },
      "Runtime exited with error: signal: segmentation fault",
      "Runtime.ExitError" },
    { "a rare signal",
      { true, false, 40 },
      "Runtime exited with error: signal: signal 40",
      "Runtime.ExitError" },
    { "memory, seen as a signal",
      { true, true, 9 },
      "Runtime exited with error: signal: killed",
      "Runtime.OutOfMemory" },
    { "memory, seen as a status",
      { false, true, 137 },
      "Runtime exited with error: signal: killed",
      "Runtime.OutOfMemory" },
};

TEST(an_ended_process_is_reported_as_lambda_does)
{
    for (size_t i = 0; i < ARRAY_LEN(exits); i++) {
        struct buf out = { 0 }, want = { 0 };

        test_case = exits[i].name;
        buf_printf(&want,
                   "{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: " ID
                   " Error: %s\"}",
                   exits[i].want);
        payload_exited(&out, ID, &exits[i].fact);
        EXPECT_TEXT(buf_text(&out), buf_text(&want));
        EXPECT_TEXT(payload_exit_type(&exits[i].fact), exits[i].type);
        buf_done(&out);
        buf_done(&want);
    }
}

TEST(a_time_out_names_its_seconds_with_two_decimals)
{
    struct buf out = { 0 };

    payload_timed_out(&out, ID, 1);
    EXPECT_TEXT(buf_text(&out),
                "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: " ID
                " Error: Task timed out after 1.00 seconds\"}");
    buf_done(&out);
}

TEST(a_response_that_is_too_large_names_the_limit)
{
    struct buf out = { 0 };

    payload_too_large(&out);
    EXPECT_TEXT(buf_text(&out),
                "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response "
                "payload size exceeded maximum allowed payload size (6291556 bytes).\"}");
    buf_done(&out);
}

TEST(our_own_failure_cannot_break_the_json)
{
    struct buf out = { 0 };

    payload_failure(&out, ID, "a \"quote\"\n\\");
    EXPECT_TEXT(buf_text(&out),
                "{\"errorType\":\"Sandbox.Failure\",\"errorMessage\":\"RequestId: " ID
                " Error: a \\\"quote\\\"\\u000a\\\\\"}");
    buf_done(&out);
}

static const struct {
    const char *type, *want;
} types[] = {
    { "Runtime.ExitError", "Runtime.ExitError" },
    { "Function.MyError", "Function.MyError" },
    { "Runtime.", "Runtime.Unknown" },
    { "Runtime.X", "Runtime.Unknown" },
    { "Runtime.lower", "Runtime.Unknown" },
    { "Function.With1Digit", "Runtime.Unknown" },
    { "ValueError", "Runtime.Unknown" },
    { "", "Runtime.Unknown" },
};

TEST(only_error_types_of_a_known_form_are_shown)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        test_case = types[i].type;
        EXPECT_TEXT(payload_error_type(types[i].type), types[i].want);
    }
}
