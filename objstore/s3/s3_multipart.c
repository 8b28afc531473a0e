/* Multipart uploads: the steps of their operations, but for UploadPartCopy. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/request_scheme.h"
#include "objstore/s3/s3_headers.h"
#include "objstore/s3/s3_request.h"

/* ---- what they share ---- */

enum s3_error s3_multipart_query(struct s3_request *req)
{
    enum s3_error error =
        s3_part_query_parse(http_target_query(req->head->target), &req->multipart.query, &req->err);

    if (error != S3_OK)
        return error;
    return req->multipart.query.upload[0] != '\0' ? S3_OK : S3_NO_SUCH_UPLOAD;
}

void s3_multipart_ask(const struct s3_request *req,
                      uint32_t max_parts,
                      struct s3_question *question)
{
    Lapwing__GetUploadRead *read = &question->get_upload;

    lapwing__get_upload_read__init(read);
    read->bucket = (char *)req->route.bucket;
    read->key = (char *)req->route.key;
    read->upload = (char *)req->multipart.query.upload;
    read->part_after = req->multipart.query.part_after;
    read->max_parts = max_parts;
    question->request.get_upload = read;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_GET_UPLOAD;
}

enum s3_event s3_multipart_found(struct s3_request *req)
{
    struct s3_multipart *multipart = &req->multipart;
    const Lapwing__Upload *upload;

    if (req->reply->status != ST_OK || req->reply->n_uploads != 1)
        return s3_fail(req, S3_NO_SUCH_UPLOAD, NULL);
    upload = req->reply->uploads[0];
    multipart->sum_kind = s3_checksum_of_name(bytes_of_text(upload->checksum));
    multipart->sum_is_whole = upload->checksum_whole;
    multipart->revision = upload->revision;
    return S3_NO_EVENT;
}

/* ---- CreateMultipartUpload ---- */

static enum s3_event create_begin(struct s3_request *req)
{
    struct s3_multipart *multipart = &req->multipart;
    uint8_t name[UPLOAD_ID_DIGITS / 2];

    s3_put_init(req);
    req->error = s3_put_metadata(req);
    if (req->error == S3_OK)
        req->error = s3_upload_checksum(req->head, &multipart->sum_kind, &multipart->sum_is_whole,
                                        &req->err);
    if (req->error != S3_OK)
        return S3_FAILED;
    random_bytes(name, sizeof name);
    hex_encode(bytes_of(name, sizeof name), multipart->name);
    return S3_NEEDS_COMMIT;
}

static enum s3_event create_propose(struct s3_request *req)
{
    struct s3_multipart *multipart = &req->multipart;
    Lapwing__CreateUpload create = LAPWING__CREATE_UPLOAD__INIT;
    Lapwing__Upload upload = LAPWING__UPLOAD__INIT;

    upload.upload = multipart->name;
    upload.object = req->upload.command.object;
    if (multipart->sum_kind != S3_CHECKSUM_NONE)
        upload.checksum = (char *)s3_checksum_name(multipart->sum_kind);
    upload.checksum_whole = multipart->sum_is_whole;
    create.upload = &upload;
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__CREATE_UPLOAD, &create.base);
}

static void create_answer(struct s3_request *req)
{
    struct s3_fields fields;
    struct buf xml = { 0 };

    s3_fields_begin(&fields, req);
    if (req->multipart.sum_kind != S3_CHECKSUM_NONE) {
        s3_field(&fields, "x-amz-checksum-algorithm", s3_checksum_name(req->multipart.sum_kind));
        s3_field(&fields, "x-amz-checksum-type",
                 req->multipart.sum_is_whole ? "FULL_OBJECT" : "COMPOSITE");
    }
    s3_xml_upload_created(&xml, &req->route, req->multipart.name);
    s3_answer_fields_xml(req, &fields, &xml);
}

const struct s3_steps s3_create_upload_steps = {
    .begin = create_begin,
    .propose = create_propose,
    .answer = create_answer,
};

/* ---- UploadPart ---- */

static enum s3_event part_begin(struct s3_request *req)
{
    req->error = s3_multipart_query(req);
    if (req->error == S3_OK)
        req->error = s3_part_number_check(&req->multipart.query, &req->err);
    if (req->error == S3_OK)
        req->error = s3_put_digests(req);
    return req->error == S3_OK ? S3_NEEDS_ROWS : S3_FAILED;
}

static void upload_ask(struct s3_request *req, struct s3_question *question)
{
    s3_multipart_ask(req, 0, question);
}

static enum s3_event part_found(struct s3_request *req)
{
    enum s3_event event = s3_multipart_found(req);
    enum s3_checksum_kind want = req->multipart.sum_kind;
    struct s3_upload *upload = &req->upload;

    if (event != S3_NO_EVENT)
        return event;
    if (want == S3_CHECKSUM_NONE || want == upload->sum_kind)
        return S3_NEEDS_BODY;
    if (upload->sum_kind == S3_CHECKSUM_NONE) {
        upload->sum_kind = want; /* computed for the object's */
        return S3_NEEDS_BODY;
    }
    req->error = S3_INVALID_REQUEST;
    (void)err_set(&req->err, ST_BAD_INPUT,
                  "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum "
                  "Type: %s",
                  s3_checksum_name(want), s3_checksum_name(upload->sum_kind));
    return S3_FAILED;
}

enum s3_event s3_part_propose(struct s3_request *req, Lapwing__CopySource *source)
{
    struct s3_multipart *multipart = &req->multipart;
    struct s3_upload *upload = &req->upload;
    Lapwing__PutPart put = LAPWING__PUT_PART__INIT;
    Lapwing__Part part = LAPWING__PART__INIT;

    put.bucket = req->route.bucket;
    put.key = req->route.key;
    put.upload = multipart->query.upload;
    put.part = &part;
    put.source = source;
    part.number = multipart->query.number;
    part.bytes = upload->stored_bytes;
    part.md5 = (ProtobufCBinaryData){ MD5_BYTES, upload->md5 };
    part.blob = (ProtobufCBinaryData){ BLOB_ID_BYTES, upload->blob.sha256 };
    /* A copied blob's is there already. */
    if (source == NULL && multipart->sum_kind != S3_CHECKSUM_NONE)
        CHECK(s3_checksum_decode(multipart->sum_kind, bytes_of_text(upload->sum),
                                 multipart->part_sum));
    part.checksum =
        (ProtobufCBinaryData){ s3_checksum_bytes(multipart->sum_kind), multipart->part_sum };
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__PUT_PART, &put.base);
}

static enum s3_event part_propose(struct s3_request *req)
{
    return s3_part_propose(req, NULL);
}

static void part_answer(struct s3_request *req)
{
    struct s3_fields fields;
    char etag[S3_ETAG_FIELD_BYTES];

    s3_put_answer_fields(req, &fields, etag);
    s3_answer(req, 200, &fields);
}

const struct s3_steps s3_upload_part_steps = {
    .begin = part_begin,
    .ask = upload_ask,
    .found = part_found,
    .propose = part_propose,
    .answer = part_answer,
};

/* ---- CompleteMultipartUpload ---- */

static enum s3_event complete_begin(struct s3_request *req)
{
    s3_put_init(req);
    req->error = s3_multipart_query(req);
    if (req->error == S3_OK)
        req->error = s3_put_conditions(req);
    return req->error == S3_OK ? S3_NEEDS_TEXT : S3_FAILED;
}

static enum s3_event complete_collected(struct s3_request *req, struct bytes body)
{
    enum s3_error error = s3_claims_parse(body, &req->multipart.claims);

    return error == S3_OK ? S3_NEEDS_ROWS : s3_fail(req, error, NULL);
}

static void complete_ask(struct s3_request *req, struct s3_question *question)
{
    req->multipart.query.part_after = 0;
    s3_multipart_ask(req, UPLOAD_PARTS_MAX, question);
}

static enum s3_event complete_found(struct s3_request *req)
{
    const Lapwing__ReadReply *reply = req->reply;
    struct s3_multipart *multipart = &req->multipart;
    struct s3_completion *completion = &multipart->completion;
    enum s3_error error;

    if (reply->status != ST_OK && reply->n_objects == 1) {
        s3_get_take_object(req); /* it was completed before, and its client has not heard of it */
        return S3_ANSWERABLE;
    }
    if (s3_multipart_found(req) != S3_NO_EVENT)
        return S3_FAILED;
    error = s3_claims_match(&multipart->claims, reply->uploads[0], reply->parts, reply->n_parts,
                            completion);
    if (error != S3_OK)
        return s3_fail(req, error, NULL);
    req->error = s3_completion_check(req->head, completion, multipart->sum_is_whole, &req->err);
    if (req->error != S3_OK)
        return S3_FAILED;
    s3_put_take_metadata(req, reply->uploads[0]->object);
    if (completion->sum_kind != S3_CHECKSUM_NONE)
        s3_headers_add(req->upload.command.object,
                       bytes_of_text(s3_checksum_header(completion->sum_kind)),
                       bytes_of_text(completion->sum));
    return S3_NEEDS_COMMIT;
}

static enum s3_event complete_propose(struct s3_request *req)
{
    struct s3_multipart *multipart = &req->multipart;
    Lapwing__Object *object = req->upload.command.object;
    Lapwing__CompleteUpload command = LAPWING__COMPLETE_UPLOAD__INIT;
    uint32_t numbers[UPLOAD_PARTS_MAX];

    for (size_t i = 0; i < multipart->claims.count; i++)
        numbers[i] = multipart->claims.list[i].number;
    object->bytes = multipart->completion.bytes;
    object->etag = multipart->completion.etag;
    object->upload = multipart->query.upload;
    command.object = object;
    command.revision = multipart->revision;
    command.parts = numbers;
    command.n_parts = multipart->claims.count;
    command.only_if_absent = req->upload.command.only_if_absent;
    command.only_if_etag = req->upload.command.only_if_etag;
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__COMPLETE_UPLOAD, &command.base);
}

static void complete_answer(struct s3_request *req)
{
    const Lapwing__Object *object = req->object != NULL ? req->object : req->upload.command.object;
    struct bytes host = bytes_of_text("localhost");
    struct bytes forwarded = { 0 };
    struct buf base = { 0 };
    struct buf xml = { 0 };

    (void)http_head_find(req->head, "host", &host);
    (void)http_head_find(req->head, "x-forwarded-proto", &forwarded);
    buf_printf(&base, "%s://%.*s",
               request_scheme(host, forwarded, http_request_is_https(req->http)), (int)host.len,
               (const char *)host.data);
    s3_xml_upload_completed(&xml, &req->route, buf_text(&base), object);
    s3_answer_xml(req, &xml);
    buf_done(&base);
}

const struct s3_steps s3_complete_upload_steps = {
    .begin = complete_begin,
    .ask = complete_ask,
    .found = complete_found,
    .collected = complete_collected,
    .propose = complete_propose,
    .answer = complete_answer,
};

/* ---- AbortMultipartUpload ---- */

static enum s3_event abort_begin(struct s3_request *req)
{
    req->error = s3_multipart_query(req);
    return req->error == S3_OK ? S3_NEEDS_COMMIT : S3_FAILED;
}

static enum s3_event abort_propose(struct s3_request *req)
{
    Lapwing__AbortUpload command = LAPWING__ABORT_UPLOAD__INIT;

    command.bucket = req->route.bucket;
    command.key = req->route.key;
    command.upload = req->multipart.query.upload;
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__ABORT_UPLOAD, &command.base);
}

const struct s3_steps s3_abort_upload_steps = {
    .begin = abort_begin,
    .propose = abort_propose,
    .answer = s3_answer_no_content,
};

/* ---- listings ---- */

static enum s3_event parts_begin(struct s3_request *req)
{
    req->error = s3_multipart_query(req);
    return req->error == S3_OK ? S3_NEEDS_ROWS : S3_FAILED;
}

static void parts_ask(struct s3_request *req, struct s3_question *question)
{
    s3_multipart_ask(req, req->multipart.query.max_parts, question);
}

static enum s3_event parts_found(struct s3_request *req)
{
    enum s3_event event = s3_multipart_found(req);

    return event == S3_NO_EVENT ? S3_ANSWERABLE : event;
}

static void parts_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_parts(&xml, &req->route, &req->multipart.query, req->reply);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_list_parts_steps = {
    .begin = parts_begin,
    .ask = parts_ask,
    .found = parts_found,
    .answer = parts_answer,
};

static enum s3_event uploads_begin(struct s3_request *req)
{
    req->error =
        s3_uploads_parse(http_target_query(req->head->target), &req->multipart.list, &req->err);
    return req->error == S3_OK ? S3_NEEDS_ROWS : S3_FAILED;
}

static void uploads_ask(struct s3_request *req, struct s3_question *question)
{
    Lapwing__ListUploadsRead *read = &question->list_uploads;

    lapwing__list_uploads_read__init(read);
    read->bucket = req->route.bucket;
    read->prefix = req->multipart.list.prefix;
    read->delimiter = req->multipart.list.delimiter;
    read->key_after = req->multipart.list.key_marker;
    read->upload_after = req->multipart.list.upload_marker;
    read->max_uploads = req->multipart.list.max_uploads;
    question->request.list_uploads = read;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_LIST_UPLOADS;
}

static void uploads_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_uploads(&xml, req->route.bucket, &req->multipart.list, req->reply);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_list_uploads_steps = {
    .begin = uploads_begin,
    .ask = uploads_ask,
    .found = s3_found_answerable,
    .answer = uploads_answer,
};
