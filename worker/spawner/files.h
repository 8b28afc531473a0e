/* Small files of the kernel: control files written and read in one call each. */
#ifndef WORKER_SPAWNER_FILES_H
#define WORKER_SPAWNER_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Closes a descriptor at the end of its scope; -1 is nothing. */
void close_quietly(int *fd);
#define AUTO_CLOSE __attribute__((cleanup(close_quietly)))

/* Write `text` to an existing file below `dir` in one write.  ST_IO names the file. */
enum status file_write(int dir, const char *name, const char *text, struct err *err);
enum status file_write_u64(int dir, const char *name, uint64_t value, struct err *err);

/* Read a small file into `out`, terminated and cut at `capacity`. */
enum status file_read(int dir, const char *name, char *out, size_t capacity, struct err *err);

/* The number a file holds, or `otherwise` when it cannot be read. */
uint64_t file_read_u64(int dir, const char *name, uint64_t otherwise);
/* The number after "KEY " on a line of its own, or `otherwise`. */
uint64_t file_read_key(int dir, const char *name, const char *key, uint64_t otherwise);

/* Make a folder and open it (O_PATH is not used: the result may name files below it). */
enum status dir_make(int dir, const char *name, int *out_fd, struct err *err);

#endif
