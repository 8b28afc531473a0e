/* Views and growing buffers.  Any thread, one owner a buffer. */
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct bytes bytes_of(const void *data, size_t len)
{
    return (struct bytes){ .data = data, .len = len };
}

struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){ .data = (const uint8_t *)text, .len = strlen(text) };
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    uint8_t different = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        different |= (uint8_t)(a.data[i] ^ b.data[i]);
    return different == 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    if (buf->data == NULL || buf->capacity - buf->len < len) {
        size_t want = buf->capacity < 256 ? 256 : buf->capacity * 2;

        if (want < buf->len + len)
            want = buf->len + len;
        buf->data = must_realloc(buf->data, want);
        buf->capacity = want;
    }
    return buf->data + buf->len;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), data, len);
    buf->len += len;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    enum { PRINT_BYTES_USUAL = 128 };
    va_list args;
    size_t room;
    int need;

    /* Nearly always it fits at once; formatting only to learn the length costs as much again. */
    (void)buf_reserve(buf, PRINT_BYTES_USUAL);
    room = buf->capacity - buf->len;
    va_start(args, format);
    need = vsnprintf((char *)buf->data + buf->len, room, format, args);
    va_end(args);
    CHECK(need >= 0);
    if ((size_t)need >= room) {
        (void)buf_reserve(buf, (size_t)need + 1);
        va_start(args, format);
        (void)vsnprintf((char *)buf->data + buf->len, (size_t)need + 1, format, args);
        va_end(args);
    }
    buf->len += (size_t)need;
}

void buf_consume(struct buf *buf, size_t len)
{
    CHECK(len <= buf->len);
    buf->len -= len;
    if (buf->len > 0)
        memmove(buf->data, buf->data + len, buf->len);
}

struct bytes buf_view(const struct buf *buf)
{
    return bytes_of(buf->data, buf->len);
}

const char *buf_text(struct buf *buf)
{
    *buf_reserve(buf, 1) = '\0';
    return (const char *)buf->data;
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ 0 };
}

void hex_encode(struct bytes in, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
    out[2 * in.len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * len] == '\0';
}
