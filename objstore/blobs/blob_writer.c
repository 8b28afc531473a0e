/* Writing one blob: bytes gather on the loop while a pool thread writes and hashes the batch
 * before.
 *
 *   loop   waiting ──swap──► batch ──► pool: create, tap, hash, write ──► loop: on_drain, next
 * batch last batch: sync, rename, sync    ──► loop: on_done
 *
 * One job at a time belongs to the pool thread, with `batch` and the fields below it; everything
 * else belongs to the loop.  A small blob is one job, so one hop to the pool and back. */
#include "objstore/blobs/blob_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "objstore/blobs/blob_internal.h"

enum writer_end { WRITER_OPEN, WRITER_FINISH, WRITER_ABORT };

/* Freed in job_after() once on_done returned, nowhere else. */
struct blob_writer {
    struct blob_store *store;
    const struct blob_writer_handler *handler;
    void *context;
    struct buf waiting;
    enum writer_end end;
    bool has_expected;
    struct blob_id expected;
    bool in_flight;

    /* ---- the pool thread's while in_flight ---- */
    uv_work_t work;
    struct buf batch;
    enum writer_end job_end;
    int fd;
    char tmp_name[BLOB_PATH_BYTES];
    struct hash hash;
    struct blob_write_result result;
    bool over;
    struct err err;
};

static enum status write_batch(struct blob_writer *writer)
{
    enum status st = ST_OK;

    if (writer->fd < 0)
        st = blob_disk_create(&writer->store->disk, writer->tmp_name, &writer->fd, &writer->err);
    if (st != ST_OK || writer->batch.len == 0)
        return st;
    if (writer->handler->tap != NULL)
        writer->handler->tap(buf_view(&writer->batch), writer->context);
    hash_add(&writer->hash, buf_view(&writer->batch));
    writer->result.bytes += writer->batch.len;
    return blob_disk_write(writer->fd, buf_view(&writer->batch), &writer->err);
}

static enum status finish(struct blob_writer *writer)
{
    struct blob_id *id = &writer->result.id;

    hash_end(&writer->hash, id->sha256);
    if (writer->has_expected && memcmp(id, &writer->expected, sizeof *id) != 0)
        return err_set(&writer->err, ST_CORRUPT, "the bytes of a blob are not what was announced");
    return blob_disk_publish(&writer->store->disk, writer->fd, writer->tmp_name, id, &writer->err);
}

static void job_run(uv_work_t *work)
{
    struct blob_writer *writer = container_of(work, struct blob_writer, work);
    enum status st;

    if (writer->job_end == WRITER_ABORT)
        st = err_set(&writer->err, ST_CANCELLED, "the blob was given up");
    else
        st = write_batch(writer);
    if (st == ST_OK && writer->job_end == WRITER_FINISH)
        st = finish(writer);

    writer->result.status = st;
    writer->over = st != ST_OK || writer->job_end == WRITER_FINISH;
    if (!writer->over)
        return;
    if (writer->fd >= 0) {
        (void)close(writer->fd);
        if (st != ST_OK)
            blob_disk_drop(&writer->store->disk, writer->tmp_name);
    }
    writer->fd = -1;
}

static void kick(struct blob_writer *writer);

static void writer_free(struct blob_writer *writer)
{
    CHECK(writer->store->open > 0);
    writer->store->open--;
    hash_done(&writer->hash);
    buf_done(&writer->waiting);
    buf_done(&writer->batch);
    free(writer);
}

static void job_after(uv_work_t *work, int uv_status)
{
    struct blob_writer *writer = container_of(work, struct blob_writer, work);

    CHECK(uv_status == 0); /* our jobs are never cancelled */
    writer->in_flight = false;
    writer->batch.len = 0;
    if (writer->over) {
        writer->handler->on_done(writer, &writer->result, &writer->err, writer->context);
        writer_free(writer);
        return;
    }
    if (writer->handler->on_drain != NULL && writer->end == WRITER_OPEN &&
        writer->waiting.len < BLOB_WRITE_QUEUE_BYTES / 2)
        writer->handler->on_drain(writer, writer->result.bytes, writer->context);
    kick(writer);
}

/* Give the pool what there is to do, if it is idle. */
static void kick(struct blob_writer *writer)
{
    struct buf empty = writer->batch;
    int rv;

    if (writer->in_flight || (writer->waiting.len == 0 && writer->end == WRITER_OPEN))
        return;
    CHECK(empty.len == 0);
    writer->batch = writer->waiting;
    writer->waiting = empty;
    writer->job_end = writer->end;
    writer->in_flight = true;
    rv = uv_queue_work(writer->store->loop, &writer->work, job_run, job_after);
    CHECK(rv == 0); /* fails only without a work function */
}

void blob_write_start(struct blob_store *store,
                      const struct blob_writer_handler *handler,
                      void *context,
                      struct blob_writer **out_writer)
{
    struct blob_writer *writer = must_calloc(1, sizeof *writer);

    writer->store = store;
    writer->handler = handler;
    writer->context = context;
    writer->fd = -1;
    hash_init(&writer->hash, HASH_SHA256);
    store->open++;
    *out_writer = writer;
}

void blob_write(struct blob_writer *writer, struct bytes piece)
{
    CHECK(writer->end == WRITER_OPEN);
    buf_append(&writer->waiting, piece.data, piece.len);
    kick(writer);
}

uint64_t blob_write_waiting(const struct blob_writer *writer)
{
    return writer->waiting.len;
}

void blob_write_finish(struct blob_writer *writer, const struct blob_id *expected)
{
    CHECK(writer->end == WRITER_OPEN);
    writer->end = WRITER_FINISH;
    if (expected != NULL) {
        writer->has_expected = true;
        writer->expected = *expected;
    }
    kick(writer);
}

void blob_write_abort(struct blob_writer *writer)
{
    CHECK(writer->end == WRITER_OPEN);
    writer->end = WRITER_ABORT;
    writer->waiting.len = 0;
    kick(writer);
}
