/* A snapshot being received into snapshot.part, hashed on the way, and kept over a restart: beside
 * it stands what of it is known to be on the disk,
 *
 *   snapshot.part.mark   "LWSP" | u32 1 | u64 index, term, total, offset | SHA-256 of the file's
 * first `offset` bytes | u32 CRC-32C of all before         little endian
 *
 * written by a pool thread after it has synced the file, every SNAPSHOT_PART_SYNC_BYTES.  A start
 * hashes that much of the file again and goes on from there, or begins anew if it is not the same.
 */
#ifndef CONTROLPLANE_REPLICA_SNAPSHOT_PART_H
#define CONTROLPLANE_REPLICA_SNAPSHOT_PART_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/status.h"
#include "controlplane/replica/log_entry.h"

enum { SNAPSHOT_PART_SYNC_BYTES = 16 << 20 };

/* Zero-initialise with fd -1; let go with snapshot_part_close(). */
struct snapshot_part {
    int fd; /* -1: nothing */
    struct hash hash;
    bool hashed;
    uint8_t sha256[SNAPSHOT_HASH_BYTES];
    struct snapshot_progress progress;
    uint64_t noted; /* offset of the last point that was taken to be synced */
};

/* Begin with nothing of this snapshot; what was there is gone. */
enum status snapshot_part_reset(struct snapshot_part *part,
                                const char *dir,
                                const struct snapshot_progress *which,
                                struct err *err);
enum status snapshot_part_append(struct snapshot_part *part, struct bytes data, struct err *err);
/* Of all of it; nothing can be appended behind. */
void snapshot_part_hash(struct snapshot_part *part, uint8_t out[SNAPSHOT_HASH_BYTES]);
/* Let go of the file, which stays. */
void snapshot_part_close(struct snapshot_part *part);

/* Open what an earlier process left of a snapshot newer than `above`; part->progress.index is 0 and
 * the files are gone if there is nothing to go on with.  Blocks: hashes what is there. */
void snapshot_part_resume(struct snapshot_part *part, const char *dir, uint64_t above);
/* Remove both files, if they are there. */
void snapshot_part_remove(const char *dir);

/* A point to be synced and noted: made on the loop, done on any thread. */
struct snapshot_part_point {
    int fd; /* of its own */
    struct snapshot_progress progress;
    uint8_t sha256[SNAPSHOT_HASH_BYTES];
};
/* True when so much came since the last one that it is time for the next: fills *out. */
bool snapshot_part_point(struct snapshot_part *part, struct snapshot_part_point *out);
/* Sync the file, then write the mark; closes point->fd.  A mark that can not be written stays
 * behind.  ST_IO: one of them could not be synced, and no later sync will tell. */
enum status snapshot_part_note(struct snapshot_part_point *point, const char *dir, struct err *err);

#endif
