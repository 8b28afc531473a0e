/* Control groups made ahead: four folders and their descriptors cost a start 0.2 to 0.3 ms, their
 * limits a tenth of that.  Each is used once, as a namespace is.  The spawner's thread. */
#ifndef WORKER_SPAWNER_CGROUP_POOL_H
#define WORKER_SPAWNER_CGROUP_POOL_H

#include "worker/spawner/cgroup.h"
#include "worker/spawner/spawner_config.h"

/* Embedded in the spawner; the groups in it go with cgroups_remove(). */
struct cgroup_pool {
    uint64_t serial; /* for names that must not repeat */
    uint32_t size;   /* so many are kept ready, [spawner] group_pool */
    uint32_t count;
    bool complained; /* that none could be made, since one could be */
    struct cgroup list[CGROUP_POOL_MAX];
};

/* A group of the pool, or one made now, with these limits. */
enum status cgroup_pool_take(struct cgroup_pool *pool,
                             const struct cgroups *groups,
                             const struct cgroup_limits *limits,
                             struct cgroup *out,
                             struct err *err);

/* Make one more.  False: the pool is full, or none could be made (logged). */
bool cgroup_pool_refill(struct cgroup_pool *pool, const struct cgroups *groups);

#endif
