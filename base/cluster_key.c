/* See cluster_key.h. */
#include "base/cluster_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

enum { KEY_DIGITS = 2 * CLUSTER_KEY_BYTES };

static enum status read_text(int fd, const char *path, char *text, size_t size, struct err *err)
{
    struct stat info;
    ssize_t got;

    if (fstat(fd, &info) < 0)
        return err_set_errno(err, ST_IO, errno, "look at cluster key %s", path);
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return err_set(err, ST_DENIED,
                       "cluster key %s: others than its owner may use it, chmod 600 it", path);
    got = read(fd, text, size - 1);
    if (got < 0)
        return err_set_errno(err, ST_IO, errno, "read cluster key %s", path);
    text[got] = '\0';
    if (got == KEY_DIGITS + 1 && text[KEY_DIGITS] == '\n')
        text[KEY_DIGITS] = '\0';
    return ST_OK;
}

enum status cluster_key_read(const char *path, uint8_t out[CLUSTER_KEY_BYTES], struct err *err)
{
    char text[KEY_DIGITS + 3];
    uint8_t key[CLUSTER_KEY_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum status st;

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open cluster key %s", path);
    st = read_text(fd, path, text, sizeof text, err);
    (void)close(fd);
    if (st != ST_OK)
        return st;
    if (!hex_decode(text, key, sizeof key))
        return err_set(err, ST_BAD_INPUT, "cluster key %s: want %d hexadecimal digits", path,
                       KEY_DIGITS);
    memcpy(out, key, sizeof key);
    return ST_OK;
}
