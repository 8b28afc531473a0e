/* Which functions may get a process that was started before they were known.  Pure. */
#ifndef WORKER_RUNTIME_READY_RULES_H
#define WORKER_RUNTIME_READY_RULES_H

#include "worker/runtime/environment_variables.h"

/* May a process that was started with `ready` become that of a function with `plain`?  Not where a
 * variable that is read while a process starts, by the loader, the C library or the interpreter,
 * differs: the function then gets a process of its own from the start.  O(of both together). */
bool ready_allowed(const struct variables *plain, const struct variables *ready);

#endif
