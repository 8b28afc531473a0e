/* One package on its way, from whoever asked first to everybody told.  Internal to worker/packages.
 */
#ifndef WORKER_PACKAGES_PACKAGE_FETCH_H
#define WORKER_PACKAGES_PACKAGE_FETCH_H

#include <stdatomic.h>
#include <uv.h>

#include "base/status.h"
#include "worker/image/image_manifest.h"
#include "worker/packages/package_cache.h"
#include "worker/packages/package_fetch_plan.h"

enum { FETCH_CHUNK_WORKS = 3 /* pool threads that fetch chunks of one image */ };

/* A pool thread's share of a fetch. */
struct fetch_work {
    uv_work_t work;
    struct fetch *fetch;
    enum status status;
    struct err err;
};

/* Owned by the cache, in its list; ends by fetch_settings.ended. */
struct fetch {
    struct fetch *next;
    struct package_waiter *waiters;
    struct package_waiter *until_stored; /* told later than the others */
    enum fetch_state state;
    enum fetch_event event;                  /* to begin with */
    const struct package_settings *settings; /* borrowed */
    uv_loop_t *loop;
    uint8_t hash[PACKAGE_HASH_BYTES];
    char hex[PACKAGE_HEX_BYTES];
    uint64_t zip_bytes;
    uint64_t started_ns;
    bool is_former;   /* it was on the disk: what it costs to get is not known */
    bool is_left;     /* it is on the disk, and nobody could say whether it is good */
    int fd;           /* the zip, then the image that was made; a file without a name */
    int image_fds[2]; /* the image that is fetched: for writing, for reading */
    struct image_manifest *manifest;
    char image[PACKAGE_HEX_BYTES]; /* the hash of the manifest */
    unsigned in_flight;            /* works that are not back */
    atomic_uint next_chunk;
    struct fetch_work works[FETCH_CHUNK_WORKS];
    /* What came of it, to be told. */
    struct package_result result;
    struct err err;
    char reason[48];
    /* Called on the loop; the fetch stays the cache's. */
    void (*told)(struct fetch *fetch);  /* the package is here, or not: see result */
    void (*ended)(struct fetch *fetch); /* nothing is in flight any more */
    void *context;
};

/* Begin, with fetch->event. */
void fetch_begin(struct fetch *fetch);
void fetch_free(struct fetch *fetch);

#endif
