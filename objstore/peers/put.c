/* One blob on its way to this disk and to the other zones at once.
 *
 *   start ─► writes ─► finish ─┬─ here:   write, sync, rename ────────────┐
 *                              └─ peers:  END ─► DONE (each on its own) ──┴─► copies_verdict() ─►
 * done
 *
 * Owner: itself.  It is answered once the verdict is known and freed once every copy has ended, so
 * the third zone may take its time. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/peers/copies.h"
#include "objstore/peers/peers_internal.h"
#include "proto/blob.pb-c.h"

struct copy {
    struct peer_call call;
    struct put *put;
    enum copy_state state;
    char zone[ZONE_BYTES_MAX + 1];
    uint64_t sent;
    uint64_t written;  /* the peer says so */
    uint64_t moved_ms; /* when it last moved, or had nothing to do */
    bool ended;        /* END was sent */
};

/* Freed in release(), nowhere else. */
struct put {
    struct peers *peers;
    struct put *next, *previous;
    const struct put_handler *handler;
    void *context;
    void *tap_context; /* owned; touched by a pool thread while there is a writer */
    bool answered;
    bool finishing;
    bool paused;
    uint64_t finish_ms;

    struct blob_writer *writer; /* NULL once it is done */
    enum copy_state local;
    struct blob_write_result result;
    struct err err;
    uint64_t bytes;

    unsigned needed;
    size_t count;
    struct copy copies[PEERS_MAX];
};

static void release(struct put *put)
{
    if (!put->answered || put->writer != NULL)
        return;
    for (size_t i = 0; i < put->count; i++)
        if (put->copies[i].state == COPY_SENDING)
            return;
    if (put->previous != NULL)
        put->previous->next = put->next;
    else
        put->peers->puts = put->next;
    if (put->next != NULL)
        put->next->previous = put->previous;
    if (put->handler->tap_free != NULL)
        put->handler->tap_free(put->tap_context);
    free(put);
}

static void answer(struct put *put, enum status status)
{
    CHECK(!put->answered);
    put->answered = true;
    put->result.status = status;
    put->handler->on_done(put, &put->result, &put->err, put->context);
}

static void copy_lose(struct copy *copy, const char *why)
{
    Lapwing__BlobPutAbort abort_message = LAPWING__BLOB_PUT_ABORT__INIT;

    if (copy->state != COPY_SENDING)
        return;
    if (!copy->put->answered)
        log_event(LOG_WARN, "copy_lost", LS("peer_zone", copy->zone), LS("text", why),
                  LS("then", "going on with the other zones"));
    copy->state = COPY_LOST;
    if (copy->call.link == NULL)
        return;
    abort_message.id = copy->call.id;
    (void)peer_call_send(&copy->call, LAPWING__BLOB_FRAME__BLOB_PUT_ABORT, &abort_message.base);
    peer_call_end(&copy->call);
}

/* Give up whatever has not ended; for when the answer is a refusal. */
static void lose_all(struct put *put, const char *why)
{
    for (size_t i = 0; i < put->count; i++)
        copy_lose(&put->copies[i], why);
    if (put->writer != NULL && !put->finishing) {
        put->finishing = true;
        blob_write_abort(put->writer);
    }
}

static void refuse(struct put *put, enum status status)
{
    answer(put, status);
    lose_all(put, "the put was refused");
}

/* Something changed: is it decided? */
static void decide(struct put *put)
{
    struct copy_place own = { put->local, put->peers->zone };
    struct copy_place places[PEERS_MAX];

    if (put->answered)
        return;
    for (size_t i = 0; i < put->count; i++)
        places[i] = (struct copy_place){ put->copies[i].state, put->copies[i].zone };
    switch (copies_verdict(&own, places, put->count, put->needed)) {
    case COPIES_WAIT:
        return;
    case COPIES_DONE:
        answer(put, ST_OK);
        return;
    case COPIES_FAILED:
        if (put->local == COPY_LOST) {
            refuse(put, put->result.status);
            return;
        }
        (void)err_set(&put->err, ST_UNAVAILABLE,
                      "the object could not be stored in a second zone; nothing was changed");
        refuse(put, ST_UNAVAILABLE);
        return;
    }
    CHECK(!"copies_verdict: unknown");
}

static void wake(struct put *put)
{
    if (!put->paused || put->answered || put_wants_pause(put))
        return;
    put->paused = false;
    if (put->handler->on_drain != NULL)
        put->handler->on_drain(put, put->context);
}

/* ---- peers ---- */

static void send_end(struct copy *copy, const struct blob_id *id)
{
    Lapwing__BlobPutEnd end = LAPWING__BLOB_PUT_END__INIT;

    if (copy->state != COPY_SENDING || copy->ended)
        return;
    copy->ended = true;
    copy->moved_ms = uv_now(copy->put->peers->loop);
    end.id = copy->call.id;
    end.bytes = copy->put->bytes;
    end.sha256 = (ProtobufCBinaryData){ BLOB_ID_BYTES, (uint8_t *)(uintptr_t)id->sha256 };
    if (peer_call_send(&copy->call, LAPWING__BLOB_FRAME__BLOB_PUT_END, &end.base) != ST_OK)
        copy_lose(copy, "its queue is full");
}

static void on_reply(struct peer_call *call, const struct peer_reply *reply)
{
    struct copy *copy = container_of(call, struct copy, call);
    struct put *put = copy->put;

    copy->moved_ms = uv_now(put->peers->loop);
    if (reply->type == LAPWING__BLOB_FRAME__BLOB_PUT_PROGRESS) {
        if (reply->bytes <= copy->sent && reply->bytes > copy->written)
            copy->written = reply->bytes;
        wake(put);
        return;
    }
    if (reply->type != LAPWING__BLOB_FRAME__BLOB_PUT_DONE)
        return;
    peer_call_end(call);
    if (reply->status == ST_OK && copy->ended)
        copy->state = COPY_SYNCED;
    else
        copy_lose(copy, reply->text);
    decide(put);
    wake(put);
    release(put);
}

static void on_lost(struct peer_call *call)
{
    struct copy *copy = container_of(call, struct copy, call);
    struct put *put = copy->put;

    copy_lose(copy, "the link broke");
    decide(put);
    wake(put);
    release(put);
}

static void copy_begin(struct put *put, struct peer_link *link)
{
    Lapwing__BlobPutBegin begin = LAPWING__BLOB_PUT_BEGIN__INIT;
    struct copy *copy = &put->copies[put->count];

    copy->put = put;
    copy->call.on_reply = on_reply;
    copy->call.on_lost = on_lost;
    copy->moved_ms = uv_now(put->peers->loop);
    (void)strcpy(copy->zone, link->zone);
    if (peer_call_begin(link, &copy->call) != ST_OK)
        return;
    peer_link_asked(link);
    begin.id = copy->call.id;
    if (peer_call_send(&copy->call, LAPWING__BLOB_FRAME__BLOB_PUT_BEGIN, &begin.base) != ST_OK) {
        peer_call_end(&copy->call);
        return;
    }
    put->count++;
}

/* ---- this disk ---- */

static void local_drained(struct blob_writer *writer, uint64_t written, void *context)
{
    wake(context);
}

static void local_tap(struct bytes piece, void *context)
{
    struct put *put = context;

    if (put->handler->tap != NULL)
        put->handler->tap(piece, put->tap_context);
}

static void local_done(struct blob_writer *writer,
                       const struct blob_write_result *result,
                       const struct err *err,
                       void *context)
{
    struct put *put = context;

    put->writer = NULL;
    if (!put->answered) {
        put->result = *result;
        put->err = *err;
    }
    put->local = result->status == ST_OK ? COPY_SYNCED : COPY_LOST;
    if (result->status == ST_OK)
        for (size_t i = 0; i < put->count; i++)
            send_end(&put->copies[i], &result->id);
    decide(put);
    release(put);
}

static const struct blob_writer_handler local_handler = { local_drained, local_tap, local_done };

/* ---- the caller's side ---- */

enum status put_start(struct peers *peers,
                      const struct put_handler *handler,
                      void *context,
                      void *tap_context,
                      struct put **out_put,
                      struct err *err)
{
    unsigned needed = peers->link_count > 0 ? 1 : 0;
    struct copy_peer standing[PEERS_MAX];
    bool use[PEERS_MAX];
    struct put *put;

    if (peers->closing)
        return err_set(err, ST_UNAVAILABLE, "the object store is stopping");
    if (peers_zones_connected(peers) < needed)
        return err_set(err, ST_UNAVAILABLE,
                       "no other zone's object store is connected, and an object must be in two");
    put = must_calloc(1, sizeof *put);
    put->peers = peers;
    put->handler = handler;
    put->context = context;
    put->tap_context = tap_context;
    put->needed = needed;
    for (size_t i = 0; i < peers->link_count; i++)
        standing[i] = peer_link_standing(peers->links[i]);
    copies_choose(standing, peers->link_count, peers->zone, needed, uv_now(peers->loop), use);
    for (size_t i = 0; i < peers->link_count; i++)
        if (use[i])
            copy_begin(put, peers->links[i]);
    blob_write_start(peers->store, &local_handler, put, &put->writer);
    put->next = peers->puts;
    if (put->next != NULL)
        put->next->previous = put;
    peers->puts = put;
    *out_put = put;
    return ST_OK;
}

void put_write(struct put *put, struct bytes piece)
{
    uint64_t now_ms = uv_now(put->peers->loop);

    CHECK(!put->finishing);
    CHECK(!put->answered);
    put->bytes += piece.len;
    blob_write(put->writer, piece);
    for (size_t i = 0; i < put->count; i++) {
        struct copy *copy = &put->copies[i];

        if (copy->state != COPY_SENDING)
            continue;
        if (copy->sent == copy->written)
            copy->moved_ms = now_ms;
        copy->sent += piece.len;
        /* The verdict waits for the tick or finish: no callback from inside this call. */
        if (peer_call_send_chunk(&copy->call, piece) != ST_OK)
            copy_lose(copy, "its queue is full");
    }
    put->paused = put->paused || put_wants_pause(put);
}

bool put_wants_pause(const struct put *put)
{
    if (put->writer != NULL && blob_write_waiting(put->writer) > BLOB_WRITE_QUEUE_BYTES)
        return true;
    for (size_t i = 0; i < put->count; i++) {
        const struct copy *copy = &put->copies[i];

        if (copy->state == COPY_SENDING && copy->sent - copy->written > PEER_WINDOW_BYTES)
            return true;
    }
    return false;
}

void put_finish(struct put *put, const struct blob_id *expected)
{
    CHECK(!put->finishing);
    CHECK(!put->answered);
    put->finishing = true;
    put->finish_ms = uv_now(put->peers->loop);
    blob_write_finish(put->writer, expected);
    if (expected == NULL)
        return; /* the hash is known when the own copy is done */
    for (size_t i = 0; i < put->count; i++)
        send_end(&put->copies[i], expected);
}

void put_abort(struct put *put)
{
    CHECK(!put->answered);
    put->answered = true;
    lose_all(put, "the client went away");
    release(put);
}

/* ---- time ---- */

static void put_tick(struct put *put, uint64_t now_ms)
{
    for (size_t i = 0; i < put->count; i++) {
        struct copy *copy = &put->copies[i];
        bool owes = copy->ended || copy->sent > copy->written;

        if (copy->state != COPY_SENDING || !owes || now_ms - copy->moved_ms <= PEER_STALL_MS)
            continue;
        if (copy->call.link != NULL)
            peer_link_stalled(copy->call.link);
        copy_lose(copy, "it moved nothing for too long");
    }
    decide(put);
    if (!put->answered && put->finishing && now_ms - put->finish_ms > PUT_FINISH_MS) {
        (void)err_set(&put->err, ST_TIMEOUT, "the disks did not sync the object in time");
        refuse(put, ST_TIMEOUT);
    }
    wake(put);
    release(put);
}

void puts_tick(struct peers *peers, uint64_t now_ms)
{
    struct put *next;

    for (struct put *put = peers->puts; put != NULL; put = next) {
        next = put->next;
        put_tick(put, now_ms);
    }
}

void puts_cancel(struct peers *peers)
{
    struct put *next;

    for (struct put *put = peers->puts; put != NULL; put = next) {
        next = put->next;
        if (!put->answered) {
            (void)err_set(&put->err, ST_CANCELLED, "the object store is stopping");
            answer(put, ST_CANCELLED);
        }
        lose_all(put, "the object store is stopping");
        release(put);
    }
}
