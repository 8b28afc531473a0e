/* Limits by cgroup v1: three folders beside the v2 one, see cgroup.h. */
#include "worker/spawner/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/spawner/files.h"

/* The kernel kills one process of a v1 group that is out of memory and lets the others go on.  We
 * ask to be told, and kill the rest.  (Switching its killer off would leave the group hanging if
 * this process died.) */
static enum status arm_oom(struct cgroup *group, struct err *err)
{
    AUTO_CLOSE int control = -1;
    char text[32];

    control = openat(group->parts[CGROUP_MEMORY], "memory.oom_control", O_RDONLY | O_CLOEXEC);
    if (control < 0)
        return err_set_errno(err, ST_IO, errno, "open memory.oom_control of %s", group->name);
    group->oom_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (group->oom_event < 0)
        return err_set_errno(err, ST_IO, errno, "make an event for %s", group->name);
    (void)snprintf(text, sizeof text, "%d %d", group->oom_event, control);
    return file_write(group->parts[CGROUP_MEMORY], "cgroup.event_control", text, err);
}

/* What waits in sockets of TCP and UDP is not of the group's memory in v1, and is not counted at
 * all before it has a limit of its own: a function that sends to itself and does not read took
 * gigabytes of the kernel, and with them the memory that all TCP of the host shares.  From a
 * quarter of the memory on the kernel makes windows small; a group that gets to twice as much all
 * the same is out of memory.  Absent where the kernel does not count it. */
enum { SOCKET_SHARE = 4, SOCKET_EXCESS = 2 };

static enum status limit_sockets(int memory, const struct cgroup_limits *limits, struct err *err)
{
    if (faccessat(memory, "memory.kmem.tcp.limit_in_bytes", W_OK, 0) < 0)
        return ST_OK;
    return file_write_u64(memory, "memory.kmem.tcp.limit_in_bytes",
                          limits->memory_bytes / SOCKET_SHARE, err);
}

static enum status v1_limit(struct cgroup *group,
                            const struct cgroup_limits *limits,
                            struct err *err)
{
    int memory = group->parts[CGROUP_MEMORY];
    uint64_t shares = (uint64_t)limits->cpu_weight * 1024 / 1769;
    enum status st;

    st = file_write_u64(memory, "memory.limit_in_bytes", limits->memory_bytes, err);
    if (st != ST_OK)
        return st;
    /* Memory and swap together: else a group at its limit goes on in swap.  Must not be below the
     * limit, so it comes second; absent where the kernel does not count swap. */
    if (faccessat(memory, "memory.memsw.limit_in_bytes", W_OK, 0) == 0)
        st = file_write_u64(memory, "memory.memsw.limit_in_bytes", limits->memory_bytes, err);
    if (st != ST_OK)
        return st;
    st = limit_sockets(memory, limits, err);
    if (st != ST_OK)
        return st;
    st = file_write_u64(group->parts[CGROUP_PIDS], "pids.max", limits->processes_max, err);
    if (st != ST_OK)
        return st;
    return file_write_u64(group->parts[CGROUP_CPU], "cpu.shares", shares < 2 ? 2 : shares, err);
}

static void v1_usage(const struct cgroup *group, struct cgroup_usage *out)
{
    int memory = group->parts[CGROUP_MEMORY];

    out->memory_bytes = file_read_u64(memory, "memory.usage_in_bytes", 0);
    out->memory_peak_bytes = file_read_u64(memory, "memory.max_usage_in_bytes", 0);
    out->oom_kills = file_read_key(memory, "memory.oom_control", "oom_kill", 0);
    out->processes_refused = file_read_key(group->parts[CGROUP_PIDS], "pids.events", "max", 0);
}

static bool v1_sockets_full(const struct cgroup *group)
{
    int memory = group->parts[CGROUP_MEMORY];
    uint64_t limit = file_read_u64(memory, "memory.kmem.tcp.limit_in_bytes", 0);

    return limit > 0 &&
           file_read_u64(memory, "memory.kmem.tcp.usage_in_bytes", 0) / SOCKET_EXCESS > limit;
}

const struct cgroup_limiter cgroup_v1 = { "v1", arm_oom, v1_limit, v1_usage, v1_sockets_full };
