/* One control group an environment, the same on hosts of cgroup v1, v2 and both.
 *
 * A v2 folder always exists (on v1 hosts without controllers): it starts, kills and freezes the
 * group at once and counts its CPU time.  Limits come from v2 where it has the memory controller
 * and else from v1 folders for memory, cpu and pids beside it; cgroup_v1.c and cgroup_v2.c are the
 * two back ends behind struct cgroup_limiter.
 *
 *   MOUNT/[PARENT/]lapwing-INSTANCE/NAME      in each hierarchy that is used
 *
 * A process is never moved between groups by cgroup.procs: that waits for a grace period of 6 to
 * 30 ms.  It is born in its v2 group (CLONE_INTO_CGROUP) and joins v1 groups itself by writing "0"
 * to their `tasks`, which does not wait. */
#ifndef WORKER_SPAWNER_CGROUP_H
#define WORKER_SPAWNER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum cgroup_part { CGROUP_MEMORY, CGROUP_CPU, CGROUP_PIDS, CGROUP_PARTS };
enum { CGROUP_NAME_BYTES = 32 };

/* Process ids are the host's: all of our groups together get one part in so many of them. */
enum { CGROUP_PROCESS_SHARE = 4 };

struct cgroup_limiter;

/* The folders that hold our groups.  Opened once. */
struct cgroups {
    const struct cgroup_limiter *limiter; /* v1 or v2 */
    int core;                             /* lapwing-INSTANCE in v2 */
    int parts[CGROUP_PARTS];              /* the same in v1, -1 under the v2 back end */
    int core_parent;                      /* the folders these are in, for removal */
    int part_parents[CGROUP_PARTS];
    char name[64];          /* "lapwing-INSTANCE" */
    uint64_t processes_max; /* of all groups together */
};

/* One group.  Owned by its environment; given back by cgroup_remove(). */
struct cgroup {
    char name[CGROUP_NAME_BYTES];
    int core;                /* v2 folder; also what clone3() wants */
    int parts[CGROUP_PARTS]; /* v1 folders, or -1 */
    int tasks[CGROUP_PARTS]; /* v1 `tasks`, for the child to join; -1 under v2 */
    int oom_event;           /* readable when the limit was hit; -1: the kernel kills the group */
};

struct cgroup_limits {
    uint64_t memory_bytes;
    uint32_t processes_max;
    uint32_t cpu_weight; /* in MB of memory, as Lambda shares processors: 1769 is one */
};

struct cgroup_usage {
    uint64_t memory_bytes;
    uint64_t memory_peak_bytes;
    uint64_t cpu_us;
    uint64_t oom_kills;
    uint64_t processes_refused; /* forks beyond processes_max */
};

/* A back end for limits.  Every call works on one group's folders. */
struct cgroup_limiter {
    const char *name;
    enum status (*prepare)(struct cgroup *group, struct err *err); /* what needs no limits yet */
    enum status (*limit)(struct cgroup *group, const struct cgroup_limits *limits, struct err *err);
    void (*usage)(const struct cgroup *group, struct cgroup_usage *out);
    bool (*sockets_full)(const struct cgroup *group); /* NULL: memory_bytes is for them, too */
};
extern const struct cgroup_limiter cgroup_v1;
extern const struct cgroup_limiter cgroup_v2;

/* Find the host's hierarchies and make our folder in each.
 *
 * parent   path below each mount, "" for its top
 * err      one sentence on what the host lacks
 *
 * Call before the mount namespace is made small: afterwards only descriptors are used. */
enum status cgroups_open(struct cgroups *groups,
                         const char *instance,
                         const char *parent,
                         struct err *err);

/* Kill what is in our folders, remove the groups in them and the folders.  Waits up to two seconds
 * for processes to go; ST_TIMEOUT names the group that stayed.  Safe when nothing is there. */
enum status cgroups_remove(struct cgroups *groups, struct err *err);
void cgroups_close(struct cgroups *groups);

/* Make a group that has no limits yet: nobody may join before cgroup_limit(). */
enum status cgroup_prepare(const struct cgroups *groups,
                           const char *name,
                           struct cgroup *out,
                           struct err *err);
enum status cgroup_limit(const struct cgroups *groups,
                         struct cgroup *group,
                         const struct cgroup_limits *limits,
                         struct err *err);

/* Both at once. */
enum status cgroup_create(const struct cgroups *groups,
                          const char *name,
                          const struct cgroup_limits *limits,
                          struct cgroup *out,
                          struct err *err);

/* SIGKILL to every process of it, also a frozen one. */
enum status cgroup_kill(const struct cgroup *group, struct err *err);

/* Freeze or thaw.  Waits until all are stopped, at most 100 ms (60 us is usual, 3 ms were seen),
 * then ST_TIMEOUT. */
enum status cgroup_freeze(const struct cgroup *group, bool frozen, struct err *err);

void cgroup_usage(const struct cgroups *groups,
                  const struct cgroup *group,
                  struct cgroup_usage *out);

/* Are buffers of sockets counted beside the memory limit, so that somebody must look at them? */
bool cgroup_guards_sockets(const struct cgroups *groups);
/* Do they hold more than the group may have?  Where nobody must look: no. */
bool cgroup_sockets_full(const struct cgroups *groups, const struct cgroup *group);

/* Remove an empty group and close it.  ST_IO when it is not empty; it is closed all the same, and
 * cgroups_remove() finds it later. */
enum status cgroup_remove(const struct cgroups *groups, struct cgroup *group, struct err *err);

#endif
