#include "base/sigv4_keys.h"
#include "tests/unit/check.h"

/* Each row is asked twice and must give what deriving gives, whoever was asked for before. */
static const struct {
    const char *name, *id, *secret, *timestamp, *region, *service;
} rows[] = {
    { "a key", "AKID", "secret", "20150830T123600Z", "us-east-1", "lambda" },
    { "its secret was changed", "AKID", "Secret", "20150830T123600Z", "us-east-1", "lambda" },
    { "a secret that begins alike", "AKID", "Secre", "20150830T123600Z", "us-east-1", "lambda" },
    { "no secret", "AKID", "", "20150830T123600Z", "us-east-1", "lambda" },
    { "later that day", "AKID", "secret", "20150830T235959Z", "us-east-1", "lambda" },
    { "the next day", "AKID", "secret", "20150831T000000Z", "us-east-1", "lambda" },
    { "another region", "AKID", "secret", "20150830T123600Z", "us-east-2", "lambda" },
    { "another service", "AKID", "secret", "20150830T123600Z", "us-east-1", "s3" },
    { "the first again", "AKID", "secret", "20150830T123600Z", "us-east-1", "lambda" },
};

static void expect_derived(struct sigv4_keys *keys, const struct sigv4 *sig, struct bytes secret)
{
    uint8_t want[SHA256_BYTES];
    uint8_t got[SHA256_BYTES] = { 0 };

    sigv4_signing_key(secret, sig->timestamp, sig->region, sig->service, want);
    sigv4_keys_get(keys, sig, secret, got);
    EXPECT(bytes_equal(bytes_of(got, sizeof got), bytes_of(want, sizeof want)));
}

TEST(a_remembered_key_is_the_derived_one)
{
    struct sigv4_keys *keys = sigv4_keys_new();

    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        struct sigv4 sig = { 0 };

        test_case = rows[i / 2].name;
        (void)snprintf(sig.access_key_id, sizeof sig.access_key_id, "%s", rows[i / 2].id);
        (void)snprintf(sig.timestamp, sizeof sig.timestamp, "%s", rows[i / 2].timestamp);
        (void)snprintf(sig.region, sizeof sig.region, "%s", rows[i / 2].region);
        (void)snprintf(sig.service, sizeof sig.service, "%s", rows[i / 2].service);
        expect_derived(keys, &sig, bytes_of_text(rows[i / 2].secret));
    }
    sigv4_keys_free(keys);
}

TEST(many_keys_and_a_secret_too_long_to_keep_are_right_too)
{
    struct sigv4_keys *keys = sigv4_keys_new();
    struct sigv4 sig = { .timestamp = "20150830T123600Z", .region = "r", .service = "lambda" };
    char secret[SIGV4_KEY_SECRET_BYTES_MAX + 2];

    for (unsigned i = 0; i < 4 * SIGV4_KEYS_MAX; i++) {
        (void)snprintf(sig.access_key_id, sizeof sig.access_key_id, "AKID%u", i);
        (void)snprintf(secret, sizeof secret, "secret%u", i);
        expect_derived(keys, &sig, bytes_of_text(secret));
    }
    memset(secret, 'x', sizeof secret);
    for (unsigned over = 0; over < 2; over++)
        for (unsigned twice = 0; twice < 2; twice++)
            expect_derived(keys, &sig, bytes_of(secret, SIGV4_KEY_SECRET_BYTES_MAX + over));
    sigv4_keys_free(keys);
}
