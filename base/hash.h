/* Digests, keyed digests, checksums, base64 and what the kernel knows of randomness.
 *
 * Digests are OpenSSL's, fetched once a process.  Everything but random_bytes() and uuid_text() is
 * a pure function of its inputs.  Any thread; a struct hash has one owner. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

enum {
    SHA256_BYTES = 32,
    SHA1_BYTES = 20,
    MD5_BYTES = 16,
    SHA256_HEX_BYTES = 65, /* with the NUL */
    MD5_HEX_BYTES = 33,
    UUID_TEXT_BYTES = 37,      /* with the NUL */
    DERIVED_SECRET_BYTES = 45, /* base64 of 32 bytes, with the NUL */
};

void hash_sha256(struct bytes in, uint8_t out[SHA256_BYTES]);
void hash_md5(struct bytes in, uint8_t out[MD5_BYTES]);
void hash_hmac_sha256(struct bytes key, struct bytes in, uint8_t out[SHA256_BYTES]);
void hash_hmac_sha1(struct bytes key, struct bytes in, uint8_t out[SHA1_BYTES]);

enum hash_kind { HASH_SHA256, HASH_MD5, HASH_SHA1, HASH_KINDS };

/* A digest over bytes that arrive in pieces.  Zero-initialised is not started. */
struct hash {
    void *context; /* EVP_MD_CTX, owned */
};
/* Start, or start again. */
void hash_init(struct hash *hash, enum hash_kind kind);
void hash_add(struct hash *hash, struct bytes in);
/* Write the digest of what was added so far; more may follow. */
void hash_peek(const struct hash *hash, uint8_t *out);
/* Write the digest of all that was added (as many bytes as the kind has) and free the context. */
void hash_end(struct hash *hash, uint8_t *out);
/* Free without a result; also after hash_end() or on a zeroed struct. */
void hash_done(struct hash *hash);

/* CRC-32C (Castagnoli).  `seed` is 0, or the result for the bytes before these. */
uint32_t hash_crc32c(uint32_t seed, struct bytes in);
/* The same without the processor's help, which tests compare with it. */
uint32_t hash_crc32c_portable(uint32_t seed, struct bytes in);

/* The secret of an access key that belongs to the cluster itself (function keys, the internal key):
 * base64(HMAC-SHA256(cluster_key, access_key_id)).  Any node derives it, none stores it. */
void hash_derived_secret(struct bytes cluster_key,
                         const char *access_key_id,
                         char out[DERIVED_SECRET_BYTES]);

/* Standard base64 with padding, appended to `out`. */
void base64_encode(struct bytes in, struct buf *out);
/* Decode padded standard base64 and append.  ST_BAD_INPUT on any other character, a wrong length,
 * or bits set behind the end; `out` is then unchanged in length. */
enum status base64_decode(struct bytes text, struct buf *out);

/* Unpredictable bytes from the kernel; never fails once the machine has booted. */
void random_bytes(void *out, size_t len);
/* A random (version 4) UUID, lower case. */
void uuid_text(char out[UUID_TEXT_BYTES]);

#endif
