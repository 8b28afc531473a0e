/* Packages on this worker: fetched from the object store, as an image or as a zip that the
 * spawner's converter turns into one, kept within a size, never removed while an environment has
 * them.
 *
 * One fetch a package at a time, whoever asks.  Loop thread; what blocks runs on the pool. */
#ifndef WORKER_PACKAGES_PACKAGE_CACHE_H
#define WORKER_PACKAGES_PACKAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"
#include "worker/packages/package_cache_plan.h"

struct package_cache;
struct objstore;

enum { PACKAGE_HEX_BYTES = 2 * PACKAGE_HASH_BYTES + 1, PACKAGE_ANSWER_FDS = 2 };

/* A package of a former run. */
struct package_here {
    const uint8_t *hash;
    uint64_t bytes;
};

/* What came of a question or a fetch; texts and lists are borrowed for the call. */
struct package_result {
    enum status status; /* ST_BAD_INPUT: the zip itself is refused, `reason` says why */
    const char *reason; /* "not_a_zip", "path_escape"...; "" otherwise */
    const char *text;
    uint64_t unzipped_bytes;
    uint64_t disk_bytes;
    int *fds; /* NEW_IMAGE: for writing, for reading; CONVERT: the image or -1.  To keep one, put -1
               */
    bool images; /* LIST: packages are images here */
    size_t here_count;
    const struct package_here *here;
};

/* Embedded by whoever waits. */
struct package_waiter {
    void (*done)(struct package_waiter *waiter, const struct package_result *result);
    bool until_stored;           /* wait until other workers can fetch it as an image, or cannot */
    struct package_waiter *next; /* the cache's */
};

enum package_ask {
    PACKAGE_ASK_LIST,      /* what of a former run is here? */
    PACKAGE_ASK_CONVERT,   /* a zip, `fd` */
    PACKAGE_ASK_NEW_IMAGE, /* a file to write an image to */
    PACKAGE_ASK_ADD_IMAGE, /* such a file, `fd`, to be checked and used */
    PACKAGE_ASK_VERIFY,
    PACKAGE_ASK_REMOVE,
};

struct package_question {
    enum package_ask ask;
    const char *hex;   /* of the zip */
    const char *image; /* ADD_IMAGE: of its manifest */
    uint64_t bytes;    /* of what `fd` is */
    int fd;            /* stays open */
    void (*done)(void *context, const struct package_result *result);
    void *context;
};

/* How the spawner is reached; a struct of functions, so that tests can be the spawner. */
struct package_spawner {
    /* question->done exactly once, later, unless an error is returned. */
    enum status (*ask)(void *self, const struct package_question *question, struct err *err);
    void *self;
};

struct package_settings {
    const char *dir;        /* where a zip lies while it is unpacked; borrowed */
    struct objstore *store; /* borrowed */
    uint64_t bytes_max;     /* on the disk */
    uint32_t fetch_ms;      /* for one download with its retries */
    struct package_spawner spawner;
};

struct package_cache *package_cache_new(uv_loop_t *loop, const struct package_settings *settings);
/* Ask what is here of a former run.  What is fetched meanwhile waits for the answer. */
enum status package_cache_start(struct package_cache *cache, struct err *err);
/* No fetch may be running. */
void package_cache_free(struct package_cache *cache);

/* If the package is here, hold it (one package_cache_drop() is owed) and say how large it is. */
bool package_cache_hold(struct package_cache *cache,
                        const uint8_t hash[PACKAGE_HASH_BYTES],
                        uint64_t *out_unzipped_bytes);
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
