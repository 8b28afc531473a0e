/* See ready_wish.h. */
#include "tests/cluster/ready_wish.h"

#include <stdlib.h>

#include "base/check.h"
#include "worker/runtime/runtimes.h"

static const struct runtimes *here(void)
{
    static struct runtimes found;
    struct runtime_sources sources = { .root = "/" };
    struct err err = { 0 };

    if (found.count == 0)
        CHECK(runtimes_probe(&sources, &found, &err) == ST_OK);
    return &found;
}

static const char *newest(enum runtime_family family)
{
    const char *found = NULL;
    unsigned version;

    for (size_t i = 0; i < here()->count; i++)
        if (runtime_family(here()->list[i].name, &version) == family)
            found = here()->list[i].name;
    return found;
}

const char *wish_python(void)
{
    return newest(RUNTIME_PYTHON);
}

const char *wish_node(void)
{
    return newest(RUNTIME_NODE);
}

static void build_command(const struct wish *wish, struct wish_texts *out)
{
    const struct runtime *runtime = runtimes_find(here(), wish->runtime);
    struct runtime_command command;

    CHECK(runtime != NULL);
    runtime_command(runtime, wish->memory_mb, &command);
    CHECK(command.count <= WISH_ARGS_MAX);
    out->argc = command.count;
    for (size_t i = 0; i < command.count; i++)
        out->argv[i] = must_strdup(command.args[i]);
}

void wish_build(const struct wish *wish, struct wish_texts *out)
{
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    Lapwing__EnvironmentVariable user = LAPWING__ENVIRONMENT_VARIABLE__INIT;
    Lapwing__EnvironmentVariable *list[] = { &user };
    struct variables_input input = { &function, "7", "2026/01/05/[7]00ff", "LWFKAB", "secret" };

    user.name = (char *)(uintptr_t)(wish->variable == NULL ? "GREETING" : wish->variable);
    user.value = (char *)(uintptr_t)(wish->variable == NULL ? "h\xc3\xa4 = \n llo" : wish->value);
    function.name = (char *)"one";
    function.region = (char *)"eu-west-1";
    function.runtime = (char *)(uintptr_t)wish->runtime;
    function.handler = (char *)(uintptr_t)wish->handler;
    function.memory_mb = wish->memory_mb;
    function.environment = list;
    function.n_environment = 1;
    variables_build(&input, &out->plain);
    variables_build_ready(wish->runtime, &out->ready);
    build_command(wish, out);
}

void wish_done(struct wish_texts *texts)
{
    variables_done(&texts->plain);
    variables_done(&texts->ready);
    for (size_t i = 0; i < texts->argc; i++)
        free(texts->argv[i]);
}
