/* ListTags, TagResource, UntagResource. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/api/lambda/barrier.h"
#include "controlplane/api/lambda/lambda.h"
#include "controlplane/api/lambda/tag_rules.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/tags.h"

/* Whose tags: the ARN in the path. */
static enum status resource_of(struct api_call *call, struct function_ref *out_ref)
{
    struct bytes text = bytes_of(call->match.parameters[0].text, call->match.parameters[0].len);
    struct buf arn = { 0 };
    enum status st = http_percent_decode(text, false, &arn);

    if (st == ST_OK)
        st = tag_resource_parse(buf_text(&arn), &call->scope, out_ref, &call->error);
    else
        st = api_error_set(&call->error, ST_BAD_INPUT, API_VALIDATION,
                           "1 validation error detected: Value at 'resource' failed to satisfy "
                           "constraint: it cannot be decoded");
    buf_done(&arn);
    return st;
}

static json_t *tags_json(const struct tag_list *list)
{
    json_t *tags = json_object();

    for (size_t i = 0; i < list->count; i++) {
        int rv = json_object_set_new(tags, list->tags[i]->key, json_string(list->tags[i]->value));

        CHECK(rv == 0); /* rows hold UTF-8 */
    }
    return json_pack("{s:o}", "Tags", tags);
}

static void answer_list(struct api_call *call)
{
    const struct function_ref *ref = call->data;
    Lapwing__Function *function = NULL;
    struct tag_list list = { 0 };
    struct err err = { 0 };

    if (lambda_row_of(call, ref, &function, &call->error) != ST_OK) {
        api_fail(call, &call->error);
        return;
    }
    lapwing__function__free_unpacked(function, NULL);
    if (state_list_function_tags(call->api->reader, call->scope.account, call->scope.region,
                                 ref->name, &list, &err) != ST_OK) {
        api_fail_status(call, ST_IO, "read the tags");
        return;
    }
    api_answer_json(call, 200, tags_json(&list));
    tag_list_done(&list);
}

void lambda_list_tags(struct api_call *call)
{
    struct function_ref *ref = must_calloc(1, sizeof *ref);

    call->data = ref;
    call->data_free = free;
    if (resource_of(call, ref) != ST_OK)
        api_fail(call, &call->error);
    else
        lambda_after_barrier(call, answer_list, "read the tags");
}

static void change_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct api_call *call = context;

    if (st != ST_OK) {
        api_fail_status(call, st, "change the tags");
    } else if (outcome->status == ST_OK) {
        api_answer_fields(call, 204, NULL, 0, bytes_of_text(""));
    } else if (outcome->status == ST_NOT_FOUND || outcome->status == ST_LIMIT) {
        (void)api_error_set(&call->error, (enum status)outcome->status,
                            outcome->status == ST_LIMIT ? API_INVALID_PARAMETER : API_NOT_FOUND,
                            "%s", outcome->text);
        api_fail(call, &call->error);
    } else {
        api_fail_status(call, (enum status)outcome->status, outcome->text);
    }
    api_call_drop(call);
}

/* Pack the body and propose it. */
static void change(struct api_call *call, Lapwing__CommandType type, const ProtobufCMessage *body)
{
    struct buf packed = { 0 };
    size_t len = protobuf_c_message_get_packed_size(body);
    enum status st;

    (void)protobuf_c_message_pack(body, buf_reserve(&packed, len));
    packed.len += len;
    st = replica_propose(call->api->options.control_client, type, buf_view(&packed), API_PROPOSE_MS,
                         change_cb, call);
    buf_done(&packed);
    if (st == ST_OK)
        api_call_hold(call);
    else
        api_fail_status(call, st, "change the tags");
}

enum { RESOURCE_BYTES = sizeof "function:" + FUNCTION_NAME_BYTES_MAX };

static void resource_text(const struct function_ref *ref, char out[RESOURCE_BYTES])
{
    memcpy(out, "function:", strlen("function:"));
    memcpy(out + strlen("function:"), ref->name, strlen(ref->name) + 1);
}

void lambda_tag_resource(struct api_call *call)
{
    Lapwing__TagResource body = LAPWING__TAG_RESOURCE__INIT;
    struct function_ref ref;
    struct tags_input input = { 0 };
    char resource[RESOURCE_BYTES];
    enum status st = resource_of(call, &ref);

    if (st == ST_OK)
        st = tag_body_read(buf_view(&call->body), &input, &call->error);
    if (st != ST_OK) {
        api_fail(call, &call->error);
    } else {
        resource_text(&ref, resource);
        body.account = (char *)(uintptr_t)call->scope.account;
        body.region = call->region;
        body.resource = resource;
        body.n_tags = input.count;
        body.tags = input.list;
        change(call, LAPWING__COMMAND_TYPE__TAG_RESOURCE, &body.base);
    }
    tags_input_done(&input);
}

void lambda_untag_resource(struct api_call *call)
{
    Lapwing__UntagResource body = LAPWING__UNTAG_RESOURCE__INIT;
    struct function_ref ref;
    struct tag_keys keys = { 0 };
    char resource[RESOURCE_BYTES];
    enum status st = resource_of(call, &ref);

    if (st == ST_OK)
        st = tag_keys_read(call->query, &keys, &call->error);
    if (st != ST_OK) {
        api_fail(call, &call->error);
    } else {
        resource_text(&ref, resource);
        body.account = (char *)(uintptr_t)call->scope.account;
        body.region = call->region;
        body.resource = resource;
        body.n_keys = keys.count;
        body.keys = keys.keys;
        change(call, LAPWING__COMMAND_TYPE__UNTAG_RESOURCE, &body.base);
    }
    tag_keys_done(&keys);
}
