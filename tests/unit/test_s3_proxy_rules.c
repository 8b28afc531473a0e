#include "controlplane/api/s3/s3_proxy_rules.h"

#include "tests/unit/check.h"

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        { (const uint8_t *)(name), sizeof(name) - 1 },                                             \
        {                                                                                          \
            (const uint8_t *)(value), sizeof(value) - 1                                            \
        }                                                                                          \
    }

static const struct http_field fields[] = {
    FIELD("Host", "b.localhost:4566"),
    FIELD("connection", "keep-alive"),
    FIELD("x-AMZ-date", "20260101T0Z"),
    FIELD("Expect", "100-continue"),
    FIELD("Content-Length", "5"),
    FIELD("Transfer-Encoding", "chunked"),
    FIELD("Date", "Thu"),
    FIELD("ETag", "\"e\""),
};

TEST(a_request_goes_up_as_it_came_without_what_belongs_to_the_connection)
{
    struct http_head head = {
        .method = bytes_of_text("PUT"),
        .target = bytes_of_text("/b/k%20e?x=1&y"),
        .fields = fields,
        .field_count = ARRAY_LEN(fields),
    };
    struct buf out = { 0 };

    s3_proxy_request_head(&head, false, false, &out);
    EXPECT_TEXT(
        buf_text(&out),
        "PUT /b/k%20e?x=1&y HTTP/1.1\r\nHost: b.localhost:4566\r\nx-AMZ-date: 20260101T0Z\r\n"
        "Content-Length: 5\r\nDate: Thu\r\nETag: \"e\"\r\n\r\n");
    out.len = 0;
    head.field_count = 1;
    s3_proxy_request_head(&head, false, true, &out);
    EXPECT_TEXT(buf_text(&out), "PUT /b/k%20e?x=1&y HTTP/1.1\r\nHost: b.localhost:4566\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n");
    buf_done(&out);
}

static const struct {
    const char *name;
    const char *host;
    const char *forwarded; /* that the client sent; NULL for none */
    bool https;
    const char *want; /* the field that is added, or nothing */
} scheme_rows[] = {
    { "plain", "h", NULL, false, "" },
    { "TLS", "h", NULL, true, "X-Forwarded-Proto: https\r\n" },
    { "TLS and the field", "h", "gopher", true, "" },
    { "from a function", "169.254.100.1:4566", NULL, true, "" },
};

TEST(the_store_learns_that_a_client_came_over_tls)
{
    for (size_t i = 0; i < ARRAY_LEN(scheme_rows); i++) {
        struct http_field two[] = {
            { bytes_of_text("Host"), bytes_of_text(scheme_rows[i].host) },
            { bytes_of_text("X-Forwarded-Proto"), { 0 } },
        };
        struct http_head head = {
            .method = bytes_of_text("GET"),
            .target = bytes_of_text("/"),
            .fields = two,
            .field_count = 1,
        };
        struct buf out = { 0 };
        struct buf want = { 0 };

        test_case = scheme_rows[i].name;
        buf_printf(&want, "GET / HTTP/1.1\r\nHost: %s\r\n", scheme_rows[i].host);
        if (scheme_rows[i].forwarded != NULL) {
            two[1].value = bytes_of_text(scheme_rows[i].forwarded);
            head.field_count = 2;
            buf_printf(&want, "X-Forwarded-Proto: %s\r\n", scheme_rows[i].forwarded);
        }
        buf_printf(&want, "%s\r\n", scheme_rows[i].want);
        s3_proxy_request_head(&head, scheme_rows[i].https, false, &out);
        EXPECT_TEXT(buf_text(&out), buf_text(&want));
        buf_done(&out);
        buf_done(&want);
    }
}

TEST(an_answer_comes_down_without_the_fields_that_the_server_writes_itself)
{
    struct http_answer_field out[ARRAY_LEN(fields)];
    struct buf texts = { 0 };
    size_t count = s3_proxy_answer_fields(fields, ARRAY_LEN(fields), &texts, out);

    EXPECT_EQ(count, 3);
    EXPECT_TEXT(out[0].name, "Host");
    EXPECT_TEXT(out[1].value, "20260101T0Z");
    EXPECT_TEXT(out[2].name, "ETag");
    EXPECT_TEXT(out[2].value, "\"e\"");
    buf_done(&texts);
}
