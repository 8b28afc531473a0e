#include "worker/runtime/environment_variables.h"

#include <string.h>

#include "tests/unit/check.h"

static Lapwing__EnvironmentVariable user[] = {
    { PROTOBUF_C_MESSAGE_INIT(&lapwing__environment_variable__descriptor), "GREETING", "Hello" },
    { PROTOBUF_C_MESSAGE_INIT(&lapwing__environment_variable__descriptor), "PATH", "/mine" },
    { PROTOBUF_C_MESSAGE_INIT(&lapwing__environment_variable__descriptor), "AWS_REGION", "moon" },
    { PROTOBUF_C_MESSAGE_INIT(&lapwing__environment_variable__descriptor), "EMPTY", "" },
};

static void build(const char *runtime, struct variables *out)
{
    static Lapwing__EnvironmentVariable *list[] = { &user[0], &user[1], &user[2], &user[3] };
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    struct variables_input input = { &function, "$LATEST", "2026/01/05/[$LATEST]00ff", "LWFKAB",
                                     "secret" };

    function.name = "hello";
    function.region = "eu-west-1";
    function.runtime = (char *)(uintptr_t)runtime;
    function.handler = "app.handler";
    function.memory_mb = 256;
    function.environment = list;
    function.n_environment = ARRAY_LEN(list);
    variables_build(&input, out);
}

static const struct {
    const char *name, *python, *provided;
} rows[] = {
    { "_HANDLER", "app.handler", "app.handler" },
    { "AWS_REGION", "eu-west-1", "eu-west-1" }, /* reserved: the user's is not taken */
    { "AWS_DEFAULT_REGION", "eu-west-1", "eu-west-1" },
    { "AWS_EXECUTION_ENV", "AWS_Lambda_python3.11", NULL },
    { "AWS_LAMBDA_FUNCTION_NAME", "hello", "hello" },
    { "AWS_LAMBDA_FUNCTION_VERSION", "$LATEST", "$LATEST" },
    { "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256", "256" },
    { "AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello", "/aws/lambda/hello" },
    { "AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/05/[$LATEST]00ff", "2026/01/05/[$LATEST]00ff" },
    { "AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand", "on-demand" },
    { "AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001", "127.0.0.1:9001" },
    { "AWS_ACCESS_KEY_ID", "LWFKAB", "LWFKAB" },
    { "AWS_SECRET_ACCESS_KEY", "secret", "secret" },
    { "AWS_SESSION_TOKEN", NULL, NULL },
    { "AWS_ENDPOINT_URL", "http://169.254.100.1:4566", "http://169.254.100.1:4566" },
    { "LAMBDA_TASK_ROOT", "/var/task", "/var/task" },
    { "LAMBDA_RUNTIME_DIR", "/var/runtime", "/var/runtime" },
    { "TZ", ":UTC", ":UTC" },
    { "PATH", "/mine", "/mine" }, /* not reserved */
    { "PYTHONPATH", "/var/runtime", NULL },
    { "GREETING", "Hello", "Hello" },
    { "EMPTY", "", "" },
};

TEST(a_function_sees_lambdas_variables_and_its_own)
{
    struct variables python, provided;

    build("python3.11", &python);
    build("provided.al2023", &provided);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *a = variables_get(&python, rows[i].name);
        const char *b = variables_get(&provided, rows[i].name);

        test_case = rows[i].name;
        EXPECT_TEXT(a == NULL ? "(absent)" : a,
                    rows[i].python == NULL ? "(absent)" : rows[i].python);
        EXPECT_TEXT(b == NULL ? "(absent)" : b,
                    rows[i].provided == NULL ? "(absent)" : rows[i].provided);
    }
    variables_done(&python);
    variables_done(&provided);
}

TEST(node_finds_modules_of_layers_of_its_version_and_of_debian)
{
    struct variables node;

    build("nodejs20.x", &node);
    EXPECT_TEXT(variables_get(&node, "NODE_PATH"),
                "/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/"
                "node_modules:/var/runtime:/var/task:/usr/share/nodejs:/usr/lib/nodejs");
    EXPECT_TEXT(variables_get(&node, "AWS_EXECUTION_ENV"), "AWS_Lambda_nodejs20.x");
    EXPECT(variables_get(&node, "PYTHONPATH") == NULL);
    variables_done(&node);
}

TEST(no_variable_is_there_twice)
{
    struct variables variables;

    build("python3.11", &variables);
    for (size_t i = 0; i < variables.count; i++)
        for (size_t k = 0; k < i; k++) {
            size_t len = strcspn(variables.list[i], "=") + 1;

            test_case = variables.list[i];
            EXPECT(strncmp(variables.list[i], variables.list[k], len) != 0);
        }
    variables_done(&variables);
}
