/* lapwing-init: the first process of an environment.
 *
 *   lapwing-init PROGRAM ARGUMENT...        descriptor 3: status pipe to the spawner
 *
 * The kernel treats the first process of a pid namespace apart: signals it has no handler for do
 * not reach it, so abort() in a function that was first would not end it, and orphans are its to
 * reap. So the function is the second.  When it has ended, its status is written as one record and
 * this process exits, with which the kernel kills all that is left.  Runs without any right.
 *
 * It stands on the way of every cold start, so it has no C library: the start of a static one
 * relocates itself and asks what the processor can do, which a hypervisor answers each time. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "worker/spawner/init_system.h"
#include "worker/spawner/sandbox_record.h"

enum { STATUS_FD = 3 };

static void report(int32_t kind, int32_t value)
{
    struct sandbox_record record = { kind, value };

    (void)system_call(SYS_write, STATUS_FD, (long)&record, sizeof record, 0);
}

static _Noreturn void leave(int status)
{
    for (;;)
        (void)system_call(SYS_exit_group, status, 0, 0, 0);
}

/* Executes in memory that it shares with its parent, which sleeps until this is over.  A function
 * of its own: what it puts on the stack is below what the parent still needs. */
static _Noreturn __attribute__((noinline)) void become(char **argv, char **environment)
{
    long rv = system_call(SYS_execve, (long)argv[0], (long)argv, (long)environment, 0);

    report(SANDBOX_NO_PROGRAM, (int32_t)-rv);
    leave(127);
}

static _Noreturn void run(char **argv, char **environment)
{
    int state = 0;
    long child;
    long gone;

    if (argv[0] == NULL || argv[1] == NULL)
        leave(125);
    /* The function has our uid: without this it could open our descriptors by /proc/1/fd. */
    (void)system_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0);
    (void)system_call(SYS_fcntl, STATUS_FD, F_SETFD, FD_CLOEXEC, 0);
    child = system_call(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0);
    if (child == 0)
        become(argv + 1, environment);
    /* Else its death would not end the socket that it waits at, if it is one that waits. */
    (void)system_call(SYS_close, SANDBOX_WAIT_FD, 0, 0, 0);
    if (child < 0) {
        report(SANDBOX_NO_PROGRAM, (int32_t)-child);
        leave(127);
    }
    do {
        gone = system_call(SYS_wait4, -1, (long)&state, 0, 0);
    } while (gone != child && (gone >= 0 || gone == -EINTR));
    if (WIFSIGNALED(state))
        report(SANDBOX_SIGNALED, WTERMSIG(state));
    else
        report(SANDBOX_EXITED, WEXITSTATUS(state));
    leave(0);
}

/* `stack` as the kernel leaves it: count, arguments, NULL, environment, NULL. */
_Noreturn void init_start(long *stack)
{
    char **argv = (char **)(stack + 1);

    run(argv, argv + stack[0] + 1);
}
