/* What environments hold in sockets, where the kernel does not hold it to their memory limit.
 *
 * cgroup v2 counts buffers of TCP and UDP in the group's memory.  v1 counts them apart, and its
 * limit only slows them down: each socket may still have some 40 KB, so a function with tens of
 * thousands of them took gigabytes (measured).  So while environments run, the counter is looked at
 * SOCKET_GUARD_MS apart, and one that is over its bound is killed as out of memory.  Frozen ones
 * take nothing; without running ones nothing is looked at. */
#ifndef WORKER_SPAWNER_SOCKET_GUARD_H
#define WORKER_SPAWNER_SOCKET_GUARD_H

#include <stdbool.h>

#include "base/status.h"
#include "worker/spawner/source.h"

enum { SOCKET_GUARD_MS = 200 };

struct spawner;

/* Part of the spawner; `timer` is -1 where there is nothing to guard. */
struct socket_guard {
    int timer;
    bool armed;
    struct source source;
};

/* Under cgroup v2 does nothing.  ST_IO: no timer. */
enum status socket_guard_open(struct spawner *spawner, struct err *err);

/* An environment runs from now on. */
void socket_guard_wake(struct spawner *spawner);

#endif
