/* Pools of equal objects, free ones chained through their first word.  One thread a pool. */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct free_object {
    struct free_object *next;
};

struct pool {
    size_t bytes;
    size_t count_max;
    size_t out;
    struct free_object *first;
};

struct pool *pool_new(size_t bytes, size_t count_max)
{
    struct pool *pool = must_calloc(1, sizeof *pool);

    CHECK(count_max > 0);
    pool->bytes = bytes < sizeof(struct free_object) ? sizeof(struct free_object) : bytes;
    pool->count_max = count_max;
    return pool;
}

void *pool_take(struct pool *pool)
{
    struct free_object *object = pool->first;

    if (pool->out == pool->count_max)
        return NULL;
    pool->out++;
    if (object == NULL)
        return must_calloc(1, pool->bytes);
    pool->first = object->next;
    memset(object, 0, pool->bytes);
    return object;
}

void pool_give(struct pool *pool, void *object)
{
    struct free_object *entry = object;

    if (object == NULL)
        return;
    CHECK(pool->out > 0);
    pool->out--;
    entry->next = pool->first;
    pool->first = entry;
}

size_t pool_out(const struct pool *pool)
{
    return pool->out;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    CHECK(pool->out == 0);
    while (pool->first != NULL) {
        struct free_object *object = pool->first;

        pool->first = object->next;
        free(object);
    }
    free(pool);
}
