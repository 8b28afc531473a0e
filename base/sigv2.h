/* AWS Signature Version 2 of S3, as libs3 2.0 sends it, for path-style requests.
 *
 *   Authorization: AWS access_key_id:base64(HMAC-SHA1(secret, string_to_sign))
 *   ?AWSAccessKeyId=...&Expires=...&Signature=...
 *
 * It does not cover the body.  Pure; same two steps as sigv4.h. */
#ifndef BASE_SIGV2_H
#define BASE_SIGV2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/http_message.h"
#include "base/sigv4.h"
#include "base/status.h"

struct sigv2 {
    bool presigned;
    char access_key_id[SIGV4_ACCESS_KEY_BYTES_MAX + 1];
    uint64_t signed_at_s;  /* header form */
    uint64_t expires_at_s; /* query form */
    uint8_t signature[SHA1_BYTES];
};

/* ST_NOT_FOUND: no version 2 signature at all.  ST_BAD_INPUT: one that is malformed or has no date.
 */
enum status sigv2_parse(const struct http_head *head, struct sigv2 *out, struct err *err);
/* ST_OK, ST_TIMEOUT (clocks differ too much, or expired; err names both times), ST_DENIED. */
enum status sigv2_verify(const struct http_head *head,
                         const struct sigv2 *sig,
                         struct bytes secret,
                         uint64_t now_s,
                         struct err *err);
/* Append what is signed.  `sig` tells which form it is. */
void sigv2_string_to_sign(const struct http_head *head, const struct sigv2 *sig, struct buf *out);
/* Sign a request that has its Date or x-amz-date field; appends the value of Authorization. */
void sigv2_sign(const struct http_head *head,
                const char *access_key_id,
                const char *secret,
                struct buf *out);

#endif
