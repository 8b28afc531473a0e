/* Who takes part and who leads, as the rules of raft_rules.c have it: [9] and [10].
 *
 * Raft changes one member at a time, and is safe then on two conditions: the change before is
 * committed, and so is an entry of the leader's own term (without the second, two leaders that know
 * of different uncommitted changes may each find a majority that does not meet the other's).  Both
 * are kept by rules_change().  It does not wait for all voters to have the change before, as a
 * driver must that lives with libraft's rollback: a dead voter never would, and it is the one that
 * is to be removed.  Instead the rollback is set right, see rules_truncated().
 *
 * What is written into struct raft here are fields of its public header. */
#include <stdio.h>

#include "base/check.h"
#include "controlplane/replica/raft_convert.h"
#include "controlplane/replica/raft_rules_internal.h"

/* ---- the configuration ---- */

unsigned rules_members(const struct rules *rules, struct rules_member *out)
{
    const struct raft_configuration *members = &rules->raft.configuration;

    CHECK(members->n <= NODES_MAX);
    for (unsigned i = 0; i < members->n; i++)
        out[i] =
            (struct rules_member){ members->servers[i].id, members->servers[i].role == RAFT_VOTER };
    return members->n;
}

void rules_committed_configuration(struct rules *rules)
{
    struct raft_configuration members;

    raft_convert_configuration(rules->change_data->bytes, rules->change_data->len, &members);
    CHECK(members.n <= NODES_MAX);
    rules->committed_count = members.n;
    for (unsigned i = 0; i < members.n; i++) {
        rules->committed_ids[i] = members.servers[i].id;
        if (rules->highest_id < members.servers[i].id)
            rules->highest_id = members.servers[i].id;
    }
    raft_configuration_close(&members);
}

bool rules_is_out(const struct rules *rules, uint64_t id, uint64_t *out_highest)
{
    *out_highest = rules->highest_id;
    for (unsigned i = 0; i < rules->committed_count; i++)
        if (rules->committed_ids[i] == id)
            return false;
    return rules->committed_count > 0;
}

static struct raft_server *server_of(const struct rules *rules, uint64_t id)
{
    const struct raft_configuration *members = &rules->raft.configuration;

    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id == id)
            return &members->servers[i];
    return NULL;
}

struct bytes rules_newest_configuration(const struct rules *rules)
{
    const struct snapshot_meta *snapshot = &rules->snapshot;
    struct bytes out = bytes_of(snapshot->configuration, snapshot->configuration_len);

    for (uint64_t i = rules->log.first; i <= memory_log_last(&rules->log); i++) {
        const struct log_entry *entry = memory_log_at(&rules->log, i);

        if (entry->type == LOG_CHANGE && i > snapshot->configuration_index)
            out = bytes_of(entry->data->bytes, entry->data->len);
    }
    return out;
}

/* Index of the newest CHANGE that is not applied; 0: none. */
static uint64_t unapplied_change(const struct rules *rules)
{
    for (uint64_t i = memory_log_last(&rules->log); i > rules->applied; i--) {
        const struct log_entry *entry = memory_log_at(&rules->log, i);

        if (entry != NULL && entry->type == LOG_CHANGE)
            return i;
    }
    return 0;
}

bool rules_change_pending(const struct rules *rules)
{
    return rules->raft.configuration_uncommitted_index != 0 || unapplied_change(rules) != 0;
}

static void take_configuration(struct raft_configuration *configuration,
                               const struct log_data *data)
{
    raft_configuration_close(configuration);
    raft_convert_configuration(data->bytes, data->len, configuration);
}

/* libraft remembers one uncommitted change and the committed one before it, and goes back to the
 * latter when the former is cut off.  A follower that got two changes before it heard that the
 * first is committed (from a leader that restarted, and does not know either) would go back behind
 * both, and count majorities of members that are not any more.  The log knows better. */
void rules_truncated(struct rules *rules, uint64_t first)
{
    struct raft *raft = &rules->raft;
    uint64_t index = unapplied_change(rules);

    if (raft->configuration_uncommitted_index >= first)
        return; /* a change took the place of what was cut off */
    raft->configuration_uncommitted_index = index;
    if (index != 0) {
        take_configuration(&raft->configuration, memory_log_at(&rules->log, index)->data);
    } else if (rules->change_data != NULL) {
        take_configuration(&raft->configuration, rules->change_data);
        take_configuration(&raft->configuration_committed, rules->change_data);
        raft->configuration_committed_index = rules->change_index;
    }
}

/* A voter forgets its leader when it becomes a candidate; one that stands by never does, and would
 * deny its vote for the sake of a leader that is long gone. */
static void forget_silent_leader(struct rules *rules)
{
    struct raft *raft = &rules->raft;

    if (raft->state != RAFT_FOLLOWER || rules->now - rules->heard_leader < raft->election_timeout)
        return;
    raft->follower_state.current_leader.id = 0;
    raft_free(raft->follower_state.current_leader.address);
    raft->follower_state.current_leader.address = NULL;
}

/* libraft denies a vote to whoever asks a node that does not vote by its own log.  But it may lack
 * just the change that promoted it, and the others may need it: with one of them lost for good
 * nobody could be elected any more.  Raft grants votes without looking at who votes: the candidate
 * counts, by the newest configuration of its log. */
int rules_role_for_vote(struct rules *rules)
{
    struct raft_server *self = server_of(rules, rules->raft.id);
    int role = self == NULL ? RAFT_VOTER : self->role;

    if (role == RAFT_VOTER)
        return role;
    self->role = RAFT_VOTER;
    forget_silent_leader(rules);
    return role;
}

void rules_role_back(struct rules *rules, int role)
{
    struct raft_server *self = server_of(rules, rules->raft.id);

    if (self != NULL && self->role == RAFT_VOTER && role != RAFT_VOTER)
        self->role = role;
}

/* libraft gives a pre-vote's own term back, though its candidate would take a higher one for its
 * own.  So whoever has the best log and a low term never learns why it is denied; those of higher
 * terms have worse logs and are denied as well: nobody is elected, for ever. */
void rules_tell_term(const struct rules *rules, struct raft_request_vote_result *result)
{
    if (result->pre_vote && !result->vote_granted && rules->asked_term < rules->term)
        result->term = rules->term;
}

/* ---- changes, [9] ---- */

enum status rules_submit(struct rules *rules,
                         uint64_t now_ms,
                         enum log_entry_type type,
                         struct log_data *data,
                         uint64_t *out_index)
{
    CHECK(type != LOG_CHANGE);
    return rules_submit_any(rules, now_ms, type, data, out_index);
}

static enum status may_change(const struct rules *rules, enum rules_change_kind kind, uint64_t id)
{
    const struct raft_server *server = server_of(rules, id);

    if (!rules_is_leader(rules))
        return ST_NOT_LEADER;
    if (rules_term_at(rules, rules->applied) != rules->term || rules_change_pending(rules) ||
        rules_transferring(rules))
        return ST_CONFLICT;
    if (kind == RULES_ADD && server != NULL)
        return ST_EXISTS;
    if (kind == RULES_ADD)
        return rules->raft.configuration.n < NODES_MAX ? ST_OK : ST_LIMIT;
    if (server == NULL)
        return ST_NOT_FOUND;
    if (kind == RULES_REMOVE)
        return id == rules->raft.id ? ST_DENIED : ST_OK;
    if (server->role == RAFT_VOTER)
        return ST_EXISTS;
    return rules_match(rules, id) == rules_last(rules) ? ST_OK : ST_UNAVAILABLE;
}

/* The order of who stays is kept: libraft finds what it knows of each by its place. */
static struct log_data *changed(const struct rules *rules, enum rules_change_kind kind, uint64_t id)
{
    const struct raft_configuration *members = &rules->raft.configuration;
    struct raft_configuration next;
    struct log_data *data;
    char name[24];
    int rv = 0;

    raft_configuration_init(&next);
    for (unsigned i = 0; i < members->n; i++) {
        const struct raft_server *server = &members->servers[i];

        if (server->id == id && kind == RULES_REMOVE)
            continue;
        rv |= raft_configuration_add(&next, server->id, server->address,
                                     server->id == id ? RAFT_VOTER : server->role);
    }
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)id);
    if (kind == RULES_ADD)
        rv |= raft_configuration_add(&next, id, name, RAFT_STANDBY);
    CHECK(rv == 0);
    data = raft_convert_encode(&next);
    raft_configuration_close(&next);
    return data;
}

enum status rules_change_unchecked(struct rules *rules,
                                   uint64_t now_ms,
                                   enum rules_change_kind kind,
                                   uint64_t id)
{
    struct log_data *data = changed(rules, kind, id);
    uint64_t index;
    enum status st = rules_submit_any(rules, now_ms, LOG_CHANGE, data, &index);

    log_data_drop(data);
    return st;
}

enum status rules_change(struct rules *rules,
                         uint64_t now_ms,
                         enum rules_change_kind kind,
                         uint64_t id)
{
    enum status st = may_change(rules, kind, id);

    return st == ST_OK ? rules_change_unchecked(rules, now_ms, kind, id) : st;
}

/* ---- transfer, [10] ---- */

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
