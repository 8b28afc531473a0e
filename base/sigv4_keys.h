/* Signing keys of version 4 that were derived lately.  One is four HMACs of its secret, the same
 * all day.  One thread a cache; holds secrets, so it is cleared when freed. */
#ifndef BASE_SIGV4_KEYS_H
#define BASE_SIGV4_KEYS_H

#include "base/sigv4.h"

enum { SIGV4_KEYS_MAX = 64, SIGV4_KEY_SECRET_BYTES_MAX = 128 };

struct sigv4_keys;

struct sigv4_keys *sigv4_keys_new(void);
void sigv4_keys_free(struct sigv4_keys *keys);

/* The signing key for the day, region and service of `sig`.  The secret decides: one that changed
 * under the same id gets its own key.  Costs a comparison, or what sigv4_signing_key() does. */
void sigv4_keys_get(struct sigv4_keys *keys,
                    const struct sigv4 *sig,
                    struct bytes secret,
                    uint8_t out[SHA256_BYTES]);

#endif
