/* What decides about multipart uploads, copies and deletes of many, and the XML that they read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "objstore/s3/s3_copy.h"
#include "objstore/s3/s3_default.h"
#include "objstore/s3/s3_delete.h"
#include "objstore/s3/s3_upload.h"
#include "objstore/s3/s3_xml_read.h"
#include "tests/unit/check.h"

/* What a reader sees: "<name" at an opening, "text>" at a closing. */
static void describe(const char *document, char *out, size_t room)
{
    enum s3_xml_kind kind;
    struct bytes name;
    struct s3_xml xml;
    size_t len = 0;

    s3_xml_init(&xml, bytes_of_text(document));
    while ((kind = s3_xml_next(&xml, &name)) == S3_XML_OPEN || kind == S3_XML_CLOSE)
        len +=
            (size_t)snprintf(out + len, room - len, kind == S3_XML_OPEN ? "<%.*s" : "%.*s>",
                             kind == S3_XML_OPEN ? (int)name.len : (int)xml.text.len,
                             kind == S3_XML_OPEN ? (const char *)name.data : buf_text(&xml.text));
    if (kind == S3_XML_END)
        (void)snprintf(out + len, room - len, ".");
    else
        (void)snprintf(out, room, "!"); /* whatever came before: the caller refuses it */
    s3_xml_done(&xml);
}

TEST(xml_is_read_element_by_element)
{
    static const struct {
        const char *document, *want;
    } rows[] = {
        { "<a/>", "<a>." },
        { "<?xml version=\"1.0\"?>\n<a>\n <b>x</b></a>\n", "<a<bx>>." },
        { "\xef\xbb\xbf<a>x</a>", "<ax>." },
        { "<n:a xmlns:n=\"u>\" k='/'><n:b/></n:a>", "<a<b>>." },
        { "<a><!-- <b> -->x<?p?>y</a >", "<axy>." },
        { "<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x20ac;</a>", "<a<>&\"'A\xe2\x82\xac>." },
        { "<a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a>", "<a<b<c<d<e<f<g<h>>>>>>>>." },
        { "<a><b><c><d><e><f><g><h><i/></h></g></f></e></d></c></b></a>", "!" },
        { "", "!" },
        { "text", "!" },
        { "<a>", "!" },
        { "<a></b>", "!" },
        { "<a/><b/>", "!" },
        { "<a/>x", "!" },
        { "</a>", "!" },
        { "<a", "!" },
        { "<a b=\"", "!" },
        { "<a <b/></a>", "!" },
        { "< a/>", "!" },
        { "<a>&nbsp;</a>", "!" },
        { "<a>&#0;</a>", "!" },
        { "<a>&#xd800;</a>", "!" },
        { "<a>&#x110000;</a>", "!" },
        { "<a>&#;</a>", "!" },
        { "<a>& </a>", "!" },
        { "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>", "!" },
        { "<a><![CDATA[x<]]></a>", "<ax<>." },
        { "<a><!-- </a>", "!" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char got[128];

        test_case = rows[i].document;
        describe(rows[i].document, got, sizeof got);
        EXPECT_TEXT(got, rows[i].want);
    }
    test_case = NULL;
}

#define MD5_A              "00000000000000000000000000000000"
#define PART(number, etag) "<Part><PartNumber>" number "</PartNumber><ETag>" etag "</ETag></Part>"
#define LIST(parts)        "<CompleteMultipartUpload>" parts "</CompleteMultipartUpload>"

TEST(the_list_of_a_completion_is_read_or_refused)
{
    static const struct {
        const char *xml;
        enum s3_error want;
        size_t count;
    } rows[] = {
        { LIST(PART("1", "\"" MD5_A "\"") PART("10000", MD5_A)), S3_OK, 2 },
        { LIST(PART(" 7 ", "&quot;" MD5_A "&quot;")), S3_OK, 1 },
        { LIST("<Part><ETag>x</ETag><PartNumber>1</PartNumber><New/></Part>"), S3_OK, 1 },
        { LIST(PART("2", MD5_A) PART("1", MD5_A)), S3_INVALID_PART_ORDER, 0 },
        { LIST(PART("1", MD5_A) PART("1", MD5_A)), S3_INVALID_PART_ORDER, 0 },
        { LIST(PART("0", MD5_A)), S3_INVALID_ARGUMENT, 0 },
        { LIST(PART("10001", MD5_A)), S3_INVALID_ARGUMENT, 0 },
        { LIST("<Part><ETag>x</ETag></Part>"), S3_INVALID_ARGUMENT, 0 },
        { LIST(PART("x", MD5_A)), S3_MALFORMED_XML, 0 },
        { LIST(PART("99999999999", MD5_A)), S3_MALFORMED_XML, 0 },
        { LIST(""), S3_MALFORMED_XML, 0 },
        { "<Other/>", S3_MALFORMED_XML, 0 },
        { "", S3_MALFORMED_XML, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_claims claims;

        test_case = rows[i].xml;
        EXPECT_EQ(s3_claims_parse(bytes_of_text(rows[i].xml), &claims), rows[i].want);
        if (rows[i].want == S3_OK)
            EXPECT_EQ(claims.count, rows[i].count);
        s3_claims_done(&claims);
    }
    test_case = NULL;
}

/* An upload with the parts 1, 2 and 3 of these sizes, whose digests are all zero. */
static enum s3_error match(const char *xml, const uint64_t bytes[3], struct s3_completion *out)
{
    static uint8_t zeros[SHA256_BYTES];
    Lapwing__Upload upload = LAPWING__UPLOAD__INIT;
    Lapwing__Part rows[3];
    Lapwing__Part *list[3];
    struct s3_claims claims;
    enum s3_error error;

    upload.checksum = (char *)"CRC32";
    for (uint32_t i = 0; i < 3; i++) {
        lapwing__part__init(&rows[i]);
        rows[i].number = i + 1;
        rows[i].bytes = bytes[i];
        rows[i].md5 = (ProtobufCBinaryData){ MD5_BYTES, zeros };
        rows[i].checksum = (ProtobufCBinaryData){ 4, zeros };
        list[i] = &rows[i];
    }
    EXPECT_EQ(s3_claims_parse(bytes_of_text(xml), &claims), S3_OK);
    error = s3_claims_match(&claims, &upload, list, 3, out);
    s3_claims_done(&claims);
    return error;
}

#define SUMMED(sum)                                                                                \
    "<Part><PartNumber>1</PartNumber><ETag>" MD5_A "</ETag><ChecksumCRC32>" sum                    \
    "</ChecksumCRC32></Part>"

TEST(claims_are_held_against_the_parts)
{
    enum { MIN = UPLOAD_PART_BYTES_MIN };
    static const struct {
        const char *name, *xml;
        uint64_t bytes[3];
        enum s3_error want;
        uint64_t sum;
    } rows[] = {
        { "all",
          LIST(PART("1", MD5_A) PART("2", MD5_A) PART("3", MD5_A)),
          { MIN, MIN, 0 },
          S3_OK,
          2 * MIN },
        { "the smallest", LIST(PART("1", MD5_A) PART("3", MD5_A)), { MIN, 1, 9 }, S3_OK, MIN + 9 },
        { "a byte less",
          LIST(PART("1", MD5_A) PART("3", MD5_A)),
          { MIN - 1, 1, 9 },
          S3_ENTITY_TOO_SMALL,
          0 },
        { "one is the last", LIST(PART("2", MD5_A)), { 1, 1, 1 }, S3_OK, 1 },
        { "no such part", LIST(PART("4", MD5_A)), { 1, 1, 1 }, S3_INVALID_PART, 0 },
        { "another etag",
          LIST(PART("1", "11111111111111111111111111111111")),
          { 1, 1, 1 },
          S3_INVALID_PART,
          0 },
        { "no etag", LIST(PART("1", "abc")), { 1, 1, 1 }, S3_INVALID_PART, 0 },
        { "its checksum", LIST(SUMMED("AAAAAA==")), { 1, 1, 1 }, S3_OK, 1 },
        { "another checksum", LIST(SUMMED("AAAAAQ==")), { 1, 1, 1 }, S3_INVALID_PART, 0 },
        { "no checksum", LIST(SUMMED("AAAA")), { 1, 1, 1 }, S3_INVALID_PART, 0 },
        { "the largest object",
          LIST(PART("1", MD5_A) PART("2", MD5_A)),
          { MIN, OBJECT_BYTES_MAX - MIN, 1 },
          S3_OK,
          OBJECT_BYTES_MAX },
        { "a byte more",
          LIST(PART("1", MD5_A) PART("2", MD5_A)),
          { MIN, OBJECT_BYTES_MAX - MIN + 1, 1 },
          S3_ENTITY_TOO_LARGE,
          0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_completion completion;

        test_case = rows[i].name;
        EXPECT_EQ(match(rows[i].xml, rows[i].bytes, &completion), rows[i].want);
        if (rows[i].want == S3_OK)
            EXPECT_EQ(completion.bytes, rows[i].sum);
    }
    test_case = NULL;
}

TEST(the_etag_of_parts_is_the_md5_of_their_md5s)
{
    const uint64_t bytes[3] = { UPLOAD_PART_BYTES_MIN, 1, 1 };
    struct s3_completion completion;

    EXPECT_EQ(match(LIST(PART("1", MD5_A) PART("2", MD5_A)), bytes, &completion), S3_OK);
    /* printf of 32 zero bytes | md5sum; of 8 zero bytes through CRC-32 */
    EXPECT_TEXT(completion.etag, "70bc8f4b72a86921468bf8e8441dce51-2");
    EXPECT_TEXT(completion.sum, "ZSLfaQ==-2");
}

TEST(checksums_of_parts_combine_to_that_of_the_whole)
{
    static const enum s3_checksum_kind kinds[] = { S3_CHECKSUM_CRC32, S3_CHECKSUM_CRC32C,
                                                   S3_CHECKSUM_CRC64NVME };
    static const size_t sizes[] = { 1000, 1000, 0, 1, 333 };
    uint8_t data[2334];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + i / 7);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct s3_checksum_parts parts = { .kind = kinds[k], .is_whole = true };
        char want[S3_CHECKSUM_TEXT_BYTES];
        char got[S3_CHECKSUM_TEXT_BYTES];
        struct s3_checksum sum;
        size_t at = 0;

        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            uint8_t value[SHA256_BYTES];

            s3_checksum_init(&sum, kinds[k]);
            s3_checksum_add(&sum, bytes_of(data + at, sizes[i]));
            s3_checksum_end(&sum, got);
            EXPECT(s3_checksum_decode(kinds[k], bytes_of_text(got), value));
            s3_checksum_parts_add(&parts, bytes_of(value, s3_checksum_bytes(kinds[k])), sizes[i]);
            at += sizes[i];
        }
        s3_checksum_parts_end(&parts, got);
        s3_checksum_init(&sum, kinds[k]);
        s3_checksum_add(&sum, bytes_of(data, at));
        s3_checksum_end(&sum, want);
        EXPECT_TEXT(got, want);
        EXPECT_TEXT(s3_checksum_type(got), "FULL_OBJECT");
    }
    EXPECT_TEXT(s3_checksum_type("AAAA-2"), "COMPOSITE");
}

TEST(an_upload_says_what_checksum_its_object_will_have)
{
    static const struct {
        const char *algorithm, *type;
        enum s3_error want;
        enum s3_checksum_kind kind;
        bool is_whole;
    } rows[] = {
        { NULL, NULL, S3_OK, S3_CHECKSUM_NONE, false },
        { "CRC32", NULL, S3_OK, S3_CHECKSUM_CRC32, false },
        { "crc32c", "FULL_OBJECT", S3_OK, S3_CHECKSUM_CRC32C, true },
        { "CRC64NVME", NULL, S3_OK, S3_CHECKSUM_CRC64NVME, true },
        { "CRC64NVME", "COMPOSITE", S3_INVALID_REQUEST, 0, false },
        { "SHA256", "COMPOSITE", S3_OK, S3_CHECKSUM_SHA256, false },
        { "SHA1", "FULL_OBJECT", S3_INVALID_REQUEST, 0, false },
        { "MD4", NULL, S3_INVALID_REQUEST, 0, false },
        { "SHA1", "HALF", S3_INVALID_REQUEST, 0, false },
        { NULL, "COMPOSITE", S3_INVALID_REQUEST, 0, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field fields[2];
        struct http_head head = { .fields = fields };
        enum s3_checksum_kind kind;
        struct err err = { 0 };
        bool is_whole;

        test_case = rows[i].algorithm;
        if (rows[i].algorithm != NULL)
            fields[head.field_count++] =
                (struct http_field){ bytes_of_text("x-amz-checksum-algorithm"),
                                     bytes_of_text(rows[i].algorithm) };
        if (rows[i].type != NULL)
            fields[head.field_count++] = (struct http_field){ bytes_of_text("x-amz-checksum-type"),
                                                              bytes_of_text(rows[i].type) };
        EXPECT_EQ(s3_upload_checksum(&head, &kind, &is_whole, &err), rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == S3_OK);
        if (rows[i].want != S3_OK)
            continue;
        EXPECT_EQ(kind, rows[i].kind);
        EXPECT_EQ(is_whole, rows[i].is_whole);
    }
    test_case = NULL;
}

TEST(the_query_of_a_part_is_read)
{
#define NAME "0123456789abcdef0123456789abcdef"
    static const struct {
        const char *query;
        enum s3_error want, want_number;
        const char *upload;
        uint32_t number, after, max;
    } rows[] = {
        { "partNumber=1&uploadId=" NAME, S3_OK, S3_OK, NAME, 1, 0, 1000 },
        { "partNumber=10000&uploadId=x", S3_OK, S3_OK, "", 10000, 0, 1000 },
        { "partNumber=10001", S3_OK, S3_INVALID_ARGUMENT, "", 10001, 0, 1000 },
        { "partNumber=0", S3_OK, S3_INVALID_ARGUMENT, "", 0, 0, 1000 },
        { "uploadId=" NAME "0", S3_OK, S3_INVALID_ARGUMENT, "", 0, 0, 1000 },
        { "uploadId=0123456789ABCDEF0123456789ABCDEF", S3_OK, S3_INVALID_ARGUMENT, "", 0, 0, 1000 },
        { "max-parts=2&part-number-marker=7", S3_OK, S3_INVALID_ARGUMENT, "", 0, 7, 2 },
        { "max-parts=5000", S3_OK, S3_INVALID_ARGUMENT, "", 0, 0, 1000 },
        { "max-parts=-1", S3_INVALID_ARGUMENT, S3_INVALID_ARGUMENT, "", 0, 0, 0 },
        { "partNumber=x", S3_INVALID_ARGUMENT, S3_INVALID_ARGUMENT, "", 0, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_part_query query;
        struct err err = { 0 };

        test_case = rows[i].query;
        EXPECT_EQ(s3_part_query_parse(bytes_of_text(rows[i].query), &query, &err), rows[i].want);
        if (rows[i].want != S3_OK)
            continue;
        EXPECT_EQ(s3_part_number_check(&query, &err), rows[i].want_number);
        EXPECT_TEXT(query.upload, rows[i].upload);
        EXPECT_EQ(query.number, rows[i].number);
        EXPECT_EQ(query.part_after, rows[i].after);
        EXPECT_EQ(query.max_parts, rows[i].max);
    }
    test_case = NULL;
}

TEST(the_source_of_a_copy_is_bucket_and_key)
{
    static const struct {
        const char *value;
        enum s3_error want;
        const char *bucket, *key;
    } rows[] = {
        { "abc/k", S3_OK, "abc", "k" },
        { "/abc/a%20b%2Fc+d/e", S3_OK, "abc", "a b/c+d/e" },
        { "abc%2Fk", S3_OK, "abc", "k" },
        { "abc/k?versionId=null", S3_OK, "abc", "k" },
        { "abc/k%3FversionId=1", S3_OK, "abc", "k?versionId=1" },
        { "abc/k?versionId=1", S3_NO_SUCH_VERSION, "", "" },
        { "abc", S3_INVALID_ARGUMENT, "", "" },
        { "abc/", S3_INVALID_ARGUMENT, "", "" },
        { "", S3_INVALID_ARGUMENT, "", "" },
        { "abc/%zz", S3_INVALID_ARGUMENT, "", "" },
        { "abc/%ff", S3_INVALID_ARGUMENT, "", "" },
        { "A/k", S3_INVALID_BUCKET_NAME, "", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_copy_source source;
        struct err err = { 0 };

        test_case = rows[i].value;
        EXPECT_EQ(s3_copy_source_parse(bytes_of_text(rows[i].value), &source, &err), rows[i].want);
        EXPECT_TEXT(source.bucket, rows[i].bucket);
        EXPECT_TEXT(source.key, rows[i].key);
    }
    test_case = NULL;
}

TEST(the_range_of_a_copied_part_has_both_ends_inside_the_source)
{
    static const struct {
        const char *value;
        enum s3_error want;
        uint64_t offset, bytes;
    } rows[] = {
        { "bytes=0-99", S3_OK, 0, 100 },
        { "bytes=99-99", S3_OK, 99, 1 },
        { "bytes=0-100", S3_INVALID_RANGE, 0, 0 },
        { "bytes=100-101", S3_INVALID_RANGE, 0, 0 },
        { "bytes=2-1", S3_INVALID_ARGUMENT, 0, 0 },
        { "bytes=0-", S3_INVALID_ARGUMENT, 0, 0 },
        { "bytes=-5", S3_INVALID_ARGUMENT, 0, 0 },
        { "bytes=0-1,3-4", S3_INVALID_ARGUMENT, 0, 0 },
        { "0-1", S3_INVALID_ARGUMENT, 0, 0 },
        { "", S3_INVALID_ARGUMENT, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_field field = { bytes_of_text("x-amz-copy-source-range"),
                                    bytes_of_text(rows[i].value) };
        struct http_head head = { .fields = &field, .field_count = 1 };
        struct err err = { 0 };
        uint64_t offset = 0;
        uint64_t bytes = 0;

        test_case = rows[i].value;
        EXPECT_EQ(s3_copy_range(&head, 100, &offset, &bytes, &err), rows[i].want);
        if (rows[i].want != S3_OK)
            continue;
        EXPECT_EQ(offset, rows[i].offset);
        EXPECT_EQ(bytes, rows[i].bytes);
    }
    test_case = NULL;
}

#define KEY(key) "<Object><Key>" key "</Key></Object>"

TEST(a_list_of_keys_is_read_or_refused)
{
    static const struct {
        const char *xml;
        enum s3_error want;
        size_t count;
        bool is_quiet;
        enum s3_error first;
    } rows[] = {
        { "<Delete>" KEY("a") KEY("b") "</Delete>", S3_OK, 2, false, S3_OK },
        { "<Delete><Quiet>true</Quiet>" KEY("a&amp;\xc3\xa9") "</Delete>", S3_OK, 1, true, S3_OK },
        { "<Delete><Object><Key>a</Key><VersionId>null</VersionId></Object></Delete>", S3_OK, 1,
          false, S3_OK },
        { "<Delete><Object><VersionId>1</VersionId><Key>a</Key></Object></Delete>", S3_OK, 1, false,
          S3_NO_SUCH_VERSION },
        { "<Delete><Object><Key>a</Key><ETag>x</ETag></Object></Delete>", S3_OK, 1, false,
          S3_NOT_IMPLEMENTED },
        { "<Delete></Delete>", S3_MALFORMED_XML, 0, false, S3_OK },
        { "<Delete><Object></Object></Delete>", S3_MALFORMED_XML, 0, false, S3_OK },
        { "<Delete>" KEY("") "</Delete>", S3_MALFORMED_XML, 0, false, S3_OK },
        { "<Delete>" KEY("\xff") "</Delete>", S3_MALFORMED_XML, 0, false, S3_OK },
        { "<Other>" KEY("a") "</Other>", S3_MALFORMED_XML, 0, false, S3_OK },
        { "<Delete>" KEY("a"), S3_MALFORMED_XML, 0, false, S3_OK },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct s3_deletion deletion;

        test_case = rows[i].xml;
        EXPECT_EQ(s3_deletion_parse(bytes_of_text(rows[i].xml), &deletion), rows[i].want);
        if (rows[i].want == S3_OK) {
            EXPECT_EQ(deletion.count, rows[i].count);
            EXPECT_EQ(deletion.is_quiet, rows[i].is_quiet);
            EXPECT_EQ(deletion.list[0].error, rows[i].first);
        }
        s3_deletion_done(&deletion);
    }
    test_case = NULL;
}

TEST(a_thousand_keys_are_taken_and_go_into_commands_that_hold_them)
{
    for (size_t count = DELETE_OBJECTS_MAX; count <= DELETE_OBJECTS_MAX + 1; count++) {
        struct s3_deletion deletion;
        struct buf xml = { 0 };
        enum s3_error want = count <= DELETE_OBJECTS_MAX ? S3_OK : S3_MALFORMED_XML;
        size_t commands = 0;

        buf_append_text(&xml, "<Delete>");
        for (size_t i = 0; i < count; i++)
            buf_printf(&xml, "<Object><Key>%01024zu</Key></Object>", i);
        buf_append_text(&xml, "</Delete>");
        EXPECT_EQ(s3_deletion_parse(buf_view(&xml), &deletion), want);
        while (want == S3_OK && deletion.at < deletion.count) {
            size_t batch = s3_deletion_batch(&deletion);

            EXPECT(batch > 0);
            EXPECT(batch * 1028 < COMMAND_BYTES_MAX);
            deletion.at += batch;
            commands++;
        }
        EXPECT_EQ(commands, want == S3_OK ? 17 : 0);
        s3_deletion_done(&deletion);
        buf_done(&xml);
    }
}

TEST(a_default_is_an_answer_or_an_error_that_names_it)
{
    struct buf xml = { 0 };

    EXPECT_EQ(s3_default_error("GetBucketVersioning"), S3_OK);
    s3_xml_default(&xml, "GetBucketVersioning", "000000000000");
    EXPECT_TEXT(buf_text(&xml),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<VersioningConfiguration "
                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                "</VersioningConfiguration>");
    buf_done(&xml);
    EXPECT_EQ(s3_default_error("GetBucketPolicy"), S3_NO_SUCH_BUCKET_POLICY);
    EXPECT_TEXT(s3_error_code(S3_NO_SUCH_BUCKET_POLICY), "NoSuchBucketPolicy");
}
