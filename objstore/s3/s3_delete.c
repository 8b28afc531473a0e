/* DeleteObject and DeleteObjects. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_request.h"

/* Conditions that only other kinds of buckets have on AWS.  To delete without looking at them would
 * be a loss. */
static const char *const refused[] = { "x-amz-if-match-last-modified-time", "x-amz-if-match-size" };

static enum s3_event one_begin(struct s3_request *req)
{
    struct bytes unused;

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (!http_head_find(req->head, refused[i], &unused))
            continue;
        req->error = S3_NOT_IMPLEMENTED;
        (void)err_set(&req->err, ST_UNSUPPORTED,
                      "A header you provided implies functionality that is not implemented: %s",
                      refused[i]);
        return S3_FAILED;
    }
    s3_put_init(req);
    req->error = s3_put_conditions(req);
    return req->error == S3_OK ? S3_NEEDS_COMMIT : S3_FAILED;
}

static enum s3_event one_propose(struct s3_request *req)
{
    Lapwing__DeleteObject delete_object = LAPWING__DELETE_OBJECT__INIT;

    delete_object.bucket = req->route.bucket;
    delete_object.key = req->route.key;
    delete_object.only_if_etag = req->upload.command.only_if_etag;
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__DELETE_OBJECT, &delete_object.base);
}

const struct s3_steps s3_delete_object_steps = {
    .begin = one_begin,
    .propose = one_propose,
    .answer = s3_answer_no_content,
};

/* ---- many ---- */

static enum s3_event many_begin(struct s3_request *req)
{
    req->error = s3_put_digests(req);
    return req->error == S3_OK ? S3_NEEDS_TEXT : S3_FAILED;
}

/* AWS wants an MD5 or one of its checksums beside this body: a list that was cut would still be
 * one. */
static enum s3_event check_digests(struct s3_request *req, struct bytes body)
{
    struct s3_upload *upload = &req->upload;
    char text[S3_CHECKSUM_TEXT_BYTES];
    struct s3_checksum sum;
    uint8_t md5[MD5_BYTES];

    if (!upload->has_md5 && upload->sum_kind == S3_CHECKSUM_NONE)
        return s3_fail(req, S3_INVALID_REQUEST,
                       "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
    hash_md5(body, md5);
    if (upload->has_md5 && memcmp(md5, upload->md5_want, sizeof md5) != 0)
        return s3_fail(req, S3_BAD_DIGEST, NULL);
    s3_checksum_init(&sum, upload->sum_kind);
    s3_checksum_add(&sum, body);
    s3_checksum_end(&sum, text);
    if (upload->sum_kind != S3_CHECKSUM_NONE && strcmp(text, upload->sum_want) != 0)
        return s3_fail(req, S3_BAD_DIGEST, NULL);
    return S3_NO_EVENT;
}

static enum s3_event many_collected(struct s3_request *req, struct bytes body)
{
    enum s3_event event = check_digests(req, body);

    if (event != S3_NO_EVENT)
        return event;
    if (s3_deletion_parse(body, &req->deletion) != S3_OK)
        return s3_fail(req, S3_MALFORMED_XML, NULL);
    return S3_BODY_CAME;
}

/* As many as a command holds; those that have an error already are not in it. */
static enum s3_event many_propose(struct s3_request *req)
{
    struct s3_deletion *deletion = &req->deletion;
    size_t batch = s3_deletion_batch(deletion);
    char **keys = must_calloc(batch + 1, sizeof *keys);
    Lapwing__DeleteObjects command = LAPWING__DELETE_OBJECTS__INIT;
    enum s3_event event;

    command.bucket = req->route.bucket;
    command.keys = keys;
    for (size_t i = deletion->at; i < deletion->at + batch; i++)
        if (deletion->list[i].error == S3_OK)
            keys[command.n_keys++] = deletion->list[i].key;
    deletion->at += batch;
    event = s3_propose_command(req, LAPWING__COMMAND_TYPE__DELETE_OBJECTS, &command.base);
    free(keys);
    return event;
}

static enum s3_event many_committed(struct s3_request *req)
{
    return req->deletion.at < req->deletion.count ? S3_NEEDS_COMMIT : S3_ANSWERABLE;
}

static void many_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_deleted(&xml, &req->deletion);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_delete_objects_steps = {
    .begin = many_begin,
    .collected = many_collected,
    .propose = many_propose,
    .committed = many_committed,
    .answer = many_answer,
};
