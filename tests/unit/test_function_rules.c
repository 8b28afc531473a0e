#include "controlplane/api/lambda/function_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/unit/check.h"

static const struct function_scope scope = { .account = "000000000000", .region = "eu-west-1" };

#define ROLE "arn:aws:iam::000000000000:role/r"
#define BASE                                                                                       \
    "\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Role\":\"" ROLE                           \
    "\",\"Handler\":\"m.h\",\"Code\":{\"ZipFile\":\"UEs=\"}"

#define NO_CODE                                                                                    \
    "\"FunctionName\":\"f\",\"Runtime\":\"python3.11\",\"Role\":\"" ROLE "\",\"Handler\":\"m.h\","
#define NAMELESS                                                                                   \
    "\"Runtime\":\"python3.11\",\"Role\":\"" ROLE                                                  \
    "\",\"Handler\":\"m.h\",\"Code\":{\"ZipFile\":\"UEs=\"}"
#define NAME_20  "abcdefghijabcdefghij"
#define NAME_140 NAME_20 NAME_20 NAME_20 NAME_20 NAME_20 NAME_20 NAME_20
#define NAME_141 NAME_140 "a"

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
    { "a tag of AWS's", "{" BASE ",\"Tags\":{\"aws:x\":\"1\"}}", "InvalidParameterValueException",
      "aws: prefixed tag key names are not allowed" },
    { "a tag that is a number", "{" BASE ",\"Tags\":{\"x\":1}}", "SerializationException",
      "The value of a member of 'Tags' must be a string." },
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
    { "code in a bucket", "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt\",\"S3Key\":\"k\"}}", NULL,
      NULL },
    { "of the version that there is",
      "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt\",\"S3Key\":\"k\",\"S3ObjectVersion\":\"null\"}}",
      NULL, NULL },
    { "of another version",
      "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt\",\"S3Key\":\"k\",\"S3ObjectVersion\":\"v\"}}",
      "InvalidParameterValueException",
      "Error occurred while GetObject. S3 Error Code: NoSuchVersion. S3 Error Message: The "
      "specified "
      "version does not exist." },
    { "a bucket without a key", "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt\"}}",
      "InvalidParameterValueException", "Please provide a source for function code." },
    { "a key without a bucket", "{" NO_CODE "\"Code\":{\"S3Key\":\"k\"}}",
      "InvalidParameterValueException", "Please provide a source for function code." },
    { "a bucket and a zip",
      "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt\",\"S3Key\":\"k\",\"ZipFile\":\"UEs=\"}}",
      "InvalidParameterValueException",
      "Please do not provide other FunctionCode parameters when providing a ZipFile." },
    { "a bucket of two letters", "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bk\",\"S3Key\":\"k\"}}",
      "ValidationException",
      "1 validation error detected: Value 'bk' at 'code.s3Bucket' failed to satisfy constraint: "
      "Member must have length greater than or equal to 3" },
    { "a bucket that would be a path",
      "{" NO_CODE "\"Code\":{\"S3Bucket\":\"a/b?c\",\"S3Key\":\"k\"}}", "ValidationException",
      "1 validation error detected: Value 'a/b?c' at 'code.s3Bucket' failed to satisfy constraint: "
      "Member must satisfy regular expression pattern: [0-9A-Za-z\\.\\-_]*(?<!\\.)" },
    { "a bucket with a dot at its end",
      "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt.\",\"S3Key\":\"k\"}}", "ValidationException",
      "1 validation error detected: Value 'bkt.' at 'code.s3Bucket'" },
    { "a key that is a number", "{" NO_CODE "\"Code\":{\"S3Bucket\":\"bkt\",\"S3Key\":1}}",
      "SerializationException", "Member 'S3Key' is a integer" },
    { "layers", "{" BASE ",\"Layers\":[\"arn\"]}", "NotImplementedException",
      "Lapwing does not implement Layers of CreateFunction yet." },
    { "publish", "{" BASE ",\"Publish\":true}", NULL, NULL },
    { "a name of 141 letters", "{" NAMELESS ",\"FunctionName\":\"" NAME_141 "\"}",
      "ValidationException",
      "1 validation error detected: Value '" NAME_141 "' at 'functionName' failed to satisfy "
      "constraint: Member must have length less than or equal to 140" },
    { "a name of 140 letters", "{" NAMELESS ",\"FunctionName\":\"" NAME_140 "\"}",
      "InvalidParameterValueException",
      "1 validation error detected: Value '" NAME_140 "' at 'functionName' failed to satisfy "
      "constraint: Member must have length less than or equal to 64" },
    { "a version of a function", "{" NAMELESS ",\"FunctionName\":\"f:1\"}",
      "InvalidParameterValueException", "This operation is permitted on Lambda functions only." },
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
    { "{\"S3Bucket\":\"bkt\",\"S3Key\":\"k\"}", NULL, false, NULL },
    { "{\"S3Bucket\":\"bkt\",\"S3Key\":\"k\",\"ZipFile\":\"UEs=\"}",
      "InvalidParameterValueException", false, NULL },
    { "{\"ZipFile\":\"UEs=\",\"Publish\":true}", NULL, false, NULL },
    { "{\"ZipFile\":\"UEs=\",\"PublishTo\":\"LATEST_PUBLISHED\"}", "NotImplementedException", false,
      NULL },
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

/* What a configuration is changed by, and the refusal or what became of the function. */
static const struct {
    const char *name;
    const char *body;
    const char *code;
    const char *text; /* of the refusal, or Description/Handler/Timeout/variables */
} configurations[] = {
    { "nothing", "", NULL, "before m.h 3 1" },
    { "an empty object", "{}", NULL, "before m.h 3 1" },
    { "unknown members", "{\"Tomorrow\":1}", NULL, "before m.h 3 1" },
    { "all of them",
      "{\"Description\":\"after\",\"Handler\":\"a.b\",\"Timeout\":900,\"Environment\":"
      "{\"Variables\":{\"AA\":\"1\",\"BB\":\"2\"}}}",
      NULL, "after a.b 900 2" },
    { "no description", "{\"Description\":\"\"}", NULL, " m.h 3 1" },
    { "no variables", "{\"Environment\":{\"Variables\":{}}}", NULL, "before m.h 3 0" },
    { "an environment of nothing", "{\"Environment\":{}}", NULL, "before m.h 3 0" },
    { "what asks for nothing",
      "{\"DeadLetterConfig\":{\"TargetArn\":\"\"},\"Layers\":[],\"VpcConfig\":"
      "{\"SubnetIds\":[],\"SecurityGroupIds\":[]},\"KMSKeyArn\":\"\"}",
      NULL, "before m.h 3 1" },
    { "layers", "{\"Layers\":[\"arn\"]}", "NotImplementedException",
      "Lapwing does not implement Layers of UpdateFunctionConfiguration yet." },
    { "a second too long", "{\"Timeout\":901}", "InvalidParameterValueException",
      "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member "
      "must have value less than or equal to 900" },
    { "no time", "{\"Timeout\":0}", "ValidationException",
      "1 validation error detected: Value '0' at 'timeout' failed" },
    { "a role that is a name", "{\"Role\":\"r1\"}", "ValidationException",
      "1 validation error detected: Value 'r1' at 'role' failed" },
    { "a reserved variable", "{\"Environment\":{\"Variables\":{\"AWS_REGION\":\"x\"}}}",
      "InvalidParameterValueException",
      "Lambda was unable to configure your environment variables" },
    { "a revision that is a number", "{\"RevisionId\":1}", "SerializationException",
      "Member 'RevisionId' is a integer and must be a string." },
    { "not JSON", "{", "InvalidRequestContentException",
      "Could not parse request body into json: " },
};

TEST(a_configuration_is_checked_as_in_creating_and_laid_over_what_there_is)
{
    for (size_t i = 0; i < ARRAY_LEN(configurations); i++) {
        Lapwing__EnvironmentVariable variable = LAPWING__ENVIRONMENT_VARIABLE__INIT;
        Lapwing__EnvironmentVariable *list[] = { &variable };
        Lapwing__Function row = LAPWING__FUNCTION__INIT;
        struct function_input input = { 0 };
        struct api_error error = { 0 };
        char text[256];

        test_case = configurations[i].name;
        row.description = (char *)"before";
        row.handler = (char *)"m.h";
        row.timeout_s = 3;
        row.environment = list;
        row.n_environment = 1;
        row.environment_present = true;
        EXPECT_EQ(function_update_configuration_check(bytes_of_text(configurations[i].body), &input,
                                                      &error) == ST_OK,
                  configurations[i].code == NULL);
        EXPECT_TEXT(error.code, configurations[i].code);
        error.text[strlen(configurations[i].text)] = '\0';
        if (configurations[i].code == NULL) {
            function_configuration_merge(&row, &input);
            (void)snprintf(text, sizeof text, "%s %s %u %zu", input.function.description,
                           input.function.handler, input.function.timeout_s,
                           input.function.n_environment);
            EXPECT_TEXT(text, configurations[i].text);
        } else {
            EXPECT_TEXT(error.text, configurations[i].text);
        }
        function_input_done(&input);
    }
    test_case = NULL;
}

static const struct {
    const char *body;
    const char *code;
    const char *description;
    const char *sha256;
} publications[] = {
    { "", NULL, NULL, NULL },
    { "{}", NULL, NULL, NULL },
    { "{\"Description\":\"\",\"CodeSha256\":\"x\"}", NULL, "", "x" },
    { "{\"PublishTo\":\"LATEST_PUBLISHED\"}", "NotImplementedException", NULL, NULL },
    { "{\"CodeSha256\":1}", "SerializationException", NULL, NULL },
    { "[]", "SerializationException", NULL, NULL },
};

TEST(publishing_takes_conditions_and_a_description)
{
    for (size_t i = 0; i < ARRAY_LEN(publications); i++) {
        struct function_input input = { 0 };
        struct api_error error = { 0 };

        test_case = publications[i].body;
        EXPECT_EQ(function_publish_check(bytes_of_text(publications[i].body), &input, &error) ==
                      ST_OK,
                  publications[i].code == NULL);
        EXPECT_TEXT(error.code, publications[i].code);
        EXPECT_TEXT(input.description, publications[i].description);
        EXPECT_TEXT(input.code_sha256, publications[i].sha256);
        function_input_done(&input);
    }
    test_case = NULL;
}

TEST(a_description_has_at_most_256_bytes_wherever_it_is_told)
{
    for (size_t len = DESCRIPTION_BYTES_MAX; len <= DESCRIPTION_BYTES_MAX + 1; len++) {
        struct function_input publish = { 0 };
        struct function_input configure = { 0 };
        struct api_error error = { 0 };
        char body[512];

        (void)snprintf(body, sizeof body, "{\"Description\":\"%0*d\"}", (int)len, 0);
        EXPECT_EQ(function_publish_check(bytes_of_text(body), &publish, &error) == ST_OK,
                  len == DESCRIPTION_BYTES_MAX);
        EXPECT_EQ(function_update_configuration_check(bytes_of_text(body), &configure, &error) ==
                      ST_OK,
                  len == DESCRIPTION_BYTES_MAX);
        function_input_done(&publish);
        function_input_done(&configure);
    }
}
