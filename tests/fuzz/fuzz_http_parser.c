/* HTTP messages from peers that are not trusted: any bytes, in one piece or one after the other,
 * are understood alike or refused alike.  The first byte chooses requests or responses. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/http_parser.h"
#include "tests/fuzz/fuzz.h"

static void note_fields(const struct http_field *fields, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_append(out, fields[i].name.data, fields[i].name.len);
        buf_append(out, fields[i].value.data, fields[i].value.len);
        buf_printf(out, "[%zu %zu]", fields[i].name.len, fields[i].value.len);
    }
}

static void note_event(const struct http_parser *parser, enum http_event event, struct buf *out)
{
    if (event == HTTP_EVENT_HEAD) {
        buf_append(out, parser->method.data, parser->method.len);
        buf_append(out, parser->target.data, parser->target.len);
        buf_printf(out, "<%u %u %d", parser->status, parser->minor, parser->keep_alive);
        note_fields(parser->fields, parser->field_count, out);
    } else if (event == HTTP_EVENT_BODY) {
        CHECK(parser->chunk.len > 0);
        buf_append(out, parser->chunk.data, parser->chunk.len);
    } else if (event == HTTP_EVENT_END) {
        note_fields(parser->trailers, parser->trailer_count, out);
        buf_append_text(out, ">");
    }
}

/* What the parser says of the bytes, given `step` at a time. */
static enum status parse(enum http_parser_kind kind, struct bytes all, size_t step, struct buf *out)
{
    static struct http_parser parser;
    enum http_event event;
    enum status st = ST_OK;

    http_parser_init(&parser, kind);
    while (st == ST_OK && all.len > 0) {
        struct bytes in = bytes_of(all.data, all.len < step ? all.len : step);

        all = bytes_of(all.data + in.len, all.len - in.len);
        do {
            st = http_parser_next(&parser, &in, &event, NULL);
            if (st == ST_OK)
                note_event(&parser, event, out);
        } while (st == ST_OK && event != HTTP_EVENT_NONE);
        CHECK(st != ST_OK || in.len == 0);
    }
    if (st == ST_OK)
        st = http_parser_eof(&parser, &event, NULL);
    http_parser_done(&parser);
    return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    enum http_parser_kind kind;
    struct buf whole = { 0 };
    struct buf pieces = { 0 };

    if (len == 0)
        return 0;
    kind = data[0] % 2 == 0 ? HTTP_PARSER_REQUEST : HTTP_PARSER_RESPONSE;
    CHECK(parse(kind, bytes_of(data + 1, len - 1), len, &whole) ==
          parse(kind, bytes_of(data + 1, len - 1), 1, &pieces));
    CHECK(bytes_equal(buf_view(&whole), buf_view(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
