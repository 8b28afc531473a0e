/* Views and text rules of HTTP messages.  Pure. */
#include "base/http_message.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/check.h"

bool http_text_equal(struct bytes a, const char *b)
{
    return a.len == strlen(b) && (a.len == 0 || strncasecmp((const char *)a.data, b, a.len) == 0);
}

static struct bytes split(struct bytes *rest, char separator)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    struct bytes first = *rest;

    if (end == NULL) {
        *rest = (struct bytes){ 0 };
        return first;
    }
    first.len = (size_t)(end - first.data);
    *rest = bytes_of(end + 1, rest->len - first.len - 1);
    return first;
}

/* Without "scheme://host" in front. */
static struct bytes origin_form(struct bytes target)
{
    const uint8_t *mark;
    const uint8_t *slash;

    if (target.len == 0 || target.data[0] == '/' || target.data[0] == '*')
        return target;
    mark = memmem(target.data, target.len, "://", 3);
    if (mark == NULL)
        return target;
    mark += 3;
    for (slash = mark; slash < target.data + target.len; slash++)
        if (*slash == '/' || *slash == '?')
            break;
    return bytes_of(slash, (size_t)(target.data + target.len - slash));
}

struct bytes http_target_path(struct bytes target)
{
    struct bytes rest = origin_form(target);

    return split(&rest, '?');
}

struct bytes http_target_query(struct bytes target)
{
    struct bytes rest = origin_form(target);

    (void)split(&rest, '?');
    return rest;
}

bool http_field_find(const struct http_field *fields,
                     size_t count,
                     const char *name,
                     struct bytes *out_value)
{
    for (size_t i = 0; i < count; i++) {
        if (http_text_equal(fields[i].name, name)) {
            *out_value = fields[i].value;
            return true;
        }
    }
    return false;
}

bool http_head_find(const struct http_head *head, const char *name, struct bytes *out_value)
{
    return http_field_find(head->fields, head->field_count, name, out_value);
}

struct bytes http_trim(struct bytes text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.len - 1);
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

enum status http_percent_decode(struct bytes in, bool plus_is_space, struct buf *out)
{
    uint8_t *to = buf_reserve(out, in.len);
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        int high;
        int low;

        if (in.data[i] != '%') {
            to[len++] = plus_is_space && in.data[i] == '+' ? ' ' : in.data[i];
            continue;
        }
        if (in.len - i < 3)
            return ST_BAD_INPUT;
        high = hex_value(in.data[i + 1]);
        low = hex_value(in.data[i + 2]);
        /* A NUL would end the text early for whoever takes it as a C string. */
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return ST_BAD_INPUT;
        to[len++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    out->len += len;
    return ST_OK;
}

static bool unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

void http_percent_encode(struct bytes in, bool keep_slash, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *to = buf_reserve(out, 3 * in.len);
    size_t len = 0;

    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.data[i];

        if (unreserved(c) || (keep_slash && c == '/')) {
            to[len++] = c;
            continue;
        }
        to[len++] = '%';
        to[len++] = (uint8_t)digits[c >> 4];
        to[len++] = (uint8_t)digits[c & 15];
    }
    out->len += len;
}

bool http_query_next(struct http_query *query)
{
    while (query->rest.len > 0) {
        struct bytes pair = split(&query->rest, '&');

        if (pair.len == 0)
            continue;
        query->has_value = memchr(pair.data, '=', pair.len) != NULL;
        query->name = split(&pair, '=');
        query->value = pair;
        return true;
    }
    return false;
}

enum status http_query_find(struct bytes query, const char *name, struct buf *out)
{
    struct http_query at = { .rest = query };
    struct buf decoded = { 0 };
    bool found = false;
    enum status st = ST_NOT_FOUND;

    while (!found && http_query_next(&at)) {
        decoded.len = 0;
        if (http_percent_decode(at.name, true, &decoded) == ST_OK)
            found = bytes_equal(buf_view(&decoded), bytes_of_text(name));
    }
    if (found)
        st = http_percent_decode(at.value, true, out);
    buf_done(&decoded);
    return st;
}

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* Exactly `count` digits. */
static bool digits_parse(const char *text, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *out = *out * 10 + (text[i] - '0');
    }
    return true;
}

bool http_date_parse(struct bytes text, uint64_t *out_s)
{
    static const char form[] = "Www, DD Mmm YYYY HH:MM:SS ";
    const char *at = (const char *)text.data;
    struct tm parts = { 0 };
    int month = 0;
    time_t s;

    if (text.len < sizeof form - 1 + 3)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if ((form[i] == ' ' || form[i] == ',' || form[i] == ':') && at[i] != form[i])
            return false;
    if (!bytes_equal(bytes_of(at + 26, text.len - 26), bytes_of_text("GMT")) &&
        !bytes_equal(bytes_of(at + 26, text.len - 26), bytes_of_text("+0000")))
        return false;
    while (month < 12 && memcmp(at + 8, months[month], 3) != 0)
        month++;
    if (month == 12 || !digits_parse(at + 5, 2, &parts.tm_mday) ||
        !digits_parse(at + 12, 4, &parts.tm_year) || !digits_parse(at + 17, 2, &parts.tm_hour) ||
        !digits_parse(at + 20, 2, &parts.tm_min) || !digits_parse(at + 23, 2, &parts.tm_sec))
        return false;
    if (parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 ||
        parts.tm_sec > 60 || parts.tm_year < 1970)
        return false;
    parts.tm_mon = month;
    parts.tm_year -= 1900;
    s = timegm(&parts);
    *out_s = (uint64_t)s;
    return true;
}

void http_date_format(uint64_t s, char out[HTTP_DATE_BYTES])
{
    time_t time = (time_t)s;
    struct tm parts;
    char text[64];

    /* Not strftime(): its names of days and months follow the locale. */
    CHECK(gmtime_r(&time, &parts) != NULL);
    (void)snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday],
                   parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                   parts.tm_min, parts.tm_sec);
    (void)snprintf(out, HTTP_DATE_BYTES, "%.29s", text);
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        { 100, "Continue" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 402, "Payment Required" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Payload Too Large" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
        { 507, "Insufficient Storage" },
    };

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}
