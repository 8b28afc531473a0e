#include "controlplane/api/lambda/function_name.h"

#include <string.h>

#include "base/hash.h"
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
        EXPECT_EQ(function_ref_parse(rows[i].text, rows[i].qualifier_given, &scope,
                                     FUNCTION_NAME_NAMESPACED, &ref, &error),
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

    EXPECT_EQ(function_ref_parse(NAME_64 "a", NULL, &scope, FUNCTION_NAME_PLAIN, &ref, &error),
              ST_BAD_INPUT);
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

#define ARN_75   "arn:aws:lambda:eu-west-1:000000000000:function:abcdefghijabcdefghijabcdefgh"
#define WORDS_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"

TEST(operations_take_one_of_two_forms_of_references)
{
    static const struct {
        const char *operation;
        const char *text;
        enum status want;
        const char *message; /* its end */
    } forms[] = {
        { "GetFunction", "f:$LATEST.PUBLISHED", ST_OK, NULL },
        { "PublishVersion", "f:$LATEST.PUBLISHED", ST_BAD_INPUT,
          "(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?" },
        { "Invoke", "a.b", ST_OK, NULL },
        { "UpdateFunctionCode", "a.b", ST_BAD_INPUT,
          "(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?" },
        { "GetFunction", "arn:aws:lambda:eu-west-1:123400000000@function:myfn", ST_BAD_INPUT,
          "at 'functionName' failed to satisfy constraint: Member must satisfy regular expression "
          "pattern: "
          "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-"
          "\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-"
          "9-_]"
          "+))?" },
        { "UpdateFunctionConfiguration", "invalid:function:name", ST_BAD_INPUT,
          "at 'functionName' failed to satisfy constraint: Member must satisfy regular expression "
          "pattern: "
          "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-"
          "\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?" },
        { "UpdateFunctionCode", ARN_75 ":" WORDS_64, ST_OK, NULL },
        { "UpdateFunctionCode", ARN_75 ":a" WORDS_64, ST_BAD_INPUT,
          "Member must have length less than or equal to 140" },
        { "GetFunction", ARN_75 ":a" WORDS_64, ST_OK, NULL },
    };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct function_ref ref;
        struct api_error error = { 0 };
        size_t len = forms[i].message == NULL ? 0 : strlen(forms[i].message);

        test_case = forms[i].text;
        EXPECT_EQ(function_ref_parse(forms[i].text, NULL, &scope,
                                     function_name_form_of(forms[i].operation), &ref, &error),
                  forms[i].want);
        if (forms[i].message == NULL)
            continue;
        EXPECT_TEXT(error.code, "ValidationException");
        EXPECT(strlen(error.text) >= len);
        EXPECT_TEXT(error.text + strlen(error.text) - len, forms[i].message);
    }
    test_case = NULL;
}

TEST(a_marker_comes_back_as_it_was_given_and_nothing_else_is_one)
{
    static const struct {
        const char *text; /* before base64 */
        bool good;
        const char *name;
        uint64_t version;
    } markers[] = {
        { "f:0", true, "f", 0 },
        { WORDS_64 ":999999999999999999", true, WORDS_64, 999999999999999999u },
        { "f:1000000000000000000", false, NULL, 0 },
        { "f:18446744073709551615", false, NULL, 0 },
        { WORDS_64 "a:1", false, NULL, 0 },
        { "f:-1", false, NULL, 0 },
        { "f:$LATEST", true, "f", 0 },
        { "f:01", false, NULL, 0 },
        { "f:", false, NULL, 0 },
        { "f", false, NULL, 0 },
        { ":1", false, NULL, 0 },
        { "", false, NULL, 0 },
        { "a.b:1", false, NULL, 0 },
        { "f:1:2", false, NULL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
        struct function_ref ref = { 0 };
        struct api_error error = { 0 };
        struct buf marker = { 0 };
        uint64_t version = 0;

        test_case = markers[i].text;
        base64_encode(bytes_of_text(markers[i].text), &marker);
        EXPECT_EQ(function_marker_read(buf_text(&marker), &ref, &version, &error) == ST_OK,
                  markers[i].good);
        buf_done(&marker);
        if (!markers[i].good) {
            EXPECT_TEXT(error.code, "InvalidParameterValueException");
            continue;
        }
        EXPECT_TEXT(ref.name, markers[i].name);
        EXPECT_EQ(version, markers[i].version);
        function_marker_write(ref.name, version, &marker);
        EXPECT_EQ(function_marker_read(buf_text(&marker), &ref, &version, &error), ST_OK);
        EXPECT_EQ(version, markers[i].version);
        buf_done(&marker);
    }
    test_case = NULL;
}
