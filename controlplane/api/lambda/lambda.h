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

/* Propose that a function which waits becomes active; the outcome is only logged.  A pending one
 * that is looked at is proposed again, so that a front door which died leaves none behind. */
void lambda_activate(struct api *api, const Lapwing__Function *function);

#endif
