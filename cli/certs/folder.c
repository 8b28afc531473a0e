/* See folder.h. */
#include "cli/certs/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/folder.h"

char *certs_path(const char *folder, const char *name, const char *end)
{
    struct buf path = { 0 };
    char *out;

    buf_printf(&path, "%s/%s%s", folder, name, end);
    out = must_strdup(buf_text(&path));
    buf_done(&path);
    return out;
}

enum status certs_folder_make(const char *folder, struct err *err)
{
    enum status st = folder_make(folder, 0700, 1, err);
    struct stat info;

    if (st != ST_OK)
        return st;
    if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode))
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "%s is not a folder", folder);
}

/* Closes `fd`. */
static enum status write_all(int fd, const char *path, struct bytes text, struct err *err)
{
    enum status st = ST_OK;

    if (write(fd, text.data, text.len) != (ssize_t)text.len || fsync(fd) < 0)
        st = err_set_errno(err, ST_IO, errno, "write %s", path);
    if (close(fd) < 0 && st == ST_OK)
        st = err_set_errno(err, ST_IO, errno, "write %s", path);
    if (st != ST_OK)
        (void)unlink(path);
    return st;
}

/* A new name is only in the folder's cache until the folder itself is synced. */
static enum status sync_folder_of(const char *path, struct err *err)
{
    char *folder = must_strdup(path);
    enum status st;

    *(strrchr(folder, '/') + 1) = '\0';
    st = folder_sync(AT_FDCWD, folder, err);
    free(folder);
    return st;
}

enum status certs_file_new(const char *path, struct bytes text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum status st;

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ST_EXISTS, "%s is there already; nothing is overwritten", path);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "create %s", path);
    st = write_all(fd, path, text, err);
    return st == ST_OK ? sync_folder_of(path, err) : st;
}

enum status certs_file_replace(const char *path, struct bytes text, struct err *err)
{
    struct buf temporary = { 0 };
    struct stat info;
    enum status st = ST_OK;
    int fd;

    buf_printf(&temporary, "%s.new", path);
    (void)unlink(buf_text(&temporary)); /* of one that was cut short */
    fd = open(buf_text(&temporary), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        st = err_set_errno(err, ST_IO, errno, "create %s", buf_text(&temporary));
        buf_done(&temporary);
        return st;
    }
    if (stat(path, &info) < 0 || fchown(fd, info.st_uid, info.st_gid) < 0 ||
        fchmod(fd, info.st_mode & 07777) < 0) {
        st = err_set_errno(err, ST_IO, errno, "give %s owner and mode of the old one", path);
        (void)close(fd);
        (void)unlink(buf_text(&temporary));
    } else {
        st = write_all(fd, buf_text(&temporary), text, err);
    }
    if (st == ST_OK && rename(buf_text(&temporary), path) < 0)
        st = err_set_errno(err, ST_IO, errno, "replace %s", path);
    buf_done(&temporary);
    return st == ST_OK ? sync_folder_of(path, err) : st;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name);
    size_t end_len = strlen(end);

    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

enum status certs_folder_each(
    const char *folder, const char *end, certs_file_fn each, void *context, struct err *err)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    enum status st = ST_OK;

    if (count < 0)
        return err_set_errno(err, ST_IO, errno, "list %s", folder);
    for (int i = 0; i < count; i++) {
        if (st == ST_OK && ends_with(entries[i]->d_name, end)) {
            char *path = certs_path(folder, entries[i]->d_name, "");

            st = each(path, context, err);
            free(path);
        }
        free(entries[i]);
    }
    free(entries);
    return st;
}
