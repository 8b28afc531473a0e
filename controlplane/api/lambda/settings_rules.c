/* Settings of functions: the checks that creating one and changing one share. */
#include "controlplane/api/lambda/settings_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/api/lambda/runtimes.h"
#include "proto/reserved_variables.h"

static const char role_pattern[] =
    "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";

enum status settings_refuse_unbuilt(const char *operation,
                                    const char *member,
                                    struct api_error *error)
{
    return api_error_set(error, ST_UNSUPPORTED, API_NOT_IMPLEMENTED,
                         "Lapwing does not implement %s of %s yet.", member, operation);
}

static enum status check_unbuilt(const json_t *root, const char *operation, struct api_error *error)
{
    static const char *const members[] = {
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
    const char *format = form_text(logging, "LogFormat");

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (!form_structure_asks_nothing(json_object_get(root, members[i])))
            return settings_refuse_unbuilt(operation, members[i], error);
    if (form_text(snap, "ApplyOn") != NULL && strcmp(form_text(snap, "ApplyOn"), "None") != 0)
        return settings_refuse_unbuilt(operation, "SnapStart", error);
    if (format != NULL && strcmp(format, "Text") != 0)
        return settings_refuse_unbuilt(operation, "LoggingConfig.LogFormat JSON", error);
    if (!form_asks_nothing(json_object_get(logging, "LogGroup")))
        return settings_refuse_unbuilt(operation, "LoggingConfig.LogGroup", error);
    if (form_text(root, "PackageType") != NULL &&
        strcmp(form_text(root, "PackageType"), "Zip") != 0)
        return settings_refuse_unbuilt(operation, "PackageType Image", error);
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
    if (strspn(role, "0123456789") != ACCOUNT_DIGITS ||
        strncmp(role + ACCOUNT_DIGITS, ":role", 5) != 0)
        return false;
    role += ACCOUNT_DIGITS + 5;
    if (*role == '/')
        role++;
    for (len = 0; role[len] != '\0'; len++)
        if (!is_role_byte(role[len]))
            return false;
    return len > 0;
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
        form_find(
            findings,
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy "
            "constraint: [Member must satisfy regular expression pattern: "
            "[a-zA-Z]([a-zA-Z0-9_])+] ('%.128s')",
            name);
    }
}

static void find_texts(struct findings *findings, const json_t *root, bool all)
{
    const char *role = form_text(root, "Role");
    const char *handler = form_text(root, "Handler");
    const char *description = form_text(root, "Description");

    if (role == NULL && all)
        form_find(findings,
                  "Value null at 'role' failed to satisfy constraint: Member must not be null");
    else if (role != NULL && !role_matches(role))
        form_find(
            findings,
            "Value '%.256s' at 'role' failed to satisfy constraint: Member must satisfy regular "
            "expression pattern: %s",
            role, role_pattern);
    form_find_length(findings, handler, "handler", 0, HANDLER_BYTES_MAX);
    if (handler != NULL && (handler[0] == '\0' || strpbrk(handler, " \t\r\n\v\f") != NULL))
        form_find(findings,
                  "Value '%.256s' at 'handler' failed to satisfy constraint: Member must satisfy "
                  "regular expression pattern: [^\\s]+",
                  handler);
    form_find_length(findings, description, "description", 0, DESCRIPTION_BYTES_MAX);
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
        const char *text = form_text(from, enums[i].member);
        bool known = text == NULL;

        for (size_t at = 0; !known && enums[i].values[at] != NULL; at++)
            known = strcmp(text, enums[i].values[at]) == 0;
        if (!known)
            form_find(
                findings,
                "Value '%.128s' at '%s' failed to satisfy constraint: Member must satisfy enum "
                "value set: [%s]",
                text, enums[i].path, enums[i].text);
    }
}

void settings_find(struct findings *findings, json_t *root, bool all)
{
    const json_t *storage = json_object_get(root, "EphemeralStorage");
    const json_t *environment = json_object_get(root, "Environment");

    find_texts(findings, root, all);
    find_enums(findings, root);
    form_find_range(findings, json_object_get(root, "Timeout"), "timeout", 1, INT32_MAX);
    form_find_range(findings, json_object_get(root, "MemorySize"), "memorySize",
                    FUNCTION_MEMORY_MB_MIN, INT32_MAX);
    if (json_is_object(storage)) {
        if (!json_is_integer(json_object_get(storage, "Size")))
            form_find(findings, "Value null at 'ephemeralStorage.size' failed to satisfy "
                                "constraint: Member must not be null");
        form_find_range(findings, json_object_get(storage, "Size"), "ephemeralStorage.size",
                        FUNCTION_EPHEMERAL_MB_MIN, FUNCTION_EPHEMERAL_MB_MAX);
    }
    find_variables(findings, json_object_get(environment, "Variables"));
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

enum status settings_check(json_t *root, const char *operation, struct api_error *error)
{
    json_t *variables = json_object_get(json_object_get(root, "Environment"), "Variables");
    enum status st = check_unbuilt(root, operation, error);

    if (st == ST_OK)
        st = check_maximum(root, error);
    return st == ST_OK ? check_variables(variables, error) : st;
}

/* protobuf-c wants char * for what it only reads. */
static void take_text(const json_t *value, char **field)
{
    if (json_is_string(value))
        *field = (char *)(uintptr_t)json_string_value(value);
}

static void take_number(const json_t *value, uint32_t *field)
{
    if (json_is_integer(value))
        *field = (uint32_t)json_integer_value(value);
}

static void take_variables(json_t *variables, struct settings *out, Lapwing__Function *function)
{
    const char *name;
    json_t *value;
    size_t at = 0;

    function->environment_present = json_is_object(variables);
    function->n_environment = json_object_size(variables);
    function->environment = NULL;
    if (function->n_environment == 0)
        return;
    out->variables = must_calloc(function->n_environment, sizeof *out->variables);
    out->list = must_calloc(function->n_environment, sizeof(*out->list));
    function->environment = out->list;
    json_object_foreach(variables, name, value)
    {
        lapwing__environment_variable__init(&out->variables[at]);
        out->variables[at].name = (char *)(uintptr_t)name;
        out->variables[at].value = (char *)(uintptr_t)json_string_value(value);
        out->list[at] = &out->variables[at];
        at++;
    }
}

void settings_fill(json_t *root, struct settings *out, Lapwing__Function *function)
{
    json_t *environment = json_object_get(root, "Environment");
    const json_t *storage = json_object_get(root, "EphemeralStorage");

    CHECK(out->variables == NULL);
    take_text(json_object_get(root, "Runtime"), &function->runtime);
    take_text(json_object_get(root, "Role"), &function->role);
    take_text(json_object_get(root, "Handler"), &function->handler);
    if (form_text(root, "Handler") != NULL)
        function->handler_present = true;
    take_text(json_object_get(root, "Description"), &function->description);
    take_number(json_object_get(root, "Timeout"), &function->timeout_s);
    take_number(json_object_get(root, "MemorySize"), &function->memory_mb);
    take_number(json_object_get(storage, "Size"), &function->ephemeral_mb);
    take_text(json_object_get(json_object_get(root, "TracingConfig"), "Mode"),
              &function->tracing_mode);
    if (json_is_object(environment))
        take_variables(json_object_get(environment, "Variables"), out, function);
}

void settings_done(struct settings *settings)
{
    free(settings->variables);
    free(settings->list);
    settings->variables = NULL;
    settings->list = NULL;
}
