/* The content of an object, extent by extent: from this disk or, if need be, first from another
 * zone, to the client or into a part. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/s3/s3_request.h"

/* ---- where it is ---- */

static void add_extent(struct s3_request *req,
                       const ProtobufCBinaryData *blob,
                       uint64_t blob_bytes,
                       struct blob_range range)
{
    struct s3_extent *extent = &req->extents[req->extent_count++];

    CHECK(blob->len == BLOB_ID_BYTES); /* checked with the reply */
    memcpy(extent->blob.sha256, blob->data, BLOB_ID_BYTES);
    extent->blob_bytes = blob_bytes;
    extent->range = range;
}

static void extents_room(struct s3_request *req, size_t count)
{
    free(req->extents);
    req->extents = must_calloc(count + 1, sizeof *req->extents);
    req->extent_count = 0;
    req->extent_at = 0;
}

bool s3_extents_of_blob(struct s3_request *req)
{
    if (req->object->blob.len != BLOB_ID_BYTES)
        return false;
    extents_room(req, 1);
    add_extent(req, &req->object->blob, req->object->bytes, req->range);
    return true;
}

bool s3_extents_of_parts(struct s3_request *req)
{
    const Lapwing__ReadReply *reply = req->reply;
    uint64_t end = req->range.offset + req->range.bytes;
    uint64_t at = reply->parts_offset;
    uint64_t found = 0;

    extents_room(req, reply->n_parts);
    for (size_t i = 0; i < reply->n_parts; i++) {
        const Lapwing__Part *part = reply->parts[i];
        uint64_t first = at > req->range.offset ? at : req->range.offset;
        uint64_t last = at + part->bytes < end ? at + part->bytes : end;

        if (first < last) {
            add_extent(req, &part->blob, part->bytes,
                       (struct blob_range){ first - at, last - first });
            found += last - first;
        }
        at += part->bytes;
    }
    return found == req->range.bytes;
}

/* ---- reading ---- */

static void next_extent(struct s3_request *req)
{
    blob_read_close(req->reader);
    req->reader = NULL;
    req->fetched = false;
    req->extent_at++;
    s3_on(req, S3_NEEDS_BLOB);
}

/* Go on where the last piece ended. */
static void go_on(struct s3_request *req)
{
    if (req->left > 0)
        blob_read_next(req->reader);
    else
        next_extent(req);
}

static void on_open(struct blob_reader *reader, enum status status, uint64_t bytes, void *context)
{
    struct s3_request *req = context;
    const struct s3_extent *extent = &req->extents[req->extent_at];

    (void)reader;
    if (status == ST_OK && bytes == extent->blob_bytes) {
        req->left = extent->range.bytes;
        s3_on(req, S3_OPENED);
        return;
    }
    blob_read_close(req->reader);
    req->reader = NULL;
    if (req->fetched) {
        log_event(LOG_ERROR, "blob_unreadable", LS("bucket", req->route.bucket),
                  LS("status", status_name(status)), LS("then", "answering 500"));
        s3_on(req, s3_fail(req, S3_INTERNAL_ERROR, NULL));
        return;
    }
    s3_on(req, S3_NO_BLOB);
}

/* A piece to the client; true when it has room for more. */
static bool push(struct s3_request *req, struct bytes piece)
{
    /* ST_LIMIT: on_drain goes on.  ST_CANCELLED: HTTP is about to be done with it. */
    return http_push(req->http, piece) == ST_OK;
}

/* A piece to the disks. */
static bool copy(struct s3_request *req, struct bytes piece)
{
    put_write(req->upload.put, piece);
    return !put_wants_pause(req->upload.put);
}

static void ended(struct s3_request *req)
{
    if (req->state == S3_COPYING) {
        s3_on(req, S3_BODY_CAME);
        return;
    }
    http_push_end(req->http);
    s3_on(req, S3_SENT);
}

static void on_piece(struct blob_reader *reader,
                     enum status status,
                     struct bytes piece,
                     void *context)
{
    struct s3_request *req = context;
    bool has_room;

    (void)reader;
    if (status != ST_OK || piece.len == 0 || piece.len > req->left) {
        s3_on(req, s3_fail(req, S3_INTERNAL_ERROR, NULL));
        return;
    }
    req->left -= piece.len;
    has_room = req->state == S3_COPYING ? copy(req, piece) : push(req, piece);
    if (req->left == 0 && req->extent_at + 1 == req->extent_count)
        ended(req);
    else if (has_room)
        go_on(req);
    else
        req->wants_drain = true;
}

static const struct blob_reader_handler reading = { on_open, on_piece };

void s3_read_open(struct s3_request *req)
{
    struct s3_extent *extent = &req->extents[req->extent_at];

    CHECK(req->reader == NULL);
    CHECK(req->extent_at < req->extent_count);
    blob_read_start(req->server->store, &extent->blob, &extent->range, &reading, req, &req->reader);
}

static void fetch_cb(void *context, enum status status, const struct err *err)
{
    struct s3_request *req = context;

    req->fetch = NULL;
    req->fetched = true;
    if (status == ST_OK)
        s3_on(req, S3_NEEDS_BLOB);
    else
        s3_on(req, s3_fail(req, S3_SERVICE_UNAVAILABLE, err->text));
}

void s3_read_fetch(struct s3_request *req)
{
    fetch_start(req->server->peers, &req->extents[req->extent_at].blob, fetch_cb, req, &req->fetch);
}

enum s3_event s3_read_on(struct s3_request *req)
{
    blob_read_next(req->reader);
    return S3_NO_EVENT;
}

void s3_read_drained(struct s3_request *req)
{
    if (req->reader == NULL || !req->wants_drain)
        return;
    req->wants_drain = false;
    go_on(req);
}

void s3_read_drop(struct s3_request *req)
{
    if (req->reader != NULL)
        blob_read_close(req->reader);
    req->reader = NULL;
    if (req->fetch != NULL)
        fetch_forget(req->fetch);
    req->fetch = NULL;
}
