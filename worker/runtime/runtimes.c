/* Runtimes of the host.  runtimes_probe() reads the file system; the rest is pure. */
#include "worker/runtime/runtimes.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { PYTHON_MINOR_MIN = 8, PYTHON_MINOR_MAX = 25 };

static void add(struct runtimes *runtimes, const char *name)
{
    CHECK(runtimes->count < RUNTIMES_MAX);
    (void)snprintf(runtimes->names[runtimes->count++], RUNTIME_NAME_BYTES, "%s", name);
}

void runtimes_probe(const char *root, struct runtimes *out)
{
    out->count = 0;
    for (int minor = PYTHON_MINOR_MIN; minor <= PYTHON_MINOR_MAX; minor++) {
        char path[4096], name[RUNTIME_NAME_BYTES];

        (void)snprintf(path, sizeof path, "%s/usr/bin/python3.%d", root, minor);
        (void)snprintf(name, sizeof name, "python3.%d", minor);
        if (access(path, X_OK) == 0)
            add(out, name);
    }
    add(out, "provided.al2023");
    add(out, "provided.al2");
}

bool runtimes_have(const struct runtimes *runtimes, const char *name)
{
    for (size_t i = 0; i < runtimes->count; i++)
        if (strcmp(runtimes->names[i], name) == 0)
            return true;
    return false;
}

static void add_arg(struct runtime_command *command, const char *arg)
{
    (void)snprintf(command->args[command->count++], RUNTIME_ARG_BYTES, "%s", arg);
}

void runtime_command(const char *name, struct runtime_command *out)
{
    char path[RUNTIME_ARG_BYTES];

    out->count = 0;
    if (strncmp(name, "provided", 8) == 0) {
        add_arg(out, "/var/task/bootstrap");
        return;
    }
    /* -S: `site` takes half of the interpreter's start; the bootstrap does what of it matters.  -u:
     * what a function printed before it was killed must be in its log. */
    (void)snprintf(path, sizeof path, "/usr/bin/%.32s", name);
    add_arg(out, path);
    add_arg(out, "-S");
    add_arg(out, "-u");
    add_arg(out, "/var/runtime/bootstrap.py");
}
