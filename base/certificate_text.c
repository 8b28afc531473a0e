/* See certificate_text.h. */
#include "base/certificate_text.h"

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/certificate.h"
#include "base/certificate_names.h"
#include "base/check.h"

enum status certificate_ca_cluster(struct bytes certificate,
                                   char out[CLUSTER_NAME_BYTES_MAX + 1],
                                   struct err *err)
{
    X509 *ca;
    enum status st = certificate_first(certificate, "CA", &ca, err);

    if (st != ST_OK)
        return st;
    st = certificate_cluster_read(ca, out, err);
    X509_free(ca);
    return st;
}

bool certificate_is_of(struct bytes ca_certificate, struct bytes certificate)
{
    X509 *ca = NULL;
    X509 *one = NULL;
    bool is = certificate_first(ca_certificate, "CA", &ca, NULL) == ST_OK &&
              certificate_first(certificate, "certificate", &one, NULL) == ST_OK &&
              X509_check_issued(ca, one) == X509_V_OK &&
              X509_verify(one, X509_get0_pubkey(ca)) == 1;

    ERR_clear_error();
    X509_free(ca);
    X509_free(one);
    return is;
}

bool certificate_is_due(int64_t not_before_s,
                        int64_t not_after_s,
                        int64_t now_s,
                        unsigned within_days)
{
    int64_t left_s = not_after_s - now_s;

    return left_s < (not_after_s - not_before_s) / 3 ||
           left_s < (int64_t)within_days * CERTIFICATE_DAY_S;
}

enum status certificate_facts_of(struct bytes certificate,
                                 struct certificate_facts *out,
                                 struct err *err)
{
    X509 *one;
    enum status st = certificate_first(certificate, "certificate", &one, err);

    if (st != ST_OK)
        return st;
    st = certificate_facts_read(one, out, err);
    X509_free(one);
    return st;
}

enum status certificate_dates_of(struct bytes certificate,
                                 int64_t *out_not_before_s,
                                 int64_t *out_not_after_s,
                                 struct err *err)
{
    X509 *one;
    enum status st = certificate_first(certificate, "certificate", &one, err);

    if (st != ST_OK)
        return st;
    st = certificate_dates_read(one, out_not_before_s, out_not_after_s, err);
    X509_free(one);
    return st;
}

bool certificate_is_for(struct bytes certificate, const struct certificate_subject *subject)
{
    GENERAL_NAMES *names = NULL;
    GENERAL_NAMES *wanted = NULL;
    X509 *one = NULL;
    bool is = certificate_names_new(subject, &wanted, NULL) == ST_OK &&
              certificate_first(certificate, "certificate", &one, NULL) == ST_OK;

    if (is) {
        names = X509_get_ext_d2i(one, NID_subject_alt_name, NULL, NULL);
        is = certificate_names_hold(names, wanted);
    }
    ERR_clear_error();
    GENERAL_NAMES_free(names);
    GENERAL_NAMES_free(wanted);
    X509_free(one);
    return is;
}

bool certificate_has_key(struct bytes certificate, struct bytes key)
{
    X509 *one = NULL;
    EVP_PKEY *private = NULL;
    bool has = certificate_first(certificate, "certificate", &one, NULL) == ST_OK &&
               private_key_parse(key, "private key", &private, NULL) == ST_OK &&
               X509_check_private_key(one, private) == 1;

    ERR_clear_error();
    X509_free(one);
    EVP_PKEY_free(private);
    return has;
}

static void show_date(const char *what, int64_t at_s, struct buf *out)
{
    time_t at = (time_t)at_s;
    struct tm parts;
    char text[32];

    CHECK(gmtime_r(&at, &parts) != NULL);
    CHECK(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) > 0);
    buf_printf(out, "%s%s", what, text);
}

static void show_dates(int64_t from_s, int64_t until_s, int64_t now_s, struct buf *out)
{
    show_date("  valid from   ", from_s, out);
    show_date("\n  valid until  ", until_s, out);
    if (now_s > until_s)
        buf_append_text(out, "  (it has run out)\n");
    else if (now_s < from_s)
        buf_append_text(out, "  (not valid yet)\n");
    else
        buf_printf(out, "  (%lld days left)\n", (long long)((until_s - now_s) / CERTIFICATE_DAY_S));
}

static void show_print(X509 *certificate, struct buf *out)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned len = 0;

    CHECK(X509_digest(certificate, EVP_sha256(), digest, &len) == 1);
    hex_encode(bytes_of(digest, len), hex);
    buf_printf(out, "  sha256       %s\n", hex);
}

/* Names as RFC 2253 writes them: what is not printable is escaped. */
static void show_name(const char *what, const X509_NAME *name, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long len;

    CHECK(bio != NULL);
    buf_append_text(out, what);
    (void)X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
    len = BIO_get_mem_data(bio, &data);
    buf_append(out, data, (size_t)len);
    BIO_free(bio);
    buf_append_text(out, "\n");
}

static void show(X509 *certificate, int64_t now_s, struct buf *out)
{
    struct certificate_facts facts = { 0 };
    struct err err;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char uri[NODE_IDENTITY_URI_BYTES];

    if (certificate_facts_read(certificate, &facts, &err) == ST_OK) {
        node_identity_uri(&facts.identity, uri);
        buf_printf(out, "  identity     %s\n  hosts       ", uri);
        certificate_names_show(names, out);
        buf_append_text(out, "\n");
    } else if (X509_check_ca(certificate) != 0) {
        buf_append_text(out, "  a CA\n");
    } else {
        buf_printf(out, "  no identity  (%s)\n", err.text);
    }
    GENERAL_NAMES_free(names);
    show_name("  subject      ", X509_get_subject_name(certificate), out);
    show_name("  issuer       ", X509_get_issuer_name(certificate), out);
    if (certificate_dates_read(certificate, &facts.not_before_s, &facts.not_after_s, &err) == ST_OK)
        show_dates(facts.not_before_s, facts.not_after_s, now_s, out);
    show_print(certificate, out);
}

enum status certificate_describe(struct bytes certificate,
                                 int64_t now_s,
                                 struct buf *out,
                                 struct err *err)
{
    STACK_OF(X509) * list;
    enum status st =
        certificates_parse(certificate, "certificate", CERTIFICATE_AUTHORITIES_MAX, &list, err);

    if (st != ST_OK)
        return st;
    for (int i = 0; i < sk_X509_num(list); i++)
        show(sk_X509_value(list, i), now_s, out);
    certificates_free(list);
    return ST_OK;
}
