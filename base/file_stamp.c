/* See file_stamp.h. */
#include "base/file_stamp.h"

#include <string.h>
#include <sys/stat.h>

void file_stamp_take(const char *path, struct file_stamp *out)
{
    struct stat info;

    *out = (struct file_stamp){ .bytes = -1 };
    if (stat(path, &info) < 0)
        return;
    out->device = (uint64_t)info.st_dev;
    out->inode = (uint64_t)info.st_ino;
    /* The change time, for mv and cp -p keep the other one. */
    out->changed_ns = (int64_t)info.st_ctim.tv_sec * 1000000000 + (int64_t)info.st_ctim.tv_nsec;
    out->bytes = (int64_t)info.st_size;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* four 8-byte fields: no padding */
}
