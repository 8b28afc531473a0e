/* Requests as a client sends them: however the bytes are cut into reads, the parser must find the
 * same events.  Two servers that disagree there are how requests are smuggled. */
#include "base/check.h"
#include "base/http_parser.h"
#include "tests/fuzz/fuzz.h"

/* What the parser said, as text. */
static void transcript(struct bytes all, size_t read_bytes, struct buf *out)
{
    struct http_parser parser;
    enum status st = ST_OK;

    http_parser_init(&parser, HTTP_PARSER_REQUEST);
    for (size_t used = 0; st == ST_OK && used < all.len; used += read_bytes) {
        size_t left = all.len - used;
        struct bytes in = bytes_of(all.data + used, left < read_bytes ? left : read_bytes);
        enum http_event event = HTTP_EVENT_HEAD;

        while (st == ST_OK && event != HTTP_EVENT_NONE) {
            st = http_parser_next(&parser, &in, &event, NULL);
            if (st != ST_OK)
                break;
            if (event == HTTP_EVENT_HEAD)
                buf_printf(out, "[head %zu %zu]", parser.field_count, parser.target.len);
            if (event == HTTP_EVENT_BODY)
                buf_append(out, parser.chunk.data, parser.chunk.len);
            if (event == HTTP_EVENT_END)
                buf_printf(out, "[end %zu]", parser.trailer_count);
        }
    }
    buf_printf(out, "[status %d]", (int)st);
    http_parser_done(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const size_t reads[] = { 1, 2, 7, 64 };
    struct bytes all = bytes_of(data, len);
    struct buf whole = { 0 };

    transcript(all, len + 1, &whole);
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        struct buf parts = { 0 };

        transcript(all, reads[i], &parts);
        CHECK(bytes_equal(buf_view(&whole), buf_view(&parts)));
        buf_done(&parts);
    }
    buf_done(&whole);
    return 0;
}
