#include "controlplane/api/call/function_key_rules.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct {
    enum route_service service;
    const char *operation;
    bool want;
} rows[] = {
    { ROUTE_S3, "", true },
    { ROUTE_STS, "GetCallerIdentity", true },
    { ROUTE_STS, "AssumeRole", false },
    { ROUTE_STS, "Invoke", false },
    { ROUTE_STS, "", false },
    { ROUTE_LAMBDA, "GetCallerIdentity", false },
    { ROUTE_LAMBDA, "invoke", false },
    { ROUTE_LAMBDA, "", false },
    { ROUTE_ADMIN, "Status", false },
    { ROUTE_ADMIN, "Runtimes", false },
    { ROUTE_ADMIN, "Logs", false },
    { ROUTE_ADMIN, "Invoke", false },
    { ROUTE_ADMIN, "", false },
    { ROUTE_OTHER, "Invoke", false },
    { ROUTE_OTHER, "GetCallerIdentity", false },
    { ROUTE_OTHER, "", false },
};

TEST(function_keys_are_for_S3_for_asking_who_they_are_and_for_invoking)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].operation;
        EXPECT_EQ(function_key_allows(rows[i].service, rows[i].operation), rows[i].want);
    }
}

TEST(of_all_operations_of_Lambda_they_may_call_Invoke_alone)
{
    size_t count = 0;

    for (size_t i = 0; i < LAMBDA_OPERATIONS; i++) {
        const char *name = lambda_operation_at(i)->name;

        test_case = name;
        EXPECT_EQ(function_key_allows(ROUTE_LAMBDA, name), strcmp(name, "Invoke") == 0);
        count += function_key_allows(ROUTE_LAMBDA, name);
    }
    EXPECT_EQ(count, 1);
}

static const struct {
    const char *service;
    const char *operation;
    const char *resource;
    const char *want;
} refusals[] = {
    { "lambda", "GetFunction", "arn:aws:lambda:eu-west-1:000000000000:function:f",
      "User: S is not authorized to perform: lambda:GetFunction on resource: "
      "arn:aws:lambda:eu-west-1:000000000000:function:f because no identity-based policy allows "
      "the lambda:GetFunction action" },
    { "lambda", "InvokeWithResponseStream", "*",
      "User: S is not authorized to perform: lambda:InvokeFunction on resource: * because no "
      "identity-based policy allows the lambda:InvokeFunction action" },
    { "lapwing", "Status", "*",
      "User: S is not authorized to perform: lapwing:Status on resource: * because no "
      "identity-based policy allows the lapwing:Status action" },
    { "lapwing", "", "*",
      "User: S is not authorized to perform: lapwing:UnknownOperation on resource: * because no "
      "identity-based policy allows the lapwing:UnknownOperation action" },
};

TEST(a_refusal_has_the_words_of_AWS)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct api_error error = { 0 };

        test_case = refusals[i].operation;
        EXPECT_EQ(function_key_refuse(&error, "S", refusals[i].service, refusals[i].operation,
                                      refusals[i].resource),
                  ST_DENIED);
        EXPECT_EQ(error.http_status, 403);
        EXPECT_TEXT(error.code, "AccessDeniedException");
        EXPECT_TEXT(error.text, refusals[i].want);
    }
}

TEST(a_function_acts_as_a_session_of_its_role)
{
    struct buf arn = { 0 };

    function_session_arn("000000000000", "arn:aws:iam::000000000000:role/service/r", "f", &arn);
    EXPECT_TEXT(buf_text(&arn), "arn:aws:sts::000000000000:assumed-role/r/f");
    arn.len = 0;
    function_session_arn("1", "plain", "f", &arn);
    EXPECT_TEXT(buf_text(&arn), "arn:aws:sts::1:assumed-role/plain/f");
    buf_done(&arn);
}
