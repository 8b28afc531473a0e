/* See user_namespaces.h. */
#include "worker/spawner/user_namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/sandbox.h"

void user_namespaces_init(struct user_namespaces *users, uid_t base, uint32_t count)
{
    *users = (struct user_namespaces){ .base = base, .count = count };
    users->fds = must_calloc(count, sizeof *users->fds);
    users->used = must_calloc(count, sizeof *users->used);
    for (uint32_t i = 0; i < count; i++)
        users->fds[i] = -1;
}

void user_namespaces_done(struct user_namespaces *users)
{
    for (uint32_t i = 0; i < users->count; i++)
        close_quietly(&users->fds[i]);
    free(users->fds);
    free(users->used);
    *users = (struct user_namespaces){ 0 };
}

/* Give the namespace of `pid` its maps, as root of the host, and open it. */
static enum status map_and_open(pid_t pid, uid_t outside, int *out_fd, struct err *err)
{
    AUTO_CLOSE int folder = -1;
    char path[32];
    char text[64];
    enum status st;

    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    st = file_write(folder, "setgroups", "deny", err);
    (void)snprintf(text, sizeof text, "%u %u 1", (unsigned)SANDBOX_GID, (unsigned)outside);
    if (st == ST_OK)
        st = file_write(folder, "gid_map", text, err);
    (void)snprintf(text, sizeof text, "%u %u 1", (unsigned)SANDBOX_UID, (unsigned)outside);
    if (st == ST_OK)
        st = file_write(folder, "uid_map", text, err);
    if (st != ST_OK)
        return st;
    *out_fd = openat(folder, "ns/user", O_RDONLY | O_CLOEXEC);
    return *out_fd < 0 ? err_set_errno(err, ST_IO, errno, "open a user namespace") : ST_OK;
}

/* A process that holds the namespace until we do; it ends with our end of the pipe, and with us. */
static enum status make(uid_t outside, int *out_fd, struct err *err)
{
    AUTO_CLOSE int hold = -1;
    AUTO_CLOSE int held = -1;
    int ends[2];
    enum status st;
    long pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set_errno(err, ST_IO, errno, "make a pipe");
    held = ends[0];
    hold = ends[1];
    /* A sandbox that shared our memory has left it undumpable (sandbox_child.c), and so would be
     * the copy, whose namespace could then be opened with CAP_SYS_PTRACE only.  A spawner under a
     * service manager has no such right. */
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid != 0)
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (pid == 0) {
        char none;

        (void)close(hold);
        (void)!read(held, &none, 1);
        _exit(0);
    }
    if (pid < 0)
        return err_set_errno(err, ST_IO, errno,
                             "make a user namespace (sysctl user.max_user_namespaces)");
    st = map_and_open((pid_t)pid, outside, out_fd, err);
    close_quietly(&hold);
    while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return st;
}

static enum status make_at(struct user_namespaces *users, uint32_t index, struct err *err)
{
    enum status st;

    if (users->fds[index] >= 0)
        return ST_OK;
    st = make(users->base + index, &users->fds[index], err);
    users->made += st == ST_OK;
    users->ready += st == ST_OK;
    return st;
}

enum status user_namespace_of(struct user_namespaces *users,
                              uint32_t index,
                              int *out_fd,
                              struct err *err)
{
    enum status st;

    CHECK(index < users->count);
    st = make_at(users, index, err);
    if (st != ST_OK)
        return st;
    users->ready -= !users->used[index];
    users->used[index] = true;
    *out_fd = users->fds[index];
    return ST_OK;
}

bool user_namespaces_refill(struct user_namespaces *users)
{
    struct err err = { 0 };
    uint32_t index = 0;

    while (index < users->count && users->fds[index] >= 0)
        index++;
    if (index == users->count)
        return false;
    if (make_at(users, index, &err) == ST_OK) {
        users->complained = false;
        return true;
    }
    if (!users->complained)
        log_event(LOG_WARN, "user_namespace_not_prepared", LS("why", err.text),
                  LS("then", "made at the next start"));
    users->complained = true;
    return false;
}
