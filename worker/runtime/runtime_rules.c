/* Names and command lines of runtimes.  Deciding code; see runtimes.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "worker/runtime/runtimes.h"

enum { NAMED_AT_MOST = 999 };

/* One to three digits and then just `rest`. */
static bool read_version(const char *text, const char *rest, unsigned *out)
{
    size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 3 || text[0] == '0' || strcmp(text + len, rest) != 0)
        return false;
    *out = (unsigned)strtoul(text, NULL, 10);
    return true;
}

enum runtime_family runtime_family(const char *name, unsigned *out_version)
{
    *out_version = 0;
    if (strncmp(name, "python3.", 8) == 0 && read_version(name + 8, "", out_version))
        return RUNTIME_PYTHON;
    if (strncmp(name, "nodejs", 6) == 0 && read_version(name + 6, ".x", out_version))
        return RUNTIME_NODE;
    if (strcmp(name, "provided") == 0 || strncmp(name, "provided.", 9) == 0)
        return RUNTIME_PROVIDED;
    return RUNTIME_OTHER;
}

const struct runtime *runtimes_find(const struct runtimes *runtimes, const char *name)
{
    for (size_t i = 0; i < runtimes->count; i++)
        if (strcmp(runtimes->list[i].name, name) == 0)
            return &runtimes->list[i];
    return NULL;
}

void runtimes_add(struct runtimes *runtimes, const struct runtime *runtime)
{
    if (runtimes_find(runtimes, runtime->name) != NULL)
        return;
    CHECK(runtimes->count < RUNTIMES_MAX);
    runtimes->list[runtimes->count++] = *runtime;
}

/* All names of three families that Lambda has or had, with the version to measure by.  Left out is
 * python2.7: no Python 3 runs its code. */
static const struct {
    const char *name;
    enum runtime_family family;
    unsigned version;
} known[] = {
    { "python3.6", RUNTIME_PYTHON, 6 },      { "python3.7", RUNTIME_PYTHON, 7 },
    { "python3.8", RUNTIME_PYTHON, 8 },      { "python3.9", RUNTIME_PYTHON, 9 },
    { "python3.10", RUNTIME_PYTHON, 10 },    { "python3.11", RUNTIME_PYTHON, 11 },
    { "python3.12", RUNTIME_PYTHON, 12 },    { "python3.13", RUNTIME_PYTHON, 13 },
    { "python3.14", RUNTIME_PYTHON, 14 },    { "nodejs", RUNTIME_NODE, 0 },
    { "nodejs4.3", RUNTIME_NODE, 4 },        { "nodejs6.10", RUNTIME_NODE, 6 },
    { "nodejs8.10", RUNTIME_NODE, 8 },       { "nodejs10.x", RUNTIME_NODE, 10 },
    { "nodejs12.x", RUNTIME_NODE, 12 },      { "nodejs14.x", RUNTIME_NODE, 14 },
    { "nodejs16.x", RUNTIME_NODE, 16 },      { "nodejs18.x", RUNTIME_NODE, 18 },
    { "nodejs20.x", RUNTIME_NODE, 20 },      { "nodejs22.x", RUNTIME_NODE, 22 },
    { "nodejs24.x", RUNTIME_NODE, 24 },      { "provided", RUNTIME_PROVIDED, 0 },
    { "provided.al2", RUNTIME_PROVIDED, 0 }, { "provided.al2023", RUNTIME_PROVIDED, 0 },
};

/* Of the first `count`, the nearest of a family, or NULL. */
static const struct runtime *nearest(const struct runtimes *runtimes,
                                     size_t count,
                                     enum runtime_family family,
                                     unsigned wanted)
{
    const struct runtime *best = NULL;
    unsigned best_distance = NAMED_AT_MOST + 1;
    unsigned best_version = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned version, distance;

        if (runtime_family(runtimes->list[i].name, &version) != family)
            continue;
        distance = version > wanted ? version - wanted : wanted - version;
        if (distance > best_distance || (distance == best_distance && version <= best_version))
            continue;
        best = &runtimes->list[i];
        best_distance = distance;
        best_version = version;
    }
    return best;
}

void runtimes_add_any(struct runtimes *runtimes)
{
    size_t present = runtimes->count;

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const struct runtime *found = nearest(runtimes, present, known[i].family, known[i].version);
        struct runtime runtime;

        if (found == NULL)
            continue;
        runtime = *found;
        (void)snprintf(runtime.name, sizeof runtime.name, "%s", known[i].name);
        runtimes_add(runtimes, &runtime);
    }
}

/* Arguments are bounded by what probing takes as name and program. */
static void add_arg(struct runtime_command *command, const char *arg)
{
    CHECK(command->count < RUNTIME_ARGS_MAX);
    (void)snprintf(command->args[command->count++], RUNTIME_ARG_BYTES, "%s", arg);
}

/* The flags of Lambda's own start.  Without the first of them, V8 takes the host's memory for its
 * measure and is killed where it should have collected. */
static void add_node_flags(struct runtime_command *command, uint32_t memory_mb)
{
    char arg[RUNTIME_ARG_BYTES];

    (void)snprintf(arg, sizeof arg, "--max-old-space-size=%u", memory_mb * 9 / 10);
    add_arg(command, arg);
    (void)snprintf(arg, sizeof arg, "--max-semi-space-size=%u", memory_mb / 20);
    add_arg(command, arg);
    add_arg(command, "--max-http-header-size=81920");
    add_arg(command, "--expose-gc");
}

void runtime_command(const struct runtime *runtime, uint32_t memory_mb, struct runtime_command *out)
{
    unsigned version;
    enum runtime_family family = runtime_family(runtime->present, &version);

    out->count = 0;
    if (runtime->program[0] == '\0') {
        add_arg(out, "/var/task/bootstrap");
        return;
    }
    add_arg(out, runtime->program);
    if (family == RUNTIME_NODE) {
        add_node_flags(out, memory_mb);
        add_arg(out, "/var/runtime/bootstrap.cjs");
        return;
    }
    /* -S: `site` takes half of the interpreter's start; the bootstrap does what of it matters.  -u:
     * what a function printed before it was killed must be in its log. */
    add_arg(out, "-S");
    add_arg(out, "-u");
    add_arg(out, "/var/runtime/bootstrap.py");
}
