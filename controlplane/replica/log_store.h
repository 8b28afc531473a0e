/* log.db: entries, term and vote, and which snapshot is stored; every change synced on return.
 *
 *   entries   idx | term | type | data | crc                one row each
 *   vote      term | voted_for                              one row
 *   snapshot  idx | term | bytes | sha256 | configuration | configuration_index      one or none
 *   checks    name | crc                                    of the rows of vote and snapshot
 *
 * crc is CRC-32C over the columns before it, numbers as u64 little endian (log_store_entry_crc()
 * and the two behind it): SQLite would not notice a flipped bit in a row.
 *
 * Beside it stands log.mark, what is known to be durable there, so that a log which has lost its
 * end to rot is told from one whose last write was torn:
 *
 *   "LWMK" | u32 1 | u64 index | u64 term of the vote | u32 CRC-32C of these 24 bytes
 *   the same CRC-32C again | u64 term of the entry | u64 voted for | u32 CRC-32C of these 20 bytes
 *
 * little endian.  The second line is not known to releases before: it counts where it belongs to
 * the first.  Nor are checks: triggers drop a checksum when such a release changes its row.
 *
 * The mark is written after each commit and not synced (a power cut leaves an older one, which is
 * true as well), but lowered and synced before entries are taken back.  It names the term too: an
 * end that replaced another one and then rotted away would else be taken for the one it replaced.
 *
 * ST_NO_SPACE from a call that writes: nothing has changed, and the same call can be made again
 * when there is room.  After any other failure nothing is written any more, by whichever thread
 * (ST_IO): what a failed sync left in the page cache is not what is on disk.
 *
 * Calls may come from two threads, the group's (votes, reading back) and its disk's (the rest): a
 * mutex orders writes, held for one transaction; reading back has a connection of its own.  All
 * block on disk. */
#ifndef CONTROLPLANE_REPLICA_LOG_STORE_H
#define CONTROLPLANE_REPLICA_LOG_STORE_H

#include <stdbool.h>

#include "base/status.h"
#include "controlplane/replica/log_entry.h"

struct log_store;

/* What the folder held.  Empty with log_recovery_done(). */
struct log_recovery {
    bool fresh; /* the folder was empty: bootstrapped just now */
    uint64_t term;
    uint64_t voted_for;
    struct snapshot_meta snapshot; /* index 0: none */
    uint64_t first;                /* of entries[0] */
    unsigned count;
    struct log_entry *entries; /* whose data stays on disk, but for a LOG_CHANGE's */
    /* What ended the log, never durable and dropped: NULL, or what is wrong with that entry. */
    const char *wrong;
    uint64_t wrong_index;
};
void log_recovery_done(struct log_recovery *recovery);

/* Open DIR/log.db, made with `bootstrap` as entry 1 if it is not there (NULL: empty, of a node that
 * joins), and read it all.
 *
 * ST_CORRUPT: an entry or vote that was durable is missing or does not match its checksum, or it is
 * not known what was durable.  `err` names file, entry and what was expected.  What was
 * acknowledged may be lost, so this member must not vote again; nothing in the folder was changed.
 * ST_BAD_INPUT: made by another release's format.  ST_IO. */
enum status log_store_open(const char *dir,
                           struct log_data *bootstrap,
                           struct log_store **out_store,
                           struct log_recovery *out_recovery,
                           struct err *err);
void log_store_close(struct log_store *store); /* accepts NULL */
/* There is something in DIR/log.db. */
bool log_store_is_made(const char *dir);

enum status log_store_set_vote(struct log_store *store,
                               uint64_t term,
                               uint64_t voted_for,
                               struct err *err);
/* Perform queued DISK_APPEND operations, `op` and those behind it on host_next up to `end`
 * (exclusive, may be NULL), in one transaction. */
enum status log_store_append(struct log_store *store,
                             const struct disk_op *op,
                             const struct disk_op *end,
                             struct err *err);
/* The snapshot is the stored one; entries stay. */
enum status log_store_take(struct log_store *store,
                           const struct snapshot_meta *meta,
                           struct err *err);
/* Entries below `first`, at most the stored snapshot's index plus one, are not needed any more. */
enum status log_store_drop(struct log_store *store, uint64_t first, struct err *err);
/* The snapshot is the stored one; no entry is of its history. */
enum status log_store_install(struct log_store *store,
                              const struct snapshot_meta *meta,
                              struct err *err);

/* Entries that were durable and are not dropped, whole; their data becomes the caller's.
 * ST_CORRUPT: rotten since the start; ST_IO.  The group's thread. */
enum status log_store_read(struct log_store *store,
                           uint64_t first,
                           unsigned count,
                           struct log_entry *out,
                           struct err *err);

#endif
