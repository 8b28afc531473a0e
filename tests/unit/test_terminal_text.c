#include "cli/terminal_text.h"

#include "tests/unit/check.h"

static const struct {
    const char *name, *text, *want;
} rows[] = {
    { "plain", "a line\tof text \xc3\xa9", "a line\tof text \xc3\xa9" },
    { "empty", "", "" },
    { "a colour", "\x1b[1;31mred", "\x1b[1;31mred\x1b[0m" },
    { "no colour without its end", "\x1b[1;31", "\\x1b[1;31" },
    { "a colour that is too long", "\x1b[11111111111111111111111111111111m",
      "\\x1b[11111111111111111111111111111111m" },
    { "clearing the screen", "\x1b[2J", "\\x1b[2J" },
    { "a window's name", "\x1b]0;name\x07", "\\x1b]0;name\\x07" },
    { "carriage return", "shown\rhidden", "shown\\x0dhidden" },
    { "a sequence of one character",
      "\xc2\x9b"
      "2J",
      "\\x9b2J" },
    { "a high byte at the end", "\xc2", "\xc2" },
    { "delete", "\x7f", "\\x7f" },
};

TEST(only_colours_reach_a_terminal)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };

        test_case = rows[i].name;
        terminal_text(&out, rows[i].text);
        EXPECT_TEXT(buf_text(&out), rows[i].want);
        buf_done(&out);
    }
}
