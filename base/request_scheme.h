/* "http" or "https": by which of them a client reached us, so that links lead back the same way. */
#ifndef BASE_REQUEST_SCHEME_H
#define BASE_REQUEST_SCHEME_H

#include <stdbool.h>

#include "base/bytes.h"

/* Where functions reach the API, in plain HTTP whatever is spoken between worker and front door. */
#define REQUEST_ENVIRONMENT_HOST "169.254.100.1"

/* host       the request's Host
 * forwarded  X-Forwarded-Proto of a proxy that ends TLS before us, or empty.  A client that makes
 *            it up only misleads itself
 * https      the connection is TLS
 *
 * Static text.  Pure. */
const char *request_scheme(struct bytes host, struct bytes forwarded, bool https);

#endif
