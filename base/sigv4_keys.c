/* See sigv4_keys.h.  One place a hash: a later key takes it from the one before. */
#include "base/sigv4_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { DAY_DIGITS = 8 };

struct place {
    bool used;
    char day[DAY_DIGITS];
    char region[SIGV4_SCOPE_BYTES_MAX + 1];
    char service[SIGV4_SCOPE_BYTES_MAX + 1];
    uint8_t secret[SIGV4_KEY_SECRET_BYTES_MAX];
    size_t secret_len;
    uint8_t key[SHA256_BYTES];
};

struct sigv4_keys {
    struct place places[SIGV4_KEYS_MAX];
};

struct sigv4_keys *sigv4_keys_new(void)
{
    return must_calloc(1, sizeof(struct sigv4_keys));
}

void sigv4_keys_free(struct sigv4_keys *keys)
{
    if (keys == NULL)
        return;
    explicit_bzero(keys, sizeof *keys);
    free(keys);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u; /* FNV-1a */
    return hash * 31;
}

static struct place *place_of(struct sigv4_keys *keys, const struct sigv4 *sig)
{
    uint64_t hash = hash_text(14695981039346656037u, sig->access_key_id);

    hash = hash_text(hash_text(hash, sig->region), sig->service);
    return &keys->places[(hash >> 32) % SIGV4_KEYS_MAX];
}

static bool fits(const struct place *place, const struct sigv4 *sig, struct bytes secret)
{
    return place->used && memcmp(place->day, sig->timestamp, DAY_DIGITS) == 0 &&
           strcmp(place->region, sig->region) == 0 && strcmp(place->service, sig->service) == 0 &&
           bytes_equal_secret(bytes_of(place->secret, place->secret_len), secret);
}

void sigv4_keys_get(struct sigv4_keys *keys,
                    const struct sigv4 *sig,
                    struct bytes secret,
                    uint8_t out[SHA256_BYTES])
{
    struct place *place = place_of(keys, sig);

    if (fits(place, sig, secret)) {
        memcpy(out, place->key, SHA256_BYTES);
        return;
    }
    sigv4_signing_key(secret, sig->timestamp, sig->region, sig->service, out);
    if (secret.len > sizeof place->secret)
        return;
    place->used = true;
    memcpy(place->day, sig->timestamp, DAY_DIGITS);
    memcpy(place->region, sig->region, sizeof place->region);
    memcpy(place->service, sig->service, sizeof place->service);
    memcpy(place->secret, secret.data, secret.len);
    place->secret_len = secret.len;
    memcpy(place->key, out, SHA256_BYTES);
}
