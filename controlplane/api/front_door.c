/* Requests on their way to an operation.  See api.h for the picture. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/check.h"
#include "base/log.h"
#include "base/sigv4_keys.h"
#include "controlplane/api/admin/admin.h"
#include "controlplane/api/api.h"
#include "controlplane/api/call/call.h"
#include "controlplane/api/call/function_key_rules.h"
#include "controlplane/api/lambda/function_cache.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/api/s3/s3_proxy.h"
#include "controlplane/api/sts.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/state.h"
#include "objstore/client/objstore.h"

void api_call_hold(struct api_call *call)
{
    call->in_flight++;
}

void api_call_drop(struct api_call *call)
{
    CHECK(call->in_flight > 0);
    if (--call->in_flight > 0)
        return;
    if (call->data_free != NULL)
        call->data_free(call->data);
    if (call->has_signature)
        sigv4_done(&call->signature);
    if (call->caller != NULL)
        lapwing__function__free_unpacked(call->caller, NULL);
    if (call->is_deploy)
        call->api->deploys--;
    buf_done(&call->body);
    free(call->method);
    free(call->path);
    free(call->query);
    pool_give(call->api->calls, call);
}

static char *copy_view(struct bytes view)
{
    char *text = must_calloc(1, view.len + 1);

    if (view.len > 0)
        memcpy(text, view.data, view.len);
    return text;
}

static void route(struct api_call *call, const char *form)
{
    char *authorization = api_header(call, "Authorization");
    char *target = api_header(call, "X-Amz-Target");
    char *content_type = api_header(call, "Content-Type");
    char *host = api_header(call, "Host");
    const struct route_request request = { .method = call->method,
                                           .path = call->path,
                                           .query = call->query,
                                           .host = host,
                                           .s3_domain = call->api->options.s3_domain,
                                           .authorization = authorization,
                                           .target = target,
                                           .content_type = content_type,
                                           .form = form };

    route_choose(&request, &call->route);
    free(authorization);
    free(target);
    free(content_type);
    free(host);
}

static bool wants_form(const struct api_call *call)
{
    char *content_type = api_header(call, "Content-Type");
    const struct route_request request = { .method = call->method,
                                           .path = call->path,
                                           .content_type = content_type };
    bool wants = route_wants_form(&request);

    free(content_type);
    return wants;
}

static void lookup_operation(struct api_call *call)
{
    struct api_error *error = &call->error;

    switch (call->route.service) {
    case ROUTE_LAMBDA:
        call->operation = lambda_operation_find(call, error);
        return;
    case ROUTE_STS:
        call->operation = sts_operation_find(call, error);
        return;
    case ROUTE_ADMIN:
        call->operation = admin_operation_find(call, error);
        return;
    case ROUTE_OTHER:
        (void)api_error_not_built(error, call->route.name, call->route.action);
        return;
    case ROUTE_S3:
        break;
    }
    CHECK(!"front door: S3 has no operations here");
}

/* The function that the request names in its path, as far as it can be read; else "*". */
static void resource_of(const struct api_call *call, char arn[FUNCTION_ARN_BYTES_MAX])
{
    const struct lambda_operation *named = call->match.operation;
    struct function_ref ref;

    (void)strcpy(arn, "*");
    if (named != NULL && strstr(named->path, "/functions/{}") != NULL &&
        lambda_function_of(call, &ref, NULL) == ST_OK)
        function_arn(&call->scope, ref.name, ref.qualifier, arn);
}

/* A function's key that asks for what it may not is refused before its body is read, and so before
 * its signature is checked: which of the two is wrong makes no difference to what is done, and the
 * body may be a package of tens of megabytes. */
static void refuse_function_key(struct api_call *call, const char *operation)
{
    char resource[FUNCTION_ARN_BYTES_MAX];
    struct buf session = { 0 };

    resource_of(call, resource);
    function_session_arn(call->scope.account, call->caller->role, call->caller->name, &session);
    (void)function_key_refuse(&call->error, buf_text(&session), call->route.name, operation,
                              resource);
    buf_done(&session);
    call->operation = NULL;
}

static void find_operation(struct api_call *call)
{
    const char *name = call->route.action;

    lookup_operation(call);
    if (call->caller == NULL)
        return;
    if (call->operation != NULL)
        name = call->operation->name;
    else if (call->match.operation != NULL)
        name = call->match.operation->name;
    if (!function_key_allows(call->route.service, name))
        refuse_function_key(call, name);
}

static const char health_path[] = "/_lapwing/v1/health";

/* Readiness is for load balancers and start scripts, which have no keys: it says one word. */
static void answer_health(struct api_call *call)
{
    bool ready = call->api->ready;

    api_answer(call, ready ? 200 : 503, "application/json",
               bytes_of_text(ready ? "{\"status\":\"ready\"}" : "{\"status\":\"starting\"}"));
}

/* Bodies of tens of megabytes are held in memory: only so many at a time. */
static enum status admit_body(struct api_call *call)
{
    struct api *api = call->api;

    if (call->operation->body_bytes_max <= PAYLOAD_BYTES_MAX)
        return ST_OK;
    if (api->deploys >= API_DEPLOYS_MAX) {
        (void)api_error_set(&call->error, ST_LIMIT, API_TOO_MANY_REQUESTS, "Rate Exceeded.");
        call->error.reason = "CallerRateLimitExceeded";
        return ST_LIMIT;
    }
    api->deploys++;
    call->is_deploy = true;
    return ST_OK;
}

/* The head is here: is it worth reading the body? */
static enum status open_call(struct api_call *call)
{
    bool form = wants_form(call);
    enum status st = api_signature_open(call, &call->error);

    if (st != ST_OK)
        return st;
    call->scope.account = call->api->options.account;
    call->scope.region = call->region;
    if (!form)
        find_operation(call);
    if (!form && call->operation == NULL)
        return ST_UNSUPPORTED;
    if (!form && admit_body(call) != ST_OK)
        return ST_LIMIT;
    http_request_collect(call->http, form ? API_FORM_BYTES_MAX : call->operation->body_bytes_max);
    return ST_OK;
}

static struct api_call *call_new(struct api *api, struct http_request *http)
{
    struct api_call *call = pool_take(api->calls);
    struct bytes target = http_request_head(http)->target;

    if (call == NULL)
        return NULL;
    call->api = api;
    call->http = http;
    call->in_flight = 1; /* the request, until on_done */
    call->method = copy_view(http_request_head(http)->method);
    call->path = copy_view(http_target_path(target));
    call->query = copy_view(http_target_query(target));
    uuid_text(call->request_id);
    http_request_set_context(http, call);
    return call;
}

static void request_cb(struct http_request *http, void *context)
{
    struct api *api = context;
    struct api_call *call = call_new(api, http);

    if (call == NULL) {
        const struct http_answer answer = { .status = 503, .close = true };

        http_respond(http, &answer, bytes_of_text(""));
        return;
    }
    route(call, NULL);
    if (call->route.service == ROUTE_S3 && !wants_form(call)) {
        call->answered = true; /* by the proxy, whatever happens */
        call->exchange = s3_proxy_start(api->s3, http);
        return;
    }
    if (strcmp(call->path, health_path) == 0 && strcmp(call->method, "GET") == 0) {
        answer_health(call);
        return;
    }
    if (open_call(call) != ST_OK)
        api_fail(call, &call->error);
}

static void prepare(struct api_call *call)
{
    hash_sha256(buf_view(&call->body), call->body_sha256);
    if (call->operation->prepare != NULL)
        call->operation->prepare(call);
}

static void prepare_work_cb(uv_work_t *work)
{
    prepare(container_of(work, struct api_call, work));
}

static void start_operation(struct api_call *call)
{
    if (call->http == NULL)
        return; /* gone while its body was hashed: nothing was begun */
    if (api_signature_check(call) != ST_OK)
        return;
    call->operation->start(call);
}

static void prepare_after_cb(uv_work_t *work, int rv)
{
    struct api_call *call = container_of(work, struct api_call, work);

    CHECK(rv == 0); /* nothing cancels it */
    start_operation(call);
    api_call_drop(call);
}

static void fail_too_large(struct api_call *call)
{
    const char *name = call->operation != NULL ? call->operation->name : call->route.action;
    size_t max =
        call->operation == NULL ? (size_t)API_FORM_BYTES_MAX : call->operation->body_bytes_max;

    (void)api_error_set(&call->error, ST_LIMIT, API_ENTITY_TOO_LARGE,
                        "Request must be smaller than %zu bytes for the %s operation", max,
                        strcmp(name, "Invoke") == 0 ? "InvokeFunction" : name);
    api_fail(call, &call->error);
}

static void body_end_cb(struct http_request *http, void *context)
{
    struct api_call *call = http_request_context(http);
    int rv;

    if (call->exchange != NULL) {
        s3_exchange_body_end(call->exchange);
        return;
    }
    if (call->answered)
        return;
    if (http_request_body_too_large(http)) {
        fail_too_large(call);
        return;
    }
    call->body = http_request_take_body(http);
    if (call->operation == NULL) {
        route(call, buf_text(&call->body));
        if (call->route.service == ROUTE_S3)
            (void)api_error_not_built(&call->error, "s3", "POST of a form");
        else
            find_operation(call);
    }
    if (call->operation == NULL) {
        api_fail(call, &call->error);
        return;
    }
    if (call->body.len <= API_BODY_BYTES_SMALL) {
        prepare(call);
        start_operation(call);
        return;
    }
    api_call_hold(call);
    rv = uv_queue_work(call->api->options.loop, &call->work, prepare_work_cb, prepare_after_cb);
    CHECK(rv == 0);
}

static size_t body_cb(struct http_request *http, struct bytes chunk, void *context)
{
    struct api_call *call = http_request_context(http);

    return call->exchange == NULL ? chunk.len : s3_exchange_body(call->exchange, chunk);
}

static void drain_cb(struct http_request *http, void *context)
{
    struct api_call *call = http_request_context(http);

    if (call != NULL && call->exchange != NULL)
        s3_exchange_drain(call->exchange);
}

static void done_cb(struct http_request *http, enum status outcome, void *context)
{
    struct api_call *call = http_request_context(http);

    if (call == NULL)
        return; /* refused for want of room */
    if (call->exchange != NULL)
        s3_exchange_done(call->exchange);
    else if (outcome != ST_OK && !call->answered)
        api_log_refusal(call, "request_cut", status_name(outcome),
                        "the connection ended before the request was complete");
    call->exchange = NULL;
    call->http = NULL;
    api_call_drop(call);
}

static const struct http_handler front_door = {
    .on_request = request_cb,
    .on_body = body_cb,
    .on_body_end = body_end_cb,
    .on_drain = drain_cb,
    .on_done = done_cb,
};

static void name_machine(struct api *api)
{
    struct utsname name;

    CHECK(uname(&name) == 0);
    (void)snprintf(api->machine, sizeof api->machine, "%.15s",
                   strcmp(name.machine, "aarch64") == 0 ? "arm64" : name.machine);
}

enum status api_new(const struct api_options *options, struct api **out, struct err *err)
{
    struct api *api = must_calloc(1, sizeof *api);
    enum status st;

    api->options = *options;
    api->functions = function_cache_new();
    api->signing_keys = sigv4_keys_new();
    name_machine(api);
    hash_derived_secret(bytes_of(options->cluster_key, 32), OBJSTORE_INTERNAL_ACCESS_KEY,
                        api->objstore_secret);
    st = state_open_reader(replica_state_path(options->control), STATE_GROUP_CONTROL, &api->reader,
                           err);
    if (st == ST_OK)
        st = objstore_new(options->objstore_addresses, OBJSTORE_INTERNAL_ACCESS_KEY,
                          api->objstore_secret, &api->objstore, err);
    if (st == ST_OK)
        st = s3_proxy_new(options->loop, options->objstore_addresses, &api->s3, err);
    if (st == ST_OK)
        st = http_server_new(options->loop, NULL, &front_door, api, &api->server, err);
    api->calls = pool_new(sizeof(struct api_call), API_CALLS_MAX);
    if (st == ST_OK) {
        *out = api;
        return ST_OK;
    }
    if (api->s3 != NULL)
        s3_proxy_close(api->s3);
    api->server = NULL;
    api->closed = true;
    api_free(api);
    return st;
}

enum status api_listen(struct api *api,
                       const char *address,
                       struct https_certificate *certificate,
                       bool share_port,
                       struct err *err)
{
    if (certificate != NULL)
        return http_server_listen_https(api->server, certificate, address, share_port, err);
    return http_server_listen(api->server, address, share_port, err);
}

void api_set_ready(struct api *api, bool ready)
{
    api->ready = ready;
}

static void server_closed_cb(void *context)
{
    struct api *api = context;

    api->server = NULL;
    s3_proxy_close(api->s3);
    api->s3 = NULL;
}

void api_close(struct api *api)
{
    if (api == NULL || api->closed)
        return;
    api->closed = true;
    http_server_close(api->server, server_closed_cb);
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    CHECK(api->server == NULL);
    function_cache_free(api->functions);
    sigv4_keys_free(api->signing_keys);
    state_reader_close(api->reader);
    objstore_free(api->objstore);
    pool_free(api->calls);
    free(api);
}
