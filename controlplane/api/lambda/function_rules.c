/* Checks of the operations that make and change functions.  See function_rules.h.
 *
 * AWS validates twice and it shows: first a framework that collects everything wrong with the form
 * into one ValidationException, then the service, which stops at the first thing. */
#include "controlplane/api/lambda/function_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/api/lambda/tag_rules.h"

static const char not_an_alias_text[] =
    "This operation is permitted on Lambda functions only. Aliases and versions do not support "
    "this operation. Please specify either a function name or an unqualified function ARN.";

enum status function_check_unqualified(const struct function_ref *ref, struct api_error *error)
{
    if (ref->qualifier[0] == '\0' || strcmp(ref->qualifier, "$LATEST") == 0)
        return ST_OK;
    return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER, "%s", not_an_alias_text);
}

static const struct form_member settings_members[] = {
    { "Runtime", JSON_STRING },          { "Role", JSON_STRING },
    { "Handler", JSON_STRING },          { "Description", JSON_STRING },
    { "Timeout", JSON_INTEGER },         { "MemorySize", JSON_INTEGER },
    { "Environment", JSON_OBJECT },      { "TracingConfig", JSON_OBJECT },
    { "EphemeralStorage", JSON_OBJECT }, { "SnapStart", JSON_OBJECT },
    { "LoggingConfig", JSON_OBJECT },    { "Layers", JSON_ARRAY },
};

static const struct form_member create_members[] = {
    { "FunctionName", JSON_STRING }, { "Code", JSON_OBJECT }, { "Publish", JSON_TRUE },
    { "PackageType", JSON_STRING },  { "Tags", JSON_OBJECT }, { "Architectures", JSON_ARRAY },
};

static const struct form_member code_members[] = {
    { "ZipFile", JSON_STRING },         { "S3Bucket", JSON_STRING }, { "S3Key", JSON_STRING },
    { "S3ObjectVersion", JSON_STRING }, { "ImageUri", JSON_STRING },
};

static const struct form_member update_code_members[] = {
    { "Publish", JSON_TRUE },
    { "DryRun", JSON_TRUE },
    { "RevisionId", JSON_STRING },
    { "Architectures", JSON_ARRAY },
};

static void find_architectures(struct findings *findings, const json_t *list)
{
    struct buf text = { 0 };
    bool bad = false;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (name == NULL || (strcmp(name, "x86_64") != 0 && strcmp(name, "arm64") != 0))
            bad = true;
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", name == NULL ? "null" : name);
    }
    if (bad)
        form_find(
            findings,
            "Value '[%s]' at 'architectures' failed to satisfy constraint: Member must satisfy "
            "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be "
            "null]",
            buf_text(&text));
    else if (json_array_size(list) > 1)
        form_find(findings,
                  "Value '[%s]' at 'architectures' failed to satisfy constraint: Member must have "
                  "length less than or equal to 1",
                  buf_text(&text));
    else if (list != NULL && !json_is_null(list) && json_array_size(list) == 0)
        form_find(
            findings,
            "Value '[]' at 'architectures' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1");
    buf_done(&text);
}

/* Letters, digits, - _ and dots, but no dot at the end.  Nothing else may reach a URL. */
static void find_bucket(struct findings *findings, const char *bucket, const char *path)
{
    size_t len = bucket == NULL ? 0 : strlen(bucket);

    if (len == 0)
        return;
    if (bucket[len - 1] != '.' &&
        strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len)
        return;
    form_find(findings,
              "Value '%.128s' at '%ss3Bucket' failed to satisfy constraint: Member must satisfy "
              "regular expression pattern: [0-9A-Za-z\\.\\-_]*(?<!\\.)",
              bucket, path);
}

static void find_code(struct findings *findings, const json_t *code, const char *path)
{
    static const struct {
        const char *member, *name;
        size_t min, max;
    } texts[] = {
        { "S3Bucket", "s3Bucket", BUCKET_NAME_BYTES_MIN, BUCKET_NAME_BYTES_MAX },
        { "S3Key", "s3Key", 1, OBJECT_KEY_BYTES_MAX },
        { "S3ObjectVersion", "s3ObjectVersion", 1, 1024 },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char name[64];

        (void)snprintf(name, sizeof name, "%s%s", path, texts[i].name);
        form_find_length(findings, form_text(code, texts[i].member), name, texts[i].min,
                         texts[i].max);
    }
    find_bucket(findings, form_text(code, "S3Bucket"), path);
}

/* The framework's pass over CreateFunction. */
static enum status check_create_form(json_t *root, struct api_error *error)
{
    const json_t *code = json_object_get(root, "Code");
    struct findings findings = { 0 };

    if (form_text(root, "FunctionName") == NULL)
        form_find(&findings, "Value null at 'functionName' failed to satisfy constraint: Member "
                             "must not be null");
    form_find_length(&findings, form_text(root, "FunctionName"), "functionName", 1,
                     FUNCTION_PLAIN_BYTES_MAX);
    if (!json_is_object(code))
        form_find(&findings,
                  "Value null at 'code' failed to satisfy constraint: Member must not be null");
    find_code(&findings, code, "code.");
    settings_find(&findings, root, true);
    find_architectures(&findings, json_object_get(root, "Architectures"));
    return form_end(&findings, error);
}

static enum status check_machine(const char *architecture,
                                 const char *machine,
                                 struct api_error *error)
{
    if (strcmp(architecture, machine) == 0)
        return ST_OK;
    return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                         "Architecture %s is not available: the workers of this cluster are %s.",
                         architecture, machine);
}

/* Where the code comes from: in the request, or in a bucket. */
static enum status check_code(const json_t *code,
                              const char *operation,
                              struct function_input *input,
                              struct api_error *error)
{
    const json_t *zip = json_object_get(code, "ZipFile");
    const char *bucket = form_text(code, "S3Bucket");
    const char *key = form_text(code, "S3Key");
    const char *version = form_text(code, "S3ObjectVersion");

    if (!form_asks_nothing(json_object_get(code, "ImageUri")))
        return settings_refuse_unbuilt(operation, "ImageUri", error);
    if (json_is_string(zip) && (bucket != NULL || key != NULL || version != NULL))
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Please do not provide other FunctionCode parameters when providing a "
                             "ZipFile.");
    if (!json_is_string(zip) && (bucket == NULL || key == NULL))
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Please provide a source for function code.");
    if (json_is_string(zip) && json_string_length(zip) == 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Uploaded file must be a non-empty zip");
    /* Buckets without versioning have one version of an object, and its name is "null". */
    if (version != NULL && strcmp(version, "null") != 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Error occurred while GetObject. S3 Error Code: NoSuchVersion. S3 "
                             "Error Message: The specified version does not exist.");
    input->s3_bucket = bucket;
    input->s3_key = key;
    if (json_is_string(zip))
        input->zip_base64 = bytes_of(json_string_value(zip), json_string_length(zip));
    return ST_OK;
}

/* protobuf-c wants char * for what it only reads. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

static void fill_tags(json_t *tags, struct function_input *input)
{
    size_t count = json_object_size(tags);
    const char *name;
    json_t *value;
    size_t at = 0;

    if (count == 0)
        return;
    input->tag_list = must_calloc(count, sizeof(*input->tag_list));
    input->tags = must_calloc(count, sizeof *input->tags);
    json_object_foreach(tags, name, value)
    {
        lapwing__tag__init(&input->tags[at]);
        input->tags[at].key = borrow(name);
        input->tags[at].value = borrow(json_string_value(value));
        input->tag_list[at] = &input->tags[at];
        at++;
    }
    input->function.tags = input->tag_list;
    input->function.n_tags = count;
}

static const char *architecture_of(const json_t *root)
{
    return json_string_value(json_array_get(json_object_get(root, "Architectures"), 0));
}

static void fill_create(json_t *root, struct function_input *input)
{
    Lapwing__Function *function = &input->function;
    const char *architecture = architecture_of(root);

    function->name = input->name;
    function->timeout_s = FUNCTION_TIMEOUT_S_DEFAULT;
    function->memory_mb = FUNCTION_MEMORY_MB_MIN;
    function->ephemeral_mb = FUNCTION_EPHEMERAL_MB_MIN;
    function->architecture = borrow(architecture == NULL ? "x86_64" : architecture);
    function->tracing_mode = borrow("PassThrough");
    settings_fill(root, &input->settings, function);
    fill_tags(json_object_get(root, "Tags"), input);
    input->publish = json_is_true(json_object_get(root, "Publish"));
}

/* The service's pass over CreateFunction: stops at the first thing. */
static enum status check_create(json_t *root,
                                const struct function_scope *scope,
                                const char *machine,
                                struct function_input *input,
                                struct api_error *error)
{
    const char *architecture = architecture_of(root);
    struct function_ref ref;
    enum status st;

    st = function_ref_parse(form_text(root, "FunctionName"), NULL, scope, FUNCTION_NAME_PLAIN, &ref,
                            error);
    if (st != ST_OK)
        return st;
    st = function_check_unqualified(&ref, error);
    if (st != ST_OK)
        return st;
    (void)snprintf(input->name, sizeof input->name, "%s", ref.name);
    if (form_text(root, "PackageType") != NULL &&
        strcmp(form_text(root, "PackageType"), "Zip") != 0)
        return settings_refuse_unbuilt("CreateFunction", "PackageType Image", error);
    if (form_text(root, "Runtime") == NULL || form_text(root, "Handler") == NULL)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Runtime and Handler are mandatory parameters for functions created "
                             "with deployment packages.");
    st = settings_check(root, "CreateFunction", error);
    if (st == ST_OK)
        st = tags_input_check(json_object_get(root, "Tags"), error);
    if (st == ST_OK)
        st = check_machine(architecture == NULL ? "x86_64" : architecture, machine, error);
    return st;
}

enum status function_create_check(struct bytes body,
                                  const struct function_scope *scope,
                                  const char *machine,
                                  struct function_input *out_input,
                                  struct api_error *error)
{
    json_t *root = NULL;
    const json_t *code;
    enum status st = form_load(body, &root, error);

    if (st != ST_OK)
        return st;
    out_input->root = root;
    code = json_object_get(root, "Code");
    lapwing__function__init(&out_input->function);
    st = form_check_types(root, create_members, ARRAY_LEN(create_members), error);
    if (st == ST_OK)
        st = form_check_types(root, settings_members, ARRAY_LEN(settings_members), error);
    if (st == ST_OK)
        st = form_check_types(code, code_members, ARRAY_LEN(code_members), error);
    if (st == ST_OK)
        st = check_create_form(root, error);
    if (st == ST_OK)
        st = check_create(root, scope, machine, out_input, error);
    if (st == ST_OK)
        st = check_code(code, "CreateFunction", out_input, error);
    if (st == ST_OK)
        fill_create(root, out_input);
    return st;
}

/* The service's pass over UpdateFunctionCode. */
static enum status check_update_code(json_t *root,
                                     const char *machine,
                                     struct function_input *input,
                                     struct api_error *error)
{
    const char *architecture = architecture_of(root);
    enum status st = ST_OK;

    if (!form_asks_nothing(json_object_get(root, "ImageUri")))
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Please don't provide ImageUri when updating a function with "
                             "packageType Zip.");
    if (!form_asks_nothing(json_object_get(root, "PublishTo")))
        return settings_refuse_unbuilt("UpdateFunctionCode", "PublishTo", error);
    if (architecture != NULL) {
        st = check_machine(architecture, machine, error);
        input->function.architecture = borrow(architecture);
    }
    input->publish = json_is_true(json_object_get(root, "Publish"));
    input->dry_run = json_is_true(json_object_get(root, "DryRun"));
    input->expected_revision_id = form_text(root, "RevisionId");
    return st == ST_OK ? check_code(root, "UpdateFunctionCode", input, error) : st;
}

enum status function_update_code_check(struct bytes body,
                                       const char *machine,
                                       struct function_input *out_input,
                                       struct api_error *error)
{
    struct findings findings = { 0 };
    json_t *root = NULL;
    enum status st = form_load(body, &root, error);

    if (st != ST_OK)
        return st;
    out_input->root = root;
    lapwing__function__init(&out_input->function);
    st = form_check_types(root, update_code_members, ARRAY_LEN(update_code_members), error);
    if (st == ST_OK)
        st = form_check_types(root, code_members, ARRAY_LEN(code_members), error);
    if (st != ST_OK)
        return st;
    find_code(&findings, root, "");
    find_architectures(&findings, json_object_get(root, "Architectures"));
    st = form_end(&findings, error);
    return st == ST_OK ? check_update_code(root, machine, out_input, error) : st;
}

enum status function_update_configuration_check(struct bytes body,
                                                struct function_input *out_input,
                                                struct api_error *error)
{
    static const struct form_member revision = { "RevisionId", JSON_STRING };
    struct findings findings = { 0 };
    json_t *root = NULL;
    enum status st = form_load(body, &root, error);

    if (st != ST_OK)
        return st;
    out_input->root = root;
    lapwing__function__init(&out_input->function);
    st = form_check_types(root, settings_members, ARRAY_LEN(settings_members), error);
    if (st == ST_OK)
        st = form_check_types(root, &revision, 1, error);
    if (st != ST_OK)
        return st;
    settings_find(&findings, root, false);
    st = form_end(&findings, error);
    out_input->expected_revision_id = form_text(root, "RevisionId");
    return st == ST_OK ? settings_check(root, "UpdateFunctionConfiguration", error) : st;
}

void function_configuration_merge(const Lapwing__Function *row, struct function_input *input)
{
    input->function = *row;
    settings_fill(input->root, &input->settings, &input->function);
}

enum status function_publish_check(struct bytes body,
                                   struct function_input *out_input,
                                   struct api_error *error)
{
    static const struct form_member members[] = {
        { "CodeSha256", JSON_STRING },
        { "Description", JSON_STRING },
        { "RevisionId", JSON_STRING },
        { "PublishTo", JSON_STRING },
    };
    struct findings findings = { 0 };
    json_t *root = NULL;
    enum status st = form_load(body, &root, error);

    if (st != ST_OK)
        return st;
    out_input->root = root;
    lapwing__function__init(&out_input->function);
    st = form_check_types(root, members, ARRAY_LEN(members), error);
    if (st != ST_OK)
        return st;
    form_find_length(&findings, form_text(root, "Description"), "description", 0,
                     DESCRIPTION_BYTES_MAX);
    st = form_end(&findings, error);
    if (st == ST_OK && !form_asks_nothing(json_object_get(root, "PublishTo")))
        st = settings_refuse_unbuilt("PublishVersion", "PublishTo", error);
    out_input->code_sha256 = form_text(root, "CodeSha256");
    out_input->description = form_text(root, "Description");
    out_input->expected_revision_id = form_text(root, "RevisionId");
    return st;
}

void function_input_drop_zip(struct function_input *input)
{
    json_t *code = json_object_get(input->root, "Code");

    (void)json_object_del(code == NULL ? input->root : code, "ZipFile");
    input->zip_base64 = (struct bytes){ 0 };
}

void function_input_done(struct function_input *input)
{
    settings_done(&input->settings);
    free(input->tag_list);
    free(input->tags);
    json_decref(input->root);
    memset(input, 0, sizeof *input);
}
