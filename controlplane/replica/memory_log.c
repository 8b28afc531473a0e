#include "controlplane/replica/memory_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static struct log_entry *slot(const struct memory_log *log, uint64_t index)
{
    return &log->ring[(log->head + (size_t)(index - log->first)) & (log->capacity - 1)];
}

static void forget(struct memory_log *log, uint64_t index)
{
    struct log_entry *entry = slot(log, index);

    log->bytes -= entry->bytes;
    if (entry->data == NULL)
        return;
    log->held_bytes -= entry->bytes;
    log_data_drop(entry->data);
    entry->data = NULL;
}

void memory_log_reset(struct memory_log *log, uint64_t first)
{
    memory_log_truncate(log, log->first);
    log->first = log->held = first;
    log->head = 0;
    log->largest = 0;
}

void memory_log_done(struct memory_log *log)
{
    memory_log_truncate(log, log->first);
    free(log->ring);
    *log = (struct memory_log){ 0 };
}

uint64_t memory_log_last(const struct memory_log *log)
{
    return log->first + log->count - 1;
}

const struct log_entry *memory_log_at(const struct memory_log *log, uint64_t index)
{
    if (index < log->first || index - log->first >= log->count)
        return NULL;
    return slot(log, index);
}

uint64_t memory_log_term(const struct memory_log *log, uint64_t index)
{
    const struct log_entry *entry = memory_log_at(log, index);

    return entry == NULL ? 0 : entry->term;
}

static void grow(struct memory_log *log)
{
    size_t capacity = log->capacity == 0 ? 64 : log->capacity * 2;
    struct log_entry *ring = must_calloc(capacity, sizeof *ring);

    for (size_t i = 0; i < log->count; i++)
        ring[i] = *slot(log, log->first + i);
    free(log->ring);
    log->ring = ring;
    log->capacity = capacity;
    log->head = 0;
}

void memory_log_append(struct memory_log *log, const struct log_entry *entry)
{
    uint32_t bytes = entry->data != NULL ? entry->data->len : entry->bytes;
    uint64_t index = log->first + log->count;

    CHECK(entry->term > 0);
    CHECK(entry->data != NULL || entry->type != LOG_CHANGE);
    CHECK(entry->data != NULL || log->held == index);
    if (log->count == log->capacity)
        grow(log);
    log->count++;
    *slot(log, index) = (struct log_entry){
        .term = entry->term,
        .type = entry->type,
        .data = entry->data == NULL ? NULL : log_data_share(entry->data),
        .bytes = bytes,
    };
    log->bytes += bytes;
    if (bytes > log->largest)
        log->largest = bytes;
    if (entry->data != NULL)
        log->held_bytes += bytes;
    if (entry->data == NULL || (entry->type == LOG_CHANGE && log->held == index))
        log->held = index + 1;
}

void memory_log_truncate(struct memory_log *log, uint64_t from)
{
    CHECK(from >= log->first);
    CHECK(from <= log->first + log->count);
    while (log->count > 0 && memory_log_last(log) >= from) {
        forget(log, memory_log_last(log));
        log->count--;
    }
    if (log->held > from)
        log->held = from;
}

void memory_log_shift(struct memory_log *log, uint64_t first)
{
    uint32_t gone = 0;

    CHECK(first <= log->first + log->count);
    while (log->first < first) {
        gone = slot(log, log->first)->bytes > gone ? slot(log, log->first)->bytes : gone;
        forget(log, log->first);
        log->head = (log->head + 1) & (log->capacity - 1);
        log->first++;
        log->count--;
    }
    if (log->held < first)
        log->held = first;
    if (gone < log->largest)
        return;
    log->largest = 0; /* that one is gone: find the next */
    for (uint64_t i = log->first; i <= memory_log_last(log); i++)
        if (slot(log, i)->bytes > log->largest)
            log->largest = slot(log, i)->bytes;
}

void memory_log_evict(struct memory_log *log, uint64_t below, uint64_t bytes_max)
{
    CHECK(below <= memory_log_last(log) + 1);
    while (log->held < below && log->held_bytes > bytes_max) {
        struct log_entry *entry = slot(log, log->held++);

        if (entry->type == LOG_CHANGE)
            continue;
        log->held_bytes -= entry->bytes;
        log_data_drop(entry->data);
        entry->data = NULL;
    }
}
