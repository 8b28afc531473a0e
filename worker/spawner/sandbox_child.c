/* What a sandbox's first process does between clone and exec, see sandbox.h.
 *
 * It starts as the spawner with all its rights, in the spawner's memory, and gives them up one by
 * one.  The order matters:
 *
 *   control groups   first, so that all that follows counts there
 *   network, mounts  while still root of the host
 *   user namespace   made before, with one uid mapped; then that uid, with all capabilities in
 *                    there and none outside
 *   capabilities     bounding set first: dropping from it needs one of them
 *   death signal     after the last change of credentials, which would clear it
 *   filter           last, as it forbids the rest
 *
 * A step that fails is reported by number and errno on the status pipe. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"
#include "worker/spawner/sandbox.h"
#include "worker/spawner/sandbox_mounts.h"

enum step {
    STEP_DESCRIPTORS,
    STEP_GROUPS,
    STEP_NETWORK,
    STEP_BIND,
    STEP_TMP,
    STEP_PROC,
    STEP_ROOT,
    STEP_DIRECTORY,
    STEP_LIMITS,
    STEP_USER,
    STEP_CAPABILITIES,
    STEP_DEATH,
    STEP_FILTER,
    STEP_EXECUTE,
    STEPS,
};

static const char *const step_names[STEPS] = {
    [STEP_DESCRIPTORS] = "arrange descriptors",
    [STEP_GROUPS] = "join control groups",
    [STEP_NETWORK] = "join the network namespace",
    [STEP_BIND] = "bind the package",
    [STEP_TMP] = "mount /tmp",
    [STEP_PROC] = "mount /proc",
    [STEP_ROOT] = "change the root",
    [STEP_DIRECTORY] = "enter the working directory",
    [STEP_LIMITS] = "set resource limits",
    [STEP_USER] = "become the user",
    [STEP_CAPABILITIES] = "drop capabilities",
    [STEP_DEATH] = "ask for the death signal",
    [STEP_FILTER] = "load the system call filter",
    [STEP_EXECUTE] = "execute the program",
};

enum { CHILD_STATUS = 3, CHILD_PROGRAM = 4, CHILD_FDS = 5 };

const char *sandbox_step(int32_t value, int *out_errnum)
{
    uint32_t step = (uint32_t)value >> 16;

    *out_errnum = value & 0xffff;
    return step < STEPS ? step_names[step] : "start";
}

static void report(int fd, int32_t kind, int32_t value)
{
    struct sandbox_record record = { kind, value };

    (void)!write(fd, &record, sizeof record);
}

static int join_groups(const struct cgroup *group)
{
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (group->tasks[part] >= 0 && write(STAGE_TASKS + part, "0", 1) != 1)
            return -1;
    return 0;
}

/* `flags`, and a view of control groups of our own, which hides our place in the host's hierarchy;
 * not all kernels can. */
static int unshare_mounts(int flags)
{
    return unshare(flags | CLONE_NEWCGROUP) == 0 ? 0 : unshare(flags);
}

/* Own mounts, and among them what is bound.  It is picked up where it can be seen, before the
 * spawner's mounts are left, and is restricted before anybody can see it. */
static int enter_mounts(const struct sandbox *sandbox)
{
    AUTO_CLOSE int tree = -1;

    if (sandbox->bind_from != NULL) {
        tree = sandbox_pick_up(sandbox->bind_from, sandbox->bind_writable);
        if (tree < 0)
            return -1;
    }
    if (sandbox->mounts >= 0 && setns(STAGE_MOUNTS, CLONE_NEWNS) < 0)
        return -1;
    if (unshare_mounts(sandbox->mounts >= 0 ? CLONE_NEWNS : 0) < 0)
        return -1;
    return tree < 0 ? 0 : sandbox_put_down(tree, sandbox->bind_to);
}

/* /proc of our own pid namespace.  Most of what is sensitive in it asks for a uid that nobody has
 * here; what does not is covered by an empty device. */
static int mount_proc(const char *root)
{
    static const char *const covered[] = {
        "kcore", "keys",    "key-users",  "kallsyms",    "timer_list",    "sysrq-trigger",
        "kmsg",  "modules", "interrupts", "sched_debug", "latency_stats",
    };
    char null[64];
    char path[128];

    (void)snprintf(path, sizeof path, "%s/proc", root);
    if (mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -1;
    (void)snprintf(null, sizeof null, "%s/dev/null", root);
    for (size_t i = 0; i < ARRAY_LEN(covered); i++) {
        (void)snprintf(path, sizeof path, "%s/proc/%s", root, covered[i]);
        if (mount(null, path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
            return -1;
    }
    return 0;
}

/* pivot_root(".", ".") stacks the old root on the new one; detaching "." then drops the old. */
static int change_root(const char *root)
{
    if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return -1;
    return umount2(".", MNT_DETACH);
}

static int set_limit(int resource, rlim_t value)
{
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){ value, value });
}

/* A host whose core pattern is a pipe (systemd-coredump, apport) runs its handler, as root and
 * outside, when one of our processes dies of a signal: with a limit of 0, too.  With 1 the kernel
 * does not ("aborting core"), and writes no file either.  The filter keeps it at that. */
enum { CORE_NEVER = 1 };

/* Where the host as a whole is out of memory, functions go before its services. */
#define OUT_OF_MEMORY_SCORE "500"

static int set_limits(const struct sandbox *sandbox)
{
    if (set_limit(RLIMIT_NOFILE, 1024) < 0 || set_limit(RLIMIT_CORE, CORE_NEVER) < 0)
        return -1;
    if (file_write(AT_FDCWD, "/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE, NULL) != ST_OK)
        return -1;
    if (sandbox->file_bytes_max > 0 && set_limit(RLIMIT_FSIZE, sandbox->file_bytes_max) < 0)
        return -1;
    if (sandbox->cpu_seconds_max > 0 && set_limit(RLIMIT_CPU, sandbox->cpu_seconds_max) < 0)
        return -1;
    return 0;
}

/* As system calls, not by the C library, which would have threads follow, and keeps notes.  The
 * capabilities come with the namespace and stay, for its user 0, whose they would be, is nobody. */
static int change_user(void)
{
    if (syscall(SYS_setgroups, 0, NULL) < 0 || setns(STAGE_USER, CLONE_NEWUSER) < 0)
        return -1;
    if (syscall(SYS_setresgid, SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) < 0)
        return -1;
    return (int)syscall(SYS_setresuid, SANDBOX_UID, SANDBOX_UID, SANDBOX_UID);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    static const struct __user_cap_data_struct none[2];
    unsigned long cap = 0;

    while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
        cap++;
    if (cap == 0 || errno != EINVAL) /* EINVAL: behind the last one that this kernel has */
        return -1;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -1;
    if (syscall(SYS_capset, &head, none) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A table of our own with nothing in it but the stage and what is below. */
static int leave_descriptors(void)
{
    return close_range(STAGE_END, ~0U, CLOSE_RANGE_UNSHARE);
}

/* Put descriptors at their places, and nothing beside them. */
static int arrange_descriptors(const struct sandbox *sandbox)
{
    static const struct {
        int from, to, flags;
    } moves[] = { { STAGE_INPUT, 0, 0 },
                  { STAGE_OUTPUT, 1, 0 },
                  { STAGE_OUTPUT, 2, 0 },
                  { STAGE_STATUS, CHILD_STATUS, 0 },
                  { STAGE_PROGRAM, CHILD_PROGRAM, O_CLOEXEC } };

    if (sandbox->input < 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (null < 0 || dup3(null, STAGE_INPUT, O_CLOEXEC) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(moves); i++)
        if (dup3(moves[i].from, moves[i].to, moves[i].flags) < 0)
            return -1;
    if (sandbox->wait < 0)
        return close_range(CHILD_FDS, ~0U, 0);
    if (dup3(STAGE_WAIT, SANDBOX_WAIT_FD, 0) < 0 ||
        close_range(CHILD_FDS, SANDBOX_WAIT_FD - 1, 0) < 0)
        return -1;
    return close_range(SANDBOX_WAIT_FD + 1, ~0U, 0);
}

static void reset_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Be killed when the spawner ends, also when it has ended before this was asked for, in which case
 * no signal comes.  A dying parent signals its children and becomes a zombie under one lock of the
 * kernel (tasklist_lock), and setsid() takes that lock: after it, either our wish was seen or the
 * zombie is.  (Neither getppid() nor a broken pipe can tell: the parent is outside our pid
 * namespace, and others that are being set up hold copies of our pipe's reading end.) */
static int die_with_spawner(void)
{
    struct pollfd ended = { .fd = STAGE_SPAWNER, .events = POLLIN };

    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return -1;
    (void)setsid();
    errno = ESRCH;
    return poll(&ended, 1, 0) == 0 ? 0 : -1;
}

/* Do all steps up to the execution in order; the first that fails is returned, or STEPS. */
static enum step set_up(const struct sandbox *sandbox)
{
    if (join_groups(sandbox->group) < 0)
        return STEP_GROUPS;
    if (sandbox->network >= 0 && setns(STAGE_NETWORK, CLONE_NEWNET) < 0)
        return STEP_NETWORK;
    if (enter_mounts(sandbox) < 0)
        return STEP_BIND;
    if (sandbox_mount_tmpfs(sandbox->root, "tmp", sandbox->tmp_mb, 0) < 0 ||
        sandbox_mount_tmpfs(sandbox->root, "dev/shm", sandbox->shm_mb, MS_NOEXEC) < 0)
        return STEP_TMP;
    if (mount_proc(sandbox->root) < 0)
        return STEP_PROC;
    if (sandbox->mounts < 0 && change_root(sandbox->root) < 0)
        return STEP_ROOT;
    (void)sethostname(sandbox->host_name, strlen(sandbox->host_name));
    if (chdir(sandbox->directory) < 0)
        return STEP_DIRECTORY;
    if (set_limits(sandbox) < 0)
        return STEP_LIMITS;
    if (change_user() < 0)
        return STEP_USER;
    if (drop_capabilities() < 0)
        return STEP_CAPABILITIES;
    if (die_with_spawner() < 0)
        return STEP_DEATH;
    return STEPS;
}

static _Noreturn void give_up(int status, enum step step)
{
    report(status, SANDBOX_FAILED, (int32_t)step << 16 | (errno & 0xffff));
    _exit(127);
}

_Noreturn void sandbox_child(const struct sandbox *sandbox)
{
    enum step step;

    reset_signals();
    (void)umask(022);
    if (leave_descriptors() < 0)
        give_up(STAGE_STATUS, STEP_DESCRIPTORS);
    step = set_up(sandbox);
    if (step != STEPS)
        give_up(STAGE_STATUS, step);
    if (arrange_descriptors(sandbox) < 0)
        give_up(STAGE_STATUS, STEP_DESCRIPTORS);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, sandbox->filter) < 0)
        give_up(CHILD_STATUS, STEP_FILTER);
    report(CHILD_STATUS, SANDBOX_STARTED, 0);
    (void)syscall(SYS_execveat, CHILD_PROGRAM, "", sandbox->argv, sandbox->environment,
                  AT_EMPTY_PATH);
    give_up(CHILD_STATUS, STEP_EXECUTE);
}
