/* Signatures of version 4 and 2, header and query form, against the known keys. */
#include "objstore/s3/s3_auth.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/sigv2.h"
#include "objstore/client/objstore.h"

#define FUNCTION_KEY "LWFK"

enum { FUNCTION_KEY_BYTES = 36 };

static bool is_link_key(const char *id)
{
    return strncmp(id, OBJSTORE_LINK_KEY_PREFIX, strlen(OBJSTORE_LINK_KEY_PREFIX)) == 0 &&
           strlen(id) == OBJSTORE_LINK_KEY_BYTES - 1;
}

/* The secret of an access key.  `derived` holds it when no list does. */
static bool find_secret(const struct s3_keys *keys,
                        const char *id,
                        char derived[DERIVED_SECRET_BYTES],
                        struct bytes *out)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->list[i].id, id) != 0)
            continue;
        *out = bytes_of_text(keys->list[i].secret);
        return true;
    }
    if (strcmp(id, OBJSTORE_INTERNAL_ACCESS_KEY) != 0 && !is_link_key(id) &&
        (strncmp(id, FUNCTION_KEY, strlen(FUNCTION_KEY)) != 0 || strlen(id) != FUNCTION_KEY_BYTES))
        return false;
    hash_derived_secret(keys->cluster_key, id, derived);
    *out = bytes_of_text(derived);
    return true;
}

static void set_key_id(struct s3_caller *out, const char *id)
{
    (void)snprintf(out->access_key_id, sizeof out->access_key_id, "%s", id);
    out->is_internal = strcmp(id, OBJSTORE_INTERNAL_ACCESS_KEY) == 0;
    out->is_link = is_link_key(id);
}

static enum s3_error refusal(enum status st, bool presigned, struct err *err)
{
    switch (st) {
    case ST_TIMEOUT:
        if (presigned) {
            (void)err_set(err, st, "Request has expired");
            return S3_ACCESS_DENIED;
        }
        return S3_REQUEST_TIME_TOO_SKEWED;
    case ST_CORRUPT:
        return S3_CONTENT_SHA256_MISMATCH;
    default:
        err->text[0] = '\0'; /* AWS's own words say what to look at */
        return S3_SIGNATURE_DOES_NOT_MATCH;
    }
}

/* What a version 2 signature covers is the path with the bucket in it, also when the host names it.
 */
static void signed_target(const struct http_head *head,
                          const struct s3_route *route,
                          bool with_slash,
                          struct buf *out)
{
    struct bytes path = http_target_path(head->target);
    struct bytes query = http_target_query(head->target);

    if (route->is_by_host)
        buf_printf(out, "/%s", route->bucket);
    buf_append(out, path.data, path.len);
    if (with_slash)
        buf_append_text(out, "/");
    if (query.len > 0) {
        buf_append_text(out, "?");
        buf_append(out, query.data, query.len);
    }
}

/* A bucket's own path is signed by some clients with a slash behind it that they do not send
 * (botocore does), and S3 takes both. */
static enum status verify_v2(const struct http_head *head,
                             const struct s3_route *route,
                             const struct sigv2 *sig,
                             struct bytes secret,
                             uint64_t now_s,
                             struct err *err)
{
    enum status st = ST_DENIED;

    for (unsigned with_slash = 0; with_slash < 2 && st == ST_DENIED; with_slash++) {
        struct http_head signed_head = *head;
        struct buf target = { 0 };

        signed_target(head, route, with_slash != 0, &target);
        signed_head.target = buf_view(&target);
        st = sigv2_verify(&signed_head, sig, secret, now_s, err);
        buf_done(&target);
    }
    return st;
}

static enum s3_error check_v2(const struct s3_keys *keys,
                              const struct http_head *head,
                              const struct s3_route *route,
                              uint64_t now_s,
                              struct s3_caller *out,
                              struct err *err)
{
    char derived[DERIVED_SECRET_BYTES];
    struct bytes secret;
    struct sigv2 sig;
    enum status st = sigv2_parse(head, &sig, err);

    if (st == ST_NOT_FOUND) {
        err->text[0] = '\0';
        return S3_ACCESS_DENIED; /* nobody is anonymous here */
    }
    if (st != ST_OK)
        return S3_INVALID_ARGUMENT;
    if (!find_secret(keys, sig.access_key_id, derived, &secret))
        return S3_INVALID_ACCESS_KEY_ID;
    st = verify_v2(head, route, &sig, secret, now_s, err);
    if (st != ST_OK)
        return refusal(st, sig.presigned, err);
    set_key_id(out, sig.access_key_id);
    out->payload = SIGV4_PAYLOAD_UNSIGNED;
    return S3_OK;
}

static void set_chunk_key(const struct sigv4 *sig, struct bytes secret, struct aws_chunk_key *out)
{
    sigv4_signing_key(secret, sig->timestamp, sig->region, sig->service, out->key);
    (void)snprintf(out->scope, sizeof out->scope, "%.8s/%s/%s/aws4_request", sig->timestamp,
                   sig->region, sig->service);
    (void)strcpy(out->timestamp, sig->timestamp);
    hex_encode(bytes_of(sig->signature, sizeof sig->signature), out->previous);
}

static enum s3_error check_v4(const struct s3_keys *keys,
                              const struct http_head *head,
                              const struct sigv4 *sig,
                              uint64_t now_s,
                              struct s3_caller *out,
                              struct err *err)
{
    char derived[DERIVED_SECRET_BYTES];
    struct bytes secret;
    enum status st;

    if (!find_secret(keys, sig->access_key_id, derived, &secret))
        return S3_INVALID_ACCESS_KEY_ID;
    if (sig->payload == SIGV4_PAYLOAD_BODY) {
        (void)err_set(err, ST_BAD_INPUT,
                      "Missing required header for this request: x-amz-content-sha256");
        return S3_INVALID_REQUEST;
    }
    st = sigv4_verify(head, sig, secret, NULL, now_s, err);
    if (st != ST_OK)
        return refusal(st, sig->presigned, err);
    set_key_id(out, sig->access_key_id);
    out->presigned_s = sig->presigned ? sig->expires_s : 0;
    (void)strcpy(out->region, sig->region);
    out->payload = sig->payload;
    memcpy(out->payload_sha256, sig->payload_sha256, SHA256_BYTES);
    if (sig->payload == SIGV4_PAYLOAD_STREAMING || sig->payload == SIGV4_PAYLOAD_STREAMING_TRAILER)
        set_chunk_key(sig, secret, &out->chunk_key);
    return S3_OK;
}

enum s3_error s3_authenticate(const struct s3_keys *keys,
                              const struct http_head *head,
                              const struct s3_route *route,
                              uint64_t now_s,
                              struct s3_caller *out,
                              struct err *err)
{
    struct sigv4 sig = { 0 };
    enum s3_error error;
    struct bytes unused;
    enum status st;

    memset(out, 0, sizeof *out);
    st = sigv4_parse(head, &sig, err);
    if (st == ST_NOT_FOUND) {
        err->text[0] = '\0';
        return check_v2(keys, head, route, now_s, out, err);
    }
    if (st != ST_OK)
        return http_head_find(head, "authorization", &unused) ? S3_AUTHORIZATION_HEADER_MALFORMED
                                                              : S3_AUTHORIZATION_QUERY_PARAMETERS;
    error = check_v4(keys, head, &sig, now_s, out, err);
    sigv4_done(&sig);
    return error;
}

/* A link is what we presigned with version 4: anything else that bears its key is not ours. */
static bool link_may(const struct s3_caller *caller, const struct s3_route *route)
{
    char id[OBJSTORE_LINK_KEY_BYTES];

    if (route->operation != S3_GET_OBJECT || caller->presigned_s == 0 ||
        caller->presigned_s > OBJSTORE_LINK_S_MAX)
        return false;
    objstore_link_key(route->bucket, route->key, id);
    return strcmp(id, caller->access_key_id) == 0;
}

bool s3_owner_is_expected(const struct http_head *head)
{
    static const char *const names[] = { "x-amz-expected-bucket-owner",
                                         "x-amz-source-expected-bucket-owner" };
    struct bytes value;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (http_head_find(head, names[i], &value) &&
            !bytes_equal(value, bytes_of_text(S3_ACCOUNT)))
            return false;
    return true;
}

bool s3_caller_may(const struct s3_caller *caller, const struct s3_route *route)
{
    if (caller->is_link)
        return link_may(caller, route);
    if (route->bucket[0] == '\0')
        return true;
    return s3_bucket_is_internal(route->bucket) == caller->is_internal;
}
