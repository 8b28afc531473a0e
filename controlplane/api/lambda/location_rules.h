/* Where a client reaches us: the beginning of a URL that its own request speaks for.
 *
 * Pure.  A link to code must lead through the front door that the client used, under the name that
 * it used for it, for nothing else is known to be reachable from where the client is. */
#ifndef CONTROLPLANE_API_LAMBDA_LOCATION_RULES_H
#define CONTROLPLANE_API_LAMBDA_LOCATION_RULES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

enum { LOCATION_HOST_BYTES_MAX = 261 }; /* a name of 255 bytes and a port */

/* Read the Host of a request.
 *
 * host        the header's value
 * forwarded   X-Forwarded-Proto of a proxy that ends TLS before us, or empty
 * https       it came over TLS
 * out_scheme  "http" or "https", as request_scheme()
 * out_host    host and port for the link and its signature; a view into `host`
 *
 * NAME.localhost becomes localhost: the S3 side would take NAME for a bucket, and both are this
 * machine.  ST_BAD_INPUT: no host that a URL could have. */
enum status location_host(struct bytes host,
                          struct bytes forwarded,
                          bool https,
                          const char **out_scheme,
                          struct bytes *out_host);

#endif
