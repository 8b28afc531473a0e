#include "controlplane/api/lambda/function_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/check.h"

static const struct function_scope scope = { .account = "000000000000", .region = "eu-west-1" };

#define ROLE "arn:aws:iam::000000000000:role/r"
#define BASE                                                                                       \
    "\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Role\":\"" ROLE                           \
    "\",\"Handler\":\"m.h\",\"Code\":{\"ZipFile\":\"UEs=\"}"

/* Each row is a request; the first ones are right, the others wrong in one place.  `text` is the
 * beginning of what the client is told. */
static const struct {
    const char *name;
    const char *body;
    const char *code;
    const char *text;
} rows[] = {
    { "the least", "{" BASE "}", NULL, NULL },
    { "unknown members", "{" BASE ",\"Tomorrow\":{\"a\":1}}", NULL, NULL },
    { "members that ask for nothing",
      "{" BASE ",\"Publish\":false,\"Layers\":[],\"VpcConfig\":{\"SubnetIds\":[]},\"Tags\":{},"
      "\"KMSKeyArn\":\"\",\"DeadLetterConfig\":{\"TargetArn\":\"\"},\"SnapStart\":{\"ApplyOn\":"
      "\"None\"},\"LoggingConfig\":{\"LogFormat\":\"Text\"}}",
      NULL, NULL },
    { "the largest numbers",
      "{" BASE ",\"Timeout\":900,\"MemorySize\":10240,\"EphemeralStorage\":{\"Size\":10240}}", NULL,
      NULL },
    { "not JSON", "{", "InvalidRequestContentException",
      "Could not parse request body into json: " },
    { "a list", "[]", "SerializationException", "" },
    { "a text for a number", "{" BASE ",\"Timeout\":\"3\"}", "SerializationException",
      "Member 'Timeout' is a string" },
    { "no role",
      "{\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Handler\":\"h\",\"Code\":{\"ZipFile\":"
      "\"UEs=\"}}",
      "ValidationException",
      "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must "
      "not be null" },
    { "a role that is a name",
      "{\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Role\":\"r1\",\"Handler\":\"h\","
      "\"Code\":{\"ZipFile\":\"UEs=\"}}",
      "ValidationException",
      "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must "
      "satisfy regular expression pattern: "
      "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+" },
    { "two things", "{" BASE ",\"Timeout\":0,\"MemorySize\":127}", "ValidationException",
      "2 validation errors detected: Value '0' at 'timeout' failed" },
    { "a second too long", "{" BASE ",\"Timeout\":901}", "InvalidParameterValueException",
      "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member "
      "must have value less than or equal to 900" },
    { "a megabyte too much", "{" BASE ",\"MemorySize\":10241}", "InvalidParameterValueException",
      "'MemorySize' value failed" },
    { "too small a /tmp", "{" BASE ",\"EphemeralStorage\":{\"Size\":511}}", "ValidationException",
      "1 validation error detected: Value '511' at 'ephemeralStorage.size'" },
    { "an unknown architecture", "{" BASE ",\"Architectures\":[\"X86_64\"]}", "ValidationException",
      "1 validation error detected: Value '[X86_64]' at 'architectures' failed to satisfy "
      "constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, "
      "arm64], Member must not be null]" },
    { "two architectures", "{" BASE ",\"Architectures\":[\"x86_64\",\"arm64\"]}",
      "ValidationException",
      "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy "
      "constraint: Member must have length less than or equal to 1" },
    { "an architecture that no worker has", "{" BASE ",\"Architectures\":[\"arm64\"]}",
      "InvalidParameterValueException", "Architecture arm64 is not available" },
    { "an option that does not exist", "{" BASE ",\"SnapStart\":{\"ApplyOn\":\"invalidOption\"}}",
      "ValidationException",
      "1 validation error detected: Value 'invalidOption' at 'snapStart.applyOn' failed to satisfy "
      "constraint: Member must satisfy enum value set: [PublishedVersions, None]" },
    { "no handler",
      "{\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Role\":\"" ROLE
      "\",\"Code\":{\"ZipFile\":\"UEs=\"}}",
      "InvalidParameterValueException", "Runtime and Handler are mandatory parameters" },
    { "a handler with a space",
      "{\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Handler\":\"a b\",\"Role\":\"" ROLE
      "\",\"Code\":{\"ZipFile\":\"UEs=\"}}",
      "ValidationException", "1 validation error detected: Value 'a b' at 'handler'" },
    { "no code at all",
      "{\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Handler\":\"h\",\"Role\":\"" ROLE
      "\",\"Code\":{}}",
      "InvalidParameterValueException", "Please provide a source for function code." },
    { "code in S3",
      "{\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Handler\":\"h\",\"Role\":\"" ROLE
      "\",\"Code\":{\"S3Bucket\":\"b\",\"S3Key\":\"k\"}}",
      "NotImplementedException", "Lapwing does not implement S3Bucket and S3Key" },
    { "layers", "{" BASE ",\"Layers\":[\"arn\"]}", "NotImplementedException",
      "Lapwing does not implement Layers of CreateFunction yet." },
    { "publish", "{" BASE ",\"Publish\":true}", "NotImplementedException",
      "Lapwing does not implement Publish of CreateFunction yet." },
    { "a reserved variable", "{" BASE ",\"Environment\":{\"Variables\":{\"AWS_REGION\":\"x\"}}}",
      "InvalidParameterValueException",
      "Lambda was unable to configure your environment variables because the environment "
      "variables you have provided contains reserved keys that are currently not supported for "
      "modification. Reserved keys used in this request: AWS_REGION" },
    { "a variable that begins with a digit",
      "{" BASE ",\"Environment\":{\"Variables\":{\"1A\":\"x\"}}}", "ValidationException",
      "1 validation error detected: Value at 'environment.variables'" },
};

TEST(create_function_is_refused_in_the_words_of_aws)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function_input input = { 0 };
        struct api_error error = { 0 };
        enum status st =
            function_create_check(bytes_of_text(rows[i].body), &scope, "x86_64", &input, &error);

        test_case = rows[i].name;
        EXPECT_EQ(st == ST_OK, rows[i].code == NULL);
        EXPECT_TEXT(error.code, rows[i].code);
        if (rows[i].text != NULL && strncmp(error.text, rows[i].text, strlen(rows[i].text)) != 0)
            EXPECT_TEXT(error.text, rows[i].text);
        function_input_done(&input);
    }
}

TEST(what_the_client_left_out_gets_the_defaults_of_aws)
{
    struct function_input input = { 0 };
    struct api_error error = { 0 };

    EXPECT_EQ(function_create_check(bytes_of_text("{" BASE "}"), &scope, "x86_64", &input, &error),
              ST_OK);
    EXPECT_TEXT(input.name, "f");
    EXPECT_EQ(input.function.timeout_s, 3);
    EXPECT_EQ(input.function.memory_mb, 128);
    EXPECT_EQ(input.function.ephemeral_mb, 512);
    EXPECT_TEXT(input.function.architecture, "x86_64");
    EXPECT_TEXT(input.function.tracing_mode, "PassThrough");
    EXPECT_TEXT(input.function.description, "");
    EXPECT(!input.function.environment_present);
    EXPECT_EQ(input.zip_base64.len, 4);
    function_input_done(&input);
}

TEST(an_environment_is_measured_as_the_json_that_it_is)
{
    /* {"A1":"..."} is nine bytes around the value. */
    static const struct {
        size_t value_bytes;
        bool fits;
    } sizes[] = { { 4096 - 9, true }, { 4096 - 8, false } };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct function_input input = { 0 };
        struct api_error error = { 0 };
        struct buf body = { 0 };

        buf_append_text(&body, "{" BASE ",\"Environment\":{\"Variables\":{\"A1\":\"");
        memset(buf_reserve(&body, sizes[i].value_bytes), 'x', sizes[i].value_bytes);
        body.len += sizes[i].value_bytes;
        buf_append_text(&body, "\"}}}");
        EXPECT_EQ(function_create_check(buf_view(&body), &scope, "x86_64", &input, &error) == ST_OK,
                  sizes[i].fits);
        EXPECT(sizes[i].fits ||
               strstr(error.text, "exceeded the 4KB limit. String measured: {\"A1"));
        function_input_done(&input);
        buf_done(&body);
    }
}

static const struct {
    const char *body;
    const char *code;
    bool dry_run;
    const char *revision;
} updates[] = {
    { "{\"ZipFile\":\"UEs=\"}", NULL, false, NULL },
    { "{\"ZipFile\":\"UEs=\",\"DryRun\":true,\"RevisionId\":\"r\"}", NULL, true, "r" },
    { "{\"ZipFile\":\"UEs=\",\"Architectures\":[\"x86_64\"]}", NULL, false, NULL },
    { "{\"ZipFile\":\"\"}", "InvalidParameterValueException", false, NULL },
    { "{}", "InvalidParameterValueException", false, NULL },
    { "{\"ImageUri\":\"x\"}", "InvalidParameterValueException", false, NULL },
    { "{\"S3Bucket\":\"b\",\"S3Key\":\"k\"}", "NotImplementedException", false, NULL },
    { "{\"ZipFile\":\"UEs=\",\"Publish\":true}", "NotImplementedException", false, NULL },
    { "{\"ZipFile\":3}", "SerializationException", false, NULL },
};

TEST(update_function_code_takes_a_zip_and_refuses_the_rest_by_name)
{
    for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
        struct function_input input = { 0 };
        struct api_error error = { 0 };

        test_case = updates[i].body;
        EXPECT_EQ(function_update_code_check(bytes_of_text(updates[i].body), "x86_64", &input,
                                             &error) == ST_OK,
                  updates[i].code == NULL);
        EXPECT_TEXT(error.code, updates[i].code);
        EXPECT_EQ(input.dry_run, updates[i].dry_run);
        EXPECT_TEXT(input.expected_revision_id, updates[i].revision);
        function_input_done(&input);
    }
}
