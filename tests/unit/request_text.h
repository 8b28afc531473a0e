/* A request written as text, for tables: first line, fields, an empty line, the body.  Lines end
 * with a bare line feed. */
#ifndef TESTS_UNIT_REQUEST_TEXT_H
#define TESTS_UNIT_REQUEST_TEXT_H

#include "base/http_message.h"
#include "tests/unit/check.h"

struct request_text {
    struct http_head head;
    struct http_field fields[32];
    struct bytes body;
};

static inline struct bytes request_text_line(const char **at)
{
    const char *end = strchr(*at, '\n');
    struct bytes line = bytes_of(*at, end == NULL ? strlen(*at) : (size_t)(end - *at));

    *at = end == NULL ? *at + line.len : end + 1;
    return line;
}

/* Views into `text`. */
static inline void request_text_parse(const char *text, struct request_text *out)
{
    struct bytes line = request_text_line(&text);
    const uint8_t *first = memchr(line.data, ' ', line.len);
    const uint8_t *last = memrchr(line.data, ' ', line.len);

    CHECK(first != NULL && last > first);
    *out = (struct request_text){ 0 };
    out->head.method = bytes_of(line.data, (size_t)(first - line.data));
    out->head.target = bytes_of(first + 1, (size_t)(last - first - 1));
    out->head.fields = out->fields;
    while (line = request_text_line(&text), line.len > 0) {
        const uint8_t *colon = memchr(line.data, ':', line.len);

        CHECK(colon != NULL && out->head.field_count < ARRAY_LEN(out->fields));
        out->fields[out->head.field_count++] = (struct http_field){
            bytes_of(line.data, (size_t)(colon - line.data)),
            bytes_of(colon + 1, (size_t)(line.data + line.len - colon - 1)),
        };
    }
    out->body = bytes_of_text(text);
}

#endif
