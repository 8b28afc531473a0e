/* The canonical form of a request and what is made of it.  Pure.
 *
 *   canonical request   method \n path \n query \n fields \n signed names \n digest of the body
 *   string to sign      algorithm \n time \n scope \n SHA-256 of the canonical request
 *   signing key         HMAC of secret, day, region, service, "aws4_request", one into the next */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/sigv4.h"
#include "base/sigv4_internal.h"

/* ---- path ---- */

/* Without empty and "." segments, ".." taking back the one before.  A slash at the end stays. */
static void normalise(struct bytes path, struct buf *out)
{
    size_t at = 0;

    out->len = 0;
    buf_append_text(out, "/");
    while (at < path.len) {
        const uint8_t *slash = memchr(path.data + at, '/', path.len - at);
        size_t end = slash == NULL ? path.len : (size_t)(slash - path.data);
        struct bytes segment = bytes_of(path.data + at, end - at);

        at = slash == NULL ? path.len : end + 1;
        if (segment.len == 0 || bytes_equal(segment, bytes_of_text(".")))
            continue;
        if (!bytes_equal(segment, bytes_of_text(".."))) {
            buf_append(out, segment.data, segment.len);
            if (slash != NULL)
                buf_append_text(out, "/");
            continue;
        }
        if (out->len > 1)
            out->len--; /* the slash that ends what is taken back */
        while (out->data[out->len - 1] != '/')
            out->len--;
    }
}

static void canonical_path(const struct sigv4 *sig, struct bytes path, struct buf *out)
{
    struct buf plain = { 0 };

    if (path.len == 0)
        path = bytes_of_text("/");
    if (strcmp(sig->service, "s3") == 0) {
        /* Clients differ in what they leave unencoded; decoded and encoded again all are alike. */
        if (http_percent_decode(path, false, &plain) == ST_OK)
            path = buf_view(&plain);
    } else {
        normalise(path, &plain);
        path = buf_view(&plain);
    }
    http_percent_encode(path, true, out);
    buf_done(&plain);
}

/* ---- query ---- */

struct parameter {
    size_t name_at; /* into the buffer of encoded texts */
    size_t name_len;
    size_t value_at;
    size_t value_len;
};

struct parameters {
    struct buf text;
    struct parameter *list;
    size_t count;
};

static int text_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

    if (order != 0)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static int parameter_compare(const void *a, const void *b, void *context)
{
    const struct parameter *x = a;
    const struct parameter *y = b;
    const uint8_t *text = context;
    int order = text_compare(text + x->name_at, x->name_len, text + y->name_at, y->name_len);

    if (order != 0)
        return order;
    return text_compare(text + x->value_at, x->value_len, text + y->value_at, y->value_len);
}

/* Decoded and encoded again, as for the path; what cannot be decoded is taken literally, and then
 * matches no signature that a client would make. */
static void recode(struct bytes in, struct buf *out)
{
    struct buf plain = { 0 };

    if (http_percent_decode(in, true, &plain) == ST_OK)
        in = buf_view(&plain);
    http_percent_encode(in, false, out);
    buf_done(&plain);
}

static void collect_parameters(const struct sigv4 *sig, struct bytes query, struct parameters *out)
{
    struct http_query at = { .rest = query };
    size_t room = 1;

    for (size_t i = 0; i < query.len; i++)
        room += query.data[i] == '&';
    out->list = must_calloc(room, sizeof *out->list);
    while (http_query_next(&at)) {
        struct parameter *parameter = &out->list[out->count];

        parameter->name_at = out->text.len;
        recode(at.name, &out->text);
        parameter->name_len = out->text.len - parameter->name_at;
        if (sig->presigned &&
            bytes_equal(bytes_of(out->text.data + parameter->name_at, parameter->name_len),
                        bytes_of_text("X-Amz-Signature")))
            continue;
        parameter->value_at = out->text.len;
        recode(at.value, &out->text);
        parameter->value_len = out->text.len - parameter->value_at;
        out->count++;
    }
}

static void canonical_query(const struct sigv4 *sig, struct bytes query, struct buf *out)
{
    struct parameters parameters = { 0 };

    if (query.len == 0)
        return;
    collect_parameters(sig, query, &parameters);
    qsort_r(parameters.list, parameters.count, sizeof *parameters.list, parameter_compare,
            parameters.text.data);
    for (size_t i = 0; i < parameters.count; i++) {
        const struct parameter *parameter = &parameters.list[i];

        if (i > 0)
            buf_append_text(out, "&");
        buf_append(out, parameters.text.data + parameter->name_at, parameter->name_len);
        buf_append_text(out, "=");
        buf_append(out, parameters.text.data + parameter->value_at, parameter->value_len);
    }
    free(parameters.list);
    buf_done(&parameters.text);
}

/* ---- fields ---- */

bool sigv4_next_name(struct bytes *rest, struct bytes *out_name)
{
    const uint8_t *end;

    if (rest->len == 0)
        return false;
    end = memchr(rest->data, ';', rest->len);
    if (end == NULL) {
        *out_name = *rest;
        *rest = (struct bytes){ 0 };
        return true;
    }
    *out_name = bytes_of(rest->data, (size_t)(end - rest->data));
    *rest = bytes_of(end + 1, rest->len - out_name->len - 1);
    return true;
}

bool sigv4_name_is(struct bytes field_name, struct bytes lower_name)
{
    if (field_name.len != lower_name.len)
        return false;
    for (size_t i = 0; i < field_name.len; i++) {
        uint8_t c = field_name.data[i];

        if (c >= 'A' && c <= 'Z')
            c |= 32;
        if (c != lower_name.data[i])
            return false;
    }
    return true;
}

/* Without blanks at the ends, and with one for several inside. */
static void append_value(struct bytes value, struct buf *out)
{
    uint8_t *to = buf_reserve(out, value.len);
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        bool blank = value.data[i] == ' ' || value.data[i] == '\t';

        if (blank && (len == 0 || to[len - 1] == ' '))
            continue;
        to[len++] = blank ? ' ' : value.data[i];
    }
    if (len > 0 && to[len - 1] == ' ')
        len--;
    out->len += len;
}

/* All fields of one name become one, in the order in which they came. */
static void append_field(const struct http_head *head, struct bytes name, struct buf *out)
{
    bool first = true;

    buf_append(out, name.data, name.len);
    buf_append_text(out, ":");
    for (size_t i = 0; i < head->field_count; i++) {
        if (!sigv4_name_is(head->fields[i].name, name))
            continue;
        if (!first)
            buf_append_text(out, ",");
        append_value(head->fields[i].value, out);
        first = false;
    }
    buf_append_text(out, "\n");
}

void sigv4_canonical_request(const struct http_head *head,
                             const struct sigv4 *sig,
                             const uint8_t *body_sha256,
                             struct buf *out)
{
    struct bytes rest = sig->signed_headers;
    struct bytes name;

    buf_append(out, head->method.data, head->method.len);
    buf_append_text(out, "\n");
    canonical_path(sig, http_target_path(head->target), out);
    buf_append_text(out, "\n");
    canonical_query(sig, http_target_query(head->target), out);
    buf_append_text(out, "\n");
    while (sigv4_next_name(&rest, &name))
        append_field(head, name, out);
    buf_append_text(out, "\n");
    buf_append(out, sig->signed_headers.data, sig->signed_headers.len);
    buf_append_text(out, "\n");
    if (sig->payload != SIGV4_PAYLOAD_BODY) {
        buf_append_text(out, sig->payload_text);
        return;
    }
    CHECK(body_sha256 != NULL);
    hex_encode(bytes_of(body_sha256, SHA256_BYTES), (char *)buf_reserve(out, SHA256_HEX_BYTES));
    out->len += SHA256_HEX_BYTES - 1;
}

/* ---- string to sign and key ---- */

void sigv4_string_to_sign(const struct sigv4 *sig, struct bytes canonical_request, struct buf *out)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];

    hash_sha256(canonical_request, digest);
    hex_encode(bytes_of(digest, sizeof digest), hex);
    buf_printf(out, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", sig->timestamp,
               sig->timestamp, sig->region, sig->service, hex);
}

void sigv4_signing_key(struct bytes secret,
                       const char *date,
                       const char *region,
                       const char *service,
                       uint8_t out[SHA256_BYTES])
{
    const struct bytes steps[] = {
        bytes_of_text(region),
        bytes_of_text(service),
        bytes_of_text("aws4_request"),
    };
    struct buf first = { 0 };

    CHECK(strlen(date) >= 8);
    buf_append_text(&first, "AWS4");
    buf_append(&first, secret.data, secret.len);
    hash_hmac_sha256(buf_view(&first), bytes_of(date, 8), out);
    explicit_bzero(first.data, first.len);
    buf_done(&first);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        hash_hmac_sha256(bytes_of(out, SHA256_BYTES), steps[i], out);
}

void sigv4_signature(const struct http_head *head,
                     const struct sigv4 *sig,
                     const uint8_t key[SHA256_BYTES],
                     const uint8_t *body_sha256,
                     uint8_t out[SHA256_BYTES])
{
    struct buf canonical = { 0 };
    struct buf text = { 0 };

    sigv4_canonical_request(head, sig, body_sha256, &canonical);
    sigv4_string_to_sign(sig, buf_view(&canonical), &text);
    hash_hmac_sha256(bytes_of(key, SHA256_BYTES), buf_view(&text), out);
    buf_done(&canonical);
    buf_done(&text);
}
