/* The commands of deployments, packed. */
#include <string.h>

#include "base/check.h"
#include "controlplane/api/lambda/deploy.h"

/* protobuf-c wants char * for what it only reads. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

static void pack(const ProtobufCMessage *message, struct buf *out)
{
    size_t len = protobuf_c_message_get_packed_size(message);

    (void)protobuf_c_message_pack(message, buf_reserve(out, len));
    out->len += len;
}

static void pack_create(struct deploy *deploy, struct buf *out)
{
    Lapwing__CreateFunction body = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function *function = &deploy->input.function;
    uint8_t random[UID_DIGITS / 2];
    char uid[UID_DIGITS + 1];

    random_bytes(random, sizeof random);
    hex_encode(bytes_of(random, sizeof random), uid);
    function->account = borrow(deploy->call->scope.account);
    function->region = deploy->call->region;
    function->uid = uid;
    function->revision_id = deploy->revision;
    function->code_sha256 = (ProtobufCBinaryData){ .len = SHA256_BYTES, .data = deploy->sha256 };
    function->code_bytes = deploy->zip.len;
    body.function = function;
    body.publish = deploy->input.publish;
    pack(&body.base, out);
}

static void pack_code(struct deploy *deploy, struct buf *out)
{
    Lapwing__UpdateFunctionCode body = LAPWING__UPDATE_FUNCTION_CODE__INIT;

    body.account = borrow(deploy->call->scope.account);
    body.region = deploy->call->region;
    body.name = deploy->ref.name;
    body.code_sha256 = (ProtobufCBinaryData){ .len = SHA256_BYTES, .data = deploy->sha256 };
    body.code_bytes = deploy->zip.len;
    body.expected_revision_id = deploy->function->revision_id;
    body.revision_id = deploy->revision;
    body.architecture = deploy->input.function.architecture;
    body.publish = deploy->input.publish;
    pack(&body.base, out);
}

static void pack_configuration(struct deploy *deploy, struct buf *out)
{
    Lapwing__UpdateFunctionConfiguration body = LAPWING__UPDATE_FUNCTION_CONFIGURATION__INIT;
    Lapwing__Function function = deploy->input.function;

    function.revision_id = deploy->revision;
    body.function = &function;
    body.expected_revision_id = deploy->function->revision_id;
    pack(&body.base, out);
}

static void pack_publish(struct deploy *deploy, struct buf *out)
{
    Lapwing__PublishVersion body = LAPWING__PUBLISH_VERSION__INIT;

    body.account = borrow(deploy->call->scope.account);
    body.region = deploy->call->region;
    body.name = deploy->ref.name;
    body.expected_revision_id = deploy->function->revision_id;
    body.revision_id = deploy->revision;
    body.description_present = deploy->input.description != NULL;
    body.description = borrow(deploy->input.description);
    pack(&body.base, out);
}

/* All but a creation name the revision that was looked at, so that of two changes at once one is
 * refused. */
Lapwing__CommandType deploy_command(struct deploy *deploy, struct buf *out_body)
{
    static const struct {
        Lapwing__CommandType type;
        void (*pack)(struct deploy *deploy, struct buf *out);
    } commands[DEPLOY_KINDS] = {
        [DEPLOY_KIND_CREATE] = { LAPWING__COMMAND_TYPE__CREATE_FUNCTION, pack_create },
        [DEPLOY_KIND_CODE] = { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE, pack_code },
        [DEPLOY_KIND_CONFIGURATION] = { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION,
                                        pack_configuration },
        [DEPLOY_KIND_PUBLISH] = { LAPWING__COMMAND_TYPE__PUBLISH_VERSION, pack_publish },
    };

    CHECK(deploy->kind < DEPLOY_KINDS);
    commands[deploy->kind].pack(deploy, out_body);
    return commands[deploy->kind].type;
}
