#include "base/sigv4.h"
#include "tests/unit/check.h"
#include "tests/unit/request_text.h"
#include "tests/unit/sigv4_vectors.h"

static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static const uint64_t at_s = 1440938160; /* 20150830T123600Z */

static enum status verify_text(const char *text, uint64_t now_s, const char *with, struct err *err)
{
    struct request_text request;
    struct sigv4 sig;
    uint8_t digest[SHA256_BYTES];
    enum status st;

    request_text_parse(text, &request);
    hash_sha256(request.body, digest);
    st = sigv4_parse(&request.head, &sig, err);
    if (st != ST_OK)
        return st;
    st = sigv4_verify(&request.head, &sig, bytes_of_text(with), digest, now_s, err);
    sigv4_done(&sig);
    return st;
}

TEST(what_aws_signed_is_verified)
{
    for (size_t i = 0; i < ARRAY_LEN(suite_rows); i++) {
        struct err err = { 0 };

        test_case = suite_rows[i].name;
        EXPECT_EQ(verify_text(suite_rows[i].header, at_s, secret, &err), ST_OK);
        if (suite_rows[i].query != NULL)
            EXPECT_EQ(verify_text(suite_rows[i].query, at_s, secret, &err), ST_OK);
        EXPECT_TEXT(err.text, "");
        EXPECT_EQ(verify_text(suite_rows[i].header, at_s, "another", &err), ST_DENIED);
        if (suite_rows[i].query != NULL)
            EXPECT_EQ(verify_text(suite_rows[i].query, at_s, "another", &err), ST_DENIED);
    }
}

TEST(what_botocore_signed_is_verified)
{
    for (size_t i = 0; i < ARRAY_LEN(botocore_rows); i++) {
        struct err err = { 0 };

        test_case = botocore_rows[i].name;
        EXPECT_EQ(verify_text(botocore_rows[i].text, at_s, secret, &err), ST_OK);
        EXPECT_TEXT(err.text, "");
        EXPECT_EQ(verify_text(botocore_rows[i].text, at_s, "another", &err), ST_DENIED);
    }
}

/* Any single character of a signed request changed, other than in what is not signed. */
TEST(no_byte_of_a_signed_request_can_be_changed)
{
    const char *text = botocore_rows[5].text; /* lambda */
    size_t len = strlen(text);
    unsigned passed = 0;

    for (size_t i = 0; i < len; i++) {
        char changed[1024];

        (void)snprintf(changed, sizeof changed, "%s", text);
        if (changed[i] == '\n' || changed[i] == ' ' || changed[i] == ':')
            continue;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        if (strstr(changed, "HTTP/1.1") == NULL)
            continue; /* the version is not part of the head */
        passed += verify_text(changed, at_s, secret, NULL) == ST_OK;
    }
    /* "User-Agent:x" is not signed (11 letters), the access key id only chooses the secret (11),
     * and names of fields may be in any case (the X of two). */
    EXPECT_EQ(passed, 24);
}

TEST(what_was_parsed_says_who_and_where)
{
    struct request_text request;
    struct sigv4 sig;

    request_text_parse(botocore_rows[0].text, &request);
    EXPECT_EQ(sigv4_parse(&request.head, &sig, NULL), ST_OK);
    EXPECT_TEXT(sig.access_key_id, "AKIDEXAMPLE");
    EXPECT_TEXT(sig.region, "us-east-1");
    EXPECT_TEXT(sig.service, "s3");
    EXPECT_TEXT(sig.timestamp, "20150830T123600Z");
    EXPECT_EQ(sig.signed_at_s, at_s);
    EXPECT_EQ(sig.payload, SIGV4_PAYLOAD_SHA256);
    EXPECT(!sig.presigned);
    /* The body has not come yet; then another body comes. */
    EXPECT_EQ(sigv4_verify(&request.head, &sig, bytes_of_text(secret), NULL, at_s, NULL), ST_OK);
    EXPECT_EQ(
        sigv4_verify(&request.head, &sig, bytes_of_text(secret), (uint8_t[32]){ 0 }, at_s, NULL),
        ST_CORRUPT);
    sigv4_done(&sig);
}

static const struct {
    const char *name;
    long long off_s;
    enum status header;
    enum status query; /* signed for 3600 s */
} time_rows[] = {
    { "the same second", 0, ST_OK, ST_OK },
    { "15 minutes later", 900, ST_OK, ST_OK },
    { "a second more", 901, ST_TIMEOUT, ST_OK },
    { "15 minutes early", -900, ST_OK, ST_OK },
    { "a second earlier", -901, ST_TIMEOUT, ST_TIMEOUT },
    { "at its end", 3600, ST_TIMEOUT, ST_OK },
    { "past its end", 3601, ST_TIMEOUT, ST_TIMEOUT },
};

TEST(clocks_may_differ_by_15_minutes_and_both_times_are_named)
{
    for (size_t i = 0; i < ARRAY_LEN(time_rows); i++) {
        uint64_t now_s = (uint64_t)((long long)at_s + time_rows[i].off_s);
        struct err err = { 0 };
        char now[17];

        test_case = time_rows[i].name;
        sigv4_timestamp(now_s, now);
        EXPECT_EQ(verify_text(suite_rows[0].header, now_s, secret, &err), time_rows[i].header);
        if (time_rows[i].header == ST_TIMEOUT)
            EXPECT(strstr(err.text, now) != NULL && strstr(err.text, "20150830T123600Z") != NULL);
        EXPECT_EQ(verify_text(suite_rows[0].query, now_s, secret, &err), time_rows[i].query);
    }
}

#define SIGNATURE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SCOPE     "AKID/20150830/us-east-1/lambda/aws4_request"
#define V4(rest)                                                                                   \
    "GET / HTTP/1.1\nHost:h\nX-Amz-Date:20150830T123600Z\nAuthorization:AWS4-HMAC-SHA256 " rest    \
    "\n\n"
#define Q4(rest) "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256" rest " HTTP/1.1\nHost:h\n\n"
#define Q4_S3(expires)                                                                             \
    Q4("&X-Amz-Credential=AKID/20150830/r/s3/aws4_request&X-Amz-Date=20150830T123600Z"             \
       "&X-Amz-SignedHeaders=host&X-Amz-Signature=" SIGNATURE expires)

static const struct {
    const char *name;
    const char *text;
    enum status want;
    const char *says;
} malformed_rows[] = {
    // clang-format off
    { "no signature", "GET / HTTP/1.1\nHost:h\n\n", ST_NOT_FOUND, "Missing Authentication Token" },
    { "version 2", "GET / HTTP/1.1\nHost:h\nAuthorization:AWS ak:sig\n\n", ST_NOT_FOUND, "Missing" },
    { "another algorithm", "GET / HTTP/1.1\nHost:h\nAuthorization:AWS4-HMAC-SHA512 x\n\n", ST_NOT_FOUND, "Missing" },
    { "well formed", V4("Credential=" SCOPE ", SignedHeaders=host, Signature=" SIGNATURE), ST_OK, "" },
    { "without blanks", V4("Credential=" SCOPE ",SignedHeaders=host,Signature=" SIGNATURE), ST_OK, "" },
    { "in another order", V4("Signature=" SIGNATURE ",  SignedHeaders=host,Credential=" SCOPE " "), ST_OK, "" },
    { "no credential", V4("SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "'Credential'" },
    { "no names", V4("Credential=" SCOPE ", Signature=" SIGNATURE), ST_BAD_INPUT, "'SignedHeaders'" },
    { "no value", V4("Credential=" SCOPE ", SignedHeaders=host"), ST_BAD_INPUT, "'Signature'" },
    { "short signature", V4("Credential=" SCOPE ", SignedHeaders=host, Signature=0123"), ST_BAD_INPUT, "64 hex" },
    { "not hexadecimal", V4("Credential=" SCOPE ", SignedHeaders=host, Signature=x" SIGNATURE), ST_BAD_INPUT, "64 hex" },
    { "another day", V4("Credential=AKID/20150831/r/lambda/aws4_request, SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "does not match YYYYMMDD" },
    { "no terminator", V4("Credential=AKID/20150830/r/lambda, SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "aws4_request" },
    { "no region", V4("Credential=AKID/20150830//lambda/aws4_request, SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "region" },
    { "no key", V4("Credential=/20150830/r/lambda/aws4_request, SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "access key" },
    { "too few parts", V4("Credential=a, SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "Credential should" },
    { "a key with a slash", V4("Credential=a/b/20150830/r/lambda/aws4_request, SignedHeaders=host, Signature=" SIGNATURE), ST_OK, "" },
    { "s3 without a digest", V4("Credential=AKID/20150830/r/s3/aws4_request, SignedHeaders=host, Signature=" SIGNATURE), ST_BAD_INPUT, "x-amz-content-sha256" },
    { "no date", "GET / HTTP/1.1\nHost:h\nAuthorization:AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host, Signature=" SIGNATURE "\n\n", ST_BAD_INPUT, "'X-Amz-Date'" },
    { "a date of HTTP", "GET / HTTP/1.1\nHost:h\nDate:Sun, 30 Aug 2015 12:36:00 GMT\nAuthorization:AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host;date, Signature=" SIGNATURE "\n\n", ST_OK, "" },
    { "a wrong date", "GET / HTTP/1.1\nHost:h\nX-Amz-Date:2015-08-30\nAuthorization:AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host, Signature=" SIGNATURE "\n\n", ST_BAD_INPUT, "ISO-8601" },
    { "signed twice", "GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256 HTTP/1.1\nHost:h\nAuthorization:AWS4-HMAC-SHA256 x\n\n", ST_BAD_INPUT, "Only one" },
    { "presigned", Q4_S3("&X-Amz-Expires=604800"), ST_OK, "" },
    { "for too long", Q4_S3("&X-Amz-Expires=604801"), ST_BAD_INPUT, "less than a week" },
    { "for far too long", Q4_S3("&X-Amz-Expires=99999999999999999999"), ST_BAD_INPUT, "less than a week" },
    { "for no time", Q4_S3("&X-Amz-Expires=0"), ST_BAD_INPUT, "above zero" },
    { "for a negative time", Q4_S3("&X-Amz-Expires=-1"), ST_BAD_INPUT, "should be a number" },
    { "without an end", Q4_S3(""), ST_BAD_INPUT, "'X-Amz-Expires'" },
    { "presigned without names", Q4("&X-Amz-Credential=AKID/20150830/r/s3/aws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=1&X-Amz-Signature=" SIGNATURE), ST_BAD_INPUT, "'X-Amz-SignedHeaders'" },
    { "presigned, undecodable", Q4("&X-Amz-Credential=%zz"), ST_BAD_INPUT, "cannot be decoded" },
    // clang-format on
};

TEST(malformed_signatures_are_refused_with_their_reason)
{
    for (size_t i = 0; i < ARRAY_LEN(malformed_rows); i++) {
        struct request_text request;
        struct sigv4 sig = { 0 };
        struct err err = { 0 };

        test_case = malformed_rows[i].name;
        request_text_parse(malformed_rows[i].text, &request);
        EXPECT_EQ(sigv4_parse(&request.head, &sig, &err), malformed_rows[i].want);
        EXPECT(strstr(err.text, malformed_rows[i].says) != NULL);
        sigv4_done(&sig);
    }
}

static const struct {
    const char *text;
    enum sigv4_payload payload;
    enum status want;
} payload_rows[] = {
    { "UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED, ST_OK },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_STREAMING, ST_OK },
    { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_STREAMING_TRAILER, ST_OK },
    { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_STREAMING_UNSIGNED_TRAILER, ST_OK },
    { SIGNATURE, SIGV4_PAYLOAD_SHA256, ST_OK },
    { "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 0, ST_BAD_INPUT },
    { "unsigned-payload", 0, ST_BAD_INPUT },
    { "", 0, ST_BAD_INPUT },
    { SIGNATURE SIGNATURE, 0, ST_BAD_INPUT },
};

TEST(payload_modes_are_recognised)
{
    for (size_t i = 0; i < ARRAY_LEN(payload_rows); i++) {
        char text[1024];
        struct request_text request;
        struct sigv4 sig = { 0 };

        test_case = payload_rows[i].text;
        (void)snprintf(text, sizeof text,
                       "PUT /b/k HTTP/1.1\nHost:h\nX-Amz-Date:20150830T123600Z\n"
                       "x-amz-content-sha256:%s\nAuthorization:AWS4-HMAC-SHA256 "
                       "Credential=AKID/20150830/r/s3/aws4_request, SignedHeaders=host, "
                       "Signature=" SIGNATURE "\n\n",
                       payload_rows[i].text);
        request_text_parse(text, &request);
        EXPECT_EQ(sigv4_parse(&request.head, &sig, NULL), payload_rows[i].want);
        if (payload_rows[i].want == ST_OK)
            EXPECT_EQ(sig.payload, payload_rows[i].payload);
        sigv4_done(&sig);
    }
}

/* Add a field to a signed request, in front of the others. */
static void with_field(const char *text, const char *field, char *out, size_t bytes)
{
    int first = (int)(strchr(text, '\n') - text) + 1;

    (void)snprintf(out, bytes, "%.*s%s\n%s", first, text, field, text + first);
}

TEST(fields_that_must_be_signed_are_missed)
{
    char text[2048];
    struct err err = { 0 };

    with_field(botocore_rows[0].text, "x-amz-acl:public-read", text, sizeof text);
    EXPECT_EQ(verify_text(text, at_s, secret, &err), ST_DENIED);
    EXPECT(strstr(err.text, "not signed: x-amz-acl") != NULL);
    with_field(botocore_rows[4].text, "x-amz-acl:public-read", text, sizeof text);
    EXPECT_EQ(verify_text(text, at_s, secret, &err), ST_DENIED);
    with_field(botocore_rows[0].text, "X-Other:1", text, sizeof text);
    EXPECT_EQ(verify_text(text, at_s, secret, &err), ST_OK);
    /* A second one of a signed name joins the first. */
    with_field(botocore_rows[0].text, "x-amz-meta-a:z", text, sizeof text);
    EXPECT_EQ(verify_text(text, at_s, secret, &err), ST_DENIED);
}

TEST(what_we_sign_we_verify)
{
    struct sigv4_signer signer = { "AKIDEXAMPLE", secret, "us-east-1", "lambda", at_s };
    struct request_text request;
    struct buf authorization = { 0 };
    struct buf target = { 0 };
    struct err err = { 0 };
    uint8_t digest[SHA256_BYTES];
    struct sigv4 sig;
    struct http_field host = { bytes_of_text("Host"), bytes_of_text("127.0.0.1:4566") };
    struct http_head head = { bytes_of_text("GET"), { 0 }, &host, 1 };

    request_text_parse("POST /f%20g/../h?b=2&a=1 HTTP/1.1\nHost: "
                       "h\nX-Amz-Date:20150830T123600Z\nX-Amz-Target:t\n\n{}",
                       &request);
    hash_sha256(request.body, digest);
    EXPECT_EQ(sigv4_sign(&signer, &request.head, digest, &authorization, &err), ST_OK);
    request.fields[request.head.field_count++] =
        (struct http_field){ bytes_of_text("authorization"), buf_view(&authorization) };
    EXPECT_EQ(sigv4_parse(&request.head, &sig, &err), ST_OK);
    EXPECT_EQ(sigv4_verify(&request.head, &sig, bytes_of_text(secret), digest, at_s, &err), ST_OK);
    EXPECT(bytes_equal(sig.signed_headers, bytes_of_text("host;x-amz-date;x-amz-target")));
    sigv4_done(&sig);

    /* The same target as in botocore's presigned row gives botocore's signature. */
    signer.service = "s3";
    head.target = bytes_of_text("/bucket/a%20b%21%27%28%29~.txt?versionId=x");
    EXPECT_EQ(sigv4_presign(&signer, &head, 3600, &target, &err), ST_OK);
    EXPECT(strstr(botocore_rows[4].text, buf_text(&target)) != NULL);
    head.target = buf_view(&target);
    EXPECT_EQ(sigv4_parse(&head, &sig, &err), ST_OK);
    EXPECT_EQ(sigv4_verify(&head, &sig, bytes_of_text(secret), NULL, at_s, &err), ST_OK);
    sigv4_done(&sig);
    EXPECT_TEXT(err.text, "");

    signer.now_s++;
    EXPECT_EQ(sigv4_sign(&signer, &request.head, digest, &authorization, &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "sign: X-Amz-Date must be 20150830T123601Z");
    buf_done(&authorization);
    buf_done(&target);
}
