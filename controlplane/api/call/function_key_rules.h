/* What the key of a function may do.
 *
 * Pure.  A function gets keys so that its code can use S3 and call other functions; until policies
 * say more, that is all they are good for.  S3 requests never come here: the object store judges
 * them, and keeps the internal buckets to itself. */
#ifndef CONTROLPLANE_API_CALL_FUNCTION_KEY_RULES_H
#define CONTROLPLANE_API_CALL_FUNCTION_KEY_RULES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "controlplane/api/call/error_rules.h"
#include "controlplane/api/call/route_rules.h"

/* May it call `operation` of the service?  What has no name ("") it may not. */
bool function_key_allows(enum route_service service, const char *operation);

/* Append the ARN under which the code of a function acts: a session of its role, with the
 * function's name.
 *
 * role   ARN of the role, or its name */
void function_session_arn(const char *account, const char *role, const char *name, struct buf *out);

/* Fill `error` with AWS's words for what function_key_allows() said no to.
 *
 * session    as function_session_arn() writes it
 * service    "lambda", "lapwing": before the colon of the action
 * operation  "" when the request has none that is known
 * resource   an ARN, or "*" for what belongs to no single function
 *
 * Returns ST_DENIED. */
enum status function_key_refuse(struct api_error *error,
                                const char *session,
                                const char *service,
                                const char *operation,
                                const char *resource);

/* Refuse an operation on a function of another account: there are no policies that would allow it.
 * session: who asks. */
enum status function_foreign_refuse(struct api_error *error,
                                    const char *session,
                                    const char *operation,
                                    const char *resource);

#endif
