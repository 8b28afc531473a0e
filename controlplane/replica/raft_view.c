/* What is known of a group's consensus, and telling it to followers. */
#include "base/check.h"
#include "controlplane/replica/raft_rules_internal.h"

static bool is_member(const struct rules *rules, uint64_t id)
{
    for (unsigned i = 0; i < rules->raft.configuration.n; i++)
        if (rules->raft.configuration.servers[i].id == id)
            return true;
    return false;
}

void rules_told(struct rules *rules, uint64_t peer, uint64_t commit)
{
    unsigned at = ARRAY_LEN(rules->told);

    for (unsigned i = 0; i < ARRAY_LEN(rules->told); i++) {
        if (rules->told[i].id == peer) {
            at = i;
            break;
        }
        if (at == ARRAY_LEN(rules->told) && !is_member(rules, rules->told[i].id))
            at = i; /* free, or of one that was removed */
    }
    CHECK(at < ARRAY_LEN(rules->told)); /* there are no more members than places */
    if (rules->told[at].id != peer || rules->told[at].commit < commit)
        rules->told[at].commit = commit;
    rules->told[at].id = peer;
}

bool rules_commit_is_news(const struct rules *rules, uint64_t peer, uint64_t *out_told)
{
    uint64_t match;

    *out_told = 0;
    if (!rules_is_leader(rules) || peer == rules->raft.id || !is_member(rules, peer))
        return false;
    match = rules_match(rules, peer);
    if (rules_term_at(rules, match) == 0)
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(rules->told); i++)
        if (rules->told[i].id == peer)
            *out_told = rules->told[i].commit;
    return *out_told < (match < rules->commit ? match : rules->commit);
}

/* libraft sends a new commit index with the next entries or heartbeat only.  An AppendEntries
 * without entries, anchored at what the peer has acknowledged to this leader, is one that libraft
 * might send itself at any time, and the peer checks it as any other. */
void rules_tell_commit(struct rules *rules, uint64_t peer)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES, .server_id = peer };
    uint64_t match;
    uint64_t told;

    if (!rules_commit_is_news(rules, peer, &told))
        return;
    match = rules_match(rules, peer);
    message.append_entries.term = rules->term;
    message.append_entries.prev_log_index = match;
    message.append_entries.prev_log_term = rules_term_at(rules, match);
    message.append_entries.leader_commit = rules->commit;
    rules_told(rules, peer, match < rules->commit ? match : rules->commit);
    rules->host.send(rules->host.context, &message, NULL);
}

bool rules_apply_waits(const struct rules *rules)
{
    return !rules->held && !rules->apply_held && !rules->installing &&
           rules->applied < rules->commit;
}

void rules_hold(struct rules *rules, bool held)
{
    rules->held = held;
}

bool rules_is_leader(const struct rules *rules)
{
    return rules->raft.state == RAFT_LEADER;
}

int rules_state(const struct rules *rules)
{
    return rules->raft.state;
}

uint64_t rules_term(const struct rules *rules)
{
    return rules->term;
}

uint64_t rules_leader(const struct rules *rules)
{
    raft_id id = 0;
    const char *address = NULL;

    raft_leader((struct raft *)&rules->raft, &id, &address);
    return id;
}

uint64_t rules_commit(const struct rules *rules)
{
    return rules->commit;
}

uint64_t rules_applied(const struct rules *rules)
{
    return rules->applied;
}

uint64_t rules_last(const struct rules *rules)
{
    return memory_log_last(&rules->log);
}

uint64_t rules_persisted(const struct rules *rules)
{
    return rules->persisted;
}

uint64_t rules_match(const struct rules *rules, uint64_t peer)
{
    raft_index match = 0;

    if (!rules_is_leader(rules) || raft_match_index(&rules->raft, peer, &match) != 0)
        return 0;
    return match;
}

unsigned rules_all_voters(const struct rules *rules, uint64_t out_ids[NODES_MAX])
{
    const struct raft_configuration *members = &rules->raft.configuration;
    unsigned count = 0;

    for (unsigned i = 0; i < members->n; i++) {
        if (members->servers[i].role != RAFT_VOTER)
            continue;
        CHECK(count < NODES_MAX);
        out_ids[count++] = members->servers[i].id;
    }
    return count;
}

bool rules_installing(const struct rules *rules)
{
    return rules->installing;
}

uint64_t rules_log_bytes(const struct rules *rules)
{
    return rules->log.bytes;
}

uint64_t rules_held_bytes(const struct rules *rules)
{
    return rules->log.held_bytes;
}

const struct snapshot_meta *rules_snapshot(const struct rules *rules)
{
    return &rules->snapshot;
}

uint64_t rules_term_at(const struct rules *rules, uint64_t index)
{
    if (index == 0)
        return 0;
    if (index == rules->snapshot.index)
        return rules->snapshot.term;
    return memory_log_term(&rules->log, index);
}

const struct log_entry *rules_entry_at(const struct rules *rules, uint64_t index)
{
    return memory_log_at(&rules->log, index);
}
