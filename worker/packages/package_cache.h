/* Packages on this worker: fetched from the object store, checked and unpacked by the spawner's
 * converter, kept within a size, never removed while an environment has them.
 *
 * One fetch a package at a time, whoever asks.  Loop thread; the download runs on the pool. */
#ifndef WORKER_PACKAGES_PACKAGE_CACHE_H
#define WORKER_PACKAGES_PACKAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"
#include "worker/packages/package_cache_plan.h"

struct package_cache;
struct objstore;

/* What came of a fetch; texts are borrowed for the call. */
struct package_result {
    enum status status; /* ST_BAD_INPUT: the zip itself is refused, `reason` says why */
    const char *reason; /* "not_a_zip", "path_escape"...; "" otherwise */
    const char *text;
    uint64_t unzipped_bytes;
};

/* Embedded by whoever waits. */
struct package_waiter {
    void (*done)(struct package_waiter *waiter, const struct package_result *result);
    struct package_waiter *next; /* the cache's */
};

/* A zip that is to be unpacked; `fd` is open for reading. */
struct package_zip {
    const char *hex;
    uint64_t bytes;
    int fd;
};

/* How the spawner is reached; a struct of functions, so that tests can be the spawner. */
struct package_unpacker {
    /* `done(context, result)` exactly once, later, unless an error is returned; `fd` stays open. */
    enum status (*convert)(void *self,
                           const struct package_zip *zip,
                           void (*done)(void *context, const struct package_result *result),
                           void *context,
                           struct err *err);
    enum status (*remove)(void *self,
                          const char *hex,
                          void (*done)(void *context, const struct package_result *result),
                          void *context,
                          struct err *err);
    void *self;
};

struct package_settings {
    const char *dir;        /* where a zip lies while it is unpacked; borrowed */
    struct objstore *store; /* borrowed */
    uint64_t bytes_max;     /* unpacked */
    uint32_t fetch_ms;      /* for one download with its retries */
    struct package_unpacker unpacker;
};

struct package_cache *package_cache_new(uv_loop_t *loop, const struct package_settings *settings);
/* No fetch may be running. */
void package_cache_free(struct package_cache *cache);

/* If the package is here, hold it (one package_cache_drop() is owed) and say how large it is. */
bool package_cache_hold(struct package_cache *cache,
                        const uint8_t hash[PACKAGE_HASH_BYTES],
                        uint64_t *out_bytes);
/* Get it here.  The waiter is called exactly once, later; on ST_OK it holds the package.
 * ST_LIMIT: the table is full of packages in use; the waiter is not called. */
enum status package_cache_fetch(struct package_cache *cache,
                                const uint8_t hash[PACKAGE_HASH_BYTES],
                                uint64_t zip_bytes,
                                struct package_waiter *waiter);
void package_cache_drop(struct package_cache *cache, const uint8_t hash[PACKAGE_HASH_BYTES]);

/* The table, read only, for the heartbeat. */
const struct package_table *package_cache_table(const struct package_cache *cache);

#endif
