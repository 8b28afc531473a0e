/* What the three files of version 4 signatures share. */
#ifndef BASE_SIGV4_INTERNAL_H
#define BASE_SIGV4_INTERNAL_H

#include "base/sigv4.h"

/* Step through "host;x-amz-date"; false at the end. */
bool sigv4_next_name(struct bytes *rest, struct bytes *out_name);
/* Is a field's name, in any case, this one in lower case? */
bool sigv4_name_is(struct bytes field_name, struct bytes lower_name);

/* The signature that a request with these parts must carry. */
void sigv4_signature(const struct http_head *head,
                     const struct sigv4 *sig,
                     const uint8_t key[SHA256_BYTES],
                     const uint8_t *body_sha256,
                     uint8_t out[SHA256_BYTES]);

/* Seconds since the epoch of "20150830T123600Z"; false unless it is exactly that form. */
bool sigv4_timestamp_parse(struct bytes text, uint64_t *out_s);

#endif
