#include "base/endpoint.h"

#include "tests/unit/check.h"

static const struct {
    const char *name;
    const char *text;
    enum status want;
    bool https;
    const char *address;
    bool loopback;
} rows[] = {
    { "an address alone is plain", "127.0.0.1:4566", ST_OK, false, "127.0.0.1:4566", true },
    { "plain, in words", "http://127.0.0.1:80", ST_OK, false, "127.0.0.1:80", true },
    { "https", "https://10.0.0.5:443", ST_OK, true, "10.0.0.5:443", false },
    { "https and IPv6", "https://[2001:db8::1]:443", ST_OK, true, "[2001:db8::1]:443", false },
    { "all of 127", "127.255.255.254:1", ST_OK, false, "127.255.255.254:1", true },
    { "before it", "126.255.255.255:1", ST_OK, false, "126.255.255.255:1", false },
    { "after it", "128.0.0.1:1", ST_OK, false, "128.0.0.1:1", false },
    { "127 in the last place", "1.0.0.127:1", ST_OK, false, "1.0.0.127:1", false },
    { "every address", "0.0.0.0:4566", ST_OK, false, "0.0.0.0:4566", false },
    { "IPv6 loopback", "[::1]:4566", ST_OK, false, "[::1]:4566", true },
    { "every IPv6 address", "[::]:4566", ST_OK, false, "[::]:4566", false },
    { "loopback in the form for IPv4", "[::ffff:127.0.0.1]:1", ST_OK, false, "[::ffff:127.0.0.1]:1",
      false },
    { "no port", "https://10.0.0.5", ST_BAD_INPUT, false, "", false },
    { "a name", "https://localhost:443", ST_BAD_INPUT, false, "", false },
    { "another scheme", "ftp://127.0.0.1:21", ST_BAD_INPUT, false, "", false },
    { "shouted", "HTTPS://127.0.0.1:443", ST_BAD_INPUT, false, "", false },
    { "a path", "https://127.0.0.1:443/", ST_BAD_INPUT, false, "", false },
    { "nothing", "", ST_BAD_INPUT, false, "", false },
    { "too long",
      "https://0000000000000000000000000000000000000000000000000000000000000127.0.0.1:443",
      ST_BAD_INPUT, false, "", false },
};

TEST(an_endpoint_is_a_scheme_and_a_numeric_address)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct endpoint got = { 0 };
        struct err err = { 0 };

        test_case = rows[i].name;
        EXPECT_EQ(endpoint_parse(bytes_of_text(rows[i].text), &got, &err), rows[i].want);
        EXPECT_EQ(got.https, rows[i].https);
        EXPECT_TEXT(got.address, rows[i].address);
        EXPECT_EQ((err.text[0] == '\0'), (rows[i].want == ST_OK));
        if (rows[i].want == ST_OK)
            EXPECT_EQ(endpoint_is_loopback(&got.where), rows[i].loopback);
    }
}

TEST(a_list_has_a_few_of_them)
{
    struct endpoint got[2];
    struct err err = { 0 };
    size_t count = 0;

    EXPECT_EQ(
        endpoint_list(" https://10.0.0.5:443, 127.0.0.1:80 ", "listen.api", got, 2, &count, &err),
        ST_OK);
    EXPECT_EQ(count, 2);
    EXPECT(got[0].https && !got[1].https);
    EXPECT_EQ(
        endpoint_list("127.0.0.1:1,127.0.0.1:2,127.0.0.1:3", "listen.api", got, 2, &count, &err),
        ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "listen.api: more than 2 addresses");
    EXPECT_EQ(endpoint_list(" , ", "listen.api", got, 2, &count, &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "listen.api: no address");
    EXPECT_EQ(endpoint_list("localhost:1", "listen.api", got, 2, &count, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "listen.api: address \"localhost:1\"") != NULL);
}

static const struct {
    const char *text;
    bool allowed;
    enum status want;
} plain_rows[] = {
    { "127.0.0.1:1", false, ST_OK },       { "[::1]:1", false, ST_OK },
    { "https://0.0.0.0:1", false, ST_OK }, { "0.0.0.0:1", false, ST_DENIED },
    { "http://[::]:1", false, ST_DENIED }, { "10.0.0.5:1", false, ST_DENIED },
    { "10.0.0.5:1", true, ST_OK },         { "0.0.0.0:1", true, ST_OK },
};

static const struct {
    const char *list;
    bool allowed;
    enum status want;
} plain_list_rows[] = {
    { "127.0.0.1:1,[::1]:2", false, ST_OK },
    { "127.0.0.1:1,10.0.0.5:2", false, ST_DENIED },
    { "127.0.0.1:1,10.0.0.5:2", true, ST_OK },
    { "127.0.0.1:1,https://10.0.0.5:2", true, ST_UNSUPPORTED },
    { "", false, ST_BAD_INPUT },
};

TEST(what_is_spoken_to_in_plain_http_is_on_this_host_or_allowed)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_list_rows); i++) {
        struct err err = { 0 };

        test_case = plain_list_rows[i].list;
        EXPECT_EQ(endpoint_list_plain(plain_list_rows[i].list, plain_list_rows[i].allowed,
                                      "objstore.addresses", "objstore.plain_http", &err),
                  plain_list_rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', plain_list_rows[i].want == ST_OK);
        EXPECT(plain_list_rows[i].want == ST_OK ||
               strstr(err.text, "objstore.addresses: ") != NULL);
    }
}

TEST(plain_http_beyond_this_host_needs_the_setting)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_rows); i++) {
        struct endpoint endpoint;
        struct err err = { 0 };

        test_case = plain_rows[i].text;
        EXPECT_EQ(endpoint_parse(bytes_of_text(test_case), &endpoint, &err), ST_OK);
        EXPECT_EQ(endpoint_check_plain(&endpoint, plain_rows[i].allowed, "listen.api",
                                       "listen.plain_http", &err),
                  plain_rows[i].want);
        EXPECT_EQ(strstr(err.text, "set listen.plain_http = yes") != NULL,
                  plain_rows[i].want == ST_DENIED);
        EXPECT_EQ(strstr(err.text, endpoint.address) != NULL, plain_rows[i].want == ST_DENIED);
    }
}
