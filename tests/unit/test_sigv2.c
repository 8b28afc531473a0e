#include "base/sigv2.h"
#include "tests/unit/check.h"
#include "tests/unit/request_text.h"

static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
enum { BOTOCORE_S = 1440938160, LIBS3_S = 1795221491 };

static const struct {
    const char *name;
    uint64_t at_s;
    const char *text;
} signed_rows[] = {
    // clang-format off
    { "libs3: put", LIBS3_S,
      "PUT /bucket/dir/key HTTP/1.1\nHost: 127.0.0.1:37035\nContent-Length: 5\n"
      "Content-Type: text/plain\nAuthorization: AWS AKIDEXAMPLE:74qWIC571rgp/kamipV3wC2pkX4=\n"
      "x-amz-meta-a: b\nx-amz-acl: public-read\nx-amz-date: Sat, 21 Nov 2026 00:38:11 GMT\n\n" },
    { "libs3: list", LIBS3_S,
      "GET /bucket/?prefix=a/b&marker=(null) HTTP/1.1\nHost: 127.0.0.1:37035\n"
      "Authorization: AWS AKIDEXAMPLE:CiW2pB0GwioHkR6toAlihnm7lKw=\n"
      "x-amz-date: Sat, 21 Nov 2026 00:38:11 GMT\n\n" },
    { "libs3: get", LIBS3_S,
      "GET /bucket/dir/key HTTP/1.1\nHost: 127.0.0.1:37035\n"
      "Authorization: AWS AKIDEXAMPLE:BdAPK22XhX71SHrngv+OJWTck48=\n"
      "x-amz-date: Sat, 21 Nov 2026 00:38:11 GMT\n\n" },
    { "libs3: create a bucket", LIBS3_S,
      "PUT /bucket/ HTTP/1.1\nHost: 127.0.0.1:37035\nContent-Length: 0\n"
      "Expires: Thu, 01 Jan 1970 00:00:00 UTC\n"
      "Authorization: AWS AKIDEXAMPLE:6R9LsOmMAWa8t7DHkYRRZATTIio=\n"
      "x-amz-date: Sat, 21 Nov 2026 00:38:11 GMT\n\n" },
    { "libs3: a subresource", LIBS3_S,
      "GET /bucket/?acl HTTP/1.1\nHost: 127.0.0.1:37035\n"
      "Authorization: AWS AKIDEXAMPLE:ZU2j6BnYaf8r8mC1oAHiW8nzLTU=\n"
      "x-amz-date: Sat, 21 Nov 2026 00:38:11 GMT\n\n" },
    { "botocore: put", BOTOCORE_S,
      "PUT /bucket/dir/key.txt HTTP/1.1\nHost:127.0.0.1:4566\n"
      "Content-MD5:XUFAKrxLKna5cZ2REBfFkg==\nContent-Type:text/plain\nx-amz-meta-b:2 \n"
      "x-amz-meta-a:1\nDate:Sun, 30 Aug 2015 12:36:00 GMT\n"
      "Authorization:AWS AKIDEXAMPLE:1dg7j6IEYR9h5LtMqMZTEoOrJ4Y=\n\n" },
    { "botocore: list", BOTOCORE_S,
      "GET /bucket?prefix=a&max-keys=2 HTTP/1.1\nHost:127.0.0.1:4566\n"
      "Date:Sun, 30 Aug 2015 12:36:00 GMT\n"
      "Authorization:AWS AKIDEXAMPLE:/Q4RVsvPZ05bYzb70aA392BcRIE=\n\n" },
    { "botocore: subresources", BOTOCORE_S,
      "GET /bucket/key?versionId=abc&response-content-type=text%2Fplain&uploads&foo=1 HTTP/1.1\n"
      "Host:127.0.0.1:4566\nDate:Sun, 30 Aug 2015 12:36:00 GMT\n"
      "Authorization:AWS AKIDEXAMPLE:ot0VvS4uZ6xlY8O70vcjpqAMovY=\n\n" },
    { "botocore: presigned", BOTOCORE_S,
      "GET /bucket/key?acl&AWSAccessKeyId=AKIDEXAMPLE"
      "&Signature=yHxMC%2FMu3%2By%2Fk0Nr8LHYbjCcbHM%3D&Expires=1440941760 HTTP/1.1\n"
      "Host:127.0.0.1:4566\n\n" },
    // clang-format on
};

static enum status verify_text(const char *text, uint64_t now_s, const char *with, struct err *err)
{
    struct request_text request;
    struct sigv2 sig;
    enum status st;

    request_text_parse(text, &request);
    /* As a parser hands them over. */
    for (size_t i = 0; i < request.head.field_count; i++)
        request.fields[i].value = http_trim(request.fields[i].value);
    st = sigv2_parse(&request.head, &sig, err);
    if (st != ST_OK)
        return st;
    EXPECT_TEXT(sig.access_key_id, "AKIDEXAMPLE");
    return sigv2_verify(&request.head, &sig, bytes_of_text(with), now_s, err);
}

TEST(what_libs3_and_botocore_signed_is_verified)
{
    for (size_t i = 0; i < ARRAY_LEN(signed_rows); i++) {
        struct err err = { 0 };

        test_case = signed_rows[i].name;
        EXPECT_EQ(verify_text(signed_rows[i].text, signed_rows[i].at_s, secret, &err), ST_OK);
        EXPECT_TEXT(err.text, "");
        EXPECT_EQ(verify_text(signed_rows[i].text, signed_rows[i].at_s, "x", &err), ST_DENIED);
    }
}

TEST(clocks_may_differ_by_15_minutes_and_both_times_are_named)
{
    struct err err = { 0 };

    EXPECT_EQ(verify_text(signed_rows[0].text, LIBS3_S + 900, secret, &err), ST_OK);
    EXPECT_EQ(verify_text(signed_rows[0].text, LIBS3_S - 900, secret, &err), ST_OK);
    EXPECT_EQ(verify_text(signed_rows[0].text, LIBS3_S - 901, secret, &err), ST_TIMEOUT);
    EXPECT_EQ(verify_text(signed_rows[0].text, LIBS3_S + 901, secret, &err), ST_TIMEOUT);
    EXPECT(strstr(err.text, "Sat, 21 Nov 2026 00:38:11 GMT") != NULL);
    EXPECT(strstr(err.text, "Sat, 21 Nov 2026 00:53:12 GMT") != NULL);
    EXPECT_EQ(verify_text(signed_rows[8].text, 1440941760, secret, &err), ST_OK);
    EXPECT_EQ(verify_text(signed_rows[8].text, 1440941761, secret, &err), ST_TIMEOUT);
}

static const struct {
    const char *name;
    const char *text;
    enum status want;
} malformed_rows[] = {
    // clang-format off
    { "none", "GET / HTTP/1.1\nHost:h\n\n", ST_NOT_FOUND },
    { "version 4", "GET / HTTP/1.1\nHost:h\nAuthorization:AWS4-HMAC-SHA256 x\n\n", ST_NOT_FOUND },
    { "no colon", "GET / HTTP/1.1\nDate:Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization:AWS x\n\n", ST_BAD_INPUT },
    { "no key", "GET / HTTP/1.1\nDate:Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization:AWS :BdAPK22XhX71SHrngv+OJWTck48=\n\n", ST_BAD_INPUT },
    { "not base64", "GET / HTTP/1.1\nDate:Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization:AWS a:BdAPK22XhX71SHrngv+OJWTck48\n\n", ST_BAD_INPUT },
    { "too short", "GET / HTTP/1.1\nDate:Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization:AWS a:BdAP\n\n", ST_BAD_INPUT },
    { "no date", "GET / HTTP/1.1\nHost:h\nAuthorization:AWS a:BdAPK22XhX71SHrngv+OJWTck48=\n\n", ST_BAD_INPUT },
    { "a wrong date", "GET / HTTP/1.1\nDate:yesterday\nAuthorization:AWS a:BdAPK22XhX71SHrngv+OJWTck48=\n\n", ST_BAD_INPUT },
    { "presigned without an end", "GET /?AWSAccessKeyId=a&Signature=BdAPK22XhX71SHrngv%2BOJWTck48%3D HTTP/1.1\nHost:h\n\n", ST_BAD_INPUT },
    { "presigned without a value", "GET /?AWSAccessKeyId=a&Expires=1 HTTP/1.1\nHost:h\n\n", ST_BAD_INPUT },
    { "a wrong end", "GET /?AWSAccessKeyId=a&Signature=BdAPK22XhX71SHrngv%2BOJWTck48%3D&Expires=x HTTP/1.1\nHost:h\n\n", ST_BAD_INPUT },
    { "signed twice", "GET /?AWSAccessKeyId=a HTTP/1.1\nHost:h\nAuthorization:AWS a:b\n\n", ST_BAD_INPUT },
    // clang-format on
};

TEST(malformed_signatures_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(malformed_rows); i++) {
        struct request_text request;
        struct sigv2 sig;
        struct err err = { 0 };

        test_case = malformed_rows[i].name;
        request_text_parse(malformed_rows[i].text, &request);
        EXPECT_EQ(sigv2_parse(&request.head, &sig, &err), malformed_rows[i].want);
        EXPECT(err.text[0] != '\0');
    }
}

TEST(what_we_sign_is_what_others_sign)
{
    struct request_text request;
    struct buf out = { 0 };
    struct bytes want;

    request_text_parse(signed_rows[7].text, &request);
    EXPECT(http_head_find(&request.head, "authorization", &want));
    sigv2_sign(&request.head, "AKIDEXAMPLE", secret, &out);
    EXPECT(bytes_equal(buf_view(&out), want));
    buf_done(&out);
}
