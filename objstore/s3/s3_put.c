/* PutObject: the body to the disks, its digests, and the command that gives it its name.
 *
 * A pool thread adds to the digests while bytes are written (s3_digests, owned by the put); all
 * else is the loop's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/s3/s3_headers.h"
#include "objstore/s3/s3_request.h"

/* ---- the pool thread's ---- */

static void tap(struct bytes piece, void *tap_context)
{
    struct s3_digests *digests = tap_context;

    hash_add(&digests->md5, piece);
    s3_checksum_add(&digests->sum, piece);
}

static void tap_free(void *tap_context)
{
    struct s3_digests *digests = tap_context;

    hash_done(&digests->md5);
    s3_checksum_done(&digests->sum);
    free(digests);
}

/* ---- after the body ---- */

/* The digests against what the client said.  The blob of a refused body stays on the disks without
 * a name; collection finds it. */
static enum s3_event check_digests(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;

    hash_end(&upload->digests->md5, upload->md5);
    hex_encode(bytes_of(upload->md5, sizeof upload->md5), upload->etag);
    s3_checksum_end(&upload->digests->sum, upload->sum);
    if (upload->has_md5 && memcmp(upload->md5, upload->md5_want, sizeof upload->md5) != 0)
        return s3_fail(req, S3_BAD_DIGEST, NULL);
    if (upload->sum_want[0] == '\0' || strcmp(upload->sum, upload->sum_want) == 0)
        return S3_STORED;
    req->error = S3_BAD_DIGEST;
    (void)err_set(&req->err, ST_CORRUPT,
                  "The %s you specified did not match the calculated checksum.",
                  s3_checksum_name(upload->sum_kind));
    return S3_FAILED;
}

static enum s3_event put_failed(struct s3_request *req, enum status status, const struct err *err)
{
    struct err text = { 0 };

    switch (status) {
    case ST_CORRUPT:
        return s3_fail(req, S3_CONTENT_SHA256_MISMATCH, NULL);
    case ST_LIMIT:
        log_event(LOG_ERROR, "disk_full", LS("text", err->text), LS("then", "refusing the put"));
        return s3_fail(req, S3_SLOW_DOWN, "The disk of this zone's object store is full.");
    case ST_IO:
        log_event(LOG_ERROR, "disk_failed", LS("text", err->text), LS("then", "refusing the put"));
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    default: /* too few copies: no row was asked for */
        return s3_fail(req, s3_error_not_answered(ST_UNAVAILABLE, err->text, &text), text.text);
    }
}

static void put_done(struct put *put,
                     const struct blob_write_result *result,
                     const struct err *err,
                     void *context)
{
    struct s3_request *req = context;
    struct s3_upload *upload = &req->upload;
    enum s3_event event;

    if (result->status == ST_OK) {
        upload->blob = result->id;
        upload->stored_bytes = result->bytes;
        event = check_digests(req);
    } else {
        event = put_failed(req, result->status, err);
    }
    upload->put = NULL;
    upload->digests = NULL;
    s3_on(req, event);
}

static void put_drained(struct put *put, void *context)
{
    struct s3_request *req = context;

    if (req->state == S3_RECEIVING)
        http_request_read(req->http);
    else if (req->state == S3_COPYING)
        s3_read_drained(req);
}

static const struct put_handler put_handler = { put_drained, tap, tap_free, put_done };

/* ---- body ---- */

enum s3_event s3_put_start(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;
    struct s3_digests *digests = must_calloc(1, sizeof *digests);
    struct err err = { 0 };
    enum status st;

    hash_init(&digests->md5, HASH_MD5);
    s3_checksum_init(&digests->sum, upload->sum_kind);
    st = put_start(req->server->peers, &put_handler, req, digests, &upload->put, &err);
    if (st != ST_OK) {
        tap_free(digests);
        return put_failed(req, ST_UNAVAILABLE, &err);
    }
    upload->digests = digests;
    return S3_NO_EVENT;
}

enum s3_event s3_put_receive(struct s3_request *req)
{
    enum s3_event event = s3_put_start(req);

    if (event == S3_NO_EVENT)
        http_request_read(req->http);
    return event;
}

static enum s3_event take(struct s3_request *req, struct bytes data)
{
    struct s3_upload *upload = &req->upload;

    if (data.len > upload->bytes - upload->received)
        return s3_fail(req, S3_INVALID_REQUEST, "The body is longer than it was announced");
    upload->received += data.len;
    if (data.len > 0)
        put_write(upload->put, data);
    return S3_NO_EVENT;
}

static enum s3_event take_chunked(struct s3_request *req, struct bytes in)
{
    enum s3_event event = S3_NO_EVENT;
    struct err err = { 0 };

    while (in.len > 0 && event == S3_NO_EVENT) {
        struct bytes data;
        enum status st = aws_chunk_next(&req->upload.chunk, &in, &data, &err);

        if (st == ST_DENIED)
            return s3_fail(req, S3_SIGNATURE_DOES_NOT_MATCH, NULL);
        if (st != ST_OK)
            return s3_fail(req, S3_INVALID_REQUEST, err.text);
        event = take(req, data);
    }
    return event;
}

size_t s3_put_body(struct s3_request *req, struct bytes chunk)
{
    if (put_wants_pause(req->upload.put))
        return 0;
    s3_on(req, req->upload.is_chunked ? take_chunked(req, chunk) : take(req, chunk));
    return chunk.len;
}

static enum s3_event take_trailer(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;
    struct bytes value;

    if (!aws_chunk_is_finished(&upload->chunk))
        return s3_fail(req, S3_INCOMPLETE_BODY, NULL);
    if (!upload->sum_in_trailer)
        return S3_BODY_CAME;
    if (!aws_chunk_trailer(&upload->chunk, s3_checksum_header(upload->sum_kind), &value) ||
        value.len == 0 || value.len >= S3_CHECKSUM_TEXT_BYTES)
        return s3_fail(req, S3_INVALID_REQUEST, "The body has not the trailer that was announced");
    memcpy(upload->sum_want, value.data, value.len);
    upload->sum_want[value.len] = '\0';
    return S3_BODY_CAME;
}

enum s3_event s3_put_body_end(struct s3_request *req)
{
    if (req->upload.received != req->upload.bytes)
        return s3_fail(req, S3_INCOMPLETE_BODY, NULL);
    return req->upload.is_chunked ? take_trailer(req) : S3_BODY_CAME;
}

void s3_put_store(struct s3_request *req)
{
    /* What is signed is the body of the request, which a copy has not. */
    bool is_signed =
        req->caller.payload == SIGV4_PAYLOAD_SHA256 && req->route.operation != S3_UPLOAD_PART_COPY;
    struct blob_id expected;

    memcpy(expected.sha256, req->caller.payload_sha256, BLOB_ID_BYTES);
    put_finish(req->upload.put, is_signed ? &expected : NULL);
}

void s3_put_drop(struct s3_request *req)
{
    struct put *put = req->upload.put;

    req->upload.put = NULL;
    req->upload.digests = NULL;
    if (put != NULL)
        put_abort(put);
}

/* ---- PutObject ---- */

static enum s3_event begin(struct s3_request *req)
{
    enum s3_error (*const steps[])(struct s3_request *) = { s3_put_digests, s3_put_conditions,
                                                            s3_put_metadata };

    s3_put_init(req);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        req->error = steps[i](req);
        if (req->error != S3_OK)
            return S3_FAILED;
    }
    return req->upload.bytes > S3_CHECK_BUCKET_BYTES ? S3_NEEDS_ROWS : S3_NEEDS_BODY;
}

static enum s3_event found(struct s3_request *req)
{
    (void)req;
    return S3_NEEDS_BODY;
}

static enum s3_event propose(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;
    Lapwing__Object *object = upload->command.object;

    object->bytes = upload->stored_bytes;
    object->etag = upload->etag;
    object->blob = (ProtobufCBinaryData){ BLOB_ID_BYTES, upload->blob.sha256 };
    if (upload->sum_kind != S3_CHECKSUM_NONE)
        s3_headers_add(object, bytes_of_text(s3_checksum_header(upload->sum_kind)),
                       bytes_of_text(upload->sum));
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__PUT_OBJECT, &upload->command.base);
}

void s3_put_answer_fields(const struct s3_request *req, struct s3_fields *fields, char *etag)
{
    const struct s3_upload *upload = &req->upload;

    s3_fields_begin(fields, req);
    (void)snprintf(etag, S3_ETAG_FIELD_BYTES, "\"%s\"", upload->etag);
    s3_field(fields, "ETag", etag);
    if (upload->sum_kind != S3_CHECKSUM_NONE)
        s3_field(fields, s3_checksum_header(upload->sum_kind), upload->sum);
}

static void answer(struct s3_request *req)
{
    struct s3_fields fields;
    char etag[S3_ETAG_FIELD_BYTES];

    s3_put_answer_fields(req, &fields, etag);
    if (req->upload.sum_kind != S3_CHECKSUM_NONE)
        s3_field(&fields, "x-amz-checksum-type", "FULL_OBJECT");
    s3_answer(req, 200, &fields);
}

const struct s3_steps s3_put_object_steps = {
    .begin = begin,
    .ask = s3_ask_bucket,
    .found = found,
    .propose = propose,
    .answer = answer,
};
