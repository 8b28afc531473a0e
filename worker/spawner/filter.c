/* The system call filter, see filter.h.
 *
 * An allow-list, Docker's default profile less what only privileged containers use: a new system
 * call of a later kernel is unreachable until somebody has looked at it, which a deny-list cannot
 * say.  Three answers:
 *
 *   listed as allowed           runs; the kernel answers these from a bitmap, so they cost nothing
 *   known and not for functions EPERM: the caller reads "not permitted"
 *   anything else               ENOSYS: C libraries then take the older way.  clone3() is among
 * them on purpose: its flags are in memory, where no filter can look, while those of clone() are in
 * a register
 *
 * Calls whose arguments decide have tables of their own below: no new namespaces by clone(),
 * sockets only of the families and protocols that functions use (asking for others makes the kernel
 * load their modules), pairs only of unix sockets, no limit for core files.  Two calls do nothing
 * and say that they did it: sync() and syncfs() would write back the host's disks, and nothing that
 * a function wrote is on one.  Other machines' calls (32 bit, x32) kill the process.
 *
 * README.md beside this file has the list for readers; tests/clients/escape tries it. */
#include "worker/spawner/filter.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"

// clang-format off
static const char *const allowed[] = {
    "accept", "accept4", "access", "alarm", "arch_prctl", "bind", "brk", "cachestat", "capget",
    "capset", "chdir", "chmod", "chown", "clock_getres", "clock_gettime", "clock_nanosleep",
    "close", "close_range", "connect", "copy_file_range", "creat", "dup", "dup2", "dup3",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2",
    "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",
    "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr",
    "fstat", "fstatfs", "fsync", "ftruncate", "futex", "futex_requeue", "futex_wait",
    "futex_waitv", "futex_wake", "futimesat", "get_mempolicy", "get_robust_list",
    "get_thread_area", "getcpu", "getcwd", "getdents", "getdents64", "getegid", "geteuid",
    "getgid", "getgroups", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
    "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getxattr",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl",
    "ioprio_get", "ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "lchown", "lgetxattr", "link", "linkat", "listen", "listxattr",
    "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "madvise", "map_shadow_stack",
    "mbind", "membarrier", "memfd_create", "mincore", "mkdir", "mkdirat", "mknod", "mknodat",
    "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mq_getsetattr", "mq_notify", "mq_open",
    "mq_timedreceive", "mq_timedsend", "mq_unlink", "mremap", "mseal", "msgctl", "msgget",
    "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap", "nanosleep", "newfstatat",
    "open", "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe", "pipe2",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "poll", "ppoll", "prctl", "pread64", "preadv",
    "preadv2", "process_mrelease", "pselect6", "pwrite64", "pwritev", "pwritev2",
    "read", "readahead", "readlink", "readlinkat", "readv", "recv", "recvfrom", "recvmmsg",
    "recvmsg", "remap_file_pages", "removexattr", "rename", "renameat", "renameat2",
    "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity",
    "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "select", "semctl",
    "semget", "semop", "semtimedop", "send", "sendfile", "sendmmsg", "sendmsg", "sendto",
    "set_mempolicy", "set_robust_list", "set_thread_area", "set_tid_address", "setfsgid",
    "setfsuid", "setgid", "setgroups", "setitimer", "setpgid", "setpriority", "setregid",
    "setresgid", "setresuid", "setreuid", "setsid", "setsockopt", "setuid",
    "setxattr", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaltstack", "signalfd",
    "signalfd4", "splice", "stat", "statfs", "statx", "symlink", "symlinkat",
    "sync_file_range", "sysinfo", "tee", "tgkill", "time", "timer_create",
    "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create",
    "timerfd_gettime", "timerfd_settime", "times", "tkill", "truncate", "umask", "uname", "unlink",
    "unlinkat", "utime", "utimensat", "utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid",
    "write", "writev",
};

static const char *const refused[] = {
    "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
    "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
    "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr",
    "move_mount", "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open",
    "personality", "pidfd_getfd", "pivot_root", "process_madvise", "process_vm_readv",
    "process_vm_writev", "ptrace", "quotactl", "quotactl_fd", "reboot", "request_key", "setdomainname", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog",
    "umount2", "unshare", "userfaultfd", "vhangup", "iopl", "ioperm", "modify_ldt",
};
// clang-format on

enum {
    NAMESPACE_FLAGS = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                      CLONE_NEWPID | CLONE_NEWNET
};

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t count)
{
    int rv = 0;

    for (size_t i = 0; i < count && rv == 0; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);

        if (number < 0) /* not on this machine, or newer than this libseccomp: stays ENOSYS */
            continue;
        rv = seccomp_rule_add(ctx, action, number, 0);
    }
    return rv;
}

static const char *const nothing[] = { "sync", "syncfs" };

/* socket(): a type has flags above its lowest four bits, and IPv4 and IPv6 are told apart by one
 * bit, so that one rule does for both: each costs a start its loading. */
enum { TYPE_MASK = 0xf, FAMILY_BIT = AF_INET ^ AF_INET6 };

#define INTERNET SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX & ~(uint32_t)FAMILY_BIT, AF_INET)

/* TCP and UDP, named or by default; raw sockets get the answer that they have everywhere else. */
static int add_internet(scmp_filter_ctx ctx)
{
    // clang-format off
    static const struct { uint32_t type, protocol; } allow[] = {
        { SOCK_STREAM, 0 }, { SOCK_STREAM, IPPROTO_TCP }, { SOCK_DGRAM, 0 }, { SOCK_DGRAM, IPPROTO_UDP },
    };
    // clang-format on
    int rv = 0;

    _Static_assert(FAMILY_BIT == 8 && (AF_INET & FAMILY_BIT) == 0, "one bit, clear in AF_INET");
    for (size_t i = 0; i < ARRAY_LEN(allow) && rv == 0; i++)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3, INTERNET,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, allow[i].type),
                              SCMP_A2(SCMP_CMP_MASKED_EQ, UINT32_MAX, allow[i].protocol));
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2, INTERNET,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_RAW));
    return rv;
}

/* Of netlink only the routing family, by which C libraries list addresses: the others are doors to
 * most of the kernel, and some deliver messages that no memory limit counts. */
static int add_sockets(scmp_filter_ctx ctx)
{
    int rv;

    rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                          SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
    if (rv == 0)
        rv = add_internet(ctx);
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                              SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK),
                              SCMP_A2_32(SCMP_CMP_EQ, NETLINK_ROUTE));
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 2,
                              SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK),
                              SCMP_A2_32(SCMP_CMP_GT, NETLINK_ROUTE));
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                              SCMP_A0_32(SCMP_CMP_GT, AF_NETLINK));
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
                              SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX));
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socketpair), 1,
                              SCMP_A0_32(SCMP_CMP_GT, AF_UNIX));
    return rv;
}

/* Limits may be asked for and lowered, but the one for core files stays at the value that keeps the
 * kernel from running the host's handler (sandbox_child.c).  Who sets it wants no core file, as
 * good as always, and has none: so the answer is "done".  The kernel looks at the lower half of the
 * argument only, and so must we: a comparison of all of it would be passed by a number above. */
static int add_limit_call(scmp_filter_ctx ctx, int call, unsigned which, unsigned value)
{
    /* Every number but RLIMIT_CORE has bit 2 clear, or one of the others below 16 set. */
    static const uint32_t others[][2] = { { 4, 0 }, { 1, 1 }, { 2, 2 }, { 8, 8 } };
    struct scmp_arg_cmp is_core =
        SCMP_CMP(which, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)RLIMIT_CORE);
    int rv = 0;

    _Static_assert(RLIMIT_CORE == 4 && RLIM_NLIMITS <= 16, "the table above");
    for (size_t i = 0; i < ARRAY_LEN(others) && rv == 0; i++)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
                              SCMP_CMP(which, SCMP_CMP_MASKED_EQ, others[i][0], others[i][1]));
    if (rv == 0)
        rv = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(0), call, 2, is_core,
                              SCMP_CMP(value, SCMP_CMP_NE, 0));
    return rv;
}

static int add_limits(scmp_filter_ctx ctx)
{
    int rv = add_limit_call(ctx, SCMP_SYS(setrlimit), 0, 1);

    if (rv == 0)
        rv = add_limit_call(ctx, SCMP_SYS(prlimit64), 1, 2);
    if (rv == 0) /* only asked for */
        rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, RLIMIT_CORE),
                              SCMP_A2(SCMP_CMP_EQ, 0));
    return rv;
}

static int add_conditions(scmp_filter_ctx ctx)
{
    int rv = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, NAMESPACE_FLAGS, 0));

    if (rv == 0)
        rv = add_sockets(ctx);
    return rv == 0 ? add_limits(ctx) : rv;
}

/* libseccomp writes its program to a descriptor only. */
static enum status read_program(scmp_filter_ctx ctx, struct sock_fprog *out, struct err *err)
{
    AUTO_CLOSE int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat info;

    if (fd < 0 || seccomp_export_bpf(ctx, fd) < 0 || fstat(fd, &info) < 0)
        return err_set_errno(err, ST_IO, errno, "export the system call filter");
    size_t len = (size_t)info.st_size;
    CHECK(len % sizeof(struct sock_filter) == 0);
    struct sock_filter *code = must_calloc(1, len);
    if (pread(fd, code, len, 0) != (ssize_t)len) {
        free(code);
        return err_set_errno(err, ST_IO, errno, "read the system call filter");
    }
    *out = (struct sock_fprog){ (unsigned short)(len / sizeof(struct sock_filter)), code };
    return ST_OK;
}

enum status filter_compile(struct sock_fprog *out, struct err *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    enum status st;
    int rv;

    if (ctx == NULL)
        return err_set(err, ST_UNSUPPORTED, "libseccomp does not know this machine");
    rv = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rv == 0)
        (void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a chain */
    if (rv == 0)
        rv = add_names(ctx, SCMP_ACT_ALLOW, allowed, ARRAY_LEN(allowed));
    if (rv == 0)
        rv = add_names(ctx, SCMP_ACT_ERRNO(EPERM), refused, ARRAY_LEN(refused));
    if (rv == 0)
        rv = add_names(ctx, SCMP_ACT_ERRNO(0), nothing, ARRAY_LEN(nothing));
    if (rv == 0)
        rv = add_conditions(ctx);
    if (rv == 0)
        st = read_program(ctx, out, err);
    else
        st = err_set_errno(err, ST_UNSUPPORTED, -rv, "build the system call filter");
    seccomp_release(ctx);
    return st;
}
