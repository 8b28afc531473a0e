/* Buckets that are named by the Host header, which the front door and the object store must see the
 * same way.  Pure.
 *
 *   BUCKET.localhost   BUCKET.s3.ANY   BUCKET.s3-ANY   BUCKET.DOMAIN       each with or without a
 * port
 *
 * DOMAIN is a setting: the name under which a cluster's buckets are hosts. */
#ifndef BASE_S3_HOST_H
#define BASE_S3_HOST_H

#include <stdbool.h>

#include "base/bytes.h"

/* The bucket, as a view into `host`; empty for path style.  `domain` may be NULL. */
struct bytes s3_host_bucket(struct bytes host, const char *domain);
/* Is the host S3's alone: one with a bucket, s3.ANY, s3-ANY, or DOMAIN itself? */
bool s3_host_is_s3(struct bytes host, const char *domain);
/* Four numbers with dots between, or nearly: what no bucket may be called. */
bool s3_host_is_ipv4(struct bytes name);

#endif
