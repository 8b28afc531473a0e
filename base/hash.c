/* Digests, checksums and randomness.  Any thread. */
#include "base/hash.h"

#include <openssl/evp.h>
#include <pthread.h>
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

static void take(struct hash *hash, uint8_t *out)
{
    int ok;

    CHECK(hash->context != NULL);
    ok = EVP_DigestFinal_ex(hash->context, out, NULL);
    CHECK(ok == 1);
}

void hash_peek(const struct hash *hash, uint8_t *out)
{
    struct hash copy = { .context = EVP_MD_CTX_new() };
    int ok;

    CHECK(copy.context != NULL);
    CHECK(hash->context != NULL);
    ok = EVP_MD_CTX_copy_ex(copy.context, hash->context);
    CHECK(ok == 1);
    hash_end(&copy, out);
}

void hash_end(struct hash *hash, uint8_t *out)
{
    take(hash, out);
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
    take(&hash, inner);
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

/* Randomness of this thread that nobody has got yet.  Two ids a request are not worth two system
 * calls.  A fork would hand the same bytes out twice: the child starts with none. */
static _Thread_local struct {
    uint8_t bytes[256];
    size_t left;
} ahead;
static pthread_once_t ahead_once = PTHREAD_ONCE_INIT;

static void ahead_drop(void)
{
    explicit_bzero(ahead.bytes, sizeof ahead.bytes);
    ahead.left = 0;
}

static void ahead_watch(void)
{
    int rv = pthread_atfork(NULL, NULL, ahead_drop);

    CHECK(rv == 0); /* only for want of memory */
}

static void random_now(uint8_t *at, size_t len)
{

    while (len > 0) {
        /* Up to 256 bytes come whole; a longer request may be cut by a signal. */
        ssize_t got = getrandom(at, len > 256 ? 256 : len, 0);

        if (got < 0)
            continue; /* EINTR before the pool was ready, at boot */
        at += got;
        len -= (size_t)got;
    }
}

void random_bytes(void *out, size_t len)
{
    uint8_t *at;

    if (len > sizeof ahead.bytes / 4) {
        random_now(out, len);
        return;
    }
    if (ahead.left < len) {
        (void)pthread_once(&ahead_once, ahead_watch);
        random_now(ahead.bytes, sizeof ahead.bytes);
        ahead.left = sizeof ahead.bytes;
    }
    ahead.left -= len;
    at = ahead.bytes + ahead.left;
    memcpy(out, at, len);
    explicit_bzero(at, len); /* what was a secret is nowhere but with who asked */
}

void uuid_text(char out[UUID_TEXT_BYTES])
{
    static const struct {
        uint8_t bytes, at; /* how many of them, and where their digits stand */
    } groups[] = { { 4, 0 }, { 2, 9 }, { 2, 14 }, { 2, 19 }, { 6, 24 } };
    uint8_t id[16];
    const uint8_t *from = id;

    random_bytes(id, sizeof id);
    id[6] = (uint8_t)(0x40 | (id[6] & 0x0f));
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3f));
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        hex_encode(bytes_of(from, groups[i].bytes), out + groups[i].at);
        from += groups[i].bytes;
        if (i + 1 < ARRAY_LEN(groups))
            out[groups[i + 1].at - 1] = '-';
    }
}
