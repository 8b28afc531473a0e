/* See certificate.h. */
#include "base/certificate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.h"

static enum status date_read(const ASN1_TIME *date, int64_t *out_s, struct err *err)
{
    struct tm parts;

    if (date == NULL || ASN1_TIME_to_tm(date, &parts) != 1)
        return err_set(err, ST_BAD_INPUT, "certificate: a date that cannot be read");
    *out_s = timegm(&parts);
    return ST_OK;
}

enum status certificate_dates_read(X509 *certificate,
                                   int64_t *out_not_before_s,
                                   int64_t *out_not_after_s,
                                   struct err *err)
{
    enum status st = date_read(X509_get0_notBefore(certificate), out_not_before_s, err);

    return st == ST_OK ? date_read(X509_get0_notAfter(certificate), out_not_after_s, err) : st;
}

/* Other URIs are allowed beside ours: only the scheme says which is meant. */
static bool is_ours(const GENERAL_NAME *name, struct bytes *out_uri)
{
    const size_t scheme = sizeof NODE_IDENTITY_SCHEME - 1;

    if (name->type != GEN_URI)
        return false;
    *out_uri = bytes_of(ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
                        (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
    return out_uri->len >= scheme && memcmp(out_uri->data, NODE_IDENTITY_SCHEME, scheme) == 0;
}

enum status certificate_identity_of_names(const GENERAL_NAMES *names,
                                          struct node_identity *out,
                                          struct err *err)
{
    struct bytes uri;
    struct bytes found = { 0 };
    int count = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!is_ours(sk_GENERAL_NAME_value(names, i), &uri))
            continue;
        found = uri;
        count++;
    }
    if (count != 1)
        return err_set(err, ST_BAD_INPUT,
                       "certificate: %d names of the form " NODE_IDENTITY_SCHEME
                       "CLUSTER/ROLE/ZONE/NODE, want one",
                       count);
    return node_identity_parse(found, out, err);
}

enum status certificate_facts_read(X509 *certificate,
                                   struct certificate_facts *out,
                                   struct err *err)
{
    struct certificate_facts facts = { 0 };
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    enum status st = certificate_identity_of_names(names, &facts.identity, err);

    GENERAL_NAMES_free(names);
    if (st == ST_OK)
        st = certificate_dates_read(certificate, &facts.not_before_s, &facts.not_after_s, err);
    if (st == ST_OK)
        *out = facts;
    return st;
}

enum status certificates_parse(
    struct bytes pem, const char *what, int max, STACK_OF(X509) * *out, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.data == NULL ? (const void *)"" : pem.data, (int)pem.len);
    STACK_OF(X509) *list = sk_X509_new_null();
    enum status st = ST_OK;
    X509 *one;

    CHECK(bio != NULL);
    CHECK(list != NULL);
    ERR_clear_error();
    while ((one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        int rv = sk_X509_push(list, one);

        CHECK(rv > 0);
        if (sk_X509_num(list) > max)
            break;
    }
    if (sk_X509_num(list) > max)
        st = err_set(err, ST_BAD_INPUT, "%s: more than %d certificates", what, max);
    else if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        st = err_set(err, ST_BAD_INPUT, "%s: certificate %d cannot be read (want PEM)", what,
                     sk_X509_num(list) + 1);
    else if (sk_X509_num(list) == 0)
        st = err_set(err, ST_BAD_INPUT, "%s: no certificate in it (want PEM)", what);
    ERR_clear_error();
    BIO_free(bio);
    if (st == ST_OK)
        *out = list;
    else
        certificates_free(list);
    return st;
}

void certificates_free(STACK_OF(X509) * list)
{
    sk_X509_pop_free(list, X509_free);
}

/* Without it OpenSSL would ask at the terminal. */
static int no_password(char *out, int size, int writing, void *context)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

enum status private_key_parse(struct bytes pem, const char *what, EVP_PKEY **out, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(pem.data == NULL ? (const void *)"" : pem.data, (int)pem.len);
    EVP_PKEY *key;

    CHECK(bio != NULL);
    key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL)
        return err_set(err, ST_BAD_INPUT, "%s: no private key in it (want PEM, without password)",
                       what);
    *out = key;
    return ST_OK;
}

enum status certificate_first(struct bytes pem, const char *what, X509 **out, struct err *err)
{
    STACK_OF(X509) * list;
    enum status st = certificates_parse(pem, what, CERTIFICATE_CHAIN_MAX, &list, err);

    if (st != ST_OK)
        return st;
    *out = sk_X509_value(list, 0);
    CHECK(X509_up_ref(*out) == 1);
    certificates_free(list);
    return ST_OK;
}

enum status certificate_cluster_read(X509 *ca,
                                     char out[CLUSTER_NAME_BYTES_MAX + 1],
                                     struct err *err)
{
    char text[CLUSTER_NAME_BYTES_MAX + 2]; /* one more: what is too long must not be cut to fit */
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(ca), NID_organizationName, text,
                                        sizeof text);

    if (X509_check_ca(ca) == 0)
        return err_set(err, ST_BAD_INPUT, "CA: the certificate is not of a CA");
    if (len <= 0 || !node_name_ok(bytes_of(text, (size_t)len), CLUSTER_NAME_BYTES_MAX))
        return err_set(
            err, ST_BAD_INPUT,
            "CA: its subject does not name a cluster (O): it is not of lapwing certs ca");
    memcpy(out, text, (size_t)len + 1);
    return ST_OK;
}

enum certificate_urgency certificate_urgency(int64_t not_after_s, int64_t now_s)
{
    int64_t left_s = not_after_s - now_s;

    if (left_s < (int64_t)CERTIFICATE_ALARM_DAYS * CERTIFICATE_DAY_S)
        return CERTIFICATE_ALARM;
    return left_s < (int64_t)CERTIFICATE_WARN_DAYS * CERTIFICATE_DAY_S ? CERTIFICATE_WARN
                                                                       : CERTIFICATE_FINE;
}
