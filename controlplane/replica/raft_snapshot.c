/* Own snapshots, as the rules of raft_rules.c have it: [8]. */
#include <string.h>

#include "base/check.h"
#include "controlplane/replica/raft_rules_internal.h"

bool rules_snapshot_ready(const struct rules *rules, bool again, struct snapshot_meta *out_meta)
{
    if (rules->installing || rules->taking)
        return false;
    if (rules->applied < rules->snapshot.index || rules->applied > rules->persisted ||
        (rules->applied == rules->snapshot.index && !again))
        return false;
    if (rules->change_data == NULL || rules->change_data->len > CONFIGURATION_BYTES_MAX)
        return false;
    *out_meta = (struct snapshot_meta){
        .index = rules->applied,
        .term = rules_term_at(rules, rules->applied),
        .configuration_index = rules->change_index,
        .configuration_len = rules->change_data->len,
    };
    memcpy(out_meta->configuration, rules->change_data->bytes, rules->change_data->len);
    CHECK(out_meta->term > 0);
    return true;
}

void rules_snapshot_written(struct rules *rules,
                            const struct snapshot_meta *meta,
                            uint64_t trailing_bytes)
{
    uint64_t first = meta->index + 1;
    uint64_t floor = rules->log.first > rules->drop_below ? rules->log.first : rules->drop_below;
    uint64_t kept = 0;
    struct disk_op *op;

    if (rules->installing || rules->taking || meta->index < rules->snapshot.index)
        return; /* overtaken by an install; the next one will do */
    CHECK(meta->index <= rules->applied);
    while (first > floor) {
        kept += memory_log_at(&rules->log, first - 1)->bytes;
        if (kept > trailing_bytes)
            break;
        first--;
    }
    rules->taking = true;
    op = rules_op_new(rules, DISK_TAKE);
    op->snapshot = *meta;
    op->first = first;
    rules->host.disk(rules->host.context, op);
}
