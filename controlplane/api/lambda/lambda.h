/* The operations of the Lambda API that are built, and what they share. */
#ifndef CONTROLPLANE_API_LAMBDA_LAMBDA_H
#define CONTROLPLANE_API_LAMBDA_LAMBDA_H

#include "controlplane/api/call/call.h"
#include "controlplane/api/lambda/function_name.h"

/* The operation that a call asks for; NULL with `error` filled when it is none, or not built. */
const struct api_operation *lambda_operation_find(struct api_call *call, struct api_error *error);

/* Each starts one call whose signature is right, and answers it in the end. */
void lambda_create_function(struct api_call *call);
void lambda_update_function_code(struct api_call *call);
void lambda_update_function_configuration(struct api_call *call);
void lambda_publish_version(struct api_call *call);
void lambda_delete_function(struct api_call *call);
void lambda_get_function(struct api_call *call);
void lambda_get_function_configuration(struct api_call *call);
void lambda_list_functions(struct api_call *call);
void lambda_get_function_code_signing_config(struct api_call *call);
void lambda_get_account_settings(struct api_call *call);
void lambda_list_tags(struct api_call *call);
void lambda_tag_resource(struct api_call *call);
void lambda_untag_resource(struct api_call *call);
void lambda_list_versions(struct api_call *call);
void lambda_invoke(struct api_call *call);
/* Before that, on whatever thread: is the payload JSON? */
void lambda_invoke_prepare(struct api_call *call);

/* The function that path and parameter Qualifier name.  `error` is filled on refusal. */
enum status lambda_function_of(const struct api_call *call,
                               struct function_ref *out_ref,
                               struct api_error *error);

/* Its row in this node's state, that of the version that is named.  ST_NOT_FOUND, with AWS's text,
 * also for a qualifier that could only be an alias: there are none yet.  The caller frees what it
 * gets. */
enum status lambda_row_of(const struct api_call *call,
                          const struct function_ref *ref,
                          Lapwing__Function **out,
                          struct api_error *error);

/* Log that a body is not what it must be in the way that the aws command of version 2 causes: it
 * takes text for base64 and sends what that decodes to.  Its own words do not say so. */
void lambda_log_cli_hint(const struct api_call *call, const char *event, const char *function);

/* Append a URL that the zip can be fetched from for ten minutes, with nothing but it, through the
 * host that the request names.  ST_BAD_INPUT: that is no host. */
enum status lambda_code_location(const struct api_call *call,
                                 struct bytes code_sha256,
                                 struct buf *out,
                                 struct api_error *error);

/* Propose that a function which waits becomes active; the outcome is only logged.  A pending one
 * that is looked at is proposed again, so that a front door which died leaves none behind. */
void lambda_activate(struct api *api, const Lapwing__Function *function);

#endif
