/* What a file looks like from outside: it differs whenever the file was written or replaced. */
#ifndef BASE_FILE_STAMP_H
#define BASE_FILE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct file_stamp {
    uint64_t device;
    uint64_t inode;
    int64_t changed_ns;
    int64_t bytes; /* -1: not there */
};

/* Look at a file, of which nothing is read.  Blocks on disk. */
void file_stamp_take(const char *path, struct file_stamp *out);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

#endif
