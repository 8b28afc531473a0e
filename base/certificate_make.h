/* Making CAs, keys, certificates and requests for them; all as PEM texts.  No file and no clock.
 *
 * Keys are EC P-256: a handshake costs a third of what RSA-2048 takes, and unlike Ed25519 every TLS
 * library, browser and tool takes them. */
#ifndef BASE_CERTIFICATE_MAKE_H
#define BASE_CERTIFICATE_MAKE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/certificate_text.h"
#include "base/node_identity_rules.h"
#include "base/status.h"

/* Two hosts' clocks may differ by so much when a certificate is new. */
enum { CERTIFICATE_SKEW_S = 300 };

struct certificate_span {
    int64_t not_before_s; /* seconds since the epoch */
    int64_t not_after_s;
};

/* The CA: its certificate and key. */
struct certificate_authority {
    struct bytes certificate;
    struct bytes key;
};

/* What a certificate is for. */
struct certificate_subject {
    struct node_identity identity;
    size_t host_count;
    const char *const
        *hosts; /* DNS names and addresses by which HTTPS clients know it; may be none */
};

/* A new private key, appended. */
void certificate_key_new(struct buf *out_key);

/* A new CA for a cluster, of a new key: both appended.  Its certificate names the cluster (O) and
 * can sign hosts, not further CAs.  ST_BAD_INPUT: not a name for a cluster. */
enum status certificate_ca_new(const char *cluster,
                               const struct certificate_span *span,
                               struct buf *out_certificate,
                               struct buf *out_key,
                               struct err *err);

/* Sign a certificate for a key that is here; appended.  It lasts no longer than its CA.
 * ST_BAD_INPUT: identity, host, key or CA, also one that has run out by the certificate's
 * beginning. */
enum status certificate_issue(const struct certificate_authority *ca,
                              const struct certificate_subject *subject,
                              struct bytes key,
                              const struct certificate_span *span,
                              struct buf *out,
                              struct err *err);

/* A request for a certificate, made where the key is; appended. */
enum status certificate_request_new(const struct certificate_subject *subject,
                                    struct bytes key,
                                    struct buf *out,
                                    struct err *err);

/* Who a request says that it is for, and whether its signature proves the key. */
enum status certificate_request_read(struct bytes request,
                                     struct node_identity *out,
                                     struct err *err);

/* Sign what a request asks for, after the caller has agreed to the identity in it; appended. */
enum status certificate_sign(const struct certificate_authority *ca,
                             struct bytes request,
                             const struct certificate_span *span,
                             struct buf *out,
                             struct err *err);

/* The same certificate again with other dates, by this CA: names and key stay, so the key is not
 * needed; appended.  The caller knows who signed the old one: nothing here asks. */
enum status certificate_renew(const struct certificate_authority *ca,
                              struct bytes certificate,
                              const struct certificate_span *span,
                              struct buf *out,
                              struct err *err);

/* From a little before now for so many days. */
struct certificate_span certificate_days(int64_t now_s, unsigned days);

#endif
