#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

/* Closes `fd`, which may be -1 with errno set. */
static enum status sync_open(int fd, const char *path, struct err *err)
{
    enum status st = ST_OK;

    if (fd < 0 || fsync(fd) < 0)
        st = err_set_errno(err, ST_IO, errno, "sync folder %s", path);
    if (fd >= 0)
        (void)close(fd);
    return st;
}

static int open_folder(int dir_fd, const char *path)
{
    return openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum status folder_sync(int dir_fd, const char *path, struct err *err)
{
    return sync_open(open_folder(dir_fd, path), path, err);
}

/* "/a/b" of "/a/b/c" and "/a/b//c/", "/" of "/a", "." of "a". */
static void parent_of(const char *path, char out[PATH_MAX])
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    (void)snprintf(out, PATH_MAX, "%.*s", len == 0 ? 1 : (int)len, len == 0 ? "." : path);
}

static enum status make_one(const char *path, mode_t mode, struct err *err)
{
    bool made = mkdir(path, mode) == 0;
    char parent[PATH_MAX];
    int fd;

    if (!made && errno != EEXIST)
        return err_set_errno(err, status_of_errno(errno), errno, "make folder %s", path);
    parent_of(path, parent);
    fd = open_folder(AT_FDCWD, parent);
    /* Where we may not look we made nothing, now or before. */
    if (fd < 0 && errno == EACCES && !made)
        return ST_OK;
    return sync_open(fd, parent, err);
}

enum status folder_make(const char *path, mode_t mode, unsigned levels, struct err *err)
{
    char part[PATH_MAX];
    enum status st = ST_OK;

    CHECK(levels > 0);
    if (strlen(path) >= sizeof part)
        return err_set(err, ST_IO, "make folder %.100s...: path too long", path);
    for (unsigned level = levels; st == ST_OK && level-- > 0;) {
        (void)snprintf(part, sizeof part, "%s", path);
        for (unsigned up = 0; up < level; up++) {
            char child[PATH_MAX];

            memcpy(child, part, sizeof child);
            parent_of(child, part);
        }
        if (strcmp(part, ".") != 0 && strcmp(part, "/") != 0)
            st = make_one(part, mode, err);
    }
    return st;
}
