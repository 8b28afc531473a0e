/* The package cache: the driver of package_cache_plan.  Loop thread but for download_cb. */
#include "worker/packages/package_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "objstore/client/objstore.h"

enum { HEX_BYTES = 2 * PACKAGE_HASH_BYTES + 1 };

/* One package on its way.  Lives from package_cache_fetch() until its waiters were told. */
struct fetch {
    struct fetch *next;
    struct package_cache *cache;
    struct package_waiter *waiters;
    uv_work_t work;
    uint8_t hash[PACKAGE_HASH_BYTES];
    char hex[HEX_BYTES];
    uint64_t zip_bytes;
    int fd; /* the zip: a file without a name, gone when closed */
    enum status status;
    struct err err;
};

/* One package being removed. */
struct removal {
    struct package_cache *cache;
    uint8_t hash[PACKAGE_HASH_BYTES];
    char hex[HEX_BYTES];
};

struct package_cache {
    uv_loop_t *loop;
    struct package_settings settings;
    struct fetch *fetches;
    struct package_table table;
};

static void evict(struct package_cache *cache);

struct package_cache *package_cache_new(uv_loop_t *loop, const struct package_settings *settings)
{
    struct package_cache *cache = must_calloc(1, sizeof *cache);

    cache->loop = loop;
    cache->settings = *settings;
    cache->table.bytes_max = settings->bytes_max;
    return cache;
}

void package_cache_free(struct package_cache *cache)
{
    free(cache);
}

const struct package_table *package_cache_table(const struct package_cache *cache)
{
    return &cache->table;
}

bool package_cache_hold(struct package_cache *cache,
                        const uint8_t hash[PACKAGE_HASH_BYTES],
                        uint64_t *out_bytes)
{
    uint32_t index = package_find(&cache->table, hash);

    if (index == PACKAGE_NONE || cache->table.entries[index].state != PACKAGE_READY)
        return false;
    package_hold(&cache->table, index);
    *out_bytes = cache->table.entries[index].bytes;
    return true;
}

void package_cache_drop(struct package_cache *cache, const uint8_t hash[PACKAGE_HASH_BYTES])
{
    uint32_t index = package_find(&cache->table, hash);

    CHECK(index != PACKAGE_NONE);
    package_drop(&cache->table, index);
    evict(cache);
}

static void removed(void *context, const struct package_result *result)
{
    struct removal *removal = context;
    struct package_cache *cache = removal->cache;
    uint32_t index = package_find(&cache->table, removal->hash);

    CHECK(index != PACKAGE_NONE);
    if (result->status != ST_OK && result->status != ST_NOT_FOUND)
        log_event(LOG_WARN, "package_not_removed", LS("package", removal->hex),
                  LS("error", result->text));
    package_gone(&cache->table, index);
    free(removal);
    evict(cache);
}

/* Start at most one removal; the next follows when it is done. */
static void evict(struct package_cache *cache)
{
    uint32_t index = package_evict(&cache->table);
    struct removal *removal;
    struct err err;

    if (index == PACKAGE_NONE)
        return;
    removal = must_calloc(1, sizeof *removal);
    removal->cache = cache;
    memcpy(removal->hash, cache->table.entries[index].hash, PACKAGE_HASH_BYTES);
    hex_encode(bytes_of(removal->hash, PACKAGE_HASH_BYTES), removal->hex);
    if (cache->settings.unpacker.remove(cache->settings.unpacker.self, removal->hex, removed,
                                        removal, &err) == ST_OK)
        return;
    /* The spawner is busy: the package stays, and the next change tries again. */
    cache->table.entries[index].state = PACKAGE_READY;
    free(removal);
}

/* Tell everybody who waits, and forget the fetch. */
static void finish(struct fetch *fetch, const struct package_result *result)
{
    struct package_cache *cache = fetch->cache;
    uint32_t index = package_find(&cache->table, fetch->hash);
    struct package_waiter *waiter = fetch->waiters;
    struct fetch **at;

    CHECK(index != PACKAGE_NONE);
    for (at = &cache->fetches; *at != fetch; at = &(*at)->next)
        CHECK(*at != NULL);
    *at = fetch->next;
    if (result->status == ST_OK) {
        package_arrived(&cache->table, index, result->unzipped_bytes);
    } else {
        cache->table.entries[index].users = 0;
        package_gone(&cache->table, index);
        log_event(LOG_WARN, "package_not_fetched", LS("package", fetch->hex),
                  LS("status", status_name(result->status)), LS("error", result->text));
    }
    if (fetch->fd >= 0)
        (void)close(fetch->fd);
    while (waiter != NULL) {
        struct package_waiter *next = waiter->next;

        waiter->done(waiter, result);
        waiter = next;
    }
    free(fetch);
    evict(cache);
}

static void converted(void *context, const struct package_result *result)
{
    finish(context, result);
}

/* On a pool thread: touches only the fetch. */
static void download_cb(uv_work_t *work)
{
    struct fetch *fetch = container_of(work, struct fetch, work);
    const struct package_settings *settings = &fetch->cache->settings;
    char key[HEX_BYTES + 4];
    struct objstore_name name = { OBJSTORE_PACKAGES_BUCKET, key, settings->fetch_ms };
    struct objstore_want want = { fetch->hash, fetch->zip_bytes, PACKAGE_ZIP_BYTES_MAX };

    (void)snprintf(key, sizeof key, "%s.zip", fetch->hex);
    fetch->fd = open(settings->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fetch->fd < 0) {
        fetch->status =
            err_set_errno(&fetch->err, ST_IO, errno, "make a file in the package folder");
        return;
    }
    fetch->status = objstore_get(settings->store, &name, &want, fetch->fd, NULL, &fetch->err);
}

static void downloaded_cb(uv_work_t *work, int status)
{
    struct fetch *fetch = container_of(work, struct fetch, work);
    const struct package_unpacker *unpacker = &fetch->cache->settings.unpacker;
    struct package_zip zip = { fetch->hex, fetch->zip_bytes, fetch->fd };
    struct package_result result = { .reason = "", .text = fetch->err.text };

    if (status < 0)
        fetch->status = err_set(&fetch->err, ST_CANCELLED, "download of a package: cancelled");
    if (fetch->status == ST_OK)
        fetch->status = unpacker->convert(unpacker->self, &zip, converted, fetch, &fetch->err);
    if (fetch->status == ST_OK)
        return;
    /* Only the converter may call a zip bad. */
    result.status = fetch->status == ST_BAD_INPUT ? ST_UNAVAILABLE : fetch->status;
    finish(fetch, &result);
}

static void join(struct fetch *fetch, struct package_waiter *waiter)
{
    waiter->next = fetch->waiters;
    fetch->waiters = waiter;
}

enum status package_cache_fetch(struct package_cache *cache,
                                const uint8_t hash[PACKAGE_HASH_BYTES],
                                uint64_t zip_bytes,
                                struct package_waiter *waiter)
{
    struct fetch *fetch = cache->fetches;
    uint32_t index = package_find(&cache->table, hash);
    int rv;

    while (fetch != NULL && memcmp(fetch->hash, hash, PACKAGE_HASH_BYTES) != 0)
        fetch = fetch->next;
    if (fetch != NULL) {
        package_hold(&cache->table, index);
        join(fetch, waiter);
        return ST_OK;
    }
    if (index != PACKAGE_NONE)
        return ST_LIMIT; /* being removed at this moment: the next try finds it gone */
    index = package_add(&cache->table, hash);
    if (index == PACKAGE_NONE)
        return ST_LIMIT;
    fetch = must_calloc(1, sizeof *fetch);
    fetch->cache = cache;
    fetch->fd = -1;
    fetch->zip_bytes = zip_bytes;
    memcpy(fetch->hash, hash, PACKAGE_HASH_BYTES);
    hex_encode(bytes_of(hash, PACKAGE_HASH_BYTES), fetch->hex);
    fetch->next = cache->fetches;
    cache->fetches = fetch;
    join(fetch, waiter);
    rv = uv_queue_work(cache->loop, &fetch->work, download_cb, downloaded_cb);
    CHECK(rv == 0); /* fails only without a callback */
    return ST_OK;
}
