/* Limits by cgroup v2, in the group's one folder, see cgroup.h. */
#include "worker/spawner/cgroup.h"

#include <unistd.h>

#include "worker/spawner/files.h"

static enum status v2_prepare(struct cgroup *group, struct err *err)
{
    return file_write(group->core, "memory.oom.group", "1", err); /* all or none */
}

static enum status v2_limit(struct cgroup *group,
                            const struct cgroup_limits *limits,
                            struct err *err)
{
    /* 100 is the weight of everybody else, taken for one processor. */
    uint64_t weight = (uint64_t)limits->cpu_weight * 100 / 1769;
    enum status st;

    st = file_write_u64(group->core, "memory.max", limits->memory_bytes, err);
    if (st != ST_OK)
        return st;
    if (faccessat(group->core, "memory.swap.max", W_OK, 0) == 0)
        st = file_write(group->core, "memory.swap.max", "0", err);
    if (st != ST_OK)
        return st;
    st = file_write_u64(group->core, "pids.max", limits->processes_max, err);
    if (st != ST_OK)
        return st;
    return file_write_u64(group->core, "cpu.weight", weight < 1 ? 1 : weight, err);
}

static void v2_usage(const struct cgroup *group, struct cgroup_usage *out)
{
    out->memory_bytes = file_read_u64(group->core, "memory.current", 0);
    out->memory_peak_bytes = file_read_u64(group->core, "memory.peak", 0); /* kernel 5.19 */
    out->oom_kills = file_read_key(group->core, "memory.events", "oom_kill", 0);
    out->processes_refused = file_read_key(group->core, "pids.events", "max", 0);
}

const struct cgroup_limiter cgroup_v2 = { "v2", v2_prepare, v2_limit, v2_usage, NULL };
