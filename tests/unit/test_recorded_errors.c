/* What AWS was recorded to answer to bad requests of the operations that we have: code and text,
 * whole. The recordings' <region> and account are ours; a function of theirs is called f. */
#include <stdio.h>

#include "controlplane/api/lambda/deploy_rules.h"
#include "controlplane/api/lambda/function_name.h"
#include "controlplane/api/lambda/function_rules.h"
#include "controlplane/api/lambda/payload_rules.h"
#include "tests/unit/check.h"

#define NAME_64           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ARN               "arn:aws:lambda:eu-west-1:000000000000:function:"
#define INVALID_PARAMETER "InvalidParameterValueException"
#define VALIDATION        "ValidationException"
#define ONE               "1 validation error detected: Value '"
#define PATTERN                                                                                    \
    "' at 'functionName' failed to satisfy constraint: Member must satisfy regular "               \
    "expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|"                 \
    "(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
#define RUNTIMES                                                                                   \
    "[nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, "   \
    "java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, "    \
    "java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, "           \
    "java8.al2] or be a valid ARN"

static const struct function_scope scope = { .account = "000000000000", .region = "eu-west-1" };

/* CreateFunction: a right request with one member replaced. */
static const struct {
    const char *member; /* NULL: the value is the rest of the request */
    const char *value;
    const char *code;
    const char *text;
} creates[] = {
    { "FunctionName", "\"" NAME_64 "a\"", INVALID_PARAMETER,
      ONE NAME_64 "a' at 'functionName' failed to satisfy constraint: Member must have length less "
                  "than or equal to 64" },
    { "FunctionName", "\"invalid:function:name\"", VALIDATION,
      ONE "invalid:function:name" PATTERN "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?" },
    { "FunctionName", "\"" ARN NAME_64 NAME_64 "\"", VALIDATION,
      ONE ARN NAME_64 NAME_64 "' at 'functionName' failed to satisfy constraint: Member must have "
                              "length less than or equal to 140" },
    { "Runtime", "\"PYTHON3.9\"", INVALID_PARAMETER,
      "Value PYTHON3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
      "set: " RUNTIMES },
    { "Runtime", "\"non-existent-runtime\"", INVALID_PARAMETER,
      "Value non-existent-runtime at 'runtime' failed to satisfy constraint: Member must satisfy "
      "enum value set: " RUNTIMES },
    { "Role", "\"r1\"", VALIDATION,
      ONE "r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression "
          "pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+" },
    { "Architectures", "[\"X86_64\"]", VALIDATION,
      ONE "[X86_64]' at 'architectures' failed to satisfy constraint: Member must satisfy "
          "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be "
          "null]" },
    { "Architectures", "[\"x86_64\",\"arm64\"]", VALIDATION,
      ONE "[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have "
          "length less than or equal to 1" },
    { "SnapStart", "{\"ApplyOn\":\"invalidOption\"}", VALIDATION,
      ONE "invalidOption' at 'snapStart.applyOn' failed to satisfy constraint: Member must satisfy "
          "enum value set: [PublishedVersions, None]" },
};

/* Both sides of the number of tags are below. */
static const char *const ended_runtimes[] = { "dotnetcore3.1", "go1.x",      "java8",
                                              "nodejs12.x",    "nodejs14.x", "provided",
                                              "python3.7",     "ruby2.7" };

static void create_body(const char *member, const char *value, struct buf *out)
{
    static const struct {
        const char *name, *value;
    } right[] = {
        { "FunctionName", "\"f\"" },
        { "Runtime", "\"python3.11\"" },
        { "Role", "\"arn:aws:iam::000000000000:role/r\"" },
        { "Handler", "\"m.h\"" },
        { "Code", "{\"ZipFile\":\"UEs=\"}" },
    };

    buf_printf(out, "{\"%s\":%s", member, value);
    for (size_t i = 0; i < ARRAY_LEN(right); i++)
        if (strcmp(right[i].name, member) != 0)
            buf_printf(out, ",\"%s\":%s", right[i].name, right[i].value);
    buf_append_text(out, "}");
}

static enum status create(const char *member, const char *value, struct api_error *error)
{
    struct function_input input = { 0 };
    struct buf body = { 0 };
    enum status st;

    create_body(member, value, &body);
    *error = (struct api_error){ 0 };
    st = function_create_check(buf_view(&body), &scope, "x86_64", &input, error);
    if (st == ST_OK) /* of a cluster that has whatever AWS has */
        st = deploy_runtime_verdict(input.function.runtime, NULL, 0, error);
    function_input_done(&input);
    buf_done(&body);
    return st;
}

TEST(create_function_says_what_aws_was_recorded_to_say)
{
    struct api_error error;

    for (size_t i = 0; i < ARRAY_LEN(creates); i++) {
        test_case = creates[i].value;
        EXPECT_EQ(create(creates[i].member, creates[i].value, &error), ST_BAD_INPUT);
        EXPECT_TEXT(error.code, creates[i].code);
        EXPECT_EQ(error.http_status, 400);
        EXPECT_TEXT(error.text, creates[i].text);
    }
}

TEST(a_runtime_that_has_ended_is_called_by_its_name)
{
    for (size_t i = 0; i < ARRAY_LEN(ended_runtimes); i++) {
        struct api_error error;
        char value[64];
        char want[256];

        test_case = ended_runtimes[i];
        (void)snprintf(value, sizeof value, "\"%s\"", ended_runtimes[i]);
        (void)snprintf(want, sizeof want,
                       "The runtime parameter of %s is no longer supported for creating or "
                       "updating AWS Lambda functions. We recommend you use a supported runtime "
                       "while creating or updating functions.",
                       ended_runtimes[i]);
        EXPECT_EQ(create("Runtime", value, &error), ST_BAD_INPUT);
        EXPECT_TEXT(error.code, INVALID_PARAMETER);
        EXPECT_TEXT(error.text, want);
    }
}

TEST(so_many_tags_and_no_more)
{
    for (unsigned more = 0; more < 2; more++) {
        struct api_error error;
        struct buf tags = { 0 };

        for (unsigned i = 0; i < TAGS_MAX + more; i++)
            buf_printf(&tags, "%s\"k%u\":\"v\"", i == 0 ? "{" : ",", i);
        buf_append_text(&tags, "}");
        EXPECT_EQ(create("Tags", buf_text(&tags), &error), more == 0 ? ST_OK : ST_BAD_INPUT);
        EXPECT_TEXT(error.code, more == 0 ? NULL : INVALID_PARAMETER);
        EXPECT_TEXT(error.text, more == 0 ? "" : "Number of tags exceeds resource tag limit.");
        buf_done(&tags);
    }
}

TEST(an_environment_that_is_too_large_is_quoted_as_it_was_measured)
{
    static const char *const first[] = { "", "\"SMALL_VAR\":\"ok\"," };

    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        struct api_error error;
        struct buf measured = { 0 };
        struct buf value = { 0 };
        struct buf want = { 0 };

        buf_printf(&measured, "{%s\"LARGE_VAR\":\"", first[i]);
        memset(buf_reserve(&measured, 4096), 'x', 4096);
        measured.len += 4096;
        buf_append_text(&measured, "\"}");
        buf_printf(&value, "{\"Variables\":%s}", buf_text(&measured));
        buf_printf(&want,
                   "Lambda was unable to configure your environment variables because the "
                   "environment variables you have provided exceeded the 4KB limit. String "
                   "measured: %s",
                   buf_text(&measured));
        EXPECT_EQ(create("Environment", buf_text(&value), &error), ST_BAD_INPUT);
        EXPECT_TEXT(error.code, INVALID_PARAMETER);
        EXPECT_TEXT(error.text, buf_text(&want));
        buf_done(&measured);
        buf_done(&value);
        buf_done(&want);
    }
}

/* Get, invoke and delete. */
static const struct {
    const char *text;
    const char *qualifier;
    const char *code;
    const char *want;
} names[] = {
    { "arn:aws:lambda:eu-west-1:123400000000@function:myfn", NULL, VALIDATION,
      ONE "arn:aws:lambda:eu-west-1:123400000000@function:myfn" PATTERN
          "([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?" },
    { "arn:aws:lambda:ap-southeast-1:000000000000:function:f", NULL, "ResourceNotFoundException",
      "Functions from 'ap-southeast-1' are not reachable in this region ('eu-west-1')" },
    { "f:1", "2", INVALID_PARAMETER,
      "The derived qualifier from the function name does not match the specified qualifier." },
    { "f", "invalid-qualifier-with-?-char", VALIDATION,
      ONE "invalid-qualifier-with-?-char' at 'qualifier' failed to satisfy constraint: Member must "
          "satisfy regular expression pattern: \\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+" },
    { "f", "valid-with-$-but-doesnotexist", NULL, "" },
};

TEST(names_are_refused_as_aws_was_recorded_to_do)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct api_error error = { 0 };
        struct function_ref ref;

        test_case = names[i].text;
        EXPECT_EQ(function_ref_parse(names[i].text, names[i].qualifier, &scope,
                                     FUNCTION_NAME_NAMESPACED, &ref, &error) == ST_OK,
                  names[i].code == NULL);
        EXPECT_TEXT(error.code, names[i].code);
        EXPECT_TEXT(error.text, names[i].want);
    }
}

TEST(an_arn_may_be_longer_where_a_function_is_looked_at_than_where_one_is_made)
{
    static const struct {
        size_t len;
        bool plain, wide; /* is its length allowed? */
    } lengths[] = {
        { FUNCTION_PLAIN_BYTES_MAX, true, true },
        { FUNCTION_PLAIN_BYTES_MAX + 1, false, true },
        { FUNCTION_REFERENCE_BYTES_MAX, false, true },
        { FUNCTION_REFERENCE_BYTES_MAX + 1, false, false },
    };
    static const char wanted[] = "Member must have length less than or equal to ";

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char text[FUNCTION_REFERENCE_BYTES_MAX + 2] = "f:";
        struct api_error plain = { 0 };
        struct api_error wide = { 0 };
        struct function_ref ref;

        memset(text + 2, 'q', lengths[i].len - 2);
        text[lengths[i].len] = '\0';
        (void)function_ref_parse(text, NULL, &scope, FUNCTION_NAME_PLAIN, &ref, &plain);
        (void)function_ref_parse(text, NULL, &scope, FUNCTION_NAME_NAMESPACED, &ref, &wide);
        EXPECT_EQ(strstr(plain.text, wanted) == NULL, lengths[i].plain);
        EXPECT_EQ(strstr(wide.text, wanted) == NULL, lengths[i].wide);
    }
}

#define NO_JSON "Could not parse request body into json: Could not parse payload into json: "
#define SOURCE                                                                                     \
    "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, " \
    "column: "

static const struct {
    const char *payload;
    const char *want;
} payloads[] = {
    { "\x99",
      NO_JSON "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value (JSON String, "
              "Number, Array, Object or token 'null', 'true' or 'false')" SOURCE "1]" },
    { "ab\x87", NO_JSON "Invalid UTF-8 start byte 0x87" SOURCE "3]" },
};

TEST(a_payload_that_is_no_json_is_refused_as_aws_was_recorded_to_do)
{
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        struct api_error error = { 0 };

        test_case = payloads[i].want;
        EXPECT_EQ(payload_check(bytes_of_text(payloads[i].payload), &error), ST_BAD_INPUT);
        EXPECT_TEXT(error.code, "InvalidRequestContentException");
        EXPECT_EQ(error.http_status, 400);
        EXPECT_TEXT(error.text, payloads[i].want);
    }
}

TEST(a_request_ends_where_its_body_ends)
{
    static const char body[] = "{\"ZipFile\":\"UEs=\"}\0 and more";
    struct function_input input = { 0 };
    struct api_error error = { 0 };

    EXPECT_EQ(function_update_code_check(bytes_of(body, sizeof body - 1), "x86_64", &input, &error),
              ST_BAD_INPUT);
    EXPECT_TEXT(error.code, "InvalidRequestContentException");
    function_input_done(&input);
}

TEST(an_image_is_no_code_for_a_zip)
{
    struct function_input input = { 0 };
    struct api_error error = { 0 };

    EXPECT_EQ(
        function_update_code_check(bytes_of_text("{\"ImageUri\":\"x\"}"), "x86_64", &input, &error),
        ST_BAD_INPUT);
    EXPECT_TEXT(error.code, INVALID_PARAMETER);
    EXPECT_TEXT(error.text,
                "Please don't provide ImageUri when updating a function with packageType Zip.");
    function_input_done(&input);
}
