/* What an HTTP request is made of, as views, and the few rules of its text that all parts share:
 * percent encoding, queries, fields by name.  Pure. */
#ifndef BASE_HTTP_MESSAGE_H
#define BASE_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/* One header field as it was sent: the name in its own case, the value without outer blanks. */
struct http_field {
    struct bytes name;
    struct bytes value;
};

/* The head of a request.  Borrowed from whoever parsed it. */
struct http_head {
    struct bytes method;
    struct bytes target;             /* exactly as sent: path and query, still encoded */
    const struct http_field *fields; /* in the order of arrival, duplicates included */
    size_t field_count;
};

/* The path and the query of a target, both still encoded and without the '?'; an absolute target
 * ("http://host/path") gives its path. */
struct bytes http_target_path(struct bytes target);
struct bytes http_target_query(struct bytes target);

/* The value of the first field of that name (any case); out is written only if it exists. */
bool http_field_find(const struct http_field *fields,
                     size_t count,
                     const char *name,
                     struct bytes *out_value);
bool http_head_find(const struct http_head *head, const char *name, struct bytes *out_value);
/* Equal but for ASCII case. */
bool http_text_equal(struct bytes a, const char *b);

/* Without blanks and tabs at both ends. */
struct bytes http_trim(struct bytes text);

/* Decode %XX and append to `out`; '+' stays '+' unless `plus_is_space`.  ST_BAD_INPUT on a '%'
 * without two digits or on %00; `out` is then unchanged in length. */
enum status http_percent_decode(struct bytes in, bool plus_is_space, struct buf *out);
/* Append `in` with everything but A-Z a-z 0-9 - _ . ~ as %XX in upper case; '/' stays when
 * `keep_slash`.  This is AWS's UriEncode(). */
void http_percent_encode(struct bytes in, bool keep_slash, struct buf *out);

/* Walks the parameters of an encoded query; start with `rest` set to http_target_query(). */
struct http_query {
    struct bytes rest;
    struct bytes name; /* still encoded; empty parameters are skipped */
    struct bytes value;
    bool has_value; /* false for "acl", true for "acl=" */
};
/* Step to the next parameter; false at the end. */
bool http_query_next(struct http_query *query);
/* Find a parameter by its decoded name and append its decoded value to `out` ('+' is a space).
 * ST_NOT_FOUND without such a parameter, ST_BAD_INPUT when it cannot be decoded. */
enum status http_query_find(struct bytes query, const char *name, struct buf *out);

/* A date of a header field, "Sun, 06 Nov 1994 08:49:37 GMT" ("+0000" is taken for GMT).  False for
 * anything else, also the two obsolete forms. */
bool http_date_parse(struct bytes text, uint64_t *out_s);
enum { HTTP_DATE_BYTES = 30 }; /* with the NUL */
void http_date_format(uint64_t s, char out[HTTP_DATE_BYTES]);

/* The usual words for a status code, "Not Found"; "Unknown" for others, never NULL. */
const char *http_reason(unsigned status);

#endif
