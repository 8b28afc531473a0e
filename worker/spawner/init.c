/* lapwing-init: the first process of an environment.
 *
 *   lapwing-init PROGRAM ARGUMENT...        descriptor 3: status pipe to the spawner
 *
 * The kernel treats the first process of a pid namespace apart: signals it has no handler for do
 * not reach it, so abort() in a function that was first would not end it, and orphans are its to
 * reap. So the function is the second.  When it has ended, its status is written as one record and
 * this process exits, with which the kernel kills all that is left.  Static, no dependencies, about
 * 20 kB resident; runs without any right. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/spawner/sandbox_record.h"

enum { STATUS_FD = 3 };

static void report(int32_t kind, int32_t value)
{
    struct sandbox_record record = { kind, value };

    (void)!write(STATUS_FD, &record, sizeof record);
}

int main(int argc, char **argv)
{
    int state = 0;
    pid_t child;
    pid_t gone;

    if (argc < 2)
        return 125;
    /* The function has our uid: without this it could open our descriptors by /proc/1/fd. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
    child = fork();
    if (child == 0) {
        execv(argv[1], argv + 1);
        report(SANDBOX_NO_PROGRAM, errno);
        _exit(127);
    }
    if (child < 0) {
        report(SANDBOX_NO_PROGRAM, errno);
        return 127;
    }
    do {
        gone = wait(&state);
    } while (gone != child && (gone >= 0 || errno == EINTR));
    if (WIFSIGNALED(state))
        report(SANDBOX_SIGNALED, WTERMSIG(state));
    else
        report(SANDBOX_EXITED, WEXITSTATUS(state));
    return 0;
}
