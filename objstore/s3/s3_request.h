/* One S3 request, shared by the files that perform its steps.  Internal to objstore/s3. */
#ifndef OBJSTORE_S3_S3_REQUEST_H
#define OBJSTORE_S3_S3_REQUEST_H

#include "base/http_server.h"
#include "objstore/blobs/blob_store.h"
#include "objstore/link/state_link.h"
#include "objstore/peers/peers.h"
#include "objstore/s3/s3_checksum.h"
#include "objstore/s3/s3_copy.h"
#include "objstore/s3/s3_delete.h"
#include "objstore/s3/s3_life.h"
#include "objstore/s3/s3_server.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_upload.h"

enum {
    S3_READ_MS = 8000,           /* rows of the state */
    S3_PROPOSE_MS = 15000,       /* a command: longer than an election */
    S3_TEXT_BYTES_MAX = 4 << 20, /* of XML: 10,000 parts with checksums are 2 MB */
    S3_ANSWER_FIELDS_MAX = 48,
    S3_ETAG_FIELD_BYTES = 48,
    S3_ASKED_AGAIN_MAX = 5,          /* how often rows may change between reading and writing */
    S3_CHECK_BUCKET_BYTES = 1 << 20, /* a longer body is not taken before its bucket is known */
};

struct s3_server {
    uv_loop_t *loop;
    struct http_server *http;
    const struct s3_keys *keys;
    const char *domain; /* NULL: none */
    const struct clock *clock;
    struct blob_store *store;
    struct peers *peers;
    struct state_link *link;
    uint32_t id_prefix; /* of request ids: random, one a start */
    uint32_t id_next;
    unsigned requests;
    bool closed;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* Digests that a pool thread adds to while the body is written; owned by the put. */
struct s3_digests {
    struct hash md5;
    struct s3_checksum sum;
};

/* What will be put, and the body on its way: of PutObject and UploadPart, the bytes that a copy
 * reads, and the row alone of the others that make one. */
struct s3_upload {
    struct put *put;
    struct s3_digests *digests; /* the put's once it has started */
    uint64_t bytes;             /* announced */
    uint64_t received;
    bool is_chunked; /* aws-chunked */
    struct aws_chunk chunk;
    enum s3_checksum_kind sum_kind;
    char sum_want[S3_CHECKSUM_TEXT_BYTES]; /* empty: only computed */
    bool sum_in_trailer;
    bool has_md5;
    uint8_t md5_want[MD5_BYTES];
    Lapwing__PutObject command; /* its texts and lists are owned */

    /* What came out, once it is stored. */
    struct blob_id blob;
    uint64_t stored_bytes;
    uint8_t md5[MD5_BYTES];
    char etag[MD5_HEX_BYTES + 8];
    char sum[S3_CHECKSUM_TEXT_BYTES];
};

/* A multipart upload that the request is about. */
struct s3_multipart {
    struct s3_part_query query;
    char name[UPLOAD_ID_DIGITS + 1]; /* CreateMultipartUpload: the new one */
    enum s3_checksum_kind sum_kind;  /* of the upload */
    bool sum_is_whole;
    uint8_t part_sum[SHA256_BYTES]; /* of a part, of that kind */
    struct s3_claims claims;
    struct s3_completion completion;
    uint64_t revision;
    struct s3_uploads_list list;
};

/* CopyObject, UploadPartCopy. */
struct s3_copy {
    struct s3_copy_source source;
    bool replace;       /* the metadata */
    bool has_upload;    /* UploadPartCopy: the upload's rows came, the source's are next */
    bool has_parts;     /* and the source's parts */
    bool is_whole_blob; /* the part is one blob of the source, with its digests: nothing is read */
    uint64_t modified_ms; /* of the copy */
};

/* A piece of the content: part of a blob, or all of it. */
struct s3_extent {
    struct blob_id blob;
    uint64_t blob_bytes;
    struct blob_range range;
};

/* Taken by on_request, freed by s3_release() once HTTP is done with it and nothing is in flight. */
struct s3_request {
    struct s3_server *server;
    struct http_request *http; /* NULL once HTTP is done */
    const struct http_head *head;
    enum s3_state state;
    unsigned in_flight; /* calls to the state, which cannot be cancelled */
    struct s3_route route;
    const struct s3_steps *steps; /* of the operation, once it is known */
    struct s3_caller caller;
    char id[17];

    enum s3_error error; /* why S3_FAILED */
    struct err err;      /* its text; empty: the error's own */

    const Lapwing__ReadReply *reply; /* during the callback that brought it */
    const Lapwing__Outcome *outcome; /* the same; NULL when the answer is another's */
    bool asked_linearizable;
    unsigned asked_again; /* from the start, because rows had changed */
    struct s3_list list;
    char region[SIGV4_SCOPE_BYTES_MAX + 1]; /* CreateBucket */

    struct s3_upload upload;
    struct s3_multipart multipart;
    struct s3_copy copy;
    struct s3_deletion deletion;

    Lapwing__Object
        *object; /* GetObject, HeadObject, the source of a copy, what was completed: owned */
    unsigned http_status;      /* 200, 206, 304 */
    uint32_t part_number;      /* GetObject, HeadObject: only this part; 0: not asked for */
    size_t part_count;         /* of the object, when a part was asked for */
    struct blob_range range;   /* of the object */
    struct s3_extent *extents; /* where these bytes are; owned */
    size_t extent_count;
    size_t extent_at;
    uint64_t left;    /* of the extent under way */
    bool wants_drain; /* it goes on once the socket or the disks have room */
    struct blob_reader *reader;
    struct fetch *fetch;
    bool fetched; /* the blob under way, once already */
};

/* Header fields of an answer. */
struct s3_fields {
    struct http_answer_field list[S3_ANSWER_FIELDS_MAX];
    size_t count;
};

/* A read of the state, with room for whichever it is. */
struct s3_question {
    Lapwing__ReadRequest request;
    union {
        Lapwing__GetBucketRead get_bucket;
        Lapwing__ListBucketsRead list_buckets;
        Lapwing__GetObjectRead get_object;
        Lapwing__ListObjectsRead list_objects;
        Lapwing__GetUploadRead get_upload;
        Lapwing__ListUploadsRead list_uploads;
        Lapwing__ObjectPartsRead object_parts;
    };
};

/* The steps of one operation, called as s3_life_rules.c says.  Those that it does not come to are
 * NULL. */
struct s3_steps {
    enum s3_event (*begin)(struct s3_request *req);
    void (*ask)(struct s3_request *req, struct s3_question *question);
    /* Rows came: req->reply is ok, or not_found in a bucket that is there. */
    enum s3_event (*found)(struct s3_request *req);
    enum s3_event (*collected)(struct s3_request *req, struct bytes body);
    enum s3_event (*propose)(struct s3_request *req);
    /* The command was done: req->outcome. */
    enum s3_event (*committed)(struct s3_request *req);
    void (*answer)(struct s3_request *req);
};

/* Feed one event. */
void s3_on(struct s3_request *req, enum s3_event event);
/* Record why, for S3_FAILED.  `text` NULL: the error's own words. */
enum s3_event s3_fail(struct s3_request *req, enum s3_error error, const char *text);
void s3_release(struct s3_request *req);

/* s3_steps.c */
const struct s3_steps *s3_steps_of(enum s3_operation operation);

/* s3_rows.c: reads of the state, commands, and what they answer. */
enum s3_event s3_read_rows(struct s3_request *req);
enum s3_event s3_propose_command(struct s3_request *req,
                                 Lapwing__CommandType type,
                                 const ProtobufCMessage *command);
enum s3_event s3_collected(struct s3_request *req);
/* Rows changed between reading and writing: from the start, S3_ASKED_AGAIN_MAX times. */
enum s3_event s3_ask_again(struct s3_request *req);
/* Questions. */
void s3_ask_bucket(struct s3_request *req, struct s3_question *question);
void s3_ask_object(struct s3_request *req, struct s3_question *question);
void s3_ask_parts(const struct s3_request *req,
                  const char *bucket,
                  const char *key,
                  struct s3_question *question);
/* The usual beginnings. */
enum s3_event s3_begin_rows(struct s3_request *req);
enum s3_event s3_begin_text(struct s3_request *req);
enum s3_event s3_begin_commit(struct s3_request *req);
/* The usual thing to do with rows. */
enum s3_event s3_found_answerable(struct s3_request *req);

/* s3_bucket.c */
extern const struct s3_steps s3_list_buckets_steps, s3_create_bucket_steps, s3_head_bucket_steps,
    s3_delete_bucket_steps, s3_location_steps, s3_list_objects_steps, s3_list_objects_v2_steps,
    s3_list_versions_steps, s3_bucket_default_steps, s3_object_default_steps;

/* s3_delete.c */
extern const struct s3_steps s3_delete_object_steps, s3_delete_objects_steps;

/* s3_put_head.c: the headers of what puts.  Each S3_OK, or an error with req->err. */
void s3_put_init(struct s3_request *req);             /* the row: bucket, key, owner */
enum s3_error s3_put_digests(struct s3_request *req); /* length, MD5, checksum of the body */
enum s3_error s3_put_conditions(struct s3_request *req);
enum s3_error s3_put_metadata(struct s3_request *req);
/* The content type and metadata of another row in the place of those that are there. */
void s3_put_take_metadata(struct s3_request *req, const Lapwing__Object *from);
void s3_put_done(struct s3_request *req); /* frees what the request owns */

/* s3_put.c */
extern const struct s3_steps s3_put_object_steps;
enum s3_event s3_put_start(struct s3_request *req);   /* a put to the disks */
enum s3_event s3_put_receive(struct s3_request *req); /* and the body into it */
size_t s3_put_body(struct s3_request *req, struct bytes chunk);
enum s3_event s3_put_body_end(struct s3_request *req);
void s3_put_store(struct s3_request *req);
void s3_put_drop(struct s3_request *req);
/* ETag and checksum of what was put; etag has S3_ETAG_FIELD_BYTES. */
void s3_put_answer_fields(const struct s3_request *req, struct s3_fields *fields, char *etag);

/* s3_get.c */
extern const struct s3_steps s3_get_object_steps, s3_head_object_steps;
/* Take the object of the reply over. */
void s3_get_take_object(struct s3_request *req);
enum s3_event s3_get_send(struct s3_request *req);

/* s3_read.c: the content, extent by extent. */
/* Where req->range of req->object is: one blob, or the parts of the reply. */
bool s3_extents_of_blob(struct s3_request *req);
bool s3_extents_of_parts(struct s3_request *req);
void s3_read_open(struct s3_request *req);
void s3_read_fetch(struct s3_request *req);
/* Ask for the next piece of the extent that was opened. */
enum s3_event s3_read_on(struct s3_request *req);
/* There is room again. */
void s3_read_drained(struct s3_request *req);
void s3_read_drop(struct s3_request *req);

/* s3_copy.c */
extern const struct s3_steps s3_copy_object_steps, s3_part_copy_steps;
enum s3_event s3_copy_on(struct s3_request *req); /* an extent of the source was opened */

/* s3_multipart.c */
extern const struct s3_steps s3_create_upload_steps, s3_upload_part_steps, s3_complete_upload_steps,
    s3_abort_upload_steps, s3_list_parts_steps, s3_list_uploads_steps;
enum s3_error s3_multipart_query(struct s3_request *req);
void s3_multipart_ask(const struct s3_request *req,
                      uint32_t max_parts,
                      struct s3_question *question);
/* The upload's row came.  S3_NO_EVENT, or it is not there. */
enum s3_event s3_multipart_found(struct s3_request *req);
/* The part that is in req->upload; `source` as command.proto says, or NULL. */
enum s3_event s3_part_propose(struct s3_request *req, Lapwing__CopySource *source);

/* s3_answer.c */
void s3_field(struct s3_fields *fields, const char *name, const char *value);
/* Starts with what every answer has. */
void s3_fields_begin(struct s3_fields *fields, const struct s3_request *req);
void s3_answer(struct s3_request *req, unsigned status, const struct s3_fields *fields);
/* 200 with XML, which is freed. */
void s3_answer_xml(struct s3_request *req, struct buf *xml);
void s3_answer_fields_xml(struct s3_request *req, struct s3_fields *fields, struct buf *xml);
/* 204 without more. */
void s3_answer_no_content(struct s3_request *req);
void s3_answer_error(struct s3_request *req);

#endif
