/* Who takes part and who leads, as the rules of raft_rules.c have it: [10]. */
#include "base/check.h"
#include "controlplane/replica/raft_rules_internal.h"

unsigned rules_voters(const struct rules *rules, uint64_t *out_ids)
{
    const struct raft_configuration *members = &rules->raft.configuration;
    unsigned count = 0;

    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].role == RAFT_VOTER && members->servers[i].id != rules->raft.id)
            out_ids[count++] = members->servers[i].id;
    return count;
}

/* libraft takes a transfer to a node that lags, and then sends TimeoutNow with the next
 * acknowledgement of anything; the target ignores it, since it wants all of the log, and nothing
 * tells of it.  So the wait is ours. */
enum status rules_transfer(struct rules *rules, uint64_t now_ms, uint64_t target)
{
    struct raft_event event = { .type = RAFT_TRANSFER };
    uint64_t ids[NODES_MAX];
    unsigned count = rules_voters(rules, ids);
    bool voter = false;
    int rv;

    if (!rules_is_leader(rules) || rules_transferring(rules))
        return ST_NOT_LEADER;
    for (unsigned i = 0; i < count; i++)
        voter = voter || ids[i] == target;
    if (!voter)
        return ST_NOT_FOUND;
    if (rules_match(rules, target) != rules_last(rules))
        return ST_UNAVAILABLE;
    rules->transfer_term = rules->term;
    event.transfer.server_id = target;
    rv = rules_feed(rules, now_ms, &event);
    if (rv == 0)
        return ST_OK;
    return rv == RAFT_NOTLEADER ? ST_NOT_LEADER : ST_NOT_FOUND;
}

bool rules_transferring(const struct rules *rules)
{
    return raft_transferee(&rules->raft) != 0;
}

bool rules_transfer_sent_in_term(const struct rules *rules)
{
    return rules->transfer_term == rules->term;
}
