/* Certificate files: what is refused and why, and what a renewal changes. */
#include "base/https.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "cli/dev/self_signed.h"
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
    EXPECT(certificate != NULL && https_certificate_context(certificate) != NULL);
    left_s = https_certificate_expires_s(certificate) - (int64_t)time(NULL);
    EXPECT(left_s > (SELF_SIGNED_DAYS - 1) * 86400L && left_s <= SELF_SIGNED_DAYS * 86400L);
    https_certificate_free(certificate);
    https_folder_remove(&files);
}

/* Which files stand in the two places. */
enum content { GOOD, MISSING, EMPTY, TEXT, OF_ANOTHER, OTHER_KIND, LOCKED };

static const struct {
    const char *name;
    enum content certificate;
    enum content key;
    const char *names; /* the file that the text must name */
} wrong_rows[] = {
    { "no certificate", MISSING, GOOD, "cert.pem" },
    { "no key", GOOD, MISSING, "key.pem" },
    { "an empty certificate", EMPTY, GOOD, "cert.pem" },
    { "an empty key", GOOD, EMPTY, "key.pem" },
    { "a text as certificate", TEXT, GOOD, "cert.pem" },
    { "a text as key", GOOD, TEXT, "key.pem" },
    { "the key of another", GOOD, OF_ANOTHER, "key.pem" },
    { "the certificate of another", OF_ANOTHER, GOOD, "key.pem" },
    { "a key as certificate", OTHER_KIND, GOOD, "cert.pem" },
    { "a certificate as key", GOOD, OTHER_KIND, "key.pem" },
    { "a key with a passphrase", GOOD, LOCKED, "key.pem" },
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
    struct buf ca = { 0 };
    struct buf certificate_text = { 0 };
    struct buf key_text = { 0 };

    self_signed_make(&ca, &certificate_text, &key_text);
    for (size_t i = 0; i < ARRAY_LEN(wrong_rows); i++) {
        struct https_folder files;
        struct https_certificate *certificate = NULL;
        struct err err = { 0 };

        test_case = wrong_rows[i].name;
        https_folder_make(&files);
        put(files.certificate, wrong_rows[i].certificate, &certificate_text, &key_text);
        put(files.key, wrong_rows[i].key, &key_text, &certificate_text);
        EXPECT_EQ(https_certificate_open(files.certificate, files.key, &certificate, &err),
                  ST_BAD_INPUT);
        EXPECT(certificate == NULL);
        EXPECT(strstr(err.text, wrong_rows[i].names) != NULL);
        https_folder_remove(&files);
    }
    buf_done(&ca);
    buf_done(&certificate_text);
    buf_done(&key_text);
}

TEST(a_refresh_reads_what_changed_and_keeps_the_old_one_otherwise)
{
    struct buf ca = { 0 };
    struct buf certificate_text = { 0 };
    struct buf key_text = { 0 };
    struct https_folder files;
    struct https_certificate *certificate = NULL;
    struct ssl_ctx_st *old;
    struct err err = { 0 };
    bool changed = true;

    https_folder_make(&files);
    self_signed_make(&ca, &certificate_text, &key_text);
    EXPECT_EQ(https_certificate_open(files.certificate, files.key, &certificate, &err), ST_OK);
    old = https_certificate_context(certificate);
    EXPECT_EQ(https_certificate_refresh(certificate, &changed, &err), ST_OK);
    EXPECT(!changed);
    EXPECT(https_certificate_context(certificate) == old);

    https_file_write(files.certificate, buf_view(&certificate_text));
    EXPECT_EQ(https_certificate_refresh(certificate, &changed, &err), ST_BAD_INPUT);
    EXPECT(!changed);
    EXPECT(https_certificate_context(certificate) == old);
    EXPECT_EQ(https_certificate_refresh(certificate, &changed, &err), ST_BAD_INPUT);

    https_file_write(files.key, buf_view(&key_text));
    EXPECT_EQ(https_certificate_refresh(certificate, &changed, &err), ST_OK);
    EXPECT(changed);
    EXPECT_EQ(https_certificate_refresh(certificate, &changed, &err), ST_OK);
    EXPECT(!changed);
    (void)unlink(files.key);
    EXPECT_EQ(https_certificate_refresh(certificate, &changed, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "key.pem: No such file") != NULL);

    https_certificate_free(certificate);
    https_folder_remove(&files);
    buf_done(&ca);
    buf_done(&certificate_text);
    buf_done(&key_text);
}

TEST(whom_a_client_believes_must_be_a_file_of_certificates)
{
    struct https_folder files;
    struct ssl_ctx_st *client = NULL;
    struct err err = { 0 };

    https_folder_make(&files);
    EXPECT_EQ(https_client_new(files.ca, &client, &err), ST_OK);
    https_client_free(client);
    EXPECT_EQ(https_client_new(files.key, &client, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "key.pem") != NULL);
    EXPECT_EQ(https_client_new("/nowhere/ca.pem", &client, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, "/nowhere/ca.pem") != NULL);
    https_folder_remove(&files);
}
