/* The table of cached packages.  Deciding code; a thousand entries are scanned, not indexed. */
#include "worker/packages/package_cache_plan.h"

#include <string.h>

#include "base/check.h"

uint32_t package_find(const struct package_table *table, const uint8_t hash[PACKAGE_HASH_BYTES])
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct package_entry *entry = &table->entries[i];

        if (entry->state != PACKAGE_ABSENT && memcmp(entry->hash, hash, PACKAGE_HASH_BYTES) == 0)
            return i;
    }
    return PACKAGE_NONE;
}

uint32_t package_add(struct package_table *table, const uint8_t hash[PACKAGE_HASH_BYTES])
{
    uint32_t i = 0;

    CHECK(table->count <= PACKAGES_MAX);
    CHECK(package_find(table, hash) == PACKAGE_NONE);
    while (i < table->count && table->entries[i].state != PACKAGE_ABSENT)
        i++;
    if (i == PACKAGES_MAX)
        return PACKAGE_NONE;
    if (i == table->count)
        table->count++;
    table->entries[i] =
        (struct package_entry){ .state = PACKAGE_FETCHING, .users = 1, .last_used = ++table->uses };
    memcpy(table->entries[i].hash, hash, PACKAGE_HASH_BYTES);
    return i;
}

void package_hold(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].state == PACKAGE_READY ||
          table->entries[index].state == PACKAGE_FETCHING);
    table->entries[index].users++;
    table->entries[index].last_used = ++table->uses;
}

void package_drop(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].users > 0);
    table->entries[index].users--;
}

void package_arrived(struct package_table *table, uint32_t index, uint64_t bytes)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].state == PACKAGE_FETCHING);
    table->entries[index].state = PACKAGE_READY;
    table->entries[index].bytes = bytes;
}

void package_gone(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].users == 0);
    table->entries[index] = (struct package_entry){ .state = PACKAGE_ABSENT };
    while (table->count > 0 && table->entries[table->count - 1].state == PACKAGE_ABSENT)
        table->count--;
}

uint32_t package_evict(struct package_table *table)
{
    uint32_t victim = PACKAGE_NONE;
    uint64_t bytes = 0;
    size_t used = 0;

    for (uint32_t i = 0; i < table->count; i++) {
        const struct package_entry *entry = &table->entries[i];

        if (entry->state == PACKAGE_ABSENT)
            continue;
        used++;
        /* What is being removed is as good as gone: it must not push out others. */
        if (entry->state != PACKAGE_REMOVING)
            bytes += entry->bytes;
        if (entry->state != PACKAGE_READY || entry->users > 0)
            continue;
        if (victim == PACKAGE_NONE || entry->last_used < table->entries[victim].last_used)
            victim = i;
    }
    if (victim == PACKAGE_NONE || (bytes <= table->bytes_max && used < PACKAGES_MAX))
        return PACKAGE_NONE;
    table->entries[victim].state = PACKAGE_REMOVING;
    return victim;
}

size_t package_newest(const struct package_table *table, uint32_t *out, size_t max)
{
    size_t count = 0;

    /* Insertion into the short list of the newest. */
    for (uint32_t i = 0; i < table->count; i++) {
        size_t at = count;

        if (table->entries[i].state != PACKAGE_READY)
            continue;
        while (at > 0 && table->entries[out[at - 1]].last_used < table->entries[i].last_used)
            at--;
        if (at == max)
            continue;
        if (count < max)
            count++;
        memmove(&out[at + 1], &out[at], (count - 1 - at) * sizeof *out);
        out[at] = i;
    }
    return count;
}
