/* Which packages stay on this worker's disk.
 *
 * Pure: a bounded set of packages with their size, their users and what it would cost to get them
 * again; the answer is which one to remove next.  The driver (package_cache.c) fetches and removes.
 *
 * Greedy-dual by size and frequency: a package is worth clock + uses * cost / bytes when it is
 * used, the least worth goes first, and the clock rises to its worth.  So what is small, dear and
 * often used stays, and what is not used any more ages against what comes new. */
#ifndef WORKER_PACKAGES_PACKAGE_CACHE_PLAN_H
#define WORKER_PACKAGES_PACKAGE_CACHE_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { PACKAGE_HASH_BYTES = 32, PACKAGES_MAX = 1024, PACKAGE_NONE = UINT32_MAX };

enum package_state {
    PACKAGE_ABSENT,   /* the entry is free */
    PACKAGE_FOUND,    /* of a former run: to be verified before it is used */
    PACKAGE_FETCHING, /* on its way: being fetched, converted or verified */
    PACKAGE_READY,
    PACKAGE_REMOVING,
};

struct package_entry {
    uint8_t hash[PACKAGE_HASH_BYTES];
    enum package_state state;
    uint32_t users;          /* environments that have it bound, and waiters */
    uint64_t bytes;          /* on the disk */
    uint64_t unzipped_bytes; /* of its files; the driver's */
    uint64_t cost_us;        /* of getting it again */
    uint64_t uses;
    uint64_t worth;     /* see above */
    uint64_t last_used; /* of package_table.uses */
};

struct package_table {
    uint64_t bytes_max;
    uint64_t clock; /* the worth of the last one that went */
    uint64_t uses;  /* counts every use, so that order needs no clock */
    size_t count;   /* length of `entries`, at most PACKAGES_MAX */
    struct package_entry entries[PACKAGES_MAX];
};

/* The entry of `hash`, or PACKAGE_NONE. */
uint32_t package_find(const struct package_table *table, const uint8_t hash[PACKAGE_HASH_BYTES]);

/* A free entry for `hash`, in state FETCHING with one user; PACKAGE_NONE when all are taken. */
uint32_t package_add(struct package_table *table, const uint8_t hash[PACKAGE_HASH_BYTES]);

/* An entry in state FOUND, or none when all are taken; what it costs is guessed by its size. */
void package_found(struct package_table *table,
                   const uint8_t hash[PACKAGE_HASH_BYTES],
                   uint64_t bytes);
/* A FOUND one is wanted: FETCHING with one user. */
void package_claim(struct package_table *table, uint32_t index);
/* It was not to be had, and lies there as before: FOUND without users. */
void package_unclaim(struct package_table *table, uint32_t index);

/* One more user, which is also a use. */
void package_hold(struct package_table *table, uint32_t index);
void package_drop(struct package_table *table, uint32_t index);

/* It is here, `bytes` large, and took `cost_us` (0: not known, so guessed by its size); or it is
 * not (the entry becomes free: it has no users left then). */
void package_arrived(struct package_table *table, uint32_t index, uint64_t bytes, uint64_t cost_us);
void package_gone(struct package_table *table, uint32_t index);

/* The package without users that is worth least, marked REMOVING, while the table holds more than
 * its bound or has no free entry; PACKAGE_NONE when nothing needs to or can go.  `out_before`: the
 * state to put it back into, should it not go after all. */
uint32_t package_evict(struct package_table *table, enum package_state *out_before);
/* The same though there is room: a disk has less of it than the bound. */
uint32_t package_evict_one(struct package_table *table, enum package_state *out_before);

/* Up to `max` indices of packages that are here, used last first; returns how many. */
size_t package_newest(const struct package_table *table, uint32_t *out, size_t max);

#endif
