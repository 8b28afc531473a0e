/* Running nft, see nft.h. */
#include "worker/spawner/nft.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/spawner/files.h"

/* A file in memory with `content` at its start, offset zero. */
static int memory_file(struct bytes content)
{
    int fd = memfd_create("nft", MFD_CLOEXEC);

    if (fd < 0 || content.len == 0)
        return fd;
    if (pwrite(fd, content.data, content.len, 0) != (ssize_t)content.len) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int run(int input, int output, int *out_state)
{
    static char name[] = "nft";
    static char flag[] = "-f";
    static char from[] = "-";
    static char path[] = "PATH=/usr/sbin:/sbin:/usr/bin:/bin";
    char *argv[] = { name, flag, from, NULL };
    char *environment[] = { path, NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int rv;

    rv = posix_spawn_file_actions_init(&actions);
    if (rv != 0)
        return rv;
    rv = posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (rv == 0)
        rv = posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (rv == 0)
        rv = posix_spawn_file_actions_adddup2(&actions, output, 2);
    if (rv == 0)
        rv = posix_spawn(&pid, access("/usr/sbin/nft", X_OK) == 0 ? "/usr/sbin/nft" : "/sbin/nft",
                         &actions, NULL, argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (rv != 0)
        return rv;
    while (waitpid(pid, out_state, 0) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

enum status nft_load(struct bytes rules, struct err *err)
{
    AUTO_CLOSE int input = memory_file(rules);
    AUTO_CLOSE int output = memory_file((struct bytes){ 0 });
    char text[160];
    int state = 0;
    int rv;

    if (input < 0 || output < 0)
        return err_set_errno(err, ST_IO, errno, "make a file for nft");
    rv = run(input, output, &state);
    if (rv != 0)
        return err_set_errno(err, ST_UNSUPPORTED, rv, "run nft (package nftables)");
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return ST_OK;
    ssize_t len = pread(output, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return err_set(err, ST_DENIED, "nft refused our rules: %s", text);
}
