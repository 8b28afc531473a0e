/* Routing: pure text in, a decision out.  See route_rules.h. */
#include "controlplane/api/call/route_rules.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/s3_host.h"

/* Facts: the service models of the SDKs.  The first ones are told apart from a sibling by a query
 * parameter and must be tried before it. */
// clang-format off
static const struct lambda_operation operations[] = {
    { "GetLayerVersionByArn", "GET", "/2018-10-31/layers", "find=LayerVersion" },
    { "ListProvisionedConcurrencyConfigs", "GET", "/2019-09-30/functions/{}/provisioned-concurrency", "List=ALL" },
    { "AddLayerVersionPermission", "POST", "/2018-10-31/layers/{}/versions/{}/policy", NULL },
    { "AddPermission", "POST", "/2015-03-31/functions/{}/policy", NULL },
    { "CheckpointDurableExecution", "POST", "/2025-12-01/durable-executions/{}/checkpoint", NULL },
    { "CreateAlias", "POST", "/2015-03-31/functions/{}/aliases", NULL },
    { "CreateCapacityProvider", "POST", "/2025-11-30/capacity-providers", NULL },
    { "CreateCodeSigningConfig", "POST", "/2020-04-22/code-signing-configs", NULL },
    { "CreateEventSourceMapping", "POST", "/2015-03-31/event-source-mappings", NULL },
    { "CreateFunction", "POST", "/2015-03-31/functions", NULL },
    { "CreateFunctionUrlConfig", "POST", "/2021-10-31/functions/{}/url", NULL },
    { "DeleteAlias", "DELETE", "/2015-03-31/functions/{}/aliases/{}", NULL },
    { "DeleteCapacityProvider", "DELETE", "/2025-11-30/capacity-providers/{}", NULL },
    { "DeleteCodeSigningConfig", "DELETE", "/2020-04-22/code-signing-configs/{}", NULL },
    { "DeleteEventSourceMapping", "DELETE", "/2015-03-31/event-source-mappings/{}", NULL },
    { "DeleteFunction", "DELETE", "/2015-03-31/functions/{}", NULL },
    { "DeleteFunctionCodeSigningConfig", "DELETE", "/2020-06-30/functions/{}/code-signing-config", NULL },
    { "DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{}/concurrency", NULL },
    { "DeleteFunctionEventInvokeConfig", "DELETE", "/2019-09-25/functions/{}/event-invoke-config", NULL },
    { "DeleteFunctionUrlConfig", "DELETE", "/2021-10-31/functions/{}/url", NULL },
    { "DeleteLayerVersion", "DELETE", "/2018-10-31/layers/{}/versions/{}", NULL },
    { "DeleteProvisionedConcurrencyConfig", "DELETE", "/2019-09-30/functions/{}/provisioned-concurrency", NULL },
    { "GetAccountSettings", "GET", "/2016-08-19/account-settings", NULL },
    { "GetAlias", "GET", "/2015-03-31/functions/{}/aliases/{}", NULL },
    { "GetCapacityProvider", "GET", "/2025-11-30/capacity-providers/{}", NULL },
    { "GetCodeSigningConfig", "GET", "/2020-04-22/code-signing-configs/{}", NULL },
    { "GetDurableExecution", "GET", "/2025-12-01/durable-executions/{}", NULL },
    { "GetDurableExecutionHistory", "GET", "/2025-12-01/durable-executions/{}/history", NULL },
    { "GetDurableExecutionState", "GET", "/2025-12-01/durable-executions/{}/state", NULL },
    { "GetEventSourceMapping", "GET", "/2015-03-31/event-source-mappings/{}", NULL },
    { "GetFunction", "GET", "/2015-03-31/functions/{}", NULL },
    { "GetFunctionCodeSigningConfig", "GET", "/2020-06-30/functions/{}/code-signing-config", NULL },
    { "GetFunctionConcurrency", "GET", "/2019-09-30/functions/{}/concurrency", NULL },
    { "GetFunctionConfiguration", "GET", "/2015-03-31/functions/{}/configuration", NULL },
    { "GetFunctionEventInvokeConfig", "GET", "/2019-09-25/functions/{}/event-invoke-config", NULL },
    { "GetFunctionRecursionConfig", "GET", "/2024-08-31/functions/{}/recursion-config", NULL },
    { "GetFunctionScalingConfig", "GET", "/2025-11-30/functions/{}/function-scaling-config", NULL },
    { "GetFunctionUrlConfig", "GET", "/2021-10-31/functions/{}/url", NULL },
    { "GetLayerVersion", "GET", "/2018-10-31/layers/{}/versions/{}", NULL },
    { "GetLayerVersionPolicy", "GET", "/2018-10-31/layers/{}/versions/{}/policy", NULL },
    { "GetPolicy", "GET", "/2015-03-31/functions/{}/policy", NULL },
    { "GetProvisionedConcurrencyConfig", "GET", "/2019-09-30/functions/{}/provisioned-concurrency", NULL },
    { "GetRuntimeManagementConfig", "GET", "/2021-07-20/functions/{}/runtime-management-config", NULL },
    { "Invoke", "POST", "/2015-03-31/functions/{}/invocations", NULL },
    { "InvokeAsync", "POST", "/2014-11-13/functions/{}/invoke-async", NULL },
    { "InvokeWithResponseStream", "POST", "/2021-11-15/functions/{}/response-streaming-invocations", NULL },
    { "ListAliases", "GET", "/2015-03-31/functions/{}/aliases", NULL },
    { "ListCapacityProviders", "GET", "/2025-11-30/capacity-providers", NULL },
    { "ListCodeSigningConfigs", "GET", "/2020-04-22/code-signing-configs", NULL },
    { "ListDurableExecutionsByFunction", "GET", "/2025-12-01/functions/{}/durable-executions", NULL },
    { "ListEventSourceMappings", "GET", "/2015-03-31/event-source-mappings", NULL },
    { "ListFunctionEventInvokeConfigs", "GET", "/2019-09-25/functions/{}/event-invoke-config/list", NULL },
    { "ListFunctionUrlConfigs", "GET", "/2021-10-31/functions/{}/urls", NULL },
    { "ListFunctionVersionsByCapacityProvider", "GET", "/2025-11-30/capacity-providers/{}/function-versions", NULL },
    { "ListFunctions", "GET", "/2015-03-31/functions", NULL },
    { "ListFunctionsByCodeSigningConfig", "GET", "/2020-04-22/code-signing-configs/{}/functions", NULL },
    { "ListLayerVersions", "GET", "/2018-10-31/layers/{}/versions", NULL },
    { "ListLayers", "GET", "/2018-10-31/layers", NULL },
    { "ListTags", "GET", "/2017-03-31/tags/{}", NULL },
    { "ListVersionsByFunction", "GET", "/2015-03-31/functions/{}/versions", NULL },
    { "PublishLayerVersion", "POST", "/2018-10-31/layers/{}/versions", NULL },
    { "PublishVersion", "POST", "/2015-03-31/functions/{}/versions", NULL },
    { "PutFunctionCodeSigningConfig", "PUT", "/2020-06-30/functions/{}/code-signing-config", NULL },
    { "PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{}/concurrency", NULL },
    { "PutFunctionEventInvokeConfig", "PUT", "/2019-09-25/functions/{}/event-invoke-config", NULL },
    { "PutFunctionRecursionConfig", "PUT", "/2024-08-31/functions/{}/recursion-config", NULL },
    { "PutFunctionScalingConfig", "PUT", "/2025-11-30/functions/{}/function-scaling-config", NULL },
    { "PutProvisionedConcurrencyConfig", "PUT", "/2019-09-30/functions/{}/provisioned-concurrency", NULL },
    { "PutRuntimeManagementConfig", "PUT", "/2021-07-20/functions/{}/runtime-management-config", NULL },
    { "RemoveLayerVersionPermission", "DELETE", "/2018-10-31/layers/{}/versions/{}/policy/{}", NULL },
    { "RemovePermission", "DELETE", "/2015-03-31/functions/{}/policy/{}", NULL },
    { "SendDurableExecutionCallbackFailure", "POST", "/2025-12-01/durable-execution-callbacks/{}/fail", NULL },
    { "SendDurableExecutionCallbackHeartbeat", "POST", "/2025-12-01/durable-execution-callbacks/{}/heartbeat", NULL },
    { "SendDurableExecutionCallbackSuccess", "POST", "/2025-12-01/durable-execution-callbacks/{}/succeed", NULL },
    { "StopDurableExecution", "POST", "/2025-12-01/durable-executions/{}/stop", NULL },
    { "TagResource", "POST", "/2017-03-31/tags/{}", NULL },
    { "UntagResource", "DELETE", "/2017-03-31/tags/{}", NULL },
    { "UpdateAlias", "PUT", "/2015-03-31/functions/{}/aliases/{}", NULL },
    { "UpdateCapacityProvider", "PUT", "/2025-11-30/capacity-providers/{}", NULL },
    { "UpdateCodeSigningConfig", "PUT", "/2020-04-22/code-signing-configs/{}", NULL },
    { "UpdateEventSourceMapping", "PUT", "/2015-03-31/event-source-mappings/{}", NULL },
    { "UpdateFunctionCode", "PUT", "/2015-03-31/functions/{}/code", NULL },
    { "UpdateFunctionConfiguration", "PUT", "/2015-03-31/functions/{}/configuration", NULL },
    { "UpdateFunctionEventInvokeConfig", "POST", "/2019-09-25/functions/{}/event-invoke-config", NULL },
    { "UpdateFunctionUrlConfig", "PUT", "/2021-10-31/functions/{}/url", NULL },
};
// clang-format on
_Static_assert(sizeof operations / sizeof operations[0] == LAMBDA_OPERATIONS,
               "the table has every operation");

/* Services by the first part of X-Amz-Target, up to the dot.  Some carry a date that changes. */
static const struct {
    const char *prefix;
    const char *name;
} targets[] = {
    { "AmazonSQS", "sqs" },
    { "AWSEvents", "events" },
    { "AWSStepFunctions", "states" },
    { "Logs_20140328", "logs" },
    { "DynamoDB", "dynamodb" },
    { "DynamoDBStreams", "dynamodb" },
    { "Kinesis_20131202", "kinesis" },
    { "AmazonEC2ContainerRegistry_V20150921", "ecr" },
    { "TrentService", "kms" },
    { "secretsmanager", "secretsmanager" },
    { "AmazonSSM", "ssm" },
    { "GraniteServiceVersion20100801", "monitoring" },
};

/* Query services by the Version of their form; an Action alone does not say whose it is. */
static const struct {
    const char *version;
    const char *name;
} query_versions[] = {
    { "2011-06-15", "sts" },
    { "2010-05-08", "iam" },
    { "2010-03-31", "sns" },
    { "2012-11-05", "sqs" },
    { "2010-05-15", "cloudformation" },
    { "2010-08-01", "monitoring" },
    { "2016-11-15", "ec2" },
};

static const char *const query_services[] = { "sts",
                                              "iam",
                                              "sns",
                                              "sqs",
                                              "cloudformation",
                                              "monitoring",
                                              "ec2",
                                              "autoscaling",
                                              "elasticloadbalancing" };

const struct lambda_operation *lambda_operation_at(size_t index)
{
    CHECK(index < LAMBDA_OPERATIONS);
    return &operations[index];
}

/* Copy at most `max` bytes of text and terminate. */
static void copy_text(char *out, size_t max, const char *text, size_t len)
{
    if (len > max)
        len = max;
    memcpy(out, text, len);
    out[len] = '\0';
}

bool route_query_find(const char *query, const char *name, const char **out_value, size_t *out_len)
{
    size_t name_len = strlen(name);

    while (query != NULL && *query != '\0') {
        size_t len = strcspn(query, "&");

        if (len >= name_len && strncmp(query, name, name_len) == 0 &&
            (len == name_len || query[name_len] == '=')) {
            size_t skip = len == name_len ? len : name_len + 1;

            if (out_value != NULL)
                *out_value = query + skip;
            if (out_len != NULL)
                *out_len = len - skip;
            return true;
        }
        query += len;
        if (*query == '&')
            query++;
    }
    return false;
}

/* The service of a SigV4 scope: KEY/20260105/REGION/SERVICE/aws4_request, slashes maybe encoded as
 * they are in a presigned query.  False when it is not of that form. */
static bool scope_service(const char *scope, size_t len, struct route *route)
{
    const char *part = scope;
    const char *end = scope + len;
    unsigned index = 0;

    for (const char *at = scope; at <= end; at++) {
        bool encoded = end - at >= 3 && strncasecmp(at, "%2F", 3) == 0;

        if (at < end && *at != '/' && !encoded)
            continue;
        if (index == 3) {
            copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, part, (size_t)(at - part));
            return at < end && route->name[0] != '\0';
        }
        index++;
        at += encoded ? 2 : 0;
        part = at + 1;
    }
    return false;
}

/* The service that the signature names; also finds S3's older signatures, which name none. */
static bool signature_service(const struct route_request *req, struct route *route)
{
    const char *value = NULL;
    size_t len = 0;

    if (req->authorization != NULL) {
        const char *credential = strstr(req->authorization, "Credential=");

        if (strncmp(req->authorization, "AWS4-", 5) == 0 && credential != NULL) {
            credential += strlen("Credential=");
            return scope_service(credential, strcspn(credential, ", "), route);
        }
        if (strncmp(req->authorization, "AWS ", 4) == 0) {
            copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "s3", 2);
            return true;
        }
    }
    if (route_query_find(req->query, "X-Amz-Credential", &value, &len))
        return scope_service(value, len, route);
    if (route_query_find(req->query, "AWSAccessKeyId", NULL, NULL)) {
        copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "s3", 2);
        return true;
    }
    return false;
}

static void action_from_target(const char *target, struct route *route)
{
    const char *dot = strrchr(target, '.');

    if (dot != NULL)
        copy_text(route->action, ROUTE_ACTION_BYTES_MAX, dot + 1, strlen(dot + 1));
}

static void action_from_form(const struct route_request *req, struct route *route)
{
    const char *value = NULL;
    size_t len = 0;

    if (route_query_find(req->form, "Action", &value, &len) ||
        route_query_find(req->query, "Action", &value, &len))
        copy_text(route->action, ROUTE_ACTION_BYTES_MAX, value, len);
}

static bool target_service(const struct route_request *req, struct route *route)
{
    size_t len;

    if (req->target == NULL)
        return false;
    len = strcspn(req->target, "._");
    copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, req->target, len);
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        size_t prefix = strlen(targets[i].prefix);

        if (strncmp(req->target, targets[i].prefix, prefix) == 0 &&
            (req->target[prefix] == '.' || req->target[prefix] == '_'))
            copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, targets[i].name,
                      strlen(targets[i].name));
    }
    return route->name[0] != '\0';
}

/* Lambda's paths begin with the date of an API version and one of its collections. */
static bool path_is_lambda(const char *path)
{
    for (size_t i = 0; i < LAMBDA_OPERATIONS; i++) {
        const char *template = operations[i].path;
        const char *collection = strchr(template + 1, '/');
        size_t len = (size_t)(collection - template) + 1;

        len += strcspn(collection + 1, "/");
        if (strncmp(path, template, len) == 0 && (path[len] == '\0' || path[len] == '/'))
            return true;
    }
    return false;
}

static bool path_service(const struct route_request *req, struct route *route)
{
    if (strncmp(req->path, "/_lapwing/", strlen("/_lapwing/")) == 0) {
        copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "lapwing", strlen("lapwing"));
        return true;
    }
    if (path_is_lambda(req->path)) {
        copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "lambda", strlen("lambda"));
        return true;
    }
    return false;
}

bool route_wants_form(const struct route_request *req)
{
    return strcmp(req->method, "POST") == 0 && strcmp(req->path, "/") == 0 &&
           req->content_type != NULL &&
           strncasecmp(req->content_type, "application/x-www-form-urlencoded",
                       strlen("application/x-www-form-urlencoded")) == 0;
}

static bool form_service(const struct route_request *req, struct route *route)
{
    const char *fields = req->form;
    const char *value = NULL;
    size_t len = 0;

    if (!route_query_find(fields, "Action", NULL, NULL))
        fields = strcmp(req->path, "/") == 0 ? req->query : NULL;
    if (!route_query_find(fields, "Action", NULL, NULL))
        return false;
    copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "query", strlen("query"));
    if (!route_query_find(fields, "Version", &value, &len))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(query_versions); i++)
        if (strlen(query_versions[i].version) == len &&
            strncmp(value, query_versions[i].version, len) == 0)
            copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, query_versions[i].name,
                      strlen(query_versions[i].name));
    return true;
}

static enum route_dialect dialect_of(const struct route_request *req, const char *name)
{
    if (req->target != NULL)
        return ROUTE_DIALECT_TARGET_JSON;
    if (strcmp(name, "query") == 0)
        return ROUTE_DIALECT_QUERY_XML;
    for (size_t i = 0; i < ARRAY_LEN(query_services); i++)
        if (strcmp(name, query_services[i]) == 0)
            return ROUTE_DIALECT_QUERY_XML;
    return ROUTE_DIALECT_JSON;
}

/* A bucket that is named by the host can have keys of any form, ours and Lambda's paths too. */
static bool host_service(const struct route_request *req, struct route *route)
{
    if (req->host == NULL || !s3_host_is_s3(bytes_of_text(req->host), req->s3_domain))
        return false;
    copy_text(route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "s3", 2);
    return true;
}

void route_choose(const struct route_request *req, struct route *out_route)
{
    CHECK(req->method != NULL);
    CHECK(req->path != NULL);
    memset(out_route, 0, sizeof *out_route);
    if (!signature_service(req, out_route) && !target_service(req, out_route) &&
        !host_service(req, out_route) && !path_service(req, out_route) &&
        !form_service(req, out_route))
        copy_text(out_route->name, ROUTE_SERVICE_NAME_BYTES_MAX, "s3", 2);

    out_route->dialect = dialect_of(req, out_route->name);
    if (req->target != NULL)
        action_from_target(req->target, out_route);
    else
        action_from_form(req, out_route);
    if (strcmp(out_route->name, "s3") == 0) {
        out_route->service = ROUTE_S3;
        out_route->dialect = ROUTE_DIALECT_S3_XML;
    } else if (strcmp(out_route->name, "lambda") == 0) {
        out_route->service = ROUTE_LAMBDA;
    } else if (strcmp(out_route->name, "sts") == 0) {
        out_route->service = ROUTE_STS;
    } else if (strcmp(out_route->name, "lapwing") == 0) {
        out_route->service = ROUTE_ADMIN;
    } else {
        out_route->service = ROUTE_OTHER;
    }
}

static size_t segment_len(const char *path)
{
    return strcspn(path, "/");
}

static bool template_match(const char *template, const char *path, struct lambda_match *match)
{
    unsigned parameters = 0;

    while (*template == '/' && *path == '/') {
        size_t want = segment_len(++template);
        size_t got = segment_len(++path);

        if (want == 2 && strncmp(template, "{}", 2) == 0) {
            if (got == 0)
                return false;
            CHECK(parameters < LAMBDA_PATH_PARAMETERS_MAX);
            match->parameters[parameters].text = path;
            match->parameters[parameters].len = got;
            parameters++;
        } else if (want != got || strncmp(template, path, want) != 0) {
            return false;
        }
        template += want;
        path += got;
    }
    return *template == '\0' && (*path == '\0' || strcmp(path, "/") == 0);
}

/* Whether "name=value" of the table is among the parameters of the query. */
static bool query_match(const char *wanted, const char *query)
{
    const char *value = NULL;
    char name[32];
    size_t len = strcspn(wanted, "=");
    size_t value_len = 0;

    CHECK(len < sizeof name);
    copy_text(name, sizeof name - 1, wanted, len);
    if (!route_query_find(query, name, &value, &value_len))
        return false;
    return strlen(wanted + len + 1) == value_len &&
           strncmp(wanted + len + 1, value, value_len) == 0;
}

bool lambda_operation_match(const char *method,
                            const char *path,
                            const char *query,
                            struct lambda_match *out_match)
{
    for (size_t i = 0; i < LAMBDA_OPERATIONS; i++) {
        struct lambda_match match = { .operation = &operations[i] };

        if (strcmp(operations[i].method, method) != 0)
            continue;
        if (operations[i].query != NULL && !query_match(operations[i].query, query))
            continue;
        if (!template_match(operations[i].path, path, &match))
            continue;
        *out_match = match;
        return true;
    }
    return false;
}
