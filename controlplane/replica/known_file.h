/* DIR/incarnation: what a member keeps of whose log is which (known_rules.h), synced.
 *
 *   "LWIN" | u32 1 | u32 CRC-32C of all but itself | RaftMemory of proto/raft.proto
 *
 * little endian.  Written anew as `incarnation.new` and renamed, so it is whole or the one before.
 * It is made before log.db, so a log without it is of a release that knew none: one that took part.
 * Blocks on disk. */
#ifndef CONTROLPLANE_REPLICA_KNOWN_FILE_H
#define CONTROLPLANE_REPLICA_KNOWN_FILE_H

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/replica/known_rules.h"

/* Read it; made, with a number by chance, if it is not there.
 *
 * log_made  the folder has a log already
 * silent    what a new member begins as: not taking part
 *
 * ST_CORRUPT: it is damaged, and it is not known which log this is.  ST_IO, ST_NO_SPACE. */
enum status known_file_open(
    const char *dir, bool log_made, bool silent, struct known *out, struct err *err);

/* ST_NO_SPACE: the one before stands; the same call can be made again. */
enum status known_file_write(const char *dir, const struct known *known, struct err *err);

/* The bytes, and back.  ST_CORRUPT: not ours, cut or changed. */
void known_file_encode(const struct known *known, struct buf *out);
enum status known_file_decode(struct bytes bytes, struct known *out, struct err *err);

#endif
