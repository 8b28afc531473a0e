/* Which runtimes this host can run, and how each is started. */
#ifndef WORKER_RUNTIME_RUNTIMES_H
#define WORKER_RUNTIME_RUNTIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    RUNTIMES_MAX = 64,
    RUNTIME_NAME_BYTES = 24,
    RUNTIME_ARGS_MAX = 8,
    RUNTIME_ARG_BYTES = 64,
    RUNTIME_ROOTS_MAX = 8, /* as the spawner has it */
};

struct runtime {
    char name[RUNTIME_NAME_BYTES];    /* as functions ask for it: "python3.11", "nodejs20.x" */
    char present[RUNTIME_NAME_BYTES]; /* what runs then: the same, unless any name is taken */
    char program[RUNTIME_ARG_BYTES];  /* the interpreter, inside; empty: the package brings all */
};

struct runtimes {
    size_t count;
    struct runtime list[RUNTIMES_MAX];
};

/* Where runtimes are looked for.  Texts are borrowed for the call. */
struct runtime_sources {
    const char *root; /* the folder that environments see as / */
    size_t count;
    struct {
        const char *name; /* a runtime with a root folder of its own */
        const char *root;
    } list[RUNTIME_ROOTS_MAX];
    bool any; /* take all names that Lambda knows of a family, and run what is nearest */
};

/* The command line of one runtime, inside the environment. */
struct runtime_command {
    size_t count;
    char args[RUNTIME_ARGS_MAX][RUNTIME_ARG_BYTES];
};

enum runtime_family { RUNTIME_OTHER, RUNTIME_PYTHON, RUNTIME_NODE, RUNTIME_PROVIDED };

/* Family and version of a name: python3.11 is 11, nodejs20.x is 20, provided.* is 0. */
enum runtime_family runtime_family(const char *name, unsigned *out_version);

/* Look for interpreters.  A configured root must hold just the version that its name says: anything
 * else is ST_BAD_INPUT, naming it and what is there.  Reads files and runs `INTERPRETER --version`:
 * at start only. */
enum status runtimes_probe(const struct runtime_sources *sources,
                           struct runtimes *out,
                           struct err *err);

/* NULL: this host has it not. */
const struct runtime *runtimes_find(const struct runtimes *runtimes, const char *name);

/* Add a runtime unless its name is taken. */
void runtimes_add(struct runtimes *runtimes, const struct runtime *runtime);
/* Add every name that Lambda knows, or knew, of the families that are present, each to be run by
 * the nearest version (the newer of two that are equally near). */
void runtimes_add_any(struct runtimes *runtimes);

void runtime_command(const struct runtime *runtime,
                     uint32_t memory_mb,
                     struct runtime_command *out);

#endif
