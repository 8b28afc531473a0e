/* Blobs: immutable bytes on this node's disk, named by their SHA-256.
 *
 * A blob is either whole and synced under its name, or absent; nothing between survives a crash.
 * How blobs lie on the disk is this folder's secret: callers see a store, writers and readers.
 *
 * Everything is driven from the loop that the store was opened with, and every disk call runs on
 * the libuv threadpool.  Callbacks run on the loop, never from inside the call that started them.
 */
#ifndef OBJSTORE_BLOBS_BLOB_STORE_H
#define OBJSTORE_BLOBS_BLOB_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/status.h"

enum {
    BLOB_ID_BYTES = 32,
    BLOB_PIECE_BYTES = 262144,        /* what a reader hands out at a time */
    BLOB_WRITE_QUEUE_BYTES = 4 << 20, /* a writer with more than this waiting wants a pause */
    BLOB_HELD_BYTES_MAX = 1 << 20,    /* a blob up to this is verified in memory, in one pass */
};

struct blob_id {
    uint8_t sha256[BLOB_ID_BYTES];
};

struct blob_store; /* opened and closed by main() */

/* Open the store under `dir`, making its folders, and remove what a crash left half-written.
 * Blocks: call it before the loop runs.  ST_IO names the folder. */
enum status blob_store_open(uv_loop_t *loop,
                            const char *dir,
                            struct blob_store **out_store,
                            struct err *err);
/* No writer and no reader may be left.  NULL is allowed. */
void blob_store_close(struct blob_store *store);

/* ---- writing ---- */

struct blob_writer; /* freed by itself after its last callback */

struct blob_write_result {
    enum status status;
    struct blob_id id; /* when ST_OK: of what was written */
    uint64_t bytes;
};

struct blob_writer_handler {
    /* Less than half of BLOB_WRITE_QUEUE_BYTES waits now; `written` counts bytes handed to the
     * kernel so far.  May be NULL. */
    void (*on_drain)(struct blob_writer *writer, uint64_t written, void *context);
    /* Pool thread: sees each piece in order, once, before it is written.  May be NULL.  What it
     * touches belongs to it until on_done. */
    void (*tap)(struct bytes piece, void *context);
    /* Exactly once, after finish or abort, or at the first failure; the writer is gone afterwards.
     * ST_OK: synced under its name.  ST_CORRUPT: not the id that was expected.  ST_LIMIT: the disk
     * is full.  ST_IO: the disk failed; the file was dropped and its sync is not tried again.
     * ST_CANCELLED: aborted.  `err` is borrowed. */
    void (*on_done)(struct blob_writer *writer,
                    const struct blob_write_result *result,
                    const struct err *err,
                    void *context);
};

/* Start writing a blob.  `handler` is borrowed until on_done. */
void blob_write_start(struct blob_store *store,
                      const struct blob_writer_handler *handler,
                      void *context,
                      struct blob_writer **out_writer);
/* Queue bytes; they are copied.  A writer that failed swallows them: on_done says so. */
void blob_write(struct blob_writer *writer, struct bytes piece);
/* Bytes queued and not yet written. */
uint64_t blob_write_waiting(const struct blob_writer *writer);
/* No more bytes follow.  `expected` may be NULL. */
void blob_write_finish(struct blob_writer *writer, const struct blob_id *expected);
/* Give it up; on_done follows with ST_CANCELLED.  Not after finish. */
void blob_write_abort(struct blob_writer *writer);

/* ---- reading ---- */

struct blob_reader; /* freed by blob_read_close() once nothing is in flight */

struct blob_reader_handler {
    /* The blob is there and its content was verified against its name, unless the whole was too
     * large to be held and only part of it was asked for.
     * ST_NOT_FOUND, ST_CORRUPT, ST_IO: only blob_read_close() may follow. */
    void (*on_open)(struct blob_reader *reader, enum status status, uint64_t bytes, void *context);
    /* The piece that blob_read_next() asked for; borrowed until the next call.  Empty at the end.
     * A status other than ST_OK ends the reading. */
    void (*on_piece)(struct blob_reader *reader,
                     enum status status,
                     struct bytes piece,
                     void *context);
};

/* Which part of a blob to read. */
struct blob_range {
    uint64_t offset;
    uint64_t bytes; /* UINT64_MAX: to the end */
};

/* Open a blob for reading.  A corrupt file is set aside, so that the next writer of the same id
 * puts good bytes in its place.  `range` NULL means all; one that starts behind the end yields
 * nothing.
 *
 * Verification: up to BLOB_HELD_BYTES_MAX in memory in the same pass; larger whole reads are hashed
 * in a pass of their own first, so that no wrong byte is ever handed out; a part of a larger blob
 * is not verified (page checksums are the coming answer). */
void blob_read_start(struct blob_store *store,
                     const struct blob_id *id,
                     const struct blob_range *range,
                     const struct blob_reader_handler *handler,
                     void *context,
                     struct blob_reader **out_reader);
/* All that was asked for, when it is in memory already (blobs up to BLOB_HELD_BYTES_MAX); borrowed
 * until blob_read_close().  False: ask piece by piece. */
bool blob_read_held(const struct blob_reader *reader, struct bytes *out);
/* Ask for the next piece; one at a time, after on_open said ST_OK. */
void blob_read_next(struct blob_reader *reader);
/* Always, once; no callback follows. */
void blob_read_close(struct blob_reader *reader);

#endif
