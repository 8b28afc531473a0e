/* What S3's clients write beside their data: the body of CreateBucket, a listing's query, and texts
 * that come back inside XML.  What was read is read again from what we write. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_text.h"
#include "tests/fuzz/fuzz.h"

/* A leap second at the end of the last year that has four digits is the only way to get there. */
#define YEAR_10000_S 253402300800

static void location(struct bytes xml)
{
    char region[32];
    char again[32];
    struct buf text = { 0 };

    if (!s3_location_parse(xml, region, sizeof region))
        return;
    CHECK(strlen(region) < sizeof region);
    for (const char *c = region; *c != '\0'; c++)
        CHECK(isalnum((unsigned char)*c) || *c == '-');
    buf_printf(&text,
               "<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint>"
               "</CreateBucketConfiguration>",
               region);
    CHECK(s3_location_parse(buf_view(&text), again, sizeof again));
    CHECK(strcmp(region, again) == 0);
    buf_done(&text);
}

/* Outside of its markup XML has none of its own characters. */
static void escaped(const char *text)
{
    struct buf out = { 0 };

    s3_xml_text(&out, text);
    CHECK(strpbrk(buf_text(&out), "<>\"\n\r\t") == NULL);
    buf_done(&out);
}

/* The place where a listing goes on, through the token that its client sends back. */
static void token_again(const struct s3_list *list)
{
    static const char opening[] = "<NextContinuationToken>";
    char *next = must_strdup(list->after);
    Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;
    struct buf xml = { 0 };
    struct buf query = { 0 };
    struct s3_list more;
    struct err err;
    const char *token;

    reply.truncated = true;
    reply.next_start_after = next;
    s3_xml_objects(&xml, "bucket", list, &reply);
    token = strstr(buf_text(&xml), opening);
    CHECK(token != NULL);
    token += strlen(opening);
    buf_append_text(&query, "list-type=2&continuation-token=");
    http_percent_encode(bytes_of(token, strcspn(token, "<")), false, &query);
    CHECK(s3_list_parse(buf_view(&query), true, &more, &err) == S3_OK);
    CHECK(strcmp(more.after, list->after) == 0);
    s3_list_done(&more);
    free(next);
    buf_done(&xml);
    buf_done(&query);
}

static void listing(struct bytes query, bool is_v2)
{
    struct s3_list list;
    struct err err = { 0 };

    if (s3_list_parse(query, is_v2, &list, &err) != S3_OK)
        return;
    CHECK(list.prefix != NULL && list.delimiter != NULL && list.after != NULL);
    CHECK(list.max_keys <= 1000);
    escaped(list.prefix);
    if (is_v2)
        token_again(&list);
    s3_list_done(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data, len);
    uint64_t first;
    uint64_t last;
    uint64_t seconds;
    uint64_t back;
    char text[S3_TIME_BYTES];

    location(in);
    listing(in, false);
    listing(in, true);
    if (s3_range_parse(in, 100, &first, &last) == S3_RANGE_PART)
        CHECK(first <= last && last < 100);
    if (s3_time_parse_http(in, &seconds) && seconds < YEAR_10000_S) {
        s3_time_http(seconds * 1000, text);
        CHECK(s3_time_parse_http(bytes_of_text(text), &back));
        CHECK(back == seconds);
    }
    return 0;
}
