/* The files of snapshots in a group's folder:
 *
 *   snapshot-INDEX.db   the stored one, a database that opens by itself
 *   snapshot.tmp        being written
 *   snapshot.part       being received; snapshot.part.mark beside it (snapshot_part.h)
 *
 * Each call blocks on disk for as long as its bytes take. */
#ifndef CONTROLPLANE_REPLICA_SNAPSHOT_FILE_H
#define CONTROLPLANE_REPLICA_SNAPSHOT_FILE_H

#include <stdint.h>

#include "base/status.h"
#include "controlplane/replica/log_entry.h"

enum { SNAPSHOT_PATH_BYTES = 512 };

void snapshot_file_path(const char *dir, uint64_t index, char out[SNAPSHOT_PATH_BYTES]);
void snapshot_file_tmp_path(const char *dir, char out[SNAPSHOT_PATH_BYTES]);
void snapshot_file_part_path(const char *dir, char out[SNAPSHOT_PATH_BYTES]);

/* Fill in meta's bytes and sha256. */
enum status snapshot_file_describe(const char *path, struct snapshot_meta *meta, struct err *err);
/* ST_CORRUPT: size or hash is not meta's; ST_IO. */
enum status snapshot_file_verify(const char *path,
                                 const struct snapshot_meta *meta,
                                 struct err *err);
/* Sync `from` and make it snapshot-INDEX.db, durably. */
enum status snapshot_file_store(const char *dir, const char *from, uint64_t index, struct err *err);
/* Make `to`, of a stored snapshot's bytes: whole or, after a failure or a crash, not at all; not
 * synced.  TO.new is taken for it.  ST_NO_SPACE; ST_IO. */
enum status snapshot_file_copy(const char *from, const char *to, struct err *err);
/* Remove every stored snapshot but that of `index` (0: all of them). */
void snapshot_file_sweep(const char *dir, uint64_t index);

#endif
