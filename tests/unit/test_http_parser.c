#include "base/http_parser.h"

#include <stdlib.h>

#include "tests/unit/check.h"

/* Runs a parser over `text`, `step` bytes at a time, and writes what it reports: the head's parts,
 * the body, the trailers and "." at each end, or the status of the refusal. */
static void narrate(
    enum http_parser_kind kind, struct bytes text, size_t step, bool close, struct buf *out)
{
    struct http_parser parser;
    enum http_event event = HTTP_EVENT_NONE;
    enum status st = ST_OK;

    http_parser_init(&parser, kind);
    while (st == ST_OK && text.len > 0) {
        size_t len = text.len < step ? text.len : step;
        uint8_t *piece = malloc(len); /* of its own, so that a sanitizer sees a read beyond it */
        struct bytes in = bytes_of(piece, len);

        memcpy(piece, text.data, len);
        text = bytes_of(text.data + len, text.len - len);
        do {
            st = http_parser_next(&parser, &in, &event, NULL);
            if (st != ST_OK)
                break;
            if (event == HTTP_EVENT_HEAD && kind == HTTP_PARSER_REQUEST)
                buf_printf(out, "%.*s %.*s 1.%u%s%s", (int)parser.method.len,
                           (const char *)parser.method.data, (int)parser.target.len,
                           (const char *)parser.target.data, parser.minor,
                           parser.keep_alive ? "" : " close",
                           parser.expect_continue ? " expect" : "");
            if (event == HTTP_EVENT_HEAD && kind == HTTP_PARSER_RESPONSE)
                buf_printf(out, "%u %.*s%s", parser.status, (int)parser.reason.len,
                           (const char *)parser.reason.data, parser.keep_alive ? "" : " close");
            for (size_t i = 0; event == HTTP_EVENT_HEAD && i < parser.field_count; i++)
                buf_printf(out, ";%.*s=%.*s", (int)parser.fields[i].name.len,
                           (const char *)parser.fields[i].name.data,
                           (int)parser.fields[i].value.len,
                           (const char *)parser.fields[i].value.data);
            if (event == HTTP_EVENT_HEAD)
                buf_append_text(out, "|");
            if (event == HTTP_EVENT_BODY)
                buf_append(out, parser.chunk.data, parser.chunk.len);
            for (size_t i = 0; event == HTTP_EVENT_END && i < parser.trailer_count; i++)
                buf_printf(out, ";%.*s=%.*s", (int)parser.trailers[i].name.len,
                           (const char *)parser.trailers[i].name.data,
                           (int)parser.trailers[i].value.len,
                           (const char *)parser.trailers[i].value.data);
            if (event == HTTP_EVENT_END)
                buf_append_text(out, ".");
        } while (event != HTTP_EVENT_NONE);
        EXPECT(st != ST_OK || in.len == 0);
        free(piece);
    }
    if (st == ST_OK && close) {
        st = http_parser_eof(&parser, &event, NULL);
        if (st == ST_OK && event == HTTP_EVENT_END)
            buf_append_text(out, ".");
    }
    if (st != ST_OK) {
        struct bytes more = bytes_of_text("GET / HTTP/1.1\r\n");

        buf_printf(out, "<%s>", status_name(st));
        EXPECT_EQ(http_parser_next(&parser, &more, &event, NULL), st);
    }
    http_parser_done(&parser);
}

struct row {
    const char *name;
    const char *text;
    const char *want;
};

static void expect_rows(enum http_parser_kind kind,
                        const struct row *rows,
                        size_t count,
                        bool close)
{
    static const size_t steps[] = { 1, 2, 3, 7, 100000 };

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
            struct buf out = { 0 };

            test_case = rows[i].name;
            narrate(kind, bytes_of_text(rows[i].text), steps[k], close, &out);
            EXPECT_TEXT(buf_text(&out), rows[i].want);
            buf_done(&out);
        }
    }
}

#define GET(fields)   "GET / HTTP/1.1\r\nHost: h\r\n" fields "\r\n"
#define CHUNKED(body) "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" body
#define CHUNKED_HEAD  "POST / 1.1;Host=h;Transfer-Encoding=chunked|"

// clang-format off
static const struct row good_requests[] = {
    { "the smallest", GET(""), "GET / 1.1;Host=h|." },
    { "two in a row", GET("") GET("A: b\r\n"), "GET / 1.1;Host=h|.GET / 1.1;Host=h;A=b|." },
    { "blanks around a value", GET("A: \t b c \t\r\nB:\r\nC:  \r\n"), "GET / 1.1;Host=h;A=b c;B=;C=|." },
    { "duplicates stay", GET("A: 1\r\na: 2\r\n"), "GET / 1.1;Host=h;A=1;a=2|." },
    { "utf-8 in a value", GET("A: \xc3\xbc\r\n"), "GET / 1.1;Host=h;A=\xc3\xbc|." },
    { "a raw target", "GET /a%20b//../?x=%41&y HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a%20b//../?x=%41&y 1.1;Host=h|." },
    { "a body of a length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" GET(""), "POST / 1.1;Host=h;Content-Length=5|hello.GET / 1.1;Host=h|." },
    { "no body at all", "POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n", "POST / 1.1;Host=h;content-length=0|." },
    { "chunks", CHUNKED("5\r\nhello\r\n006\r\n world\r\n0\r\n\r\n") GET(""), CHUNKED_HEAD "hello world.GET / 1.1;Host=h|." },
    { "chunks with extensions", CHUNKED("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n"), CHUNKED_HEAD "hello." },
    { "trailers", CHUNKED("1\r\nx\r\n0\r\nA: 1\r\nB: 2\r\n\r\n") GET(""), CHUNKED_HEAD "x;A=1;B=2.GET / 1.1;Host=h|." },
    { "chunks of nothing", CHUNKED("0\r\n\r\n"), CHUNKED_HEAD "." },
    { "upper case digits", CHUNKED("A\r\n0123456789\r\n0\r\n\r\n"), CHUNKED_HEAD "0123456789." },
    { "to be closed", GET("Connection: foo, close\r\n"), "GET / 1.1 close;Host=h;Connection=foo, close|." },
    { "version 1.0", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close|." },
    { "version 1.0 kept", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0;Connection=Keep-Alive|." },
    { "asks first", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\nx", "PUT / 1.1 expect;Host=h;Content-Length=1;Expect=100-Continue|x." },
    { "odd but allowed names", "M-SEARCH * HTTP/1.1\r\nHost: h\r\n!#$%&'*+-.^_`|~: x\r\n\r\n", "M-SEARCH * 1.1;Host=h;!#$%&'*+-.^_`|~=x|." },
};

static const struct row bad_requests[] = {
    { "folded", GET("A: b\r\n c\r\n"), "<bad_input>" },
    { "folded at once", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "<bad_input>" },
    { "a blank before the colon", GET("A : b\r\n"), "<bad_input>" },
    { "no colon", GET("A\r\n"), "<bad_input>" },
    { "no name", GET(": b\r\n"), "<bad_input>" },
    { "a name with a bracket", GET("A(b): c\r\n"), "<bad_input>" },
    { "a bare line feed", "GET / HTTP/1.1\nHost: h\r\n\r\n", "<bad_input>" },
    { "a bare line feed in fields", GET("A: b\nC: d\r\n"), "<bad_input>" },
    { "a bare carriage return", GET("A: b\rC: d\r\n"), "<bad_input>" },
    { "a control character", GET("A: b\x01\r\n"), "<bad_input>" },
    { "delete", GET("A: b\x7f\r\n"), "<bad_input>" },
    { "an empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "a blank at the end", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "<bad_input>" },
    { "a blank in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "utf-8 in the target", "GET /\xc3\xbc HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "no version", "GET /\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "a bad method", "G@T / HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "a long method", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "lower case version", "GET / http/1.1\r\nHost: h\r\n\r\n", "<bad_input>" },
    { "version 2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "<unsupported>" },
    { "version 1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", "<unsupported>" },
    { "no host", "GET / HTTP/1.1\r\n\r\n", "<bad_input>" },
    { "two hosts", GET("Host: h\r\n"), "<bad_input>" },
    { "length and chunks", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "<bad_input>" },
    { "two equal lengths", GET("Content-Length: 1\r\nContent-Length: 1\r\n"), "<bad_input>" },
    { "a list of lengths", GET("Content-Length: 1, 1\r\n"), "<bad_input>" },
    { "a signed length", GET("Content-Length: +1\r\n"), "<bad_input>" },
    { "a negative length", GET("Content-Length: -1\r\n"), "<bad_input>" },
    { "an empty length", GET("Content-Length:\r\n"), "<bad_input>" },
    { "a huge length", GET("Content-Length: 18446744073709551617\r\n"), "<bad_input>" },
    { "another coding", GET("Transfer-Encoding: gzip\r\n"), "<bad_input>" },
    { "two codings", GET("Transfer-Encoding: gzip, chunked\r\n"), "<bad_input>" },
    { "chunked twice", GET("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "<bad_input>" },
    { "chunks in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "<bad_input>" },
    { "a chunk size of nothing", CHUNKED("\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a chunk size with a blank", CHUNKED("5 \r\nhello\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a chunk size with 0x", CHUNKED("0x5\r\nhello\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a negative chunk", CHUNKED("-5\r\nhello\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a huge chunk", CHUNKED("1000000000000000\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a chunk line with a bare line feed", CHUNKED("5\nhello\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a chunk longer than said", CHUNKED("5\r\nhello!\r\n"), CHUNKED_HEAD "hello<bad_input>" },
    { "a chunk ended by a bare line feed", CHUNKED("5\r\nhello\n0\r\n\r\n"), CHUNKED_HEAD "hello<bad_input>" },
    { "a control character in an extension", CHUNKED("5;\x01\r\nhello\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "a bad trailer", CHUNKED("0\r\nA b\r\n\r\n"), CHUNKED_HEAD "<bad_input>" },
    { "too many trailers", CHUNKED("0\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\ni:\r\n\r\n"), CHUNKED_HEAD "<limit>" },
};

static const struct row responses[] = {
    { "the smallest", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 OK;Content-Length=2|ok." },
    { "no reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200 ;Content-Length=0|." },
    { "no blank either", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 ;Content-Length=0|." },
    { "an interim answer", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", "100 Continue|.200 OK;Content-Length=1|x." },
    { "nothing to say", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", "204 No Content|.304 x;Content-Length=5|." },
    { "until it closes", "HTTP/1.1 200 OK\r\n\r\nall of it", "200 OK|all of it." },
    { "an old one", "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 Not Found close;Content-Length=0|." },
    { "chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "200 OK;Transfer-Encoding=chunked|abc." },
    { "cut in its head", "HTTP/1.1 200 OK\r\nConte", "<io>" },
    { "cut in its body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "200 OK;Content-Length=5|ab<io>" },
    { "cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "200 OK;Transfer-Encoding=chunked|ab<io>" },
    { "cut before its last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "200 OK;Transfer-Encoding=chunked|abc<io>" },
    { "switching", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "<unsupported>" },
    { "a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "<bad_input>" },
    { "a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "<bad_input>" },
    { "a status out of range", "HTTP/1.1 600 x\r\n\r\n", "<bad_input>" },
    { "not a status", "HTTP/1.1 abc x\r\n\r\n", "<bad_input>" },
    { "not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "<bad_input>" },
};
// clang-format on

TEST(requests_are_parsed_alike_however_they_arrive)
{
    expect_rows(HTTP_PARSER_REQUEST, good_requests, ARRAY_LEN(good_requests), true);
}

TEST(requests_that_could_be_read_differently_are_refused)
{
    expect_rows(HTTP_PARSER_REQUEST, bad_requests, ARRAY_LEN(bad_requests), false);
}

TEST(responses_are_parsed_to_their_end_or_to_their_cut)
{
    expect_rows(HTTP_PARSER_RESPONSE, responses, ARRAY_LEN(responses), true);
}

TEST(an_answer_to_a_head_request_has_no_body)
{
    struct http_parser parser;
    struct bytes in = bytes_of_text("HTTP/1.1 100 Continue\r\n\r\n"
                                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
                                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    static const enum http_event want[] = { HTTP_EVENT_HEAD, HTTP_EVENT_END,  HTTP_EVENT_HEAD,
                                            HTTP_EVENT_END,  HTTP_EVENT_HEAD, HTTP_EVENT_BODY,
                                            HTTP_EVENT_END,  HTTP_EVENT_NONE };

    http_parser_init(&parser, HTTP_PARSER_RESPONSE);
    http_parser_no_body(&parser);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        enum http_event event;

        EXPECT_EQ(http_parser_next(&parser, &in, &event, NULL), ST_OK);
        EXPECT_EQ(event, want[i]);
    }
    http_parser_done(&parser);
}

/* A request whose field X has as many bytes as make the head `head_bytes` long. */
static void padded_request(size_t head_bytes, struct buf *out)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";

    buf_append_text(out, start);
    while (out->len < head_bytes - 4)
        buf_append_text(out, "x");
    buf_append_text(out, "\r\n\r\n");
}

TEST(heads_lines_and_fields_are_limited)
{
    static const size_t steps[] = { 1000, 100000 };

    for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
        for (size_t over = 0; over < 2; over++) {
            struct buf text = { 0 };
            struct buf out = { 0 };

            padded_request(HTTP_HEAD_BYTES_MAX + over, &text);
            EXPECT_EQ(text.len, HTTP_HEAD_BYTES_MAX + over);
            narrate(HTTP_PARSER_REQUEST, buf_view(&text), steps[k], false, &out);
            EXPECT_EQ(strcmp(buf_text(&out), "<limit>") == 0, over == 1);

            text.len = out.len = 0;
            buf_append_text(&text, "GET /");
            while (text.len < 4 + HTTP_TARGET_BYTES_MAX + over)
                buf_append_text(&text, "x");
            buf_append_text(&text, " HTTP/1.1\r\nHost: h\r\n\r\n");
            narrate(HTTP_PARSER_REQUEST, buf_view(&text), steps[k], false, &out);
            EXPECT_EQ(strcmp(buf_text(&out), "<limit>") == 0, over == 1);

            text.len = out.len = 0;
            buf_append_text(&text, "GET / HTTP/1.1\r\nHost: h\r\n");
            for (size_t i = 1; i < HTTP_FIELDS_MAX + over; i++)
                buf_append_text(&text, "a: b\r\n");
            buf_append_text(&text, "\r\n");
            narrate(HTTP_PARSER_REQUEST, buf_view(&text), steps[k], false, &out);
            EXPECT_EQ(strcmp(buf_text(&out), "<limit>") == 0, over == 1);

            text.len = out.len = 0;
            buf_append_text(&text, CHUNKED("0;"));
            for (size_t i = 4; i < HTTP_CHUNK_LINE_BYTES_MAX + over; i++)
                buf_append_text(&text, "x");
            buf_append_text(&text, "\r\n\r\n");
            narrate(HTTP_PARSER_REQUEST, buf_view(&text), steps[k], false, &out);
            EXPECT_TEXT(buf_text(&out), over == 1 ? CHUNKED_HEAD "<limit>" : CHUNKED_HEAD ".");
            buf_done(&text);
            buf_done(&out);
        }
    }
}
