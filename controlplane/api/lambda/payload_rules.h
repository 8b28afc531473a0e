/* Is this payload JSON?  AWS refuses an event that is not before any function sees it.
 *
 * Pure, allocates nothing: a scan, not a tree.  About 400 MB a second. */
#ifndef CONTROLPLANE_API_LAMBDA_PAYLOAD_RULES_H
#define CONTROLPLANE_API_LAMBDA_PAYLOAD_RULES_H

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/api/call/error_rules.h"

enum { PAYLOAD_DEPTH_MAX = 1000 };

/* ST_BAD_INPUT with AWS's text, which names the place.  An empty payload is allowed. */
enum status payload_check(struct bytes payload, struct api_error *error);

#endif
