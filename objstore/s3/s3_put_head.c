/* The headers of what puts: the row to be, the digests of the body, and the conditions. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "objstore/s3/s3_headers.h"
#include "objstore/s3/s3_request.h"

void s3_put_init(struct s3_request *req)
{
    static char account[] = S3_ACCOUNT; /* protobuf-c's texts are not const; nobody writes it */
    Lapwing__Object *object = must_calloc(1, sizeof *object);

    CHECK(req->upload.command.object == NULL);
    lapwing__put_object__init(&req->upload.command);
    lapwing__object__init(object);
    object->bucket = req->route.bucket;
    object->key = req->route.key;
    object->owner = account;
    req->upload.command.object = object;
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
                               !s3_number_parse(value, &upload->bytes)))
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
    if (upload->bytes > OBJECT_PUT_BYTES_MAX)
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
    uint8_t digest[SHA256_BYTES];
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
        if (!s3_checksum_decode(kind, field->value, digest)) {
            (void)err_set(&req->err, ST_BAD_INPUT, "Value for %s header is invalid.",
                          s3_checksum_header(kind));
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

enum s3_error s3_put_digests(struct s3_request *req)
{
    enum s3_error (*const steps[])(struct s3_request *) = { read_length, read_md5, read_checksum };
    bool is_signed = req->caller.payload == SIGV4_PAYLOAD_STREAMING ||
                     req->caller.payload == SIGV4_PAYLOAD_STREAMING_TRAILER;

    aws_chunk_init(&req->upload.chunk, is_signed ? &req->caller.chunk_key : NULL);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        enum s3_error error = steps[i](req);

        if (error != S3_OK)
            return error;
    }
    return S3_OK;
}

/* If-None-Match: * and If-Match: the state decides in the command itself, so the answer is exact.
 */
enum s3_error s3_put_conditions(struct s3_request *req)
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

enum s3_error s3_put_metadata(struct s3_request *req)
{
    Lapwing__Object *object = req->upload.command.object;
    struct bytes value;

    if (!http_head_find(req->head, "content-type", &value) || value.len == 0)
        value = bytes_of_text("binary/octet-stream");
    if (value.len > 1024 || !s3_text_is_utf8(value))
        return S3_INVALID_ARGUMENT;
    object->content_type = must_calloc(1, value.len + 1);
    memcpy(object->content_type, value.data, value.len);
    return s3_headers_read(req->head, object, &req->err);
}

static void drop_metadata(Lapwing__Object *object)
{
    s3_headers_done(object);
    if (object->content_type != protobuf_c_empty_string)
        free(object->content_type);
    object->content_type = (char *)protobuf_c_empty_string;
}

void s3_put_take_metadata(struct s3_request *req, const Lapwing__Object *from)
{
    Lapwing__Object *object = req->upload.command.object;

    drop_metadata(object);
    object->content_type = must_strdup(from->content_type);
    for (size_t i = 0; i < from->n_metadata; i++)
        s3_headers_add(object, bytes_of_text(from->metadata[i]->name),
                       bytes_of_text(from->metadata[i]->value));
}

void s3_put_done(struct s3_request *req)
{
    Lapwing__Object *object = req->upload.command.object;

    CHECK(req->upload.put == NULL);
    aws_chunk_done(&req->upload.chunk);
    if (object == NULL)
        return;
    drop_metadata(object);
    if (req->upload.command.only_if_etag != protobuf_c_empty_string)
        free(req->upload.command.only_if_etag);
    free(object);
}
