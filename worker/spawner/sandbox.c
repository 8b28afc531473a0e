/* Start of a sandbox, the parent's half; see sandbox.h. */
#include "worker/spawner/sandbox.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

enum status sandbox_start(const struct sandbox *sandbox, int *out_pidfd, struct err *err)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                 (sandbox->mounts < 0 ? CLONE_NEWNS : 0) |
                 (sandbox->network < 0 ? CLONE_NEWNET : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)(unsigned)sandbox->group->core,
    };
    long pid;

    /* A plain copy of this process, not CLONE_VM: its 2 MB cost 0.1 ms, and the child may then use
     * the C library and change credentials without touching its parent. */
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        sandbox_child(sandbox);
    if (pid < 0)
        return err_set_errno(err, errno == EAGAIN ? ST_LIMIT : ST_IO, errno, "clone a sandbox");
    CHECK(pidfd >= 0);
    *out_pidfd = pidfd;
    return ST_OK;
}
