/* Which of Lambda's operations are built, and what they share.  See lambda.h. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/api/call/function_key_rules.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/functions.h"

enum {
    SMALL_BODY_BYTES = 65536,
    TAGS_BODY_BYTES = 8 * TAGS_BYTES_MAX, /* as JSON that escapes every character */
    UPDATE_BYTES_MAX = API_CREATE_BYTES_MAX,
};

static const struct api_operation built[] = {
    { "CreateFunction", API_CREATE_BYTES_MAX, lambda_create_function, NULL },
    { "UpdateFunctionCode", UPDATE_BYTES_MAX, lambda_update_function_code, NULL },
    { "UpdateFunctionConfiguration", SMALL_BODY_BYTES, lambda_update_function_configuration, NULL },
    { "PublishVersion", SMALL_BODY_BYTES, lambda_publish_version, NULL },
    { "ListVersionsByFunction", SMALL_BODY_BYTES, lambda_list_versions, NULL },
    { "DeleteFunction", SMALL_BODY_BYTES, lambda_delete_function, NULL },
    { "GetFunction", SMALL_BODY_BYTES, lambda_get_function, NULL },
    { "GetFunctionConfiguration", SMALL_BODY_BYTES, lambda_get_function_configuration, NULL },
    { "ListFunctions", SMALL_BODY_BYTES, lambda_list_functions, NULL },
    { "GetFunctionCodeSigningConfig", SMALL_BODY_BYTES, lambda_get_function_code_signing_config,
      NULL },
    { "GetAccountSettings", SMALL_BODY_BYTES, lambda_get_account_settings, NULL },
    { "ListTags", SMALL_BODY_BYTES, lambda_list_tags, NULL },
    { "TagResource", TAGS_BODY_BYTES, lambda_tag_resource, NULL },
    { "UntagResource", SMALL_BODY_BYTES, lambda_untag_resource, NULL },
    { "Invoke", INVOKE_BYTES_MAX, lambda_invoke, lambda_invoke_prepare },
};

const struct api_operation *lambda_operation_find(struct api_call *call, struct api_error *error)
{
    if (!lambda_operation_match(call->method, call->path, call->query, &call->match)) {
        (void)api_error_set(error, ST_NOT_FOUND, API_UNKNOWN_OPERATION,
                            "Unknown operation: %.16s %.256s", call->method, call->path);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(built); i++)
        if (strcmp(built[i].name, call->match.operation->name) == 0)
            return &built[i];
    (void)api_error_not_built(error, "lambda", call->match.operation->name);
    return NULL;
}

/* Another account's function, whichever way it was named. */
static enum status refuse_foreign(const struct api_call *call,
                                  const char *name,
                                  struct api_error *error)
{
    const Lapwing__Function *caller = call->caller;
    struct buf session = { 0 };
    struct buf resource = { 0 };
    enum status st;

    if (caller != NULL)
        function_session_arn(call->scope.account, caller->role, caller->name, &session);
    else
        buf_printf(&session, "arn:aws:iam::%s:root", call->scope.account);
    if (strncmp(name, "arn:", 4) != 0)
        buf_append_text(&resource, "arn:aws:lambda:");
    if (name[0] >= '0' && name[0] <= '9')
        buf_printf(&resource, "%s:", call->scope.region);
    buf_append_text(&resource, name);
    st = function_foreign_refuse(error, buf_text(&session), call->match.operation->name,
                                 buf_text(&resource));
    buf_done(&session);
    buf_done(&resource);
    return st;
}

enum status lambda_function_of(const struct api_call *call,
                               struct function_ref *out_ref,
                               struct api_error *error)
{
    struct bytes text = bytes_of(call->match.parameters[0].text, call->match.parameters[0].len);
    char *qualifier = api_parameter(call, "Qualifier");
    struct buf name = { 0 };
    enum status st = http_percent_decode(text, false, &name);

    if (st == ST_OK)
        st = function_ref_parse(buf_text(&name), qualifier, &call->scope,
                                function_name_form_of(call->match.operation->name), out_ref, error);
    else
        st = api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                           "1 validation error detected: Value at 'functionName' failed to satisfy "
                           "constraint: it cannot be decoded");
    if (st == ST_DENIED)
        st = refuse_foreign(call, buf_text(&name), error);
    buf_done(&name);
    free(qualifier);
    return st;
}

enum status lambda_row_of(const struct api_call *call,
                          const struct function_ref *ref,
                          Lapwing__Function **out,
                          struct api_error *error)
{
    struct function_key key = { call->scope.account, call->scope.region, ref->name, 0 };
    char arn[FUNCTION_ARN_BYTES_MAX];
    struct err err = { 0 };
    enum status st = ST_NOT_FOUND;

    if (function_ref_version(ref, &key.version))
        st = state_get_version(call->api->reader, &key, out, &err);
    if (st == ST_OK)
        return ST_OK;
    function_arn(&call->scope, ref->name, ref->qualifier, arn);
    if (st == ST_NOT_FOUND)
        return api_error_set(error, st, API_NOT_FOUND, "Function not found: %s", arn);
    return api_error_set(error, st, API_SERVICE, "read %s: %s", ref->name, err.text);
}

void lambda_log_cli_hint(const struct api_call *call, const char *event, const char *function)
{
    log_event(LOG_INFO, event, LS("request", call->request_id), LS("function", function),
              LS("hint", "with the aws command, a payload or zip given as text needs "
                         "--cli-binary-format raw-in-base64-out, and a file fileb://"),
              LS("then", "told the client"));
}

static void activate_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    /* Refused means that somebody else did it, or that the function has moved on: both are fine. */
    if (st != ST_OK)
        log_event(LOG_WARN, "function_not_activated", LS("why", status_name(st)),
                  LS("then", "whoever looks at the function next proposes it again"));
}

void lambda_activate(struct api *api, const Lapwing__Function *function)
{
    Lapwing__ActivateFunction body = LAPWING__ACTIVATE_FUNCTION__INIT;
    char revision[UUID_TEXT_BYTES];
    uint8_t packed[1024];
    size_t len;

    if (function->state == LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE &&
        function->update_status != LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS)
        return;
    uuid_text(revision);
    body.account = function->account;
    body.region = function->region;
    body.name = function->name;
    body.uid = function->uid;
    body.from_revision_id = function->revision_id;
    body.revision_id = revision;
    len = lapwing__activate_function__get_packed_size(&body);
    CHECK(len <= sizeof packed);
    (void)lapwing__activate_function__pack(&body, packed);
    (void)replica_propose(api->options.control_client, LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION,
                          bytes_of(packed, len), API_PROPOSE_MS, activate_cb, NULL);
}
