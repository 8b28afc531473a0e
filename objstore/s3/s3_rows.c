/* The steps that talk to the replicated state: reads of rows, commands, and what came back. */
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_request.h"

/* ---- reads ---- */

/* What to do with a row, or without it. */
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
    if (req->route.operation == S3_LIST_BUCKETS)
        return S3_ANSWERABLE;
    if (!found && !reply->bucket_found)
        return s3_fail(req, S3_NO_SUCH_BUCKET, NULL);
    if (!found)
        return s3_fail(req, S3_NO_SUCH_KEY, NULL);
    switch (req->route.operation) {
    case S3_PUT_OBJECT:
        return S3_NEEDS_BODY;
    case S3_HEAD_BUCKET:
    case S3_GET_BUCKET_LOCATION:
        return reply->n_buckets == 1 ? S3_ANSWERABLE : s3_fail(req, S3_INTERNAL_ERROR, NULL);
    case S3_GET_OBJECT:
    case S3_HEAD_OBJECT:
        if (reply->n_objects != 1 || reply->objects[0]->blob.len != BLOB_ID_BYTES)
            return s3_fail(req, S3_INTERNAL_ERROR, NULL);
        return s3_get_found(req);
    default:
        return S3_ANSWERABLE;
    }
}

static void read_cb(void *context,
                    enum status status,
                    const Lapwing__ReadReply *reply,
                    const struct err *err)
{
    struct s3_request *req = context;
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
        event = s3_fail(req, S3_SERVICE_UNAVAILABLE, err->text);
    s3_on(req, event);
    req->reply = NULL;
    s3_release(req);
}

enum s3_event s3_read_rows(struct s3_request *req)
{
    Lapwing__ReadRequest request = LAPWING__READ_REQUEST__INIT;
    Lapwing__GetBucketRead get_bucket = LAPWING__GET_BUCKET_READ__INIT;
    Lapwing__ListBucketsRead list_buckets = LAPWING__LIST_BUCKETS_READ__INIT;
    Lapwing__GetObjectRead get_object = LAPWING__GET_OBJECT_READ__INIT;
    Lapwing__ListObjectsRead list_objects = LAPWING__LIST_OBJECTS_READ__INIT;
    char account[] = S3_ACCOUNT;

    req->asked_linearizable = req->asked_linearizable || !req->caller.is_internal;
    request.linearizable = req->asked_linearizable;
    switch (req->route.operation) {
    case S3_LIST_BUCKETS:
        list_buckets.account = account;
        request.list_buckets = &list_buckets;
        request.what_case = LAPWING__READ_REQUEST__WHAT_LIST_BUCKETS;
        break;
    case S3_GET_OBJECT:
    case S3_HEAD_OBJECT:
        get_object.bucket = req->route.bucket;
        get_object.key = req->route.key;
        request.get_object = &get_object;
        request.what_case = LAPWING__READ_REQUEST__WHAT_GET_OBJECT;
        break;
    case S3_LIST_OBJECTS:
    case S3_LIST_OBJECTS_V2:
        list_objects.bucket = req->route.bucket;
        list_objects.prefix = req->list.prefix;
        list_objects.delimiter = req->list.delimiter;
        list_objects.start_after = req->list.after;
        list_objects.max_keys = req->list.max_keys;
        request.list_objects = &list_objects;
        request.what_case = LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS;
        break;
    default:
        get_bucket.name = req->route.bucket;
        request.get_bucket = &get_bucket;
        request.what_case = LAPWING__READ_REQUEST__WHAT_GET_BUCKET;
        break;
    }
    if (state_link_read(req->server->link, &request, S3_READ_MS, read_cb, req) != ST_OK)
        return s3_fail(req, S3_SLOW_DOWN, NULL);
    req->in_flight++;
    return S3_NO_EVENT;
}

/* ---- commands ---- */

static const struct {
    const char *reason; /* of the state's refusals */
    enum s3_error error;
} refusals[] = {
    { "no_such_bucket", S3_NO_SUCH_BUCKET },
    { "no_such_key", S3_NO_SUCH_KEY },
    { "bucket_already_owned_by_you", S3_BUCKET_ALREADY_OWNED_BY_YOU },
    { "bucket_already_exists", S3_BUCKET_ALREADY_EXISTS },
    { "bucket_not_empty", S3_BUCKET_NOT_EMPTY },
    { "precondition_failed", S3_PRECONDITION_FAILED },
};

static enum s3_event outcome_event(struct s3_request *req, const Lapwing__Outcome *outcome)
{
    if (outcome->status == ST_OK)
        return S3_ANSWERABLE;
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
    enum s3_event event;

    req->in_flight--;
    if (req->state == S3_FINISHED) {
        s3_release(req);
        return;
    }
    if (status == ST_OK)
        event = outcome_event(req, outcome);
    else if (status == ST_UNKNOWN)
        event = s3_fail(req, S3_INTERNAL_ERROR,
                        "The control plane did not say whether the request was carried out. Please "
                        "try again.");
    else if (status == ST_BAD_INPUT)
        event = s3_fail(req, S3_INVALID_ARGUMENT, err->text);
    else
        event = s3_fail(req, S3_SERVICE_UNAVAILABLE, err->text);
    s3_on(req, event);
    s3_release(req);
}

static enum s3_event propose(struct s3_request *req,
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

enum s3_event s3_propose(struct s3_request *req)
{
    Lapwing__CreateBucket create = LAPWING__CREATE_BUCKET__INIT;
    Lapwing__DeleteBucket delete_bucket = LAPWING__DELETE_BUCKET__INIT;
    Lapwing__DeleteObject delete_object = LAPWING__DELETE_OBJECT__INIT;
    char account[] = S3_ACCOUNT;

    switch (req->route.operation) {
    case S3_CREATE_BUCKET:
        create.account = account;
        create.name = req->route.bucket;
        create.region = req->region;
        return propose(req, LAPWING__COMMAND_TYPE__CREATE_BUCKET, &create.base);
    case S3_DELETE_BUCKET:
        delete_bucket.name = req->route.bucket;
        return propose(req, LAPWING__COMMAND_TYPE__DELETE_BUCKET, &delete_bucket.base);
    case S3_DELETE_OBJECT:
        delete_object.bucket = req->route.bucket;
        delete_object.key = req->route.key;
        return propose(req, LAPWING__COMMAND_TYPE__DELETE_OBJECT, &delete_object.base);
    case S3_PUT_OBJECT:
        return propose(req, LAPWING__COMMAND_TYPE__PUT_OBJECT, &req->upload.command.base);
    default:
        break;
    }
    CHECK(!"s3: this operation has no command");
}

/* ---- CreateBucket's body ---- */

enum s3_event s3_collect(struct s3_request *req)
{
    http_request_collect(req->http, S3_TEXT_BYTES_MAX);
    return S3_NO_EVENT;
}

enum s3_event s3_collected(struct s3_request *req)
{
    struct bytes body = http_request_body(req->http);
    uint8_t digest[SHA256_BYTES];

    if (http_request_body_too_large(req->http))
        return s3_fail(req, S3_MALFORMED_XML, NULL);
    if (req->caller.payload != SIGV4_PAYLOAD_SHA256 &&
        req->caller.payload != SIGV4_PAYLOAD_UNSIGNED)
        return s3_fail(req, S3_NOT_IMPLEMENTED, "A chunked body is only taken by PutObject");
    hash_sha256(body, digest);
    if (req->caller.payload == SIGV4_PAYLOAD_SHA256 &&
        memcmp(digest, req->caller.payload_sha256, sizeof digest) != 0)
        return s3_fail(req, S3_CONTENT_SHA256_MISMATCH, NULL);
    if (!s3_location_parse(body, req->region, sizeof req->region))
        return s3_fail(req, S3_MALFORMED_XML, NULL);
    return S3_BODY_CAME;
}
