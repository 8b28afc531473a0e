#include "controlplane/api/lambda/function_json.h"

#include "controlplane/api/call/error_rules.h"
#include "tests/unit/check.h"

static uint8_t sha[32];

static Lapwing__Function sample(void)
{
    Lapwing__Function function = LAPWING__FUNCTION__INIT;

    function.account = (char *)"000000000000";
    function.region = (char *)"eu-west-1";
    function.name = (char *)"f";
    function.runtime = (char *)"python3.11";
    function.role = (char *)"arn:aws:iam::000000000000:role/r";
    function.handler = (char *)"m.h";
    function.handler_present = true;
    function.timeout_s = 3;
    function.memory_mb = 128;
    function.ephemeral_mb = 512;
    function.architecture = (char *)"x86_64";
    function.code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha, .data = sha };
    function.code_bytes = 7;
    function.revision_id = (char *)"rev";
    function.modified_ms = 1767225600031;
    function.state = LAPWING__FUNCTION_STATE__FUNCTION_PENDING;
    function.tracing_mode = (char *)"PassThrough";
    return function;
}

TEST(a_new_function_shows_every_default_that_aws_echoes)
{
    Lapwing__Function function = sample();
    struct buf out = { 0 };

    json_append(&out, function_configuration(&function, "", FUNCTION_VIEW_FULL));
    EXPECT_TEXT(
        buf_text(&out),
        "{\"FunctionName\":\"f\",\"FunctionArn\":\"arn:aws:lambda:eu-west-1:000000000000:function:"
        "f\",\"Runtime\":\"python3.11\",\"Role\":\"arn:aws:iam::000000000000:role/r\",\"Handler\":"
        "\"m.h\",\"CodeSha256\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"CodeSize\":7,"
        "\"Description\":\"\",\"Timeout\":3,\"MemorySize\":128,\"LastModified\":\"2026-01-01T00:00:"
        "00.031+0000\",\"Version\":\"$LATEST\",\"TracingConfig\":{\"Mode\":\"PassThrough\"},"
        "\"RevisionId\":\"rev\",\"State\":\"Pending\",\"StateReason\":\"The function is being "
        "created.\",\"StateReasonCode\":\"Creating\",\"RuntimeVersionConfig\":{"
        "\"RuntimeVersionArn\":\"arn:aws:lambda:eu-west-1::runtime:"
        "72e78ddac08187448a816f3688b1b27700b00f882d34e6021acdbdbe4c54008b\"},\"PackageType\":"
        "\"Zip\",\"Architectures\":[\"x86_64\"],\"EphemeralStorage\":{\"Size\":512},\"SnapStart\":{"
        "\"ApplyOn\":\"None\",\"OptimizationStatus\":\"Off\"},\"LoggingConfig\":{\"LogFormat\":"
        "\"Text\",\"LogGroup\":\"/aws/lambda/f\"}}");
    buf_done(&out);
}

static const char *text_at(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

TEST(an_update_shows_its_progress_and_its_end)
{
    Lapwing__Function function = sample();
    json_t *object;

    function.state = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE;
    function.update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS;
    object = function_configuration(&function, "", FUNCTION_VIEW_FULL);
    EXPECT_TEXT(text_at(object, "State"), "Active");
    EXPECT_TEXT(text_at(object, "LastUpdateStatus"), "InProgress");
    EXPECT_TEXT(text_at(object, "LastUpdateStatusReasonCode"), "Creating");
    json_decref(object);

    function.update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL;
    object = function_configuration(&function, "$LATEST", FUNCTION_VIEW_FULL);
    EXPECT_TEXT(text_at(object, "LastUpdateStatus"), "Successful");
    EXPECT(json_object_get(object, "LastUpdateStatusReason") == NULL);
    EXPECT_TEXT(text_at(object, "FunctionArn"),
                "arn:aws:lambda:eu-west-1:000000000000:function:f:$LATEST");
    json_decref(object);
}

TEST(a_version_shows_its_number_and_the_arn_what_was_asked_for)
{
    Lapwing__Function function = sample();
    json_t *object;

    function.version = 7;
    object = function_configuration(&function, "7", FUNCTION_VIEW_FULL);
    EXPECT_TEXT(text_at(object, "Version"), "7");
    EXPECT_TEXT(text_at(object, "FunctionArn"),
                "arn:aws:lambda:eu-west-1:000000000000:function:f:7");
    json_decref(object);
    object = function_configuration(&function, "", FUNCTION_VIEW_FULL);
    EXPECT_TEXT(text_at(object, "Version"), "7");
    EXPECT_TEXT(text_at(object, "FunctionArn"), "arn:aws:lambda:eu-west-1:000000000000:function:f");
    json_decref(object);
}

TEST(a_listing_leaves_the_state_out)
{
    Lapwing__Function function = sample();
    json_t *object = function_configuration(&function, "", FUNCTION_VIEW_LISTED);

    EXPECT(json_object_get(object, "State") == NULL);
    EXPECT(json_object_get(object, "RuntimeVersionConfig") == NULL);
    EXPECT(json_object_get(object, "Environment") == NULL);
    json_decref(object);
}

static const struct {
    enum api_code code;
    enum route_dialect dialect;
    const char *want;
} errors[] = {
    { API_NOT_FOUND, ROUTE_DIALECT_JSON, "{\"Type\":\"User\",\"Message\":\"a <\\\"b\\\">\"}" },
    { API_CONFLICT, ROUTE_DIALECT_JSON, "{\"Type\":\"User\",\"message\":\"a <\\\"b\\\">\"}" },
    { API_VALIDATION, ROUTE_DIALECT_JSON, "{\"message\":\"a <\\\"b\\\">\"}" },
    { API_NOT_IMPLEMENTED, ROUTE_DIALECT_TARGET_JSON,
      "{\"__type\":\"NotImplementedException\",\"Type\":\"Service\",\"message\":\"a "
      "<\\\"b\\\">\"}" },
    { API_UNRECOGNIZED_CLIENT, ROUTE_DIALECT_QUERY_XML,
      "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>a "
      "&lt;\"b\"&gt;</Message></Error><RequestId>id</RequestId></ErrorResponse>\n" },
    { API_UNAVAILABLE, ROUTE_DIALECT_S3_XML,
      "<?xml version=\"1.0\" "
      "encoding=\"UTF-8\"?>\n<Error><Code>ServiceUnavailable</Code><Message>a "
      "&lt;\"b\"&gt;</Message><RequestId>id</RequestId></Error>" },
};

TEST(a_refusal_is_written_in_the_dialect_of_its_service)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct api_error error = { 0 };
        struct buf out = { 0 };

        EXPECT_EQ(api_error_set(&error, ST_BAD_INPUT, errors[i].code, "a <\"%s\">", "b"),
                  ST_BAD_INPUT);
        api_error_render(&error, errors[i].dialect, "id", &out);
        EXPECT_TEXT(buf_text(&out), errors[i].want);
        buf_done(&out);
    }
}

static const struct {
    enum status st;
    const char *why;
    unsigned http;
    const char *want;
} unanswered[] = {
    { ST_UNKNOWN, NULL, 503,
      "outcome unknown: change the tags: no answer came in time. It may or may not have been done, "
      "and will be done at most once: look before you repeat it." },
    { ST_UNKNOWN, "why", 503,
      "outcome unknown: change the tags: why. It may or may not have been done, and will be done "
      "at "
      "most once: look before you repeat it." },
    { ST_UNAVAILABLE, NULL, 503,
      "not done: change the tags: no quorum of the cluster can be reached. Please try again." },
    { ST_UNAVAILABLE, "why", 503, "not done: change the tags: why. Please try again." },
    { ST_TIMEOUT, "why", 503, "not done: change the tags: why. Please try again." },
    { ST_NOT_LEADER, "why", 503, "not done: change the tags: why. Please try again." },
    { ST_LIMIT, NULL, 503,
      "not done: change the tags: too many requests are waiting. Please try again." },
    { ST_LIMIT, "why", 503,
      "not done: change the tags: too many requests are waiting. Please try again." },
    { ST_IO, NULL, 500, "change the tags: io" },
    { ST_IO, "why", 500, "change the tags: io" },
};

TEST(what_has_no_known_end_says_so_and_what_was_not_done_says_that)
{
    for (size_t i = 0; i < ARRAY_LEN(unanswered); i++) {
        struct api_error error = { 0 };

        EXPECT_EQ(
            api_error_not_answered(&error, unanswered[i].st, "change the tags", unanswered[i].why),
            unanswered[i].st);
        EXPECT_EQ(error.http_status, unanswered[i].http);
        EXPECT_TEXT(error.text, unanswered[i].want);
    }
}
