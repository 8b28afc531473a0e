/* CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration, PublishVersion: the driver of
 * deploy_plan.h. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/api/lambda/deploy.h"
#include "controlplane/api/lambda/deploy_rules.h"
#include "controlplane/api/lambda/function_json.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/replica/replica.h"
#include "objstore/client/objstore.h"

enum { STORE_MS = 30000 };

static void deploy_free(void *data)
{
    struct deploy *deploy = data;

    function_input_done(&deploy->input);
    buf_done(&deploy->zip);
    if (deploy->function != NULL)
        lapwing__function__free_unpacked(deploy->function, NULL);
    if (deploy->before != NULL)
        lapwing__function__free_unpacked(deploy->before, NULL);
    free(deploy);
}

static void deploy_on(struct deploy *deploy, enum deploy_event event);

static void queue_work(struct api_call *call, uv_work_cb work, uv_after_work_cb after)
{
    int rv = uv_queue_work(call->api->options.loop, &call->work, work, after);

    CHECK(rv == 0);
    api_call_hold(call);
}

static enum status check_body(struct deploy *deploy, struct api_error *error)
{
    struct api_call *call = deploy->call;
    struct bytes body = buf_view(&call->body);

    switch (deploy->kind) {
    case DEPLOY_KIND_CREATE:
        return function_create_check(body, &call->scope, call->api->machine, &deploy->input, error);
    case DEPLOY_KIND_CODE:
        return function_update_code_check(body, call->api->machine, &deploy->input, error);
    case DEPLOY_KIND_CONFIGURATION:
        return function_update_configuration_check(body, &deploy->input, error);
    case DEPLOY_KIND_PUBLISH:
        return function_publish_check(body, &deploy->input, error);
    case DEPLOY_KINDS:
        break;
    }
    CHECK(!"deploy: kind");
}

/* On a thread: tens of megabytes of JSON and base64. */
static void read_work_cb(uv_work_t *work)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;
    enum status st = check_body(deploy, &call->error);

    buf_done(&call->body);
    if (st == ST_OK && deploy->input.zip_base64.len > 0)
        st = deploy_read_inline(deploy, &call->error);
    if (deploy->input.root != NULL)
        function_input_drop_zip(&deploy->input);
    deploy->work_status = st;
}

static void read_after_cb(uv_work_t *work, int rv)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;

    CHECK(rv == 0);
    if (deploy->zip_is_text)
        lambda_log_cli_hint(call, "zip_not_base64",
                            deploy->kind == DEPLOY_KIND_CREATE ? deploy->input.name
                                                               : deploy->ref.name);
    deploy_on(deploy, deploy->work_status == ST_OK ? DEPLOY_READ : DEPLOY_FAILED);
    api_call_drop(call);
}

static enum deploy_event look_runtime(struct deploy *deploy)
{
    struct api_call *call = deploy->call;
    const char *present[CLUSTER_RUNTIMES_MAX];
    size_t count = dispatch_runtimes(call->api->options.dispatch, present);

    return deploy_runtime_verdict(deploy->input.function.runtime, present, count, &call->error) ==
                   ST_OK
               ? DEPLOY_LOOKED
               : DEPLOY_FAILED;
}

static enum deploy_event look_create(struct deploy *deploy)
{
    struct api_call *call = deploy->call;

    memcpy(deploy->ref.name, deploy->input.name, sizeof deploy->ref.name);
    if (lambda_row_of(call, &deploy->ref, &deploy->function, NULL) == ST_OK) {
        (void)api_error_set(&call->error, ST_EXISTS, API_CONFLICT, "Function already exist: %s",
                            deploy->ref.name);
        return DEPLOY_FAILED;
    }
    return look_runtime(deploy);
}

/* The row that is to be changed; DEPLOY_NO_EVENT when it may be. */
static enum deploy_event look_row(struct deploy *deploy)
{
    struct api_call *call = deploy->call;

    deploy->ref.qualifier[0] = '\0';
    if (lambda_row_of(call, &deploy->ref, &deploy->function, &call->error) != ST_OK)
        return DEPLOY_FAILED;
    if (deploy_update_allowed(deploy->function, deploy->input.expected_revision_id, &call->error) ==
        ST_OK)
        return DEPLOY_NO_EVENT;
    lambda_activate(call->api, deploy->function); /* in case nobody else does */
    return DEPLOY_FAILED;
}

static enum deploy_event look_change(struct deploy *deploy)
{
    struct api_error *error = &deploy->call->error;

    if (look_row(deploy) == DEPLOY_FAILED)
        return DEPLOY_FAILED;
    if (deploy->kind == DEPLOY_KIND_CONFIGURATION) {
        function_configuration_merge(deploy->function, &deploy->input);
        /* A function whose runtime has gone may be changed in all else. */
        if (strcmp(deploy->input.function.runtime, deploy->function->runtime) != 0)
            return look_runtime(deploy);
    }
    if (deploy->kind == DEPLOY_KIND_PUBLISH &&
        deploy_code_expected(deploy->function, deploy->input.code_sha256, error) != ST_OK)
        return DEPLOY_FAILED;
    return DEPLOY_LOOKED;
}

/* The rows allow it: where does the code come from? */
static enum deploy_event after_look(const struct deploy *deploy)
{
    bool has_code = deploy->kind == DEPLOY_KIND_CREATE || deploy->kind == DEPLOY_KIND_CODE;

    if (!has_code)
        return DEPLOY_WITHOUT_CODE;
    if (deploy->input.s3_bucket != NULL)
        return DEPLOY_ELSEWHERE;
    return deploy->input.dry_run ? DEPLOY_DRY : DEPLOY_LOOKED;
}

/* Say that a step of ours failed. */
static enum deploy_event fail_step(struct deploy *deploy, enum status st, const char *what)
{
    struct api_error *error = &deploy->call->error;

    /* Whatever a step before the command says, nothing was done. */
    (void)api_error_not_answered(error, st == ST_UNKNOWN ? st : ST_UNAVAILABLE, "deploy", what);
    log_event(LOG_WARN, "deploy_failed", LS("request", deploy->call->request_id),
              LS("function", deploy->ref.name), LS("what", what), LS("why", status_name(st)),
              LS("then", "told the client"));
    return DEPLOY_FAILED;
}

/* The same of a step in which the cluster gave no answer. */
static enum deploy_event fail_unanswered(struct deploy *deploy, enum status st)
{
    struct err room;
    const char *why = api_want_of_room(deploy->call, &room);

    return fail_step(deploy, st, why != NULL ? why : "no quorum of the cluster answered in time");
}

static void look_cb(enum status st, void *context)
{
    struct deploy *deploy = context;
    struct api_call *call = deploy->call;
    enum deploy_event event;

    if (st != ST_OK)
        event = fail_unanswered(deploy, st);
    else
        event = deploy->kind == DEPLOY_KIND_CREATE ? look_create(deploy) : look_change(deploy);
    if (event == DEPLOY_LOOKED)
        event = after_look(deploy);
    deploy_on(deploy, event);
    api_call_drop(call);
}

static enum deploy_event do_look(struct deploy *deploy)
{
    struct api_call *call = deploy->call;
    enum status st =
        replica_barrier(call->api->options.control_client, API_READ_MS, look_cb, deploy);

    if (st != ST_OK)
        return fail_step(deploy, st, "too many requests are waiting");
    api_call_hold(call);
    return DEPLOY_NO_EVENT;
}

/* On a thread: libs3 blocks. */
static void fetch_work_cb(uv_work_t *work)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;

    deploy->work_status = deploy_read_bucket(deploy, &call->error);
}

static void fetch_after_cb(uv_work_t *work, int rv)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;

    CHECK(rv == 0);
    if (deploy->work_status != ST_OK)
        deploy_on(deploy, DEPLOY_FAILED);
    else
        deploy_on(deploy, deploy->input.dry_run ? DEPLOY_DRY : DEPLOY_FETCHED);
    api_call_drop(call);
}

/* On a thread: libs3 blocks.  The bucket is made by whoever misses it first. */
static void store_work_cb(uv_work_t *work)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;
    struct objstore_source source = { .fd = -1, .data = buf_view(&deploy->zip) };
    char key[SHA256_HEX_BYTES + sizeof ".zip"];
    const struct objstore_name name = { OBJSTORE_PACKAGES_BUCKET, key, STORE_MS };
    enum status st;

    hex_encode(bytes_of(deploy->sha256, SHA256_BYTES), key);
    memcpy(key + SHA256_HEX_BYTES - 1, ".zip", sizeof ".zip");
    memcpy(source.sha256, deploy->sha256, SHA256_BYTES);
    st = objstore_put(call->api->objstore, &name, &source, &deploy->work_err);
    if (st == ST_NOT_FOUND) {
        st = objstore_create_bucket(call->api->objstore, OBJSTORE_PACKAGES_BUCKET, STORE_MS,
                                    &deploy->work_err);
        if (st == ST_OK)
            st = objstore_put(call->api->objstore, &name, &source, &deploy->work_err);
    }
    deploy->work_status = st;
}

static void store_after_cb(uv_work_t *work, int rv)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;

    CHECK(rv == 0);
    if (deploy->work_status == ST_OK)
        deploy_on(deploy, DEPLOY_STORED);
    else
        deploy_on(deploy, fail_step(deploy, ST_UNAVAILABLE, deploy->work_err.text));
    api_call_drop(call);
}

static void check_cb(enum status st, const Lapwing__PackageChecked *checked, void *context)
{
    struct deploy *deploy = context;
    struct api_call *call = deploy->call;

    if (st != ST_OK)
        deploy_on(deploy, fail_step(deploy, st, "no worker could check the package"));
    else if (deploy_package_verdict(checked, &call->error) != ST_OK)
        deploy_on(deploy, DEPLOY_FAILED);
    else
        deploy_on(deploy, DEPLOY_CHECKED);
    api_call_drop(call);
}

static enum deploy_event do_check(struct deploy *deploy)
{
    struct api_call *call = deploy->call;
    size_t bytes = deploy->zip.len;
    enum status st = dispatch_check_package(call->api->options.dispatch, deploy->sha256, bytes,
                                            check_cb, deploy);

    if (st != ST_OK)
        return fail_step(deploy, st, "no worker is there to check the package");
    api_call_hold(call);
    return DEPLOY_NO_EVENT;
}

static void propose_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct deploy *deploy = context;
    struct api_call *call = deploy->call;
    Lapwing__Function *after;

    if (st != ST_OK) {
        deploy_on(deploy, fail_unanswered(deploy, st));
    } else if (deploy_outcome_verdict(outcome, deploy->function,
                                      deploy->input.expected_revision_id != NULL,
                                      &call->error) != ST_OK) {
        deploy_on(deploy, DEPLOY_FAILED);
    } else {
        after = lapwing__function__unpack(NULL, outcome->body.len, outcome->body.data);
        CHECK(after != NULL); /* the row, as our own state packed it */
        deploy->before = deploy->function;
        deploy->function = after;
        if (deploy->kind != DEPLOY_KIND_CONFIGURATION)
            dispatch_prefetch(call->api->options.dispatch, after);
        deploy_on(deploy, DEPLOY_COMMITTED);
    }
    api_call_drop(call);
}

static enum deploy_event do_propose(struct deploy *deploy)
{
    struct api_call *call = deploy->call;
    struct buf body = { 0 };
    Lapwing__CommandType type;
    enum status st;

    uuid_text(deploy->revision);
    type = deploy_command(deploy, &body);
    st = replica_propose(call->api->options.control_client, type, buf_view(&body), API_PROPOSE_MS,
                         propose_cb, deploy);
    buf_done(&body);
    if (st != ST_OK)
        return fail_step(deploy, st, "too many requests are waiting");
    api_call_hold(call);
    return DEPLOY_NO_EVENT;
}

/* What waits is $LATEST, also where a version is shown that is active from the first. */
static void activate(struct deploy *deploy)
{
    Lapwing__Function latest = *deploy->function;

    if (deploy->kind == DEPLOY_KIND_CODE && deploy->before != NULL) {
        latest.revision_id = deploy->revision;
        latest.update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS;
    }
    lambda_activate(deploy->call->api, &latest);
}

static void do_answer(struct deploy *deploy)
{
    bool made = deploy->kind == DEPLOY_KIND_CREATE || deploy->kind == DEPLOY_KIND_PUBLISH;
    char version[FUNCTION_VERSION_BYTES] = "";

    /* The version that comes with a new function is shown without its number in the ARN. */
    if (deploy->kind != DEPLOY_KIND_CREATE && deploy->function->version > 0)
        function_version_text(deploy->function->version, version);
    api_answer_json(deploy->call, made ? 201 : 200,
                    function_configuration(deploy->function, version, FUNCTION_VIEW_FULL));
    activate(deploy);
}

static enum deploy_event deploy_do(struct deploy *deploy, enum deploy_action action)
{
    switch (action) {
    case DEPLOY_DO_LOOK:
        return do_look(deploy);
    case DEPLOY_DO_FETCH:
        queue_work(deploy->call, fetch_work_cb, fetch_after_cb);
        return DEPLOY_NO_EVENT;
    case DEPLOY_DO_STORE:
        queue_work(deploy->call, store_work_cb, store_after_cb);
        return DEPLOY_NO_EVENT;
    case DEPLOY_DO_CHECK:
        return do_check(deploy);
    case DEPLOY_DO_PROPOSE:
        return do_propose(deploy);
    case DEPLOY_DO_ANSWER:
        do_answer(deploy);
        return DEPLOY_NO_EVENT;
    case DEPLOY_DO_REFUSE:
        api_fail(deploy->call, &deploy->call->error);
        return DEPLOY_NO_EVENT;
    case DEPLOY_FORBIDDEN:
        break;
    }
    CHECK(!"deploy: event not allowed in this state");
    return DEPLOY_NO_EVENT;
}

static void deploy_on(struct deploy *deploy, enum deploy_event event)
{
    while (event != DEPLOY_NO_EVENT) {
        struct deploy_move move = deploy_next(deploy->state, event);

        deploy->state = move.next;
        event = deploy_do(deploy, move.action);
    }
}

static struct deploy *deploy_new(struct api_call *call, enum deploy_kind kind)
{
    struct deploy *deploy = must_calloc(1, sizeof *deploy);

    deploy->call = call;
    deploy->kind = kind;
    call->data = deploy;
    call->data_free = deploy_free;
    return deploy;
}

void lambda_create_function(struct api_call *call)
{
    (void)deploy_new(call, DEPLOY_KIND_CREATE);
    queue_work(call, read_work_cb, read_after_cb);
}

static void start_change(struct api_call *call, enum deploy_kind kind)
{
    struct deploy *deploy = deploy_new(call, kind);
    enum status st = lambda_function_of(call, &deploy->ref, &call->error);

    if (st == ST_OK)
        st = function_check_unqualified(&deploy->ref, &call->error);
    if (st != ST_OK)
        api_fail(call, &call->error);
    else
        queue_work(call, read_work_cb, read_after_cb);
}

void lambda_update_function_code(struct api_call *call)
{
    start_change(call, DEPLOY_KIND_CODE);
}

void lambda_update_function_configuration(struct api_call *call)
{
    start_change(call, DEPLOY_KIND_CONFIGURATION);
}

void lambda_publish_version(struct api_call *call)
{
    start_change(call, DEPLOY_KIND_PUBLISH);
}
