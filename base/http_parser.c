/* The strict HTTP/1.1 parser.  Pure; owned by whoever reads the connection. */
#include "base/http_parser.h"

#include <string.h>

#include "base/check.h"

enum { METHOD_BYTES_MAX = 32, LENGTH_DIGITS_MAX = 18, CHUNK_DIGITS_MAX = 15 };

void http_parser_init(struct http_parser *parser, enum http_parser_kind kind)
{
    *parser = (struct http_parser){ .kind = kind, .state = HTTP_PARSER_HEAD };
}

void http_parser_done(struct http_parser *parser)
{
    buf_done(&parser->head);
    buf_done(&parser->tail);
}

void http_parser_no_body(struct http_parser *parser)
{
    CHECK(parser->kind == HTTP_PARSER_RESPONSE);
    parser->no_body = true;
}

struct http_head http_parser_head(const struct http_parser *parser)
{
    return (struct http_head){
        .method = parser->method,
        .target = parser->target,
        .fields = parser->fields,
        .field_count = parser->field_count,
    };
}

/* Forget the message, keep the buffers. */
static void next_message(struct http_parser *parser)
{
    struct http_parser fresh = {
        .kind = parser->kind,
        .state = HTTP_PARSER_HEAD,
        .no_body =
            parser->no_body && parser->status < 200, /* an interim answer does not use it up */
        .head = parser->head,
        .tail = parser->tail,
    };

    fresh.head.len = 0;
    fresh.tail.len = 0;
    *parser = fresh;
}

/* ---- characters ---- */

static bool is_token_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_token_char(text.data[i]))
            return false;
    return text.len > 0;
}

/* What may stand in a value or a reason: anything printable, tabs, and bytes of UTF-8. */
static bool is_text(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return false;
    return true;
}

static bool is_visible(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.len > 0;
}

/* Cut off everything up to `separator`; false without one, then nothing has changed. */
static bool cut(struct bytes *rest, uint8_t separator, struct bytes *out)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);

    if (end == NULL)
        return false;
    *out = bytes_of(rest->data, (size_t)(end - rest->data));
    *rest = bytes_of(end + 1, rest->len - out->len - 1);
    return true;
}

/* The next line of a block that is known to be complete.  Ends in CR LF, with neither inside. */
static enum status next_line(struct bytes *rest, struct bytes *out, struct err *err)
{
    if (!cut(rest, '\n', out) || out->len == 0 || out->data[out->len - 1] != '\r')
        return err_set(err, ST_BAD_INPUT, "HTTP: a line that does not end in CR LF");
    out->len--;
    if (memchr(out->data, '\r', out->len) != NULL)
        return err_set(err, ST_BAD_INPUT, "HTTP: a CR inside a line");
    return ST_OK;
}

/* ---- first line ---- */

static enum status parse_version(struct http_parser *parser, struct bytes text, struct err *err)
{
    if (text.len != 8 || memcmp(text.data, "HTTP/", 5) != 0 || text.data[6] != '.' ||
        text.data[5] < '0' || text.data[5] > '9' || text.data[7] < '0' || text.data[7] > '9')
        return err_set(err, ST_BAD_INPUT, "HTTP: the version is malformed");
    if (text.data[5] != '1' || text.data[7] > '1')
        return err_set(err, ST_UNSUPPORTED, "HTTP: version %c.%c, want 1.0 or 1.1", text.data[5],
                       text.data[7]);
    parser->minor = text.data[7] - '0';
    return ST_OK;
}

static enum status parse_request_line(struct http_parser *parser,
                                      struct bytes line,
                                      struct err *err)
{
    if (!cut(&line, ' ', &parser->method) || !cut(&line, ' ', &parser->target))
        return err_set(err, ST_BAD_INPUT, "HTTP: the request line is malformed");
    if (!is_token(parser->method) || parser->method.len > METHOD_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "HTTP: the method is malformed");
    if (parser->target.len > HTTP_TARGET_BYTES_MAX)
        return err_set(err, ST_LIMIT, "HTTP: a target of %zu bytes, at most %d", parser->target.len,
                       HTTP_TARGET_BYTES_MAX);
    if (!is_visible(parser->target))
        return err_set(err, ST_BAD_INPUT, "HTTP: the target is malformed");
    return parse_version(parser, line, err);
}

static enum status parse_status_line(struct http_parser *parser, struct bytes line, struct err *err)
{
    struct bytes version;
    enum status st;

    if (!cut(&line, ' ', &version))
        return err_set(err, ST_BAD_INPUT, "HTTP: the status line is malformed");
    st = parse_version(parser, version, err);
    if (st != ST_OK)
        return st;
    if (line.len < 3 || (line.len > 3 && line.data[3] != ' ') || !is_text(line))
        return err_set(err, ST_BAD_INPUT, "HTTP: the status line is malformed");
    for (size_t i = 0; i < 3; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return err_set(err, ST_BAD_INPUT, "HTTP: the status is not a number");
        parser->status = parser->status * 10 + (unsigned)(line.data[i] - '0');
    }
    if (parser->status < 100 || parser->status > 599)
        return err_set(err, ST_BAD_INPUT, "HTTP: a status of %u", parser->status);
    if (parser->status == 101)
        return err_set(err, ST_UNSUPPORTED, "HTTP: the peer switches protocols");
    parser->reason = line.len > 4 ? bytes_of(line.data + 4, line.len - 4) : (struct bytes){ 0 };
    return ST_OK;
}

/* ---- fields ---- */

static enum status parse_field(struct bytes line, struct http_field *out, struct err *err)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return err_set(err, ST_BAD_INPUT, "HTTP: a folded header field");
    if (!cut(&line, ':', &out->name) || !is_token(out->name))
        return err_set(err, ST_BAD_INPUT, "HTTP: a malformed header field");
    out->value = http_trim(line);
    if (!is_text(out->value))
        return err_set(err, ST_BAD_INPUT, "HTTP: a control character in header field %.*s",
                       (int)(out->name.len > 40 ? 40 : out->name.len),
                       (const char *)out->name.data);
    return ST_OK;
}

/* Lines up to the empty one. */
static enum status parse_fields(
    struct bytes rest, struct http_field *out, size_t max, size_t *out_count, struct err *err)
{
    size_t count = 0;

    for (;;) {
        struct bytes line;
        enum status st = next_line(&rest, &line, err);

        if (st != ST_OK)
            return st;
        if (line.len == 0)
            break;
        if (count == max)
            return err_set(err, ST_LIMIT, "HTTP: more than %zu header fields", max);
        st = parse_field(line, &out[count], err);
        if (st != ST_OK)
            return st;
        count++;
    }
    *out_count = count;
    return ST_OK;
}

static bool parse_number(struct bytes text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = number;
    return true;
}

/* Does a comma-separated list hold this word? */
static bool list_has(struct bytes list, const char *word)
{
    struct bytes item;

    while (cut(&list, ',', &item))
        if (http_text_equal(http_trim(item), word))
            return true;
    return http_text_equal(http_trim(list), word);
}

static enum status understand_field(struct http_parser *parser,
                                    const struct http_field *field,
                                    unsigned *hosts,
                                    struct err *err)
{
    if (http_text_equal(field->name, "content-length")) {
        if (parser->has_length || !parse_number(field->value, &parser->content_length))
            return err_set(err, ST_BAD_INPUT, "HTTP: Content-Length is malformed or given twice");
        parser->has_length = true;
    } else if (http_text_equal(field->name, "transfer-encoding")) {
        if (parser->chunked || !http_text_equal(field->value, "chunked") || parser->minor == 0)
            return err_set(err, ST_BAD_INPUT,
                           "HTTP: a Transfer-Encoding other than one \"chunked\"");
        parser->chunked = true;
    } else if (http_text_equal(field->name, "connection")) {
        if (list_has(field->value, "close"))
            parser->keep_alive = false;
        else if (parser->minor == 0 && list_has(field->value, "keep-alive"))
            parser->keep_alive = true;
    } else if (http_text_equal(field->name, "expect")) {
        parser->expect_continue =
            parser->minor == 1 && http_text_equal(field->value, "100-continue");
    } else if (http_text_equal(field->name, "host")) {
        (*hosts)++;
    }
    return ST_OK;
}

static enum status understand(struct http_parser *parser, struct err *err)
{
    unsigned hosts = 0;

    parser->keep_alive = parser->minor == 1;
    for (size_t i = 0; i < parser->field_count; i++) {
        enum status st = understand_field(parser, &parser->fields[i], &hosts, err);

        if (st != ST_OK)
            return st;
    }
    if (parser->chunked && parser->has_length)
        return err_set(err, ST_BAD_INPUT, "HTTP: both Content-Length and Transfer-Encoding");
    if (parser->kind == HTTP_PARSER_REQUEST && hosts != 1 && (parser->minor == 1 || hosts > 1))
        return err_set(err, ST_BAD_INPUT, "HTTP: want exactly one Host");
    return ST_OK;
}

static enum status parse_head(struct http_parser *parser, struct err *err)
{
    struct bytes rest = buf_view(&parser->head);
    struct bytes line;
    enum status st = next_line(&rest, &line, err);

    if (st == ST_OK && parser->kind == HTTP_PARSER_REQUEST)
        st = parse_request_line(parser, line, err);
    else if (st == ST_OK)
        st = parse_status_line(parser, line, err);
    if (st == ST_OK)
        st = parse_fields(rest, parser->fields, HTTP_FIELDS_MAX, &parser->field_count, err);
    if (st == ST_OK)
        st = understand(parser, err);
    return st;
}

/* ---- collecting ---- */

/* Move bytes of `in` to `block` until it ends with an empty line.  `first_line_may_end` says that
 * the block may be that empty line alone. */
static enum status collect_block(
    struct buf *block, struct bytes *in, size_t max, bool first_line_may_end, bool *out_complete)
{
    size_t old = block->len;
    size_t from = old < 3 ? 0 : old - 3;
    size_t take = in->len < max + 1 - old ? in->len : max + 1 - old;
    const uint8_t *end;
    size_t len;

    buf_append(block, in->data, take);
    if (first_line_may_end && block->len >= 2 && memcmp(block->data, "\r\n", 2) == 0)
        len = 2;
    else if ((end = memmem(block->data + from, block->len - from, "\r\n\r\n", 4)) != NULL)
        len = (size_t)(end - block->data) + 4;
    else
        len = 0;
    *out_complete = len > 0;
    if (len > max)
        return ST_LIMIT;
    if (len == 0) {
        *in = bytes_of(in->data + take, in->len - take);
        return block->len > max ? ST_LIMIT : ST_OK;
    }
    block->len = len;
    *in = bytes_of(in->data + (len - old), in->len - (len - old));
    return ST_OK;
}

/* ---- states ---- */

static enum status on_head(struct http_parser *parser,
                           struct bytes *in,
                           enum http_event *event,
                           struct err *err)
{
    bool complete;
    enum status st = collect_block(&parser->head, in, HTTP_HEAD_BYTES_MAX, false, &complete);

    if (st != ST_OK)
        return err_set(err, st, "HTTP: a head over %d bytes", HTTP_HEAD_BYTES_MAX);
    if (!complete)
        return ST_OK;
    st = parse_head(parser, err);
    if (st != ST_OK)
        return st;
    parser->state = HTTP_PARSER_BODY_START;
    *event = HTTP_EVENT_HEAD;
    return ST_OK;
}

static bool has_no_body(const struct http_parser *parser)
{
    if (parser->kind == HTTP_PARSER_REQUEST)
        return !parser->chunked && parser->content_length == 0;
    return parser->no_body || parser->status < 200 || parser->status == 204 ||
           parser->status == 304 || (parser->has_length && parser->content_length == 0);
}

static void finish(struct http_parser *parser, enum http_event *event)
{
    parser->state = HTTP_PARSER_FINISHED;
    *event = HTTP_EVENT_END;
}

static void on_body_start(struct http_parser *parser, enum http_event *event)
{
    if (has_no_body(parser)) {
        finish(parser, event);
    } else if (parser->chunked) {
        parser->state = HTTP_PARSER_CHUNK_SIZE;
    } else if (parser->has_length) {
        parser->state = HTTP_PARSER_BODY_LENGTH;
        parser->body_left = parser->content_length;
    } else {
        parser->state = HTTP_PARSER_BODY_UNTIL_CLOSE;
        parser->keep_alive = false;
    }
}

/* Report as much of `in` as belongs to the body or the chunk. */
static void on_data(struct http_parser *parser, struct bytes *in, enum http_event *event)
{
    uint64_t left = parser->state == HTTP_PARSER_BODY_UNTIL_CLOSE ? UINT64_MAX : parser->body_left;
    size_t take = in->len < left ? in->len : (size_t)left;

    parser->chunk = bytes_of(in->data, take);
    *in = bytes_of(in->data + take, in->len - take);
    if (take > 0)
        *event = HTTP_EVENT_BODY;
    if (parser->state == HTTP_PARSER_BODY_UNTIL_CLOSE)
        return;
    parser->body_left -= take;
    if (parser->body_left > 0)
        return;
    if (parser->state == HTTP_PARSER_CHUNK_DATA)
        parser->state = HTTP_PARSER_CHUNK_END;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

static enum status parse_chunk_line(struct http_parser *parser, struct err *err)
{
    struct bytes rest = buf_view(&parser->tail);
    struct bytes line;
    enum status st = next_line(&rest, &line, err);
    size_t digits = 0;

    if (st != ST_OK)
        return st;
    parser->body_left = 0;
    for (; digits < line.len && hex_value(line.data[digits]) >= 0; digits++) {
        if (digits == CHUNK_DIGITS_MAX)
            return err_set(err, ST_BAD_INPUT, "HTTP: a chunk of more than 2^60 bytes");
        parser->body_left = parser->body_left << 4 | (unsigned)hex_value(line.data[digits]);
    }
    if (digits == 0 || (digits < line.len && line.data[digits] != ';') || !is_text(line))
        return err_set(err, ST_BAD_INPUT, "HTTP: the size of a chunk is malformed");
    return ST_OK;
}

/* One line, of a size or the end of a chunk, collected in `tail`. */
static enum status collect_line(struct http_parser *parser, struct bytes *in, bool *out_complete)
{
    const uint8_t *end = in->len == 0 ? NULL : memchr(in->data, '\n', in->len);
    size_t take = end == NULL ? in->len : (size_t)(end - in->data) + 1;

    *out_complete = end != NULL;
    if (parser->tail.len + take > HTTP_CHUNK_LINE_BYTES_MAX)
        return ST_LIMIT;
    buf_append(&parser->tail, in->data, take);
    *in = bytes_of(in->data + take, in->len - take);
    return ST_OK;
}

static enum status on_chunk_line(struct http_parser *parser, struct bytes *in, struct err *err)
{
    bool complete;
    enum status st = collect_line(parser, in, &complete);

    if (st != ST_OK)
        return err_set(err, st, "HTTP: a chunk's first line over %d bytes",
                       HTTP_CHUNK_LINE_BYTES_MAX);
    if (!complete)
        return ST_OK;
    if (parser->state == HTTP_PARSER_CHUNK_END) {
        if (!bytes_equal(buf_view(&parser->tail), bytes_of_text("\r\n")))
            return err_set(err, ST_BAD_INPUT, "HTTP: a chunk is longer than it said");
        parser->state = HTTP_PARSER_CHUNK_SIZE;
    } else {
        st = parse_chunk_line(parser, err);
        if (st != ST_OK)
            return st;
        parser->state = parser->body_left == 0 ? HTTP_PARSER_TRAILER : HTTP_PARSER_CHUNK_DATA;
    }
    parser->tail.len = 0;
    return ST_OK;
}

static enum status on_trailer(struct http_parser *parser,
                              struct bytes *in,
                              enum http_event *event,
                              struct err *err)
{
    bool complete;
    enum status st = collect_block(&parser->tail, in, HTTP_TRAILER_BYTES_MAX, true, &complete);

    if (st != ST_OK)
        return err_set(err, st, "HTTP: trailers over %d bytes", HTTP_TRAILER_BYTES_MAX);
    if (!complete)
        return ST_OK;
    st = parse_fields(buf_view(&parser->tail), parser->trailers, HTTP_TRAILERS_MAX,
                      &parser->trailer_count, err);
    if (st == ST_OK)
        finish(parser, event);
    return st;
}

static enum status step(struct http_parser *parser,
                        struct bytes *in,
                        enum http_event *event,
                        struct err *err)
{
    switch (parser->state) {
    case HTTP_PARSER_FINISHED:
        next_message(parser);
        return on_head(parser, in, event, err);
    case HTTP_PARSER_HEAD:
        return on_head(parser, in, event, err);
    case HTTP_PARSER_BODY_START:
        on_body_start(parser, event);
        return ST_OK;
    case HTTP_PARSER_BODY_LENGTH:
        if (parser->body_left == 0)
            finish(parser, event);
        else
            on_data(parser, in, event);
        return ST_OK;
    case HTTP_PARSER_BODY_UNTIL_CLOSE:
    case HTTP_PARSER_CHUNK_DATA:
        on_data(parser, in, event);
        return ST_OK;
    case HTTP_PARSER_CHUNK_SIZE:
    case HTTP_PARSER_CHUNK_END:
        return on_chunk_line(parser, in, err);
    case HTTP_PARSER_TRAILER:
        return on_trailer(parser, in, event, err);
    case HTTP_PARSER_FAILED:
        return err_set(err, parser->failure, "HTTP: the connection was malformed before");
    }
    CHECK(!"http_parser: state");
}

/* Is there something to report without further input? */
static bool is_due(const struct http_parser *parser)
{
    return parser->state == HTTP_PARSER_BODY_START || parser->state == HTTP_PARSER_FAILED ||
           (parser->state == HTTP_PARSER_BODY_LENGTH && parser->body_left == 0);
}

enum status http_parser_next(struct http_parser *parser,
                             struct bytes *in,
                             enum http_event *out_event,
                             struct err *err)
{
    enum http_event event = HTTP_EVENT_NONE;

    while (event == HTTP_EVENT_NONE && (in->len > 0 || is_due(parser))) {
        enum status st = step(parser, in, &event, err);

        if (st != ST_OK) {
            parser->failure = st;
            parser->state = HTTP_PARSER_FAILED;
            return st;
        }
    }
    *out_event = event;
    return ST_OK;
}

enum status http_parser_eof(struct http_parser *parser, enum http_event *out_event, struct err *err)
{
    bool between = parser->state == HTTP_PARSER_FINISHED ||
                   (parser->state == HTTP_PARSER_HEAD && parser->head.len == 0);

    if (between) {
        *out_event = HTTP_EVENT_NONE;
        return ST_OK;
    }
    if (parser->state == HTTP_PARSER_BODY_START)
        on_body_start(parser, out_event);
    if (parser->state == HTTP_PARSER_BODY_UNTIL_CLOSE)
        finish(parser, out_event);
    if (parser->state == HTTP_PARSER_FINISHED)
        return ST_OK;
    parser->state = HTTP_PARSER_FAILED;
    parser->failure = ST_IO;
    return err_set(err, ST_IO, "HTTP: the peer closed in the middle of a message");
}
