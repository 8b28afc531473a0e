/* Single fields: characters, lengths, UTF-8. */
#include "proto/fields.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct {
    const char *name, *text;
    size_t len;
    bool want;
} utf8_rows[] = {
    { "nothing", "", 0, true },
    { "ASCII", "abc", 3, true },
    { "two bytes", "\xc2\x80", 2, true },
    { "two bytes, overlong", "\xc1\xbf", 2, false },
    { "three bytes", "\xe0\xa0\x80", 3, true },
    { "three bytes, overlong", "\xe0\x9f\xbf", 3, false },
    { "below the surrogates", "\xed\x9f\xbf", 3, true },
    { "a surrogate", "\xed\xa0\x80", 3, false },
    { "above the surrogates", "\xee\x80\x80", 3, true },
    { "four bytes", "\xf0\x90\x80\x80", 4, true },
    { "four bytes, overlong", "\xf0\x8f\xbf\xbf", 4, false },
    { "the last", "\xf4\x8f\xbf\xbf", 4, true },
    { "beyond the last", "\xf4\x90\x80\x80", 4, false },
    { "five bytes", "\xf8\x88\x80\x80\x80", 5, false },
    { "cut", "a\xe2\x82", 3, false },
    { "a continuation", "\x80", 1, false },
    { "no continuation", "\xc3(", 2, false },
    { "0xff", "\xff", 1, false },
};

TEST(utf8_is_what_the_standard_says)
{
    for (size_t i = 0; i < ARRAY_LEN(utf8_rows); i++) {
        test_case = utf8_rows[i].name;
        EXPECT_EQ(utf8_valid(utf8_rows[i].text, utf8_rows[i].len), utf8_rows[i].want);
    }
    test_case = NULL;
}

/* What each kind of text takes out of one character at a time. */
static const struct {
    enum field_kind kind;
    const char *yes, *no;
} kind_rows[] = {
    { FIELD_ANY, "az09 \n\x7f", "" },           { FIELD_TEXT, "az09 \n\x7f/", "" },
    { FIELD_LINE, "az09 /", "\n\t\r\x01\x7f" }, { FIELD_NAME, "azAZ09-_", ". /@[`{:\n" },
    { FIELD_LOWER, "az09-", "AZ_." },           { FIELD_DOTTED, "azAZ09-_.", " /:\n" },
    { FIELD_DIGITS, "0123456789", "a/:- " },    { FIELD_HEX, "09af", "gAF/:`" },
    { FIELD_UUID, "09afAF-", "gG_" },           { FIELD_ADDRESS, "az09-.:[]", "/ _@" },
    { FIELD_PRINTABLE, "az ~!", "\n\x7f\x1f" },
};

TEST(each_kind_of_text_has_its_characters)
{
    for (size_t i = 0; i < ARRAY_LEN(kind_rows); i++) {
        struct field_text rule = { "field", kind_rows[i].kind, 1, 1 };
        char text[2] = "";

        for (const char *c = kind_rows[i].yes; *c != '\0'; c++) {
            text[0] = *c;
            EXPECT_EQ(field_text_check(&rule, text, NULL), ST_OK);
        }
        for (const char *c = kind_rows[i].no; *c != '\0'; c++) {
            text[0] = *c;
            EXPECT_EQ(field_text_check(&rule, text, NULL), ST_BAD_INPUT);
        }
    }
}

TEST(a_refusal_names_field_value_and_what_is_allowed)
{
    struct field_text rule = { "name", FIELD_NAME, 1, 3 };
    struct err err = { 0 };

    EXPECT_EQ(field_text_check(&rule, "abcd", &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "name: 4 bytes, want 1 to 3");
    EXPECT_EQ(field_text_check(&rule, "a/b", &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "name: byte 0x2f at 1, want letters, digits, - and _");
    EXPECT_EQ(field_number_check("age", 7, 1, 6, &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "age: 7, want 1 to 6");
}
