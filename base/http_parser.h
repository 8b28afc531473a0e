/* A strict incremental parser of HTTP/1.1 messages, for peers that are not trusted.  Pure, no I/O.
 *
 *   bytes ──► http_parser_next() ──► HEAD ──► BODY ... ──► END ──► HEAD (the next message) ...
 *
 * Refused, because two parsers may read it differently: a bare CR or LF, folded lines, blanks
 * before a colon, both Content-Length and Transfer-Encoding, two Content-Length fields even if
 * equal, a transfer coding other than one "chunked", control characters, a target with anything but
 * visible ASCII, HTTP/1.1 requests without exactly one Host. */
#ifndef BASE_HTTP_PARSER_H
#define BASE_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/http_message.h"
#include "base/limits.h"
#include "base/status.h"

enum http_parser_kind { HTTP_PARSER_REQUEST, HTTP_PARSER_RESPONSE };

enum http_event {
    HTTP_EVENT_NONE, /* all input is used: give more */
    HTTP_EVENT_HEAD, /* the head below is complete */
    HTTP_EVENT_BODY, /* `chunk` is the next part of the body */
    HTTP_EVENT_END,  /* the message is complete; the next one may follow */
};

enum http_parser_state {
    HTTP_PARSER_HEAD,
    HTTP_PARSER_BODY_START, /* head reported, body not begun */
    HTTP_PARSER_BODY_LENGTH,
    HTTP_PARSER_BODY_UNTIL_CLOSE,
    HTTP_PARSER_CHUNK_SIZE,
    HTTP_PARSER_CHUNK_DATA,
    HTTP_PARSER_CHUNK_END,
    HTTP_PARSER_TRAILER,
    HTTP_PARSER_FINISHED, /* END reported */
    HTTP_PARSER_FAILED,
};

/* Embedded; fields above the line are the result, valid from HEAD until the call after END. */
struct http_parser {
    struct bytes method; /* requests */
    struct bytes target;
    unsigned status; /* responses */
    struct bytes reason;
    unsigned minor; /* HTTP/1.minor: 0 or 1 */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
    struct http_field trailers[HTTP_TRAILERS_MAX]; /* from END on */
    size_t trailer_count;
    bool keep_alive;
    bool expect_continue; /* the client waits for "100 Continue" */
    bool chunked;
    bool has_length;
    uint64_t content_length;

    struct bytes chunk; /* HTTP_EVENT_BODY: a view into the input of the call */

    /* ---- own ---- */
    enum http_parser_kind kind;
    enum http_parser_state state;
    bool no_body;        /* this response answers a HEAD */
    enum status failure; /* of HTTP_PARSER_FAILED */
    uint64_t body_left;  /* of the body or of the chunk */
    struct buf head;     /* the head, or as much of it as has come */
    struct buf tail;     /* the same of a chunk's first line and of the trailers */
};

void http_parser_init(struct http_parser *parser, enum http_parser_kind kind);
void http_parser_done(struct http_parser *parser);

/* Use bytes of `in` up to the next event.
 *
 * in         advanced past what was used
 * out_event  HTTP_EVENT_NONE exactly when `in` is empty and no event is due
 *
 * Returns ST_OK; ST_BAD_INPUT for a malformed message; ST_LIMIT when head, fields or a chunk line
 * are over a limit of limits.h (a server answers 431); ST_UNSUPPORTED for another major version.
 * After a refusal every call repeats it. */
enum status http_parser_next(struct http_parser *parser,
                             struct bytes *in,
                             enum http_event *out_event,
                             struct err *err);

/* The peer closed.  ST_OK between messages, or with out_event END for a response whose body ends
 * so; ST_IO in the middle of a message. */
enum status http_parser_eof(struct http_parser *parser,
                            enum http_event *out_event,
                            struct err *err);

/* Before the head of a response: it answers a HEAD, so whatever it says it has no body. */
void http_parser_no_body(struct http_parser *parser);

/* The head as the rest of the code takes it; a view into the parser. */
struct http_head http_parser_head(const struct http_parser *parser);

#endif
