/* The link in GetFunction's answer, from which anybody may fetch the zip for ten minutes.
 *
 * It is a presigned GET of the object in the internal bucket, through this front door.  The key
 * that signs it is made for that object alone (objstore_link_key()), so what stands in the link is
 * good for nothing else, whatever might be signed with it. */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/sigv4.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/api/lambda/location_rules.h"
#include "objstore/client/objstore.h"

static enum status presign(const struct api_call *call,
                           const char *key,
                           struct bytes host,
                           struct buf *out,
                           struct err *err)
{
    char id[OBJSTORE_LINK_KEY_BYTES];
    char secret[DERIVED_SECRET_BYTES];
    const struct sigv4_signer signer = { .access_key_id = id,
                                         .secret = secret,
                                         .region = call->region,
                                         .service = "s3",
                                         .now_s = clock_stamp_ms(&clock_system) / 1000 };
    const struct http_field field = { .name = bytes_of_text("Host"), .value = host };
    struct http_head head = { .method = bytes_of_text("GET"), .fields = &field, .field_count = 1 };
    struct buf target = { 0 };
    enum status st;

    objstore_link_key(OBJSTORE_PACKAGES_BUCKET, key, id);
    hash_derived_secret(bytes_of(call->api->options.cluster_key, 32), id, secret);
    buf_printf(&target, "/%s/%s", OBJSTORE_PACKAGES_BUCKET, key);
    head.target = buf_view(&target);
    st = sigv4_presign(&signer, &head, OBJSTORE_LINK_S_MAX, out, err);
    buf_done(&target);
    return st;
}

enum status lambda_code_location(const struct api_call *call,
                                 struct bytes code_sha256,
                                 struct buf *out,
                                 struct api_error *error)
{
    char key[SHA256_HEX_BYTES + sizeof ".zip"];
    const struct http_head *head;
    const char *scheme = NULL;
    struct bytes forwarded = { 0 };
    struct bytes host = { 0 };
    struct err err = { 0 };

    CHECK(code_sha256.len == SHA256_BYTES);
    if (call->http == NULL)
        return ST_OK; /* gone: nobody reads the answer */
    head = http_request_head(call->http);
    (void)http_head_find(head, "Host", &host);
    (void)http_head_find(head, "X-Forwarded-Proto", &forwarded);
    if (location_host(host, forwarded, http_request_is_https(call->http), &scheme, &host) != ST_OK)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "The header Host names no host that a link could lead to.");
    hex_encode(code_sha256, key);
    memcpy(key + SHA256_HEX_BYTES - 1, ".zip", sizeof ".zip");
    buf_printf(out, "%s://%.*s", scheme, (int)host.len, (const char *)host.data);
    if (presign(call, key, host, out, &err) != ST_OK)
        return api_error_set(error, ST_IO, API_SERVICE, "make a link to the code: %s", err.text);
    return ST_OK;
}
