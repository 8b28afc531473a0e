/* Reading and verifying version 4 signatures.  Pure. */
#include "base/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/sigv4_internal.h"

static const char algorithm[] = "AWS4-HMAC-SHA256";

enum { EXPIRES_S_DEFAULT = 900 }; /* of services other than S3, which insists on one */

/* ---- time ---- */

static int two_digits(const uint8_t *at)
{
    return (at[0] - '0') * 10 + at[1] - '0';
}

bool sigv4_timestamp_parse(struct bytes text, uint64_t *out_s)
{
    struct tm parts = { 0 };
    time_t s;

    if (text.len != 16 || text.data[8] != 'T' || text.data[15] != 'Z')
        return false;
    for (size_t i = 0; i < 15; i++)
        if (i != 8 && (text.data[i] < '0' || text.data[i] > '9'))
            return false;
    parts.tm_year = two_digits(text.data) * 100 + two_digits(text.data + 2);
    parts.tm_mon = two_digits(text.data + 4);
    parts.tm_mday = two_digits(text.data + 6);
    parts.tm_hour = two_digits(text.data + 9);
    parts.tm_min = two_digits(text.data + 11);
    parts.tm_sec = two_digits(text.data + 13);
    if (parts.tm_year < 1970 || parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 ||
        parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60)
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    s = timegm(&parts);
    *out_s = (uint64_t)s;
    return true;
}

void sigv4_timestamp(uint64_t now_s, char out[17])
{
    time_t time = (time_t)now_s;
    struct tm parts;

    CHECK(gmtime_r(&time, &parts) != NULL);
    CHECK(strftime(out, 17, "%Y%m%dT%H%M%SZ", &parts) == 16);
}

/* From X-Amz-Date, or else from Date in either form. */
static enum status parse_time_of_fields(const struct http_head *head,
                                        struct sigv4 *out,
                                        struct err *err)
{
    struct bytes text;

    if (!http_head_find(head, "x-amz-date", &text) && !http_head_find(head, "date", &text))
        return err_set(
            err, ST_BAD_INPUT,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
            "header.");
    if (!sigv4_timestamp_parse(text, &out->signed_at_s) &&
        !http_date_parse(text, &out->signed_at_s))
        return err_set(err, ST_BAD_INPUT, "Date must be in ISO-8601 'basic format'. Got '%.*s'.",
                       (int)(text.len > 40 ? 40 : text.len), (const char *)text.data);
    sigv4_timestamp(out->signed_at_s, out->timestamp);
    return ST_OK;
}

/* ---- parts ---- */

static enum status parse_scope_part(struct bytes *rest,
                                    const char *what,
                                    char *out,
                                    struct err *err)
{
    size_t at = rest->len;
    size_t len;

    while (at > 0 && rest->data[at - 1] != '/')
        at--;
    len = rest->len - at;
    if (at == 0 || len == 0 || len > SIGV4_SCOPE_BYTES_MAX ||
        memchr(rest->data + at, '\0', len) != NULL)
        return err_set(err, ST_BAD_INPUT, "Credential should be scoped to a valid %s.", what);
    memcpy(out, rest->data + at, len);
    out[len] = '\0';
    rest->len = at - 1;
    return ST_OK;
}

/* KEY/20150830/us-east-1/service/aws4_request, read from the end: a key may hold slashes. */
static enum status parse_credential(struct bytes text,
                                    struct sigv4 *out,
                                    char *date,
                                    struct err *err)
{
    char terminator[SIGV4_SCOPE_BYTES_MAX + 1];
    enum status st = parse_scope_part(&text, "terminator 'aws4_request'", terminator, err);

    if (st == ST_OK && strcmp(terminator, "aws4_request") != 0)
        st = err_set(
            err, ST_BAD_INPUT,
            "Credential should be scoped with a valid terminator: 'aws4_request', not '%s'.",
            terminator);
    if (st == ST_OK)
        st = parse_scope_part(&text, "service", out->service, err);
    if (st == ST_OK)
        st = parse_scope_part(&text, "region", out->region, err);
    if (st == ST_OK)
        st = parse_scope_part(&text, "date", date, err);
    if (st != ST_OK)
        return st;
    if (text.len == 0 || text.len > SIGV4_ACCESS_KEY_BYTES_MAX ||
        memchr(text.data, '\0', text.len) != NULL)
        return err_set(err, ST_BAD_INPUT, "Credential has no valid access key id.");
    memcpy(out->access_key_id, text.data, text.len);
    out->access_key_id[text.len] = '\0';
    return ST_OK;
}

static enum status parse_signature(struct bytes text, struct sigv4 *out, struct err *err)
{
    char hex[SHA256_HEX_BYTES] = "";

    if (text.len == SHA256_HEX_BYTES - 1)
        memcpy(hex, text.data, text.len);
    if (!hex_decode(hex, out->signature, SHA256_BYTES))
        return err_set(err, ST_BAD_INPUT, "Signature must be 64 hexadecimal digits.");
    return ST_OK;
}

static enum status check_date(const struct sigv4 *sig, const char *date, struct err *err)
{
    if (strncmp(sig->timestamp, date, 8) == 0 && strlen(date) == 8)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT,
                   "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date "
                   "from HTTP: '%.20s' != '%.8s', from '%s'.",
                   date, sig->timestamp, sig->timestamp);
}

/* ---- payload ---- */

static bool parse_payload(struct bytes text, struct sigv4 *out)
{
    static const struct {
        const char *text;
        enum sigv4_payload payload;
    } words[] = {
        { "UNSIGNED-PAYLOAD", SIGV4_PAYLOAD_UNSIGNED },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SIGV4_PAYLOAD_STREAMING },
        { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SIGV4_PAYLOAD_STREAMING_TRAILER },
        { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", SIGV4_PAYLOAD_STREAMING_UNSIGNED_TRAILER },
    };

    if (text.len >= sizeof out->payload_text)
        return false;
    memcpy(out->payload_text, text.data, text.len);
    out->payload_text[text.len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(out->payload_text, words[i].text) == 0) {
            out->payload = words[i].payload;
            return true;
        }
    }
    out->payload = SIGV4_PAYLOAD_SHA256;
    return hex_decode(out->payload_text, out->payload_sha256, SHA256_BYTES);
}

static enum status find_payload(const struct http_head *head, struct sigv4 *out, struct err *err)
{
    bool s3 = strcmp(out->service, "s3") == 0;
    struct bytes text;

    if (http_head_find(head, "x-amz-content-sha256", &text)) {
        if (parse_payload(text, out))
            return ST_OK;
        if (s3)
            return err_set(
                err, ST_BAD_INPUT,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.");
    } else if (s3 && !out->presigned) {
        return err_set(err, ST_BAD_INPUT,
                       "Missing required header for this request: x-amz-content-sha256");
    }
    out->payload = s3 ? SIGV4_PAYLOAD_UNSIGNED : SIGV4_PAYLOAD_BODY;
    (void)snprintf(out->payload_text, sizeof out->payload_text, "%s", s3 ? "UNSIGNED-PAYLOAD" : "");
    return ST_OK;
}

/* ---- header form ---- */

struct authorization {
    struct bytes credential;
    struct bytes signed_headers;
    struct bytes signature;
};

static void take_part(struct bytes part, const char *name, struct bytes *out)
{
    size_t len = strlen(name);

    if (part.len > len && memcmp(part.data, name, len) == 0)
        *out = bytes_of(part.data + len, part.len - len);
}

/* "Credential=..., SignedHeaders=..., Signature=..." in any order, blanks or none. */
static enum status split_authorization(struct bytes text,
                                       struct authorization *out,
                                       struct err *err)
{
    while (text.len > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.len);
        size_t len = comma == NULL ? text.len : (size_t)(comma - text.data);
        struct bytes part = http_trim(bytes_of(text.data, len));

        take_part(part, "Credential=", &out->credential);
        take_part(part, "SignedHeaders=", &out->signed_headers);
        take_part(part, "Signature=", &out->signature);
        text = comma == NULL ? (struct bytes){ 0 } : bytes_of(comma + 1, text.len - len - 1);
    }
    if (out->credential.len == 0)
        return err_set(err, ST_BAD_INPUT, "Authorization header requires 'Credential' parameter.");
    if (out->signature.len == 0)
        return err_set(err, ST_BAD_INPUT, "Authorization header requires 'Signature' parameter.");
    if (out->signed_headers.len == 0)
        return err_set(err, ST_BAD_INPUT,
                       "Authorization header requires 'SignedHeaders' parameter.");
    return ST_OK;
}

static enum status parse_header_form(const struct http_head *head,
                                     struct bytes text,
                                     struct sigv4 *out,
                                     struct err *err)
{
    struct authorization parts = { 0 };
    char date[SIGV4_SCOPE_BYTES_MAX + 1];
    enum status st = split_authorization(text, &parts, err);

    if (st == ST_OK)
        st = parse_credential(parts.credential, out, date, err);
    if (st == ST_OK)
        st = parse_signature(parts.signature, out, err);
    if (st == ST_OK)
        st = parse_time_of_fields(head, out, err);
    if (st == ST_OK)
        st = check_date(out, date, err);
    if (st != ST_OK)
        return st;
    out->signed_headers = parts.signed_headers;
    (void)http_head_find(head, "x-amz-security-token", &out->security_token);
    return find_payload(head, out, err);
}

/* ---- query form ---- */

/* Where a decoded parameter lies in out->decoded; buffers move while they grow. */
struct piece {
    size_t at;
    size_t len;
};

static enum status take_parameter(
    struct bytes query, const char *name, struct sigv4 *out, struct piece *piece, struct err *err)
{
    enum status st;

    piece->at = out->decoded.len;
    st = http_query_find(query, name, &out->decoded);
    piece->len = out->decoded.len - piece->at;
    if (st == ST_NOT_FOUND)
        return err_set(err, ST_NOT_FOUND, "AWS query-string parameters must include '%s'.", name);
    if (st != ST_OK)
        return err_set(err, ST_BAD_INPUT, "%s cannot be decoded.", name);
    return ST_OK;
}

static struct bytes piece_view(const struct sigv4 *sig, struct piece piece)
{
    return bytes_of(sig->decoded.data + piece.at, piece.len);
}

static enum status parse_expires(struct bytes text, struct sigv4 *out, struct err *err)
{
    uint32_t s = 0;

    for (size_t i = 0; i < text.len && s <= SIGV4_EXPIRES_S_MAX; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return err_set(err, ST_BAD_INPUT, "X-Amz-Expires should be a number");
        s = s * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (s > SIGV4_EXPIRES_S_MAX)
        return err_set(err, ST_BAD_INPUT,
                       "X-Amz-Expires must be less than a week (in seconds); that is, the given "
                       "X-Amz-Expires must be less than 604800 seconds");
    if (s == 0)
        return err_set(err, ST_BAD_INPUT, "X-Amz-Expires should be a number above zero");
    out->expires_s = s;
    return ST_OK;
}

static enum status parse_lifetime(struct bytes query, struct sigv4 *out, struct err *err)
{
    struct piece piece;
    enum status st = take_parameter(query, "X-Amz-Expires", out, &piece, err);

    if (st == ST_NOT_FOUND && strcmp(out->service, "s3") != 0) {
        out->expires_s = EXPIRES_S_DEFAULT;
        return ST_OK;
    }
    if (st != ST_OK)
        return ST_BAD_INPUT;
    return parse_expires(piece_view(out, piece), out, err);
}

static enum status parse_query_form(const struct http_head *head,
                                    struct bytes query,
                                    struct sigv4 *out,
                                    struct err *err)
{
    struct piece credential, signature, date, names;
    struct piece token = { 0 };
    char scope_date[SIGV4_SCOPE_BYTES_MAX + 1];
    enum status st = take_parameter(query, "X-Amz-Credential", out, &credential, err);

    out->presigned = true;
    if (st == ST_OK)
        st = take_parameter(query, "X-Amz-Signature", out, &signature, err);
    if (st == ST_OK)
        st = take_parameter(query, "X-Amz-Date", out, &date, err);
    if (st == ST_OK)
        st = take_parameter(query, "X-Amz-SignedHeaders", out, &names, err);
    if (st != ST_OK)
        return ST_BAD_INPUT;
    st = parse_credential(piece_view(out, credential), out, scope_date, err);
    if (st == ST_OK)
        st = parse_signature(piece_view(out, signature), out, err);
    if (st == ST_OK && !sigv4_timestamp_parse(piece_view(out, date), &out->signed_at_s))
        st = err_set(err, ST_BAD_INPUT,
                     "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    if (st != ST_OK)
        return st;
    sigv4_timestamp(out->signed_at_s, out->timestamp);
    st = check_date(out, scope_date, err);
    if (st == ST_OK)
        st = parse_lifetime(query, out, err);
    if (st != ST_OK)
        return st;
    if (take_parameter(query, "X-Amz-Security-Token", out, &token, NULL) == ST_OK)
        out->security_token =
            piece_view(out, token); /* the last to be decoded: nothing moves now */
    out->signed_headers = piece_view(out, names);
    if (out->signed_headers.len == 0)
        return err_set(err, ST_BAD_INPUT, "X-Amz-SignedHeaders must name the host.");
    return find_payload(head, out, err);
}

/* ---- both ---- */

static bool asks_query_form(struct bytes query)
{
    struct buf value = { 0 };
    bool found = http_query_find(query, "X-Amz-Algorithm", &value) == ST_OK &&
                 bytes_equal(buf_view(&value), bytes_of_text(algorithm));

    buf_done(&value);
    return found;
}

static bool asks_header_form(const struct http_head *head, struct bytes *out_rest)
{
    size_t len = sizeof algorithm - 1;
    struct bytes text;

    if (!http_head_find(head, "authorization", &text) || text.len <= len)
        return false;
    if (memcmp(text.data, algorithm, len) != 0 || (text.data[len] != ' ' && text.data[len] != ','))
        return false;
    *out_rest = bytes_of(text.data + len + 1, text.len - len - 1);
    return true;
}

static unsigned authorization_count(const struct http_head *head)
{
    unsigned count = 0;

    for (size_t i = 0; i < head->field_count; i++)
        count += http_text_equal(head->fields[i].name, "authorization");
    return count;
}

enum status sigv4_parse(const struct http_head *head, struct sigv4 *out, struct err *err)
{
    struct bytes query = http_target_query(head->target);
    struct sigv4 sig = { 0 };
    struct bytes rest = { 0 };
    bool header = asks_header_form(head, &rest);
    bool presigned = asks_query_form(query);
    enum status st;

    if (!header && !presigned)
        return err_set(err, ST_NOT_FOUND, "Missing Authentication Token");
    if (authorization_count(head) + presigned > 1)
        return err_set(err, ST_BAD_INPUT, "Only one auth mechanism allowed");
    st = header ? parse_header_form(head, rest, &sig, err)
                : parse_query_form(head, query, &sig, err);
    if (st != ST_OK) {
        sigv4_done(&sig);
        return st;
    }
    *out = sig;
    return ST_OK;
}

void sigv4_done(struct sigv4 *sig)
{
    buf_done(&sig->decoded);
}

static enum status check_time(const struct sigv4 *sig, uint64_t now_s, struct err *err)
{
    char now[17];
    char end[17];

    sigv4_timestamp(now_s, now);
    if (sig->signed_at_s > now_s + CLOCK_SKEW_S_MAX)
        return err_set(err, ST_TIMEOUT,
                       "Signature not yet current: the request was signed at %s but here it is %s, "
                       "more than 15 minutes before: is a clock wrong?",
                       sig->timestamp, now);
    if (sig->presigned) {
        sigv4_timestamp(sig->signed_at_s + sig->expires_s, end);
        if (now_s <= sig->signed_at_s + sig->expires_s)
            return ST_OK;
        return err_set(err, ST_TIMEOUT, "Request has expired: at %s, and now it is %s", end, now);
    }
    if (now_s <= sig->signed_at_s + CLOCK_SKEW_S_MAX)
        return ST_OK;
    return err_set(
        err, ST_TIMEOUT,
        "Signature expired: the request was signed at %s but here it is %s, more than 15 "
        "minutes later: is a clock wrong?",
        sig->timestamp, now);
}

static bool is_signed(const struct sigv4 *sig, struct bytes field_name)
{
    struct bytes rest = sig->signed_headers;
    struct bytes name;

    while (sigv4_next_name(&rest, &name))
        if (sigv4_name_is(field_name, name))
            return true;
    return false;
}

/* The host must be signed, and for S3 every x-amz- field: else somebody between could add one, an
 * ACL or a copy source, to a request that another person signed. */
static enum status check_signed_fields(const struct http_head *head,
                                       const struct sigv4 *sig,
                                       struct err *err)
{
    bool s3 = strcmp(sig->service, "s3") == 0;

    if (!is_signed(sig, bytes_of_text("host")))
        return err_set(err, ST_DENIED, "'Host' must be a 'SignedHeader' in the AWS Authorization.");
    for (size_t i = 0; s3 && i < head->field_count; i++) {
        struct bytes name = head->fields[i].name;

        if (name.len > 6 && http_text_equal(bytes_of(name.data, 6), "x-amz-") &&
            !is_signed(sig, name) &&
            !(sig->presigned && http_text_equal(name, "x-amz-content-sha256")))
            return err_set(err, ST_DENIED,
                           "There were headers present in the request which were not signed: %.*s",
                           (int)(name.len > 60 ? 60 : name.len), (const char *)name.data);
    }
    return ST_OK;
}

enum status sigv4_verify_with_key(const struct http_head *head,
                                  const struct sigv4 *sig,
                                  const uint8_t key[SHA256_BYTES],
                                  const uint8_t *body_sha256,
                                  uint64_t now_s,
                                  struct err *err)
{
    uint8_t want[SHA256_BYTES];
    enum status st = check_time(sig, now_s, err);

    CHECK(sig->payload != SIGV4_PAYLOAD_BODY || body_sha256 != NULL);
    if (st == ST_OK)
        st = check_signed_fields(head, sig, err);
    if (st != ST_OK)
        return st;
    sigv4_signature(head, sig, key, body_sha256, want);
    if (!bytes_equal_secret(bytes_of(want, sizeof want), bytes_of(sig->signature, sizeof want)))
        return err_set(err, ST_DENIED,
                       "The request signature we calculated does not match the signature you "
                       "provided. Check your AWS Secret Access Key and signing method. Consult the "
                       "service documentation for details.");
    if (sig->payload == SIGV4_PAYLOAD_SHA256 && body_sha256 != NULL &&
        memcmp(body_sha256, sig->payload_sha256, SHA256_BYTES) != 0)
        return err_set(
            err, ST_CORRUPT,
            "The provided 'x-amz-content-sha256' header does not match what was computed.");
    return ST_OK;
}

enum status sigv4_verify(const struct http_head *head,
                         const struct sigv4 *sig,
                         struct bytes secret,
                         const uint8_t *body_sha256,
                         uint64_t now_s,
                         struct err *err)
{
    uint8_t key[SHA256_BYTES];

    sigv4_signing_key(secret, sig->timestamp, sig->region, sig->service, key);
    return sigv4_verify_with_key(head, sig, key, body_sha256, now_s, err);
}
