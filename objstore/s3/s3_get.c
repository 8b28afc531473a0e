/* GetObject and HeadObject: conditions, range, and the head of the answer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "objstore/s3/s3_request.h"

/* ---- what to send ---- */

static Lapwing__Object *copy_object(const Lapwing__Object *object)
{
    size_t len = lapwing__object__get_packed_size(object);
    uint8_t *packed = must_calloc(1, len + 1);
    Lapwing__Object *copy;

    (void)lapwing__object__pack(object, packed);
    copy = lapwing__object__unpack(NULL, len, packed);
    CHECK(copy != NULL);
    free(packed);
    return copy;
}

static enum s3_event apply_range(struct s3_request *req)
{
    uint64_t first = 0;
    uint64_t last = 0;
    struct bytes value;
    struct bytes condition;

    if (!http_head_find(req->head, "range", &value))
        return S3_NO_EVENT;
    if (http_head_find(req->head, "if-range", &condition) &&
        !s3_if_range_holds(condition, req->object->etag, req->object->modified_ms))
        return S3_NO_EVENT;
    switch (s3_range_parse(value, req->object->bytes, &first, &last)) {
    case S3_RANGE_NONE:
        return S3_NO_EVENT;
    case S3_RANGE_UNSATISFIABLE:
        return s3_fail(req, S3_INVALID_RANGE, NULL);
    case S3_RANGE_PART:
        req->http_status = 206;
        req->range = (struct blob_range){ first, last - first + 1 };
        return S3_NO_EVENT;
    }
    CHECK(!"s3_range_parse: unknown");
}

void s3_get_take_object(struct s3_request *req)
{
    if (req->object != NULL)
        lapwing__object__free_unpacked(req->object, NULL);
    req->object = copy_object(req->reply->objects[0]);
}

/* Only a part of the object: `partNumber`, which counts as a range. */
static enum s3_event apply_part(struct s3_request *req)
{
    if (req->object->upload[0] != '\0')
        return S3_NEEDS_ROWS; /* of the parts, on HEAD too */
    if (req->part_number != 1)
        return s3_fail(req, S3_INVALID_PART_NUMBER, NULL);
    if (req->object->bytes > 0)
        req->http_status = 206;
    return S3_NO_EVENT;
}

/* The rows of all parts came: where is the one that is wanted? */
static enum s3_event find_part(struct s3_request *req)
{
    const Lapwing__ReadReply *reply = req->reply;
    uint64_t at = 0;

    req->part_count = reply->n_parts;
    for (size_t i = 0; i < reply->n_parts; i++) {
        if (reply->parts[i]->number == req->part_number) {
            req->range = (struct blob_range){ at, reply->parts[i]->bytes };
            req->http_status = reply->parts[i]->bytes > 0 ? 206 : 200;
            return S3_NO_EVENT;
        }
        at += reply->parts[i]->bytes;
    }
    return s3_fail(req, S3_INVALID_PART_NUMBER, NULL);
}

static enum s3_event begin(struct s3_request *req)
{
    struct bytes query = http_target_query(req->head->target);
    struct s3_part_query part;
    struct bytes unused;

    if (!s3_query_has(query, "partNumber"))
        return S3_NEEDS_ROWS;
    req->error = s3_part_query_parse(query, &part, &req->err);
    if (req->error == S3_OK)
        req->error = s3_part_number_check(&part, &req->err);
    if (req->error != S3_OK)
        return S3_FAILED;
    req->part_number = part.number;
    if (http_head_find(req->head, "range", &unused))
        return s3_fail(req, S3_INVALID_REQUEST,
                       "Cannot specify both Range header and partNumber query parameter");
    return S3_NEEDS_ROWS;
}

/* The object's row came: what of it is wanted? */
static enum s3_event row_found(struct s3_request *req)
{
    enum s3_event event;

    if (req->reply->n_objects != 1)
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    s3_get_take_object(req);
    req->http_status =
        s3_condition(req->head, S3_CONDITIONS_PLAIN, req->object->etag, req->object->modified_ms);
    req->range = (struct blob_range){ 0, req->object->bytes };
    if (req->http_status == 412)
        return s3_fail(req, S3_PRECONDITION_FAILED, NULL);
    if (req->http_status == 304)
        return S3_ANSWERABLE;
    event = req->part_number > 0 ? apply_part(req) : apply_range(req);
    if (event != S3_NO_EVENT)
        return event;
    if (req->route.operation == S3_HEAD_OBJECT)
        return S3_ANSWERABLE;
    if (req->object->upload[0] != '\0')
        return S3_NEEDS_ROWS; /* of the parts */
    return s3_extents_of_blob(req) ? S3_NEEDS_BLOB : s3_fail(req, S3_INTERNAL_ERROR, NULL);
}

static enum s3_event parts_found(struct s3_request *req)
{
    enum s3_event event = req->part_number > 0 ? find_part(req) : S3_NO_EVENT;

    if (event != S3_NO_EVENT)
        return event;
    if (req->route.operation == S3_HEAD_OBJECT)
        return S3_ANSWERABLE;
    if (!s3_extents_of_parts(req))
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    return req->extent_count > 0 ? S3_NEEDS_BLOB : S3_ANSWERABLE;
}

static enum s3_event found(struct s3_request *req)
{
    bool is_there = req->reply->status == ST_OK;

    if (req->reply->n_objects == 0 && req->object != NULL) { /* the answer about the parts */
        if (!is_there) {
            /* Replaced between the two reads. */
            lapwing__object__free_unpacked(req->object, NULL);
            req->object = NULL;
            return s3_ask_again(req);
        }
        return parts_found(req);
    }
    return is_there ? row_found(req) : s3_fail(req, S3_NO_SUCH_KEY, NULL);
}

static void ask(struct s3_request *req, struct s3_question *question)
{
    if (req->object == NULL)
        s3_ask_object(req, question);
    else
        s3_ask_parts(req, req->route.bucket, req->route.key, question);
}

/* ---- headers ---- */

enum { OVERRIDES = 6 };
static const struct {
    const char *parameter;
    const char *name;
} overrides[OVERRIDES] = {
    { "response-content-type", "Content-Type" },
    { "response-content-language", "Content-Language" },
    { "response-expires", "Expires" },
    { "response-cache-control", "Cache-Control" },
    { "response-content-disposition", "Content-Disposition" },
    { "response-content-encoding", "Content-Encoding" },
};

/* Texts that the fields of one answer point at. */
struct get_fields {
    struct s3_fields fields;
    char etag[80];
    char modified[S3_TIME_BYTES];
    char range[80];
    char part_count[24];
    struct buf overrides[OVERRIDES];
};

static bool is_header_text(const struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] < 0x20 || text->data[i] == 0x7f)
            return false;
    return true;
}

static void read_overrides(const struct s3_request *req, struct get_fields *out)
{
    struct bytes query = http_target_query(req->head->target);

    for (size_t i = 0; i < OVERRIDES; i++) {
        struct buf *text = &out->overrides[i];

        if (http_query_find(query, overrides[i].parameter, text) != ST_OK || !is_header_text(text))
            text->len = 0;
        if (text->len > 0)
            s3_field(&out->fields, overrides[i].name, buf_text(text));
    }
}

static bool is_overridden(const struct get_fields *fields, const char *name)
{
    for (size_t i = 0; i < OVERRIDES; i++)
        if (fields->overrides[i].len > 0 && strcmp(overrides[i].name, name) == 0)
            return true;
    return false;
}

static void add_metadata(const struct s3_request *req, struct get_fields *out)
{
    const Lapwing__Object *object = req->object;
    struct bytes mode = { 0 };
    bool with_sums;

    (void)http_head_find(req->head, "x-amz-checksum-mode", &mode);
    /* Of the whole body, so not beside a part of it or none. */
    with_sums =
        http_text_equal(mode, "ENABLED") && req->http_status != 206 && req->http_status != 304;
    for (size_t i = 0; i < object->n_metadata; i++) {
        const char *name = object->metadata[i]->name;
        bool is_sum = s3_checksum_of_header(bytes_of_text(name)) != S3_CHECKSUM_NONE;

        if (out->fields.count + 8 > S3_ANSWER_FIELDS_MAX)
            return; /* more than s3_headers_read() lets in: another release's rows */
        if ((is_sum && !with_sums) || is_overridden(out, name))
            continue;
        s3_field(&out->fields, name, object->metadata[i]->value);
        if (is_sum)
            s3_field(&out->fields, "x-amz-checksum-type",
                     s3_checksum_type(object->metadata[i]->value));
    }
}

static void fields_of(const struct s3_request *req, struct get_fields *out)
{
    const Lapwing__Object *object = req->object;

    memset(out->overrides, 0, sizeof out->overrides);
    s3_fields_begin(&out->fields, req);
    (void)snprintf(out->etag, sizeof out->etag, "\"%s\"", object->etag);
    s3_time_http(object->modified_ms, out->modified);
    s3_field(&out->fields, "ETag", out->etag);
    s3_field(&out->fields, "Last-Modified", out->modified);
    s3_field(&out->fields, "Accept-Ranges", "bytes");
    if (req->http_status == 206) {
        (void)snprintf(out->range, sizeof out->range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                       req->range.offset, req->range.offset + req->range.bytes - 1, object->bytes);
        s3_field(&out->fields, "Content-Range", out->range);
    }
    if (req->part_count > 0) {
        (void)snprintf(out->part_count, sizeof out->part_count, "%zu", req->part_count);
        s3_field(&out->fields, "x-amz-mp-parts-count", out->part_count);
    }
    read_overrides(req, out);
    if (!is_overridden(out, "Content-Type"))
        s3_field(&out->fields, "Content-Type", object->content_type);
    add_metadata(req, out);
}

static void fields_done(struct get_fields *fields)
{
    for (size_t i = 0; i < OVERRIDES; i++)
        buf_done(&fields->overrides[i]);
}

static void answer(struct s3_request *req)
{
    struct http_answer answer = { .status = req->http_status };
    struct get_fields fields;

    fields_of(req, &fields);
    answer.fields = fields.fields.list;
    answer.field_count = fields.fields.count;
    if (req->http_status == 304) {
        http_respond(req->http, &answer, (struct bytes){ 0 });
    } else {
        http_respond_stream(req->http, &answer, req->range.bytes);
        http_push_end(req->http);
    }
    fields_done(&fields);
}

enum s3_event s3_get_send(struct s3_request *req)
{
    struct http_answer answer = { .status = req->http_status };
    struct get_fields fields;
    struct bytes held;
    bool is_held = req->extent_count == 1 && blob_read_held(req->reader, &held);

    fields_of(req, &fields);
    answer.fields = fields.fields.list;
    answer.field_count = fields.fields.count;
    if (is_held)
        http_respond(req->http, &answer, held);
    else
        http_respond_stream(req->http, &answer, req->range.bytes);
    fields_done(&fields);
    return is_held ? S3_SENT : s3_read_on(req);
}

const struct s3_steps s3_get_object_steps = {
    .begin = begin,
    .ask = ask,
    .found = found,
    .answer = answer,
};

const struct s3_steps s3_head_object_steps = {
    .begin = begin,
    .ask = ask,
    .found = found,
    .answer = answer,
};
