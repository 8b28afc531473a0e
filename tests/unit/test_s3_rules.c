/* The deciding half of the S3 front: routes, names, ranges, conditions, times, XML, chunks, sums.
 */
#include <stdlib.h>

#include "objstore/peers/copies.h"
#include "objstore/s3/aws_chunk.h"
#include "objstore/s3/s3_checksum.h"
#include "objstore/s3/s3_headers.h"
#include "objstore/s3/s3_life.h"
#include "objstore/s3/s3_route.h"
#include "objstore/s3/s3_text.h"
#include "tests/unit/check.h"

static struct http_head head_of(const char *method,
                                const char *target,
                                const char *host,
                                struct http_field *field)
{
    field->name = bytes_of_text("Host");
    field->value = bytes_of_text(host);
    return (struct http_head){ bytes_of_text(method), bytes_of_text(target), field, 1 };
}

TEST(a_request_is_routed_by_method_host_path_and_query)
{
    // clang-format off
    static const struct {
        const char *method, *host, *target;
        enum s3_error error;
        const char *name, *bucket, *key;
    } rows[] = {
        { "GET", "127.0.0.1:4566", "/", S3_OK, "ListBuckets", "", "" },
        { "GET", "localhost", "/", S3_OK, "ListBuckets", "", "" },
        { "GET", "s3.localhost", "/abc", S3_OK, "ListObjects", "abc", "" },
        { "GET", "localhost", "/abc/?list-type=2", S3_OK, "ListObjectsV2", "abc", "" },
        { "GET", "localhost", "/abc?location", S3_OK, "GetBucketLocation", "abc", "" },
        { "GET", "abc.localhost:4566", "/", S3_OK, "ListObjects", "abc", "" },
        { "GET", "a.b.s3.eu-west-1.amazonaws.com", "/k", S3_OK, "GetObject", "a.b", "k" },
        { "PUT", "abc.s3-eu-west-1.amazonaws.com", "/k/l", S3_OK, "PutObject", "abc", "k/l" },
        { "GET", "s3.eu-west-1.amazonaws.com", "/abc/k", S3_OK, "GetObject", "abc", "k" },
        { "GET", "[::1]:4566", "/abc/a%20b%2Fc+d?x-id=GetObject", S3_OK, "GetObject", "abc", "a b/c+d" },
        { "GET", "localhost", "/abc//k", S3_OK, "GetObject", "abc", "/k" },
        { "DELETE", "localhost", "/abc/k?versionId=null", S3_OK, "DeleteObject", "abc", "k" },
        { "DELETE", "localhost", "/abc/k?versionId=7", S3_OK, "DeleteObject with versionId", "abc", "k" },
        { "PUT", "localhost", "/abc/k?partNumber=1&uploadId=7", S3_OK, "UploadPart", "abc", "k" },
        { "GET", "localhost", "/abc?versions", S3_OK, "ListObjectVersions", "abc", "" },
        { "GET", "localhost", "/abc?cors", S3_OK, "GetBucketCors", "abc", "" },
        { "PUT", "localhost", "/abc?cors", S3_OK, "a bucket's cors", "abc", "" },
        { "POST", "localhost", "/abc?delete", S3_OK, "DeleteObjects", "abc", "" },
        { "POST", "localhost", "/abc/k?uploads", S3_OK, "CreateMultipartUpload", "abc", "k" },
        { "GET", "localhost", "/abc?acl", S3_OK, "GetBucketAcl", "abc", "" },
        { "PATCH", "localhost", "/abc", S3_METHOD_NOT_ALLOWED, NULL, "abc", "" },
        { "PUT", "localhost", "/ABC", S3_INVALID_BUCKET_NAME, NULL, "", "" },
        { "PUT", "localhost", "/ab", S3_INVALID_BUCKET_NAME, NULL, "", "" },
        { "GET", "localhost", "/abc/%zz", S3_INVALID_URI, NULL, "abc", "" },
        { "GET", "localhost", "/abc/%ff", S3_INVALID_URI, NULL, "abc", "" },
    };
    // clang-format on

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field host;
        struct http_head head = head_of(rows[i].method, rows[i].target, rows[i].host, &host);
        struct s3_route route;

        test_case = rows[i].target;
        EXPECT_EQ(s3_route(&head, NULL, &route), rows[i].error);
        EXPECT_TEXT(route.bucket, rows[i].bucket);
        if (rows[i].error != S3_OK)
            continue;
        EXPECT_TEXT(route.name, rows[i].name);
        EXPECT_TEXT(route.key, rows[i].key);
    }
}

TEST(a_key_of_1024_bytes_is_the_longest)
{
    for (size_t len = 1024; len <= 1025; len++) {
        struct buf target = { 0 };
        struct http_field host;
        struct http_head head;
        struct s3_route route;

        buf_append_text(&target, "/abc/");
        for (size_t i = 0; i < len; i++)
            buf_append_text(&target, "k");
        head = head_of("PUT", buf_text(&target), "localhost", &host);
        EXPECT_EQ(s3_route(&head, NULL, &route), len == 1024 ? S3_OK : S3_KEY_TOO_LONG);
        buf_done(&target);
    }
}

TEST(bucket_names_follow_the_rules)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        { "abc", true },          { "a.b-c", true },       { "ab", false },
        { "-abc", false },        { "abc-", false },       { "a..b", false },
        { "Abc", false },         { "a_b", false },        { "192.168.1.1", false },
        { "192.168.1.1a", true }, { "xn--abc", false },    { "abc-s3alias", false },
        { "123", true },          { "sthree-abc", false },
    };
    char longest[65];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        EXPECT_EQ(s3_bucket_name_is_valid(bytes_of_text(rows[i].name)), rows[i].valid);
    }
    memset(longest, 'a', sizeof longest);
    EXPECT(s3_bucket_name_is_valid(bytes_of(longest, 63)));
    EXPECT(!s3_bucket_name_is_valid(bytes_of(longest, 64)));
}

TEST(a_range_is_a_part_or_unsatisfiable_or_ignored)
{
    static const struct {
        const char *text;
        uint64_t size;
        enum s3_range want;
        uint64_t first, last;
    } rows[] = {
        { "bytes=0-9", 100, S3_RANGE_PART, 0, 9 },
        { "bytes=90-200", 100, S3_RANGE_PART, 90, 99 },
        { "bytes=99-", 100, S3_RANGE_PART, 99, 99 },
        { "bytes=-10", 100, S3_RANGE_PART, 90, 99 },
        { "bytes=-1000", 100, S3_RANGE_PART, 0, 99 },
        { "bytes=0-0", 1, S3_RANGE_PART, 0, 0 },
        { "bytes=100-", 100, S3_RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=0-", 0, S3_RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=-0", 100, S3_RANGE_UNSATISFIABLE, 0, 0 },
        { "bytes=9-1", 100, S3_RANGE_NONE, 0, 0 },
        { "bytes=-", 100, S3_RANGE_NONE, 0, 0 },
        { "bytes=0-1,5-6", 100, S3_RANGE_NONE, 0, 0 },
        { "lines=0-1", 100, S3_RANGE_NONE, 0, 0 },
        { "bytes=99999999999999999999-", 100, S3_RANGE_NONE, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t first = 0;
        uint64_t last = 0;

        test_case = rows[i].text;
        EXPECT_EQ(s3_range_parse(bytes_of_text(rows[i].text), rows[i].size, &first, &last),
                  rows[i].want);
        EXPECT_EQ(first, rows[i].first);
        EXPECT_EQ(last, rows[i].last);
    }
}

TEST(times_are_written_and_read_as_http_and_iso_have_them)
{
    char text[S3_TIME_BYTES];
    uint64_t s = 0;

    s3_time_iso(1767607964031, text);
    EXPECT_TEXT(text, "2026-01-05T10:12:44.031Z");
    s3_time_http(1767607964031, text);
    EXPECT_TEXT(text, "Mon, 05 Jan 2026 10:12:44 GMT");
    EXPECT(s3_time_parse_http(bytes_of_text(text), &s));
    EXPECT_EQ(s, 1767607964);
    s3_time_http(951782400000, text);
    EXPECT_TEXT(text, "Tue, 29 Feb 2000 00:00:00 GMT");
    EXPECT(!s3_time_parse_http(bytes_of_text("yesterday"), &s));
    EXPECT(!s3_time_parse_http(bytes_of_text("Mon, 05 Jan 2026 10:12:44 CET"), &s));
    EXPECT(!s3_time_parse_http(bytes_of_text("Mon, 05 Jan -026 10:12:44 GMT"), &s));
    EXPECT(!s3_time_parse_http(bytes_of_text("Mon, +5 Jan 2026 10:12:44 GMT"), &s));
}

TEST(conditions_answer_200_304_or_412)
{
    static const struct {
        const char *name, *value;
        unsigned want;
    } rows[] = {
        { "If-Match", "\"abc\"", 200 },
        { "If-Match", "*", 200 },
        { "If-Match", "\"x\", \"abc\"", 200 },
        { "If-Match", "\"x\"", 412 },
        { "If-None-Match", "abc", 304 },
        { "If-None-Match", "W/\"abc\"", 304 },
        { "If-None-Match", "\"x\"", 200 },
        { "If-Modified-Since", "Mon, 05 Jan 2026 10:12:44 GMT", 304 },
        { "If-Modified-Since", "Mon, 05 Jan 2026 10:12:43 GMT", 200 },
        { "If-Unmodified-Since", "Mon, 05 Jan 2026 10:12:43 GMT", 412 },
        { "If-Unmodified-Since", "rubbish", 200 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field field = { bytes_of_text(rows[i].name), bytes_of_text(rows[i].value) };
        struct http_head head = { bytes_of_text("GET"), bytes_of_text("/"), &field, 1 };

        test_case = rows[i].value;
        EXPECT_EQ(s3_condition(&head, S3_CONDITIONS_PLAIN, "abc", 1767607964031), rows[i].want);
    }
}

TEST(an_error_is_xml_with_its_texts_escaped)
{
    struct s3_error_text text = { S3_NO_SUCH_KEY, NULL, "/b/a<&>\"\x01", "0001" };
    struct buf xml = { 0 };

    s3_xml_error(&xml, &text);
    EXPECT_TEXT(buf_text(&xml),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>"
                "The specified key does not exist.</Message><Resource>/b/a&lt;&amp;&gt;&quot;&#x1;"
                "</Resource><RequestId>0001</RequestId></Error>");
    buf_done(&xml);
}

TEST(what_has_no_known_end_is_a_503_that_says_so_and_what_was_not_done_says_that)
{
    struct err text = { 0 };

    EXPECT_EQ(s3_error_not_answered(ST_UNKNOWN, "no answer in time", &text),
              S3_SERVICE_UNAVAILABLE);
    EXPECT_TEXT(text.text, "outcome unknown: no answer in time. It may or may not have been done, "
                           "and will be done at most once.");
    EXPECT_EQ(s3_error_not_answered(ST_UNAVAILABLE, "no answer in time", &text),
              S3_SERVICE_UNAVAILABLE);
    EXPECT_TEXT(text.text, "not done: no answer in time. Please try again.");
    EXPECT_EQ(s3_error_http(S3_SERVICE_UNAVAILABLE), 503);
}

TEST(a_listing_query_is_read_whole_or_refused)
{
    static const struct {
        const char *query;
        enum s3_list_kind kind;
        enum s3_error want;
        const char *after;
        uint32_t max_keys;
    } rows[] = {
        { "", S3_LIST_V2, S3_OK, "", 1000 },
        { "max-keys=5&start-after=a%2Fb", S3_LIST_V2, S3_OK, "a/b", 5 },
        { "max-keys=5000&marker=m", S3_LIST_V1, S3_OK, "m", 1000 },
        { "continuation-token=1612f62&start-after=z", S3_LIST_V2, S3_OK, "a/b", 1000 },
        { "key-marker=k&version-id-marker=null", S3_LIST_VERSIONS, S3_OK, "k", 1000 },
        { "continuation-token=&start-after=z", S3_LIST_V2, S3_OK, "z", 1000 },
        { "max-keys=0", S3_LIST_V2, S3_OK, "", 0 },
        { "max-keys=-1", S3_LIST_V2, S3_INVALID_ARGUMENT, NULL, 0 },
        { "max-keys=x", S3_LIST_V2, S3_INVALID_ARGUMENT, NULL, 0 },
        { "continuation-token=zz", S3_LIST_V2, S3_INVALID_ARGUMENT, NULL, 0 },
        { "encoding-type=gzip", S3_LIST_V2, S3_INVALID_ARGUMENT, NULL, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err = { 0 };
        struct s3_list list;

        test_case = rows[i].query;
        EXPECT_EQ(s3_list_parse(bytes_of_text(rows[i].query), rows[i].kind, &list, &err),
                  rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == S3_OK);
        if (rows[i].want != S3_OK)
            continue;
        EXPECT_TEXT(list.after, rows[i].after);
        EXPECT_EQ(list.max_keys, rows[i].max_keys);
        s3_list_done(&list);
    }
}

TEST(buckets_are_listed_whole_or_in_pages)
{
    static const struct {
        const char *query;
        uint32_t max;
        const char *first, *token; /* the names in <Name>s, one letter each */
    } rows[] = {
        { "", UINT32_MAX, "abc", NULL },       { "max-buckets=2", 2, "ab", "162" },
        { "max-buckets=3", 3, "abc", NULL },   { "continuation-token=161", 1, "b", "162" },
        { "prefix=b", UINT32_MAX, "b", NULL }, { "prefix=d", UINT32_MAX, "", NULL },
    };
    Lapwing__Bucket buckets[4];
    Lapwing__Bucket *list[4];
    char *names[] = { (char *)"a", (char *)"b", (char *)"c", (char *)"lapwing-internal-packages" };
    Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        lapwing__bucket__init(&buckets[i]);
        buckets[i].name = names[i];
        list[i] = &buckets[i];
    }
    reply.buckets = list;
    reply.n_buckets = ARRAY_LEN(names);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf xml = { 0 };
        struct buf got = { 0 };
        struct err err = { 0 };
        struct s3_list wanted;
        char token[64] = "<ContinuationToken>";
        const char *at;

        test_case = rows[i].query;
        EXPECT_EQ(s3_list_parse(bytes_of_text(rows[i].query), S3_LIST_OF_BUCKETS, &wanted, &err),
                  S3_OK);
        wanted.max_keys = rows[i].max;
        s3_xml_buckets(&xml, "000000000000", &wanted, &reply);
        for (at = buf_text(&xml); (at = strstr(at, "<Name>")) != NULL; at++)
            buf_append(&got, at + strlen("<Name>"), 1);
        EXPECT_TEXT(buf_text(&got), rows[i].first);
        at = strstr(buf_text(&xml), token);
        EXPECT_EQ(at != NULL, rows[i].token != NULL);
        if (at != NULL && rows[i].token != NULL)
            EXPECT_EQ(strncmp(at + strlen(token), rows[i].token, strlen(rows[i].token)), 0);
        s3_list_done(&wanted);
        buf_done(&xml);
        buf_done(&got);
    }
    test_case = NULL;
}

TEST(a_location_is_found_in_the_xml_of_create_bucket)
{
    static const struct {
        const char *xml;
        bool ok;
        const char *region;
    } rows[] = {
        { "", true, "us-east-1" },
        { "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
          "</CreateBucketConfiguration>",
          true, "eu-west-1" },
        { "<CreateBucketConfiguration xmlns=\"x\"/>", true, "us-east-1" },
        { "<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>", true,
          "us-east-1" },
        { "<CreateBucketConfiguration><LocationConstraint>a b<", false, "a" },
        { "<CreateBucketConfiguration><LocationConstraint>EU</LocationConstraint>", false, "EU" },
        { "<CreateBucketConfiguration><LocationConstraint>eu-west-1</Location", false, "" },
        { "<CreateBucketConfiguration><LocationConstraint>eu-west-1<Loca/tionConstraint>", false,
          "" },
        { "<CreateBucketConfiguration><LocationConstraint", false, "us-east-1" },
        { "rubbish", false, "us-east-1" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char region[64];

        test_case = rows[i].xml;
        EXPECT_EQ(s3_location_parse(bytes_of_text(rows[i].xml), region, sizeof region), rows[i].ok);
        if (rows[i].ok)
            EXPECT_TEXT(region, rows[i].region);
    }
}

/* Feed a body in steps of `step` bytes; the data gathers in out. */
static enum status decode(struct aws_chunk *chunk, const char *body, size_t step, struct buf *out)
{
    struct bytes all = bytes_of_text(body);
    enum status st = ST_OK;
    struct err err = { 0 };

    for (size_t at = 0; at < all.len && st == ST_OK; at += step) {
        struct bytes in = bytes_of(all.data + at, all.len - at < step ? all.len - at : step);

        while (in.len > 0 && st == ST_OK) {
            struct bytes data;

            st = aws_chunk_next(chunk, &in, &data, &err);
            buf_append(out, data.data, data.len);
        }
    }
    return st;
}

TEST(chunks_are_taken_apart_however_they_arrive)
{
    static const struct {
        const char *body;
        enum status want;
        bool finished;
        const char *data;
    } rows[] = {
        { "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", ST_OK, true, "hello world" },
        { "0\r\n\r\n", ST_OK, true, "" },
        { "5\r\nhello\r\n0\r\nx-amz-checksum-crc32: abc=\r\n\r\n", ST_OK, true, "hello" },
        { "5\r\nhello\r\n0\r\n", ST_OK, false, "hello" },
        { "5\r\nhel", ST_OK, false, "hel" },
        { "5\r\nhelloX\r\n0\r\n\r\n", ST_BAD_INPUT, false, "hello" },
        { "\r\n", ST_BAD_INPUT, false, "" },
        { "xyz\r\n", ST_BAD_INPUT, false, "" },
        { "ffffffff\r\n", ST_BAD_INPUT, false, "" },
        { "0\r\nno colon\r\n\r\n", ST_BAD_INPUT, false, "" },
        { "0\r\n\r\nmore", ST_BAD_INPUT, true, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t step = 1; step <= 64; step *= 4) {
            struct buf data = { 0 };
            struct aws_chunk chunk;

            test_case = rows[i].body;
            aws_chunk_init(&chunk, NULL);
            EXPECT_EQ(decode(&chunk, rows[i].body, step, &data), rows[i].want);
            EXPECT_EQ(aws_chunk_is_finished(&chunk), rows[i].finished);
            EXPECT_TEXT(buf_text(&data), rows[i].data);
            aws_chunk_done(&chunk);
            buf_done(&data);
        }
    }
}

TEST(a_line_between_chunks_is_taken_to_its_limit_however_it_arrives)
{
    for (size_t more = 0; more < 2; more++) {
        for (size_t step = 1; step <= 1024; step *= 32) {
            struct buf body = { 0 };
            struct buf data = { 0 };
            struct aws_chunk chunk;

            buf_append_text(&body, "1;");
            while (body.len < AWS_CHUNK_LINE_BYTES_MAX + more)
                buf_append_text(&body, "x");
            buf_append_text(&body, "\r\na\r\n0\r\n\r\n");
            aws_chunk_init(&chunk, NULL);
            EXPECT_EQ(decode(&chunk, buf_text(&body), step, &data),
                      more == 0 ? ST_OK : ST_BAD_INPUT);
            aws_chunk_done(&chunk);
            buf_done(&body);
            buf_done(&data);
        }
    }
}

TEST(a_trailer_is_found_by_its_name)
{
    struct buf data = { 0 };
    struct aws_chunk chunk;
    struct bytes value;

    aws_chunk_init(&chunk, NULL);
    EXPECT_EQ(decode(&chunk, "1\r\nx\r\n0\r\nX-Amz-Checksum-Crc32:abc=\r\n\r\n", 3, &data), ST_OK);
    EXPECT(aws_chunk_trailer(&chunk, "x-amz-checksum-crc32", &value));
    EXPECT(bytes_equal(value, bytes_of_text("abc=")));
    EXPECT(!aws_chunk_trailer(&chunk, "x-amz-checksum-crc32c", &value));
    aws_chunk_done(&chunk);
    buf_done(&data);
}

/* AWS's own example, "Signature calculations for the authorization header: transferring payload in
 * multiple chunks", of the S3 API reference: 65 KiB and 1 KiB of the letter a. */
TEST(signed_chunks_are_checked_against_aws_own_example)
{
    static const char secret[] = "AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    static const char *const parts[] = { "20130524", "us-east-1", "s3", "aws4_request" };
    struct aws_chunk_key key = { .scope = "20130524/us-east-1/s3/aws4_request",
                                 .timestamp = "20130524T000000Z" };
    struct bytes step = bytes_of_text(secret);
    struct buf body = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        uint8_t next[SHA256_BYTES];

        hash_hmac_sha256(step, bytes_of_text(parts[i]), next);
        memcpy(key.key, next, sizeof next);
        step = bytes_of(key.key, sizeof key.key);
    }
    memcpy(key.previous, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", 65);
    buf_append_text(&body, "10000;chunk-signature="
                           "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    for (size_t i = 0; i < 65536; i++)
        buf_append_text(&body, "a");
    buf_append_text(&body, "\r\n400;chunk-signature="
                           "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    for (size_t i = 0; i < 1024; i++)
        buf_append_text(&body, "a");
    buf_append_text(&body,
                    "\r\n0;chunk-signature="
                    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
    for (unsigned broken = 0; broken < 2; broken++) {
        struct buf data = { 0 };
        struct aws_chunk chunk;

        body.data[200] = broken ? 'b' : 'a';
        aws_chunk_init(&chunk, &key);
        EXPECT_EQ(decode(&chunk, buf_text(&body), 1000, &data), broken ? ST_DENIED : ST_OK);
        EXPECT_EQ(aws_chunk_is_finished(&chunk), !broken);
        EXPECT(broken || data.len == 66560);
        aws_chunk_done(&chunk);
        buf_done(&data);
    }
    buf_done(&body);
}

/* The check values of "123456789" from the catalogues of CRCs, and of the SHAs from their standard.
 */
TEST(checksums_have_their_known_values)
{
    static const struct {
        enum s3_checksum_kind kind;
        const char *want;
    } rows[] = {
        { S3_CHECKSUM_CRC32, "y/Q5Jg==" },
        { S3_CHECKSUM_CRC32C, "4waSgw==" },
        { S3_CHECKSUM_CRC64NVME, "rosUhgp5mIg=" },
        { S3_CHECKSUM_SHA1, "98O8HYCOBHMq32eZZczDTKeuNEE=" },
        { S3_CHECKSUM_SHA256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[S3_CHECKSUM_TEXT_BYTES];
        struct s3_checksum sum;

        test_case = s3_checksum_name(rows[i].kind);
        s3_checksum_init(&sum, rows[i].kind);
        s3_checksum_add(&sum, bytes_of_text("1234"));
        s3_checksum_add(&sum, bytes_of_text("56789"));
        s3_checksum_end(&sum, text);
        EXPECT_TEXT(text, rows[i].want);
    }
}

TEST(headers_are_kept_refused_or_too_large)
{
    char value[2100];
    struct http_field fields[] = {
        { bytes_of_text("X-Amz-Meta-Colour"), bytes_of_text("blue") },
        { bytes_of_text("cache-control"), bytes_of_text("no-cache") },
        { bytes_of_text("content-encoding"), bytes_of_text("aws-chunked,gzip") },
        { bytes_of_text("x-other"), bytes_of_text("dropped") },
    };
    struct http_head head = { bytes_of_text("PUT"), bytes_of_text("/"), fields, ARRAY_LEN(fields) };
    Lapwing__Object object = LAPWING__OBJECT__INIT;
    struct err err = { 0 };

    EXPECT_EQ(s3_headers_read(&head, &object, &err), S3_OK);
    EXPECT_EQ(object.n_metadata, 3);
    EXPECT_TEXT(object.metadata[0]->name, "x-amz-meta-colour");
    EXPECT_TEXT(object.metadata[1]->name, "Cache-Control");
    EXPECT_TEXT(object.metadata[2]->value, "gzip");
    s3_headers_done(&object);

    memset(value, 'v', sizeof value);
    for (size_t len = 2042; len <= 2043; len++) { /* with the six letters of "colour": 2048, 2049 */
        fields[0].value = bytes_of(value, len);
        EXPECT_EQ(s3_headers_read(&head, &object, &err),
                  len == 2042 ? S3_OK : S3_METADATA_TOO_LARGE);
        s3_headers_done(&object);
    }
    fields[0] = (struct http_field){ bytes_of_text("x-amz-tagging"), bytes_of_text("a=b") };
    EXPECT_EQ(s3_headers_read(&head, &object, &err), S3_NOT_IMPLEMENTED);
    s3_headers_done(&object);
}

TEST(an_acl_is_the_owner_s_alone)
{
    static const struct {
        const char *name, *value;
        enum s3_error want;
    } rows[] = {
        { "x-amz-acl", "private", S3_OK },
        { "x-amz-acl", "bucket-owner-full-control", S3_OK },
        { "x-amz-acl", "public-read", S3_ACL_NOT_SUPPORTED },
        { "X-Amz-Grant-Read", "id=1", S3_ACL_NOT_SUPPORTED },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field field = { bytes_of_text(rows[i].name), bytes_of_text(rows[i].value) };
        struct http_head head = { .fields = &field, .field_count = 1 };
        Lapwing__Object object = LAPWING__OBJECT__INIT;
        struct err err = { 0 };

        test_case = rows[i].value;
        EXPECT_EQ(s3_headers_read(&head, &object, &err), rows[i].want);
        s3_headers_done(&object);
    }
    test_case = NULL;
}

TEST(copies_count_by_zone)
{
    static const struct {
        const char *name;
        enum copy_state own;
        struct copy_place others[3];
        size_t count;
        unsigned needed;
        enum copies_verdict want;
    } rows[] = {
        { "one zone, on its way", COPY_SENDING, { { 0 } }, 0, 0, COPIES_WAIT },
        { "one zone, synced", COPY_SYNCED, { { 0 } }, 0, 0, COPIES_DONE },
        { "own disk failed", COPY_LOST, { { COPY_SYNCED, "b" } }, 1, 1, COPIES_FAILED },
        { "own only", COPY_SYNCED, { { COPY_SENDING, "b" } }, 1, 1, COPIES_WAIT },
        { "own and one",
          COPY_SYNCED,
          { { COPY_SYNCED, "b" }, { COPY_SENDING, "c" } },
          2,
          1,
          COPIES_DONE },
        { "one lost, one left",
          COPY_SYNCED,
          { { COPY_LOST, "b" }, { COPY_SENDING, "c" } },
          2,
          1,
          COPIES_WAIT },
        { "both lost",
          COPY_SENDING,
          { { COPY_LOST, "b" }, { COPY_LOST, "c" } },
          2,
          1,
          COPIES_FAILED },
        { "a second store of our zone is no other zone",
          COPY_SYNCED,
          { { COPY_SYNCED, "a" } },
          1,
          1,
          COPIES_FAILED },
        { "two stores of one zone count once",
          COPY_SYNCED,
          { { COPY_SYNCED, "b" }, { COPY_SYNCED, "b" }, { COPY_SENDING, "c" } },
          3,
          2,
          COPIES_WAIT },
        { "others first", COPY_SENDING, { { COPY_SYNCED, "b" } }, 1, 1, COPIES_WAIT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct copy_place own = { rows[i].own, "a" };

        test_case = rows[i].name;
        EXPECT_EQ(copies_verdict(&own, rows[i].others, rows[i].count, rows[i].needed),
                  rows[i].want);
    }
}

TEST(a_peer_that_stalled_gets_no_copy_for_a_while_unless_it_is_needed)
{
    enum { NOW = 50000 };
    static const struct {
        const char *name;
        struct copy_peer peers[3];
        size_t count;
        unsigned needed;
        bool want[3];
    } rows[] = {
        { "no peer", { { 0 } }, 0, 0, { 0 } },
        { "all are well", { { true, "b" }, { true, "c" } }, 2, 1, { true, true } },
        { "one is not there", { { false, "b" }, { true, "c" } }, 2, 1, { false, true } },
        { "one stalled", { { true, "b", true, NOW }, { true, "c" } }, 2, 1, { false, true } },
        { "just within its time",
          { { true, "b", true, NOW - COPIES_SKIP_MS + 1 }, { true, "c" } },
          2,
          1,
          { false, true } },
        { "its time is over",
          { { true, "b", true, NOW - COPIES_SKIP_MS }, { true, "c" } },
          2,
          1,
          { true, true } },
        { "both stalled: better than none",
          { { true, "b", true, NOW }, { true, "c", true, NOW } },
          2,
          1,
          { true, true } },
        { "the other one is not there",
          { { true, "b", true, NOW }, { false, "c" } },
          2,
          1,
          { true, false } },
        { "the other one is of our zone",
          { { true, "b", true, NOW }, { true, "a" } },
          2,
          1,
          { true, true } },
        { "a suspected one gets its copy",
          { { true, "b", .suspected = true }, { true, "c" } },
          2,
          1,
          { true, true } },
        { "one that comes back does not yet",
          { { true, "b", .returning = true }, { true, "c" } },
          2,
          1,
          { false, true } },
        { "unless it is needed",
          { { true, "b", .returning = true }, { false, "c" } },
          2,
          1,
          { true, false } },
        { "two of one zone count once",
          { { true, "b", true, NOW }, { true, "c" }, { true, "c" } },
          3,
          2,
          { true, true, true } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool use[3] = { 0 };

        test_case = rows[i].name;
        copies_choose(rows[i].peers, rows[i].count, "a", rows[i].needed, NOW, use);
        for (size_t at = 0; at < 3; at++)
            EXPECT_EQ(use[at], rows[i].want[at]);
    }
}

TEST(a_blob_is_read_from_whom_one_need_not_wait_for)
{
    enum { NOW = 50000 };
    static const struct {
        const char *name;
        struct copy_peer peers[3];
        unsigned tried;
        bool found;
        size_t want;
    } rows[] = {
        { "the first", { { true, "b" }, { true, "c" }, { true, "d" } }, 0, true, 0 },
        { "not again", { { true, "b" }, { true, "c" }, { true, "d" } }, 1, true, 1 },
        { "a suspected one later",
          { { true, "b", .suspected = true }, { true, "c" } },
          4,
          true,
          1 },
        { "one that comes back later",
          { { true, "b", .returning = true }, { true, "c" } },
          4,
          true,
          1 },
        { "a stalled one later", { { true, "b", true, NOW }, { true, "c" } }, 4, true, 1 },
        { "but not never",
          { { true, "b", .suspected = true }, { true, "c", true, NOW }, { true, "d" } },
          4,
          true,
          0 },
        { "nor twice", { { true, "b", .suspected = true }, { true, "c", true, NOW } }, 5, true, 1 },
        { "nobody is left", { { true, "b" }, { true, "c" }, { true, "d" } }, 7, false, 9 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t index = 9;

        test_case = rows[i].name;
        EXPECT_EQ(copies_next_source(rows[i].peers, 3, rows[i].tried, NOW, &index), rows[i].found);
        EXPECT_EQ(index, rows[i].want);
    }
    test_case = NULL;
}

/* Whatever a request waits for, it may fail and its client may go. */
TEST(every_waiting_state_can_fail_and_be_left)
{
    for (enum s3_state state = S3_ASKING; state < S3_FINISHED; state++) {
        EXPECT_EQ(s3_next(state, S3_FAILED).next, S3_FINISHED);
        EXPECT_EQ(s3_next(state, S3_GONE).action, S3_DO_DROP);
    }
    EXPECT_EQ(s3_next(S3_STARTING, S3_STORED).action, S3_DO_FORBIDDEN);
    EXPECT_EQ(s3_next(S3_RECEIVING, S3_STORED).action, S3_DO_FORBIDDEN);
}
