/* The keeping side: other stores dial us, send blobs to keep and ask for blobs we have.
 *
 *   BEGIN ─► CHUNK* ─► END ─► DONE        the writer may be PEER_WINDOW_BYTES ahead of PROGRESS
 *   GET ─► CHUNK* ─► DONE                 at most KEEPER_GET_BYTES_MAX a GET, so no queue grows
 *
 * Owner: struct peers.  A session is one incoming stream; it lives until its stream is closed and
 * its last blob has let go. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/peers/peers_internal.h"
#include "proto/blob.pb-c.h"

enum {
    KEEPER_BLOBS_MAX = 256, /* under way on one stream, each way */
    KEEPER_GET_BYTES_MAX = 4 << 20,
};

/* A blob that is sent to us.  Freed in put_done(). */
struct keeper_put {
    struct session *session;
    struct keeper_put *next;
    uint64_t id;
    uint64_t bytes;
    struct blob_writer *writer;
    bool ending; /* finish or abort was called */
};

/* A blob, or a part, that we send.  Freed in get_free(). */
struct keeper_get {
    struct session *session;
    struct keeper_get *next;
    uint64_t id;
    struct blob_reader *reader;
    uint64_t left;  /* of the part asked for */
    uint64_t bytes; /* of the whole blob */
};

struct session {
    struct keeper *keeper;
    struct session *next;  /* while its stream is open */
    struct stream *stream; /* NULL once closed */
    struct keeper_put *puts;
    struct keeper_get *gets;
    unsigned count;
};

struct keeper {
    struct peers *peers;
    struct stream_listener *listener;
    struct session *sessions; /* whose streams are open */
};

static void session_release(struct session *session)
{
    if (session->stream == NULL && session->puts == NULL && session->gets == NULL)
        free(session);
}

static void send_message(struct session *session, uint16_t type, const ProtobufCMessage *message)
{
    struct buf body = { 0 };

    if (session->stream == NULL)
        return;
    body.len = protobuf_c_message_pack(
        message, buf_reserve(&body, protobuf_c_message_get_packed_size(message)));
    /* A queue that is full belongs to a peer that reads nothing: its own deadline deals with us. */
    (void)stream_send(session->stream, type, buf_view(&body), (struct bytes){ 0 });
    buf_done(&body);
}

/* ---- put ---- */

static void send_put_done(struct session *session,
                          uint64_t id,
                          enum status status,
                          const char *text)
{
    Lapwing__BlobPutDone done = LAPWING__BLOB_PUT_DONE__INIT;

    done.id = id;
    done.status = status;
    done.text = (char *)(uintptr_t)text; /* packed, not changed */
    send_message(session, LAPWING__BLOB_FRAME__BLOB_PUT_DONE, &done.base);
}

static void put_drained(struct blob_writer *writer, uint64_t written, void *context)
{
    Lapwing__BlobPutProgress progress = LAPWING__BLOB_PUT_PROGRESS__INIT;
    struct keeper_put *put = context;

    progress.id = put->id;
    progress.bytes = written;
    send_message(put->session, LAPWING__BLOB_FRAME__BLOB_PUT_PROGRESS, &progress.base);
}

static void put_done(struct blob_writer *writer,
                     const struct blob_write_result *result,
                     const struct err *err,
                     void *context)
{
    struct keeper_put *put = context;
    struct session *session = put->session;
    struct keeper_put **at = &session->puts;

    while (*at != put)
        at = &(*at)->next;
    *at = put->next;
    session->count--;
    if (result->status == ST_IO || result->status == ST_LIMIT)
        log_event(LOG_ERROR, "blob_not_kept", LS("status", status_name(result->status)),
                  LS("text", err->text));
    send_put_done(session, put->id, result->status, err->text);
    free(put);
    session_release(session);
}

static const struct blob_writer_handler writing = { put_drained, NULL, put_done };

static struct keeper_put *put_find(struct session *session, uint64_t id)
{
    struct keeper_put *put = session->puts;

    while (put != NULL && put->id != id)
        put = put->next;
    return put != NULL && !put->ending ? put : NULL;
}

static bool on_put_begin(struct session *session, struct bytes body)
{
    Lapwing__BlobPutBegin *begin = lapwing__blob_put_begin__unpack(NULL, body.len, body.data);
    struct keeper_put *put;
    uint64_t id;

    if (begin == NULL)
        return false;
    id = begin->id;
    lapwing__blob_put_begin__free_unpacked(begin, NULL);
    if (put_find(session, id) != NULL)
        return false;
    if (session->count >= KEEPER_BLOBS_MAX) {
        send_put_done(session, id, ST_LIMIT, "too many blobs under way");
        return true;
    }
    put = must_calloc(1, sizeof *put);
    put->session = session;
    put->id = id;
    put->next = session->puts;
    session->puts = put;
    session->count++;
    blob_write_start(session->keeper->peers->store, &writing, put, &put->writer);
    return true;
}

static bool on_put_chunk(struct session *session, struct bytes body)
{
    struct keeper_put *put;
    uint64_t id = 0;

    if (body.len < 8)
        return false;
    for (unsigned i = 0; i < 8; i++)
        id |= (uint64_t)body.data[i] << (8 * i);
    put = put_find(session, id);
    if (put == NULL)
        return true; /* refused or failed before: it will read our answer */
    if (blob_write_waiting(put->writer) > (uint64_t)2 * PEER_WINDOW_BYTES + FRAME_BYTES_MAX)
        return false; /* it does not keep to the window */
    put->bytes += body.len - 8;
    blob_write(put->writer, bytes_of(body.data + 8, body.len - 8));
    return true;
}

static bool on_put_end(struct session *session, struct bytes body)
{
    Lapwing__BlobPutEnd *end = lapwing__blob_put_end__unpack(NULL, body.len, body.data);
    struct keeper_put *put;
    struct blob_id id;
    bool ok;

    if (end == NULL)
        return false;
    put = put_find(session, end->id);
    ok = end->sha256.len == BLOB_ID_BYTES && (put == NULL || put->bytes == end->bytes);
    if (ok && put != NULL) {
        memcpy(id.sha256, end->sha256.data, BLOB_ID_BYTES);
        put->ending = true;
        blob_write_finish(put->writer, &id);
    }
    lapwing__blob_put_end__free_unpacked(end, NULL);
    return ok;
}

static bool on_put_abort(struct session *session, struct bytes body)
{
    Lapwing__BlobPutAbort *end = lapwing__blob_put_abort__unpack(NULL, body.len, body.data);
    struct keeper_put *put;

    if (end == NULL)
        return false;
    put = put_find(session, end->id);
    if (put != NULL) {
        put->ending = true;
        blob_write_abort(put->writer);
    }
    lapwing__blob_put_abort__free_unpacked(end, NULL);
    return true;
}

/* ---- get ---- */

static void get_free(struct keeper_get *get)
{
    struct session *session = get->session;
    struct keeper_get **at = &session->gets;

    while (*at != get)
        at = &(*at)->next;
    *at = get->next;
    session->count--;
    blob_read_close(get->reader);
    free(get);
    session_release(session);
}

static void get_end(struct keeper_get *get, enum status status)
{
    Lapwing__BlobGetDone done = LAPWING__BLOB_GET_DONE__INIT;

    done.id = get->id;
    done.status = status;
    done.bytes = get->bytes;
    send_message(get->session, LAPWING__BLOB_FRAME__BLOB_GET_DONE, &done.base);
    get_free(get);
}

static bool send_chunk(struct keeper_get *get, struct bytes piece)
{
    uint8_t head[8];

    if (get->session->stream == NULL)
        return false;
    for (unsigned i = 0; i < sizeof head; i++)
        head[i] = (uint8_t)(get->id >> (8 * i));
    return stream_send(get->session->stream, LAPWING__BLOB_FRAME__BLOB_GET_CHUNK,
                       bytes_of(head, sizeof head), piece) == ST_OK;
}

static void get_opened(struct blob_reader *reader,
                       enum status status,
                       uint64_t bytes,
                       void *context)
{
    struct keeper_get *get = context;
    struct bytes held;

    get->bytes = bytes;
    if (status != ST_OK) {
        get_end(get, status);
        return;
    }
    if (!blob_read_held(reader, &held)) {
        blob_read_next(reader);
        return;
    }
    get_end(get, held.len == 0 || send_chunk(get, held) ? ST_OK : ST_LIMIT);
}

static void get_piece(struct blob_reader *reader,
                      enum status status,
                      struct bytes piece,
                      void *context)
{
    struct keeper_get *get = context;

    if (status != ST_OK || piece.len == 0) {
        get_end(get, status);
        return;
    }
    get->left -= piece.len < get->left ? piece.len : get->left;
    if (!send_chunk(get, piece))
        get_end(get, ST_LIMIT);
    else if (get->left == 0)
        get_end(get, ST_OK);
    else
        blob_read_next(reader);
}

static const struct blob_reader_handler reading = { get_opened, get_piece };

static void send_get_refused(struct session *session, uint64_t id)
{
    Lapwing__BlobGetDone done = LAPWING__BLOB_GET_DONE__INIT;

    done.id = id;
    done.status = ST_LIMIT;
    done.text = (char *)(uintptr_t) "too many blobs under way";
    send_message(session, LAPWING__BLOB_FRAME__BLOB_GET_DONE, &done.base);
}

static bool on_get(struct session *session, struct bytes body)
{
    Lapwing__BlobGet *request = lapwing__blob_get__unpack(NULL, body.len, body.data);
    struct blob_range range;
    struct keeper_get *get;
    struct blob_id id;
    uint64_t call;

    if (request == NULL)
        return false;
    if (request->sha256.len != BLOB_ID_BYTES) {
        lapwing__blob_get__free_unpacked(request, NULL);
        return false;
    }
    memcpy(id.sha256, request->sha256.data, BLOB_ID_BYTES);
    range.offset = request->offset;
    range.bytes = request->bytes_max;
    call = request->id;
    lapwing__blob_get__free_unpacked(request, NULL);
    if (range.bytes == 0 || range.bytes > KEEPER_GET_BYTES_MAX)
        range.bytes = KEEPER_GET_BYTES_MAX;
    if (session->count >= KEEPER_BLOBS_MAX) {
        send_get_refused(session, call);
        return true;
    }
    get = must_calloc(1, sizeof *get);
    get->session = session;
    get->id = call;
    get->left = range.bytes;
    get->next = session->gets;
    session->gets = get;
    session->count++;
    blob_read_start(session->keeper->peers->store, &id, &range, &reading, get, &get->reader);
    return true;
}

/* ---- session ---- */

static void on_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct session *session = context;
    bool ok = true; /* unknown types are a newer release's: skipped */

    if (type == LAPWING__BLOB_FRAME__BLOB_PUT_CHUNK)
        ok = on_put_chunk(session, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_PUT_BEGIN)
        ok = on_put_begin(session, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_PUT_END)
        ok = on_put_end(session, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_PUT_ABORT)
        ok = on_put_abort(session, body);
    else if (type == LAPWING__BLOB_FRAME__BLOB_GET)
        ok = on_get(session, body);
    if (ok)
        return;
    log_event(LOG_WARN, "bad_frame", LS("peer", stream_peer(stream)->node), LU("type", type),
              LS("then", "closing the link"));
    stream_close(stream);
}

static void on_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct session *session = context;
    struct session **at = &session->keeper->sessions;

    while (*at != session) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = session->next;
    session->stream = NULL;
    for (struct keeper_put *put = session->puts; put != NULL; put = put->next) {
        if (put->ending)
            continue;
        put->ending = true;
        blob_write_abort(put->writer);
    }
    /* Readers end at their next send, which fails now. */
    session_release(session);
}

static const struct stream_handler handler = { NULL, on_frame, NULL, on_close };

static void *accept_session(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct session *session = must_calloc(1, sizeof *session);

    session->keeper = context;
    session->stream = stream;
    session->next = session->keeper->sessions;
    session->keeper->sessions = session;
    log_event(LOG_INFO, "peer_accepted", LS("peer", peer->node), LS("peer_zone", peer->zone));
    return session;
}

enum status keeper_open(struct peers *peers,
                        const char *address,
                        const struct stream_identity *identity,
                        struct keeper **out_keeper,
                        struct err *err)
{
    struct keeper *keeper = must_calloc(1, sizeof *keeper);
    enum status st;

    keeper->peers = peers;
    st = stream_listen(peers->loop,
                       &(struct stream_listen_options){
                           .address = address,
                           .identity = identity,
                           .service = STREAM_BLOB,
                           .handler = &handler,
                           .accepted = accept_session,
                           .context = keeper,
                       },
                       &keeper->listener, err);
    if (st != ST_OK) {
        free(keeper);
        return st;
    }
    *out_keeper = keeper;
    return ST_OK;
}

void keeper_tick(struct keeper *keeper)
{
    /* One that finds no room in the queue is not missed: what is in the queue says the same. */
    for (struct session *session = keeper->sessions; session != NULL; session = session->next)
        (void)stream_send(session->stream, LAPWING__BLOB_FRAME__BLOB_ALIVE, (struct bytes){ 0 },
                          (struct bytes){ 0 });
}

void keeper_close(struct keeper *keeper)
{
    if (keeper != NULL && keeper->listener != NULL)
        stream_listener_close(keeper->listener);
}

void keeper_free(struct keeper *keeper)
{
    free(keeper);
}
