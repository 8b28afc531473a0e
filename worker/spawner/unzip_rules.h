/* What names and links a package may hold.  Pure. */
#ifndef WORKER_SPAWNER_UNZIP_RULES_H
#define WORKER_SPAWNER_UNZIP_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UNZIP_PATH_BYTES = 4096 };

/* Bring an entry's name to the form "a/b/c": no empty components, no ".", no slash at either end.
 * An empty result is the tree's own folder.  False when the name would leave the tree ("..", an
 * absolute path) or is too long. */
bool unzip_path_clean(const char *name, char out[UNZIP_PATH_BYTES]);

/* Where a zip ends, and what its end says: PKZIP's "end of central directory", at most 64 KiB of a
 * comment before the file's end, and the larger record that it points at when 16 bits do not do.
 *
 *   50 4b 05 06 | disk 2 | disk 2 | entries here 2 | entries 2 | bytes 4 | offset 4 | comment 2 ...
 *   50 4b 06 07 | disk 4 | offset of 50 4b 06 06 8 | disks 4      in the 20 bytes before, if at all
 */
enum { UNZIP_END_BYTES = 22, UNZIP_LOCATOR_BYTES = 20, UNZIP_END64_BYTES = 40 };
enum { UNZIP_TAIL_BYTES = UNZIP_LOCATOR_BYTES + UNZIP_END_BYTES + 65535 };

struct unzip_end {
    uint64_t entries;
    bool is_large;     /* `entries` stands at large_at instead */
    uint64_t large_at; /* of the file */
};

/* Read the last bytes of a zip, up to UNZIP_TAIL_BYTES.  False: there is no end in them. */
bool unzip_end_read(const uint8_t *tail, size_t len, struct unzip_end *out);

/* Read the larger record, UNZIP_END64_BYTES at large_at.  False: it is none. */
bool unzip_end64_read(const uint8_t record[UNZIP_END64_BYTES], uint64_t *out_entries);

/* May a link at `path` (clean) point to `target`?  Counts components only: a target that goes
 * through another link is judged when all of them exist. */
bool unzip_link_stays(const char *path, const char *target);

#endif
