/* Which unpacked packages stay on this worker's disk.
 *
 * Pure: a bounded set of packages with their size, their users and their last use; the answer is
 * which one to remove next.  The driver (package_cache.c) fetches, unpacks and removes. */
#ifndef WORKER_PACKAGES_PACKAGE_CACHE_PLAN_H
#define WORKER_PACKAGES_PACKAGE_CACHE_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { PACKAGE_HASH_BYTES = 32, PACKAGES_MAX = 1024, PACKAGE_NONE = UINT32_MAX };

enum package_state {
    PACKAGE_ABSENT,   /* the entry is free */
    PACKAGE_FETCHING, /* on its way: from the store, or being unpacked */
    PACKAGE_READY,
    PACKAGE_REMOVING,
};

struct package_entry {
    uint8_t hash[PACKAGE_HASH_BYTES];
    enum package_state state;
    uint32_t users;     /* environments that have it bound, and waiters */
    uint64_t bytes;     /* unpacked */
    uint64_t last_used; /* of package_table.uses */
};

struct package_table {
    uint64_t bytes_max;
    uint64_t uses; /* counts every use, so that order needs no clock */
    size_t count;  /* length of `entries`, at most PACKAGES_MAX */
    struct package_entry entries[PACKAGES_MAX];
};

/* The entry of `hash`, or PACKAGE_NONE. */
uint32_t package_find(const struct package_table *table, const uint8_t hash[PACKAGE_HASH_BYTES]);

/* A free entry for `hash`, in state FETCHING with one user; PACKAGE_NONE when all are taken. */
uint32_t package_add(struct package_table *table, const uint8_t hash[PACKAGE_HASH_BYTES]);

/* One more user, which is also a use. */
void package_hold(struct package_table *table, uint32_t index);
void package_drop(struct package_table *table, uint32_t index);

/* It is here, `bytes` large; or it is not (the entry becomes free: it has no users left then). */
void package_arrived(struct package_table *table, uint32_t index, uint64_t bytes);
void package_gone(struct package_table *table, uint32_t index);

/* The ready package without users that was used longest ago, marked REMOVING, while the table holds
 * more than its bound or has no free entry; PACKAGE_NONE when nothing needs to or can go. */
uint32_t package_evict(struct package_table *table);

/* Up to `max` indices of ready packages, used last first; returns how many. */
size_t package_newest(const struct package_table *table, uint32_t *out, size_t max);

#endif
