/* Times, ranges and conditions. */
#include "objstore/s3/s3_text.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct civil {
    unsigned year, month, day; /* month and day from 1 */
};

/* Days since 1970-01-01 to a date of the Gregorian calendar and back.  Own arithmetic because
 * deciding code calls no gmtime(); the algorithm counts years from March, which puts the leap day
 * last (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static struct civil civil_of(uint64_t since_1970)
{
    uint64_t z = since_1970 + 719468;
    uint64_t era = z / 146097;
    uint64_t day_of_era = z % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted = (5 * day_of_year + 2) / 153;
    struct civil out;

    out.day = (unsigned)(day_of_year - (153 * shifted + 2) / 5 + 1);
    out.month = (unsigned)(shifted < 10 ? shifted + 3 : shifted - 9);
    out.year = (unsigned)(year_of_era + era * 400 + (out.month <= 2));
    return out;
}

static uint64_t days_of(struct civil date)
{
    uint64_t year = date.year - (date.month <= 2);
    uint64_t era = year / 400;
    uint64_t year_of_era = year % 400;
    uint64_t shifted = date.month > 2 ? date.month - 3 : date.month + 9;
    uint64_t day_of_year = (153 * shifted + 2) / 5 + date.day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

void s3_time_iso(uint64_t ms, char out[S3_TIME_BYTES])
{
    uint64_t s = ms / 1000;
    struct civil date = civil_of(s / 86400);

    (void)snprintf(out, S3_TIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", date.year % 10000,
                   date.month, date.day, (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
                   (unsigned)(s % 60), (unsigned)(ms % 1000));
}

void s3_time_http(uint64_t ms, char out[S3_TIME_BYTES])
{
    uint64_t s = ms / 1000;
    struct civil date = civil_of(s / 86400);

    (void)snprintf(out, S3_TIME_BYTES, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[s / 86400 % 7],
                   date.day, months[date.month - 1], date.year % 10000, (unsigned)(s / 3600 % 24),
                   (unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

bool s3_time_parse_http(struct bytes text, uint64_t *out_s)
{
    unsigned hour, minute, second;
    struct civil date = { 0 };
    char month[4] = "";
    char copy[40];
    char zone[4] = "";

    if (text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (strpbrk(copy, "+-") != NULL) /* which sscanf() takes in front of any number */
        return false;
    if (sscanf(copy, "%*3s, %2u %3s %4u %2u:%2u:%2u %3s", &date.day, month, &date.year, &hour,
               &minute, &second, zone) != 7)
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(months); i++)
        if (strcmp(month, months[i]) == 0)
            date.month = i + 1;
    if (date.month == 0 || strcmp(zone, "GMT") != 0)
        return false;
    if (date.year < 1970 || date.day < 1 || date.day > 31)
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *out_s = days_of(date) * 86400 + hour * 3600 + minute * 60 + second;
    return true;
}

/* Digits at the start of `text`, moved past; false when there is none or too many. */
static bool take_number(struct bytes *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t at = 0;

    while (at < text->len && text->data[at] >= '0' && text->data[at] <= '9') {
        if (value > UINT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(text->data[at] - '0');
        at++;
    }
    *text = bytes_of(text->data + at, text->len - at);
    *out = value;
    return at > 0;
}

bool s3_number_parse(struct bytes text, uint64_t *out)
{
    return take_number(&text, out) && text.len == 0;
}

enum s3_range s3_range_parse(struct bytes value,
                             uint64_t size,
                             uint64_t *out_first,
                             uint64_t *out_last)
{
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    bool has_first;
    bool has_last;

    if (value.len < 6 || memcmp(value.data, "bytes=", 6) != 0)
        return S3_RANGE_NONE;
    value = bytes_of(value.data + 6, value.len - 6);
    has_first = take_number(&value, &first);
    if (value.len == 0 || value.data[0] != '-')
        return S3_RANGE_NONE;
    value = bytes_of(value.data + 1, value.len - 1);
    has_last = take_number(&value, &last);
    if (value.len > 0 || (!has_first && !has_last))
        return S3_RANGE_NONE;
    if (!has_last)
        last = UINT64_MAX;
    if (has_first && last < first)
        return S3_RANGE_NONE;
    if (!has_first) { /* the last so many bytes */
        if (last == 0 || size == 0)
            return S3_RANGE_UNSATISFIABLE;
        first = last < size ? size - last : 0;
        last = size - 1;
    }
    if (first >= size)
        return S3_RANGE_UNSATISFIABLE;
    if (last >= size)
        last = size - 1;
    *out_first = first;
    *out_last = last;
    return S3_RANGE_PART;
}

bool s3_etag_matches(struct bytes field, const char *etag)
{
    while (field.len > 0) {
        const uint8_t *comma = memchr(field.data, ',', field.len);
        size_t len = comma != NULL ? (size_t)(comma - field.data) : field.len;
        struct bytes tag = http_trim(bytes_of(field.data, len));

        field = bytes_of(field.data + len, field.len - len);
        if (field.len > 0)
            field = bytes_of(field.data + 1, field.len - 1);
        if (bytes_equal(tag, bytes_of_text("*")))
            return true;
        if (tag.len >= 2 && tag.data[0] == 'W' && tag.data[1] == '/')
            tag = bytes_of(tag.data + 2, tag.len - 2);
        if (tag.len >= 2 && tag.data[0] == '"' && tag.data[tag.len - 1] == '"')
            tag = bytes_of(tag.data + 1, tag.len - 2);
        if (bytes_equal(tag, bytes_of_text(etag)))
            return true;
    }
    return false;
}

static const struct {
    const char *match, *none_match, *modified, *unmodified;
} condition_names[] = {
    [S3_CONDITIONS_PLAIN] = { "if-match", "if-none-match", "if-modified-since",
                              "if-unmodified-since" },
    [S3_CONDITIONS_OF_SOURCE] = { "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match",
                                  "x-amz-copy-source-if-modified-since",
                                  "x-amz-copy-source-if-unmodified-since" },
};

unsigned s3_condition(const struct http_head *head,
                      enum s3_conditions which,
                      const char *etag,
                      uint64_t modified_ms)
{
    struct bytes value;
    uint64_t when_s;

    if (http_head_find(head, condition_names[which].match, &value)) {
        if (!s3_etag_matches(value, etag))
            return 412;
    } else if (http_head_find(head, condition_names[which].unmodified, &value) &&
               s3_time_parse_http(value, &when_s)) {
        if (modified_ms / 1000 > when_s)
            return 412;
    }
    if (http_head_find(head, condition_names[which].none_match, &value)) {
        if (s3_etag_matches(value, etag))
            return 304;
    } else if (http_head_find(head, condition_names[which].modified, &value) &&
               s3_time_parse_http(value, &when_s)) {
        if (modified_ms / 1000 <= when_s)
            return 304;
    }
    return 200;
}

bool s3_if_range_holds(struct bytes field, const char *etag, uint64_t modified_ms)
{
    uint64_t when_s;

    if (s3_time_parse_http(field, &when_s))
        return modified_ms / 1000 == when_s;
    return s3_etag_matches(field, etag);
}

void s3_owner_id(const char *account, char out[65])
{
    uint8_t digest[SHA256_BYTES];

    hash_sha256(bytes_of_text(account), digest);
    hex_encode(bytes_of(digest, sizeof digest), out);
}
