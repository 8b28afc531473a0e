/* What a node tells a collector, in the text format of Prometheus.  Pure. */
#ifndef CONTROLPLANE_API_ADMIN_METRICS_RULES_H
#define CONTROLPLANE_API_ADMIN_METRICS_RULES_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/tls.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* When each certificate runs out, as unix time; appended. */
void metrics_certificates(const struct tls_expiry *list, size_t count, struct buf *out);

#endif
