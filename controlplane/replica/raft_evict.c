/* The log in bounded memory: the data of entries that are durable leaves it above a limit and is
 * read back where a peer lags, or where entries are applied after a start.  And entries that a
 * snapshot stands for leave the disk, piece by piece, since one transaction over all of them would
 * hold up votes and appends.  Nothing here decides about consensus. */
#include <stdlib.h>

#include "base/check.h"
#include "controlplane/replica/raft_rules_internal.h"

void rules_window_clear(struct rules *rules)
{
    for (unsigned i = 0; i < rules->window.count; i++)
        log_data_drop(rules->window.entries[i].data);
    rules->window.count = 0;
}

/* Evicted entries from `index` on: as many as a read may bring.  A CHANGE behind them counts as
 * evicted (it never is), though it may not be durable yet. */
static unsigned window_reach(const struct rules *rules, uint64_t index)
{
    uint64_t end = rules->log.held < rules->persisted + 1 ? rules->log.held : rules->persisted + 1;
    uint64_t bytes = memory_log_at(&rules->log, index)->bytes;
    unsigned count = 1;

    while (count < READ_BACK_ENTRIES_MAX && index + count < end) {
        bytes += memory_log_at(&rules->log, index + count)->bytes;
        if (bytes > READ_BACK_BYTES_MAX)
            break;
        count++;
    }
    return count;
}

static void window_load(struct rules *rules, uint64_t index)
{
    unsigned count = window_reach(rules, index);

    rules_window_clear(rules);
    CHECK(index + count <= rules->persisted + 1); /* only what is durable was evicted */
    rules->host.read(rules->host.context, index, count, rules->window.entries);
    rules->window.first = index;
    rules->window.count = count;
}

const struct log_entry *rules_entry_whole(struct rules *rules, uint64_t index)
{
    const struct log_entry *entry = memory_log_at(&rules->log, index);
    const struct log_entry *read;

    CHECK(entry != NULL); /* [11] */
    if (entry->data != NULL)
        return entry;
    if (index < rules->window.first || index - rules->window.first >= rules->window.count)
        window_load(rules, index);
    read = &rules->window.entries[index - rules->window.first];
    CHECK(read->term == entry->term); /* [11] the disk has another log than we think */
    CHECK(read->type == entry->type);
    CHECK(read->data->len == entry->bytes);
    return read;
}

struct log_entry *rules_gather(struct rules *rules, uint64_t first, unsigned count)
{
    struct log_entry *out = count == 0 ? NULL : must_calloc(count, sizeof *out);

    for (unsigned i = 0; i < count; i++) {
        out[i] = *rules_entry_whole(rules, first + i);
        log_data_share(out[i].data);
    }
    return out;
}

void rules_give_back(struct log_entry *entries, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        log_data_drop(entries[i].data);
    free(entries);
}

void rules_evict(struct rules *rules)
{
    memory_log_evict(&rules->log, rules->persisted + 1, rules->memory_bytes);
}

/* What is read for one message is read on the loop: it must be no more than a read may bring. */
unsigned rules_inflight_max(const struct rules *rules, unsigned usual)
{
    unsigned fit;

    if (rules->log.held == rules->log.first || rules->log.largest == 0)
        return usual;
    fit = READ_BACK_BYTES_MAX / rules->log.largest;
    if (fit < 2) /* one on its way while the other is made durable */
        return 2;
    return fit < usual ? fit : usual;
}

/* The memory forgets them first, so that nobody asks the disk for what goes. */
void rules_drop_more(struct rules *rules)
{
    uint64_t first = rules->log.first;
    uint64_t bytes = 0;
    struct disk_op *op;

    if (rules->dropping || rules->installing || first >= rules->drop_below)
        return;
    while (first < rules->drop_below && bytes < DROP_BYTES_MAX)
        bytes += memory_log_at(&rules->log, first++)->bytes;
    if (rules->window.first < first)
        rules_window_clear(rules);
    memory_log_shift(&rules->log, first);
    rules->dropping = true;
    op = rules_op_new(rules, DISK_DROP);
    op->first = first;
    rules->host.disk(rules->host.context, op);
}
