/* GetAccountSettings, and GetFunctionCodeSigningConfig, which has only one answer: nothing here is
 * signed, but Terraform asks for every function and takes an error for a failure. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/api/lambda/account_rules.h"
#include "controlplane/api/lambda/barrier.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/state/account.h"

static void answer_account(struct api_call *call)
{
    struct account_usage usage = { 0 };
    struct err err = { 0 };

    if (state_account_usage(call->api->reader, call->scope.account, call->scope.region, &usage,
                            &err) != ST_OK)
        api_fail_status(call, ST_IO, "read the account's usage");
    else
        api_answer_json(call, 200, account_settings(usage.functions, usage.code_bytes));
}

void lambda_get_account_settings(struct api_call *call)
{
    lambda_after_barrier(call, answer_account, "read the account's usage");
}

static void answer_signing(struct api_call *call)
{
    const struct function_ref *ref = call->data;
    Lapwing__Function *function = NULL;

    if (lambda_row_of(call, ref, &function, &call->error) != ST_OK)
        api_fail(call, &call->error);
    else
        api_answer_json(call, 200, json_pack("{s:s}", "FunctionName", function->name));
    if (function != NULL)
        lapwing__function__free_unpacked(function, NULL);
}

void lambda_get_function_code_signing_config(struct api_call *call)
{
    struct function_ref *ref = must_calloc(1, sizeof *ref);
    enum status st;

    call->data = ref;
    call->data_free = free;
    st = lambda_function_of(call, ref, &call->error);
    if (st == ST_OK && ref->qualifier[0] != '\0' && strcmp(ref->qualifier, "$LATEST") != 0)
        st = api_error_set(&call->error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                           "This operation is permitted on Lambda functions only. Aliases and "
                           "versions do not support this operation. Please specify either a "
                           "function name or an unqualified function ARN.");
    if (st != ST_OK)
        api_fail(call, &call->error);
    else
        lambda_after_barrier(call, answer_signing, "read the function");
}
