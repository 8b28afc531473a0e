/* Checks of CreateFunction and UpdateFunctionCode.  See function_rules.h.
 *
 * AWS validates twice and it shows: first a framework that collects everything wrong with the form
 * into one ValidationException, then the service, which stops at the first thing. */
#include "controlplane/api/lambda/function_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "proto/reserved_variables.h"

static const char role_pattern[] =
    "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";

/* What the framework found; its text is the list behind "N validation errors detected: ". */
struct findings {
    unsigned count;
    struct buf text;
};

static void find(struct findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void find(struct findings *findings, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (findings->count++ > 0)
        buf_append_text(&findings->text, "; ");
    buf_append_text(&findings->text, text);
}

static enum status findings_end(struct findings *findings, struct api_error *error)
{
    enum status st = ST_OK;

    if (findings->count > 0)
        st = api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                           "%u validation error%s detected: %s", findings->count,
                           findings->count == 1 ? "" : "s", buf_text(&findings->text));
    buf_done(&findings->text);
    return st;
}

static enum status load(struct bytes body, json_t **out_root, struct api_error *error)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)body.data, body.len, 0, &why);

    if (root == NULL)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Could not parse request body into json: %s at line %d, column %d",
                             why.text, why.line, why.column);
    if (!json_is_object(root)) {
        json_decref(root);
        return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                             "Start of structure or map found where not expected.");
    }
    *out_root = root;
    return ST_OK;
}

/* A member of a JSON type that its name always has. */
struct member {
    const char *name;
    json_type type; /* JSON_TRUE stands for both booleans */
};

static enum status check_types(const json_t *object,
                               const struct member *members,
                               size_t count,
                               struct api_error *error)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "structure", [JSON_ARRAY] = "list",  [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer",  [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",    [JSON_NULL] = "null"
    };

    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, members[i].name);
        json_type type;

        if (value == NULL || json_is_null(value))
            continue;
        type = json_typeof(value) == JSON_FALSE ? JSON_TRUE : json_typeof(value);
        if (type != members[i].type)
            return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                                 "Member '%s' is a %s and must be a %s.", members[i].name,
                                 words[type], words[members[i].type]);
    }
    return ST_OK;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Does the value ask for nothing: absent, null, false, "", or a list or structure of such? */
static bool asks_nothing(const json_t *value)
{
    if (value == NULL || json_is_null(value) || json_is_false(value))
        return true;
    if (json_is_string(value))
        return json_string_length(value) == 0;
    if (json_is_array(value))
        return json_array_size(value) == 0;
    return json_is_object(value) && json_object_size(value) == 0;
}

static bool structure_asks_nothing(json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return asks_nothing(value);
    json_object_foreach(value, name, member) if (!asks_nothing(member)) return false;
    return true;
}

static enum status refuse_unbuilt(const char *operation,
                                  const char *member,
                                  struct api_error *error)
{
    return api_error_set(error, ST_UNSUPPORTED, API_NOT_IMPLEMENTED,
                         "Lapwing does not implement %s of %s yet.", member, operation);
}

static enum status check_unbuilt(const json_t *root, struct api_error *error)
{
    static const char *const members[] = {
        "Publish",
        "VpcConfig",
        "DeadLetterConfig",
        "KMSKeyArn",
        "Layers",
        "FileSystemConfigs",
        "ImageConfig",
        "CodeSigningConfigArn",
        "DurableConfig",
        "TenancyConfig",
        "CapacityProviderConfig",
        "PublishTo",
    };
    const json_t *snap = json_object_get(root, "SnapStart");
    const json_t *logging = json_object_get(root, "LoggingConfig");
    const char *format = text_of(logging, "LogFormat");

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!structure_asks_nothing(json_object_get(root, members[i])))
            return refuse_unbuilt("CreateFunction", members[i], error);
    if (text_of(snap, "ApplyOn") != NULL && strcmp(text_of(snap, "ApplyOn"), "None") != 0)
        return refuse_unbuilt("CreateFunction", "SnapStart", error);
    if (format != NULL && strcmp(format, "Text") != 0)
        return refuse_unbuilt("CreateFunction", "LoggingConfig.LogFormat JSON", error);
    if (!asks_nothing(json_object_get(logging, "LogGroup")))
        return refuse_unbuilt("CreateFunction", "LoggingConfig.LogGroup", error);
    if (text_of(root, "PackageType") != NULL && strcmp(text_of(root, "PackageType"), "Zip") != 0)
        return refuse_unbuilt("CreateFunction", "PackageType Image", error);
    return ST_OK;
}

static bool is_role_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_+=,.@-/", c) != NULL);
}

static bool role_matches(const char *role)
{
    size_t len;

    if (strncmp(role, "arn:", 4) != 0)
        return false;
    role += 4;
    if (strncmp(role, "aws", 3) == 0)
        role += strspn(role, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    if (strncmp(role, ":iam::", 6) != 0)
        return false;
    role += 6;
    if (strspn(role, "0123456789") != ACCOUNT_BYTES_MAX ||
        strncmp(role + ACCOUNT_BYTES_MAX, ":role", 5) != 0)
        return false;
    role += ACCOUNT_BYTES_MAX + 5;
    if (*role == '/')
        role++;
    for (len = 0; role[len] != '\0'; len++)
        if (!is_role_byte(role[len]))
            return false;
    return len > 0;
}

static void find_range(struct findings *findings,
                       const json_t *value,
                       const char *name,
                       json_int_t min,
                       json_int_t max)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value))
        return;
    if (number < min)
        find(findings,
             "Value '%lld' at '%s' failed to satisfy constraint: Member must have value greater "
             "than or equal to %lld",
             (long long)number, name, (long long)min);
    if (number > max)
        find(findings,
             "Value '%lld' at '%s' failed to satisfy constraint: Member must have value less than "
             "or equal to %lld",
             (long long)number, name, (long long)max);
}

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
        find(findings,
             "Value '[%s]' at 'architectures' failed to satisfy constraint: Member must satisfy "
             "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be "
             "null]",
             buf_text(&text));
    else if (json_array_size(list) > 1)
        find(findings,
             "Value '[%s]' at 'architectures' failed to satisfy constraint: Member must have "
             "length less than or equal to 1",
             buf_text(&text));
    else if (list != NULL && !json_is_null(list) && json_array_size(list) == 0)
        find(findings,
             "Value '[]' at 'architectures' failed to satisfy constraint: Member must have length "
             "greater than or equal to 1");
    buf_done(&text);
}

static bool is_variable_name(const char *name)
{
    size_t len = strlen(name);

    if (len < 2 || !((name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z')))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static void find_variables(struct findings *findings, json_t *variables)
{
    const char *name;
    json_t *value;

    json_object_foreach(variables, name, value)
    {
        /* The names that AWS itself uses begin with an underscore; they are refused as reserved,
         * which says more than "does not match the pattern". */
        if (name[0] == '_' || is_variable_name(name))
            continue;
        find(findings,
             "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy "
             "constraint: [Member must satisfy regular expression pattern: "
             "[a-zA-Z]([a-zA-Z0-9_])+] ('%.128s')",
             name);
    }
}

static void find_texts(struct findings *findings, const json_t *root)
{
    const char *role = text_of(root, "Role");
    const char *handler = text_of(root, "Handler");
    const char *description = text_of(root, "Description");

    if (role == NULL)
        find(findings,
             "Value null at 'role' failed to satisfy constraint: Member must not be null");
    else if (!role_matches(role))
        find(findings,
             "Value '%.256s' at 'role' failed to satisfy constraint: Member must satisfy regular "
             "expression pattern: %s",
             role, role_pattern);
    if (handler != NULL && strlen(handler) > HANDLER_BYTES_MAX)
        find(findings,
             "Value '%.256s' at 'handler' failed to satisfy constraint: Member must have length "
             "less than or equal to %d",
             handler, HANDLER_BYTES_MAX);
    if (handler != NULL && (handler[0] == '\0' || strpbrk(handler, " \t\r\n\v\f") != NULL))
        find(findings,
             "Value '%.256s' at 'handler' failed to satisfy constraint: Member must satisfy "
             "regular expression pattern: [^\\s]+",
             handler);
    if (description != NULL && strlen(description) > DESCRIPTION_BYTES_MAX)
        find(findings,
             "Value '%.512s' at 'description' failed to satisfy constraint: Member must have "
             "length less than or equal to %d",
             description, DESCRIPTION_BYTES_MAX);
}

static void find_enums(struct findings *findings, const json_t *root)
{
    static const struct {
        const char *structure; /* NULL: of the root */
        const char *member;
        const char *path;
        const char *const values[3];
        const char *text;
    } enums[] = {
        { NULL, "PackageType", "packageType", { "Zip", "Image" }, "Image, Zip" },
        { "TracingConfig",
          "Mode",
          "tracingConfig.mode",
          { "Active", "PassThrough" },
          "Active, PassThrough" },
        { "SnapStart",
          "ApplyOn",
          "snapStart.applyOn",
          { "PublishedVersions", "None" },
          "PublishedVersions, None" },
        { "LoggingConfig",
          "LogFormat",
          "loggingConfig.logFormat",
          { "JSON", "Text" },
          "JSON, Text" },
    };

    for (size_t i = 0; i < ARRAY_LEN(enums); i++) {
        const json_t *from =
            enums[i].structure == NULL ? root : json_object_get(root, enums[i].structure);
        const char *text = text_of(from, enums[i].member);
        bool known = text == NULL;

        for (size_t at = 0; !known && enums[i].values[at] != NULL; at++)
            known = strcmp(text, enums[i].values[at]) == 0;
        if (!known)
            find(findings,
                 "Value '%.128s' at '%s' failed to satisfy constraint: Member must satisfy enum "
                 "value set: [%s]",
                 text, enums[i].path, enums[i].text);
    }
}

/* The framework's pass over CreateFunction. */
static enum status check_form(json_t *root, struct api_error *error)
{
    struct findings findings = { 0 };
    const json_t *storage = json_object_get(root, "EphemeralStorage");
    const json_t *environment = json_object_get(root, "Environment");

    if (text_of(root, "FunctionName") == NULL)
        find(&findings,
             "Value null at 'functionName' failed to satisfy constraint: Member must not be null");
    if (!json_is_object(json_object_get(root, "Code")))
        find(&findings,
             "Value null at 'code' failed to satisfy constraint: Member must not be null");
    find_texts(&findings, root);
    find_enums(&findings, root);
    find_range(&findings, json_object_get(root, "Timeout"), "timeout", 1, INT32_MAX);
    find_range(&findings, json_object_get(root, "MemorySize"), "memorySize", FUNCTION_MEMORY_MB_MIN,
               INT32_MAX);
    if (json_is_object(storage)) {
        if (!json_is_integer(json_object_get(storage, "Size")))
            find(&findings,
                 "Value null at 'ephemeralStorage.size' failed to satisfy constraint: Member must "
                 "not be null");
        find_range(&findings, json_object_get(storage, "Size"), "ephemeralStorage.size",
                   FUNCTION_EPHEMERAL_MB_MIN, FUNCTION_EPHEMERAL_MB_MAX);
    }
    find_architectures(&findings, json_object_get(root, "Architectures"));
    find_variables(&findings, json_object_get(environment, "Variables"));
    return findings_end(&findings, error);
}

static enum status check_variables(json_t *variables, struct api_error *error)
{
    struct buf used = { 0 };
    enum status st = ST_OK;
    char *measured;
    const char *name;
    json_t *value;

    json_object_foreach(variables, name, value)
    {
        if (!json_is_string(value)) {
            buf_done(&used);
            return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                                 "The value of environment variable '%.128s' must be a string.",
                                 name);
        }
        if (variable_is_reserved(name))
            buf_printf(&used, "%s%.128s", used.len == 0 ? "" : ", ", name);
    }
    if (used.len > 0)
        st = api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                           "Lambda was unable to configure your environment variables because the "
                           "environment variables you have provided contains reserved keys that "
                           "are currently not supported for modification. Reserved keys used in "
                           "this request: %s",
                           buf_text(&used));
    buf_done(&used);
    if (st != ST_OK || json_object_size(variables) == 0)
        return st;

    measured = json_dumps(variables, JSON_COMPACT);
    CHECK(measured != NULL);
    if (strlen(measured) > FUNCTION_ENVIRONMENT_BYTES_MAX)
        st = api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                           "Lambda was unable to configure your environment variables because the "
                           "environment variables you have provided exceeded the 4KB limit. String "
                           "measured: %s",
                           measured);
    free(measured);
    return st;
}

static enum status check_maximum(const json_t *root, struct api_error *error)
{
    json_int_t timeout = json_integer_value(json_object_get(root, "Timeout"));
    json_int_t memory = json_integer_value(json_object_get(root, "MemorySize"));

    if (timeout > FUNCTION_TIMEOUT_S_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "1 validation error detected: Value '%lld' at 'timeout' failed to "
                             "satisfy constraint: Member must have value less than or equal to %d",
                             (long long)timeout, FUNCTION_TIMEOUT_S_MAX);
    if (memory > FUNCTION_MEMORY_MB_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "'MemorySize' value failed to satisfy constraint: Member must have "
                             "value less than or equal to %d",
                             FUNCTION_MEMORY_MB_MAX);
    return ST_OK;
}

static enum status check_tags(json_t *tags, struct api_error *error)
{
    const char *name;
    json_t *value;

    if (json_object_size(tags) > TAGS_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Number of tags exceeds resource tag limit.");
    json_object_foreach(
        tags, name, value) if (!json_is_string(value) || name[0] == '\0' || strlen(name) > 128 ||
                               json_string_length(value) >
                                   256) return api_error_set(error, ST_BAD_INPUT,
                                                             API_INVALID_PARAMETER,
                                                             "Tag '%.128s' is not allowed: a key "
                                                             "has 1 to 128 bytes, a value is "
                                                             "a string of at most 256.",
                                                             name);
    return ST_OK;
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

/* Where the code comes from: inline only. */
static enum status check_code(const json_t *code,
                              const char *operation,
                              struct bytes *out_zip,
                              struct api_error *error)
{
    const json_t *zip = json_object_get(code, "ZipFile");

    if (!asks_nothing(json_object_get(code, "S3Bucket")) ||
        !asks_nothing(json_object_get(code, "S3Key")))
        return refuse_unbuilt(operation, "S3Bucket and S3Key (send the zip in ZipFile)", error);
    if (!asks_nothing(json_object_get(code, "ImageUri")))
        return refuse_unbuilt(operation, "ImageUri", error);
    if (!json_is_string(zip))
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Please provide a source for function code.");
    if (json_string_length(zip) == 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Uploaded file must be a non-empty zip");
    *out_zip = bytes_of(json_string_value(zip), json_string_length(zip));
    return ST_OK;
}

static uint32_t number_or(const json_t *value, uint32_t fallback)
{
    return json_is_integer(value) ? (uint32_t)json_integer_value(value) : fallback;
}

/* protobuf-c wants char * for what it only reads. */
static char *borrow(const char *text)
{
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

static void fill_variables(json_t *variables, struct function_input *input)
{
    size_t count = json_object_size(variables);
    Lapwing__EnvironmentVariable **list;
    const char *name;
    json_t *value;
    size_t at = 0;

    if (count == 0)
        return;
    list = must_calloc(count, sizeof(*list));
    input->variables = must_calloc(count, sizeof *input->variables);
    json_object_foreach(variables, name, value)
    {
        lapwing__environment_variable__init(&input->variables[at]);
        input->variables[at].name = borrow(name);
        input->variables[at].value = borrow(json_string_value(value));
        list[at] = &input->variables[at];
        at++;
    }
    input->function.environment = list;
    input->function.n_environment = count;
}

static void fill_tags(json_t *tags, struct function_input *input)
{
    size_t count = json_object_size(tags);
    Lapwing__Tag **list;
    const char *name;
    json_t *value;
    size_t at = 0;

    if (count == 0)
        return;
    list = must_calloc(count, sizeof(*list));
    input->tags = must_calloc(count, sizeof *input->tags);
    json_object_foreach(tags, name, value)
    {
        lapwing__tag__init(&input->tags[at]);
        input->tags[at].key = borrow(name);
        input->tags[at].value = borrow(json_string_value(value));
        list[at] = &input->tags[at];
        at++;
    }
    input->function.tags = list;
    input->function.n_tags = count;
}

static const char *architecture_of(const json_t *root)
{
    return json_string_value(json_array_get(json_object_get(root, "Architectures"), 0));
}

static void fill(json_t *root, struct function_input *input)
{
    Lapwing__Function *function = &input->function;
    const json_t *environment = json_object_get(root, "Environment");
    const char *mode = text_of(json_object_get(root, "TracingConfig"), "Mode");
    const char *architecture = architecture_of(root);

    function->name = input->name;
    function->runtime = borrow(text_of(root, "Runtime"));
    function->role = borrow(text_of(root, "Role"));
    function->handler = borrow(text_of(root, "Handler"));
    function->handler_present = text_of(root, "Handler") != NULL;
    function->description = borrow(text_of(root, "Description"));
    function->timeout_s = number_or(json_object_get(root, "Timeout"), 3);
    function->memory_mb = number_or(json_object_get(root, "MemorySize"), FUNCTION_MEMORY_MB_MIN);
    function->ephemeral_mb =
        number_or(json_object_get(json_object_get(root, "EphemeralStorage"), "Size"),
                  FUNCTION_EPHEMERAL_MB_MIN);
    function->architecture = borrow(architecture == NULL ? "x86_64" : architecture);
    function->tracing_mode = borrow(mode == NULL ? "PassThrough" : mode);
    function->environment_present = json_is_object(json_object_get(environment, "Variables"));
    fill_variables(json_object_get(environment, "Variables"), input);
    fill_tags(json_object_get(root, "Tags"), input);
}

static const struct member create_members[] = {
    { "FunctionName", JSON_STRING },
    { "Runtime", JSON_STRING },
    { "Role", JSON_STRING },
    { "Handler", JSON_STRING },
    { "Code", JSON_OBJECT },
    { "Description", JSON_STRING },
    { "Timeout", JSON_INTEGER },
    { "MemorySize", JSON_INTEGER },
    { "Publish", JSON_TRUE },
    { "PackageType", JSON_STRING },
    { "Environment", JSON_OBJECT },
    { "TracingConfig", JSON_OBJECT },
    { "Tags", JSON_OBJECT },
    { "Architectures", JSON_ARRAY },
    { "EphemeralStorage", JSON_OBJECT },
    { "SnapStart", JSON_OBJECT },
    { "LoggingConfig", JSON_OBJECT },
    { "Layers", JSON_ARRAY },
};

/* The service's pass over CreateFunction: stops at the first thing. */
static enum status check_service(json_t *root,
                                 const struct function_scope *scope,
                                 const char *machine,
                                 struct function_input *input,
                                 struct api_error *error)
{
    json_t *variables = json_object_get(json_object_get(root, "Environment"), "Variables");
    const char *architecture = architecture_of(root);
    struct function_ref ref;
    enum status st;

    st = function_ref_parse(text_of(root, "FunctionName"), NULL, scope, &ref, error);
    if (st != ST_OK)
        return st;
    if (ref.qualifier[0] != '\0' && strcmp(ref.qualifier, "$LATEST") != 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "This operation is permitted on Lambda functions only. Aliases and "
                             "versions do not support this operation. Please specify either a "
                             "function name or an unqualified function ARN.");
    (void)snprintf(input->name, sizeof input->name, "%s", ref.name);
    st = check_unbuilt(root, error);
    if (st != ST_OK)
        return st;
    if (text_of(root, "Runtime") == NULL || text_of(root, "Handler") == NULL)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Runtime and Handler are mandatory parameters for functions created "
                             "with deployment packages.");
    st = check_maximum(root, error);
    if (st == ST_OK)
        st = check_variables(variables, error);
    if (st == ST_OK)
        st = check_tags(json_object_get(root, "Tags"), error);
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
    enum status st = load(body, &root, error);

    if (st != ST_OK)
        return st;
    out_input->root = root;
    lapwing__function__init(&out_input->function);
    st = check_types(root, create_members, ARRAY_LEN(create_members), error);
    if (st == ST_OK)
        st = check_form(root, error);
    if (st == ST_OK)
        st = check_service(root, scope, machine, out_input, error);
    if (st == ST_OK)
        st = check_code(json_object_get(root, "Code"), "CreateFunction", &out_input->zip_base64,
                        error);
    if (st == ST_OK)
        fill(root, out_input);
    return st;
}

static const struct member update_members[] = {
    { "ZipFile", JSON_STRING },    { "S3Bucket", JSON_STRING },     { "S3Key", JSON_STRING },
    { "ImageUri", JSON_STRING },   { "Publish", JSON_TRUE },        { "DryRun", JSON_TRUE },
    { "RevisionId", JSON_STRING }, { "Architectures", JSON_ARRAY },
};

enum status function_update_code_check(struct bytes body,
                                       const char *machine,
                                       struct function_input *out_input,
                                       struct api_error *error)
{
    struct findings findings = { 0 };
    json_t *root = NULL;
    enum status st = load(body, &root, error);

    if (st != ST_OK)
        return st;
    out_input->root = root;
    lapwing__function__init(&out_input->function);
    st = check_types(root, update_members, ARRAY_LEN(update_members), error);
    if (st != ST_OK)
        return st;
    find_architectures(&findings, json_object_get(root, "Architectures"));
    st = findings_end(&findings, error);
    if (st != ST_OK)
        return st;
    if (!asks_nothing(json_object_get(root, "ImageUri")))
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Please don't provide ImageUri when updating a function with "
                             "packageType Zip.");
    if (!asks_nothing(json_object_get(root, "Publish")))
        return refuse_unbuilt("UpdateFunctionCode", "Publish", error);
    if (architecture_of(root) != NULL) {
        st = check_machine(architecture_of(root), machine, error);
        if (st != ST_OK)
            return st;
        out_input->function.architecture = borrow(architecture_of(root));
    }
    out_input->dry_run = json_is_true(json_object_get(root, "DryRun"));
    out_input->expected_revision_id = text_of(root, "RevisionId");
    return check_code(root, "UpdateFunctionCode", &out_input->zip_base64, error);
}

void function_input_drop_zip(struct function_input *input)
{
    json_t *code = json_object_get(input->root, "Code");

    (void)json_object_del(code == NULL ? input->root : code, "ZipFile");
    input->zip_base64 = (struct bytes){ 0 };
}

void function_input_done(struct function_input *input)
{
    free(input->function.environment);
    free(input->function.tags);
    free(input->variables);
    free(input->tags);
    json_decref(input->root);
    memset(input, 0, sizeof *input);
}
