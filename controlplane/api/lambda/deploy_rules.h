/* What the steps of a deployment mean for the client.  Pure. */
#ifndef CONTROLPLANE_API_LAMBDA_DEPLOY_RULES_H
#define CONTROLPLANE_API_LAMBDA_DEPLOY_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "controlplane/api/call/error_rules.h"
#include "proto/command.pb-c.h"
#include "proto/invoke.pb-c.h"

/* May this function be changed or published now?  ST_CONFLICT while an earlier change is in
 * progress, or when the client expects another revision (NULL: any). */
enum status deploy_update_allowed(const Lapwing__Function *function,
                                  const char *expected_revision_id,
                                  struct api_error *error);

/* Is the code of the function what the client expects, base64 of its SHA-256 (NULL: any)? */
enum status deploy_code_expected(const Lapwing__Function *function,
                                 const char *expected_sha256,
                                 struct api_error *error);

/* May a function have this runtime?  Only what a worker of this cluster has: another version is
 * never taken in its place, unless the workers say by themselves that they take its name.
 *
 * present   what the workers have, `count` of them; none while no worker is known: then every name
 *           that AWS takes is taken, and its functions wait for a worker
 *
 * ST_BAD_INPUT in AWS's words, with the runtimes of this cluster as the list of what is allowed. */
enum status deploy_runtime_verdict(const char *runtime,
                                   const char *const *present,
                                   size_t count,
                                   struct api_error *error);

/* What a worker found in the package. */
enum status deploy_package_verdict(const Lapwing__PackageChecked *checked, struct api_error *error);

/* What the replicated state said to the command.
 *
 * before                the row that was looked at, NULL for a creation
 * client_named_revision else a moved revision means that somebody else is changing the function */
enum status deploy_outcome_verdict(const Lapwing__Outcome *outcome,
                                   const Lapwing__Function *before,
                                   bool client_named_revision,
                                   struct api_error *error);

#endif
