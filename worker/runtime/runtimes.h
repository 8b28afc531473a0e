/* Which runtimes this host can run, and how each is started. */
#ifndef WORKER_RUNTIME_RUNTIMES_H
#define WORKER_RUNTIME_RUNTIMES_H

#include <stdbool.h>
#include <stddef.h>

enum { RUNTIMES_MAX = 32, RUNTIME_NAME_BYTES = 24, RUNTIME_ARGS_MAX = 8, RUNTIME_ARG_BYTES = 64 };

struct runtimes {
    size_t count;
    char names[RUNTIMES_MAX][RUNTIME_NAME_BYTES]; /* "python3.11", "provided.al2023" */
};

/* The command line of one runtime, inside the environment. */
struct runtime_command {
    size_t count;
    char args[RUNTIME_ARGS_MAX][RUNTIME_ARG_BYTES];
};

/* Look under `root` (the folder that environments see as /) for interpreters.  Blocks on the file
 * system: at start only. */
void runtimes_probe(const char *root, struct runtimes *out);

bool runtimes_have(const struct runtimes *runtimes, const char *name);

/* Only for a name that runtimes_have(). */
void runtime_command(const char *name, struct runtime_command *out);

#endif
