/* log.db: entries, term and vote, and which snapshot is stored; every change synced on return.
 *
 *   entries   idx | term | type | data | crc    CRC-32C over all of them, little endian
 *   vote      term | voted_for                  one row
 *   snapshot  idx | term | bytes | sha256 | configuration | configuration_index     one row or none
 *
 * Beside it stands log.mark, what is known to be durable there, so that a log which has lost its
 * end to rot is told from one whose last write was torn:
 *
 *   "LWMK" | u32 1 | u64 index | u64 term of the vote | u32 CRC-32C of the 24 bytes     little
 * endian
 *
 * The mark is written after each commit and not synced (a power cut leaves an older one, which is
 * true as well), but lowered and synced before entries are taken back.
 *
 * Calls may come from two threads, the group's (votes) and its disk's (the rest): a mutex orders
 * them, held for one transaction.  All block on disk. */
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
    struct log_entry *entries;
};
void log_recovery_done(struct log_recovery *recovery);

/* Open DIR/log.db, made with `bootstrap` as entry 1 if it is not there (NULL: empty, of a node that
 * joins), and read it all.
 *
 * ST_CORRUPT: an entry does not match its checksum, or durable ones are missing: what was
 * acknowledged may be lost, so this member must not vote again.
 * ST_BAD_INPUT: made by another release's format.  ST_IO. */
enum status log_store_open(const char *dir,
                           struct log_data *bootstrap,
                           struct log_store **out_store,
                           struct log_recovery *out_recovery,
                           struct err *err);
void log_store_close(struct log_store *store); /* accepts NULL */

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
/* The snapshot is the stored one; entries below `first` are not needed any more. */
enum status log_store_take(struct log_store *store,
                           const struct snapshot_meta *meta,
                           uint64_t first,
                           struct err *err);
/* The snapshot is the stored one; no entry is of its history. */
enum status log_store_install(struct log_store *store,
                              const struct snapshot_meta *meta,
                              struct err *err);

#endif
