/* One link to another store, on which we ask; what it asks of us comes over its own link
 * (keeper.c).
 *
 * Owner: struct peers.  Calls are slots, so a reply finds its call at once; a broken link tells
 * every call exactly once. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/peers/peers_internal.h"
#include "proto/blob.pb-c.h"

enum status peer_call_begin(struct peer_link *link, struct peer_call *call)
{
    CHECK(call->link == NULL);
    if (stream_dialer_current(link->dialer) == NULL)
        return ST_UNAVAILABLE;
    for (uint32_t i = 0; i < PEER_CALLS_MAX; i++) {
        if (link->calls[i] != NULL)
            continue;
        link->calls[i] = call;
        link->calls_used++;
        call->link = link;
        call->id = (uint64_t)++link->generation << 32 | i;
        return ST_OK;
    }
    return ST_LIMIT;
}

void peer_call_end(struct peer_call *call)
{
    struct peer_link *link = call->link;

    if (link == NULL)
        return;
    CHECK(link->calls[(uint32_t)call->id] == call);
    link->calls[(uint32_t)call->id] = NULL;
    link->calls_used--;
    call->link = NULL;
}

enum status peer_call_send(struct peer_call *call, uint16_t type, const ProtobufCMessage *message)
{
    struct buf body = { 0 };
    struct stream *stream;
    enum status st;

    CHECK(call->link != NULL);
    stream = stream_dialer_current(call->link->dialer);
    if (stream == NULL)
        return ST_UNAVAILABLE;
    body.len = protobuf_c_message_pack(
        message, buf_reserve(&body, protobuf_c_message_get_packed_size(message)));
    st = stream_send(stream, type, buf_view(&body), (struct bytes){ 0 });
    buf_done(&body);
    return st;
}

enum status peer_call_send_chunk(struct peer_call *call, struct bytes chunk)
{
    struct stream *stream;
    uint8_t head[8];

    CHECK(call->link != NULL);
    stream = stream_dialer_current(call->link->dialer);
    if (stream == NULL)
        return ST_UNAVAILABLE;
    for (unsigned i = 0; i < sizeof head; i++)
        head[i] = (uint8_t)(call->id >> (8 * i));
    return stream_send(stream, LAPWING__BLOB_FRAME__BLOB_PUT_CHUNK, bytes_of(head, sizeof head),
                       chunk);
}

static void deliver(struct peer_link *link, uint64_t id, const struct peer_reply *reply)
{
    uint32_t slot = (uint32_t)id;
    struct peer_call *call;

    if (slot >= PEER_CALLS_MAX)
        return;
    call = link->calls[slot];
    if (call != NULL && call->id == id)
        call->on_reply(call, reply); /* else: of a call that we gave up */
}

static enum status known_status(uint32_t status)
{
    return status < STATUS_COUNT ? (enum status)status : ST_UNSUPPORTED;
}

static bool on_put_done(struct peer_link *link, struct bytes body)
{
    Lapwing__BlobPutDone *done = lapwing__blob_put_done__unpack(NULL, body.len, body.data);
    struct peer_reply reply = { .type = LAPWING__BLOB_FRAME__BLOB_PUT_DONE };

    if (done == NULL)
        return false;
    reply.status = known_status(done->status);
    reply.text = done->text;
    deliver(link, done->id, &reply);
    lapwing__blob_put_done__free_unpacked(done, NULL);
    return true;
}

static bool on_put_progress(struct peer_link *link, struct bytes body)
{
    Lapwing__BlobPutProgress *seen = lapwing__blob_put_progress__unpack(NULL, body.len, body.data);
    struct peer_reply reply = { .type = LAPWING__BLOB_FRAME__BLOB_PUT_PROGRESS };

    if (seen == NULL)
        return false;
    reply.bytes = seen->bytes;
    deliver(link, seen->id, &reply);
    lapwing__blob_put_progress__free_unpacked(seen, NULL);
    return true;
}

static bool on_get_done(struct peer_link *link, struct bytes body)
{
    Lapwing__BlobGetDone *done = lapwing__blob_get_done__unpack(NULL, body.len, body.data);
    struct peer_reply reply = { .type = LAPWING__BLOB_FRAME__BLOB_GET_DONE };

    if (done == NULL)
        return false;
    reply.status = known_status(done->status);
    reply.text = done->text;
    reply.bytes = done->bytes;
    deliver(link, done->id, &reply);
    lapwing__blob_get_done__free_unpacked(done, NULL);
    return true;
}

static bool on_get_chunk(struct peer_link *link, struct bytes body)
{
    struct peer_reply reply = { .type = LAPWING__BLOB_FRAME__BLOB_GET_CHUNK };
    uint64_t id = 0;

    if (body.len < 8)
        return false;
    for (unsigned i = 0; i < 8; i++)
        id |= (uint64_t)body.data[i] << (8 * i);
    reply.chunk = bytes_of(body.data + 8, body.len - 8);
    deliver(link, id, &reply);
    return true;
}

/* Something came, or the stream opened. */
static void note_heard(struct peer_link *link)
{
    enum failure_change change;

    peers_watch(link->peers);
    change = failure_heard(&link->peers->watch, &link->health);
    if (change == FAILURE_NOW_BACK || change == FAILURE_NOW_CLEARED)
        log_event(LOG_INFO, "peer_back", LS("peer_zone", link->zone),
                  LS("from", change == FAILURE_NOW_BACK ? "out" : "suspected"));
}

static void on_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct peer_link *link = context;
    bool ok = true; /* unknown types are a newer release's: skipped */

    note_heard(link);
    if (type == LAPWING__BLOB_FRAME__BLOB_ALIVE)
        return; /* which says nothing about its disk */
    link->stalled = false;
    if (type == LAPWING__BLOB_FRAME__BLOB_PUT_DONE)
        ok = on_put_done(link, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_PUT_PROGRESS)
        ok = on_put_progress(link, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_GET_CHUNK)
        ok = on_get_chunk(link, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_GET_DONE)
        ok = on_get_done(link, body);
    if (ok)
        return;
    log_event(LOG_WARN, "bad_frame", LS("peer", stream_peer(stream)->node), LU("type", type),
              LS("then", "closing the link"));
    stream_close(stream);
}

static void on_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct peer_link *link = context;

    link->stalled = false;
    peers_watch(link->peers);
    if (!link->known)
        failure_peer_start(&link->peers->watch, &link->health);
    link->known = true;
    (void)snprintf(link->zone, sizeof link->zone, "%s", peer->zone);
    log_event(LOG_INFO, "peer_connected", LS("peer", peer->node), LS("peer_zone", peer->zone));
    note_heard(link);
}

static void on_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct peer_link *link = context;

    peers_watch(link->peers);
    (void)failure_lost(&link->peers->watch, &link->health);
    if (!link->peers->closing)
        log_event(LOG_WARN, "peer_lost", LS("peer", stream_peer(stream)->node),
                  LS("peer_zone", link->zone), LS("text", err->text), LU("calls", link->calls_used),
                  LU("hold_ms", link->health.hold_ms), LS("then", "dialling again"));
    for (uint32_t i = 0; i < PEER_CALLS_MAX && link->calls_used > 0; i++) {
        struct peer_call *call = link->calls[i];

        if (call == NULL)
            continue;
        peer_call_end(call);
        call->on_lost(call);
    }
}

static const struct stream_handler handler = { on_open, on_frame, NULL, on_close };

enum status peer_link_new(struct peers *peers,
                          const struct peer_address *peer,
                          const struct stream_identity *identity,
                          struct peer_link **out_link,
                          struct err *err)
{
    struct peer_link *link = must_calloc(1, sizeof *link);
    enum status st;

    link->peers = peers;
    st = stream_dial(peers->loop,
                     &(struct stream_dial_options){
                         .address = peer->address,
                         .identity = identity,
                         .service = STREAM_BLOB,
                         .node = peer->node,
                         .handler = &handler,
                         .context = link,
                     },
                     &link->dialer, err);
    if (st != ST_OK) {
        free(link);
        return st;
    }
    *out_link = link;
    return ST_OK;
}

struct copy_peer peer_link_standing(const struct peer_link *link)
{
    const struct failure_watch *watch = &link->peers->watch;
    bool open = stream_dialer_current(link->dialer) != NULL;
    bool returning = open && failure_is_returning(watch, &link->health);

    return (struct copy_peer){
        .connected = open && (returning || link->health.state != FAILURE_OUT),
        .zone = link->zone,
        .stalled = link->stalled,
        .stalled_ms = link->stalled_ms,
        .suspected = link->health.state == FAILURE_SUSPECTED,
        .returning = returning,
    };
}

void peer_link_stalled(struct peer_link *link)
{
    if (!link->stalled)
        log_event(LOG_WARN, "peer_stalled", LS("peer_zone", link->zone),
                  LS("then", "leaving it alone for some seconds"));
    link->stalled = true;
    link->stalled_ms = uv_now(link->peers->loop);
}

void peer_link_asked(struct peer_link *link)
{
    if (link->stalled)
        link->stalled_ms = uv_now(link->peers->loop);
}

void peer_link_tick(struct peer_link *link)
{
    const struct failure_watch *watch = &link->peers->watch;
    struct stream *stream = stream_dialer_current(link->dialer);
    enum failure_change change;

    if (!link->known)
        return;
    change = failure_tick(watch, &link->health);
    if (change == FAILURE_NOW_SUSPECTED)
        log_event(LOG_WARN, "peer_suspected", LS("peer_zone", link->zone),
                  LU("silent_ms", failure_silence_ms(watch, &link->health)),
                  LS("then", "reading from others first"));
    if (change != FAILURE_NOW_OUT)
        return;
    log_event(LOG_WARN, "peer_out", LS("peer_zone", link->zone), LS("why", "silent"),
              LU("silent_ms", failure_silence_ms(watch, &link->health)),
              LU("hold_ms", link->health.hold_ms), LS("then", "closing the link"));
    if (stream != NULL)
        stream_close(stream);
}

void peer_link_close(struct peer_link *link)
{
    stream_dialer_close(link->dialer);
}
