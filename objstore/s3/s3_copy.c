/* CopyObject and UploadPartCopy.
 *
 * CopyObject gives the source's blob, or its parts, another name: no byte is read.  A part that is
 * a whole blob of its source is made the same way; another one is read and written anew, because
 * its ETag is the MD5 of its bytes. */
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "objstore/s3/s3_headers.h"
#include "objstore/s3/s3_request.h"

/* ---- the source ---- */

/* Where is it, and may this caller read it? */
static enum s3_error read_source(struct s3_request *req)
{
    struct s3_route source = { 0 };
    struct bytes value = { 0 };
    enum s3_error error;

    (void)http_head_find(req->head, "x-amz-copy-source", &value);
    error = s3_copy_source_parse(value, &req->copy.source, &req->err);
    if (error != S3_OK)
        return error;
    (void)strcpy(source.bucket, req->copy.source.bucket);
    return s3_caller_may(&req->caller, &source) ? S3_OK : S3_ACCESS_DENIED;
}

static void ask_source(struct s3_request *req, struct s3_question *question)
{
    s3_ask_object(req, question);
    question->get_object.bucket = req->copy.source.bucket;
    question->get_object.key = req->copy.source.key;
}

/* The source's row came.  S3_NO_EVENT: it is in req->object, and its conditions hold. */
static enum s3_event take_source(struct s3_request *req)
{
    if (req->reply->status != ST_OK)
        return s3_fail(req, S3_NO_SUCH_KEY, NULL);
    if (req->reply->n_objects != 1)
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    s3_get_take_object(req);
    if (s3_condition(req->head, S3_CONDITIONS_OF_SOURCE, req->object->etag,
                     req->object->modified_ms) != 200)
        return s3_fail(req, S3_PRECONDITION_FAILED, NULL);
    return S3_NO_EVENT;
}

/* What the state holds the copy against. */
static void name_source(struct s3_request *req, Lapwing__CopySource *out)
{
    lapwing__copy_source__init(out);
    out->bucket = req->copy.source.bucket;
    out->key = req->copy.source.key;
    out->blob = req->object->blob;
    out->upload = req->object->upload;
}

/* The checksum of that kind which the source has, or none. */
static const char *sum_of(const Lapwing__Object *object, enum s3_checksum_kind kind)
{
    for (size_t i = 0; kind != S3_CHECKSUM_NONE && i < object->n_metadata; i++)
        if (s3_checksum_of_header(bytes_of_text(object->metadata[i]->name)) == kind)
            return object->metadata[i]->value;
    return NULL;
}

/* The same, of all its bytes. */
static const char *whole_sum(const Lapwing__Object *object, enum s3_checksum_kind kind)
{
    const char *value = sum_of(object, kind);

    return value != NULL && !s3_checksum_is_composite(value) ? value : NULL;
}

/* ---- CopyObject ---- */

static enum s3_event copy_begin(struct s3_request *req)
{
    enum s3_error (*const steps[])(struct s3_request *) = { read_source, s3_put_conditions };

    s3_put_init(req);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        req->error = steps[i](req);
        if (req->error != S3_OK)
            return S3_FAILED;
    }
    req->error = s3_copy_directive(req->head, &req->copy.replace, &req->err);
    if (req->error == S3_OK && req->copy.replace)
        req->error = s3_put_metadata(req);
    return req->error == S3_OK ? S3_NEEDS_ROWS : S3_FAILED;
}

static bool is_onto_itself(const struct s3_request *req)
{
    return strcmp(req->copy.source.bucket, req->route.bucket) == 0 &&
           strcmp(req->copy.source.key, req->route.key) == 0;
}

/* A checksum of a kind that the source has not would have to be computed from its bytes. */
static bool has_wanted_sum(const struct s3_request *req)
{
    enum s3_checksum_kind kind;
    struct bytes value;

    if (!http_head_find(req->head, "x-amz-checksum-algorithm", &value))
        return true;
    kind = s3_checksum_of_name(value);
    return kind != S3_CHECKSUM_NONE && whole_sum(req->object, kind) != NULL;
}

/* The metadata of the copy: the source's, or those of the request and the source's checksums, which
 * are the content's. */
static void set_metadata(struct s3_request *req)
{
    Lapwing__Object *object = req->upload.command.object;

    if (!req->copy.replace) {
        s3_put_take_metadata(req, req->object);
        return;
    }
    if (req->asked_again > 0)
        return; /* they are there */
    for (size_t i = 0; i < req->object->n_metadata; i++) {
        const Lapwing__Metadata *row = req->object->metadata[i];

        if (s3_checksum_of_header(bytes_of_text(row->name)) != S3_CHECKSUM_NONE)
            s3_headers_add(object, bytes_of_text(row->name), bytes_of_text(row->value));
    }
}

static enum s3_event copy_found(struct s3_request *req)
{
    enum s3_event event = take_source(req);

    if (event != S3_NO_EVENT)
        return event;
    if (is_onto_itself(req) && !req->copy.replace)
        return s3_fail(req, S3_INVALID_REQUEST,
                       "This copy request is illegal because it is trying to copy an object to "
                       "itself without changing the object's metadata, storage class, website "
                       "redirect location or encryption attributes.");
    if (!has_wanted_sum(req))
        return s3_fail(req, S3_NOT_IMPLEMENTED,
                       "A copy keeps its source's checksums; computing another one is not "
                       "implemented by this object store");
    set_metadata(req);
    return S3_NEEDS_COMMIT;
}

static enum s3_event copy_propose(struct s3_request *req)
{
    Lapwing__Object *object = req->upload.command.object;
    Lapwing__CopySource source;
    enum s3_event event;

    object->bytes = req->object->bytes;
    object->etag = req->object->etag;
    object->blob = req->object->blob;
    object->upload = req->object->upload;
    name_source(req, &source);
    req->upload.command.source = &source;
    event = s3_propose_command(req, LAPWING__COMMAND_TYPE__PUT_OBJECT, &req->upload.command.base);
    req->upload.command.source = NULL;
    return event;
}

static enum s3_event copy_committed(struct s3_request *req)
{
    Lapwing__Object *object =
        lapwing__object__unpack(NULL, req->outcome->body.len, req->outcome->body.data);

    if (object == NULL)
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    req->copy.modified_ms = object->modified_ms;
    lapwing__object__free_unpacked(object, NULL);
    return S3_ANSWERABLE;
}

static void copy_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_copied(&xml, "CopyObjectResult", req->object->etag, req->copy.modified_ms);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_copy_object_steps = {
    .begin = copy_begin,
    .ask = ask_source,
    .found = copy_found,
    .propose = copy_propose,
    .committed = copy_committed,
    .answer = copy_answer,
};

/* ---- UploadPartCopy ---- */

static enum s3_event part_begin(struct s3_request *req)
{
    req->error = read_source(req);
    if (req->error == S3_OK)
        req->error = s3_multipart_query(req);
    if (req->error == S3_OK)
        req->error = s3_part_number_check(&req->multipart.query, &req->err);
    return req->error == S3_OK ? S3_NEEDS_ROWS : S3_FAILED;
}

/* The upload, then the source, then the source's parts if it has some. */
static void part_ask(struct s3_request *req, struct s3_question *question)
{
    if (!req->copy.has_upload)
        s3_multipart_ask(req, 0, question);
    else if (!req->copy.has_parts)
        ask_source(req, question);
    else
        s3_ask_parts(req, req->copy.source.bucket, req->copy.source.key, question);
}

/* Is the part all of one blob, whose digests are known?  Then they are the part's. */
static bool take_whole_blob(struct s3_request *req, const uint8_t *md5, struct bytes sum)
{
    struct s3_upload *upload = &req->upload;
    const struct s3_extent *extent = &req->extents[0];

    if (req->extent_count != 1 || extent->range.bytes != extent->blob_bytes)
        return false;
    if (sum.len != s3_checksum_bytes(req->multipart.sum_kind))
        return false;
    upload->blob = extent->blob;
    upload->stored_bytes = extent->blob_bytes;
    memcpy(upload->md5, md5, MD5_BYTES);
    hex_encode(bytes_of(md5, MD5_BYTES), upload->etag);
    if (sum.len > 0)
        memcpy(req->multipart.part_sum, sum.data, sum.len);
    return true;
}

static enum s3_event start_part(struct s3_request *req, bool is_whole_blob)
{
    req->copy.is_whole_blob = is_whole_blob;
    if (is_whole_blob)
        return S3_NEEDS_COMMIT;
    if (req->extent_count == 0)
        return s3_fail(req, S3_INVALID_REQUEST, "The source has no bytes to copy");
    return S3_NEEDS_COPY;
}

static enum s3_event parts_found(struct s3_request *req)
{
    const Lapwing__ReadReply *reply = req->reply;
    struct bytes sum = { 0 };
    bool is_whole_blob;

    if (reply->status != ST_OK)
        return s3_ask_again(req);
    if (!s3_extents_of_parts(req))
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    /* The part's checksum is of the kind that its object has. */
    if (reply->n_parts == 1 && sum_of(req->object, req->multipart.sum_kind) != NULL)
        sum = bytes_of(reply->parts[0]->checksum.data, reply->parts[0]->checksum.len);
    is_whole_blob = reply->n_parts == 1 && take_whole_blob(req, reply->parts[0]->md5.data, sum);
    return start_part(req, is_whole_blob);
}

static enum s3_event source_found(struct s3_request *req)
{
    enum s3_event event = take_source(req);
    uint8_t md5[MD5_BYTES];
    uint8_t sum[SHA256_BYTES];
    struct bytes known = { 0 };
    const char *text;

    if (event != S3_NO_EVENT)
        return event;
    req->error = s3_copy_range(req->head, req->object->bytes, &req->range.offset, &req->range.bytes,
                               &req->err);
    if (req->error != S3_OK)
        return S3_FAILED;
    if (req->range.bytes > OBJECT_PUT_BYTES_MAX)
        return s3_fail(req, S3_INVALID_REQUEST,
                       "The specified copy source is larger than the maximum allowable size for a "
                       "copy source: 5368709120");
    if (req->object->upload[0] != '\0') {
        req->copy.has_parts = true;
        return S3_NEEDS_ROWS;
    }
    if (!s3_extents_of_blob(req))
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    text = whole_sum(req->object, req->multipart.sum_kind);
    if (text != NULL && s3_checksum_decode(req->multipart.sum_kind, bytes_of_text(text), sum))
        known = bytes_of(sum, s3_checksum_bytes(req->multipart.sum_kind));
    return start_part(req, hex_decode(req->object->etag, md5, sizeof md5) &&
                               take_whole_blob(req, md5, known));
}

static enum s3_event part_found(struct s3_request *req)
{
    enum s3_event event;

    if (req->copy.has_parts)
        return parts_found(req);
    if (req->copy.has_upload)
        return source_found(req);
    event = s3_multipart_found(req);
    req->copy.has_upload = true;
    return event == S3_NO_EVENT ? S3_NEEDS_ROWS : event;
}

enum s3_event s3_copy_on(struct s3_request *req)
{
    enum s3_event event = S3_NO_EVENT;

    if (req->upload.put == NULL) {
        req->upload.sum_kind = req->multipart.sum_kind;
        event = s3_put_start(req);
    }
    return event == S3_NO_EVENT ? s3_read_on(req) : event;
}

static enum s3_event part_propose(struct s3_request *req)
{
    Lapwing__CopySource source;

    if (!req->copy.is_whole_blob)
        return s3_part_propose(req, NULL);
    name_source(req, &source);
    return s3_part_propose(req, &source);
}

static enum s3_event part_committed(struct s3_request *req)
{
    Lapwing__Part *part =
        lapwing__part__unpack(NULL, req->outcome->body.len, req->outcome->body.data);

    if (part == NULL)
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    req->copy.modified_ms = part->modified_ms;
    lapwing__part__free_unpacked(part, NULL);
    return S3_ANSWERABLE;
}

static void part_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_copied(&xml, "CopyPartResult", req->upload.etag, req->copy.modified_ms);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_part_copy_steps = {
    .begin = part_begin,
    .ask = part_ask,
    .found = part_found,
    .propose = part_propose,
    .committed = part_committed,
    .answer = part_answer,
};
