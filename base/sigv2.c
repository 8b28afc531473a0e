/* Version 2 signatures of S3.  Pure.
 *
 *   method \n Content-MD5 \n Content-Type \n time \n x-amz- fields \n path [?subresources]
 *
 * The time is empty when x-amz-date is among the fields, and the end of life in the query form. */
#include "base/sigv2.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/sigv4_internal.h"

/* Parameters that are part of what is asked for, in the order in which they are signed. */
static const char *const subresources[] = {
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

static bool is_amz(struct bytes name)
{
    return name.len > 6 && http_text_equal(bytes_of(name.data, 6), "x-amz-");
}

/* ---- string to sign ---- */

struct amz_field {
    struct buf name; /* lower case */
    struct bytes value;
    size_t index; /* of arrival, which sorting must keep for equal names */
};

static int amz_compare(const void *a, const void *b)
{
    struct amz_field *x = (struct amz_field *)(uintptr_t)a;
    struct amz_field *y = (struct amz_field *)(uintptr_t)b;
    int order = strcmp(buf_text(&x->name), buf_text(&y->name));

    if (order != 0)
        return order;
    return x->index < y->index ? -1 : 1;
}

static void append_amz_fields(const struct http_head *head, struct buf *out)
{
    struct amz_field *list = must_calloc(head->field_count + 1, sizeof *list);
    size_t count = 0;

    for (size_t i = 0; i < head->field_count; i++) {
        struct bytes name = head->fields[i].name;

        if (!is_amz(name))
            continue;
        list[count].value = http_trim(head->fields[i].value);
        list[count].index = i;
        for (size_t k = 0; k < name.len; k++) {
            bool upper = name.data[k] >= 'A' && name.data[k] <= 'Z';
            uint8_t lower = upper ? name.data[k] | 32 : name.data[k];

            buf_append(&list[count].name, &lower, 1);
        }
        count++;
    }
    qsort(list, count, sizeof *list, amz_compare);
    for (size_t i = 0; i < count; i++) {
        bool again = i > 0 && bytes_equal(buf_view(&list[i].name), buf_view(&list[i - 1].name));

        if (i > 0 && !again)
            buf_append_text(out, "\n");
        if (!again)
            buf_printf(out, "%s:", buf_text(&list[i].name));
        else
            buf_append_text(out, ",");
        buf_append(out, list[i].value.data, list[i].value.len);
    }
    if (count > 0)
        buf_append_text(out, "\n");
    for (size_t i = 0; i < count; i++)
        buf_done(&list[i].name);
    free(list);
}

static bool find_parameter(struct bytes query, const char *name, struct http_query *out)
{
    *out = (struct http_query){ .rest = query };
    while (http_query_next(out))
        if (bytes_equal(out->name, bytes_of_text(name)))
            return true;
    return false;
}

static void append_resource(const struct http_head *head, struct buf *out)
{
    struct bytes path = http_target_path(head->target);
    struct bytes query = http_target_query(head->target);
    const char *separator = "?";

    buf_append(out, path.data, path.len);
    for (size_t i = 0; i < ARRAY_LEN(subresources); i++) {
        struct http_query found;

        if (!find_parameter(query, subresources[i], &found))
            continue;
        buf_printf(out, "%s%s", separator, subresources[i]);
        separator = "&";
        if (!found.has_value || found.value.len == 0)
            continue;
        buf_append_text(out, "=");
        if (http_percent_decode(found.value, false, out) != ST_OK)
            buf_append(out, found.value.data, found.value.len);
    }
}

static void append_field(const struct http_head *head, const char *name, struct buf *out)
{
    struct bytes value;

    if (http_head_find(head, name, &value)) {
        value = http_trim(value);
        buf_append(out, value.data, value.len);
    }
    buf_append_text(out, "\n");
}

void sigv2_string_to_sign(const struct http_head *head, const struct sigv2 *sig, struct buf *out)
{
    struct bytes date;

    buf_append(out, head->method.data, head->method.len);
    buf_append_text(out, "\n");
    append_field(head, "content-md5", out);
    append_field(head, "content-type", out);
    if (sig->presigned)
        buf_printf(out, "%llu\n", (unsigned long long)sig->expires_at_s);
    else if (http_head_find(head, "x-amz-date", &date))
        buf_append_text(out, "\n");
    else
        append_field(head, "date", out);
    append_amz_fields(head, out);
    append_resource(head, out);
}

static void sign_text(const struct http_head *head,
                      const struct sigv2 *sig,
                      struct bytes secret,
                      uint8_t out[SHA1_BYTES])
{
    struct buf text = { 0 };

    sigv2_string_to_sign(head, sig, &text);
    hash_hmac_sha1(secret, buf_view(&text), out);
    buf_done(&text);
}

/* ---- reading ---- */

static enum status parse_key(struct bytes key, struct sigv2 *out, struct err *err)
{
    if (key.len == 0 || key.len > SIGV4_ACCESS_KEY_BYTES_MAX ||
        memchr(key.data, '\0', key.len) != NULL)
        return err_set(err, ST_BAD_INPUT, "The AWS access key id is malformed.");
    memcpy(out->access_key_id, key.data, key.len);
    out->access_key_id[key.len] = '\0';
    return ST_OK;
}

static enum status parse_signature(struct bytes text, struct sigv2 *out, struct err *err)
{
    struct buf decoded = { 0 };
    enum status st = ST_OK;

    if (base64_decode(text, &decoded) != ST_OK || decoded.len != SHA1_BYTES)
        st = err_set(err, ST_BAD_INPUT, "The signature is not base64 of 20 bytes.");
    else
        memcpy(out->signature, decoded.data, SHA1_BYTES);
    buf_done(&decoded);
    return st;
}

static enum status parse_date(const struct http_head *head, struct sigv2 *out, struct err *err)
{
    struct bytes text;

    if (!http_head_find(head, "x-amz-date", &text) && !http_head_find(head, "date", &text))
        return err_set(err, ST_BAD_INPUT,
                       "AWS authentication requires a valid Date or x-amz-date header");
    text = http_trim(text);
    if (http_date_parse(text, &out->signed_at_s) || sigv4_timestamp_parse(text, &out->signed_at_s))
        return ST_OK;
    return err_set(err, ST_BAD_INPUT,
                   "AWS authentication requires a valid Date or x-amz-date header, not '%.*s'",
                   (int)(text.len > 40 ? 40 : text.len), (const char *)text.data);
}

static enum status parse_header_form(const struct http_head *head,
                                     struct bytes text,
                                     struct sigv2 *out,
                                     struct err *err)
{
    const uint8_t *colon = memrchr(text.data, ':', text.len);
    size_t key_len = colon == NULL ? 0 : (size_t)(colon - text.data);
    enum status st;

    if (colon == NULL)
        return err_set(err, ST_BAD_INPUT,
                       "Authorization header is invalid: want 'AWS access_key_id:signature'");
    st = parse_key(bytes_of(text.data, key_len), out, err);
    if (st == ST_OK)
        st = parse_signature(bytes_of(colon + 1, text.len - key_len - 1), out, err);
    if (st == ST_OK)
        st = parse_date(head, out, err);
    return st;
}

static enum status parse_expires(struct bytes text, struct sigv2 *out, struct err *err)
{
    uint64_t s = 0;

    if (text.len == 0 || text.len > 12)
        return err_set(err, ST_BAD_INPUT, "Expires is not a time in seconds");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return err_set(err, ST_BAD_INPUT, "Expires is not a time in seconds");
        s = s * 10 + (uint64_t)(text.data[i] - '0');
    }
    out->expires_at_s = s;
    return ST_OK;
}

static enum status parse_query_form(struct bytes query, struct sigv2 *out, struct err *err)
{
    static const char *const names[] = { "AWSAccessKeyId", "Signature", "Expires" };
    enum status st = ST_OK;

    out->presigned = true;
    for (size_t i = 0; i < ARRAY_LEN(names) && st == ST_OK; i++) {
        struct buf value = { 0 };
        struct http_query found;

        /* Not as a form: a '+' that was not encoded is a digit of base64, not a blank. */
        if (!find_parameter(query, names[i], &found) ||
            http_percent_decode(found.value, false, &value) != ST_OK)
            st = err_set(err, ST_BAD_INPUT,
                         "Query-string authentication requires the Signature, Expires and "
                         "AWSAccessKeyId parameters");
        else if (i == 0)
            st = parse_key(buf_view(&value), out, err);
        else if (i == 1)
            st = parse_signature(buf_view(&value), out, err);
        else
            st = parse_expires(buf_view(&value), out, err);
        buf_done(&value);
    }
    return st;
}

enum status sigv2_parse(const struct http_head *head, struct sigv2 *out, struct err *err)
{
    struct bytes query = http_target_query(head->target);
    struct sigv2 sig = { 0 };
    struct http_query found;
    struct bytes text = { 0 };
    bool header = http_head_find(head, "authorization", &text) && text.len > 4 &&
                  memcmp(text.data, "AWS ", 4) == 0;
    bool presigned = find_parameter(query, "AWSAccessKeyId", &found);
    enum status st;

    if (!header && !presigned)
        return err_set(err, ST_NOT_FOUND, "Missing Authentication Token");
    if (header && presigned)
        return err_set(err, ST_BAD_INPUT, "Only one auth mechanism allowed");
    if (header)
        st = parse_header_form(head, http_trim(bytes_of(text.data + 4, text.len - 4)), &sig, err);
    else
        st = parse_query_form(query, &sig, err);
    if (st == ST_OK)
        *out = sig;
    return st;
}

/* ---- verifying ---- */

static enum status check_time(const struct sigv2 *sig, uint64_t now_s, struct err *err)
{
    uint64_t then_s = sig->presigned ? sig->expires_at_s : sig->signed_at_s;
    char then[HTTP_DATE_BYTES];
    char now[HTTP_DATE_BYTES];

    if (sig->presigned && now_s <= sig->expires_at_s)
        return ST_OK;
    if (!sig->presigned && now_s <= then_s + CLOCK_SKEW_S_MAX && then_s <= now_s + CLOCK_SKEW_S_MAX)
        return ST_OK;
    http_date_format(then_s, then);
    http_date_format(now_s, now);
    if (sig->presigned)
        return err_set(err, ST_TIMEOUT, "Request has expired: at %s, and now it is %s", then, now);
    return err_set(err, ST_TIMEOUT,
                   "The difference between the request time and the current time is too large: "
                   "signed at %s, here it is %s",
                   then, now);
}

enum status sigv2_verify(const struct http_head *head,
                         const struct sigv2 *sig,
                         struct bytes secret,
                         uint64_t now_s,
                         struct err *err)
{
    uint8_t want[SHA1_BYTES];
    enum status st = check_time(sig, now_s, err);

    if (st != ST_OK)
        return st;
    sign_text(head, sig, secret, want);
    if (bytes_equal_secret(bytes_of(want, sizeof want), bytes_of(sig->signature, sizeof want)))
        return ST_OK;
    return err_set(err, ST_DENIED,
                   "The request signature we calculated does not match the signature you provided. "
                   "Check your key and signing method.");
}

void sigv2_sign(const struct http_head *head,
                const char *access_key_id,
                const char *secret,
                struct buf *out)
{
    struct sigv2 sig = { 0 };

    sign_text(head, &sig, bytes_of_text(secret), sig.signature);
    buf_printf(out, "AWS %s:", access_key_id);
    base64_encode(bytes_of(sig.signature, sizeof sig.signature), out);
}
