/* Borrowed views of bytes, and a growing buffer that owns them. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view: never owns, never freed.  `data` may be NULL when `len` is 0. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

struct bytes bytes_of(const void *data, size_t len);
struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);

/* Compare without leaking where they differ; false at once when lengths differ. */
bool bytes_equal_secret(struct bytes a, struct bytes b);

/* An owned buffer that grows.  Zero-initialised is empty; buf_done() empties it again. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_text(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `len` more bytes; returns where they go.  The caller adds what it wrote to buf->len. */
uint8_t *buf_reserve(struct buf *buf, size_t len);
/* Drop the first `len` bytes; len <= buf->len. */
void buf_consume(struct buf *buf, size_t len);
struct bytes buf_view(const struct buf *buf);
/* The content as text: terminates it without counting the NUL. */
const char *buf_text(struct buf *buf);
void buf_done(struct buf *buf);

/* Lower-case hexadecimal of `in` plus a NUL: out holds 2 * in.len + 1. */
void hex_encode(struct bytes in, char *out);
/* False unless `text` is exactly 2 * len hexadecimal digits (either case). */
bool hex_decode(const char *text, uint8_t *out, size_t len);

#endif
