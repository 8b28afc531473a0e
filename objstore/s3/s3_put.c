/* PutObject: headers, body to the disks, digests, and the command that gives it its name.
 *
 * A pool thread adds to the digests while bytes are written (s3_digests, owned by the put); all
 * else is the loop's. */
#include <errno.h>
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
    char sum[S3_CHECKSUM_TEXT_BYTES];
    uint8_t md5[MD5_BYTES];

    hash_end(&upload->digests->md5, md5);
    hex_encode(bytes_of(md5, sizeof md5), upload->etag);
    s3_checksum_end(&upload->digests->sum, sum);
    if (upload->has_md5 && memcmp(md5, upload->md5_want, sizeof md5) != 0)
        return s3_fail(req, S3_BAD_DIGEST, NULL);
    if (upload->sum_kind == S3_CHECKSUM_NONE)
        return S3_STORED;
    if (strcmp(sum, upload->sum_want) != 0) {
        req->error = S3_BAD_DIGEST;
        (void)err_set(&req->err, ST_CORRUPT,
                      "The %s you specified did not match the calculated checksum.",
                      s3_checksum_name(upload->sum_kind));
        return S3_FAILED;
    }
    s3_headers_add(upload->command.object, bytes_of_text(s3_checksum_header(upload->sum_kind)),
                   bytes_of_text(sum));
    return S3_STORED;
}

static enum s3_event put_failed(struct s3_request *req, enum status status, const struct err *err)
{
    switch (status) {
    case ST_CORRUPT:
        return s3_fail(req, S3_CONTENT_SHA256_MISMATCH, NULL);
    case ST_LIMIT:
        log_event(LOG_ERROR, "disk_full", LS("text", err->text), LS("then", "refusing the put"));
        return s3_fail(req, S3_SLOW_DOWN, "The disk of this zone's object store is full.");
    case ST_IO:
        log_event(LOG_ERROR, "disk_failed", LS("text", err->text), LS("then", "refusing the put"));
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    default:
        return s3_fail(req, S3_SERVICE_UNAVAILABLE, err->text);
    }
}

static void put_done(struct put *put,
                     const struct blob_write_result *result,
                     const struct err *err,
                     void *context)
{
    struct s3_request *req = context;
    struct s3_upload *upload = &req->upload;
    Lapwing__Object *object = upload->command.object;
    enum s3_event event;

    if (result->status == ST_OK) {
        upload->blob = result->id;
        event = check_digests(req);
        object->bytes = result->bytes;
        object->etag = upload->etag;
        object->blob = (ProtobufCBinaryData){ BLOB_ID_BYTES, upload->blob.sha256 };
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
}

static const struct put_handler put_handler = { put_drained, tap, tap_free, put_done };

/* ---- headers ---- */

static bool parse_number(struct bytes text, uint64_t *out)
{
    char copy[24];
    char *end;

    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (copy[0] < '0' || copy[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(copy, &end, 10);
    return *end == '\0' && errno == 0;
}

/* The length of the object, from whichever header has it. */
static enum s3_error read_length(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;
    struct bytes value;

    upload->is_chunked = req->caller.payload == SIGV4_PAYLOAD_STREAMING ||
                         req->caller.payload == SIGV4_PAYLOAD_STREAMING_TRAILER ||
                         req->caller.payload == SIGV4_PAYLOAD_STREAMING_UNSIGNED_TRAILER;
    upload->bytes = http_request_content_length(req->http);
    if (upload->is_chunked && (!http_head_find(req->head, "x-amz-decoded-content-length", &value) ||
                               !parse_number(value, &upload->bytes)))
        return S3_MISSING_CONTENT_LENGTH;
    /* Not declared as chunks and yet sent as such (an unsigned or version 2 request): storing the
     * frame with the content would be garbage. */
    if (!upload->is_chunked && http_head_find(req->head, "content-encoding", &value) &&
        s3_encoding_strip(&value)) {
        (void)err_set(&req->err, ST_BAD_INPUT,
                      "aws-chunked needs a streaming x-amz-content-sha256");
        return S3_INVALID_REQUEST;
    }
    if (upload->bytes == HTTP_LENGTH_UNKNOWN)
        return S3_MISSING_CONTENT_LENGTH;
    if (upload->bytes > (uint64_t)S3_OBJECT_BYTES_MAX_GIB << 30)
        return S3_ENTITY_TOO_LARGE;
    return S3_OK;
}

static enum s3_error read_md5(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;
    struct buf digest = { 0 };
    struct bytes value;
    bool ok;

    if (!http_head_find(req->head, "content-md5", &value))
        return S3_OK;
    ok = base64_decode(value, &digest) == ST_OK && digest.len == MD5_BYTES;
    if (ok)
        memcpy(upload->md5_want, digest.data, MD5_BYTES);
    upload->has_md5 = ok;
    buf_done(&digest);
    return ok ? S3_OK : S3_INVALID_DIGEST;
}

static enum s3_error read_checksum(struct s3_request *req)
{
    struct s3_upload *upload = &req->upload;
    struct bytes value;

    for (size_t i = 0; i < req->head->field_count; i++) {
        const struct http_field *field = &req->head->fields[i];
        enum s3_checksum_kind kind = s3_checksum_of_header(field->name);

        if (kind == S3_CHECKSUM_NONE)
            continue;
        if (upload->sum_kind != S3_CHECKSUM_NONE || field->value.len >= S3_CHECKSUM_TEXT_BYTES) {
            (void)err_set(&req->err, ST_BAD_INPUT,
                          "Expecting a single x-amz-checksum- header. Multiple checksum Types are "
                          "not allowed.");
            return S3_INVALID_REQUEST;
        }
        upload->sum_kind = kind;
        memcpy(upload->sum_want, field->value.data, field->value.len);
        upload->sum_want[field->value.len] = '\0';
    }
    if (!upload->is_chunked || !http_head_find(req->head, "x-amz-trailer", &value))
        return S3_OK;
    if (upload->sum_kind != S3_CHECKSUM_NONE)
        return S3_INVALID_REQUEST;
    upload->sum_kind = s3_checksum_of_header(value);
    upload->sum_in_trailer = true;
    if (upload->sum_kind != S3_CHECKSUM_NONE)
        return S3_OK;
    (void)err_set(&req->err, ST_BAD_INPUT,
                  "The value specified in the x-amz-trailer header is not "
                  "supported");
    return S3_INVALID_REQUEST;
}

/* If-None-Match: * and If-Match: the state decides in the command itself, so the answer is exact.
 */
static enum s3_error read_conditions(struct s3_request *req)
{
    Lapwing__PutObject *command = &req->upload.command;
    struct bytes value;

    if (http_head_find(req->head, "if-none-match", &value)) {
        if (!bytes_equal(value, bytes_of_text("*")))
            return S3_NOT_IMPLEMENTED;
        command->only_if_absent = true;
    }
    if (!http_head_find(req->head, "if-match", &value))
        return S3_OK;
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = bytes_of(value.data + 1, value.len - 2);
    if (value.len == 0 || value.len > 128 || !s3_text_is_utf8(value))
        return S3_INVALID_ARGUMENT;
    command->only_if_etag = must_calloc(1, value.len + 1);
    memcpy(command->only_if_etag, value.data, value.len);
    return S3_OK;
}

static enum s3_error read_headers(struct s3_request *req)
{
    static char account[] = S3_ACCOUNT; /* protobuf-c's texts are not const; nobody writes it */
    Lapwing__Object *object = req->upload.command.object;
    struct bytes value;

    object->bucket = req->route.bucket;
    object->key = req->route.key;
    object->owner = account;
    if (!http_head_find(req->head, "content-type", &value) || value.len == 0)
        value = bytes_of_text("binary/octet-stream");
    if (value.len > 1024 || !s3_text_is_utf8(value))
        return S3_INVALID_ARGUMENT;
    object->content_type = must_calloc(1, value.len + 1);
    memcpy(object->content_type, value.data, value.len);
    return s3_headers_read(req->head, object, &req->err);
}

enum s3_event s3_put_begin(struct s3_request *req)
{
    enum s3_error (*const steps[])(struct s3_request *) = { read_length, read_md5, read_checksum,
                                                            read_conditions, read_headers };
    struct s3_upload *upload = &req->upload;
    bool is_signed;

    lapwing__put_object__init(&upload->command);
    upload->command.object = must_calloc(1, sizeof *upload->command.object);
    lapwing__object__init(upload->command.object);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        req->error = steps[i](req);
        if (req->error != S3_OK)
            return S3_FAILED;
    }
    is_signed = req->caller.payload == SIGV4_PAYLOAD_STREAMING ||
                req->caller.payload == SIGV4_PAYLOAD_STREAMING_TRAILER;
    aws_chunk_init(&upload->chunk, is_signed ? &req->caller.chunk_key : NULL);
    return upload->bytes > S3_CHECK_BUCKET_BYTES ? S3_NEEDS_ROWS : S3_NEEDS_BODY;
}

/* ---- body ---- */

enum s3_event s3_put_receive(struct s3_request *req)
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
        return s3_fail(req, S3_SERVICE_UNAVAILABLE, err.text);
    }
    upload->digests = digests;
    http_request_read(req->http);
    return S3_NO_EVENT;
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
        value.len >= S3_CHECKSUM_TEXT_BYTES)
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
    struct blob_id expected;

    memcpy(expected.sha256, req->caller.payload_sha256, BLOB_ID_BYTES);
    put_finish(req->upload.put, req->caller.payload == SIGV4_PAYLOAD_SHA256 ? &expected : NULL);
}

void s3_put_drop(struct s3_request *req)
{
    struct put *put = req->upload.put;

    req->upload.put = NULL;
    req->upload.digests = NULL;
    if (put != NULL)
        put_abort(put);
}

void s3_put_done(struct s3_request *req)
{
    Lapwing__Object *object = req->upload.command.object;

    CHECK(req->upload.put == NULL);
    aws_chunk_done(&req->upload.chunk);
    if (object == NULL)
        return;
    s3_headers_done(object);
    if (object->content_type != protobuf_c_empty_string)
        free(object->content_type);
    if (req->upload.command.only_if_etag != protobuf_c_empty_string)
        free(req->upload.command.only_if_etag);
    free(object);
}
