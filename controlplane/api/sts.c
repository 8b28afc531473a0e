/* STS: who am I? */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/api/call/function_key_rules.h"
#include "controlplane/api/sts.h"

static void get_caller_identity(struct api_call *call)
{
    const char *account = call->scope.account;
    const Lapwing__Function *caller = call->caller;
    struct buf arn = { 0 };
    struct buf user = { 0 };
    struct buf out = { 0 };

    if (caller != NULL) {
        function_session_arn(account, caller->role, caller->name, &arn);
        buf_printf(&user, "AROA%.16s:%s", caller->uid, caller->name);
    } else {
        buf_printf(&arn, "arn:aws:iam::%s:root", account);
        buf_append_text(&user, account);
    }
    buf_append_text(
        &out, "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
              "<GetCallerIdentityResult><Arn>");
    api_append_xml_text(&out, buf_text(&arn));
    buf_append_text(&out, "</Arn><UserId>");
    api_append_xml_text(&out, buf_text(&user));
    buf_printf(&out,
               "</UserId><Account>%s</Account></GetCallerIdentityResult><ResponseMetadata>"
               "<RequestId>%s</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n",
               account, call->request_id);
    api_answer(call, 200, "text/xml", buf_view(&out));
    buf_done(&arn);
    buf_done(&user);
    buf_done(&out);
}

const struct api_operation *sts_operation_find(struct api_call *call, struct api_error *error)
{
    static const struct api_operation identity = { "GetCallerIdentity", API_FORM_BYTES_MAX,
                                                   get_caller_identity, NULL };

    if (strcmp(call->route.action, identity.name) == 0)
        return &identity;
    (void)api_error_not_built(error, "sts", call->route.action);
    return NULL;
}
