/* See function_cache.h.  One place a hash: a later function takes it from the one before. */
#include "controlplane/api/lambda/function_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct place {
    struct function_row *row; /* held, or NULL */
    uint64_t changes;
};

struct function_cache {
    struct place places[FUNCTION_CACHE_ROWS];
};

struct function_cache *function_cache_new(void)
{
    return must_calloc(1, sizeof(struct function_cache));
}

void function_cache_free(struct function_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < FUNCTION_CACHE_ROWS; i++)
        function_row_drop(cache->places[i].row);
    free(cache);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 1099511628211u; /* FNV-1a */
    return hash * 31;
}

static struct place *place_of(struct function_cache *cache,
                              const char *account,
                              const char *region,
                              const char *name,
                              uint64_t version)
{
    uint64_t hash = hash_text(hash_text(hash_text(14695981039346656037u, account), region), name);

    hash = (hash ^ version) * 1099511628211u;
    return &cache->places[(hash >> 32) % FUNCTION_CACHE_ROWS];
}

struct function_row *function_cache_find(struct function_cache *cache,
                                         const char *account,
                                         const char *region,
                                         const char *name,
                                         uint64_t version,
                                         uint64_t changes)
{
    struct place *place = place_of(cache, account, region, name, version);
    struct function_row *row = place->row;

    if (row == NULL || place->changes != changes || row->function->version != version)
        return NULL;
    if (strcmp(row->function->name, name) != 0 || strcmp(row->function->region, region) != 0 ||
        strcmp(row->function->account, account) != 0)
        return NULL;
    row->holders++;
    return row;
}

struct function_row *function_cache_add(struct function_cache *cache,
                                        Lapwing__Function *function,
                                        uint64_t changes)
{
    struct place *place =
        place_of(cache, function->account, function->region, function->name, function->version);
    struct function_row *row = must_calloc(1, sizeof *row);

    row->function = function;
    row->holders = 2; /* the cache and the caller */
    function_row_drop(place->row);
    *place = (struct place){ row, changes };
    return row;
}

void function_row_drop(struct function_row *row)
{
    if (row == NULL)
        return;
    CHECK(row->holders > 0);
    if (--row->holders > 0)
        return;
    lapwing__function__free_unpacked(row->function, NULL);
    free(row);
}
