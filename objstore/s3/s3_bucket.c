/* Buckets and listings: the steps that move no object. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_default.h"
#include "objstore/s3/s3_request.h"

/* ---- buckets ---- */

static char account[] = S3_ACCOUNT; /* protobuf-c's texts are not const; nobody writes it */

static enum s3_event list_begin(struct s3_request *req, enum s3_list_kind kind)
{
    req->error = s3_list_parse(http_target_query(req->head->target), kind, &req->list, &req->err);
    return req->error == S3_OK ? S3_NEEDS_ROWS : S3_FAILED;
}

static enum s3_event buckets_begin(struct s3_request *req)
{
    enum s3_event event = list_begin(req, S3_LIST_OF_BUCKETS);

    /* Clients that do not know of pages want them all. */
    if (event == S3_NEEDS_ROWS &&
        !s3_query_has(http_target_query(req->head->target), "max-buckets"))
        req->list.max_keys = UINT32_MAX;
    return event;
}

static void buckets_ask(struct s3_request *req, struct s3_question *question)
{
    (void)req;
    lapwing__list_buckets_read__init(&question->list_buckets);
    question->list_buckets.account = account;
    question->request.list_buckets = &question->list_buckets;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_LIST_BUCKETS;
}

static void buckets_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_buckets(&xml, S3_ACCOUNT, &req->list, req->reply);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_list_buckets_steps = {
    .begin = buckets_begin,
    .ask = buckets_ask,
    .found = s3_found_answerable,
    .answer = buckets_answer,
};

static enum s3_event create_collected(struct s3_request *req, struct bytes body)
{
    if (!s3_location_parse(body, req->region, sizeof req->region))
        return s3_fail(req, S3_MALFORMED_XML, NULL);
    return S3_BODY_CAME;
}

static enum s3_event create_propose(struct s3_request *req)
{
    Lapwing__CreateBucket create = LAPWING__CREATE_BUCKET__INIT;

    create.account = account;
    create.name = req->route.bucket;
    create.region = req->region;
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__CREATE_BUCKET, &create.base);
}

static void create_answer(struct s3_request *req)
{
    struct s3_fields fields;
    char location[80];

    s3_fields_begin(&fields, req);
    (void)snprintf(location, sizeof location, "/%s", req->route.bucket);
    s3_field(&fields, "Location", location);
    s3_answer(req, 200, &fields);
}

const struct s3_steps s3_create_bucket_steps = {
    .begin = s3_begin_text,
    .collected = create_collected,
    .propose = create_propose,
    .answer = create_answer,
};

static enum s3_event delete_propose(struct s3_request *req)
{
    Lapwing__DeleteBucket delete_bucket = LAPWING__DELETE_BUCKET__INIT;

    delete_bucket.name = req->route.bucket;
    return s3_propose_command(req, LAPWING__COMMAND_TYPE__DELETE_BUCKET, &delete_bucket.base);
}

const struct s3_steps s3_delete_bucket_steps = {
    .begin = s3_begin_commit,
    .propose = delete_propose,
    .answer = s3_answer_no_content,
};

static enum s3_event bucket_found(struct s3_request *req)
{
    return req->reply->n_buckets == 1 ? S3_ANSWERABLE : s3_fail(req, S3_INTERNAL_ERROR, NULL);
}

static void head_answer(struct s3_request *req)
{
    struct s3_fields fields;

    s3_fields_begin(&fields, req);
    s3_field(&fields, "x-amz-bucket-region", req->reply->buckets[0]->region);
    s3_answer(req, 200, &fields);
}

const struct s3_steps s3_head_bucket_steps = {
    .begin = s3_begin_rows,
    .ask = s3_ask_bucket,
    .found = bucket_found,
    .answer = head_answer,
};

static void location_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_location(&xml, req->reply->buckets[0]->region);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_location_steps = {
    .begin = s3_begin_rows,
    .ask = s3_ask_bucket,
    .found = bucket_found,
    .answer = location_answer,
};

/* ---- what is always AWS's default ---- */

static enum s3_event default_found(struct s3_request *req)
{
    enum s3_error error = s3_default_error(req->route.name);

    if (req->reply->status != ST_OK)
        return s3_fail(req, S3_NO_SUCH_KEY, NULL);
    return error == S3_OK ? S3_ANSWERABLE : s3_fail(req, error, NULL);
}

static void default_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_default(&xml, req->route.name, S3_ACCOUNT);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_bucket_default_steps = {
    .begin = s3_begin_rows,
    .ask = s3_ask_bucket,
    .found = default_found,
    .answer = default_answer,
};

const struct s3_steps s3_object_default_steps = {
    .begin = s3_begin_rows,
    .ask = s3_ask_object,
    .found = default_found,
    .answer = default_answer,
};

/* ---- listings ---- */

static enum s3_event list_v1_begin(struct s3_request *req)
{
    return list_begin(req, S3_LIST_V1);
}

static enum s3_event list_v2_begin(struct s3_request *req)
{
    return list_begin(req, S3_LIST_V2);
}

static enum s3_event versions_begin(struct s3_request *req)
{
    return list_begin(req, S3_LIST_VERSIONS);
}

static void list_ask(struct s3_request *req, struct s3_question *question)
{
    Lapwing__ListObjectsRead *read = &question->list_objects;

    lapwing__list_objects_read__init(read);
    read->bucket = req->route.bucket;
    read->prefix = req->list.prefix;
    read->delimiter = req->list.delimiter;
    read->start_after = req->list.after;
    read->max_keys = req->list.max_keys;
    question->request.list_objects = read;
    question->request.what_case = LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS;
}

static void list_answer(struct s3_request *req)
{
    struct buf xml = { 0 };

    s3_xml_objects(&xml, req->route.bucket, &req->list, req->reply);
    s3_answer_xml(req, &xml);
}

const struct s3_steps s3_list_objects_steps = {
    .begin = list_v1_begin,
    .ask = list_ask,
    .found = s3_found_answerable,
    .answer = list_answer,
};

const struct s3_steps s3_list_objects_v2_steps = {
    .begin = list_v2_begin,
    .ask = list_ask,
    .found = s3_found_answerable,
    .answer = list_answer,
};

const struct s3_steps s3_list_versions_steps = {
    .begin = versions_begin,
    .ask = list_ask,
    .found = s3_found_answerable,
    .answer = list_answer,
};
