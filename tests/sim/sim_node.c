/* One replica's surroundings: what replica.c, log.db and the snapshot files are in a process. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/snapshot_rules.h"
#include "tests/sim/sim.h"

enum { STAMP_BASE_MS = 1700000000 };

static unsigned at_of(const struct sim_node *node)
{
    return (unsigned)(node - node->sim->nodes);
}

/* ---- the virtual disk ---- */

static void disk_truncate(struct sim_disk *disk, uint64_t from)
{
    while (disk->count > 0 && disk->first + disk->count - 1 >= from)
        log_data_drop(disk->entries[--disk->count].data);
}

static void disk_shift(struct sim_disk *disk, uint64_t first)
{
    uint64_t gone = first > disk->first ? first - disk->first : 0;

    if (gone > disk->count)
        gone = disk->count;
    for (uint64_t i = 0; i < gone; i++)
        log_data_drop(disk->entries[i].data);
    memmove(disk->entries, disk->entries + gone, (disk->count - gone) * sizeof disk->entries[0]);
    disk->count -= gone;
    disk->first = first;
}

/* `count` less than all of the operation's: torn. */
static void disk_append(struct sim_node *node, const struct disk_op *op, unsigned count)
{
    struct sim_disk *disk = &node->disk;

    if (op->first < disk->first || op->first > disk->first + disk->count)
        sim_fail(node->sim, "node %llu: a hole in its log at %llu", (unsigned long long)node->id,
                 (unsigned long long)op->first);
    if (op->first < disk->first + disk->count)
        node->sim->counts.truncations++;
    disk_truncate(disk, op->first);
    for (unsigned i = 0; i < count; i++) {
        if (disk->count >= SIM_LOG_MAX)
            sim_fail(node->sim, "log too long for the simulation");
        disk->entries[disk->count] = op->entries[i];
        log_data_share(op->entries[i].data);
        disk->count++;
    }
    if (disk->synced >= op->first)
        disk->synced = op->first - 1;
    if (sim_below(node->sim, 2) == 0)
        disk->synced = disk->first + disk->count - 1;
}

static void disk_take(struct sim_node *node, const struct disk_op *op)
{
    struct sim_disk *disk = &node->disk;

    node->sim->counts.takes++;
    disk->snapshot = op->snapshot;
    buf_done(&disk->image);
    disk->image = node->written;
    node->rot_at = 0;
    node->rotten = node->rotten && node->rotten_index != op->snapshot.index;
    node->written = (struct buf){ 0 };
}

static void disk_drop(struct sim_node *node, const struct disk_op *op)
{
    if (op->first > node->disk.snapshot.index + 1)
        sim_fail(node->sim, "node %llu: drops entries that no snapshot stands for",
                 (unsigned long long)node->id);
    node->sim->counts.drops++;
    disk_shift(&node->disk, op->first);
}

static void install_rows(struct sim_node *node)
{
    struct err err = { 0 };
    enum status st;

    if (node->sim->broken == BREAK_INSTALL)
        return;
    st = state_install_image(node->state, buf_view(&node->disk.image), &err);
    if (st != ST_OK)
        sim_fail(node->sim, "node %llu: install: %s", (unsigned long long)node->id, err.text);
}

static void disk_install(struct sim_node *node, const struct disk_op *op, bool torn)
{
    struct sim_disk *disk = &node->disk;

    node->sim->counts.installs++;
    disk->snapshot = op->snapshot;
    buf_done(&disk->image);
    disk->image = node->part;
    node->rot_at = 0;
    node->part = (struct buf){ 0 };
    node->part_is = (struct snapshot_progress){ 0 };
    if (torn)
        return;
    disk_truncate(disk, 0);
    disk->first = op->snapshot.index + 1;
    install_rows(node);
}

static void disk_perform(struct sim_node *node, const struct disk_op *op)
{
    switch (op->kind) {
    case DISK_APPEND:
        disk_append(node, op, op->count);
        return;
    case DISK_TAKE:
        disk_take(node, op);
        return;
    case DISK_DROP:
        disk_drop(node, op);
        return;
    case DISK_INSTALL:
        disk_install(node, op, false);
        return;
    }
}

static void disk_perform_torn(struct sim_node *node, const struct disk_op *op)
{
    switch (op->kind) {
    case DISK_APPEND:
        disk_append(node, op, sim_below(node->sim, op->count + 1));
        return;
    case DISK_TAKE:
        disk_take(node, op);
        return;
    case DISK_DROP:
        return;
    case DISK_INSTALL:
        disk_install(node, op, true);
        return;
    }
}

void node_disk(struct sim_node *node)
{
    struct disk_op *op = node->ops;

    CHECK(op != NULL);
    if (trouble_holds(node))
        return;
    node->ops = op->host_next;
    if (node->ops == NULL)
        node->ops_end = &node->ops;
    disk_perform(node, op);
    core_disk_done(node->core, clock_now(node), op);
    node_after(node);
}

/* ---- what the core asks for ---- */

static void io_set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;

    if (!trouble_votes(node))
        return;
    if (sim->broken == BREAK_VOTES) {
        if (voted_for != 0 && sim->faults_on &&
            sim_below(sim, 4) == 0) /* before it is asked again */
            sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, 30),
                                            .kind = EVENT_KILL,
                                            .node = at_of(node) });
        voted_for = 0;
    }
    node->disk.term = term;
    node->disk.voted_for = voted_for;
}

static void io_disk(void *context, struct disk_op *op)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;
    uint64_t at = node->disk_busy_until > sim->now_ms ? node->disk_busy_until : sim->now_ms;

    at += sim_below(sim, node->slow ? 60 : 6);
    if (sim_below(sim, 50) == 0)
        at += sim_below(sim, 200);
    node->disk_busy_until = at;
    op->host_next = NULL;
    *node->ops_end = op;
    node->ops_end = &op->host_next;
    sim_at(sim, (struct sim_event){
                    .at_ms = at, .kind = EVENT_DISK, .node = at_of(node), .life = node->life });
}

static void io_disk_failed(void *context, const struct err *err)
{
    struct sim_node *node = context;

    sim_fail(node->sim, "node %llu: %s", (unsigned long long)node->id, err->text);
}

static void io_send(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    struct sim_node *node = context;

    if (node->trouble.silent)
        return;
    node->reads_until_ms = 0;
    network_send(node->sim, at_of(node), (unsigned)(peer - 1), type, body);
}

static uint64_t io_stamp_ms(void *context)
{
    struct sim_node *node = context;

    return (uint64_t)((int64_t)(STAMP_BASE_MS + node->sim->now_ms) + node->clock_skew_ms);
}

/* Sometimes applying is so dear that a snapshot is due by time. */
static uint64_t io_work_us(void *context)
{
    struct sim_node *node = context;

    node->work_us += sim_below(node->sim, 100);
    if (node->slow && sim_below(node->sim, 16) == 0)
        node->work_us += SNAPSHOT_REPLAY_US_MAX / 4;
    return node->work_us;
}

static void io_state_failed(void *context, const struct err *err)
{
    struct sim_node *node = context;

    sim_fail(node->sim, "node %llu: rows: %s", (unsigned long long)node->id, err->text);
}

static void io_log_read(void *context, uint64_t first, unsigned count, struct log_entry *out)
{
    struct sim_node *node = context;
    const struct sim_disk *disk = &node->disk;

    node->sim->counts.read_back += count;
    if (first < disk->first || first + count > disk->first + disk->count)
        sim_fail(node->sim, "node %llu: reads back %llu+%u, its disk has %llu+%llu",
                 (unsigned long long)node->id, (unsigned long long)first, count,
                 (unsigned long long)disk->first, (unsigned long long)disk->count);
    for (unsigned i = 0; i < count; i++) {
        out[i] = disk->entries[first - disk->first + i];
        log_data_share(out[i].data);
    }
    if (node->sim->broken == BREAK_READBACK && count > 1 && out[0].term == out[1].term &&
        out[0].type == out[1].type && out[0].data->len == out[1].data->len) {
        struct log_data *data = out[0].data;

        out[0].data = out[1].data;
        out[1].data = data;
    }
}

static void io_snapshot_write(void *context, const struct snapshot_meta *meta)
{
    struct sim_node *node = context;
    struct sim *sim = node->sim;
    struct snapshot_meta *copy = must_calloc(1, sizeof *copy);
    struct err err = { 0 };

    node->writing = true;
    buf_done(&node->written);
    if (state_image(node->state, &node->written, &err) != ST_OK)
        sim_fail(sim, "node %llu: image: %s", (unsigned long long)node->id, err.text);
    *copy = *meta;
    copy->bytes = node->written.len;
    hash_sha256(buf_view(&node->written), copy->sha256);
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + 1 + sim_below(sim, 300),
                                    .kind = EVENT_SNAPSHOT_WRITTEN,
                                    .node = at_of(node),
                                    .life = node->life,
                                    .data = copy });
}

void node_snapshot_written(struct sim_node *node, void *data)
{
    enum status st = sim_below(node->sim, 20) == 0 ? ST_IO : ST_OK;

    if (trouble_is_full(node))
        st = ST_NO_SPACE;
    node->writing = false;
    core_hold(node->core, false);
    core_snapshot_written(node->core, clock_now(node), st, data);
    node_after(node);
}

static void io_snapshot_doubt(void *context, const struct snapshot_meta *meta)
{
    struct sim_node *node = context;

    node->sim->counts.doubts++;
    sim_at(node->sim, (struct sim_event){ .at_ms = node->sim->now_ms + 1 + sim_below(node->sim, 50),
                                          .kind = EVENT_VERIFIED,
                                          .node = at_of(node),
                                          .life = node->life });
}

void node_verified(struct sim_node *node)
{
    if (node->rot_at == 0 || node->sim->broken == BREAK_ROT)
        return;
    node->rotten = true;
    node->rotten_index = node->disk.snapshot.index;
    core_snapshot_rotten(node->core, clock_now(node));
    node_after(node);
}

/* BREAK_ROT: once more in the end, when no newer snapshot comes by itself. */
static bool rots_now(struct sim *sim)
{
    if (trouble_has_liar(sim) || amnesia_stands(sim))
        return false;
    if (sim->faults_on)
        return sim_below(sim, 12) == 0;
    if (sim->broken != BREAK_ROT || sim->rotted_late)
        return false;
    sim->rotted_late = true;
    return true;
}

static enum status io_snapshot_read(
    void *context, uint64_t index, uint64_t offset, uint8_t *out, size_t len)
{
    struct sim_node *node = context;

    if (node->disk.snapshot.index != index)
        return ST_NOT_FOUND;
    if (node->rotten && node->rotten_index == index)
        sim_fail(node->sim, "node %llu sends a rotten snapshot", (unsigned long long)node->id);
    CHECK(offset + len <= node->disk.image.len);
    if (node->rot_at == 0 && rots_now(node->sim)) {
        node->rot_at = offset + 1; /* found when the peer has it all */
        node->disk.image.data[offset] ^= 1;
    }
    memcpy(out, node->disk.image.data + offset, len);
    return ST_OK;
}

static void io_part_reset(void *context, const struct snapshot_progress *which)
{
    struct sim_node *node = context;

    node->part_is = *which;
    node->part.len = 0;
}

static void io_part_drop(void *context)
{
    struct sim_node *node = context;

    node->part_is = (struct snapshot_progress){ 0 };
    node->part.len = 0;
}

static enum status io_part_append(void *context, struct bytes data)
{
    struct sim_node *node = context;

    if (trouble_is_full(node) || (sim_below(node->sim, 200) == 0 && node->sim->faults_on)) {
        io_part_drop(node);
        return trouble_is_full(node) ? ST_NO_SPACE : ST_IO;
    }
    buf_append(&node->part, data.data, data.len);
    if (sim_below(node->sim, 60) == 0)
        sim_at(node->sim, (struct sim_event){ .at_ms = node->sim->now_ms + 1,
                                              .kind = EVENT_CRASH,
                                              .node = at_of(node),
                                              .life = node->life });
    return ST_OK;
}

static void io_part_hash(void *context, uint8_t out[SNAPSHOT_HASH_BYTES])
{
    struct sim_node *node = context;

    hash_sha256(buf_view(&node->part), out);
}

static void io_proposed(void *context, void *token, enum status st, const Lapwing__Outcome *outcome)
{
    struct sim_node *node = context;

    node->reads_until_ms = 0;
    clients_answered(node->sim, token, st, outcome);
}

static void io_barrier_done(void *context, void *token, enum status st)
{
    struct sim_node *node = context;

    node->reads_until_ms = 0;
    reads_done(node->sim, token, st);
}

static void io_transferred(void *context, void *token, enum status st)
{
    struct sim_node *node = context;

    node->reads_until_ms = 0;
    (void)token;
    if (st == ST_OK)
        node->sim->counts.transfers++;
}

/* Without room nothing is stored; from the reserve, perhaps. */
static enum status io_known_store(void *context, const struct known *known, struct err *err)
{
    struct sim_node *node = context;

    if (trouble_is_full(node) && !node->trouble.reserve)
        return err_set(err, ST_NO_SPACE, "the disk is full");
    node->disk.known = *known;
    return ST_OK;
}

static void io_forgotten(void *context, uint64_t by, uint64_t incarnation)
{
    struct sim_node *node = context;

    CHECK(incarnation != node->disk.known.incarnation);
    sim_say(node->sim, "node %llu: node %llu knows another log than its own",
            (unsigned long long)node->id, (unsigned long long)by);
    node->told_forgot = true;
}

static const struct core_io core_io = {
    .set_vote = io_set_vote,
    .disk = io_disk,
    .disk_failed = io_disk_failed,
    .send = io_send,
    .stamp_ms = io_stamp_ms,
    .work_us = io_work_us,
    .state_failed = io_state_failed,
    .log_read = io_log_read,
    .known_store = io_known_store,
    .forgotten = io_forgotten,
    .snapshot_write = io_snapshot_write,
    .snapshot_read = io_snapshot_read,
    .snapshot_doubt = io_snapshot_doubt,
    .part_reset = io_part_reset,
    .part_drop = io_part_drop,
    .part_append = io_part_append,
    .part_hash = io_part_hash,
    .proposed = io_proposed,
    .barrier_done = io_barrier_done,
    .transferred = io_transferred,
};

/* ---- life ---- */

void node_init(struct sim_node *node, struct sim *sim, unsigned at)
{
    node->sim = sim;
    node->id = at + 1;
    node->ops_end = &node->ops;
    node->disk.first = 1;
    node_forget(node);
    clock_boot(node);
}

void node_forget(struct sim_node *node)
{
    struct sim_disk *disk = &node->disk;

    disk_truncate(disk, 0);
    disk->term = 1;
    disk->voted_for = 0;
    disk->first = 1;
    disk->synced = 0;
    disk->snapshot = (struct snapshot_meta){ 0 };
    disk->image.len = 0;
    node->rot_at = 0;
    node->part.len = 0;
    node->part_is = (struct snapshot_progress){ 0 };
    node->fresh = true;
    disk->known =
        (struct known){ .incarnation = amnesia_incarnation(node), .takes_part = true }; /* joins */
}

void node_bootstrap(struct sim_node *node, unsigned count)
{
    uint64_t ids[SIM_NODES];

    for (unsigned i = 0; i < count; i++)
        ids[i] = i + 1;
    node->first_voters = count;
    node->disk.known.takes_part = count == 1;
    node->disk.count = 1;
    node->disk.synced = 1;
    node->disk.entries[0] = (struct log_entry){
        .term = 1,
        .type = LOG_CHANGE,
        .data = rules_bootstrap(ids, count),
    };
}

static void heal_image(struct sim_node *node)
{
    if (node->rot_at > 0)
        node->disk.image.data[node->rot_at - 1] ^= 1;
    node->rot_at = 0;
}

/* The rows, as replica.c gets them: kept over a kill, made anew after a power cut. */
static void open_state(struct sim_node *node)
{
    struct err err = { 0 };
    uint64_t index;
    uint64_t term;

    if (node->state == NULL &&
        state_open(":memory:", STATE_GROUP_CONTROL, &node->state, &err) != ST_OK)
        sim_fail(node->sim, "open state: %s", err.text);
    state_applied(node->state, &index, &term);
    if (index < node->disk.snapshot.index) {
        heal_image(node);
        install_rows(node);
    }
}

const struct log_entry *node_entry(const struct sim_node *node, uint64_t index)
{
    const struct log_entry *entry = core_entry_at(node->core, index);

    if (entry == NULL || entry->data != NULL)
        return entry;
    if (index < node->disk.first || index >= node->disk.first + node->disk.count)
        sim_fail(node->sim, "node %llu: entry %llu is neither in memory nor on disk",
                 (unsigned long long)node->id, (unsigned long long)index);
    return &node->disk.entries[index - node->disk.first];
}

/* As log_store brings them: the data of commands stays on disk. */
static struct log_entry *entries_without_data(const struct sim_disk *disk)
{
    struct log_entry *out = must_calloc(disk->count + 1, sizeof *out);

    for (uint64_t i = 0; i < disk->count; i++) {
        out[i] = disk->entries[i];
        out[i].bytes = out[i].data->len;
        if (out[i].type != LOG_CHANGE)
            out[i].data = NULL;
    }
    return out;
}

/* A lost vote shows when the same term's vote is given again: hardly ever, after the time for which
 * a restarted node gives none. */
static bool may_vote_at_once(const struct sim_node *node)
{
    return node->fresh || node->sim->broken == BREAK_RESTART_VOTE ||
           node->sim->broken == BREAK_VOTES;
}

/* Every fifth seed without leases, another fifth with one node without.  A node that votes at once
 * keeps no lease's promise. */
static bool has_lease(const struct sim_node *node)
{
    uint64_t kind = node->sim->seed % 5;

    if (node->sim->broken == BREAK_VOTES || kind == 0)
        return false;
    return kind != 1 || node->id != 1;
}

void node_start(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct log_entry *entries = entries_without_data(&node->disk);
    struct core_config config = {
        .self_id = node->id,
        .election_ms = SIM_ELECTION_MS,
        .heartbeat_ms = SIM_HEARTBEAT_MS,
        .snapshots.log_bytes_min = 4096 + (sim->seed % 5) * 4096,
        .snapshots.state_share = sim->seed % 3 == 0 ? 0 : 64,
        .log_memory_bytes = (uint64_t)1 << (9 + sim->seed % 7),
        .apply_bytes = (uint64_t)1 << (8 + sim->seed % 11),
        .chunk_bytes = sim->seed % 2 == 0 ? 16384 : 4096,
        .random_seed = (unsigned)sim_random(sim),
        .now_ms = clock_now(node),
        .leader_lease = has_lease(node),
        .fresh = may_vote_at_once(node),
        .term = node->disk.term,
        .voted_for = node->disk.voted_for,
        .snapshot = &node->disk.snapshot,
        .first = node->disk.first,
        .entries = entries,
        .entry_count = (unsigned)node->disk.count,
        .part = node->part_is,
        .known = &node->disk.known,
        .address = "127.0.0.1:1",
    };
    struct core_io io = core_io;

    if (node->trouble.refused) {
        free(entries);
        return;
    }
    sim_say(sim, "node %llu starts: term %llu, log %llu+%llu, snapshot %llu",
            (unsigned long long)node->id, (unsigned long long)node->disk.term,
            (unsigned long long)node->disk.first, (unsigned long long)node->disk.count,
            (unsigned long long)node->disk.snapshot.index);
    io.context = node;
    if (node->state == NULL)
        heal_image(node); /* a node without rows and snapshot would be lost for good */
    /* The snapshot rots while the rows are good: this start finds out. */
    node->rotten = node->state != NULL && node->disk.snapshot.index > 0 && !trouble_has_liar(sim) &&
                   !amnesia_stands(sim) && (node->rot_at > 0 || sim_below(sim, 8) == 0);
    node->rotten_index = node->disk.snapshot.index;
    open_state(node);
    node->life++;
    node->exists = true;
    node->up = true;
    node->peers = 0;
    node->frozen_until = 0;
    node->seen_applied = 0;
    node->tick_at = 0;
    node->core = core_new(&config, &io, node->state);
    node->fresh = false;
    free(entries);
    /* What log_store does when it opens: a log that does not join on to the snapshot is dropped,
     * and an empty one begins behind it (seed 3245: an install that was torn over an empty log). */
    if (core_entry_at(node->core, node->disk.first) == NULL) {
        disk_truncate(&node->disk, 0);
        node->disk.first = node->disk.snapshot.index + 1;
    }
    members_started(node);
    trouble_started(node);
    if (node->rotten)
        core_snapshot_rotten(node->core, clock_now(node));
    network_node_started(sim, at_of(node));
    node_after(node);
}

/* What was queued for the disk reaches it up to some point, the next in part, the rest is lost. */
static void lose_queue(struct sim_node *node, bool power_cut)
{
    struct sim *sim = node->sim;
    unsigned count = 0;
    unsigned keep;
    unsigned at = 0;

    if (node->trouble
            .silent) /* nothing was done since it hangs, and what came then is of no term */
        node->ops = NULL;
    for (struct disk_op *op = node->ops; op != NULL; op = op->host_next)
        count++;
    keep = sim_below(sim, count + 1);
    for (struct disk_op *op = node->ops; op != NULL; op = op->host_next) {
        if (at < keep)
            disk_perform(node, op);
        else if (at == keep)
            disk_perform_torn(node, op);
        else
            break;
        at++;
    }
    node->ops = NULL;
    node->ops_end = &node->ops;
    if (sim->broken == BREAK_APPENDS && node->disk.count > 4)
        disk_truncate(&node->disk, node->disk.first + node->disk.count - 1 - sim_below(sim, 3));
    if (sim->broken == BREAK_SYNC && power_cut)
        disk_truncate(&node->disk, node->disk.synced + 1);
    node->disk.synced = node->disk.first + node->disk.count - 1;
}

/* What was synced of a snapshot being received; the rest of it comes again. */
static void keep_part(struct sim_node *node)
{
    enum { SYNC_BYTES = 8192 };
    uint64_t synced = node->part.len / SYNC_BYTES * SYNC_BYTES;

    if (synced > 0 && sim_below(node->sim, 3) == 0)
        synced -= SYNC_BYTES;
    node->part.len = synced;
    node->part_is.offset = synced;
    if (synced == 0)
        node->part_is = (struct snapshot_progress){ 0 };
    else
        node->sim->counts.resumes++;
}

void node_crash(struct sim_node *node, bool power_cut)
{
    struct sim *sim = node->sim;
    unsigned at = at_of(node);

    if (!node->up)
        return;
    sim_say(sim, "node %llu %s", (unsigned long long)node->id, power_cut ? "loses power" : "dies");
    if (power_cut)
        sim->counts.crashes++;
    else
        sim->counts.kills++;
    trouble_crashed(node);
    lose_queue(node, power_cut);
    node->trouble.silent = false;
    if (power_cut)
        trouble_lies(node);
    node->up = false;
    node->reads_until_ms = 0;
    core_free(node->core);
    node->core = NULL;
    node->life++;
    if (power_cut) {
        state_close(node->state);
        node->state = NULL;
        clock_boot(node);
    }
    keep_part(node);
    node->writing = false;
    node->disk_busy_until = 0;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        network_break(sim, at, i, false);
        network_break(sim, i, at, false);
    }
    node_restarts(node, sim_below(sim, 4) == 0 ? 60 : 1500);
}

void node_restarts(struct sim_node *node, unsigned within_ms)
{
    sim_at(node->sim,
           (struct sim_event){ .at_ms = node->sim->now_ms + 5 + sim_below(node->sim, within_ms),
                               .kind = EVENT_RESTART,
                               .node = at_of(node) });
}

void node_tick(struct sim_node *node)
{
    core_tick(node->core, clock_now(node));
    node_after(node);
}

/* The end of a turn of the loop. */
void node_after(struct sim_node *node)
{
    struct sim *sim = node->sim;
    uint64_t at;

    members_after(node);
    amnesia_after(node);
    if (!node->up)
        return;
    /* As where the write-ahead log of the rows has become too large for the snapshot's reader. */
    if (node->writing && sim_below(sim, 8) == 0)
        core_hold(node->core, true);
    core_flush(node->core, clock_now(node));
    node->reads_until_ms = core_reads_until_ms(node->core);
    at = clock_when(node, core_timeout_ms(node->core));
    if (at <= sim->now_ms)
        at = sim->now_ms + 1;
    if (node->tick_at == at)
        return;
    node->tick_at = at;
    sim_at(sim, (struct sim_event){
                    .at_ms = at, .kind = EVENT_TICK, .node = at_of(node), .life = node->life });
}

void node_free(struct sim_node *node)
{
    core_free(node->core);
    state_close(node->state);
    disk_truncate(&node->disk, 0);
    buf_done(&node->disk.image);
    buf_done(&node->part);
    buf_done(&node->written);
}
