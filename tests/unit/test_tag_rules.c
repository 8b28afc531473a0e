#include "controlplane/api/lambda/tag_rules.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const struct function_scope scope = { .account = "000000000000", .region = "eu-west-1" };

#define ARN "arn:aws:lambda:eu-west-1:000000000000:"
#define ESM "event-source-mapping:01234567-89ab-cdef-0123-456789ABCDEF"

static const struct {
    const char *name, *arn;
    const char *code; /* NULL: it is function f */
    const char *text; /* how it begins */
} resources[] = {
    // clang-format off
    { "a function", ARN "function:f", NULL, NULL },
    { "of another partition", "arn:aws-cn:lambda:eu-west-1:000000000000:function:f", NULL, NULL },
    { "a version", ARN "function:f:1", "InvalidParameterValueException",
      "Tags on function aliases and versions are not supported. Please specify a function ARN." },
    { "$LATEST", ARN "function:f:$LATEST", "InvalidParameterValueException", "Tags on function aliases" },
    { "a name", "f", "ValidationException", "1 validation error detected: Value 'f' at 'resource' failed to "
      "satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*):lambda:(eusc-)?" },
    { "a partial ARN", "000000000000:function:f", "ValidationException", "1 validation" },
    { "an ARN of something", "arn:aws:something", "ValidationException",
      "1 validation error detected: Value 'arn:aws:something' at 'resource'" },
    { "an ARN of S3", "arn:aws:s3:eu-west-1:000000000000:function:f", "ValidationException", "1 validation" },
    { "a short account", "arn:aws:lambda:eu-west-1:00000000000:function:f", "ValidationException", "1 validation" },
    { "no region", "arn:aws:lambda::000000000000:function:f", "ValidationException", "1 validation" },
    { "no type", ARN "f", "ValidationException", "1 validation" },
    { "an unknown type", ARN "foobar:f", "ValidationException", "1 validation" },
    { "no name", ARN "function:", "ValidationException", "1 validation" },
    { "a dot in the name", ARN "function:a.b", "ValidationException", "1 validation" },
    { "too many parts", ARN "function:f:1:2", "ValidationException", "1 validation" },
    { "another region", "arn:aws:lambda:us-east-1:000000000000:function:f", "ResourceNotFoundException",
      "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')" },
    { "another account", "arn:aws:lambda:eu-west-1:000000000001:function:f", "AccessDeniedException", "" },
    { "a layer", ARN "layer:l", "InvalidParameterValueException", "Unsupported resource type for tagging" },
    { "an event source mapping", ARN ESM, "ResourceNotFoundException", "Event source mapping not found: " ARN ESM },
    { "an alias of one", ARN ESM ":alias", "ValidationException", "1 validation" },
    { "a capacity provider", ARN "capacity-provider:c", "ResourceNotFoundException",
      "Capacity provider not found: " ARN "capacity-provider:c" },
    { "an alias of it", ARN "capacity-provider:c:alias", "ValidationException", "1 validation" },
    { "a code signing configuration", ARN "code-signing-config:csc-0123456789abcdefg", "ResourceNotFoundException",
      "The Lambda code signing configuration " ARN "code-signing-config:csc-0123456789abcdefg can not be found." },
    { "a short one", ARN "code-signing-config:csc-0123456789abcdef", "ValidationException", "1 validation" },
    // clang-format on
};

TEST(tags_are_of_functions_named_by_their_arn)
{
    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        struct function_ref ref = { "", "" };
        struct api_error error = { 0 };
        enum status st = tag_resource_parse(resources[i].arn, &scope, &ref, &error);

        test_case = resources[i].name;
        EXPECT_EQ(st == ST_OK, resources[i].code == NULL);
        EXPECT_TEXT(error.code, resources[i].code);
        if (st == ST_OK)
            EXPECT_TEXT(ref.name, "f");
        else
            EXPECT(strncmp(error.text, resources[i].text, strlen(resources[i].text)) == 0);
    }
    test_case = NULL;
}

TEST(an_arn_is_held_to_its_length)
{
    char arn[FUNCTION_REFERENCE_BYTES_MAX + 2];
    struct function_ref ref;
    struct api_error error = { 0 };

    memset(arn, 'a', sizeof arn);
    arn[FUNCTION_REFERENCE_BYTES_MAX] = '\0';
    EXPECT_EQ(tag_resource_parse(arn, &scope, &ref, &error), ST_BAD_INPUT);
    EXPECT(strstr(error.text, "regular expression") != NULL);
    arn[FUNCTION_REFERENCE_BYTES_MAX] = 'a';
    arn[FUNCTION_REFERENCE_BYTES_MAX + 1] = '\0';
    EXPECT_EQ(tag_resource_parse(arn, &scope, &ref, &error), ST_BAD_INPUT);
    EXPECT(strstr(error.text, "length less than or equal to 256") != NULL);
}

static const struct {
    const char *name, *body;
    size_t count;
    const char *code, *text;
} bodies[] = {
    // clang-format off
    { "one tag", "{\"Tags\":{\"a\":\"b\"}}", 1, NULL, NULL },
    { "an empty value, letters of the world", "{\"Tags\":{\"l\xc3\xa4rm _.:/=+-@\":\"\"}}", 1, NULL, NULL },
    { "more members", "{\"Tags\":{\"a\":\"b\"},\"Tomorrow\":1}", 1, NULL, NULL },
    { "no tag", "{\"Tags\":{}}", 0, "InvalidParameterValueException",
      "An error occurred and the request cannot be processed." },
    { "no Tags", "{}", 0, "ValidationException",
      "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null" },
    { "Tags that are null", "{\"Tags\":null}", 0, "ValidationException", "1 validation error detected: Value null" },
    { "a list", "{\"Tags\":[]}", 0, "SerializationException", "" },
    { "a list for the body", "[]", 0, "SerializationException", "" },
    { "no JSON", "{", 0, "InvalidRequestContentException", "Could not parse request body into json: " },
    { "nothing", "", 0, "InvalidRequestContentException", "Could not parse request body into json: " },
    { "a number", "{\"Tags\":{\"a\":1}}", 0, "SerializationException", "" },
    { "no key", "{\"Tags\":{\"\":\"b\"}}", 0, "ValidationException",
      "1 validation error detected: Value at 'tags' failed to satisfy constraint: Map keys must satisfy" },
    { "a key of AWS's", "{\"Tags\":{\"aws:cloudformation:stack\":\"b\"}}", 0, "InvalidParameterValueException",
      "aws: prefixed tag key names are not allowed for external use." },
    { "AWS further on", "{\"Tags\":{\"my-aws:x\":\"b\"}}", 1, NULL, NULL },
    { "a control character", "{\"Tags\":{\"a\\nb\":\"b\"}}", 0, "ValidationException", "1 validation error" },
    { "a bracket", "{\"Tags\":{\"a\":\"<b>\"}}", 0, "ValidationException",
      "1 validation error detected: Value at 'tags' failed to satisfy constraint: Map value must satisfy" },
    // clang-format on
};

TEST(tags_are_read_or_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct tags_input input = { 0 };
        struct api_error error = { 0 };
        enum status st = tag_body_read(bytes_of_text(bodies[i].body), &input, &error);

        test_case = bodies[i].name;
        EXPECT_EQ(st == ST_OK, bodies[i].code == NULL);
        EXPECT_EQ(input.count, bodies[i].count);
        EXPECT_TEXT(error.code, bodies[i].code);
        if (st != ST_OK)
            EXPECT(strncmp(error.text, bodies[i].text, strlen(bodies[i].text)) == 0);
        tags_input_done(&input);
    }
    test_case = NULL;
}

/* `count` tags with keys and values of so many characters of `bytes` bytes each. */
static enum status read_many(size_t count,
                             size_t key_characters,
                             size_t value_characters,
                             unsigned bytes)
{
    static const char *const characters[] = { "", "x", "\xc3\xa4", "\xe2\x82\xac" };
    struct tags_input input = { 0 };
    struct buf body = { 0 };
    enum status st;

    buf_append_text(&body, "{\"Tags\":{");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&body, "%s\"%02zu", i == 0 ? "" : ",", i);
        for (size_t k = 2; k < key_characters; k++)
            buf_append_text(&body, characters[bytes]);
        buf_append_text(&body, "\":\"");
        for (size_t k = 0; k < value_characters; k++)
            buf_append_text(&body, characters[bytes]);
        buf_append_text(&body, "\"");
    }
    buf_append_text(&body, "}}");
    st = tag_body_read(buf_view(&body), &input, NULL);
    buf_done(&body);
    tags_input_done(&input);
    return st;
}

TEST(tags_are_held_to_their_limits_in_characters_and_together_in_bytes)
{
    EXPECT_EQ(read_many(TAGS_MAX, 2, 1, 1), ST_OK);
    EXPECT_EQ(read_many(TAGS_MAX + 1, 2, 1, 1), ST_BAD_INPUT);
    EXPECT_EQ(read_many(1, TAG_KEY_CHARACTERS_MAX, 1, 3), ST_OK);
    EXPECT_EQ(read_many(1, TAG_KEY_CHARACTERS_MAX + 1, 1, 3), ST_BAD_INPUT);
    EXPECT_EQ(read_many(1, 2, TAG_VALUE_CHARACTERS_MAX, 3), ST_OK);
    EXPECT_EQ(read_many(1, 2, TAG_VALUE_CHARACTERS_MAX + 1, 3), ST_BAD_INPUT);
    EXPECT_EQ(read_many(TAGS_MAX, TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX, 1), ST_OK);
    /* 32 tags of 1022 and of 1025 bytes, on either side of 32768. */
    EXPECT_EQ(read_many(32, 128, 214, 3), ST_OK);
    EXPECT_EQ(read_many(32, 128, 215, 3), ST_LIMIT);
}

static const struct {
    const char *name, *query;
    size_t count;
    const char *first;
    bool ok;
} queries[] = {
    { "one", "tagKeys=a", 1, "a", true },
    { "two and another parameter", "tagKeys=a%20b&x=y&tagKeys=c", 2, "a b", true },
    { "a plus is a blank", "tagKeys=a+b", 1, "a b", true },
    { "a key of AWS's", "tagKeys=aws%3Ax", 1, "aws:x", true },
    { "letters of the world", "tagKeys=l%C3%A4rm", 1, "l\xc3\xa4rm", true },
    { "none", "", 0, NULL, false },
    { "another parameter", "x=y", 0, NULL, false },
    { "an empty one", "tagKeys=", 0, NULL, false },
    { "not UTF-8", "tagKeys=%FF", 0, NULL, false },
    { "cannot be decoded", "tagKeys=%zz", 0, NULL, false },
    { "a control character", "tagKeys=a%0Ab", 0, NULL, false },
};

TEST(keys_to_take_away_are_read_from_the_query)
{
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct tag_keys keys = { 0 };
        struct api_error error = { 0 };

        test_case = queries[i].name;
        EXPECT_EQ(tag_keys_read(queries[i].query, &keys, &error) == ST_OK, queries[i].ok);
        EXPECT_TEXT(error.code, queries[i].ok ? NULL : "ValidationException");
        EXPECT_EQ(keys.count, queries[i].count);
        if (keys.count > 0)
            EXPECT_TEXT(keys.keys[0], queries[i].first);
        tag_keys_done(&keys);
    }
    test_case = NULL;
    {
        struct tag_keys keys = { 0 };
        struct api_error error = { 0 };

        EXPECT_EQ(tag_keys_read(NULL, &keys, &error), ST_BAD_INPUT);
        EXPECT_TEXT(error.text, "1 validation error detected: Value null at 'tagKeys' failed to "
                                "satisfy constraint: Member must not be null");
    }
}

TEST(keys_to_take_away_are_held_to_their_number)
{
    for (size_t count = TAGS_MAX; count <= TAGS_MAX + 1; count++) {
        struct tag_keys keys = { 0 };
        struct buf query = { 0 };

        for (size_t i = 0; i < count; i++)
            buf_printf(&query, "&tagKeys=%zu", i);
        EXPECT_EQ(tag_keys_read(buf_text(&query), &keys, NULL),
                  count == TAGS_MAX ? ST_OK : ST_LIMIT);
        EXPECT_EQ(keys.count, TAGS_MAX);
        tag_keys_done(&keys);
        buf_done(&query);
    }
}
