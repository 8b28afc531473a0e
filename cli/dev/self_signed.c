/* X.509 by OpenSSL.  What fails here is our mistake or a library that lacks P-256: nothing comes
 * from outside. */
#include "cli/dev/self_signed.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/check.h"

/* OpenSSL takes a star only before two more names, so buckets have hosts below s3.localhost. */
static char server_names[] =
    "DNS:localhost,DNS:*.localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1,IP:::1";

struct signer {
    X509 *certificate;
    EVP_PKEY *key;
};

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    int ok;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    CHECK(extension != NULL);
    ok = X509_add_ext(certificate, extension, -1);
    CHECK(ok == 1);
    X509_EXTENSION_free(extension);
}

static void set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    BIGNUM *number;
    int ok = RAND_bytes(bytes, sizeof bytes);

    CHECK(ok == 1);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and never short */
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    CHECK(number != NULL);
    CHECK(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
}

/* A certificate for `key` under `name`, with dates and number, neither extended nor signed. */
static X509 *begin(EVP_PKEY *key, const char *name)
{
    X509 *certificate = X509_new();
    X509_NAME *subject;
    int ok;

    CHECK(certificate != NULL);
    subject = X509_get_subject_name(certificate);
    ok = X509_set_version(certificate, X509_VERSION_3);
    ok &= X509_set_pubkey(certificate, key);
    ok &= X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
                                     (const unsigned char *)"Lapwing dev", -1, -1, 0);
    ok &= X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                     -1, 0);
    CHECK(ok == 1);
    set_serial(certificate);
    /* A clock that is a little behind must not refuse what was made just now. */
    CHECK(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
    CHECK(X509_gmtime_adj(X509_getm_notAfter(certificate), SELF_SIGNED_DAYS * 86400L) != NULL);
    return certificate;
}

static void sign(X509 *certificate, const struct signer *signer)
{
    int ok = X509_set_issuer_name(certificate, X509_get_subject_name(signer->certificate));

    CHECK(ok == 1);
    ok = X509_sign(certificate, signer->key, EVP_sha256());
    CHECK(ok > 0);
}

static struct signer make_ca(void)
{
    struct signer ca = { .key = EVP_EC_gen("P-256") };

    CHECK(ca.key != NULL);
    ca.certificate = begin(ca.key, "Lapwing dev CA");
    add_extension(ca.certificate, ca.certificate, NID_basic_constraints,
                  "critical,CA:TRUE,pathlen:0");
    add_extension(ca.certificate, ca.certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca.certificate, ca.certificate, NID_subject_key_identifier, "hash");
    sign(ca.certificate, &ca);
    return ca;
}

static X509 *make_server(const struct signer *ca, EVP_PKEY *key)
{
    X509 *server = begin(key, "localhost");

    add_extension(server, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(server, ca->certificate, NID_key_usage, "critical,digitalSignature");
    add_extension(server, ca->certificate, NID_ext_key_usage, "serverAuth");
    add_extension(server, ca->certificate, NID_subject_alt_name, server_names);
    add_extension(server, ca->certificate, NID_subject_key_identifier, "hash");
    add_extension(server, ca->certificate, NID_authority_key_identifier, "keyid");
    sign(server, ca);
    return server;
}

static void take_text(BIO *bio, int ok, struct buf *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    CHECK(ok == 1);
    buf_append(out, text, (size_t)len);
    BIO_free(bio);
}

static void put_certificate(X509 *certificate, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    CHECK(bio != NULL);
    take_text(bio, PEM_write_bio_X509(bio, certificate), out);
}

static void put_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());

    CHECK(bio != NULL);
    take_text(bio, PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), out);
}

void self_signed_make(struct buf *out_ca, struct buf *out_certificate, struct buf *out_key)
{
    struct signer ca = make_ca();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *server;

    CHECK(key != NULL);
    server = make_server(&ca, key);
    put_certificate(ca.certificate, out_ca);
    put_certificate(server, out_certificate);
    put_key(key, out_key);
    X509_free(server);
    X509_free(ca.certificate);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca.key);
}
