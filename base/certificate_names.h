/* The alternative names of a certificate: the identity's URI, then host names and addresses. */
#ifndef BASE_CERTIFICATE_NAMES_H
#define BASE_CERTIFICATE_NAMES_H

#include <openssl/x509v3.h>

#include "base/certificate_make.h"

/* Is it a host name as a certificate may have it (letters, digits, '-', '.'; perhaps "*." first) or
 * an address? */
bool certificate_host_ok(const char *host);

/* A new list; the caller frees it with GENERAL_NAMES_free().  ST_BAD_INPUT names what is not a
 * name. */
enum status certificate_names_new(const struct certificate_subject *subject,
                                  GENERAL_NAMES **out,
                                  struct err *err);

/* Is every name of `wanted` in `names`?  NULL is an empty list. */
bool certificate_names_hold(const GENERAL_NAMES *names, const GENERAL_NAMES *wanted);

/* Append them as "IP:10.0.0.1 DNS:a.example", for a person. */
void certificate_names_show(const GENERAL_NAMES *names, struct buf *out);

#endif
