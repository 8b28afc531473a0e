/* The log as memory knows it: one run of indexes, cut at both ends.
 *
 * Term, type and size of every entry; the bytes of the newest ones and of every LOG_CHANGE.  Those
 * of older ones may be evicted: then the disk has them.
 *
 * Pure; the group's thread.  Holds a share of the data. */
#ifndef CONTROLPLANE_REPLICA_MEMORY_LOG_H
#define CONTROLPLANE_REPLICA_MEMORY_LOG_H

#include <stddef.h>

#include "controlplane/replica/log_entry.h"

/* Zero-initialise and memory_log_reset(); empty with memory_log_done(). */
struct memory_log {
    struct log_entry *ring;
    size_t capacity; /* a power of two */
    size_t head;     /* where `first` is */
    size_t count;
    uint64_t first;      /* index of the first entry, or of the next one when empty */
    uint64_t held;       /* from here on nothing is evicted; first..last + 1 */
    uint64_t bytes;      /* of all entries */
    uint64_t held_bytes; /* of data in memory */
    uint32_t largest;    /* bytes of the largest entry, or more */
};

/* Drop everything; the next entry will be `first`. */
void memory_log_reset(struct memory_log *log, uint64_t first);
void memory_log_done(struct memory_log *log);

/* The last index; first - 1 when empty. */
uint64_t memory_log_last(const struct memory_log *log);
/* NULL when it is not held. */
const struct log_entry *memory_log_at(const struct memory_log *log, uint64_t index);
/* 0 when it is not held. */
uint64_t memory_log_term(const struct memory_log *log, uint64_t index);

/* Takes a share of its own of entry->data.  Without data it is one that was evicted, and only such
 * ones may stand before it. */
void memory_log_append(struct memory_log *log, const struct log_entry *entry);
/* Drop `from` and all behind it; from is within first..last + 1. */
void memory_log_truncate(struct memory_log *log, uint64_t from);
/* Drop what is below `first`; at most last + 1. */
void memory_log_shift(struct memory_log *log, uint64_t first);
/* Evict the oldest data below index `below` until no more than `bytes_max` are held. */
void memory_log_evict(struct memory_log *log, uint64_t below, uint64_t bytes_max);

#endif
