/* Digests, checksums and randomness.  Any thread. */
#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"

enum { HMAC_BLOCK_BYTES = 64 }; /* of SHA-1 and SHA-256 alike */

/* EVP_sha256() looks its provider up, under a lock, at every use; a fetched one does not. */
static EVP_MD *digests[HASH_KINDS];
static pthread_once_t digests_once = PTHREAD_ONCE_INIT;

static void digests_fetch(void)
{
    digests[HASH_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
    digests[HASH_MD5] = EVP_MD_fetch(NULL, "MD5", NULL);
    digests[HASH_SHA1] = EVP_MD_fetch(NULL, "SHA1", NULL);
    for (size_t i = 0; i < HASH_KINDS; i++)
        CHECK(digests[i] != NULL);
}

void hash_init(struct hash *hash, enum hash_kind kind)
{
    int ok;

    CHECK((unsigned)kind < HASH_KINDS);
    (void)pthread_once(&digests_once, digests_fetch);
    if (hash->context == NULL)
        hash->context = EVP_MD_CTX_new();
    CHECK(hash->context != NULL);
    ok = EVP_DigestInit_ex2(hash->context, digests[kind], NULL);
    CHECK(ok == 1);
}

void hash_add(struct hash *hash, struct bytes in)
{
    int ok;

    CHECK(hash->context != NULL);
    ok = EVP_DigestUpdate(hash->context, in.data, in.len);
    CHECK(ok == 1);
}

void hash_end(struct hash *hash, uint8_t *out)
{
    int ok;

    CHECK(hash->context != NULL);
    ok = EVP_DigestFinal_ex(hash->context, out, NULL);
    CHECK(ok == 1);
    hash_done(hash);
}

void hash_done(struct hash *hash)
{
    EVP_MD_CTX_free(hash->context);
    hash->context = NULL;
}

static void digest(enum hash_kind kind, struct bytes in, uint8_t *out)
{
    struct hash hash = { 0 };

    hash_init(&hash, kind);
    hash_add(&hash, in);
    hash_end(&hash, out);
}

void hash_sha256(struct bytes in, uint8_t out[SHA256_BYTES])
{
    digest(HASH_SHA256, in, out);
}

void hash_md5(struct bytes in, uint8_t out[MD5_BYTES])
{
    digest(HASH_MD5, in, out);
}

/* RFC 2104 in its two lines: OpenSSL 3's EVP_MAC costs three times as much for a short message, and
 * one signature of version 4 is five of these. */
static void hmac(enum hash_kind kind, struct bytes key, struct bytes in, uint8_t *out)
{
    uint8_t pad[HMAC_BLOCK_BYTES] = { 0 };
    uint8_t inner[EVP_MAX_MD_SIZE];
    size_t digest_bytes = kind == HASH_SHA256 ? SHA256_BYTES : SHA1_BYTES;
    struct hash hash = { 0 };

    if (key.len > sizeof pad)
        digest(kind, key, pad);
    else if (key.len > 0)
        memcpy(pad, key.data, key.len);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    hash_init(&hash, kind);
    hash_add(&hash, bytes_of(pad, sizeof pad));
    hash_add(&hash, in);
    hash_end(&hash, inner);
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    hash_init(&hash, kind);
    hash_add(&hash, bytes_of(pad, sizeof pad));
    hash_add(&hash, bytes_of(inner, digest_bytes));
    hash_end(&hash, out);
    explicit_bzero(pad, sizeof pad);
}

void hash_hmac_sha256(struct bytes key, struct bytes in, uint8_t out[SHA256_BYTES])
{
    hmac(HASH_SHA256, key, in, out);
}

void hash_hmac_sha1(struct bytes key, struct bytes in, uint8_t out[SHA1_BYTES])
{
    hmac(HASH_SHA1, key, in, out);
}

void hash_derived_secret(struct bytes cluster_key,
                         const char *access_key_id,
                         char out[DERIVED_SECRET_BYTES])
{
    uint8_t mac[SHA256_BYTES];
    struct buf text = { 0 };

    hash_hmac_sha256(cluster_key, bytes_of_text(access_key_id), mac);
    base64_encode(bytes_of(mac, sizeof mac), &text);
    CHECK(text.len + 1 == DERIVED_SECRET_BYTES);
    memcpy(out, buf_text(&text), DERIVED_SECRET_BYTES);
    explicit_bzero(text.data, text.len);
    buf_done(&text);
}

void random_bytes(void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        /* Up to 256 bytes come whole; a longer request may be cut by a signal. */
        ssize_t got = getrandom(at, len > 256 ? 256 : len, 0);

        if (got < 0)
            continue; /* EINTR before the pool was ready, at boot */
        at += got;
        len -= (size_t)got;
    }
}

void uuid_text(char out[UUID_TEXT_BYTES])
{
    uint8_t id[16];
    char hex[33];

    random_bytes(id, sizeof id);
    id[6] = (uint8_t)(0x40 | (id[6] & 0x0f));
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
    hex_encode(bytes_of(id, sizeof id), hex);
    (void)snprintf(out, UUID_TEXT_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
                   hex + 16, hex + 20);
}
