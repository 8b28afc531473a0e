/* Snapshots: taken when snapshot_rules.h says so, sent in acknowledged chunks, received into a
 * part.
 *
 *   sender                                receiver
 *   chunk(offset 0, no data)      ->      what do you hold of (index, term)?
 *                                 <-      ack(offset)            the transfer goes on from there
 *   chunk(offset, data, crc) ...  ->      appended if it is the next
 *                                 <-      ack(offset)
 *   InstallSnapshot               ->      whole and its hash right: to libraft, then to disk
 *
 * A link that breaks begins anew with the question, so nothing is sent twice, and so does a
 * receiver that was restarted: its host keeps what was synced (core_config.part).  libraft offers a
 * snapshot again while one is on its way: one transfer a peer at a time. */
#include "controlplane/replica/core_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/state/state.h"
#include "proto/raft_check.h"

/* ---- taking ---- */

static bool is_due(const struct core *core)
{
    if (snapshot_rotten(core) && core->now >= core->retake_ms)
        return true;
    return snapshot_is_due(&core->config.snapshots, rules_snapshot(core->rules)->bytes,
                           &core->since_snapshot);
}

void snapshot_maybe_take(struct core *core)
{
    struct snapshot_meta meta;
    uint64_t index;
    uint64_t term;

    /* It would take the room that the log needs. */
    if (core->disk == DISK_FULL)
        return;
    if (core->snapshot_writing || !is_due(core))
        return;
    if (snapshot_sending(core) || !rules_snapshot_ready(core->rules, snapshot_rotten(core), &meta))
        return;
    /* After a restart the state may be ahead of what raft has applied again. */
    state_applied(core->state, &index, &term);
    if (index != meta.index)
        return;
    core->snapshot_writing = true;
    core->since_snapshot = (struct snapshot_need){ 0 };
    core->io.snapshot_write(core->io.context, &meta);
}

bool snapshot_rotten(const struct core *core)
{
    return core->rotten_index != 0 && core->rotten_index == rules_snapshot(core->rules)->index;
}

void core_snapshot_rotten(struct core *core, uint64_t now_ms)
{
    if (now_ms > core->now)
        core->now = now_ms;
    core->rotten_index = rules_snapshot(core->rules)->index;
    for (unsigned i = 0; i < core->peer_count; i++)
        core->peers[i].transfer.active = false;
}

void core_snapshot_written(struct core *core,
                           uint64_t now_ms,
                           enum status st,
                           const struct snapshot_meta *meta)
{
    CHECK(core->snapshot_writing);
    if (now_ms > core->now)
        core->now = now_ms;
    core->snapshot_writing = false;
    /* A transfer reads the stored file: it is not changed under it.  The next one will do. */
    if (st != ST_OK || snapshot_sending(core)) {
        snapshot_need_failed(&core->config.snapshots, rules_snapshot(core->rules)->bytes,
                             &core->since_snapshot);
        core->retake_ms = core->now + CORE_RETAKE_MS;
        core_scan_at(core, core->retake_ms);
        return;
    }
    rules_snapshot_written(core->rules, meta,
                           snapshot_trailing_bytes(&core->config.snapshots, meta->bytes));
}

/* ---- sending ---- */

bool snapshot_sending(const struct core *core)
{
    for (unsigned i = 0; i < core->peer_count; i++)
        if (core->peers[i].transfer.active)
            return true;
    return false;
}

static void send_chunk(struct core *core, struct peer *peer, uint64_t offset, struct bytes data)
{
    Lapwing__RaftSnapshotChunk chunk = LAPWING__RAFT_SNAPSHOT_CHUNK__INIT;
    struct buf body = { 0 };
    size_t len;

    chunk.last_index = peer->transfer.meta.index;
    chunk.last_term = peer->transfer.meta.term;
    chunk.bytes_total = peer->transfer.meta.bytes;
    chunk.offset = offset;
    chunk.data.data = (uint8_t *)data.data;
    chunk.data.len = data.len;
    chunk.crc32c = hash_crc32c(0, data);
    len = lapwing__raft_snapshot_chunk__get_packed_size(&chunk);
    body.len = lapwing__raft_snapshot_chunk__pack(&chunk, buf_reserve(&body, len));
    core->io.send(core->io.context, peer->id, LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_CHUNK,
                  buf_view(&body));
    buf_done(&body);
}

static void probe(struct core *core, struct peer *peer)
{
    peer->transfer.probed = false;
    peer->transfer.progress_ms = core->now;
    send_chunk(core, peer, 0, bytes_of(NULL, 0));
}

void snapshot_offer(struct core *core, const struct raft_message *message)
{
    struct peer *peer = core_peer(core, message->server_id);

    /* One without room would not answer, and hold up our own snapshots. */
    if (peer == NULL || !peer->up || snapshot_rotten(core) || disk_of_peer(core, peer) == DISK_FULL)
        return; /* libraft offers it again */
    if (peer->transfer.active && peer->transfer.meta.index == rules_snapshot(core->rules)->index) {
        peer->transfer.message = *message; /* perhaps of a newer term of ours */
        peer->transfer.message.server_address = NULL;
        return;
    }
    peer->transfer = (struct transfer){
        .active = true,
        .meta = *rules_snapshot(core->rules),
        .message = *message,
    };
    peer->transfer.message.server_address = NULL; /* libraft's, valid until the next step only */
    core_wait_scan(core);
    probe(core, peer);
}

static void finish(struct core *core, struct peer *peer)
{
    struct transfer *transfer = &peer->transfer;
    struct buf body = { 0 };

    transfer->active = false;
    peer->finished_index = transfer->meta.index;
    if (transfer->message.install_snapshot.term != rules_term(core->rules))
        return; /* offered by a term that is over */
    wire_encode(&transfer->message, NULL, &transfer->meta, &body);
    core->io.send(core->io.context, peer->id, LAPWING__RAFT_FRAME__RAFT_MESSAGE, buf_view(&body));
    buf_done(&body);
}

static void pump(struct core *core, struct peer *peer)
{
    struct transfer *transfer = &peer->transfer;
    uint64_t chunk = core->config.chunk_bytes;
    uint8_t *data;

    if (transfer->acked == transfer->meta.bytes) {
        finish(core, peer);
        return;
    }
    data = must_calloc(1, chunk);
    while (transfer->active && transfer->next < transfer->meta.bytes &&
           transfer->next - transfer->acked < CORE_CHUNKS_IN_FLIGHT_MAX * chunk) {
        uint64_t left = transfer->meta.bytes - transfer->next;
        size_t len = (size_t)(left < chunk ? left : chunk);

        if (core->io.snapshot_read(core->io.context, transfer->meta.index, transfer->next, data,
                                   len) != ST_OK) {
            transfer->active = false; /* libraft will offer what is stored then */
            break;
        }
        send_chunk(core, peer, transfer->next, bytes_of(data, len));
        transfer->next += len;
    }
    free(data);
}

enum status snapshot_ack(struct core *core, uint64_t peer_id, struct bytes body, struct err *err)
{
    Lapwing__RaftSnapshotAck *ack = lapwing__raft_snapshot_ack__unpack(NULL, body.len, body.data);
    struct peer *peer = core_peer(core, peer_id);
    struct transfer *transfer = &peer->transfer;
    bool ours;

    if (ack == NULL)
        return err_set(err, ST_BAD_INPUT, "snapshot ack: does not decode");
    if (raft_snapshot_ack_check(ack, err) != ST_OK) {
        lapwing__raft_snapshot_ack__free_unpacked(ack, NULL);
        return ST_BAD_INPUT;
    }
    ours = transfer->active && ack->last_index == transfer->meta.index &&
           ack->last_term == transfer->meta.term && ack->offset <= transfer->meta.bytes;
    if (ours) {
        /* It was sent all of this one, and has nothing of it: its hash was wrong there. */
        if (!transfer->probed && ack->offset == 0 && peer->finished_index == transfer->meta.index) {
            peer->finished_index = 0;
            core->io.snapshot_doubt(core->io.context, &transfer->meta);
        }
        if (!transfer->probed || ack->offset < transfer->acked)
            transfer->next = ack->offset;
        transfer->probed = true;
        transfer->acked = ack->offset;
        if (transfer->next < transfer->acked)
            transfer->next = transfer->acked;
        transfer->progress_ms = core->now;
        pump(core, peer);
    }
    lapwing__raft_snapshot_ack__free_unpacked(ack, NULL);
    return ST_OK;
}

void snapshot_link(struct core *core, struct peer *peer, bool up)
{
    if (peer->transfer.active && up)
        probe(core, peer);
}

void snapshot_scan(struct core *core)
{
    for (unsigned i = 0; i < core->peer_count; i++) {
        struct transfer *transfer = &core->peers[i].transfer;

        if (!transfer->active)
            continue;
        if (!rules_is_leader(core->rules) || core->now - transfer->progress_ms > CORE_TRANSFER_MS)
            transfer->active = false;
        else
            core_wait_scan(core);
    }
}

/* ---- receiving ---- */

static void send_ack(struct core *core,
                     uint64_t peer,
                     const Lapwing__RaftSnapshotChunk *chunk,
                     uint64_t offset)
{
    Lapwing__RaftSnapshotAck ack = LAPWING__RAFT_SNAPSHOT_ACK__INIT;
    struct buf body = { 0 };
    size_t len;

    ack.last_index = chunk->last_index;
    ack.last_term = chunk->last_term;
    ack.offset = offset;
    len = lapwing__raft_snapshot_ack__get_packed_size(&ack);
    body.len = lapwing__raft_snapshot_ack__pack(&ack, buf_reserve(&body, len));
    core->io.send(core->io.context, peer, LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_ACK, buf_view(&body));
    buf_done(&body);
}

static enum status receive(struct core *core, const Lapwing__RaftSnapshotChunk *chunk)
{
    struct bytes data = bytes_of(chunk->data.data, chunk->data.len);

    if (core->part.index != chunk->last_index || core->part.term != chunk->last_term ||
        core->part.total != chunk->bytes_total) {
        core->part = (struct snapshot_progress){
            .index = chunk->last_index,
            .term = chunk->last_term,
            .total = chunk->bytes_total,
        };
        core->io.part_reset(core->io.context, &core->part);
    }
    if (chunk->offset != core->part.offset || data.len == 0)
        return ST_OK; /* the answer says where we are */
    if (data.len > core->part.total - core->part.offset)
        return ST_BAD_INPUT;
    if (core->io.part_append(core->io.context, data) != ST_OK) {
        core->part.index = 0; /* no room, perhaps: begin again when it is offered again */
        return ST_IO;
    }
    core->part.offset += data.len;
    return ST_OK;
}

enum status snapshot_chunk(struct core *core, uint64_t peer, struct bytes body, struct err *err)
{
    Lapwing__RaftSnapshotChunk *chunk =
        lapwing__raft_snapshot_chunk__unpack(NULL, body.len, body.data);
    enum status st;

    if (chunk == NULL)
        return err_set(err, ST_BAD_INPUT, "snapshot chunk: does not decode");
    st = raft_snapshot_chunk_check(chunk, err);
    if (st != ST_OK) {
        lapwing__raft_snapshot_chunk__free_unpacked(chunk, NULL);
        return st;
    }
    if (core->disk == DISK_FULL) {
        /* Without an answer the sender gives up, and offers it again later.  What was received is
         * room that the log needs more. */
        if (core->part.index != 0)
            core->io.part_drop(core->io.context);
        core->part.index = 0;
    } else if (rules_installing(core->rules) ||
               rules_snapshot(core->rules)->index >= chunk->last_index) {
        send_ack(core, peer, chunk, chunk->bytes_total); /* nothing is wanted */
    } else {
        st = receive(core, chunk);
        if (st == ST_OK)
            send_ack(core, peer, chunk, core->part.offset);
    }
    lapwing__raft_snapshot_chunk__free_unpacked(chunk, NULL);
    if (st == ST_BAD_INPUT)
        return err_set(err, st, "snapshot chunk: longer than was said");
    return ST_OK;
}

/* `meta` if its bytes are all here and right. */
const struct snapshot_meta *snapshot_received(struct core *core, const struct snapshot_meta *meta)
{
    uint8_t hash[SNAPSHOT_HASH_BYTES];

    if (core->part.index != meta->index || core->part.term != meta->term ||
        core->part.offset != meta->bytes || core->part.total != meta->bytes)
        return NULL;
    core->io.part_hash(core->io.context, hash);
    if (memcmp(hash, meta->sha256, sizeof hash) != 0) {
        core->part.index = 0;
        return NULL;
    }
    return meta;
}
