/* The package cache: the driver of package_cache_plan.  Loop thread; fetches are package_fetch's.
 */
#include "worker/packages/package_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "worker/packages/package_fetch.h"

/* At once; the others wait for their turn.  Below the spawner's converters, of which a removal and
 * the last steps of former fetches take some. */
enum { FETCHES_MAX = 3 };

/* One package being removed. */
struct removal {
    struct package_cache *cache;
    uint8_t hash[PACKAGE_HASH_BYTES];
    char hex[PACKAGE_HEX_BYTES];
};

struct package_cache {
    uv_loop_t *loop;
    struct package_settings settings;
    bool is_listed;        /* what is here of a former run is known */
    bool images;           /* packages are images here */
    bool disk_full;        /* a package found no room, so one more must go than the bound says */
    struct fetch *fetches; /* newest first */
    bool is_beginning;
    unsigned running; /* of them, those that have begun and are not told */
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
                        uint64_t *out_unzipped_bytes)
{
    uint32_t index = package_find(&cache->table, hash);

    if (index == PACKAGE_NONE || cache->table.entries[index].state != PACKAGE_READY)
        return false;
    package_hold(&cache->table, index);
    *out_unzipped_bytes = cache->table.entries[index].unzipped_bytes;
    return true;
}

void package_cache_drop(struct package_cache *cache, const uint8_t hash[PACKAGE_HASH_BYTES])
{
    uint32_t index = package_find(&cache->table, hash);

    CHECK(index != PACKAGE_NONE);
    package_drop(&cache->table, index);
    evict(cache);
}

/* ---- removal ---- */

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
    enum package_state before = PACKAGE_ABSENT;
    uint32_t index = cache->disk_full ? package_evict_one(&cache->table, &before)
                                      : package_evict(&cache->table, &before);
    struct package_question question = { .ask = PACKAGE_ASK_REMOVE, .fd = -1, .done = removed };
    const struct package_spawner *spawner = &cache->settings.spawner;
    struct removal *removal;
    struct err err;

    cache->disk_full = false;
    if (index == PACKAGE_NONE)
        return;
    removal = must_calloc(1, sizeof *removal);
    removal->cache = cache;
    memcpy(removal->hash, cache->table.entries[index].hash, PACKAGE_HASH_BYTES);
    hex_encode(bytes_of(removal->hash, PACKAGE_HASH_BYTES), removal->hex);
    question.hex = removal->hex;
    question.context = removal;
    if (spawner->ask(spawner->self, &question, &err) == ST_OK)
        return;
    /* The spawner is busy: the package stays, and the next change tries again. */
    cache->table.entries[index].state = before;
    free(removal);
}

/* ---- fetches ---- */

static void tell(struct package_waiter **waiters, const struct package_result *result)
{
    struct package_waiter *waiter = *waiters;

    *waiters = NULL;
    while (waiter != NULL) {
        struct package_waiter *next = waiter->next;

        waiter->done(waiter, result);
        waiter = next;
    }
}

static uint64_t cost_us(const struct fetch *fetch)
{
    return fetch->is_former ? 0 : (uv_hrtime() - fetch->started_ns) / 1000 + 1;
}

/* The oldest that waits for its turn. */
static struct fetch *next_of(const struct package_cache *cache)
{
    struct fetch *next = NULL;

    for (struct fetch *fetch = cache->fetches; fetch != NULL; fetch = fetch->next)
        if (fetch->state == FETCH_START)
            next = fetch;
    return next;
}

static void begin(struct package_cache *cache)
{
    struct fetch *fetch;

    if (cache->is_beginning) /* one failed at once: the loop below goes on with the next */
        return;
    cache->is_beginning = true;
    while (cache->is_listed && cache->running < FETCHES_MAX && (fetch = next_of(cache)) != NULL) {
        cache->running++;
        fetch_begin(fetch);
    }
    cache->is_beginning = false;
}

/* Off the list, so that who is told of a failure may ask again. */
static void unlist(struct fetch *fetch)
{
    struct package_cache *cache = fetch->context;
    struct fetch **at;

    for (at = &cache->fetches; *at != fetch; at = &(*at)->next)
        CHECK(*at != NULL);
    *at = fetch->next;
}

static void failed(struct fetch *fetch, uint32_t index)
{
    struct package_cache *cache = fetch->context;
    const struct package_result *result = &fetch->result;

    unlist(fetch);
    cache->table.entries[index].users = 0;
    if (fetch->is_left)
        package_unclaim(&cache->table, index);
    else
        package_gone(&cache->table, index);
    cache->disk_full = result->status == ST_IO;
    log_event(LOG_WARN, "package_not_fetched", LS("package", fetch->hex),
              LS("status", status_name(result->status)), LS("error", result->text));
    tell(&fetch->until_stored, result);
}

/* The package is here, or it is not.  Those who wait for the image to be stored hold it as well. */
static void told(struct fetch *fetch)
{
    struct package_cache *cache = fetch->context;
    const struct package_result *result = &fetch->result;
    uint32_t index = package_find(&cache->table, fetch->hash);

    CHECK(index != PACKAGE_NONE);
    cache->running--;
    if (result->status == ST_OK) {
        package_arrived(&cache->table, index, result->disk_bytes, cost_us(fetch));
        cache->table.entries[index].unzipped_bytes = result->unzipped_bytes;
        package_hold(&cache->table, index); /* until it has ended */
    } else {
        failed(fetch, index);
    }
    tell(&fetch->waiters, result);
    begin(cache);
}

static void ended(struct fetch *fetch)
{
    struct package_cache *cache = fetch->context;

    if (fetch->result.status == ST_OK) {
        unlist(fetch);
        tell(&fetch->until_stored, &fetch->result);
        package_drop(&cache->table, package_find(&cache->table, fetch->hash));
    }
    fetch_free(fetch);
    evict(cache);
}

static void join(struct fetch *fetch, struct package_waiter *waiter)
{
    struct package_waiter **list = waiter->until_stored ? &fetch->until_stored : &fetch->waiters;

    waiter->next = *list;
    *list = waiter;
}

static struct fetch *fetch_new(struct package_cache *cache,
                               const uint8_t hash[PACKAGE_HASH_BYTES],
                               uint64_t zip_bytes)
{
    struct fetch *fetch = must_calloc(1, sizeof *fetch);

    fetch->settings = &cache->settings;
    fetch->loop = cache->loop;
    fetch->fd = fetch->image_fds[0] = fetch->image_fds[1] = -1;
    fetch->zip_bytes = zip_bytes;
    fetch->told = told;
    fetch->ended = ended;
    fetch->context = cache;
    memcpy(fetch->hash, hash, PACKAGE_HASH_BYTES);
    hex_encode(bytes_of(hash, PACKAGE_HASH_BYTES), fetch->hex);
    fetch->next = cache->fetches;
    cache->fetches = fetch;
    return fetch;
}

static enum fetch_event how_to_begin(const struct package_cache *cache, uint64_t zip_bytes)
{
    return cache->images && fetch_image_pays(zip_bytes) ? FETCH_BY_IMAGE : FETCH_BY_ZIP;
}

enum status package_cache_fetch(struct package_cache *cache,
                                const uint8_t hash[PACKAGE_HASH_BYTES],
                                uint64_t zip_bytes,
                                struct package_waiter *waiter)
{
    struct fetch *fetch = cache->fetches;
    uint32_t index = package_find(&cache->table, hash);
    enum fetch_event event = how_to_begin(cache, zip_bytes);

    while (fetch != NULL && memcmp(fetch->hash, hash, PACKAGE_HASH_BYTES) != 0)
        fetch = fetch->next;
    if (fetch != NULL) {
        package_hold(&cache->table, index);
        join(fetch, waiter);
        return ST_OK;
    }
    if (index != PACKAGE_NONE && cache->table.entries[index].state == PACKAGE_FOUND) {
        package_claim(&cache->table, index);
        event = FETCH_FOUND;
    } else if (index != PACKAGE_NONE) {
        return ST_LIMIT; /* being removed at this moment: the next try finds it gone */
    } else if (package_add(&cache->table, hash) == PACKAGE_NONE) {
        return ST_LIMIT;
    }
    fetch = fetch_new(cache, hash, zip_bytes);
    fetch->event = event;
    join(fetch, waiter);
    begin(cache);
    return ST_OK;
}

/* ---- start ---- */

static bool is_here(const struct package_result *result, const uint8_t hash[PACKAGE_HASH_BYTES])
{
    for (size_t i = 0; i < result->here_count; i++)
        if (memcmp(result->here[i].hash, hash, PACKAGE_HASH_BYTES) == 0)
            return true;
    return false;
}

static void listed(void *context, const struct package_result *result)
{
    struct package_cache *cache = context;

    if (result->status != ST_OK)
        log_event(LOG_WARN, "packages_not_swept", LS("error", result->text),
                  LS("then", "what a former run left stays until the next start"));
    cache->is_listed = true;
    cache->images = result->images;
    for (size_t i = 0; i < result->here_count; i++)
        if (package_find(&cache->table, result->here[i].hash) == PACKAGE_NONE)
            package_found(&cache->table, result->here[i].hash, result->here[i].bytes);
    /* Those that were asked for meanwhile have waited for this. */
    for (struct fetch *fetch = cache->fetches; fetch != NULL; fetch = fetch->next)
        fetch->event =
            is_here(result, fetch->hash) ? FETCH_FOUND : how_to_begin(cache, fetch->zip_bytes);
    begin(cache);
    evict(cache);
}

enum status package_cache_start(struct package_cache *cache, struct err *err)
{
    const struct package_spawner *spawner = &cache->settings.spawner;
    struct package_question question = {
        .ask = PACKAGE_ASK_LIST, .hex = "", .fd = -1, .done = listed, .context = cache
    };

    return spawner->ask(spawner->self, &question, err);
}
