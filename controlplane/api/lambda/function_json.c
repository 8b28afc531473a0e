/* FunctionConfiguration as JSON.  See function_json.h. */
#include "controlplane/api/lambda/function_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/api/lambda/function_name.h"

void function_date(uint64_t ms, char *out)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[24];

    CHECK(gmtime_r(&seconds, &utc) != NULL);
    CHECK(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) > 0);
    (void)snprintf(out, FUNCTION_DATE_BYTES, "%s.%03u+0000", text, (unsigned)(ms % 1000));
}

void json_append(struct buf *out, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    CHECK(text != NULL);
    buf_append_text(out, text);
    free(text);
    json_decref(value);
}

static void put(json_t *object, const char *name, json_t *value)
{
    int rv = json_object_set_new(object, name, value);

    CHECK(rv == 0); /* only memory or text that is not UTF-8 can fail, and rows hold neither */
}

static void put_text(json_t *object, const char *name, const char *text)
{
    put(object, name, json_string(text));
}

static void put_state(json_t *object, const Lapwing__Function *function)
{
    if (function->state == LAPWING__FUNCTION_STATE__FUNCTION_PENDING) {
        put_text(object, "State", "Pending");
        put_text(object, "StateReason", "The function is being created.");
        put_text(object, "StateReasonCode", "Creating");
        return;
    }
    put_text(object, "State", "Active");
    if (function->update_status == LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS) {
        put_text(object, "LastUpdateStatus", "InProgress");
        put_text(object, "LastUpdateStatusReason", "The function is being created.");
        put_text(object, "LastUpdateStatusReasonCode", "Creating");
        return;
    }
    put_text(object, "LastUpdateStatus", "Successful");
}

static void put_environment(json_t *object, const Lapwing__Function *function)
{
    json_t *variables;

    if (!function->environment_present)
        return;
    variables = json_object();
    for (size_t i = 0; i < function->n_environment; i++)
        put_text(variables, function->environment[i]->name, function->environment[i]->value);
    put(object, "Environment", json_pack("{s:o}", "Variables", variables));
}

/* AWS shows the hash of its runtime's build.  Ours is the host's: the name is all that identifies
 * it, so its hash keeps the ARN of the right form, and equal for equal runtimes. */
static void put_runtime_version(json_t *object, const Lapwing__Function *function)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];
    char arn[FUNCTION_ARN_BYTES_MAX];

    hash_sha256(bytes_of_text(function->runtime), digest);
    hex_encode(bytes_of(digest, sizeof digest), hex);
    (void)snprintf(arn, sizeof arn, "arn:aws:lambda:%s::runtime:%s", function->region, hex);
    put(object, "RuntimeVersionConfig", json_pack("{s:s}", "RuntimeVersionArn", arn));
}

static void put_logging(json_t *object, const Lapwing__Function *function)
{
    char group[sizeof "/aws/lambda/" + FUNCTION_NAME_BYTES_MAX];

    (void)snprintf(group, sizeof group, "/aws/lambda/%s", function->name);
    put(object, "LoggingConfig", json_pack("{s:s, s:s}", "LogFormat", "Text", "LogGroup", group));
}

static void put_code(json_t *object, const Lapwing__Function *function)
{
    struct buf sha = { 0 };

    base64_encode(bytes_of(function->code_sha256.data, function->code_sha256.len), &sha);
    put_text(object, "CodeSha256", buf_text(&sha));
    buf_done(&sha);
    put(object, "CodeSize", json_integer((json_int_t)function->code_bytes));
}

json_t *function_configuration(const Lapwing__Function *function,
                               const char *qualifier,
                               enum function_view view)
{
    const struct function_scope scope = { .account = function->account,
                                          .region = function->region };
    char arn[FUNCTION_ARN_BYTES_MAX];
    char date[FUNCTION_DATE_BYTES];
    char version[FUNCTION_VERSION_BYTES];
    json_t *object = json_object();

    CHECK(object != NULL);
    function_arn(&scope, function->name, qualifier, arn);
    function_date(function->modified_ms, date);
    function_version_text(function->version, version);
    put_text(object, "FunctionName", function->name);
    put_text(object, "FunctionArn", arn);
    put_text(object, "Runtime", function->runtime);
    put_text(object, "Role", function->role);
    if (function->handler_present)
        put_text(object, "Handler", function->handler);
    put_code(object, function);
    put_text(object, "Description", function->description);
    put(object, "Timeout", json_integer(function->timeout_s));
    put(object, "MemorySize", json_integer(function->memory_mb));
    put_text(object, "LastModified", date);
    put_text(object, "Version", version);
    put_environment(object, function);
    put(object, "TracingConfig", json_pack("{s:s}", "Mode", function->tracing_mode));
    put_text(object, "RevisionId", function->revision_id);
    if (view == FUNCTION_VIEW_FULL) {
        put_state(object, function);
        put_runtime_version(object, function);
    }
    put_text(object, "PackageType", "Zip");
    put(object, "Architectures", json_pack("[s]", function->architecture));
    put(object, "EphemeralStorage", json_pack("{s:I}", "Size", (json_int_t)function->ephemeral_mb));
    put(object, "SnapStart",
        json_pack("{s:s, s:s}", "ApplyOn", "None", "OptimizationStatus", "Off"));
    put_logging(object, function);
    return object;
}

json_t *function_answer(const Lapwing__Function *function,
                        const char *qualifier,
                        const char *location)
{
    json_t *object = json_object();

    CHECK(object != NULL);
    put(object, "Configuration", function_configuration(function, qualifier, FUNCTION_VIEW_FULL));
    put(object, "Code", json_pack("{s:s, s:s}", "RepositoryType", "S3", "Location", location));
    if (function->n_tags > 0) {
        json_t *tags = json_object();

        for (size_t i = 0; i < function->n_tags; i++)
            put_text(tags, function->tags[i]->key, function->tags[i]->value);
        put(object, "Tags", tags);
    }
    return object;
}
