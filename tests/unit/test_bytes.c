#include "base/bytes.h"
#include "tests/unit/check.h"

static const struct {
    const char *name;
    const char *text;
    size_t len;
    bool want;
} hex_rows[] = {
    { "two bytes", "00ff", 2, true },       { "upper case", "ABCD", 2, true },
    { "one digit short", "00f", 2, false }, { "one digit too many", "00ff0", 2, false },
    { "not a digit", "00fg", 2, false },    { "nothing, for no bytes", "", 0, true },
};

TEST(hex_decode_takes_exactly_the_digits_asked_for)
{
    for (size_t i = 0; i < ARRAY_LEN(hex_rows); i++) {
        uint8_t out[4] = { 0 };

        test_case = hex_rows[i].name;
        EXPECT_EQ(hex_decode(hex_rows[i].text, out, hex_rows[i].len), hex_rows[i].want);
    }
}

TEST(a_buffer_keeps_what_is_behind_what_was_consumed)
{
    struct buf buf = { 0 };

    buf_append_text(&buf, "hello ");
    buf_printf(&buf, "%s %d", "world", 7);
    buf_consume(&buf, 6);
    EXPECT_TEXT(buf_text(&buf), "world 7");
    EXPECT_EQ(buf.len, 7);
    buf_done(&buf);
    EXPECT(buf.data == NULL);
}

/* Shorter than what is tried at once, just as long, longer, and into a buffer that is nearly full.
 */
TEST(printed_text_is_whole_however_long_it_is)
{
    static const int widths[] = { 1, 126, 127, 128, 129, 255, 256, 257, 5000 };

    for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
        struct buf buf = { 0 };
        size_t width = (size_t)widths[i];

        for (int round = 0; round < 3; round++)
            buf_printf(&buf, "%0*d|", widths[i], round);
        EXPECT_EQ(buf.len, 3 * (width + 1));
        EXPECT_EQ(strlen(buf_text(&buf)), buf.len);
        EXPECT_EQ(buf.data[buf.len - 2], '2');
        buf_done(&buf);
    }
}

TEST(secrets_are_equal_only_when_every_byte_is)
{
    EXPECT(bytes_equal_secret(bytes_of_text("abc"), bytes_of_text("abc")));
    EXPECT(!bytes_equal_secret(bytes_of_text("abc"), bytes_of_text("abd")));
    EXPECT(!bytes_equal_secret(bytes_of_text("abc"), bytes_of_text("ab")));
}
