/* Reading certificates and PEM texts.  No file, no clock.  Any thread. */
#ifndef BASE_CERTIFICATE_H
#define BASE_CERTIFICATE_H

#include <stdint.h>

#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/certificate_facts.h"
#include "base/node_identity_rules.h"
#include "base/status.h"

/* Read identity and validity of a certificate.  ST_BAD_INPUT: it has none or several identities, or
 * a date that cannot be read. */
enum status certificate_facts_read(X509 *certificate,
                                   struct certificate_facts *out,
                                   struct err *err);

/* The identity among alternative names (NULL: none).  ST_BAD_INPUT: there is none, or several. */
enum status certificate_identity_of_names(const GENERAL_NAMES *names,
                                          struct node_identity *out,
                                          struct err *err);

/* Only the validity, of any certificate. */
enum status certificate_dates_read(X509 *certificate,
                                   int64_t *out_not_before_s,
                                   int64_t *out_not_after_s,
                                   struct err *err);

/* Read up to `max` certificates from a PEM text into a new list, which the caller frees with
 * certificates_free().  `what` names the text in errors.  ST_BAD_INPUT: none, too many, or one
 * that cannot be read. */
enum status certificates_parse(
    struct bytes pem, const char *what, int max, STACK_OF(X509) * *out, struct err *err);
void certificates_free(STACK_OF(X509) * list);

/* The first certificate of a PEM text, of at most CERTIFICATE_CHAIN_MAX; the caller frees it with
 * X509_free(). */
enum status certificate_first(struct bytes pem, const char *what, X509 **out, struct err *err);

/* The cluster that a CA is of (O in its subject).  ST_BAD_INPUT: it is not one of ours. */
enum status certificate_cluster_read(X509 *ca,
                                     char out[CLUSTER_NAME_BYTES_MAX + 1],
                                     struct err *err);

/* Read a private key without a password.  ST_BAD_INPUT: it is something else. */
enum status private_key_parse(struct bytes pem, const char *what, EVP_PKEY **out, struct err *err);

#endif
