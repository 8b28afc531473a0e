/* Checks of commands and of the rows that they carry; pure, any thread.
 *
 * The lengths and ranges are base/limits.h's, the characters those that AWS allows, a little wider
 * where the front door's own refusal with AWS's text comes first. */
#include "proto/command_check.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/canonical.h"
#include "proto/fields.h"
#include "proto/member_check.h"
#include "proto/message_limits.h"
#include "proto/object_check.h"
#include "proto/tag_check.h"

enum { CLIENT_BYTES = 16, OUTCOME_REASON_BYTES = 47 };

static const struct field_text account_rule = { "account", FIELD_DIGITS, ACCOUNT_DIGITS,
                                                ACCOUNT_DIGITS };
static const struct field_text region_rule = { "region", FIELD_NAME, 1, REGION_BYTES_MAX };
static const struct field_text function_name_rule = { "name", FIELD_NAME, 1,
                                                      FUNCTION_NAME_BYTES_MAX };
static const struct field_text uid_rule = { "uid", FIELD_HEX, UID_DIGITS, UID_DIGITS };
static const struct field_text revision_rule = { "revision_id", FIELD_UUID, UUID_BYTES,
                                                 UUID_BYTES };
static const struct field_text description_rule = { "description", FIELD_TEXT, 0,
                                                    DESCRIPTION_BYTES_MAX };

/* account, region and name of a function: its key. */
static enum status function_key_check(const char *account,
                                      const char *region,
                                      const char *name,
                                      struct err *err)
{
    const struct field_text rules[] = { account_rule, region_rule, function_name_rule };
    const char *const values[] = { account, region, name };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

static enum status architecture_check(const char *architecture, struct err *err)
{
    if (strcmp(architecture, "x86_64") == 0 || strcmp(architecture, "arm64") == 0)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "architecture: %.32s, want x86_64 or arm64", architecture);
}

static enum status code_check(const ProtobufCBinaryData *sha256, uint64_t bytes, struct err *err)
{
    enum status st = field_bytes_check("code_sha256", sha256, SHA256_BYTES, SHA256_BYTES, err);

    if (st != ST_OK)
        return st;
    return field_number_check("code_bytes", bytes, 1, PACKAGE_ZIP_BYTES_MAX, err);
}

static enum status environment_check(const Lapwing__Function *f, struct err *err)
{
    static const struct field_text name_rule = { "environment name", FIELD_NAME, 1,
                                                 FUNCTION_ENVIRONMENT_BYTES_MAX };
    static const struct field_text value_rule = { "environment value", FIELD_TEXT, 0,
                                                  FUNCTION_ENVIRONMENT_BYTES_MAX };
    size_t bytes = 0;
    enum status st =
        field_count_check("environment", f->n_environment, FUNCTION_VARIABLES_MAX, err);

    for (size_t i = 0; st == ST_OK && i < f->n_environment; i++) {
        const Lapwing__EnvironmentVariable *variable = f->environment[i];

        st = field_text_check(&name_rule, variable->name, err);
        if (st == ST_OK)
            st = field_text_check(&value_rule, variable->value, err);
        bytes += strlen(variable->name) + strlen(variable->value);
    }
    if (st != ST_OK)
        return st;
    return field_number_check("environment: bytes", bytes, 0, FUNCTION_ENVIRONMENT_BYTES_MAX, err);
}

static enum status function_texts_check(const Lapwing__Function *f, struct err *err)
{
    const struct field_text rules[] = {
        account_rule,
        region_rule,
        function_name_rule,
        uid_rule,
        { "runtime", FIELD_DOTTED, 1, RUNTIME_BYTES_MAX },
        { "role", FIELD_PRINTABLE, 1, ROLE_BYTES_MAX },
        { "handler", FIELD_LINE, 0, HANDLER_BYTES_MAX },
        description_rule,
        revision_rule,
    };
    const char *const values[] = { f->account, f->region,      f->name,
                                   f->uid,     f->runtime,     f->role,
                                   f->handler, f->description, f->revision_id };

    if (strcmp(f->tracing_mode, "PassThrough") != 0 && strcmp(f->tracing_mode, "Active") != 0)
        return err_set(err, ST_BAD_INPUT, "tracing_mode: %.32s, want PassThrough or Active",
                       f->tracing_mode);
    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

static enum status function_numbers_check(const Lapwing__Function *f, struct err *err)
{
    const struct {
        const char *name;
        uint64_t value, min, max;
    } numbers[] = {
        // clang-format off
        { "timeout_s",     f->timeout_s,     1, FUNCTION_TIMEOUT_S_MAX },
        { "memory_mb",     f->memory_mb,     FUNCTION_MEMORY_MB_MIN, FUNCTION_MEMORY_MB_MAX },
        { "ephemeral_mb",  f->ephemeral_mb,  FUNCTION_EPHEMERAL_MB_MIN, FUNCTION_EPHEMERAL_MB_MAX },
        { "modified_ms",   f->modified_ms,   0, TIME_MS_MAX },
        { "state",         f->state,         0, LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE },
        { "update_status", f->update_status, 0, LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS },
        { "config_epoch",  f->config_epoch,  0, TIME_MS_MAX },
        { "content_epoch", f->content_epoch, 0, f->config_epoch },
        { "version",       f->version,       0, FUNCTION_VERSION_MAX },
        // clang-format on
    };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        enum status st = field_number_check(numbers[i].name, numbers[i].value, numbers[i].min,
                                            numbers[i].max, err);

        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status function_check(const Lapwing__Function *f, struct err *err)
{
    enum status st = function_texts_check(f, err);

    if (st == ST_OK)
        st = function_numbers_check(f, err);
    if (st == ST_OK)
        st = architecture_check(f->architecture, err);
    if (st == ST_OK)
        st = code_check(&f->code_sha256, f->code_bytes, err);
    if (st == ST_OK)
        st = environment_check(f, err);
    if (st == ST_OK)
        st = tags_check(f->tags, f->n_tags, err);
    return st;
}

static enum status create_function_check(const Lapwing__CreateFunction *create, struct err *err)
{
    enum status st = field_present_check("function", create->function, err);

    return st == ST_OK ? function_check(create->function, err) : st;
}

/* Any text of a client: one that is no revision matches none. */
static enum status expected_revision_check(const char *expected, struct err *err)
{
    static const struct field_text rule = { "expected_revision_id", FIELD_TEXT, 0, 256 };

    return field_text_check(&rule, expected, err);
}

static enum status update_function_code_check(const Lapwing__UpdateFunctionCode *update,
                                              struct err *err)
{
    enum status st = function_key_check(update->account, update->region, update->name, err);

    if (st == ST_OK)
        st = code_check(&update->code_sha256, update->code_bytes, err);
    if (st == ST_OK)
        st = field_text_check(&revision_rule, update->revision_id, err);
    if (st == ST_OK)
        st = expected_revision_check(update->expected_revision_id, err);
    if (st == ST_OK && update->architecture[0] != '\0')
        st = architecture_check(update->architecture, err);
    return st;
}

static enum status update_function_configuration_check(
    const Lapwing__UpdateFunctionConfiguration *update, struct err *err)
{
    enum status st = field_present_check("function", update->function, err);

    if (st == ST_OK)
        st = function_check(update->function, err);
    return st == ST_OK ? expected_revision_check(update->expected_revision_id, err) : st;
}

static enum status publish_version_check(const Lapwing__PublishVersion *publish, struct err *err)
{
    enum status st = function_key_check(publish->account, publish->region, publish->name, err);

    if (st == ST_OK)
        st = expected_revision_check(publish->expected_revision_id, err);
    if (st == ST_OK)
        st = field_text_check(&revision_rule, publish->revision_id, err);
    return st == ST_OK ? field_text_check(&description_rule, publish->description, err) : st;
}

static enum status delete_function_check(const Lapwing__DeleteFunction *del, struct err *err)
{
    enum status st = function_key_check(del->account, del->region, del->name, err);

    return st == ST_OK ? field_number_check("version", del->version, 0, FUNCTION_VERSION_MAX, err)
                       : st;
}

static enum status activate_function_check(const Lapwing__ActivateFunction *activate,
                                           struct err *err)
{
    const struct field_text rules[] = { account_rule, region_rule,   function_name_rule,
                                        uid_rule,     revision_rule, revision_rule };
    const char *const values[] = {
        activate->account, activate->region,           activate->name,
        activate->uid,     activate->from_revision_id, activate->revision_id
    };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

static enum status register_worker_check(const Lapwing__RegisterWorker *worker, struct err *err)
{
    static const struct field_text rules[] = {
        { "worker", FIELD_DOTTED, 1, NODE_BYTES_MAX },
        { "zone", FIELD_DOTTED, 1, ZONE_BYTES_MAX },
        { "address", FIELD_ADDRESS, 1, ADDRESS_BYTES_MAX },
    };
    const char *const values[] = { worker->worker, worker->zone, worker->address };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    return st == ST_OK ? field_number_check("epoch", worker->epoch, 1, INT64_MAX, err) : st;
}

static enum status forget_clients_check(const Lapwing__ForgetClients *forget, struct err *err)
{
    return field_number_check("idle_before_ms", forget->idle_before_ms, 0, TIME_MS_MAX, err);
}

static enum status raise_cluster_version_check(const Lapwing__RaiseClusterVersion *raise,
                                               struct err *err)
{
    return field_number_check("cluster_version", raise->cluster_version, 1, CLUSTER_VERSION_MAX,
                              err);
}

enum status outcome_check(const Lapwing__Outcome *outcome, struct err *err)
{
    static const struct field_text reason = { "reason", FIELD_NAME, 0, OUTCOME_REASON_BYTES };
    static const struct field_text text = { "text", FIELD_TEXT, 0, ERR_TEXT_BYTES };
    enum status st = field_status_check("status", outcome->status, err);

    if (st == ST_OK)
        st = field_text_check(&reason, outcome->reason, err);
    if (st == ST_OK)
        st = field_text_check(&text, outcome->text, err);
    if (st == ST_OK && (outcome->status == ST_OK) != (outcome->reason[0] == '\0'))
        st = err_set(err, ST_BAD_INPUT, "reason: %s with status %u, want one exactly on refusal",
                     outcome->reason, outcome->status);
    return st == ST_OK ? field_bytes_check("body", &outcome->body, 0, COMMAND_BYTES_MAX, err) : st;
}

enum status command_envelope_check(const Lapwing__Command *command, struct err *err)
{
    enum status st = field_bytes_check("client", &command->client, CLIENT_BYTES, CLIENT_BYTES, err);

    if (st == ST_OK)
        st = field_number_check("sequence", command->sequence, 1, INT64_MAX, err);
    /* What is acknowledged was answered, so a command cannot acknowledge itself. */
    if (st == ST_OK)
        st = field_number_check("acked", command->acked, 0, command->sequence - 1, err);
    if (st == ST_OK)
        st = field_bytes_check("body", &command->body, 0, COMMAND_BYTES_MAX, err);
    return st;
}

/* The message of a command's body; NULL for a type or version that this release does not know. */
static const ProtobufCMessageDescriptor *body_descriptor(const Lapwing__Command *command)
{
    static const struct {
        Lapwing__CommandType type;
        const ProtobufCMessageDescriptor *descriptor;
    } bodies[] = {
        // clang-format off
        { LAPWING__COMMAND_TYPE__CREATE_FUNCTION,       &lapwing__create_function__descriptor },
        { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE,  &lapwing__update_function_code__descriptor },
        { LAPWING__COMMAND_TYPE__DELETE_FUNCTION,       &lapwing__delete_function__descriptor },
        { LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION,     &lapwing__activate_function__descriptor },
        { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION,
          &lapwing__update_function_configuration__descriptor },
        { LAPWING__COMMAND_TYPE__PUBLISH_VERSION,       &lapwing__publish_version__descriptor },
        { LAPWING__COMMAND_TYPE__REGISTER_WORKER,       &lapwing__register_worker__descriptor },
        { LAPWING__COMMAND_TYPE__MEMBER_BOOTSTRAP,      &lapwing__member_bootstrap__descriptor },
        { LAPWING__COMMAND_TYPE__MEMBER_ADD,            &lapwing__member_add__descriptor },
        { LAPWING__COMMAND_TYPE__MEMBER_REMOVE,         &lapwing__member_remove__descriptor },
        { LAPWING__COMMAND_TYPE__TAG_RESOURCE,          &lapwing__tag_resource__descriptor },
        { LAPWING__COMMAND_TYPE__UNTAG_RESOURCE,        &lapwing__untag_resource__descriptor },
        { LAPWING__COMMAND_TYPE__CREATE_BUCKET,         &lapwing__create_bucket__descriptor },
        { LAPWING__COMMAND_TYPE__DELETE_BUCKET,         &lapwing__delete_bucket__descriptor },
        { LAPWING__COMMAND_TYPE__PUT_OBJECT,            &lapwing__put_object__descriptor },
        { LAPWING__COMMAND_TYPE__DELETE_OBJECT,         &lapwing__delete_object__descriptor },
        { LAPWING__COMMAND_TYPE__DELETE_OBJECTS,        &lapwing__delete_objects__descriptor },
        { LAPWING__COMMAND_TYPE__CREATE_UPLOAD,         &lapwing__create_upload__descriptor },
        { LAPWING__COMMAND_TYPE__PUT_PART,              &lapwing__put_part__descriptor },
        { LAPWING__COMMAND_TYPE__COMPLETE_UPLOAD,       &lapwing__complete_upload__descriptor },
        { LAPWING__COMMAND_TYPE__ABORT_UPLOAD,          &lapwing__abort_upload__descriptor },
        { LAPWING__COMMAND_TYPE__FORGET_CLIENTS,        &lapwing__forget_clients__descriptor },
        { LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, &lapwing__raise_cluster_version__descriptor },
        // clang-format on
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        if (bodies[i].type == command->type && command->version == 1)
            return bodies[i].descriptor;
    return NULL;
}

static enum status body_check(Lapwing__CommandType type,
                              const ProtobufCMessage *body,
                              struct err *err)
{
    switch (type) {
    case LAPWING__COMMAND_TYPE__CREATE_FUNCTION:
        return create_function_check((const Lapwing__CreateFunction *)body, err);
    case LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE:
        return update_function_code_check((const Lapwing__UpdateFunctionCode *)body, err);
    case LAPWING__COMMAND_TYPE__DELETE_FUNCTION:
        return delete_function_check((const Lapwing__DeleteFunction *)body, err);
    case LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION:
        return activate_function_check((const Lapwing__ActivateFunction *)body, err);
    case LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION:
        return update_function_configuration_check(
            (const Lapwing__UpdateFunctionConfiguration *)body, err);
    case LAPWING__COMMAND_TYPE__PUBLISH_VERSION:
        return publish_version_check((const Lapwing__PublishVersion *)body, err);
    case LAPWING__COMMAND_TYPE__REGISTER_WORKER:
        return register_worker_check((const Lapwing__RegisterWorker *)body, err);
    case LAPWING__COMMAND_TYPE__MEMBER_BOOTSTRAP:
        return member_bootstrap_check((const Lapwing__MemberBootstrap *)body, err);
    case LAPWING__COMMAND_TYPE__MEMBER_ADD:
        return member_add_check((const Lapwing__MemberAdd *)body, err);
    case LAPWING__COMMAND_TYPE__MEMBER_REMOVE:
        return member_remove_check((const Lapwing__MemberRemove *)body, err);
    case LAPWING__COMMAND_TYPE__TAG_RESOURCE:
        return tag_resource_check((const Lapwing__TagResource *)body, err);
    case LAPWING__COMMAND_TYPE__UNTAG_RESOURCE:
        return untag_resource_check((const Lapwing__UntagResource *)body, err);
    case LAPWING__COMMAND_TYPE__CREATE_BUCKET:
        return create_bucket_check((const Lapwing__CreateBucket *)body, err);
    case LAPWING__COMMAND_TYPE__DELETE_BUCKET:
        return delete_bucket_check((const Lapwing__DeleteBucket *)body, err);
    case LAPWING__COMMAND_TYPE__PUT_OBJECT:
        return put_object_check((const Lapwing__PutObject *)body, err);
    case LAPWING__COMMAND_TYPE__DELETE_OBJECT:
        return delete_object_check((const Lapwing__DeleteObject *)body, err);
    case LAPWING__COMMAND_TYPE__DELETE_OBJECTS:
        return delete_objects_check((const Lapwing__DeleteObjects *)body, err);
    case LAPWING__COMMAND_TYPE__CREATE_UPLOAD:
        return create_upload_check((const Lapwing__CreateUpload *)body, err);
    case LAPWING__COMMAND_TYPE__PUT_PART:
        return put_part_check((const Lapwing__PutPart *)body, err);
    case LAPWING__COMMAND_TYPE__COMPLETE_UPLOAD:
        return complete_upload_check((const Lapwing__CompleteUpload *)body, err);
    case LAPWING__COMMAND_TYPE__ABORT_UPLOAD:
        return abort_upload_check((const Lapwing__AbortUpload *)body, err);
    case LAPWING__COMMAND_TYPE__FORGET_CLIENTS:
        return forget_clients_check((const Lapwing__ForgetClients *)body, err);
    case LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION:
        return raise_cluster_version_check((const Lapwing__RaiseClusterVersion *)body, err);
    case LAPWING__COMMAND_TYPE__COMMAND_NONE:
    case _LAPWING__COMMAND_TYPE_IS_INT_SIZE:
        break;
    }
    CHECK(!"a body with a descriptor and no check");
}

enum status command_check(const Lapwing__Command *command, struct err *err)
{
    const ProtobufCMessageDescriptor *descriptor = body_descriptor(command);
    ProtobufCMessage *body;
    enum status st = command_envelope_check(command, err);

    if (st != ST_OK)
        return st;
    if (descriptor == NULL)
        return err_set(err, ST_UNSUPPORTED, "command type %d version %u: not known here",
                       (int)command->type, command->version);
    body = message_decode(descriptor, (struct bytes){ command->body.data, command->body.len });
    if (body == NULL)
        return err_set(err, ST_BAD_INPUT, "body: not a canonical protobuf %s",
                       descriptor->short_name);
    st = body_check(command->type, body, err);
    protobuf_c_message_free_unpacked(body, NULL);
    return st;
}
