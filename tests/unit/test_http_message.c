#include "base/http_message.h"
#include "tests/unit/check.h"

static const struct {
    const char *target;
    const char *path;
    const char *query;
} target_rows[] = {
    { "/a/b", "/a/b", "" },
    { "/a?b=c?d", "/a", "b=c?d" },
    { "/?", "/", "" },
    { "*", "*", "" },
    { "http://host:80/a%20b?c", "/a%20b", "c" },
    { "http://host", "", "" },
    { "http://host?x=/", "", "x=/" },
    { "/a://b?c", "/a://b", "c" },
    { "", "", "" },
};

TEST(a_target_splits_into_path_and_query)
{
    for (size_t i = 0; i < ARRAY_LEN(target_rows); i++) {
        struct bytes target = bytes_of_text(target_rows[i].target);

        test_case = target_rows[i].target;
        EXPECT(bytes_equal(http_target_path(target), bytes_of_text(target_rows[i].path)));
        EXPECT(bytes_equal(http_target_query(target), bytes_of_text(target_rows[i].query)));
    }
}

static const struct {
    const char *in;
    bool plus_is_space;
    const char *want; /* NULL: refused */
} decode_rows[] = {
    { "a%20b+c", false, "a b+c" }, { "a%20b+c", true, "a b c" }, { "%e1%88%B4", false, "ሴ" },
    { "%2B", true, "+" },          { "%25zz", false, "%zz" },    { "%", false, NULL },
    { "%2", false, NULL },         { "a%2", false, NULL },       { "%zz", false, NULL },
    { "%2g", false, NULL },        { "%00", false, NULL },       { "", false, "" },
};

TEST(percent_decoding_refuses_what_is_not_exact)
{
    for (size_t i = 0; i < ARRAY_LEN(decode_rows); i++) {
        struct buf out = { 0 };
        enum status st = http_percent_decode(bytes_of_text(decode_rows[i].in),
                                             decode_rows[i].plus_is_space, &out);

        test_case = decode_rows[i].in;
        EXPECT_EQ(st, decode_rows[i].want == NULL ? ST_BAD_INPUT : ST_OK);
        EXPECT_TEXT(buf_text(&out), decode_rows[i].want == NULL ? "" : decode_rows[i].want);
        buf_done(&out);
    }
}

TEST(percent_encoding_leaves_only_the_unreserved)
{
    struct buf out = { 0 };

    http_percent_encode(bytes_of_text("Az09-_.~/ +%*!'()ü"), true, &out);
    EXPECT_TEXT(buf_text(&out), "Az09-_.~/%20%2B%25%2A%21%27%28%29%C3%BC");
    out.len = 0;
    http_percent_encode(bytes_of_text("a/b"), false, &out);
    EXPECT_TEXT(buf_text(&out), "a%2Fb");
    buf_done(&out);
}

TEST(a_query_is_walked_in_order_and_found_by_decoded_name)
{
    struct bytes query = bytes_of_text("&acl&b=&c=1=2&&pre%66ix=a+b%2B&c=3&bad=%zz&");
    struct http_query at = { .rest = query };
    struct buf value = { 0 };

    EXPECT(http_query_next(&at) && bytes_equal(at.name, bytes_of_text("acl")) && !at.has_value);
    EXPECT(http_query_next(&at) && bytes_equal(at.name, bytes_of_text("b")) && at.has_value);
    EXPECT_EQ(at.value.len, 0);
    EXPECT(http_query_next(&at) && bytes_equal(at.value, bytes_of_text("1=2")));
    EXPECT(http_query_next(&at) && http_query_next(&at) && http_query_next(&at));
    EXPECT(!http_query_next(&at));

    EXPECT_EQ(http_query_find(query, "prefix", &value), ST_OK);
    EXPECT_TEXT(buf_text(&value), "a b+");
    value.len = 0;
    EXPECT_EQ(http_query_find(query, "c", &value), ST_OK);
    EXPECT_TEXT(buf_text(&value), "1=2");
    EXPECT_EQ(http_query_find(query, "bad", &value), ST_BAD_INPUT);
    EXPECT_EQ(http_query_find(query, "none", &value), ST_NOT_FOUND);
    buf_done(&value);
}

TEST(fields_are_found_in_any_case_and_the_first_wins)
{
    const struct http_field fields[] = {
        { bytes_of_text("Host"), bytes_of_text("a") },
        { bytes_of_text("X-Amz-Date"), bytes_of_text("1") },
        { bytes_of_text("x-amz-date"), bytes_of_text("2") },
    };
    struct http_head head = { .fields = fields, .field_count = ARRAY_LEN(fields) };
    struct bytes value = { 0 };

    EXPECT(http_head_find(&head, "x-amz-DATE", &value));
    EXPECT(bytes_equal(value, bytes_of_text("1")));
    EXPECT(!http_head_find(&head, "hos", &value));
    EXPECT_TEXT(http_reason(404), "Not Found");
    EXPECT_TEXT(http_reason(299), "Unknown");
}

static const struct {
    const char *text;
    long long want; /* -1: refused */
} date_rows[] = {
    { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
    { "Tue, 29 Feb 2028 23:59:59 +0000", 1835481599 },
    { "Sun, 06 Nov 1994 08:49:37", -1 },
    { "Sun, 06 Nov 1994 08:49:37 CET", -1 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", -1 },
    { "Sun Nov  6 08:49:37 1994", -1 },
    { "Sun, 06 Nuv 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 24:49:37 GMT", -1 },
    { "Sun, x6 Nov 1994 08:49:37 GMT", -1 },
    { "", -1 },
};

TEST(dates_of_header_fields_are_read_and_written)
{
    char text[HTTP_DATE_BYTES];

    for (size_t i = 0; i < ARRAY_LEN(date_rows); i++) {
        uint64_t s = 0;

        test_case = date_rows[i].text;
        EXPECT_EQ(http_date_parse(bytes_of_text(date_rows[i].text), &s), date_rows[i].want >= 0);
        if (date_rows[i].want >= 0)
            EXPECT_EQ(s, date_rows[i].want);
    }
    http_date_format(784111777, text);
    EXPECT_TEXT(text, date_rows[0].text);
}
