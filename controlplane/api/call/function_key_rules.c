/* The little that function keys may do, and how the rest is refused.  See function_key_rules.h. */
#include "controlplane/api/call/function_key_rules.h"

#include <string.h>

#include "base/check.h"

static const struct {
    enum route_service service;
    const char *operation;
} allowed[] = {
    { ROUTE_LAMBDA, "Invoke" },
    { ROUTE_STS, "GetCallerIdentity" },
};

/* Actions of policies that are not called as their operation is. */
static const struct {
    const char *operation;
    const char *action;
} actions[] = {
    { "Invoke", "InvokeFunction" },
    { "InvokeWithResponseStream", "InvokeFunction" },
    { "GetLayerVersionByArn", "GetLayerVersion" },
};

bool function_key_allows(enum route_service service, const char *operation)
{
    if (service == ROUTE_S3)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        if (allowed[i].service == service && strcmp(allowed[i].operation, operation) == 0)
            return true;
    return false;
}

void function_session_arn(const char *account, const char *role, const char *name, struct buf *out)
{
    const char *slash = strrchr(role, '/');

    buf_printf(out, "arn:aws:sts::%s:assumed-role/%s/%s", account, slash == NULL ? role : slash + 1,
               name);
}

/* What policies call an operation. */
static const char *action_of(const char *service, const char *operation)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (strcmp(service, "lambda") == 0 && strcmp(actions[i].operation, operation) == 0)
            return actions[i].action;
    return operation[0] == '\0' ? "UnknownOperation" : operation;
}

enum status function_foreign_refuse(struct api_error *error,
                                    const char *session,
                                    const char *operation,
                                    const char *resource)
{
    const char *action = action_of("lambda", operation);

    return api_error_set(error, ST_DENIED, API_ACCESS_DENIED,
                         "User: %s is not authorized to perform: lambda:%s on resource: %s because "
                         "no resource-based policy allows the lambda:%s action",
                         session, action, resource, action);
}

enum status function_key_refuse(struct api_error *error,
                                const char *session,
                                const char *service,
                                const char *operation,
                                const char *resource)
{
    const char *action = action_of(service, operation);

    return api_error_set(error, ST_DENIED, API_ACCESS_DENIED,
                         "User: %s is not authorized to perform: %s:%s on resource: %s because no "
                         "identity-based policy allows the %s:%s action",
                         session, service, action, resource, service, action);
}
