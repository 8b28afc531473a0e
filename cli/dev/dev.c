/* `lapwing dev` from its command line on: in the foreground, detached, or stopping another one. */
#include "cli/dev/dev.h"

#include <errno.h>
#include <fcntl.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

enum { STOP_WAIT_MS = 30000 };

static int complain(const struct err *err)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "lapwing dev: %s\n", err->text);
    return 1;
}

static void say_stopped(const struct dev_options *options)
{
    if (!options->remove_data) {
        (void)printf("stopped; the data stays in %s\n", options->data);
        return;
    }
    dev_files_remove(options);
    (void)printf("stopped; the data in %s is deleted\n", options->data);
}

static int stop_other(const struct dev_options *options)
{
    pid_t pid = dev_lock_holder(options);
    struct pollfd wait = { .events = POLLIN };
    struct err err;

    if (pid == 0) {
        (void)printf("No cluster runs on %s.\n", options->data);
        if (options->remove_data)
            dev_files_remove(options);
        return 0;
    }
    wait.fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (wait.fd < 0 || kill(pid, SIGTERM) != 0) {
        (void)err_set_errno(&err, ST_DENIED, errno, "stop process %d", (int)pid);
        return complain(&err);
    }
    if (poll(&wait, 1, STOP_WAIT_MS) <= 0) {
        (void)err_set(&err, ST_TIMEOUT, "process %d has not ended after %d s", (int)pid,
                      STOP_WAIT_MS / 1000);
        return complain(&err);
    }
    say_stopped(options);
    return 0;
}

static int run_here(const struct dev_options *options, const struct dev_user *user)
{
    struct err err;
    bool ipv6 = false;

    /* Who runs there already comes before the ports that it uses; and nothing is made in vain. */
    if (dev_lock_check(options, &err) != ST_OK || dev_preflight(options, &ipv6, &err) != ST_OK ||
        dev_lock_take(options, user, &err) != ST_OK)
        return complain(&err);
    return dev_supervise(options, user, ipv6);
}

/* Copy what the detached one says until it is up or gone.  True: it is up. */
static bool relay_until_ready(int fd)
{
    char text[4096];
    ssize_t n;

    while ((n = read(fd, text, sizeof text)) > 0) {
        bool ready = text[n - 1] == DEV_READY_MARK;

        (void)fwrite(text, 1, (size_t)(ready ? n - 1 : n), stdout);
        (void)fflush(stdout);
        if (ready)
            return true;
    }
    return false;
}

static int run_detached(const struct dev_options *options, const struct dev_user *user)
{
    int ends[2];
    int status = 0;
    bool ready;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return 1;
    (void)fflush(stdout);
    pid = fork();
    if (pid == 0) {
        (void)setsid();
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        (void)close(ends[0]);
        (void)close(ends[1]);
        _exit(run_here(options, user));
    }
    (void)close(ends[1]);
    ready = pid > 0 && relay_until_ready(ends[0]);
    (void)close(ends[0]);
    if (ready)
        return 0;
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int dev_main(int argc, char **argv)
{
    struct dev_options options;
    struct dev_user user;
    struct err err;

    dev_user_find(&user);
    if (dev_options_parse(argc, argv, &user, &options, &err) != ST_OK)
        return complain(&err);
    if (options.help) {
        dev_options_help();
        return 0;
    }
    if (geteuid() != 0) {
        (void)err_set(&err, ST_DENIED,
                      "it makes sandboxes and so needs root: run it with sudo (its programs run as "
                      "you)");
        return complain(&err);
    }
    if (options.stop)
        return stop_other(&options);
    return options.detach ? run_detached(&options, &user) : run_here(&options, &user);
}
