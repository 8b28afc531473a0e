/* Functions of this machine's interpreters, with what the agent starts them with. */
#ifndef TESTS_CLUSTER_READY_WISH_H
#define TESTS_CLUSTER_READY_WISH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/runtime/environment_variables.h"

struct wish {
    const char *runtime;
    const char *handler;
    uint32_t memory_mb;
    uint32_t slot;
    bool plain;           /* the plain path, whatever is ready */
    const char *variable; /* of the user, with `value`; or NULL */
    const char *value;
};

enum { WISH_ARGS_MAX = 8 };

/* Freed by wish_done(). */
struct wish_texts {
    struct variables plain, ready;
    char *argv[WISH_ARGS_MAX];
    size_t argc;
};

/* The newest Python, and Node, that Debian has here; NULL: none. */
const char *wish_python(void);
const char *wish_node(void);

void wish_build(const struct wish *wish, struct wish_texts *out);
void wish_done(struct wish_texts *texts);

#endif
