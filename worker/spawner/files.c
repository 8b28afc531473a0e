/* Small files of the kernel, see files.h. */
#include "worker/spawner/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void close_quietly(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum status file_write(int dir, const char *name, const char *text, struct err *err)
{
    AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", name);
    if (write(fd, text, len) != (ssize_t)len)
        return err_set_errno(err, ST_IO, errno, "write '%s' to %s", text, name);
    return ST_OK;
}

enum status file_write_u64(int dir, const char *name, uint64_t value, struct err *err)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return file_write(dir, name, text, err);
}

enum status file_read(int dir, const char *name, char *out, size_t capacity, struct err *err)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", name);
    ssize_t got = read(fd, out, capacity - 1);
    if (got < 0)
        return err_set_errno(err, ST_IO, errno, "read %s", name);
    out[got] = '\0';
    return ST_OK;
}

uint64_t file_read_u64(int dir, const char *name, uint64_t otherwise)
{
    char text[64];

    if (file_read(dir, name, text, sizeof text, NULL) != ST_OK)
        return otherwise;
    if (text[0] < '0' || text[0] > '9')
        return otherwise;
    return strtoull(text, NULL, 10);
}

uint64_t file_read_key(int dir, const char *name, const char *key, uint64_t otherwise)
{
    char text[2048];
    size_t key_len = strlen(key);

    if (file_read(dir, name, text, sizeof text, NULL) != ST_OK)
        return otherwise;
    for (char *line = text; line != NULL && *line != '\0';) {
        char *next = strchr(line, '\n');

        if (strncmp(line, key, key_len) == 0 && line[key_len] == ' ')
            return strtoull(line + key_len + 1, NULL, 10);
        line = next != NULL ? next + 1 : NULL;
    }
    return otherwise;
}

enum status dir_make(int dir, const char *name, int *out_fd, struct err *err)
{
    if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
        return err_set_errno(err, ST_IO, errno, "make folder %s", name);
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open folder %s", name);
    *out_fd = fd;
    return ST_OK;
}
