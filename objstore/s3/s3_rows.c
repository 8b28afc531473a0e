/* The steps that talk to the replicated state: reads of rows, commands, and what came back. */
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_request.h"

enum s3_event s3_begin_rows(struct s3_request *req)
{
    (void)req;
    return S3_NEEDS_ROWS;
}

enum s3_event s3_begin_text(struct s3_request *req)
{
    (void)req;
    return S3_NEEDS_TEXT;
}

enum s3_event s3_begin_commit(struct s3_request *req)
{
    (void)req;
    return S3_NEEDS_COMMIT;
}

enum s3_event s3_found_answerable(struct s3_request *req)
{
    (void)req;
    return S3_ANSWERABLE;
}

/* ---- questions ---- */

void s3_ask_bucket(struct s3_request *req, struct s3_question *question)
{
    lapwing__get_bucket_read__init(&question->get_bucket);
    question->get_bucket.name = req->route.bucket;
    question->request.get_bucket = &question->get_bucket;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_GET_BUCKET;
}

void s3_ask_object(struct s3_request *req, struct s3_question *question)
{
    lapwing__get_object_read__init(&question->get_object);
    question->get_object.bucket = req->route.bucket;
    question->get_object.key = req->route.key;
    question->request.get_object = &question->get_object;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_GET_OBJECT;
}

void s3_ask_parts(const struct s3_request *req,
                  const char *bucket,
                  const char *key,
                  struct s3_question *question)
{
    Lapwing__ObjectPartsRead *read = &question->object_parts;

    lapwing__object_parts_read__init(read);
    read->bucket = (char *)bucket;
    read->key = (char *)key;
    read->upload = req->object->upload;
    read->offset = req->range.offset;
    read->bytes = req->range.bytes;
    question->request.object_parts = read;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_OBJECT_PARTS;
}

/* ---- reads ---- */

/* What to do with rows, or without them. */
static enum s3_event rows_event(struct s3_request *req, const Lapwing__ReadReply *reply)
{
    bool found = reply->status == ST_OK;

    if (!found && reply->status != ST_NOT_FOUND)
        return s3_fail(req, S3_INTERNAL_ERROR, NULL);
    /* This node's rows may be a moment old.  A package never changes under its name, so what is
     * found is right; what is not found is asked for again, properly. */
    if (!found && !req->asked_linearizable) {
        req->asked_linearizable = true;
        return S3_NEEDS_ROWS;
    }
    if (!found && !reply->bucket_found)
        return s3_fail(req, S3_NO_SUCH_BUCKET, NULL);
    return req->steps->found(req);
}

static void read_cb(void *context,
                    enum status status,
                    const Lapwing__ReadReply *reply,
                    const struct err *err)
{
    struct s3_request *req = context;
    struct err text = { 0 };
    enum s3_event event;

    req->in_flight--;
    if (req->state == S3_FINISHED) {
        s3_release(req);
        return;
    }
    req->reply = reply;
    if (status == ST_OK)
        event = rows_event(req, reply);
    else
        event = s3_fail(req, s3_error_not_answered(ST_UNAVAILABLE, err->text, &text), text.text);
    s3_on(req, event);
    req->reply = NULL;
    s3_release(req);
}

enum s3_event s3_read_rows(struct s3_request *req)
{
    struct s3_question question;

    lapwing__read_request__init(&question.request);
    req->asked_linearizable = req->asked_linearizable || !req->caller.is_internal;
    question.request.linearizable = req->asked_linearizable;
    req->steps->ask(req, &question);
    if (state_link_read(req->server->link, &question.request, S3_READ_MS, read_cb, req) != ST_OK)
        return s3_fail(req, S3_SLOW_DOWN, NULL);
    req->in_flight++;
    return S3_NO_EVENT;
}

enum s3_event s3_ask_again(struct s3_request *req)
{
    if (++req->asked_again > S3_ASKED_AGAIN_MAX)
        return s3_fail(req, S3_OPERATION_ABORTED, NULL);
    req->copy.has_upload = false;
    req->copy.has_parts = false;
    return S3_NEEDS_ROWS;
}

/* ---- commands ---- */

static const struct {
    const char *reason; /* of the state's refusals */
    enum s3_error error;
} refusals[] = {
    { "no_such_bucket", S3_NO_SUCH_BUCKET },
    { "no_such_key", S3_NO_SUCH_KEY },
    { "no_such_upload", S3_NO_SUCH_UPLOAD },
    { "invalid_part", S3_INVALID_PART },
    { "bucket_already_owned_by_you", S3_BUCKET_ALREADY_OWNED_BY_YOU },
    { "bucket_already_exists", S3_BUCKET_ALREADY_EXISTS },
    { "bucket_not_empty", S3_BUCKET_NOT_EMPTY },
    { "precondition_failed", S3_PRECONDITION_FAILED },
};

static enum s3_event outcome_event(struct s3_request *req, const Lapwing__Outcome *outcome)
{
    if (outcome->status == ST_OK)
        return req->steps->committed != NULL ? req->steps->committed(req) : S3_ANSWERABLE;
    if (strcmp(outcome->reason, "source_changed") == 0 ||
        strcmp(outcome->reason, "upload_changed") == 0)
        return s3_ask_again(req);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (strcmp(outcome->reason, refusals[i].reason) != 0)
            continue;
        /* AWS's oldest region answers 200 to a bucket that is made twice, and it is the one that
         * clients name when they name none. */
        if (refusals[i].error == S3_BUCKET_ALREADY_OWNED_BY_YOU &&
            strcmp(req->region, "us-east-1") == 0)
            return S3_ANSWERABLE;
        return s3_fail(req, refusals[i].error, NULL);
    }
    return s3_fail(req, S3_INTERNAL_ERROR, outcome->text);
}

static void propose_cb(void *context,
                       enum status status,
                       const Lapwing__Outcome *outcome,
                       const struct err *err)
{
    struct s3_request *req = context;
    struct err text = { 0 };
    enum s3_event event;

    req->in_flight--;
    if (req->state == S3_FINISHED) {
        s3_release(req);
        return;
    }
    req->outcome = outcome;
    if (status == ST_OK)
        event = outcome_event(req, outcome);
    else if (status == ST_BAD_INPUT)
        event = s3_fail(req, S3_INVALID_ARGUMENT, err->text);
    else
        event = s3_fail(req, s3_error_not_answered(status, err->text, &text), text.text);
    s3_on(req, event);
    req->outcome = NULL;
    s3_release(req);
}

enum s3_event s3_propose_command(struct s3_request *req,
                                 Lapwing__CommandType type,
                                 const ProtobufCMessage *command)
{
    struct buf body = { 0 };
    enum status st;

    body.len = protobuf_c_message_pack(
        command, buf_reserve(&body, protobuf_c_message_get_packed_size(command)));
    st = state_link_propose(req->server->link, type, buf_view(&body), S3_PROPOSE_MS, propose_cb,
                            req);
    buf_done(&body);
    if (st != ST_OK)
        return s3_fail(req, S3_SLOW_DOWN, NULL);
    req->in_flight++;
    return S3_NO_EVENT;
}

/* ---- bodies of XML ---- */

enum s3_event s3_collected(struct s3_request *req)
{
    struct bytes body = http_request_body(req->http);
    uint8_t digest[SHA256_BYTES];

    if (http_request_body_too_large(req->http))
        return s3_fail(req, S3_MALFORMED_XML, NULL);
    if (req->caller.payload != SIGV4_PAYLOAD_SHA256 &&
        req->caller.payload != SIGV4_PAYLOAD_UNSIGNED)
        return s3_fail(req, S3_NOT_IMPLEMENTED,
                       "A chunked body is only taken by PutObject and UploadPart");
    hash_sha256(body, digest);
    if (req->caller.payload == SIGV4_PAYLOAD_SHA256 &&
        memcmp(digest, req->caller.payload_sha256, sizeof digest) != 0)
        return s3_fail(req, S3_CONTENT_SHA256_MISMATCH, NULL);
    return req->steps->collected(req, body);
}
