/* A process in a sandbox: what it is made of, and its start.
 *
 * The child is cloned by sandbox_start() into its control group and new pid, ipc and uts
 * namespaces, and does the rest itself (sandbox_child.c): joins its network namespace, gets a mount
 * namespace of its own with its own root, becomes an unprivileged user in its user namespace, gives
 * up all capabilities, loads the system call filter, and executes the program by descriptor.  Until
 * then it runs in the parent's memory, and the parent waits. */
#ifndef WORKER_SPAWNER_SANDBOX_H
#define WORKER_SPAWNER_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"
#include "worker/spawner/cgroup.h"
#include "worker/spawner/sandbox_record.h"

enum { SANDBOX_UID = 993, SANDBOX_GID = 990 }; /* inside, as in Lambda */

/* Where a child finds its descriptors: at fixed numbers of the parent, so that it can drop all
 * others at its start without looking at each.  The parent has a dozen for each environment. */
enum sandbox_stage {
    STAGE_NOTHING = 16, /* /dev/null, which keeps the numbers while nobody uses them */
    STAGE_FIRST,
    STAGE_INPUT = STAGE_FIRST,
    STAGE_OUTPUT,
    STAGE_STATUS,
    STAGE_WAIT,
    STAGE_PROGRAM,
    STAGE_SPAWNER,
    STAGE_NETWORK,
    STAGE_USER,
    STAGE_MOUNTS,
    STAGE_TASKS,
    STAGE_END = STAGE_TASKS + CGROUP_PARTS,
};

/* All borrowed for the call of sandbox_start(); descriptors stay open here. */
struct sandbox {
    int mounts;            /* mount namespace to copy; -1: the spawner's, with `root` made its / */
    const char *root;      /* ROOTFS_CONVERT; "" where that namespace has the right one */
    const char *bind_from; /* in the spawner's mount namespace; NULL: nothing yet */
    const char *bind_to;   /* full path of the mount point, `root` included */
    bool bind_writable;    /* else read-only; always nosuid nodev */
    uint32_t tmp_mb;       /* size of root/tmp; 0: none */
    uint32_t shm_mb;       /* size of root/dev/shm; 0: none */
    const char *directory; /* working directory inside */
    const char *host_name;
    int network;              /* network namespace to join, or -1 for a new one without anything */
    int user;                 /* user namespace to join, see user_namespaces.h */
    uint64_t file_bytes_max;  /* RLIMIT_FSIZE; 0: none */
    uint32_t cpu_seconds_max; /* RLIMIT_CPU; 0: none */
    const struct cgroup *group;
    const struct sock_fprog *filter;
    int spawner; /* pidfd of this process, with which the sandbox ends */
    int input;   /* descriptor 0; -1: the sandbox's /dev/null */
    int output;  /* descriptors 1 and 2 */
    int status;  /* descriptor 3: write end of the status pipe */
    int wait;    /* SANDBOX_WAIT_FD of the program: our other end is kept; -1: none */
    int program; /* executed by descriptor */
    char *const *argv;
    char *const *environment;
};

/* Take the stage's numbers for this process, before anything else is opened; what is inherited
 * there is closed.  Fork no process that lives on without closing them. */
enum status sandbox_stage_open(struct err *err);

/* Clone the child, and wait until it executes the program or has failed.  `out_pidfd` is readable
 * when its pid namespace is empty and waits to be reaped.  What goes wrong in the child comes as
 * SANDBOX_FAILED. */
enum status sandbox_start(const struct sandbox *sandbox, int *out_pidfd, struct err *err);

/* What the child does with `sandbox`; never returns.  Memory is the parent's, so it allocates
 * nothing and leaves no variable of ours changed but errno. */
_Noreturn __attribute__((noinline)) void sandbox_child(const struct sandbox *sandbox);

/* The step of a SANDBOX_FAILED record, in words; its errno goes to `out_errnum`. */
const char *sandbox_step(int32_t value, int *out_errnum);

#endif
