#include "controlplane/api/lambda/payload_rules.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static const struct {
    const char *text;
    const char *why; /* NULL: it is JSON */
} rows[] = {
    { "", NULL },
    { "{}", NULL },
    { " [1, -2.5e+3, 0, true, false, null, \"a\\u00e9\\n\", {\"k\":[[]]}]\n", NULL },
    { "\"text\"", NULL },
    { "1", NULL },
    { "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa6\"", NULL },
    { "   ", "Unexpected end-of-input" },
    { "{", "Unexpected end-of-input" },
    { "{\"a\"}", "Unexpected character ('}' (code 125)): expected a colon" },
    { "{\"a\":1,}", "Unexpected character ('}' (code 125)): expected a double-quote" },
    { "[1,]", "Unexpected character (']' (code 93)): expected a valid value" },
    { "[1 2]", "Unexpected character ('2' (code 50)): expected comma" },
    { "[1}", "Unexpected character ('}' (code 125)): expected comma" },
    { "{\"a\":1]", "Unexpected character (']' (code 93)): expected comma" },
    { "]", "Unexpected character (']' (code 93)): expected a valid value" },
    { "hello", "Unrecognized token 'hello'" },
    { "01", "Invalid numeric value: Leading zeroes" },
    { "1.", "Unexpected end-of-input" },
    { "-", "Unexpected end-of-input" },
    { "\"a", "Unexpected end-of-input: was expecting closing quote" },
    { "\"\\x\"", "Unexpected character ('x' (code 120)): expected a character escape" },
    { "\"\\u12g4\"", "Unexpected character ('g' (code 103)): expected a hex-digit" },
    { "\"\n\"", "Unexpected character ((CTRL-CHAR, code 10)): expected it to be escaped" },
    { "{} x", "Unexpected character ('x' (code 120)): expected end-of-input" },
    { "\x87", "Unexpected character ((CTRL-CHAR, code 135)): expected a valid value" },
    { "[\xff", "Unexpected character ('\xc3\xbf' (code 255)): expected a valid value" },
    { "ab\x87", "Invalid UTF-8 start byte 0x87\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_"
                "SOURCE_IN_LOCATION` disabled); line: 1, column: 3]" },
    { "\"\xc0\x80\"", "Invalid UTF-8 start byte 0xc0" },
    { "\"\xed\xa0\x80\"", "Invalid UTF-8 middle byte" },
    { "\"\xe2\x82\"", "Invalid UTF-8 middle byte" },
};

TEST(a_payload_is_one_json_value)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct api_error error = { 0 };
        enum status st = payload_check(bytes_of_text(rows[i].text), &error);

        test_case = rows[i].text;
        EXPECT_EQ(st == ST_OK, rows[i].why == NULL);
        if (rows[i].why != NULL)
            EXPECT(strstr(error.text, rows[i].why) != NULL);
    }
}

TEST(the_recorded_refusal_names_the_place)
{
    struct api_error error = { 0 };

    EXPECT_EQ(payload_check(bytes_of_text("\x19"), &error), ST_BAD_INPUT);
    EXPECT_TEXT(error.text,
                "Could not parse request body into json: Could not parse payload into json: "
                "Unexpected character ((CTRL-CHAR, code 25)): expected a valid value (JSON String, "
                "Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: REDACTED "
                "(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]");
}

TEST(nesting_is_allowed_to_the_limit_and_no_further)
{
    static char text[2 * (PAYLOAD_DEPTH_MAX + 1) + 1];

    memset(text, '[', PAYLOAD_DEPTH_MAX);
    memset(text + PAYLOAD_DEPTH_MAX, ']', PAYLOAD_DEPTH_MAX);
    EXPECT_EQ(payload_check(bytes_of(text, 2 * PAYLOAD_DEPTH_MAX), NULL), ST_OK);
    memset(text, '[', PAYLOAD_DEPTH_MAX + 1);
    memset(text + PAYLOAD_DEPTH_MAX + 1, ']', PAYLOAD_DEPTH_MAX + 1);
    EXPECT_EQ(payload_check(bytes_of(text, 2 * (PAYLOAD_DEPTH_MAX + 1)), NULL), ST_BAD_INPUT);
}
