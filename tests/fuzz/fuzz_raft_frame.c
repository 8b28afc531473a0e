/* Frames of a peer but for Raft's own messages: hellos, snapshot chunks and their acknowledgements,
 * forwarded commands, barriers, disks.  Whatever they hold, the core lives, and a snapshot being
 * received never grows beyond what its sender said.
 *
 *   input   any number of: type, u16 length (little endian), that many bytes */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/replica/core.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/state/state.h"
#include "proto/raft.pb-c.h"
#include "proto/raft_check.h"
#include "tests/fuzz/fuzz.h"

enum { SELF = 1, PEER = 2, OWN = 11, FRAME_TYPES = 17, HEAD_BYTES = 3 };

struct world {
    uint64_t part;  /* bytes received */
    uint64_t total; /* the largest that a sender spoke of */
};

static void set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    CHECK(!"no message of Raft was sent");
}

static void disk(void *context, struct disk_op *op)
{
    CHECK(!"no message of Raft was sent");
}

static void disk_failed(void *context, const struct err *err)
{
    CHECK(!"nothing was applied");
}

static enum status known_store(void *context, const struct known *known, struct err *err)
{
    CHECK(known->count <= RAFT_KNOWN_MAX);
    CHECK(known->incarnation == OWN);
    return known->count % 7 == 6 ? err_set(err, ST_NO_SPACE, "full") : ST_OK;
}

static void forgotten(void *context, uint64_t by, uint64_t incarnation)
{
    CHECK(incarnation != OWN);
}

static void send_frame(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    CHECK(peer == PEER);
    CHECK(type < FRAME_TYPES);
}

static uint64_t stamp_ms(void *context)
{
    return 1700000000000;
}

static void snapshot_write(void *context, const struct snapshot_meta *meta)
{
    CHECK(!"nothing was applied");
}

static enum status snapshot_read(
    void *context, uint64_t index, uint64_t offset, uint8_t *out, size_t len)
{
    CHECK(!"only a leader sends a snapshot");
}

static void part_reset(void *context, const struct snapshot_progress *which)
{
    struct world *world = context;

    world->part = 0;
}

static void part_drop(void *context)
{
    CHECK(!"the disk is never full");
}

static enum status part_append(void *context, struct bytes data)
{
    struct world *world = context;

    world->part += data.len;
    CHECK(world->part <= world->total);
    return data.len % 7 == 6 ? ST_IO : ST_OK; /* a full disk, now and then */
}

static void part_hash(void *context, uint8_t out[SNAPSHOT_HASH_BYTES])
{
    memset(out, 0, SNAPSHOT_HASH_BYTES);
}

static void proposed(void *context, void *token, enum status st, const Lapwing__Outcome *outcome)
{
    CHECK(!"nothing was proposed here");
}

static void barrier_done(void *context, void *token, enum status st)
{
    CHECK(!"no barrier was asked for here");
}

static void transferred(void *context, void *token, enum status st)
{
    CHECK(!"no transfer was asked for here");
}

static struct core *core_of(struct world *world, struct state *state)
{
    const uint64_t ids[] = { SELF, PEER, 3 };
    const struct core_io io = { .set_vote = set_vote,
                                .disk = disk,
                                .disk_failed = disk_failed,
                                .known_store = known_store,
                                .forgotten = forgotten,
                                .send = send_frame,
                                .stamp_ms = stamp_ms,
                                .work_us = stamp_ms,
                                .snapshot_write = snapshot_write,
                                .snapshot_read = snapshot_read,
                                .snapshot_doubt = snapshot_write,
                                .part_reset = part_reset,
                                .part_drop = part_drop,
                                .part_append = part_append,
                                .part_hash = part_hash,
                                .proposed = proposed,
                                .barrier_done = barrier_done,
                                .transferred = transferred,
                                .context = world };
    struct log_entry entry = { 1, LOG_CHANGE, rules_bootstrap(ids, ARRAY_LEN(ids)) };
    struct snapshot_meta none = { 0 };
    const struct known known = { .incarnation = OWN, .takes_part = true };
    struct core_config config = {
        .self_id = SELF,
        .peer_ids = { PEER, 3 },
        .peer_count = 2,
        .election_ms = 300,
        .heartbeat_ms = 50,
        .snapshots.log_bytes_min = 1 << 20,
        .now_ms = 1000,
        .term = 1,
        .snapshot = &none,
        .first = 1,
        .entries = &entry,
        .entry_count = 1,
        .known = &known,
        .address = "127.0.0.1:1",
    };
    struct core *core = core_new(&config, &io, state);

    log_data_drop(entry.data);
    return core;
}

/* A chunk gets its checksum, which no fuzzer finds. */
static void send_chunk(struct core *core, struct world *world, struct bytes body)
{
    Lapwing__RaftSnapshotChunk *chunk =
        lapwing__raft_snapshot_chunk__unpack(NULL, body.len, body.data);
    struct buf whole = { 0 };
    size_t len;

    if (chunk == NULL) {
        CHECK(core_frame(core, 1000, PEER, LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_CHUNK, body, NULL) ==
              ST_BAD_INPUT);
        return;
    }
    chunk->crc32c = hash_crc32c(0, bytes_of(chunk->data.data, chunk->data.len));
    if (chunk->bytes_total > world->total)
        world->total = chunk->bytes_total;
    len = lapwing__raft_snapshot_chunk__get_packed_size(chunk);
    whole.len = lapwing__raft_snapshot_chunk__pack(chunk, buf_reserve(&whole, len));
    (void)core_frame(core, 1000, PEER, LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_CHUNK, buf_view(&whole),
                     NULL);
    buf_done(&whole);
    lapwing__raft_snapshot_chunk__free_unpacked(chunk, NULL);
}

/* As replica_links.c does. */
static void send_hello(struct core *core, struct bytes body)
{
    Lapwing__RaftHello *hello = lapwing__raft_hello__unpack(NULL, body.len, body.data);

    if (hello != NULL && raft_hello_check(hello, NULL) == ST_OK)
        (void)core_hello(core, 1000, PEER, hello, NULL);
    if (hello != NULL)
        lapwing__raft_hello__free_unpacked(hello, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct state *state; /* nothing here changes it */
    struct world world = { 0 };
    struct core *core;

    if (state == NULL)
        CHECK(state_open(":memory:", STATE_GROUP_CONTROL, &state, NULL) == ST_OK);
    core = core_of(&world, state);
    core_link(core, 1000, PEER, true);
    while (len >= HEAD_BYTES) {
        uint16_t type = data[0] % (FRAME_TYPES + 1);
        size_t body = (size_t)(data[1] | data[2] << 8);

        if (body > len - HEAD_BYTES)
            body = len - HEAD_BYTES;
        if (type == LAPWING__RAFT_FRAME__RAFT_SNAPSHOT_CHUNK)
            send_chunk(core, &world, bytes_of(data + HEAD_BYTES, body));
        else if (type == LAPWING__RAFT_FRAME__RAFT_HELLO)
            send_hello(core, bytes_of(data + HEAD_BYTES, body));
        else if (type != LAPWING__RAFT_FRAME__RAFT_MESSAGE)
            (void)core_frame(core, 1000, PEER, type, bytes_of(data + HEAD_BYTES, body), NULL);
        core_flush(core, 1000);
        data += HEAD_BYTES + body;
        len -= HEAD_BYTES + body;
    }
    core_free(core);
    return 0;
}
