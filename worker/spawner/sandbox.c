/* Start of a sandbox, the parent's half; see sandbox.h. */
#include "worker/spawner/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* The child uses our memory, and we sleep until it executes its program or ends: a copy of our page
 * tables, its faults and its end cost 0.35 ms of processor time, the half of a start.  It also
 * starts with our table of descriptors, and copies the few it needs (sandbox_child.c).  Where the
 * call below is not written in assembly, or a sanitizer would keep wrong notes of the stack that
 * the child leaves behind, it is a copy after all. */
#if defined(SANITIZED) || !(defined(__x86_64__) || defined(__aarch64__))
enum { SHARE_FLAGS = 0 };
#else
enum { SHARE_FLAGS = CLONE_VM | CLONE_VFORK | CLONE_FILES };
#endif

/* Inlined, so that the child, which goes on with our stack, finds no return address on it that we
 * still need: all that it puts there is below this frame. */
static inline __attribute__((always_inline)) long clone_here(struct clone_args *args, size_t len)
{
#if defined(__x86_64__)
    long rv;

    __asm__ volatile("syscall"
                     : "=a"(rv)
                     : "a"(SYS_clone3), "D"(args), "S"(len)
                     : "rcx", "r11", "memory");
    return rv;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = (long)len;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    return x0;
#else
    long rv = syscall(SYS_clone3, args, len);

    return rv < 0 ? -errno : rv;
#endif
}

enum status sandbox_stage_open(struct err *err)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (nothing < 0)
        return err_set_errno(err, ST_IO, errno, "open /dev/null");
    for (int at = STAGE_NOTHING; at < STAGE_END; at++)
        if (at != nothing && dup3(nothing, at, O_CLOEXEC) < 0)
            return err_set_errno(err, ST_IO, errno, "take descriptor %d", at);
    if (nothing < STAGE_NOTHING)
        (void)close(nothing);
    return ST_OK;
}

/* What is not there is not looked at either. */
static int put_on_stage(const struct sandbox *sandbox)
{
    int sources[STAGE_END - STAGE_FIRST] = {
        [STAGE_INPUT - STAGE_FIRST] = sandbox->input,
        [STAGE_OUTPUT - STAGE_FIRST] = sandbox->output,
        [STAGE_STATUS - STAGE_FIRST] = sandbox->status,
        [STAGE_WAIT - STAGE_FIRST] = sandbox->wait,
        [STAGE_PROGRAM - STAGE_FIRST] = sandbox->program,
        [STAGE_SPAWNER - STAGE_FIRST] = sandbox->spawner,
        [STAGE_NETWORK - STAGE_FIRST] = sandbox->network,
        [STAGE_USER - STAGE_FIRST] = sandbox->user,
        [STAGE_MOUNTS - STAGE_FIRST] = sandbox->mounts,
    };

    for (int part = 0; part < CGROUP_PARTS; part++)
        sources[STAGE_TASKS - STAGE_FIRST + part] = sandbox->group->tasks[part];
    for (int at = STAGE_FIRST; at < STAGE_END; at++)
        if (sources[at - STAGE_FIRST] >= 0 && dup3(sources[at - STAGE_FIRST], at, O_CLOEXEC) < 0)
            return -1;
    return 0;
}

/* Hold nothing of a sandbox: its pipes would not end, nor its namespaces. */
static void clear_stage(void)
{
    for (int at = STAGE_FIRST; at < STAGE_END; at++)
        CHECK(dup3(STAGE_NOTHING, at, O_CLOEXEC) == at);
}

/* A function of its own, whose frame is all that the child could spoil. */
static __attribute__((noinline)) long clone_child(struct clone_args *args,
                                                  const struct sandbox *sandbox)
{
    long pid = clone_here(args, sizeof *args);

    if (pid == 0)
        sandbox_child(sandbox);
    return pid;
}

enum status sandbox_start(const struct sandbox *sandbox, int *out_pidfd, struct err *err)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = SHARE_FLAGS | CLONE_PIDFD | CLONE_INTO_CGROUP | CLONE_NEWPID | CLONE_NEWIPC |
                 CLONE_NEWUTS | (sandbox->mounts < 0 ? CLONE_NEWNS : 0) |
                 (sandbox->network < 0 ? CLONE_NEWNET : 0),
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)(unsigned)sandbox->group->core,
    };
    long pid;

    if (put_on_stage(sandbox) < 0) {
        (void)err_set_errno(err, ST_IO, errno, "hand over descriptors");
        clear_stage();
        return ST_IO;
    }
    pid = clone_child(&args, sandbox);
    clear_stage();
    if (pid < 0)
        return err_set_errno(err, pid == -EAGAIN ? ST_LIMIT : ST_IO, (int)-pid, "clone a sandbox");
    CHECK(pidfd >= 0);
    *out_pidfd = pidfd;
    return ST_OK;
}
