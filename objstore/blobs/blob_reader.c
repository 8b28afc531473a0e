/* Reading one blob, with one job on the pool at a time.
 *
 *   start ──► job: open, verify (and hold a small one) ──► on_open ──► next ──► job: read ──►
 * on_piece
 *
 * A struct belongs to the loop; while `in_flight` the fields below the line are the pool thread's.
 */
#include "objstore/blobs/blob_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "objstore/blobs/blob_internal.h"

/* Freed by reader_free(), from blob_read_close() or from the job that outlived it. */
struct blob_reader {
    struct blob_store *store;
    const struct blob_reader_handler *handler;
    void *context;
    bool in_flight;
    bool closed;
    bool opened;

    /* ---- the pool thread's while in_flight ---- */
    uv_work_t work;
    struct blob_id id;
    struct blob_range range; /* cut to the blob's size once it is open */
    int fd;
    uint64_t bytes; /* of the whole blob */
    uint8_t *held;  /* the whole blob, or a piece of BLOB_PIECE_BYTES */
    bool is_held;
    size_t piece_bytes;
    enum status status;
    struct err err;
};

static void range_cut(struct blob_range *range, uint64_t bytes)
{
    if (range->offset > bytes)
        range->offset = bytes;
    if (range->bytes > bytes - range->offset)
        range->bytes = bytes - range->offset;
}

static enum status hold(struct blob_reader *reader)
{
    uint8_t digest[SHA256_BYTES];
    enum status st;

    reader->held = must_calloc(1, (size_t)reader->bytes + 1);
    reader->is_held = true;
    st = blob_disk_read(reader->fd, 0, reader->held, (size_t)reader->bytes, &reader->err);
    if (st != ST_OK)
        return st;
    hash_sha256(bytes_of(reader->held, (size_t)reader->bytes), digest);
    if (memcmp(digest, reader->id.sha256, sizeof digest) != 0)
        return err_set(&reader->err, ST_CORRUPT, "a blob of %llu bytes is not what its name says",
                       (unsigned long long)reader->bytes);
    return ST_OK;
}

static void open_run(uv_work_t *work)
{
    struct blob_reader *reader = container_of(work, struct blob_reader, work);
    struct blob_disk *disk = &reader->store->disk;
    enum status st;
    bool whole;

    st = blob_disk_find(disk, &reader->id, &reader->fd, &reader->bytes, &reader->err);
    if (st == ST_OK) {
        whole = reader->range.offset == 0 && reader->range.bytes >= reader->bytes;
        range_cut(&reader->range, reader->bytes);
        if (reader->bytes <= BLOB_HELD_BYTES_MAX)
            st = hold(reader);
        else if (whole)
            st = blob_disk_verify(reader->fd, reader->bytes, &reader->id, &reader->err);
    }
    if (st == ST_CORRUPT)
        blob_disk_set_aside(disk, &reader->id);
    reader->status = st;
}

static void reader_free(struct blob_reader *reader)
{
    CHECK(reader->store->open > 0);
    reader->store->open--;
    if (reader->fd >= 0)
        (void)close(reader->fd);
    free(reader->held);
    free(reader);
}

static void open_after(uv_work_t *work, int uv_status)
{
    struct blob_reader *reader = container_of(work, struct blob_reader, work);

    CHECK(uv_status == 0);
    reader->in_flight = false;
    if (reader->status == ST_CORRUPT || reader->status == ST_IO) {
        char hex[BLOB_ID_BYTES * 2 + 1];

        hex_encode(bytes_of(reader->id.sha256, BLOB_ID_BYTES), hex);
        log_event(LOG_WARN, "blob_bad", LS("blob", hex), LS("status", status_name(reader->status)),
                  LS("text", reader->err.text), LS("then", "set aside"));
    }
    if (reader->closed) {
        reader_free(reader);
        return;
    }
    reader->opened = reader->status == ST_OK;
    reader->handler->on_open(reader, reader->status, reader->bytes, reader->context);
}

static void piece_run(uv_work_t *work)
{
    struct blob_reader *reader = container_of(work, struct blob_reader, work);
    size_t len =
        reader->range.bytes < BLOB_PIECE_BYTES ? (size_t)reader->range.bytes : BLOB_PIECE_BYTES;

    reader->piece_bytes = len;
    reader->status = ST_OK;
    if (reader->is_held)
        return;
    if (reader->held == NULL)
        reader->held = must_calloc(1, BLOB_PIECE_BYTES);
    reader->status =
        blob_disk_read(reader->fd, reader->range.offset, reader->held, len, &reader->err);
}

static void piece_after(uv_work_t *work, int uv_status)
{
    struct blob_reader *reader = container_of(work, struct blob_reader, work);
    struct bytes piece;

    CHECK(uv_status == 0);
    reader->in_flight = false;
    if (reader->closed) {
        reader_free(reader);
        return;
    }
    piece = bytes_of(reader->is_held ? reader->held + reader->range.offset : reader->held,
                     reader->piece_bytes);
    reader->range.offset += piece.len;
    reader->range.bytes -= piece.len;
    reader->handler->on_piece(reader, reader->status, piece, reader->context);
}

static void job(struct blob_reader *reader, uv_work_cb run, uv_after_work_cb after)
{
    int rv;

    CHECK(!reader->in_flight);
    reader->in_flight = true;
    rv = uv_queue_work(reader->store->loop, &reader->work, run, after);
    CHECK(rv == 0);
}

void blob_read_start(struct blob_store *store,
                     const struct blob_id *id,
                     const struct blob_range *range,
                     const struct blob_reader_handler *handler,
                     void *context,
                     struct blob_reader **out_reader)
{
    struct blob_reader *reader = must_calloc(1, sizeof *reader);

    reader->store = store;
    reader->handler = handler;
    reader->context = context;
    reader->id = *id;
    reader->range = range != NULL ? *range : (struct blob_range){ 0, UINT64_MAX };
    reader->fd = -1;
    store->open++;
    *out_reader = reader;
    job(reader, open_run, open_after);
}

bool blob_read_held(const struct blob_reader *reader, struct bytes *out)
{
    CHECK(reader->opened);
    if (!reader->is_held)
        return false;
    *out = bytes_of(reader->held + reader->range.offset, (size_t)reader->range.bytes);
    return true;
}

void blob_read_next(struct blob_reader *reader)
{
    CHECK(reader->opened);
    CHECK(!reader->closed);
    job(reader, piece_run, piece_after);
}

void blob_read_close(struct blob_reader *reader)
{
    CHECK(!reader->closed);
    reader->closed = true;
    if (!reader->in_flight)
        reader_free(reader);
}
