/* The janitor: a process that outlives a killed supervisor and removes what the cluster left.
 *
 * The programs end by their death signals; what the kernel does not take down with them (cgroups,
 * packet filter rules) is removed by the spawner's own --clean. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/dev/dev.h"
#include "cli/dev/plan.h"

enum { CLEAN_TRIES = 50, CLEAN_PAUSE_MS = 100 };

static int run_clean(const char *spawner_path, const char *instance)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        (void)execl(spawner_path, spawner_path, "--clean", instance, (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return status;
}

static void clean_zone(const char *spawner_path, const char *instance)
{
    /* The last processes may still be going down: a cgroup is busy until they are reaped. */
    for (unsigned i = 0; i < CLEAN_TRIES; i++) {
        if (run_clean(spawner_path, instance) == 0)
            return;
        (void)poll(NULL, 0, CLEAN_PAUSE_MS);
    }
}

void dev_clean(const char *spawner_path, const struct dev_options *options)
{
    for (unsigned zone = 0; zone < options->zones; zone++) {
        char instance[32];

        plan_instance(options, zone, instance, sizeof instance);
        clean_zone(spawner_path, instance);
    }
}

static _Noreturn void janitor_run(pid_t parent,
                                  const char *spawner_path,
                                  const struct dev_options *options)
{
    int fd = (int)syscall(SYS_pidfd_open, parent, 0);
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    (void)setsid();
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL); /* how it is dismissed */
    (void)prctl(PR_SET_NAME, "lapwing-janitor");
    while (fd >= 0 && getppid() == parent && poll(&wait, 1, -1) <= 0)
        continue;
    dev_clean(spawner_path, options);
    _exit(0);
}

pid_t dev_janitor_start(const char *spawner_path, const struct dev_options *options)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0)
        janitor_run(parent, spawner_path, options);
    return pid;
}

void dev_janitor_dismiss(pid_t janitor)
{
    if (janitor <= 0)
        return;
    (void)kill(janitor, SIGTERM);
    (void)waitpid(janitor, NULL, 0);
}
