/* AWS Signature Version 4: check it, make it.  Header form and presigned query form.
 *
 * Pure: the time, the secret and the body's digest are arguments.  First sigv4_parse(), which tells
 * whose key it is; then sigv4_verify() with that key's secret.  Any region and service are accepted
 * as given and returned.  The rule of paths follows the service of the scope: "s3" takes the path
 * as it is (decoded and encoded once), every other service normalises and encodes what was sent. */
#ifndef BASE_SIGV4_H
#define BASE_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/http_message.h"
#include "base/status.h"

enum {
    SIGV4_ACCESS_KEY_BYTES_MAX = 128,
    SIGV4_SCOPE_BYTES_MAX = 63, /* region and service, each */
    SIGV4_EXPIRES_S_MAX = 604800,
};

/* What the signature says about the body. */
enum sigv4_payload {
    SIGV4_PAYLOAD_BODY,   /* nothing declared: the digest of the body is part of the signature */
    SIGV4_PAYLOAD_SHA256, /* declared in x-amz-content-sha256; compare with the body that arrives */
    SIGV4_PAYLOAD_UNSIGNED,
    SIGV4_PAYLOAD_STREAMING,                  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    SIGV4_PAYLOAD_STREAMING_TRAILER,          /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
    SIGV4_PAYLOAD_STREAMING_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

struct sigv4 {
    bool presigned;
    char access_key_id[SIGV4_ACCESS_KEY_BYTES_MAX + 1];
    char region[SIGV4_SCOPE_BYTES_MAX + 1];
    char service[SIGV4_SCOPE_BYTES_MAX + 1];
    char timestamp[17]; /* 20150830T123600Z */
    uint64_t signed_at_s;
    uint32_t expires_s; /* presigned only */
    enum sigv4_payload payload;
    char payload_text[80];                /* as it is signed; empty for SIGV4_PAYLOAD_BODY */
    uint8_t payload_sha256[SHA256_BYTES]; /* SIGV4_PAYLOAD_SHA256 */
    struct bytes signed_headers;          /* "host;x-amz-date"; a view, or into `decoded` */
    struct bytes security_token;          /* empty if none; taken along, not interpreted */
    uint8_t signature[SHA256_BYTES];
    struct buf decoded; /* what had to be decoded from a query; owned */
};

/* Read the signature of a request.
 *
 * out   views into `head` and into itself; free with sigv4_done() on ST_OK
 *
 * Returns ST_NOT_FOUND when there is no version 4 signature at all, ST_BAD_INPUT when there is one
 * with something missing, malformed or not allowed (also: a presigned life over seven days). */
enum status sigv4_parse(const struct http_head *head, struct sigv4 *out, struct err *err);
void sigv4_done(struct sigv4 *sig);

/* Is it right?
 *
 * secret       of sig->access_key_id
 * body_sha256  of the body; NULL if not known yet, which is allowed unless payload is
 *              SIGV4_PAYLOAD_BODY.  With SIGV4_PAYLOAD_SHA256 it is also compared.
 * now_s        seconds since the epoch
 *
 * Returns ST_OK; ST_TIMEOUT when the clocks differ by more than CLOCK_SKEW_S_MAX or a presigned
 * request expired (err names both times); ST_DENIED when the signature does not match or a header
 * that must be signed is not; ST_CORRUPT when the signature is right but the body is another. */
enum status sigv4_verify(const struct http_head *head,
                         const struct sigv4 *sig,
                         struct bytes secret,
                         const uint8_t *body_sha256,
                         uint64_t now_s,
                         struct err *err);

/* The same with a key of sigv4_signing_key(), for callers that keep them for the day. */
enum status sigv4_verify_with_key(const struct http_head *head,
                                  const struct sigv4 *sig,
                                  const uint8_t key[SHA256_BYTES],
                                  const uint8_t *body_sha256,
                                  uint64_t now_s,
                                  struct err *err);

/* The parts, for answers that show them as AWS does (SignatureDoesNotMatch), and for tests.  Each
 * appends to `out`. */
void sigv4_canonical_request(const struct http_head *head,
                             const struct sigv4 *sig,
                             const uint8_t *body_sha256,
                             struct buf *out);
void sigv4_string_to_sign(const struct sigv4 *sig, struct bytes canonical_request, struct buf *out);
/* The key of one secret, day, region and service; good to cache for the day. */
void sigv4_signing_key(struct bytes secret,
                       const char *date, /* at least the eight digits of the day */
                       const char *region,
                       const char *service,
                       uint8_t out[SHA256_BYTES]);

struct sigv4_signer {
    const char *access_key_id;
    const char *secret;
    const char *region;
    const char *service;
    uint64_t now_s;
};

/* The timestamp that x-amz-date must carry. */
void sigv4_timestamp(uint64_t now_s, char out[17]);
/* Sign a request whose fields are complete (Host, X-Amz-Date with signer->now_s's timestamp, for S3
 * X-Amz-Content-Sha256): every field is signed.  Appends the value of Authorization to `out`.
 * body_sha256 may be NULL when X-Amz-Content-Sha256 says it.  ST_BAD_INPUT names a missing field.
 */
enum status sigv4_sign(const struct sigv4_signer *signer,
                       const struct http_head *head,
                       const uint8_t *body_sha256,
                       struct buf *out,
                       struct err *err);
/* Presign a request for `expires_s` seconds: every field (Host is enough) must then be sent as it
 * is here.  Appends the signed target. */
enum status sigv4_presign(const struct sigv4_signer *signer,
                          const struct http_head *head,
                          uint32_t expires_s,
                          struct buf *out,
                          struct err *err);

#endif
