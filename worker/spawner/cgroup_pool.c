/* See cgroup_pool.h. */
#include "worker/spawner/cgroup_pool.h"

#include <stdio.h>

#include "base/log.h"

static enum status make(struct cgroup_pool *pool,
                        const struct cgroups *groups,
                        struct cgroup *out,
                        struct err *err)
{
    char name[CGROUP_NAME_BYTES];

    (void)snprintf(name, sizeof name, "e.%llu", (unsigned long long)++pool->serial);
    return cgroup_prepare(groups, name, out, err);
}

enum status cgroup_pool_take(struct cgroup_pool *pool,
                             const struct cgroups *groups,
                             const struct cgroup_limits *limits,
                             struct cgroup *out,
                             struct err *err)
{
    struct cgroup group;
    enum status st = ST_OK;

    if (pool->count > 0)
        group = pool->list[--pool->count];
    else
        st = make(pool, groups, &group, err);
    if (st != ST_OK)
        return st;
    st = cgroup_limit(groups, &group, limits, err);
    if (st != ST_OK) {
        (void)cgroup_remove(groups, &group, NULL);
        return st;
    }
    *out = group;
    return ST_OK;
}

bool cgroup_pool_refill(struct cgroup_pool *pool, const struct cgroups *groups)
{
    struct err err = { 0 };

    if (pool->count == pool->size)
        return false;
    if (make(pool, groups, &pool->list[pool->count], &err) != ST_OK) {
        if (!pool->complained)
            log_event(LOG_WARN, "control_group_not_prepared", LS("why", err.text),
                      LS("then", "made at the next start"));
        pool->complained = true;
        return false;
    }
    pool->complained = false;
    pool->count++;
    return true;
}
