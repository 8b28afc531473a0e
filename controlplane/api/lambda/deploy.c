/* CreateFunction and UpdateFunctionCode: the driver of deploy_plan.h. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/api/lambda/deploy_plan.h"
#include "controlplane/api/lambda/deploy_rules.h"
#include "controlplane/api/lambda/function_json.h"
#include "controlplane/api/lambda/function_rules.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/replica/replica.h"
#include "objstore/client/objstore.h"

enum { STORE_MS = 30000 };

/* The operation's part of a call; owned by it.  Pool threads touch input, zip and error only, while
 * the loop waits for them. */
struct deploy {
    struct api_call *call;
    bool create;
    enum deploy_state state;
    struct function_ref ref;
    struct function_input input;
    struct buf zip;
    uint8_t sha256[SHA256_BYTES];
    enum status work_status;
    struct err work_err;
    Lapwing__Function *function; /* owned: the row, before and then after the change */
};

static void deploy_free(void *data)
{
    struct deploy *deploy = data;

    function_input_done(&deploy->input);
    buf_done(&deploy->zip);
    if (deploy->function != NULL)
        lapwing__function__free_unpacked(deploy->function, NULL);
    free(deploy);
}

static void deploy_on(struct deploy *deploy, enum deploy_event event);

static enum status read_zip(struct deploy *deploy)
{
    struct bytes text = deploy->input.zip_base64;
    struct api_error *error = &deploy->call->error;

    if (text.len / 4 * 3 > (size_t)PACKAGE_ZIP_BYTES_MAX + 3)
        return api_error_set(error, ST_LIMIT, API_ENTITY_TOO_LARGE,
                             "Zipped size must be smaller than %d bytes", PACKAGE_ZIP_BYTES_MAX);
    if (base64_decode(text, &deploy->zip) != ST_OK)
        return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                             "Member 'ZipFile' is not valid base64.");
    if (deploy->zip.len > PACKAGE_ZIP_BYTES_MAX)
        return api_error_set(error, ST_LIMIT, API_ENTITY_TOO_LARGE,
                             "Zipped size must be smaller than %d bytes", PACKAGE_ZIP_BYTES_MAX);
    hash_sha256(buf_view(&deploy->zip), deploy->sha256);
    return ST_OK;
}

/* On a thread: tens of megabytes of JSON and base64. */
static void read_work_cb(uv_work_t *work)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;
    enum status st;

    if (deploy->create)
        st = function_create_check(buf_view(&call->body), &call->scope, call->api->machine,
                                   &deploy->input, &call->error);
    else
        st = function_update_code_check(buf_view(&call->body), call->api->machine, &deploy->input,
                                        &call->error);
    buf_done(&call->body);
    if (st == ST_OK)
        st = read_zip(deploy);
    function_input_drop_zip(&deploy->input);
    deploy->work_status = st;
}

static void read_after_cb(uv_work_t *work, int rv)
{
    struct api_call *call = container_of(work, struct api_call, work);
    struct deploy *deploy = call->data;

    CHECK(rv == 0);
    deploy_on(deploy, deploy->work_status == ST_OK ? DEPLOY_READ : DEPLOY_FAILED);
    api_call_drop(call);
}

static enum deploy_event look_create(struct deploy *deploy)
{
    struct api_call *call = deploy->call;
    const char *runtime = deploy->input.function.runtime;
    const char *present[CLUSTER_RUNTIMES_MAX];
    size_t count;

    memcpy(deploy->ref.name, deploy->input.name, sizeof deploy->ref.name);
    if (lambda_row_of(call, &deploy->ref, &deploy->function, NULL) == ST_OK) {
        (void)api_error_set(&call->error, ST_EXISTS, API_CONFLICT, "Function already exist: %s",
                            deploy->ref.name);
        return DEPLOY_FAILED;
    }
    count = dispatch_runtimes(call->api->options.dispatch, present);
    if (deploy_runtime_verdict(runtime, present, count, &call->error) != ST_OK)
        return DEPLOY_FAILED;
    return DEPLOY_LOOKED;
}

static enum deploy_event look_update(struct deploy *deploy)
{
    struct api_call *call = deploy->call;

    if (lambda_row_of(call, &deploy->ref, &deploy->function, &call->error) != ST_OK)
        return DEPLOY_FAILED;
    if (deploy_update_allowed(deploy->function, deploy->input.expected_revision_id, &call->error) !=
        ST_OK) {
        lambda_activate(call->api, deploy->function); /* in case nobody else does */
        return DEPLOY_FAILED;
    }
    return deploy->input.dry_run ? DEPLOY_DRY : DEPLOY_LOOKED;
}

/* Say that a step of ours failed. */
static enum deploy_event fail_step(struct deploy *deploy, enum status st, const char *what)
{
    struct api_error *error = &deploy->call->error;

    if (st == ST_UNKNOWN)
        (void)api_error_set(
            error, st, API_SERVICE,
            "The outcome is unknown: %s. Look at the function before you repeat it.", what);
    else
        (void)api_error_set(error, st, API_UNAVAILABLE, "It was not done: %s. Please try again.",
                            what);
    log_event(LOG_WARN, "deploy_failed", LS("request", deploy->call->request_id),
              LS("function", deploy->ref.name), LS("what", what), LS("why", status_name(st)),
              LS("then", "told the client"));
    return DEPLOY_FAILED;
}

static void look_cb(enum status st, void *context)
{
    struct deploy *deploy = context;
    struct api_call *call = deploy->call;
    enum deploy_event event;

    if (st != ST_OK)
        event = fail_step(deploy, st, "no quorum of the cluster can be reached");
    else
        event = deploy->create ? look_create(deploy) : look_update(deploy);
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

static void queue_work(struct api_call *call, uv_work_cb work, uv_after_work_cb after)
{
    int rv = uv_queue_work(call->api->options.loop, &call->work, work, after);

    CHECK(rv == 0);
    api_call_hold(call);
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
        deploy_on(deploy, fail_step(deploy, st, "the command found no quorum in time"));
    } else if (deploy_outcome_verdict(outcome, deploy->function,
                                      deploy->input.expected_revision_id != NULL,
                                      &call->error) != ST_OK) {
        deploy_on(deploy, DEPLOY_FAILED);
    } else {
        after = lapwing__function__unpack(NULL, outcome->body.len, outcome->body.data);
        CHECK(after != NULL); /* the row, as our own state packed it */
        if (deploy->function != NULL)
            lapwing__function__free_unpacked(deploy->function, NULL);
        deploy->function = after;
        deploy_on(deploy, DEPLOY_COMMITTED);
    }
    api_call_drop(call);
}

static struct buf pack(const ProtobufCMessage *message)
{
    struct buf out = { 0 };
    size_t len = protobuf_c_message_get_packed_size(message);

    (void)protobuf_c_message_pack(message, buf_reserve(&out, len));
    out.len += len;
    return out;
}

static struct buf pack_create(struct deploy *deploy, char *revision)
{
    Lapwing__CreateFunction body = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function *function = &deploy->input.function;
    uint8_t random[UID_DIGITS / 2];
    char uid[UID_DIGITS + 1];

    random_bytes(random, sizeof random);
    hex_encode(bytes_of(random, sizeof random), uid);
    function->account = (char *)(uintptr_t)deploy->call->scope.account;
    function->region = deploy->call->region;
    function->uid = uid;
    function->revision_id = revision;
    function->code_sha256 = (ProtobufCBinaryData){ .len = SHA256_BYTES, .data = deploy->sha256 };
    function->code_bytes = deploy->zip.len;
    body.function = function;
    return pack(&body.base);
}

static struct buf pack_update(struct deploy *deploy, char *revision)
{
    Lapwing__UpdateFunctionCode body = LAPWING__UPDATE_FUNCTION_CODE__INIT;

    body.account = (char *)(uintptr_t)deploy->call->scope.account;
    body.region = deploy->call->region;
    body.name = deploy->ref.name;
    body.code_sha256 = (ProtobufCBinaryData){ .len = SHA256_BYTES, .data = deploy->sha256 };
    body.code_bytes = deploy->zip.len;
    /* The revision that was looked at, so that of two deployments at once one is refused. */
    body.expected_revision_id = deploy->function->revision_id;
    body.revision_id = revision;
    body.architecture = deploy->input.function.architecture;
    return pack(&body.base);
}

static enum deploy_event do_propose(struct deploy *deploy)
{
    struct api_call *call = deploy->call;
    char revision[UUID_TEXT_BYTES];
    struct buf body;
    enum status st;

    uuid_text(revision);
    body = deploy->create ? pack_create(deploy, revision) : pack_update(deploy, revision);
    st = replica_propose(call->api->options.control_client,
                         deploy->create ? LAPWING__COMMAND_TYPE__CREATE_FUNCTION
                                        : LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE,
                         buf_view(&body), API_PROPOSE_MS, propose_cb, deploy);
    buf_done(&body);
    if (st != ST_OK)
        return fail_step(deploy, st, "too many requests are waiting");
    api_call_hold(call);
    return DEPLOY_NO_EVENT;
}

static void do_answer(struct deploy *deploy)
{
    struct api_call *call = deploy->call;

    api_answer_json(call, deploy->create ? 201 : 200,
                    function_configuration(deploy->function, "", FUNCTION_VIEW_FULL));
    lambda_activate(call->api, deploy->function);
}

static enum deploy_event deploy_do(struct deploy *deploy, enum deploy_action action)
{
    switch (action) {
    case DEPLOY_DO_LOOK:
        return do_look(deploy);
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

static struct deploy *deploy_new(struct api_call *call, bool create)
{
    struct deploy *deploy = must_calloc(1, sizeof *deploy);

    deploy->call = call;
    deploy->create = create;
    call->data = deploy;
    call->data_free = deploy_free;
    return deploy;
}

void lambda_create_function(struct api_call *call)
{
    (void)deploy_new(call, true);
    queue_work(call, read_work_cb, read_after_cb);
}

void lambda_update_function_code(struct api_call *call)
{
    struct deploy *deploy = deploy_new(call, false);
    enum status st = lambda_function_of(call, &deploy->ref, &call->error);

    if (st == ST_OK && deploy->ref.qualifier[0] != '\0' &&
        strcmp(deploy->ref.qualifier, "$LATEST") != 0)
        st = api_error_set(&call->error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                           "This operation is permitted on Lambda functions only. Aliases and "
                           "versions do not support this operation. Please specify either a "
                           "function name or an unqualified function ARN.");
    if (st != ST_OK)
        api_fail(call, &call->error);
    else
        queue_work(call, read_work_cb, read_after_cb);
}
