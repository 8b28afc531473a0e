/* The environment variables a function's process starts with.
 *
 * Pure.  Lambda's own, as recorded (README.md lists what differs), then the user's: those may
 * replace what Lambda lets users replace (PATH, LANG, PYTHONPATH...), never a reserved one. */
#ifndef WORKER_RUNTIME_ENVIRONMENT_VARIABLES_H
#define WORKER_RUNTIME_ENVIRONMENT_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/command.pb-c.h"

struct variables_input {
    const Lapwing__Function *function; /* checked */
    const char *version;
    const char *log_stream;
    const char *access_key_id;
    const char *secret_access_key;
};

/* "NAME=value" texts, owned; freed by variables_done(). */
struct variables {
    size_t count, capacity;
    char **list;
};

void variables_build(const struct variables_input *input, struct variables *out);

/* Those of a process of `runtime` that is kept ready for any function: what variables_build() puts
 * first for each of them, unless the user replaced it.  None for a runtime without an interpreter.
 */
void variables_build_ready(const char *runtime, struct variables *out);

void variables_done(struct variables *variables);

/* The value of `name`, borrowed, or NULL. */
const char *variables_get(const struct variables *variables, const char *name);

#endif
