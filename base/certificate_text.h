/* Questions about a certificate as a PEM text.  No file and no clock. */
#ifndef BASE_CERTIFICATE_TEXT_H
#define BASE_CERTIFICATE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/certificate_facts.h"
#include "base/status.h"

struct certificate_subject; /* certificate_make.h */

/* The cluster that a CA is of.  ST_BAD_INPUT: it is not one of ours. */
enum status certificate_ca_cluster(struct bytes certificate,
                                   char out[CLUSTER_NAME_BYTES_MAX + 1],
                                   struct err *err);

/* Should this one be signed again: less than a third of its life, or less than `within_days`, is
 * left? 0 for within_days: only the third.  Pure. */
bool certificate_is_due(int64_t not_before_s,
                        int64_t not_after_s,
                        int64_t now_s,
                        unsigned within_days);

/* Read who and how long from a PEM text.  ST_BAD_INPUT as certificate_facts_read(). */
enum status certificate_facts_of(struct bytes certificate,
                                 struct certificate_facts *out,
                                 struct err *err);

/* Only the dates, of any certificate. */
enum status certificate_dates_of(struct bytes certificate,
                                 int64_t *out_not_before_s,
                                 int64_t *out_not_after_s,
                                 struct err *err);

/* Has the certificate all names of the subject?  It may have more hosts. */
bool certificate_is_for(struct bytes certificate, const struct certificate_subject *subject);

/* Is this the private key of the certificate? */
bool certificate_has_key(struct bytes certificate, struct bytes key);

/* Has the CA signed this certificate, whatever its dates? */
bool certificate_is_of(struct bytes ca_certificate, struct bytes certificate);

/* What a certificate says, a line each, for a person; appended.  ST_BAD_INPUT: it is none. */
enum status certificate_describe(struct bytes certificate,
                                 int64_t now_s,
                                 struct buf *out,
                                 struct err *err);

#endif
