/* Environment variables of a function.  Deciding code. */
#include "worker/runtime/environment_variables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/reserved_variables.h"

static size_t find(const struct variables *variables, const char *name)
{
    size_t len = strlen(name), i = 0;

    while (i < variables->count &&
           (strncmp(variables->list[i], name, len) != 0 || variables->list[i][len] != '='))
        i++;
    return i;
}

const char *variables_get(const struct variables *variables, const char *name)
{
    size_t i = find(variables, name);

    return i == variables->count ? NULL : variables->list[i] + strlen(name) + 1;
}

/* Set or replace. */
static void set(struct variables *variables, const char *name, const char *value)
{
    size_t bytes = strlen(name) + strlen(value) + 2;
    size_t i = find(variables, name);
    char *text = must_calloc(1, bytes);

    (void)snprintf(text, bytes, "%s=%s", name, value);
    if (i == variables->capacity) {
        variables->capacity = variables->capacity == 0 ? 64 : variables->capacity * 2;
        variables->list =
            must_realloc(variables->list, variables->capacity * sizeof *variables->list);
    }
    if (i == variables->count)
        variables->count++;
    else
        free(variables->list[i]);
    variables->list[i] = text;
}

static void set_fixed(struct variables *out)
{
    static const struct {
        const char *name, *value;
    } fixed[] = {
        { "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand" },
        { "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001" },
        { "AWS_ENDPOINT_URL", "http://169.254.100.1:4566" },
        { "AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR" },
        { "LAMBDA_TASK_ROOT", "/var/task" },
        { "LAMBDA_RUNTIME_DIR", "/var/runtime" },
        { "LANG", "C.UTF-8" },
        { "TZ", ":UTC" },
        { "PWD", "/var/task" },
        { "SHLVL", "0" },
        { "PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin" },
        { "LD_LIBRARY_PATH",
          "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:"
          "/opt/lib" },
    };

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        set(out, fixed[i].name, fixed[i].value);
}

static void set_family(struct variables *out, const char *runtime)
{
    char text[200];

    if (strncmp(runtime, "python", 6) == 0) {
        set(out, "PYTHONPATH", "/var/runtime");
        set(out, "LC_CTYPE", "C.UTF-8");
    }
    if (strncmp(runtime, "nodejs", 6) == 0) {
        /* Layers, code, then where Debian's packages have Node's modules. */
        (void)snprintf(text, sizeof text,
                       "/opt/nodejs/node%.*s/node_modules:/opt/nodejs/node_modules:/var/runtime/"
                       "node_modules:/var/runtime:/var/task:/usr/share/nodejs:/usr/lib/nodejs",
                       (int)strspn(runtime + 6, "0123456789"), runtime + 6);
        set(out, "NODE_PATH", text);
    }
}

void variables_build(const struct variables_input *input, struct variables *out)
{
    const Lapwing__Function *function = input->function;
    char text[160];

    *out = (struct variables){ 0 };
    set_fixed(out);
    set_family(out, function->runtime);
    set(out, "_HANDLER", function->handler);
    set(out, "AWS_REGION", function->region);
    set(out, "AWS_DEFAULT_REGION", function->region);
    set(out, "AWS_LAMBDA_FUNCTION_NAME", function->name);
    set(out, "AWS_LAMBDA_FUNCTION_VERSION", input->version);
    (void)snprintf(text, sizeof text, "%u", function->memory_mb);
    set(out, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", text);
    (void)snprintf(text, sizeof text, "/aws/lambda/%s", function->name);
    set(out, "AWS_LAMBDA_LOG_GROUP_NAME", text);
    set(out, "AWS_LAMBDA_LOG_STREAM_NAME", input->log_stream);
    set(out, "AWS_ACCESS_KEY_ID", input->access_key_id);
    set(out, "AWS_SECRET_ACCESS_KEY", input->secret_access_key);
    if (strncmp(function->runtime, "provided", 8) != 0) {
        (void)snprintf(text, sizeof text, "AWS_Lambda_%s", function->runtime);
        set(out, "AWS_EXECUTION_ENV", text);
    }
    for (size_t i = 0; i < function->n_environment; i++) {
        const Lapwing__EnvironmentVariable *user = function->environment[i];

        if (!variable_is_reserved(user->name))
            set(out, user->name, user->value);
    }
}

void variables_build_ready(const char *runtime, struct variables *out)
{
    *out = (struct variables){ 0 };
    if (strncmp(runtime, "python", 6) != 0 && strncmp(runtime, "nodejs", 6) != 0)
        return;
    set_fixed(out);
    set_family(out, runtime);
}

void variables_done(struct variables *variables)
{
    for (size_t i = 0; i < variables->count; i++)
        free(variables->list[i]);
    free(variables->list);
    *variables = (struct variables){ 0 };
}
