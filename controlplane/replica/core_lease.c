/* The lease's times on the wire, and whether it holds; why it may be trusted: lease_rules.h.
 *
 *   leader                                  follower
 *   AppendEntries{sent_ms: its clock}  -->  heard = (term, leader, sent_ms); timer starts anew
 *   lease_echo()                       <--  AppendEntriesResult{echo_ms: heard.sent_ms} */
#include "base/check.h"
#include "controlplane/replica/core_internal.h"

/* Before the message is fed, so that the results that it causes carry its time already. */
void core_lease_heard(struct core *core, uint64_t peer, const struct wire_message *message)
{
    uint64_t term = message->raft.append_entries.term;

    if (term < rules_term(core->rules))
        return; /* refused: no timer restarts */
    if (core->heard.term != term || core->heard.leader != peer) {
        core->heard.term = term;
        core->heard.leader = peer;
        core->heard.sent_ms = 0;
    }
    if (core->heard.sent_ms < message->sent_ms)
        core->heard.sent_ms = message->sent_ms;
}

uint64_t core_lease_echo(const struct core *core, const struct raft_message *result)
{
    if (core->heard.term != result->append_entries_result.term ||
        core->heard.leader != result->server_id)
        return 0;
    return core->heard.sent_ms;
}

/* A result of our own term: later ones end the term, older ones gave back another term's time. */
void core_lease_echoed(struct core *core, uint64_t peer, const struct wire_message *message)
{
    if (!rules_is_leader(core->rules) ||
        message->raft.append_entries_result.term != core->lease.term)
        return;
    CHECK(core->lease.term == rules_term(core->rules));
    lease_echo(&core->lease, peer, message->echo_ms, core->now);
}

/* News of a commit gets out by a message or an answer, and so does a vote that ends the lease:
 * before it does, nobody can have seen more than is applied here now. */
uint64_t core_reads_until_ms(const struct core *core)
{
    if (rules_installing(core->rules) || rules_applied(core->rules) < rules_commit(core->rules))
        return 0;
    return core_lease_until(core);
}

/* `leading` says that an entry of our term is applied, and so is all that was committed before it;
 * what is committed since is known here first. */
uint64_t core_lease_until(const struct core *core)
{
    uint64_t voters[NODES_MAX];
    unsigned count;

    if (!core->config.leader_lease || !core->leading || !rules_is_leader(core->rules) ||
        rules_transfer_sent_in_term(core->rules))
        return 0;
    CHECK(core->lease.term == rules_term(core->rules));
    count = rules_all_voters(core->rules, voters);
    return lease_until_ms(&core->lease, core->config.self_id, voters, count, core->now,
                          core->config.election_ms);
}
