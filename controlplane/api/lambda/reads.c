/* GetFunction, GetFunctionConfiguration, ListFunctions, ListVersionsByFunction: a linearizable read
 * point, then this node's rows; and DeleteFunction, which is one command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/api/lambda/barrier.h"
#include "controlplane/api/lambda/function_json.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/functions.h"
#include "controlplane/state/tags.h"

enum { LIST_ITEMS_DEFAULT = 50 };

/* What a read does once the rows may be read.  Owned by its call. */
struct read {
    struct api_call *call;
    struct function_ref ref;
    struct function_page page;
    struct function_ref after; /* where the page before ended; empty for the first */
    char *all;                 /* owned: FunctionVersion */
    void (*answer)(struct read *read);
};

static void read_free(void *data)
{
    struct read *read = data;

    free(read->all);
    free(read);
}

static struct read *read_new(struct api_call *call, void (*answer)(struct read *read))
{
    struct read *read = must_calloc(1, sizeof *read);

    read->call = call;
    read->answer = answer;
    call->data = read;
    call->data_free = read_free;
    return read;
}

static void read_answer(struct api_call *call)
{
    struct read *read = call->data;

    read->answer(read);
}

static void read_start(struct read *read)
{
    lambda_after_barrier(read->call, read_answer, "read the functions");
}

/* Rows of their own, the same for $LATEST and every version; read a moment after the function's, so
 * what changes in between shows, and that is all. */
static enum status add_tags(const struct api_call *call, Lapwing__Function *function)
{
    struct tag_list list = { 0 };
    struct err err = { 0 };
    enum status st = state_list_function_tags(call->api->reader, call->scope.account,
                                              call->scope.region, function->name, &list, &err);

    if (st != ST_OK)
        return st;
    CHECK(function->n_tags == 0);
    function->n_tags = list.count;
    function->tags = list.tags; /* the message frees them */
    return ST_OK;
}

static void answer_function(struct read *read)
{
    struct api_call *call = read->call;
    Lapwing__Function *function = NULL;
    struct buf location = { 0 };

    if (lambda_row_of(call, &read->ref, &function, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    if (add_tags(call, function) != ST_OK)
        api_fail_status(call, ST_IO, "read the tags");
    else if (lambda_code_location(call,
                                  bytes_of(function->code_sha256.data, function->code_sha256.len),
                                  &location, &call->error) != ST_OK)
        api_fail(call, &call->error);
    else
        api_answer_json(call, 200,
                        function_answer(function, read->ref.qualifier, buf_text(&location)));
    lambda_activate(call->api, function);
    buf_done(&location);
    lapwing__function__free_unpacked(function, NULL);
}

static void answer_configuration(struct read *read)
{
    struct api_call *call = read->call;
    Lapwing__Function *function = NULL;

    if (lambda_row_of(call, &read->ref, &function, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    api_answer_json(call, 200,
                    function_configuration(function, read->ref.qualifier, FUNCTION_VIEW_FULL));
    lambda_activate(call->api, function);
    lapwing__function__free_unpacked(function, NULL);
}

static void start_named(struct api_call *call, void (*answer)(struct read *read))
{
    struct read *read = read_new(call, answer);

    if (lambda_function_of(call, &read->ref, &call->error) != ST_OK)
        api_fail(call, &call->error);
    else
        read_start(read);
}

void lambda_get_function(struct api_call *call)
{
    start_named(call, answer_function);
}

void lambda_get_function_configuration(struct api_call *call)
{
    start_named(call, answer_configuration);
}

static void answer_list(struct read *read)
{
    struct api_call *call = read->call;
    bool of_one = read->page.what == FUNCTION_PAGE_VERSIONS;
    struct function_list list = { 0 };
    struct buf marker = { 0 };
    struct err err = { 0 };
    json_t *functions = json_array();
    json_t *answer;
    enum status st = state_list_functions(call->api->reader, &read->page, &list, &err);

    if (st != ST_OK) {
        json_decref(functions);
        api_fail_status(call, st, "list the functions");
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        char version[FUNCTION_VERSION_BYTES] = "";

        if (read->page.what != FUNCTION_PAGE_LATEST)
            function_version_text(list.functions[i]->version, version);
        json_array_append_new(
            functions, function_configuration(list.functions[i], version, FUNCTION_VIEW_LISTED));
    }
    answer = json_pack("{s:o}", of_one ? "Versions" : "Functions", functions);
    if (list.more && list.count > 0) {
        const Lapwing__Function *last = list.functions[list.count - 1];

        function_marker_write(last->name, last->version, &marker);
        json_object_set_new(answer, "NextMarker", json_string(buf_text(&marker)));
    }
    api_answer_json(call, 200, answer);
    buf_done(&marker);
    function_list_done(&list);
}

/* A function that is not there has no list, not an empty one. */
static void answer_versions(struct read *read)
{
    struct api_call *call = read->call;
    Lapwing__Function *latest = NULL;

    read->ref.qualifier[0] = '\0';
    if (lambda_row_of(call, &read->ref, &latest, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    lapwing__function__free_unpacked(latest, NULL);
    answer_list(read);
}

static enum status read_list_parameters(struct read *read, struct api_error *error)
{
    struct api_call *call = read->call;
    char *items = api_parameter(call, "MaxItems");
    char *marker = api_parameter(call, "Marker");
    enum status st = ST_OK;
    char *end = NULL;
    long max = LIST_ITEMS_DEFAULT;

    if (items != NULL && items[0] != '\0')
        max = strtol(items, &end, 10);
    if (max < 1 || max > FUNCTION_LIST_MAX || (end != NULL && *end != '\0'))
        st = api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                           "1 validation error detected: Value '%.32s' at 'maxItems' failed to "
                           "satisfy constraint: Member must have value %s than or equal to %d",
                           items, max < 1 ? "greater" : "less", max < 1 ? 1 : FUNCTION_LIST_MAX);
    if (st == ST_OK && marker != NULL && marker[0] != '\0')
        st = function_marker_read(marker, &read->after, &read->page.after_version, error);
    /* AWS gives pages of 50 whatever more is asked for. */
    read->page.max = max < LIST_ITEMS_DEFAULT ? (size_t)max : LIST_ITEMS_DEFAULT;
    read->page.after = read->after.name;
    read->page.account = call->scope.account;
    read->page.region = call->scope.region;
    free(items);
    free(marker);
    return st;
}

void lambda_list_functions(struct api_call *call)
{
    struct read *read = read_new(call, answer_list);

    if (read_list_parameters(read, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    read->all = api_parameter(call, "FunctionVersion");
    if (read->all != NULL && strcmp(read->all, "ALL") != 0) {
        (void)api_error_set(&call->error, ST_BAD_INPUT, API_VALIDATION,
                            "1 validation error detected: Value '%.128s' at 'functionVersion' "
                            "failed to satisfy constraint: Member must satisfy enum value set: "
                            "[ALL]",
                            read->all);
        api_fail(call, &call->error);
        return;
    }
    read->page.what = read->all == NULL ? FUNCTION_PAGE_LATEST : FUNCTION_PAGE_ALL;
    read_start(read);
}

void lambda_list_versions(struct api_call *call)
{
    struct read *read = read_new(call, answer_versions);

    if (lambda_function_of(call, &read->ref, &call->error) != ST_OK ||
        read_list_parameters(read, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    read->page.what = FUNCTION_PAGE_VERSIONS;
    read->page.name = read->ref.name;
    read_start(read);
}

static void delete_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct api_call *call = context;

    if (st != ST_OK) {
        api_fail_status(call, st, "delete the function");
    } else if (outcome->status == ST_NOT_FOUND) {
        struct function_ref ref;
        char arn[FUNCTION_ARN_BYTES_MAX];

        CHECK(lambda_function_of(call, &ref, NULL) == ST_OK); /* as when it was proposed */
        function_arn(&call->scope, ref.name, ref.qualifier, arn);
        (void)api_error_set(&call->error, ST_NOT_FOUND, API_NOT_FOUND, "Function not found: %s",
                            arn);
        api_fail(call, &call->error);
    } else if (outcome->status != ST_OK) {
        api_fail_status(call, (enum status)outcome->status, outcome->text);
    } else {
        api_answer_fields(call, 204, NULL, 0, bytes_of_text(""));
    }
    api_call_drop(call);
}

/* What to delete: 0 for all of it, or a version. */
static enum status read_delete(const struct api_call *call,
                               const struct function_ref *ref,
                               uint64_t *out_version,
                               struct api_error *error)
{
    char arn[FUNCTION_ARN_BYTES_MAX];

    *out_version = 0;
    if (ref->qualifier[0] == '\0')
        return ST_OK;
    if (strcmp(ref->qualifier, "$LATEST") == 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "$LATEST version cannot be deleted without deleting the function.");
    if (function_ref_version(ref, out_version))
        return ST_OK;
    function_arn(&call->scope, ref->name, ref->qualifier, arn);
    return api_error_set(error, ST_NOT_FOUND, API_NOT_FOUND, "Function not found: %s", arn);
}

void lambda_delete_function(struct api_call *call)
{
    Lapwing__DeleteFunction body = LAPWING__DELETE_FUNCTION__INIT;
    struct function_ref ref;
    uint8_t packed[256];
    size_t len;
    enum status st = lambda_function_of(call, &ref, &call->error);

    if (st == ST_OK)
        st = read_delete(call, &ref, &body.version, &call->error);
    if (st != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    body.account = (char *)(uintptr_t)call->scope.account;
    body.region = call->region;
    body.name = ref.name;
    len = lapwing__delete_function__get_packed_size(&body);
    CHECK(len <= sizeof packed);
    (void)lapwing__delete_function__pack(&body, packed);
    st = replica_propose(call->api->options.control_client, LAPWING__COMMAND_TYPE__DELETE_FUNCTION,
                         bytes_of(packed, len), API_PROPOSE_MS, delete_cb, call);
    if (st == ST_OK)
        api_call_hold(call);
    else
        api_fail_status(call, st, "delete the function");
}
