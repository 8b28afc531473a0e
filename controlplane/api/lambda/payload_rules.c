/* A JSON scanner over a bounded stack of one bit a level.  See payload_rules.h. */
#include "controlplane/api/lambda/payload_rules.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

enum expect { EXPECT_VALUE, EXPECT_VALUE_OR_END, EXPECT_NAME, EXPECT_NAME_OR_END, EXPECT_NEXT };

struct scan {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *start;
    unsigned depth;
    enum expect expect;
    char why[160];
    uint8_t in_object[(PAYLOAD_DEPTH_MAX + 8) / 8]; /* a bit a level */
};

static bool fail(struct scan *scan, const char *why)
{
    (void)snprintf(scan->why, sizeof scan->why, "%s", why);
    return false;
}

static bool fail_at_start_byte(struct scan *scan)
{
    (void)snprintf(scan->why, sizeof scan->why, "Invalid UTF-8 start byte 0x%x", *scan->at);
    return false;
}

static bool fail_at_byte(struct scan *scan, const char *wanted)
{
    unsigned byte;

    if (scan->at == scan->end)
        return fail(scan, "Unexpected end-of-input");
    /* Between tokens AWS's parser takes bytes for the characters of Latin-1. */
    byte = *scan->at;
    if (byte < 0x20 || (byte >= 0x7f && byte < 0xa0))
        (void)snprintf(scan->why, sizeof scan->why,
                       "Unexpected character ((CTRL-CHAR, code %u)): expected %s", byte, wanted);
    else if (byte >= 0xa0)
        (void)snprintf(scan->why, sizeof scan->why,
                       "Unexpected character ('%c%c' (code %u)): expected %s",
                       (int)(0xc0 | byte >> 6), (int)(0x80 | (byte & 0x3f)), byte, wanted);
    else
        (void)snprintf(scan->why, sizeof scan->why,
                       "Unexpected character ('%c' (code %u)): expected %s", (int)byte, byte,
                       wanted);
    return false;
}

static bool top_is_object(const struct scan *scan)
{
    return scan->depth > 0 && (scan->in_object[scan->depth / 8] >> (scan->depth % 8) & 1) != 0;
}

static bool push(struct scan *scan, bool object)
{
    if (scan->depth == PAYLOAD_DEPTH_MAX)
        return fail(scan, "Document nesting depth exceeds the maximum allowed (1000)");
    scan->depth++;
    if (object)
        scan->in_object[scan->depth / 8] |= (uint8_t)(1u << (scan->depth % 8));
    else
        scan->in_object[scan->depth / 8] &= (uint8_t) ~(1u << (scan->depth % 8));
    return true;
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* One multi-byte character; its form only, surrogates and overlong ones included in what is wrong.
 */
static bool scan_utf8(struct scan *scan)
{
    uint8_t lead = *scan->at;
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint8_t second;

    if (lead < 0xc2 || lead > 0xf4)
        return fail_at_start_byte(scan);
    if ((size_t)(scan->end - scan->at) <= more)
        return fail(scan, "Unexpected end-of-input in a character");
    second = scan->at[1];
    for (unsigned i = 1; i <= more; i++)
        if ((scan->at[i] & 0xc0) != 0x80)
            return fail(scan, "Invalid UTF-8 middle byte");
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
        return fail(scan, "Invalid UTF-8 middle byte");
    scan->at += more + 1;
    return true;
}

static bool scan_escape(struct scan *scan)
{
    if (scan->end - scan->at < 2)
        return fail(scan, "Unexpected end-of-input in character escape sequence");
    scan->at++;
    if (*scan->at != 'u') {
        if (*scan->at == '\0' || strchr("\"\\/bfnrt", *scan->at) == NULL)
            return fail_at_byte(scan, "a character escape");
        scan->at++;
        return true;
    }
    scan->at++;
    for (unsigned i = 0; i < 4; i++, scan->at++) {
        if (scan->at == scan->end || *scan->at == '\0' ||
            strchr("0123456789abcdefABCDEF", *scan->at) == NULL)
            return fail_at_byte(scan, "a hex-digit for character escape sequence");
    }
    return true;
}

static bool scan_string(struct scan *scan)
{
    scan->at++;
    while (scan->at < scan->end) {
        uint8_t byte = *scan->at;

        if (byte == '"') {
            scan->at++;
            return true;
        }
        if (byte < 0x20)
            return fail_at_byte(scan, "it to be escaped in a string");
        if (byte >= 0x80 ? !scan_utf8(scan) : byte == '\\' && !scan_escape(scan))
            return false;
        if (byte < 0x80 && byte != '\\')
            scan->at++;
    }
    return fail(scan, "Unexpected end-of-input: was expecting closing quote for a string value");
}

static bool scan_digits(struct scan *scan)
{
    const uint8_t *from = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > from || fail_at_byte(scan, "a digit");
}

static bool scan_number(struct scan *scan)
{
    if (*scan->at == '-')
        scan->at++;
    if (scan->at < scan->end && *scan->at == '0')
        scan->at++;
    else if (!scan_digits(scan))
        return false;
    if (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        return fail(scan, "Invalid numeric value: Leading zeroes not allowed");
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
            scan->at++;
        return scan_digits(scan);
    }
    return true;
}

static bool scan_word(struct scan *scan)
{
    static const char *const words[] = { "true", "false", "null" };
    const uint8_t *from = scan->at;
    size_t len = 0;

    while (from + len < scan->end && ((from[len] | 0x20) >= 'a' && (from[len] | 0x20) <= 'z'))
        len++;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (len == strlen(words[i]) && memcmp(from, words[i], len) == 0) {
            scan->at += len;
            return true;
        }
    /* The token is read on to be quoted, and what is no character ends that. */
    if (from + len < scan->end && from[len] >= 0x80 && (from[len] < 0xc2 || from[len] > 0xf4)) {
        scan->at += len;
        return fail_at_start_byte(scan);
    }
    (void)snprintf(scan->why, sizeof scan->why,
                   "Unrecognized token '%.*s': was expecting (JSON String, Number, Array, Object "
                   "or token 'null', 'true' or 'false')",
                   (int)(len > 40 ? 40 : len), (const char *)from);
    return false;
}

/* A value: a scalar as a whole, or the opening of an array or object. */
static bool scan_value(struct scan *scan)
{
    uint8_t byte = *scan->at;

    scan->expect = EXPECT_NEXT;
    if (byte == '"')
        return scan_string(scan);
    if (byte == '-' || (byte >= '0' && byte <= '9'))
        return scan_number(scan);
    if (byte == '{' || byte == '[') {
        scan->at++;
        scan->expect = byte == '{' ? EXPECT_NAME_OR_END : EXPECT_VALUE_OR_END;
        return push(scan, byte == '{');
    }
    if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z')
        return scan_word(scan);
    return fail_at_byte(scan,
                        "a valid value (JSON String, Number, Array, Object or token 'null', 'true' "
                        "or 'false')");
}

static bool scan_name(struct scan *scan)
{
    if (*scan->at != '"')
        return fail_at_byte(scan, "a double-quote to start field name");
    if (!scan_string(scan))
        return false;
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != ':')
        return fail_at_byte(scan, "a colon to separate field name and value");
    scan->at++;
    scan->expect = EXPECT_VALUE;
    return true;
}

/* What may stand behind a value: a comma, or the end of what it is in. */
static bool scan_next(struct scan *scan)
{
    bool object = top_is_object(scan);
    uint8_t byte = *scan->at;

    if (byte == (object ? '}' : ']')) {
        scan->at++;
        scan->depth--;
        scan->expect = EXPECT_NEXT;
        return true;
    }
    if (byte != ',')
        return fail_at_byte(scan, object ? "comma to separate Object entries"
                                         : "comma to separate Array entries");
    scan->at++;
    scan->expect = object ? EXPECT_NAME : EXPECT_VALUE;
    return true;
}

static bool scan_step(struct scan *scan)
{
    uint8_t byte = *scan->at;

    switch (scan->expect) {
    case EXPECT_VALUE_OR_END:
        return byte == ']' ? scan_next(scan) : scan_value(scan);
    case EXPECT_VALUE:
        return scan_value(scan);
    case EXPECT_NAME_OR_END:
        return byte == '}' ? scan_next(scan) : scan_name(scan);
    case EXPECT_NAME:
        return scan_name(scan);
    case EXPECT_NEXT:
        return scan_next(scan);
    }
    CHECK(!"payload: no such expectation");
    return false;
}

static bool scan_document(struct scan *scan)
{
    do {
        skip_space(scan);
        if (scan->at == scan->end)
            return fail(scan, "Unexpected end-of-input: expected close marker or a value");
        if (!scan_step(scan))
            return false;
    } while (scan->depth > 0 || scan->expect != EXPECT_NEXT);
    skip_space(scan);
    return scan->at == scan->end || fail_at_byte(scan, "end-of-input: a payload is one JSON value");
}

enum status payload_check(struct bytes payload, struct api_error *error)
{
    struct scan scan = { .at = payload.data, .start = payload.data, .expect = EXPECT_VALUE };
    unsigned line = 1;
    unsigned column = 1;

    if (payload.len == 0)
        return ST_OK;
    scan.end = payload.data + payload.len;
    if (scan_document(&scan))
        return ST_OK;
    for (const uint8_t *at = scan.start; at < scan.at; at++) {
        column = *at == '\n' ? 1 : column + 1;
        line += *at == '\n';
    }
    return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                         "Could not parse request body into json: Could not parse payload into "
                         "json: %s\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_"
                         "LOCATION` disabled); line: %u, column: %u]",
                         scan.why, line, column);
}
