/* One blob that this disk lacks, from the first peer that has it whole.
 *
 *   GET part 1 ─► chunks ─► DONE ─► GET part 2 ... ─► finish with the expected hash ─► done
 *   any failure of the peer: abort what was written, the next peer from the start
 *
 * Owner: itself; freed in end().  Only one part is under way, so nothing here needs a window. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/peers/peers_internal.h"
#include "proto/blob.pb-c.h"

enum { FETCH_PART_BYTES = 1 << 20 };

struct fetch {
    struct peers *peers;
    struct fetch *next, *previous;
    struct blob_id id;
    fetch_fn done; /* NULL: forgotten */
    void *context;

    struct peer_call call;
    struct blob_writer *writer;
    size_t link;         /* being asked */
    unsigned tried;      /* bit i: link i was asked */
    bool ending;         /* the writer was told to finish or abort */
    bool all_lack_it;    /* every peer so far said "not found" */
    bool wants_part;     /* the next part waits for the disk */
    uint64_t offset;     /* bytes that came */
    uint64_t part_bytes; /* of the part under way */
    uint64_t moved_ms;
};

static void ask_next_peer(struct fetch *fetch);

static void end(struct fetch *fetch, enum status status, const struct err *err)
{
    struct peers *peers = fetch->peers;

    CHECK(fetch->writer == NULL);
    peer_call_end(&fetch->call);
    if (fetch->previous != NULL)
        fetch->previous->next = fetch->next;
    else
        peers->fetches = fetch->next;
    if (fetch->next != NULL)
        fetch->next->previous = fetch->previous;
    if (fetch->done != NULL)
        fetch->done(fetch->context, status, err);
    free(fetch);
}

/* This peer will not do: let go of what it sent; the writer's end asks the next. */
static void drop_peer(struct fetch *fetch)
{
    peer_call_end(&fetch->call);
    if (fetch->ending)
        return;
    fetch->ending = true;
    blob_write_abort(fetch->writer);
}

static void ask_part(struct fetch *fetch)
{
    Lapwing__BlobGet get = LAPWING__BLOB_GET__INIT;

    fetch->wants_part = false;
    fetch->part_bytes = 0;
    fetch->moved_ms = uv_now(fetch->peers->loop);
    get.id = fetch->call.id;
    get.sha256 = (ProtobufCBinaryData){ BLOB_ID_BYTES, fetch->id.sha256 };
    get.offset = fetch->offset;
    get.bytes_max = FETCH_PART_BYTES;
    if (peer_call_send(&fetch->call, LAPWING__BLOB_FRAME__BLOB_GET, &get.base) != ST_OK)
        drop_peer(fetch);
}

static void part_done(struct fetch *fetch, const struct peer_reply *reply)
{
    if (reply->status != ST_OK) {
        fetch->all_lack_it = fetch->all_lack_it && reply->status == ST_NOT_FOUND;
        drop_peer(fetch);
        return;
    }
    if (fetch->offset >= reply->bytes) {
        peer_call_end(&fetch->call);
        fetch->ending = true;
        blob_write_finish(fetch->writer, &fetch->id);
        return;
    }
    if (fetch->part_bytes == 0) { /* it says OK and sends nothing: we would ask for ever */
        drop_peer(fetch);
        return;
    }
    fetch->wants_part = true;
    if (blob_write_waiting(fetch->writer) < BLOB_WRITE_QUEUE_BYTES)
        ask_part(fetch);
}

static void on_reply(struct peer_call *call, const struct peer_reply *reply)
{
    struct fetch *fetch = container_of(call, struct fetch, call);

    fetch->moved_ms = uv_now(fetch->peers->loop);
    if (reply->type == LAPWING__BLOB_FRAME__BLOB_GET_DONE) {
        part_done(fetch, reply);
        return;
    }
    if (reply->type != LAPWING__BLOB_FRAME__BLOB_GET_CHUNK)
        return;
    fetch->offset += reply->chunk.len;
    fetch->part_bytes += reply->chunk.len;
    if (fetch->part_bytes > FETCH_PART_BYTES) {
        drop_peer(fetch);
        return;
    }
    blob_write(fetch->writer, reply->chunk);
}

static void on_lost(struct peer_call *call)
{
    struct fetch *fetch = container_of(call, struct fetch, call);

    fetch->all_lack_it = false;
    drop_peer(fetch);
}

static void drained(struct blob_writer *writer, uint64_t written, void *context)
{
    struct fetch *fetch = context;

    if (fetch->wants_part)
        ask_part(fetch);
}

static void written_cb(struct blob_writer *writer,
                       const struct blob_write_result *result,
                       const struct err *err,
                       void *context)
{
    struct fetch *fetch = context;
    char hex[BLOB_ID_BYTES * 2 + 1];

    fetch->writer = NULL;
    hex_encode(bytes_of(fetch->id.sha256, BLOB_ID_BYTES), hex);
    switch (result->status) {
    case ST_OK:
        log_event(LOG_INFO, "blob_repaired", LS("blob", hex), LU("bytes", result->bytes),
                  LS("peer_zone", fetch->peers->links[fetch->link]->zone));
        end(fetch, ST_OK, err);
        return;
    case ST_CORRUPT:
        log_event(LOG_WARN, "blob_bad_at_peer", LS("blob", hex),
                  LS("peer_zone", fetch->peers->links[fetch->link]->zone),
                  LS("then", "asking the next zone"));
        fetch->all_lack_it = false;
        ask_next_peer(fetch);
        return;
    case ST_CANCELLED:
        ask_next_peer(fetch);
        return;
    default:
        end(fetch, result->status, err);
        return;
    }
}

static const struct blob_writer_handler writing = { drained, NULL, written_cb };

static void give_up(struct fetch *fetch)
{
    struct err err = { 0 };
    enum status st;

    if (fetch->all_lack_it && fetch->tried == (1u << fetch->peers->link_count) - 1)
        st = err_set(&err, ST_NOT_FOUND, "no zone has this blob");
    else
        st = err_set(&err, ST_UNAVAILABLE, "no zone that can be reached has this blob");
    end(fetch, st, &err);
}

static bool choose_link(const struct fetch *fetch, size_t *out_link)
{
    const struct peers *peers = fetch->peers;
    struct copy_peer standing[PEERS_MAX];

    for (size_t i = 0; i < peers->link_count; i++)
        standing[i] = peer_link_standing(peers->links[i]);
    return copies_next_source(standing, peers->link_count, fetch->tried, uv_now(peers->loop),
                              out_link);
}

static void ask_next_peer(struct fetch *fetch)
{
    struct peers *peers = fetch->peers;

    peer_call_end(&fetch->call);
    while (!peers->closing && choose_link(fetch, &fetch->link)) {
        fetch->tried |= 1u << fetch->link;
        peer_link_asked(peers->links[fetch->link]);
        if (peer_call_begin(peers->links[fetch->link], &fetch->call) != ST_OK) {
            fetch->all_lack_it = false;
            continue;
        }
        fetch->ending = false;
        fetch->offset = 0;
        blob_write_start(peers->store, &writing, fetch, &fetch->writer);
        ask_part(fetch);
        return;
    }
    give_up(fetch);
}

/* With no peer at all the end would come from inside fetch_start(); a writer that is given up at
 * once brings it from the loop. */
void fetch_start(struct peers *peers,
                 const struct blob_id *id,
                 fetch_fn done,
                 void *context,
                 struct fetch **out_fetch)
{
    struct fetch *fetch = must_calloc(1, sizeof *fetch);

    fetch->peers = peers;
    fetch->id = *id;
    fetch->done = done;
    fetch->context = context;
    fetch->call.on_reply = on_reply;
    fetch->call.on_lost = on_lost;
    fetch->all_lack_it = true;
    fetch->moved_ms = uv_now(peers->loop);
    fetch->next = peers->fetches;
    if (fetch->next != NULL)
        fetch->next->previous = fetch;
    peers->fetches = fetch;
    *out_fetch = fetch;
    fetch->ending = true;
    blob_write_start(peers->store, &writing, fetch, &fetch->writer);
    blob_write_abort(fetch->writer);
}

void fetch_forget(struct fetch *fetch)
{
    fetch->done = NULL;
}

void fetches_tick(struct peers *peers, uint64_t now_ms)
{
    struct fetch *next;

    for (struct fetch *fetch = peers->fetches; fetch != NULL; fetch = next) {
        next = fetch->next;
        if (fetch->call.link == NULL || fetch->wants_part)
            continue;
        if (now_ms - fetch->moved_ms <= PEER_STALL_MS)
            continue;
        peer_link_stalled(fetch->call.link);
        fetch->all_lack_it = false;
        drop_peer(fetch);
    }
}

/* Their writers end from the loop, and then they do. */
void fetches_cancel(struct peers *peers)
{
    for (struct fetch *fetch = peers->fetches; fetch != NULL; fetch = fetch->next)
        drop_peer(fetch);
}
