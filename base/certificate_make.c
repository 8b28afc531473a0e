/* See certificate_make.h. */
#include "base/certificate_make.h"

#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/certificate.h"
#include "base/certificate_names.h"
#include "base/check.h"
#include "base/hash.h"

enum { SERIAL_BYTES = 16, KEY_ID_SHOWN_BYTES = 4 };

/* A certificate on its way: what it is made of.  Freed by parts_done(). */
struct parts {
    X509 *ca; /* NULL for a CA's own */
    EVP_PKEY *ca_key;
    EVP_PKEY *key;
    GENERAL_NAMES *names; /* NULL for a CA's own */
    const char *organisation;
    const char *name;
};

static void parts_done(struct parts *parts)
{
    X509_free(parts->ca);
    EVP_PKEY_free(parts->ca_key);
    EVP_PKEY_free(parts->key);
    GENERAL_NAMES_free(parts->names);
}

static void append_bio(BIO *bio, struct buf *out)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);

    buf_append(out, data, (size_t)len);
    BIO_free(bio);
}

static EVP_PKEY *key_new(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");

    CHECK(key != NULL);
    return key;
}

static void append_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int ok;

    CHECK(bio != NULL);
    ok = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    CHECK(ok == 1);
    append_bio(bio, out);
}

void certificate_key_new(struct buf *out_key)
{
    EVP_PKEY *key = key_new();

    append_key(key, out_key);
    EVP_PKEY_free(key);
}

static void set_name(X509_NAME *name, const char *organisation, const char *common)
{
    int ok = X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_ASC,
                                        (const uint8_t *)organisation, -1, -1, 0);

    CHECK(ok == 1);
    ok = X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const uint8_t *)common, -1,
                                    -1, 0);
    CHECK(ok == 1);
}

static void set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    BIGNUM *number;

    random_bytes(bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and never shorter */
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    CHECK(number != NULL);
    CHECK(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
}

static void add_text_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *text)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, text);

    CHECK(extension != NULL);
    CHECK(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *certificate, const struct parts *parts)
{
    X509V3_CTX context;
    X509 *issuer = parts->ca == NULL ? certificate : parts->ca;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    add_text_extension(certificate, &context, NID_basic_constraints,
                       parts->ca == NULL ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE");
    add_text_extension(certificate, &context, NID_key_usage,
                       parts->ca == NULL ? "critical,keyCertSign,cRLSign"
                                         : "critical,digitalSignature");
    add_text_extension(certificate, &context, NID_subject_key_identifier, "hash");
    if (parts->ca == NULL)
        return;
    add_text_extension(certificate, &context, NID_authority_key_identifier, "keyid");
    add_text_extension(certificate, &context, NID_ext_key_usage, "serverAuth,clientAuth");
    CHECK(X509_add1_ext_i2d(certificate, NID_subject_alt_name, parts->names, 0,
                            X509V3_ADD_APPEND) == 1);
}

static void append_certificate(X509 *certificate, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int ok;

    CHECK(bio != NULL);
    ok = PEM_write_bio_X509(bio, certificate);
    CHECK(ok == 1);
    append_bio(bio, out);
}

static enum status make(const struct parts *parts,
                        const struct certificate_span *span,
                        struct buf *out,
                        struct err *err)
{
    X509 *certificate;
    X509_NAME *name;
    int ok;

    if (span->not_after_s <= span->not_before_s)
        return err_set(err, ST_BAD_INPUT, "certificate: it would end before it begins");
    certificate = X509_new();
    CHECK(certificate != NULL);
    ok = X509_set_version(certificate, X509_VERSION_3);
    CHECK(ok == 1);
    set_serial(certificate);
    CHECK(ASN1_TIME_adj(X509_getm_notBefore(certificate), (time_t)span->not_before_s, 0, 0) !=
          NULL);
    CHECK(ASN1_TIME_adj(X509_getm_notAfter(certificate), (time_t)span->not_after_s, 0, 0) != NULL);
    name = X509_get_subject_name(certificate);
    set_name(name, parts->organisation, parts->name);
    ok = X509_set_issuer_name(certificate,
                              parts->ca == NULL ? name : X509_get_subject_name(parts->ca));
    CHECK(ok == 1);
    ok = X509_set_pubkey(certificate, parts->key);
    CHECK(ok == 1);
    add_extensions(certificate, parts);
    ok = X509_sign(certificate, parts->ca_key, EVP_sha256());
    CHECK(ok > 0);
    append_certificate(certificate, out);
    X509_free(certificate);
    return ST_OK;
}

enum status certificate_ca_new(const char *cluster,
                               const struct certificate_span *span,
                               struct buf *out_certificate,
                               struct buf *out_key,
                               struct err *err)
{
    struct parts parts = { .organisation = cluster };
    uint8_t mark[KEY_ID_SHOWN_BYTES];
    char hex[2 * KEY_ID_SHOWN_BYTES + 1];
    struct buf name = { 0 };
    enum status st;

    if (!node_name_ok(bytes_of_text(cluster), CLUSTER_NAME_BYTES_MAX))
        return err_set(
            err, ST_BAD_INPUT,
            "cluster \"%.64s\": want 1 to %d letters, digits, '.', '_' and '-', the first "
            "a letter or digit, no '.' at the end or beside another",
            cluster, CLUSTER_NAME_BYTES_MAX);
    /* Two CAs of one cluster stand in one bundle while one replaces the other: a person must be
     * able to tell them apart. */
    random_bytes(mark, sizeof mark);
    hex_encode(bytes_of(mark, sizeof mark), hex);
    buf_printf(&name, "Lapwing CA %s", hex);
    parts.name = buf_text(&name);
    parts.ca_key = key_new();
    parts.key = parts.ca_key;
    CHECK(EVP_PKEY_up_ref(parts.key) == 1);
    st = make(&parts, span, out_certificate, err);
    if (st == ST_OK)
        append_key(parts.ca_key, out_key);
    parts_done(&parts);
    buf_done(&name);
    return st;
}

static enum status open_ca(const struct certificate_authority *ca,
                           struct parts *parts,
                           struct err *err)
{
    enum status st = certificate_first(ca->certificate, "CA", &parts->ca, err);

    if (st == ST_OK)
        st = private_key_parse(ca->key, "CA's key", &parts->ca_key, err);
    if (st == ST_OK && X509_check_private_key(parts->ca, parts->ca_key) != 1)
        st = err_set(err, ST_BAD_INPUT, "CA's key: it is not the key of the CA's certificate");
    ERR_clear_error();
    return st;
}

static enum status make_host(struct parts *parts,
                             const struct node_identity *identity,
                             const struct certificate_span *span,
                             struct buf *out,
                             struct err *err)
{
    struct certificate_span limited = *span;
    char cluster[CLUSTER_NAME_BYTES_MAX + 1];
    int64_t from_s;
    int64_t until_s;
    enum status st = certificate_cluster_read(parts->ca, cluster, err);

    if (st == ST_OK)
        st = certificate_dates_read(parts->ca, &from_s, &until_s, err);
    if (st != ST_OK)
        return st;
    if (until_s <= span->not_before_s)
        return err_set(err, ST_BAD_INPUT, "the CA has run out: make a new one");
    if (limited.not_after_s > until_s)
        limited.not_after_s = until_s; /* a later date would say what is not so */
    if (strcmp(cluster, identity->cluster) != 0)
        return err_set(err, ST_BAD_INPUT, "the CA is of cluster %s, the certificate would be of %s",
                       cluster, identity->cluster);
    parts->organisation = identity->cluster;
    parts->name = identity->node;
    return make(parts, &limited, out, err);
}

enum status certificate_issue(const struct certificate_authority *ca,
                              const struct certificate_subject *subject,
                              struct bytes key,
                              const struct certificate_span *span,
                              struct buf *out,
                              struct err *err)
{
    struct parts parts = { 0 };
    enum status st = open_ca(ca, &parts, err);

    if (st == ST_OK)
        st = certificate_names_new(subject, &parts.names, err);
    if (st == ST_OK)
        st = private_key_parse(key, "private key", &parts.key, err);
    if (st == ST_OK)
        st = make_host(&parts, &subject->identity, span, out, err);
    parts_done(&parts);
    return st;
}

static void sign_request(X509_REQ *request, const struct parts *parts)
{
    STACK_OF(X509_EXTENSION) *extensions = NULL;
    int ok = X509V3_add1_i2d(&extensions, NID_subject_alt_name, parts->names, 0, X509V3_ADD_APPEND);

    CHECK(ok == 1);
    ok = X509_REQ_add_extensions(request, extensions);
    CHECK(ok == 1);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    set_name(X509_REQ_get_subject_name(request), parts->organisation, parts->name);
    ok = X509_REQ_set_pubkey(request, parts->key);
    CHECK(ok == 1);
    ok = X509_REQ_sign(request, parts->key, EVP_sha256());
    CHECK(ok > 0);
}

enum status certificate_request_new(const struct certificate_subject *subject,
                                    struct bytes key,
                                    struct buf *out,
                                    struct err *err)
{
    struct parts parts = { .organisation = subject->identity.cluster,
                           .name = subject->identity.node };
    enum status st = certificate_names_new(subject, &parts.names, err);
    X509_REQ *request;
    BIO *bio;
    int ok;

    if (st == ST_OK)
        st = private_key_parse(key, "private key", &parts.key, err);
    if (st == ST_OK) {
        request = X509_REQ_new();
        bio = BIO_new(BIO_s_mem());
        CHECK(request != NULL);
        CHECK(bio != NULL);
        sign_request(request, &parts);
        ok = PEM_write_bio_X509_REQ(bio, request);
        CHECK(ok == 1);
        append_bio(bio, out);
        X509_REQ_free(request);
    }
    parts_done(&parts);
    return st;
}

/* Names and key of a request whose signature is right. */
static enum status open_request(struct bytes pem,
                                struct parts *parts,
                                struct node_identity *out,
                                struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.data == NULL ? (const void *)"" : pem.data, (int)pem.len);
    X509_REQ *request;
    STACK_OF(X509_EXTENSION) * extensions;
    enum status st = ST_OK;

    CHECK(bio != NULL);
    request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (request == NULL || (parts->key = X509_REQ_get_pubkey(request)) == NULL)
        st = err_set(err, ST_BAD_INPUT, "request: no certificate request in it (want PEM)");
    else if (X509_REQ_verify(request, parts->key) != 1)
        st = err_set(err, ST_BAD_INPUT, "request: its signature is wrong");
    ERR_clear_error();
    if (st == ST_OK) {
        extensions = X509_REQ_get_extensions(request);
        parts->names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        st = certificate_identity_of_names(parts->names, out, err);
    }
    X509_REQ_free(request);
    return st;
}

enum status certificate_request_read(struct bytes request,
                                     struct node_identity *out,
                                     struct err *err)
{
    struct parts parts = { 0 };
    enum status st = open_request(request, &parts, out, err);

    parts_done(&parts);
    return st;
}

enum status certificate_sign(const struct certificate_authority *ca,
                             struct bytes request,
                             const struct certificate_span *span,
                             struct buf *out,
                             struct err *err)
{
    struct node_identity identity;
    struct parts parts = { 0 };
    enum status st = open_ca(ca, &parts, err);

    if (st == ST_OK)
        st = open_request(request, &parts, &identity, err);
    if (st == ST_OK)
        st = make_host(&parts, &identity, span, out, err);
    parts_done(&parts);
    return st;
}

enum status certificate_renew(const struct certificate_authority *ca,
                              struct bytes certificate,
                              const struct certificate_span *span,
                              struct buf *out,
                              struct err *err)
{
    struct certificate_facts facts;
    struct parts parts = { 0 };
    X509 *old = NULL;
    enum status st = open_ca(ca, &parts, err);

    if (st == ST_OK)
        st = certificate_first(certificate, "certificate", &old, err);
    if (st == ST_OK)
        st = certificate_facts_read(old, &facts, err);
    if (st == ST_OK) {
        parts.names = X509_get_ext_d2i(old, NID_subject_alt_name, NULL, NULL);
        parts.key = X509_get_pubkey(old);
        if (parts.key == NULL)
            st = err_set(err, ST_BAD_INPUT, "certificate: its key cannot be read");
    }
    if (st == ST_OK)
        st = make_host(&parts, &facts.identity, span, out, err);
    X509_free(old);
    parts_done(&parts);
    return st;
}

struct certificate_span certificate_days(int64_t now_s, unsigned days)
{
    return (struct certificate_span){ now_s - CERTIFICATE_SKEW_S,
                                      now_s + (int64_t)days * CERTIFICATE_DAY_S };
}
