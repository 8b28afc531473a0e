/* What the log is made of: entries, the snapshot that stands for their beginning, and the disk work
 * that makes both durable.  Shared by the deciding half (raft_rules, core) and the acting one. */
#ifndef CONTROLPLANE_REPLICA_LOG_ENTRY_H
#define CONTROLPLANE_REPLICA_LOG_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* As libraft numbers them. */
enum log_entry_type { LOG_COMMAND = 1, LOG_BARRIER = 2, LOG_CHANGE = 3 };

/* The bytes of one entry, never changed once made.  Counted, because the loop, the disk thread and
 * frames being built hold the same ones; the last log_data_drop() frees, on any thread. */
struct log_data {
    unsigned references; /* atomic */
    uint32_t len;
    uint8_t bytes[];
};

struct log_data *log_data_new(struct bytes content);
struct log_data *log_data_share(struct log_data *data);
void log_data_drop(struct log_data *data); /* accepts NULL */

struct log_entry {
    uint64_t term;
    enum log_entry_type type;
    struct log_data *data; /* NULL where only the disk has it, never of a LOG_CHANGE */
    uint32_t bytes;        /* of data, held or not; in the memory log and a recovery only */
};

/* A membership as libraft encodes it (raft_configuration_encode), opaque here. */
enum { CONFIGURATION_BYTES_MAX = 1024, SNAPSHOT_HASH_BYTES = 32 };

/* A stored snapshot: everything up to `index`.  index 0: there is none. */
struct snapshot_meta {
    uint64_t index;
    uint64_t term;
    uint64_t configuration_index;
    uint64_t bytes; /* of its file */
    uint8_t sha256[SNAPSHOT_HASH_BYTES];
    uint32_t configuration_len;
    uint8_t configuration[CONFIGURATION_BYTES_MAX];
};

/* A snapshot on its way in: which one, how large it will be, how much of it is here.  index 0:
 * none.
 */
struct snapshot_progress {
    uint64_t index;
    uint64_t term;
    uint64_t total;
    uint64_t offset;
};

enum disk_op_kind {
    DISK_APPEND,  /* drop entries from `first` on, then append `count` of them, in one step */
    DISK_TAKE,    /* the snapshot just written becomes the stored one; entries stay */
    DISK_DROP,    /* entries below `first`, a bounded number, are not needed any more */
    DISK_INSTALL, /* the snapshot received becomes stored one and state; drop all entries */
};

/* One piece of disk work.  Made and freed by raft_rules; between host->disk() and
 * rules_disk_done() the host reads it, but for `valid`. */
struct disk_op {
    enum disk_op_kind kind;
    uint64_t first;
    unsigned count;
    unsigned valid; /* of count: what no later truncation took back.  The loop's own. */
    struct log_entry *entries;
    struct snapshot_meta snapshot;
    struct disk_op *rules_next; /* the loop's list */
    struct disk_op *host_next;  /* for the host's queue */
};

#endif
