/* The table of cached packages.  Deciding code; a thousand entries are scanned, not indexed. */
#include "worker/packages/package_cache_plan.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

enum {
    COST_US_MAX = 60000000, /* a fetch has no more time */
    USES_MAX = 1 << 20,
    BYTES_MIN = 4096,
    /* What fetching and converting takes, about: to guess by. */
    GUESS_US = 20000,
    GUESS_BYTES_PER_US = 200,
};

/* Nobody has seen it come. */
static uint64_t guess_us(uint64_t bytes)
{
    return GUESS_US + bytes / GUESS_BYTES_PER_US;
}

/* Called at each use.  Below 2^64: 2^20 uses, 2^26 us, 2^16, over 2^12 bytes at least. */
static void appraise(struct package_table *table, struct package_entry *entry)
{
    uint64_t bytes = entry->bytes < BYTES_MIN ? BYTES_MIN : entry->bytes;
    uint64_t cost = entry->cost_us < COST_US_MAX ? entry->cost_us : COST_US_MAX;

    if (entry->uses < USES_MAX)
        entry->uses++;
    entry->worth = table->clock + ((entry->uses * cost) << 16) / bytes;
    entry->last_used = ++table->uses;
}

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
    table->entries[i] = (struct package_entry){ .state = PACKAGE_FETCHING, .users = 1 };
    memcpy(table->entries[i].hash, hash, PACKAGE_HASH_BYTES);
    return i;
}

void package_found(struct package_table *table,
                   const uint8_t hash[PACKAGE_HASH_BYTES],
                   uint64_t bytes)
{
    uint32_t index = package_add(table, hash);
    struct package_entry *entry;

    if (index == PACKAGE_NONE)
        return;
    entry = &table->entries[index];
    entry->state = PACKAGE_FOUND;
    entry->users = 0;
    entry->bytes = bytes;
    entry->cost_us = guess_us(bytes);
    appraise(table, entry);
}

void package_claim(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].state == PACKAGE_FOUND);
    table->entries[index].state = PACKAGE_FETCHING;
    table->entries[index].users = 1;
}

void package_unclaim(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].state == PACKAGE_FETCHING);
    table->entries[index].state = PACKAGE_FOUND;
    table->entries[index].users = 0;
}

void package_hold(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].state == PACKAGE_READY ||
          table->entries[index].state == PACKAGE_FETCHING);
    table->entries[index].users++;
    appraise(table, &table->entries[index]);
}

void package_drop(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].users > 0);
    table->entries[index].users--;
}

void package_arrived(struct package_table *table, uint32_t index, uint64_t bytes, uint64_t cost_us)
{
    struct package_entry *entry = &table->entries[index];

    CHECK(index < table->count);
    CHECK(entry->state == PACKAGE_FETCHING);
    entry->state = PACKAGE_READY;
    entry->bytes = bytes;
    entry->cost_us = cost_us > 0 ? cost_us : guess_us(bytes);
    appraise(table, entry);
}

void package_gone(struct package_table *table, uint32_t index)
{
    CHECK(index < table->count);
    CHECK(table->entries[index].users == 0);
    table->entries[index] = (struct package_entry){ .state = PACKAGE_ABSENT };
    while (table->count > 0 && table->entries[table->count - 1].state == PACKAGE_ABSENT)
        table->count--;
}

static bool can_go(const struct package_entry *entry)
{
    return (entry->state == PACKAGE_READY || entry->state == PACKAGE_FOUND) && entry->users == 0;
}

/* Of two that are worth the same, the one used longest ago goes. */
static bool goes_before(const struct package_entry *a, const struct package_entry *b)
{
    return a->worth != b->worth ? a->worth < b->worth : a->last_used < b->last_used;
}

uint32_t package_evict_one(struct package_table *table, enum package_state *out_before)
{
    uint32_t victim = PACKAGE_NONE;

    for (uint32_t i = 0; i < table->count; i++)
        if (can_go(&table->entries[i]) &&
            (victim == PACKAGE_NONE || goes_before(&table->entries[i], &table->entries[victim])))
            victim = i;
    if (victim == PACKAGE_NONE)
        return PACKAGE_NONE;
    *out_before = table->entries[victim].state;
    table->entries[victim].state = PACKAGE_REMOVING;
    if (table->entries[victim].worth > table->clock)
        table->clock = table->entries[victim].worth;
    return victim;
}

uint32_t package_evict(struct package_table *table, enum package_state *out_before)
{
    uint64_t bytes = 0;
    size_t used = 0;

    for (uint32_t i = 0; i < table->count; i++) {
        const struct package_entry *entry = &table->entries[i];

        used += entry->state != PACKAGE_ABSENT;
        /* What is being removed is as good as gone: it must not push out others. */
        if (entry->state != PACKAGE_REMOVING && entry->state != PACKAGE_ABSENT)
            bytes += entry->bytes;
    }
    if (bytes <= table->bytes_max && used < PACKAGES_MAX)
        return PACKAGE_NONE;
    return package_evict_one(table, out_before);
}

size_t package_newest(const struct package_table *table, uint32_t *out, size_t max)
{
    size_t count = 0;

    /* Insertion into the short list of the newest. */
    for (uint32_t i = 0; i < table->count; i++) {
        size_t at = count;

        if (table->entries[i].state != PACKAGE_READY && table->entries[i].state != PACKAGE_FOUND)
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
