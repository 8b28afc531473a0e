/* fork, drop privileges, exec.  Between fork and exec only system calls are made. */
#include "cli/dev/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

enum { CHILD_SOCKET_FD = 3, CHILD_SPARE_FD = 10 };

struct ends {
    int log[2];
    int failure[2]; /* closed by a successful exec, else carries errno */
    int binary;
};

static void become(const struct child_spec *spec)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setpgid(0, 0);
    (void)umask(022);
    if (spec->uid != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(spec->gid, spec->gid, spec->gid) != 0 ||
         setresuid(spec->uid, spec->uid, spec->uid) != 0))
        _exit(126);
    /* After the change of user, which clears it. */
    (void)prctl(PR_SET_PDEATHSIG, spec->death_signal);
}

static _Noreturn void run_child(const struct child_spec *spec,
                                const struct ends *ends,
                                pid_t parent)
{
    char *argv[] = { (char *)spec->path, "--config", (char *)spec->config, NULL };
    char *environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL };
    int binary = fcntl(ends->binary, F_DUPFD_CLOEXEC, CHILD_SPARE_FD);
    int failure = fcntl(ends->failure[1], F_DUPFD_CLOEXEC, CHILD_SPARE_FD);
    int socket = spec->socket < 0 ? -1 : fcntl(spec->socket, F_DUPFD_CLOEXEC, CHILD_SPARE_FD);
    int null = open("/dev/null", O_RDWR);
    int e;

    become(spec);
    if (getppid() != parent)
        _exit(125); /* it died before the death signal was set */
    (void)dup2(null, 0);
    (void)dup2(ends->log[1], 1);
    (void)dup2(ends->log[1], 2);
    (void)close(CHILD_SOCKET_FD);
    if (socket >= 0)
        (void)dup2(socket, CHILD_SOCKET_FD);
    (void)fexecve(binary, argv, environment);
    e = errno;
    if (write(failure, &e, sizeof e) < 0)
        _exit(126);
    _exit(127);
}

static void close_ends(struct ends *ends)
{
    int *fds[] = { &ends->log[1], &ends->failure[0], &ends->failure[1], &ends->binary };

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (*fds[i] >= 0)
            (void)close(*fds[i]);
}

enum status child_start(const struct child_spec *spec,
                        pid_t *out_pid,
                        int *out_log,
                        struct err *err)
{
    struct ends ends = { { -1, -1 }, { -1, -1 }, -1 };
    enum status st = ST_OK;
    pid_t parent = getpid();
    pid_t pid = -1;
    int child_errno = 0;

    ends.binary = open(spec->path, O_RDONLY | O_CLOEXEC);
    if (ends.binary < 0 || pipe2(ends.log, O_CLOEXEC) != 0 || pipe2(ends.failure, O_CLOEXEC) != 0)
        st = err_set_errno(err, ST_IO, errno, "start %s", spec->path);
    if (st == ST_OK) {
        pid = fork();
        if (pid == 0)
            run_child(spec, &ends, parent);
        if (pid < 0)
            st = err_set_errno(err, ST_IO, errno, "fork");
    }
    if (ends.failure[1] >= 0)
        (void)close(ends.failure[1]);
    ends.failure[1] = -1;
    if (st == ST_OK && read(ends.failure[0], &child_errno, sizeof child_errno) > 0)
        st = err_set_errno(err, ST_IO, child_errno, "exec %s", spec->path);
    close_ends(&ends);
    if (st != ST_OK) {
        if (ends.log[0] >= 0)
            (void)close(ends.log[0]);
        return st;
    }
    *out_pid = pid;
    *out_log = ends.log[0];
    return ST_OK;
}

enum status child_find(const char *program_dir,
                       const char *folder,
                       const char *name,
                       char *out,
                       size_t size,
                       struct err *err)
{
    (void)snprintf(out, size, "%s/%s", program_dir, name);
    if (access(out, X_OK) == 0)
        return ST_OK;
    (void)snprintf(out, size, "%s/../%s/%s", program_dir, folder, name);
    if (access(out, X_OK) == 0)
        return ST_OK;
    return err_set(err, ST_NOT_FOUND, "%s is neither in %s nor in ../%s: is everything built?",
                   name, program_dir, folder);
}
