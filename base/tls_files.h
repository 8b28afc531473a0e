/* The three files that a program's TLS is made from. */
#ifndef BASE_TLS_FILES_H
#define BASE_TLS_FILES_H

#include <stdbool.h>

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

/* Read a whole file of up to TLS_FILE_BYTES_MAX.  `secret`: refuse one that others than its owner
 * may use.  Appends to `out`.  Blocks on disk. */
enum status tls_file_read(const char *path, bool secret, struct buf *out, struct err *err);
/* The same of a file that was opened otherwise, and stays open; `path` names it in errors. */
enum status tls_file_read_open(
    int fd, const char *path, bool secret, struct buf *out, struct err *err);

#endif
