/* See terminal_text.h. */
#include "cli/terminal_text.h"

#include <stdbool.h>
#include <string.h>

enum { ESCAPE = 0x1b, DELETE = 0x7f, COLOUR_BYTES_MAX = 32 };

/* The length of a colour sequence at `text`, or 0. */
static size_t colour_length(const char *text)
{
    size_t len;

    if (text[0] != ESCAPE || text[1] != '[')
        return 0;
    len = 2 + strspn(text + 2, "0123456789;:");
    return text[len] == 'm' && len < COLOUR_BYTES_MAX ? len + 1 : 0;
}

/* U+0080 to U+009F are control characters too, some terminals take them. */
static bool is_high_control(const unsigned char *at)
{
    return at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
}

void terminal_text(struct buf *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    bool coloured = false;

    while (*at != '\0') {
        size_t colour = colour_length((const char *)at);

        if (colour > 0) {
            coloured = true;
            buf_append(out, at, colour);
            at += colour;
        } else if (is_high_control(at)) {
            buf_printf(out, "\\x%02x", at[1]);
            at += 2;
        } else if ((*at < ' ' && *at != '\t') || *at == DELETE) {
            buf_printf(out, "\\x%02x", *at++);
        } else {
            buf_append(out, at++, 1);
        }
    }
    if (coloured)
        buf_append_text(out, "\x1b[0m");
}
