#include "controlplane/replica/core_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/state.h"
#include "proto/entry.h"
#include "proto/raft.pb-c.h"

struct peer *core_peer(struct core *core, uint64_t id)
{
    for (unsigned i = 0; i < core->peer_count; i++)
        if (core->peers[i].id == id)
            return &core->peers[i];
    return NULL;
}

void core_scan_at(struct core *core, uint64_t at_ms)
{
    if (core->next_scan == 0 || at_ms < core->next_scan)
        core->next_scan = at_ms;
}

void core_wait_scan(struct core *core)
{
    core_scan_at(core, core->now + CORE_SCAN_MS);
}

/* ---- what raft_rules asks for ---- */

static void host_set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    struct core *core = context;

    core->io.set_vote(core->io.context, term, voted_for);
}

static void host_disk(void *context, struct disk_op *op)
{
    struct core *core = context;

    if (op->kind == DISK_INSTALL)
        core->part.index = 0; /* the host owns the received file from here */
    core->io.disk(core->io.context, op);
}

static void send_message(struct core *core,
                         const struct raft_message *message,
                         const struct log_entry *entries)
{
    struct buf body = { 0 };

    if (message->type == RAFT_APPEND_ENTRIES)
        wire_encode_append(message, entries, core->now, &body);
    else if (message->type == RAFT_APPEND_ENTRIES_RESULT)
        wire_encode_append_result(message, core_lease_echo(core, message), &body);
    else
        wire_encode(message, entries, NULL, &body);
    core->io.send(core->io.context, message->server_id, LAPWING__RAFT_FRAME__RAFT_MESSAGE,
                  buf_view(&body));
    buf_done(&body);
}

/* libraft bounds an AppendEntries by a number of entries, a frame is bounded by bytes: one message
 * goes as several, each anchored at the end of the one before. */
static void send_append(struct core *core,
                        const struct raft_message *message,
                        const struct log_entry *entries)
{
    struct raft_message part = *message;
    struct raft_append_entries *args = &part.append_entries;
    unsigned count = args->n_entries;
    unsigned from = 0;

    do {
        size_t bytes = 0;
        unsigned to = from;

        while (to < count && (to == from || bytes + entries[to].data->len < CORE_MESSAGE_BYTES_MAX))
            bytes += entries[to++].data->len;
        args->n_entries = to - from;
        send_message(core, &part, entries == NULL ? NULL : entries + from);
        if (to > from) {
            args->prev_log_index += to - from;
            args->prev_log_term = entries[to - 1].term;
        }
        from = to;
    } while (from < count);
}

static void host_send(void *context,
                      const struct raft_message *message,
                      const struct log_entry *entries)
{
    struct core *core = context;

    if (message->type == RAFT_INSTALL_SNAPSHOT)
        snapshot_offer(core, message);
    else if (message->type == RAFT_APPEND_ENTRIES)
        send_append(core, message, entries);
    else
        send_message(core, message, NULL);
}

static void on_outcome(void *context,
                       size_t at,
                       const Lapwing__Command *command,
                       const Lapwing__Outcome *outcome)
{
    (void)at;
    commit_outcome(context, command, outcome);
}

static void note_applied(struct core *core, uint64_t index)
{
    for (unsigned i = 0; i < core->in_flight_count; i++) {
        if (core->in_flight[i] > index)
            continue;
        core->in_flight[i] = core->in_flight[--core->in_flight_count];
        i--;
    }
}

/* Rows that are rotten are not the next start's; the disk that made them so is not to be led by. */
_Noreturn static void rows_failed(struct core *core, enum status st, const struct err *err)
{
    if (st == ST_CORRUPT)
        core->io.state_failed(core->io.context, err);
    if (st == ST_IO || st == ST_CORRUPT)
        core->io.disk_failed(core->io.context, err);
    /* What was committed can not be skipped: going on would make replicas differ. */
    check_failed(__FILE__, __LINE__, err->text);
}

static bool host_apply(void *context, uint64_t index, const struct log_entry *entry)
{
    struct core *core = context;
    struct state_position position = { .index = index, .term = entry->term };
    Lapwing__Entry *decoded = NULL;
    struct err err = { 0 };
    enum status st = ST_OK;
    uint64_t began_us;

    if (entry->data == NULL) { /* the state has it since before this start */
        note_applied(core, index);
        snapshot_need_add(&core->since_snapshot, entry->bytes, 0);
        return true;
    }
    began_us = core->io.work_us(core->io.context);
    if (entry->type == LOG_COMMAND)
        st = entry_decode(bytes_of(entry->data->bytes, entry->data->len), &decoded, &err);
    if (st != ST_OK)
        check_failed(__FILE__, __LINE__, err.text);
    /* Elsewhere than where its callers are, an entry's outcomes are for nobody. */
    st = state_apply_entry(core->state, decoded, position,
                           core->proposal_count > 0 ? on_outcome : NULL, core, &err);
    entry_free(decoded);
    if (st == ST_NO_SPACE) {
        disk_apply_held(core);
        return false;
    }
    if (st != ST_OK)
        rows_failed(core, st, &err);
    note_applied(core, index);
    snapshot_need_add(&core->since_snapshot, entry->data->len,
                      core->io.work_us(core->io.context) - began_us);
    return true;
}

static void host_read(void *context, uint64_t first, unsigned count, struct log_entry *out)
{
    struct core *core = context;

    core->io.log_read(core->io.context, first, count, out);
}

/* ---- life ---- */

struct core *core_new(const struct core_config *config,
                      const struct core_io *io,
                      struct state *state)
{
    struct core *core = must_calloc(1, sizeof *core);
    struct rules_host host = { .set_vote = host_set_vote,
                               .disk = host_disk,
                               .send = host_send,
                               .apply = host_apply,
                               .read = host_read,
                               .context = core };
    struct rules_config rules = {
        .id = config->self_id,
        .election_ms = config->election_ms,
        .heartbeat_ms = config->heartbeat_ms,
        .install_ms = 4 * config->election_ms,
        .random_seed = config->random_seed,
        .now_ms = config->now_ms,
        .votes_from_ms =
            config->fresh ? 0 : lease_votes_from_ms(config->now_ms, config->election_ms),
        .term = config->term,
        .voted_for = config->voted_for,
        .snapshot = config->snapshot,
        .first = config->first,
        .entries = config->entries,
        .count = config->entry_count,
        .memory_bytes = config->log_memory_bytes ? config->log_memory_bytes : CORE_LOG_MEMORY_BYTES,
    };
    uint64_t state_term;
    char address[24];

    core->config = *config;
    core->config.snapshot = NULL;
    core->config.entries = NULL;
    if (core->config.chunk_bytes == 0)
        core->config.chunk_bytes = CORE_CHUNK_BYTES;
    core->config.snapshots = snapshot_policy_of(&config->snapshots);
    core->config.snapshots.late_percent = snapshot_late_percent((unsigned)(config->self_id - 1));
    if (core->config.apply_bytes == 0)
        core->config.apply_bytes = CORE_APPLY_BYTES;
    CHECK(core->config.chunk_bytes <= CORE_CHUNK_BYTES);
    core->io = *io;
    if (config->known != NULL) {
        core->known = *config->known;
        (void)snprintf(core->address, sizeof core->address, "%s", config->address);
    }
    core->config.known = NULL;
    core->config.address = NULL;
    core->part = config->part;
    core->state = state;
    core->now = config->now_ms;
    core->queue_end = &core->queue;
    core->barriers_end = &core->barriers;
    core_set_peers(core, core->now, config->peer_ids, config->peer_count);
    (void)snprintf(address, sizeof address, "%llu", (unsigned long long)config->self_id);
    rules.address = address;
    state_applied(state, &rules.state_index, &state_term);
    core->rules = rules_new(&rules, &host);
    core_flush(core, core->now);
    return core;
}

void core_free(struct core *core)
{
    if (core == NULL)
        return;
    commit_done(core);
    barrier_done(core);
    transfer_done(core);
    rules_free(core->rules);
    free(core);
}

/* ---- turns ---- */

/* After every call into the rules: notice what changed under us. */
static void turn_end(struct core *core)
{
    uint64_t term = rules_term(core->rules);
    uint64_t leader = rules_leader(core->rules);
    bool changed = term != core->seen_term || leader != core->seen_leader;
    bool leading;

    if (changed) {
        core->seen_term = term;
        core->seen_leader = leader;
        core->in_flight_count = 0;
        core->leading = false;
        tell_forget(core);
        commit_drop_queue(core);
    }
    /* Commands wait until an entry of our own term is applied: then so is everything older, the
     * state knows the newest stamped time, and ours cannot go back behind it. */
    lease_term(&core->lease, term);
    leading = rules_is_leader(core->rules) &&
              rules_term_at(core->rules, rules_applied(core->rules)) == term;
    if (leading && !core->leading)
        core->leader_ms = state_leader_ms(core->state);
    core->leading = leading;
    if (core->seen_installing && !rules_installing(core->rules)) {
        core->since_snapshot = (struct snapshot_need){ 0 };
        commit_after_install(core);
    }
    core->seen_installing = rules_installing(core->rules);
    barrier_applied(core);
    if (changed) {
        commit_scan(core, true);
        barrier_scan(core, true);
    }
}

static void advance(struct core *core, uint64_t now_ms)
{
    if (now_ms > core->now)
        core->now = now_ms;
}

void core_flush(struct core *core, uint64_t now_ms)
{
    advance(core, now_ms);
    rules_apply_more(core->rules, core->config.apply_bytes);
    turn_end(core);
    disk_turn(core);
    transfer_step(core);
    members_step(core);
    barrier_by_lease(core);
    commit_flush(core);
    barrier_scan(core, false);
    tell_turn(core);
    snapshot_maybe_take(core);
}

void core_tick(struct core *core, uint64_t now_ms)
{
    uint64_t until;

    advance(core, now_ms);
    if (core->now >= rules_timeout_ms(core->rules) && !disk_withholds_tick(core, &until) &&
        !core_is_silent(core))
        rules_tick(core->rules, core->now);
    turn_end(core);
    if (core->next_scan != 0 && core->now >= core->next_scan) {
        core->next_scan = 0;
        commit_scan(core, false);
        barrier_scan(core, false);
        snapshot_scan(core);
        transfer_step(core);
        disk_scan(core);
        members_step(core);
    }
}

uint64_t core_applied(const struct core *core)
{
    return rules_applied(core->rules);
}

bool core_installing(const struct core *core)
{
    return rules_installing(core->rules);
}

uint64_t core_timeout_ms(const struct core *core)
{
    uint64_t at = rules_timeout_ms(core->rules);
    uint64_t until;

    if (rules_apply_waits(core->rules))
        return core->now;
    if (disk_withholds_tick(core, &until) && until > at)
        at = until;
    if (core_is_silent(core)) /* libraft's time does not go on */
        at = core->now + core->config.election_ms;
    if (core->next_scan != 0 && core->next_scan < at)
        at = core->next_scan;
    if (core->tell_at != 0 && core->tell_at < at)
        at = core->tell_at;
    return at;
}

void core_disk_done(struct core *core, uint64_t now_ms, struct disk_op *op)
{
    advance(core, now_ms);
    if (op->kind == DISK_TAKE && op->snapshot.index == core->rotten_index)
        core->rotten_index = 0; /* the same one, taken again */
    rules_disk_done(core->rules, core->now, op);
    turn_end(core);
}

void core_hold(struct core *core, bool held)
{
    rules_hold(core->rules, held);
}

void core_link(struct core *core, uint64_t now_ms, uint64_t peer_id, bool up)
{
    struct peer *peer = core_peer(core, peer_id);

    advance(core, now_ms);
    CHECK(peer != NULL);
    peer->up = up;
    known_link(core, peer, up); /* first: what we know goes ahead of all else */
    disk_link(core, peer, up);
    snapshot_link(core, peer, up);
    if (!up) {
        commit_link_down(core, peer_id);
        barrier_link_down(core, peer_id);
    }
}

/* ---- frames ---- */

static enum status on_raft_message(struct core *core,
                                   uint64_t peer,
                                   struct bytes body,
                                   struct err *err)
{
    const struct snapshot_meta *received = NULL;
    struct wire_message message;
    enum status st = wire_decode(body, peer, &message, err);

    if (st != ST_OK)
        return st;
    if (message.raft.type == RAFT_REQUEST_VOTE && known_withholds_vote(core))
        return ST_OK;
    if (message.raft.type == RAFT_INSTALL_SNAPSHOT)
        received = snapshot_received(core, &message.snapshot);
    if (message.raft.type == RAFT_APPEND_ENTRIES)
        core_lease_heard(core, peer, &message);
    if (message.raft.type == RAFT_APPEND_ENTRIES_RESULT)
        core_lease_echoed(core, peer, &message);
    rules_receive(core->rules, core->now, peer, &message.raft, message.entries, received);
    wire_message_done(&message);
    turn_end(core);
    return ST_OK;
}

enum status core_frame(struct core *core,
                       uint64_t now_ms,
                       uint64_t peer,
                       uint16_t type,
                       struct bytes body,
                       struct err *err)
{
    advance(core, now_ms);
    CHECK(core_peer(core, peer) != NULL);
    if (core_peer(core, peer)->denied || core_is_silent(core))
        return ST_OK; /* nothing of it counts, or nothing of ours */
    core_peer(core, peer)->heard_ms = core->now;
    switch (type) {
    case LAPWING__RAFT_FRAME__RAFT_MESSAGE:
        return on_raft_message(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_CHUNK:
        return snapshot_chunk(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_ACK:
        return snapshot_ack(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_FORWARD:
        return commit_forward(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_FORWARDED:
        return commit_forwarded(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_BARRIER:
        return barrier_frame(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_BARRIER_DONE:
        return barrier_done_frame(core, peer, body, err);
    case LAPWING__RAFT_FRAME__RAFT_HANDOVER:
        return transfer_frame(core, body, err);
    case LAPWING__RAFT_FRAME__RAFT_DISK:
        return disk_frame(core, peer, body, err);
    default:
        return err_set(err, ST_BAD_INPUT, "raft frame: type %u is not known", type);
    }
}

/* ---- what is known ---- */

void core_view(const struct core *core, struct core_view *out)
{
    const struct rules *rules = core->rules;

    *out = (struct core_view){
        .raft_state = rules_state(rules),
        .term = rules_term(rules),
        .leader_id = rules_leader(rules),
        .commit = rules_commit(rules),
        .applied = rules_applied(rules),
        .snapshot_index = rules_snapshot(rules)->index,
        .last = rules_last(rules),
        .log_bytes = rules_log_bytes(rules),
        .disk = core->disk,
        .apply_held = core->apply_held,
        .log_held_bytes = rules_held_bytes(rules),
        .lease_until_ms = core_lease_until(core),
    };
    /* While installing, the state is the disk's. */
    if (!rules_installing(rules)) {
        out->leader_ms = state_leader_ms(core->state);
        out->cluster_version = state_cluster_version(core->state);
    }
    out->change_pending = rules_change_pending(rules);
    members_view(core, out);
}

const struct log_entry *core_entry_at(const struct core *core, uint64_t index)
{
    return rules_entry_at(core->rules, index);
}
