/* The three files that a program's TLS is made from. */
#ifndef BASE_TLS_FILES_H
#define BASE_TLS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "base/tls.h"

/* Paths, borrowed. */
struct tls_files {
    const char *authorities;
    const char *certificate;
    const char *key;
};

/* Read all three and make a context of them, or give them to one that exists.
 *
 * ST_IO: one cannot be read.  ST_DENIED: others than its owner may use the key.  ST_BAD_INPUT: too
 * large, or as tls_context_new().  The text names the file.  Blocks on disk. */
enum status tls_files_open(const struct tls_files *files,
                           const struct node_identity *self,
                           struct tls_context **out,
                           struct err *err);
enum status tls_files_reload(const struct tls_files *files,
                             struct tls_context *context,
                             struct err *err);

/* What the files look like from outside: it differs whenever one was written or replaced. */
struct tls_files_stamp {
    struct {
        uint64_t device;
        uint64_t inode;
        int64_t changed_ns;
        int64_t bytes; /* -1: not there */
    } file[3];
};
void tls_files_look(const struct tls_files *files, struct tls_files_stamp *out);
bool tls_files_same(const struct tls_files_stamp *a, const struct tls_files_stamp *b);

/* Read a whole file of up to TLS_FILE_BYTES_MAX.  `secret`: refuse one that others than its owner
 * may use.  Appends to `out`.  Blocks on disk. */
enum status tls_file_read(const char *path, bool secret, struct buf *out, struct err *err);

#endif
