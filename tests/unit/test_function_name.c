#include "controlplane/api/lambda/function_name.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct function_scope scope = { .account = "000000000000", .region = "eu-west-1" };

#define NAME_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text;
    const char *qualifier_given;
    enum status want;
    const char *name;
    const char *qualifier;
    const char *code;
} rows[] = {
    { "hello", NULL, ST_OK, "hello", "", NULL },
    { "hello:live", NULL, ST_OK, "hello", "live", NULL },
    { "hello:$LATEST", NULL, ST_OK, "hello", "$LATEST", NULL },
    { "hello", "1", ST_OK, "hello", "1", NULL },
    { "hello:1", "1", ST_OK, "hello", "1", NULL },
    { "hello:1", "2", ST_BAD_INPUT, NULL, NULL, "InvalidParameterValueException" },
    { "000000000000:function:hello", NULL, ST_OK, "hello", "", NULL },
    { "000000000000:function:hello:7", NULL, ST_OK, "hello", "7", NULL },
    { "function:hello", NULL, ST_OK, "hello", "", NULL },
    { "function", NULL, ST_OK, "function", "", NULL },
    { "arn:aws:lambda:eu-west-1:000000000000:function:hello", NULL, ST_OK, "hello", "", NULL },
    { "arn:aws:lambda:eu-west-1:000000000000:function:hello:v", NULL, ST_OK, "hello", "v", NULL },
    { "arn:aws:lambda:ap-southeast-1:000000000000:function:hello", NULL, ST_NOT_FOUND, NULL, NULL,
      "ResourceNotFoundException" },
    { "arn:aws:lambda:eu-west-1:111111111111:function:hello", NULL, ST_DENIED, NULL, NULL,
      "AccessDeniedException" },
    { "arn:aws:s3:eu-west-1:000000000000:function:hello", NULL, ST_BAD_INPUT, NULL, NULL,
      "ValidationException" },
    { "invalid:function:name", NULL, ST_BAD_INPUT, NULL, NULL, "ValidationException" },
    { "a b", NULL, ST_BAD_INPUT, NULL, NULL, "ValidationException" },
    { "", NULL, ST_BAD_INPUT, NULL, NULL, "ValidationException" },
    { "hello:", NULL, ST_BAD_INPUT, NULL, NULL, "ValidationException" },
    { "a:b:c:d:e:f:g:h:i:j", NULL, ST_BAD_INPUT, NULL, NULL, "ValidationException" },
    { "hello", "bad?char", ST_BAD_INPUT, NULL, NULL, "ValidationException" },
    { NAME_64, NULL, ST_OK, NAME_64, "", NULL },
    { NAME_64 "a", NULL, ST_BAD_INPUT, NULL, NULL, "InvalidParameterValueException" },
};

TEST(a_function_can_be_named_in_every_way_that_aws_has)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function_ref ref = { 0 };
        struct api_error error = { 0 };

        test_case = rows[i].text;
        EXPECT_EQ(function_ref_parse(rows[i].text, rows[i].qualifier_given, &scope, &ref, &error),
                  rows[i].want);
        EXPECT_TEXT(error.code, rows[i].code);
        if (rows[i].want == ST_OK) {
            EXPECT_TEXT(ref.name, rows[i].name);
            EXPECT_TEXT(ref.qualifier, rows[i].qualifier);
        }
    }
}

TEST(a_name_that_is_too_long_is_refused_in_the_recorded_words)
{
    struct function_ref ref;
    struct api_error error = { 0 };

    EXPECT_EQ(function_ref_parse(NAME_64 "a", NULL, &scope, &ref, &error), ST_BAD_INPUT);
    EXPECT_TEXT(error.text,
                "1 validation error detected: Value '" NAME_64
                "a' at 'functionName' failed to satisfy constraint: Member must have length less "
                "than or equal to 64");
}

TEST(an_arn_shows_the_qualifier_only_when_there_is_one)
{
    char arn[FUNCTION_ARN_BYTES_MAX];

    function_arn(&scope, "hello", NULL, arn);
    EXPECT_TEXT(arn, "arn:aws:lambda:eu-west-1:000000000000:function:hello");
    function_arn(&scope, "hello", "$LATEST", arn);
    EXPECT_TEXT(arn, "arn:aws:lambda:eu-west-1:000000000000:function:hello:$LATEST");
}

TEST(a_qualifier_is_a_version_or_could_only_be_an_alias)
{
    static const struct {
        const char *qualifier;
        bool is_version;
        uint64_t version;
        const char *text;
    } versions[] = {
        { "", true, 0, "$LATEST" },
        { "$LATEST", true, 0, "$LATEST" },
        { "1", true, 1, "1" },
        { "999999999999999999", true, 999999999999999999u, "999999999999999999" },
        { "1000000000000000000", false, 0, NULL },
        { "0", false, 0, NULL },
        { "01", false, 0, NULL },
        { "1a", false, 0, NULL },
        { "prod", false, 0, NULL },
        { "$LATEST.PUBLISHED", false, 0, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct function_ref ref = { .name = "f" };
        char text[FUNCTION_VERSION_BYTES];
        uint64_t version = 77;

        test_case = versions[i].qualifier;
        (void)strcpy(ref.qualifier, versions[i].qualifier);
        EXPECT_EQ(function_ref_version(&ref, &version), versions[i].is_version);
        EXPECT_EQ(version, versions[i].is_version ? versions[i].version : 77);
        if (!versions[i].is_version)
            continue;
        function_version_text(version, text);
        EXPECT_TEXT(text, versions[i].text);
    }
    test_case = NULL;
}
