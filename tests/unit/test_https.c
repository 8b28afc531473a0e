/* Certificate files: what is refused and why, and what a renewal changes. */
#include "base/https.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "tests/unit/check.h"
#include "tests/unit/https_fixture.h"

/* A private key that only a passphrase opens. */
static void put_locked(const char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    CHECK(key != NULL && bio != NULL);
    CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL) == 1);
    len = BIO_get_mem_data(bio, &text);
    https_file_write(path, bytes_of(text, (size_t)len));
    BIO_free(bio);
    EVP_PKEY_free(key);
}

TEST(a_certificate_and_its_key_are_read)
{
    struct https_folder files;
    struct https_certificate *certificate = NULL;
    struct err err = { 0 };
    int64_t left_s;

    https_folder_make(&files);
    EXPECT_EQ(https_certificate_open(files.certificate, files.key, &certificate, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    EXPECT(certificate != NULL);
    left_s = https_certificate_expires_s(certificate) - (int64_t)time(NULL);
    EXPECT(left_s > 0 && left_s <= TEST_DAY_S);
    https_certificate_free(certificate);
    https_folder_remove(&files);
}

/* Which files stand in the two places. */
enum content { GOOD, MISSING, EMPTY, TEXT, OF_ANOTHER, OTHER_KIND, LOCKED };

static const struct {
    const char *name;
    enum content certificate;
    enum content key;
    const char *want; /* the file and what is wrong with it */
} wrong_rows[] = {
    { "no certificate", MISSING, GOOD, "cert.pem: No such file" },
    { "no key", GOOD, MISSING, "key.pem: No such file" },
    { "an empty certificate", EMPTY, GOOD, "cert.pem: no certificate in it" },
    { "an empty key", GOOD, EMPTY, "key.pem: no private key in it" },
    { "a text as certificate", TEXT, GOOD, "cert.pem: no certificate in it" },
    { "a text as key", GOOD, TEXT, "key.pem: no private key in it" },
    { "the key of another", GOOD, OF_ANOTHER, "key.pem: it is not the certificate's" },
    { "the certificate of another", OF_ANOTHER, GOOD, "key.pem: it is not the certificate's" },
    { "a key as certificate", OTHER_KIND, GOOD, "cert.pem: no certificate in it" },
    { "a certificate as key", GOOD, OTHER_KIND, "key.pem: no private key in it" },
    { "a key with a passphrase", GOOD, LOCKED, "key.pem: no private key in it" },
};

static void put(const char *path, enum content content, struct buf *another, struct buf *other_kind)
{
    if (content == MISSING)
        (void)unlink(path);
    else if (content == EMPTY)
        https_file_write(path, bytes_of_text(""));
    else if (content == TEXT)
        https_file_write(path, bytes_of_text("not PEM\n"));
    else if (content == OF_ANOTHER)
        https_file_write(path, buf_view(another));
    else if (content == OTHER_KIND)
        https_file_write(path, buf_view(other_kind));
    else if (content == LOCKED)
        put_locked(path);
}

TEST(what_is_wrong_with_the_files_is_said_by_name)
{
    struct test_certificate pair;

    https_pair_new(&pair);
    for (size_t i = 0; i < ARRAY_LEN(wrong_rows); i++) {
        struct https_folder files;
        struct https_certificate *certificate = NULL;
        bool missing = wrong_rows[i].certificate == MISSING || wrong_rows[i].key == MISSING;
        struct err err = { 0 };

        test_case = wrong_rows[i].name;
        https_folder_make(&files);
        put(files.certificate, wrong_rows[i].certificate, &pair.certificate, &pair.key);
        put(files.key, wrong_rows[i].key, &pair.key, &pair.certificate);
        EXPECT_EQ(https_certificate_open(files.certificate, files.key, &certificate, &err),
                  missing ? ST_IO : ST_BAD_INPUT);
        EXPECT(certificate == NULL);
        EXPECT(strstr(err.text, wrong_rows[i].want) != NULL);
        https_folder_remove(&files);
    }
    test_certificate_done(&pair);
}

/* The context that new sessions are made with, as an address to compare. */
static const void *context_of(struct https_certificate *certificate)
{
    struct ssl_ctx_st *context = https_certificate_context(certificate);

    https_context_free(context);
    return context;
}

TEST(a_reload_takes_what_is_good_and_keeps_the_old_one_otherwise)
{
    struct test_certificate pair;
    struct https_folder files;
    struct https_certificate *certificate = NULL;
    struct ssl_ctx_st *old;
    struct err err = { 0 };

    https_folder_make(&files);
    https_pair_new(&pair);
    EXPECT_EQ(https_certificate_open(files.certificate, files.key, &certificate, &err), ST_OK);
    old =
        https_certificate_context(certificate); /* held: no new one can have its place in memory */
    https_file_write(files.certificate, buf_view(&pair.certificate));
    EXPECT_EQ(https_certificate_reload(certificate, files.certificate, files.key, &err),
              ST_BAD_INPUT);
    EXPECT(context_of(certificate) == old);
    https_file_write(files.key, buf_view(&pair.key));
    EXPECT_EQ(https_certificate_reload(certificate, files.certificate, files.key, &err), ST_OK);
    EXPECT(context_of(certificate) != old);
    https_context_free(old);
    https_certificate_free(certificate);
    https_folder_remove(&files);
    test_certificate_done(&pair);
}

/* CERTIFICATE_CHAIN_MAX is of the own one and those behind it. */
TEST(a_chain_as_long_as_the_limit_is_shown_and_a_longer_one_refused)
{
    struct https_folder files;
    struct buf chain = { 0 };
    struct test_certificate pair;

    https_folder_make(&files);
    https_pair_new(&pair);
    https_file_write(files.key, buf_view(&pair.key));
    buf_append(&chain, pair.certificate.data, pair.certificate.len);
    for (size_t count = 2; count <= CERTIFICATE_CHAIN_MAX + 1; count++) {
        struct https_certificate *certificate = NULL;
        struct err err = { 0 };

        buf_append(&chain, pair.authority.data, pair.authority.len);
        https_file_write(files.certificate, buf_view(&chain));
        EXPECT_EQ(https_certificate_open(files.certificate, files.key, &certificate, &err),
                  count <= CERTIFICATE_CHAIN_MAX ? ST_OK : ST_BAD_INPUT);
        EXPECT_EQ(certificate != NULL, count <= CERTIFICATE_CHAIN_MAX);
        https_certificate_free(certificate);
    }
    https_folder_remove(&files);
    buf_done(&chain);
    test_certificate_done(&pair);
}

TEST(whom_a_client_believes_must_be_a_file_of_certificates)
{
    struct https_folder files;
    struct ssl_ctx_st *client = NULL;
    struct err err = { 0 };

    https_folder_make(&files);
    EXPECT_EQ(https_client_new(files.ca, &client, &err), ST_OK);
    https_context_free(client);
    EXPECT_EQ(https_client_new(files.key, &client, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "key.pem") != NULL);
    EXPECT_EQ(https_client_new("/nowhere/ca.pem", &client, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "/nowhere/ca.pem") != NULL);
    https_folder_remove(&files);
}
