#include "worker/runtime/ready_rules.h"

#include "base/check.h"
#include "tests/unit/check.h"

static void build(const char *runtime, const char *name, const char *value, struct variables *out)
{
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    Lapwing__EnvironmentVariable user = LAPWING__ENVIRONMENT_VARIABLE__INIT;
    Lapwing__EnvironmentVariable *list[] = { &user };
    struct variables_input input = { &function, "1", "stream", "key", "secret" };

    user.name = (char *)(uintptr_t)name;
    user.value = (char *)(uintptr_t)value;
    function.name = (char *)"one";
    function.region = (char *)"eu-west-1";
    function.runtime = (char *)(uintptr_t)runtime;
    function.handler = (char *)"app.handler";
    function.memory_mb = 128;
    function.environment = list;
    function.n_environment = name != NULL;
    variables_build(&input, out);
}

static const struct {
    const char *runtime, *name, *value;
    bool want;
} rows[] = {
    { "python3.11", NULL, NULL, true },
    { "nodejs20.x", NULL, NULL, true },
    { "provided.al2023", NULL, NULL, false },
    { "ruby3.3", NULL, NULL, false },
    { "python3.11", "GREETING", "hello", true },
    { "python3.11", "PATH", "/mine", true }, /* looked at when something is executed */
    { "python3.11", "AWS_LAMBDA_LOG_LEVEL", "DEBUG", true },
    { "python3.11", "AWS_ENDPOINT_URL", "http://127.0.0.1:1", true },
    { "python3.11", "TMPDIR", "/tmp/mine", true },
    { "python3.11", "LANGUID", "no prefix of ours", true },
    { "python3.11", "TZ", ":UTC", true }, /* what it is anyway */
    { "python3.11", "TZ", "UTC", false },
    { "python3.11", "TZDIR", "/opt", false },
    { "python3.11", "LANG", "C.UTF-8", true },
    { "python3.11", "LANG", "de_DE.UTF-8", false },
    { "python3.11", "LC_ALL", "C", false },
    { "python3.11", "LC_CTYPE", "C.UTF-8", true },
    { "python3.11", "LANGUAGE", "de", false },
    { "python3.11", "LOCPATH", "/opt", false },
    { "python3.11", "PYTHONPATH", "/var/runtime", true },
    { "python3.11", "PYTHONPATH", "/opt/mine", false },
    { "python3.11", "PYTHONHOME", "/opt", false },
    { "python3.11", "PYTHONHASHSEED", "0", false },
    { "python3.11", "PYTHON_GIL", "0", false },
    { "python3.11", "LD_PRELOAD", "/opt/a.so", false },
    { "python3.11", "LD_LIBRARY_PATH", "/opt/lib", false },
    { "python3.11", "MALLOC_ARENA_MAX", "1", false },
    { "python3.11", "GLIBC_TUNABLES", "x", false },
    { "python3.11", "GCONV_PATH", "/opt", false },
    { "python3.11", "SSL_CERT_FILE", "/opt/ca.pem", false },
    { "python3.11", "OPENSSL_CONF", "/opt/o.cnf", false },
    { "python3.11", "RES_OPTIONS", "ndots:1", false },
    { "python3.11", "HOME", "/tmp", false },
    { "python3.11", "AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrap", false },
    { "nodejs20.x", "NODE_OPTIONS", "--no-warnings", false },
    { "nodejs20.x", "NODE_EXTRA_CA_CERTS", "/opt/ca.pem", false },
    { "nodejs20.x", "NODE_PATH", "/opt", false },
    { "nodejs20.x", "NODE_ENV", "production", false }, /* harmless, but of that family */
    { "nodejs20.x", "UV_THREADPOOL_SIZE", "8", false },
    { "nodejs20.x", "ICU_DATA", "/opt", false },
};

TEST(a_process_that_waits_is_for_functions_that_change_nothing_at_its_start)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct variables plain, ready;

        test_case = rows[i].name == NULL ? rows[i].runtime : rows[i].name;
        build(rows[i].runtime, rows[i].name, rows[i].value, &plain);
        variables_build_ready(rows[i].runtime, &ready);
        EXPECT_EQ(ready_allowed(&plain, &ready), rows[i].want);
        variables_done(&plain);
        variables_done(&ready);
    }
    test_case = NULL;
}

TEST(one_of_another_version_is_not_allowed)
{
    struct variables plain, ready;

    build("nodejs18.x", NULL, NULL, &plain);
    variables_build_ready("nodejs20.x", &ready); /* another NODE_PATH */
    EXPECT(!ready_allowed(&plain, &ready));
    variables_done(&plain);
    variables_done(&ready);
}

/* The order of os.environ and process.env: what a process had stays where it was. */
TEST(what_waits_has_the_first_variables_of_every_function)
{
    static const char *const runtimes[] = { "python3.11", "nodejs20.x" };

    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++) {
        struct variables plain, ready;

        build(runtimes[i], NULL, NULL, &plain);
        variables_build_ready(runtimes[i], &ready);
        EXPECT(ready.count > 5 && ready.count < plain.count);
        for (size_t at = 0; at < ready.count; at++)
            EXPECT_TEXT(plain.list[at], ready.list[at]);
        variables_done(&plain);
        variables_done(&ready);
    }
}
