/* One S3 request, shared by the files that perform its steps.  Internal to objstore/s3. */
#ifndef OBJSTORE_S3_S3_REQUEST_H
#define OBJSTORE_S3_S3_REQUEST_H

#include "base/http_server.h"
#include "objstore/blobs/blob_store.h"
#include "objstore/link/state_link.h"
#include "objstore/peers/peers.h"
#include "objstore/s3/s3_checksum.h"
#include "objstore/s3/s3_life.h"
#include "objstore/s3/s3_server.h"
#include "objstore/s3/s3_text.h"

enum {
    S3_READ_MS = 8000,     /* rows of the state */
    S3_PROPOSE_MS = 15000, /* a command: longer than an election */
    S3_TEXT_BYTES_MAX = 65536,
    S3_ANSWER_FIELDS_MAX = 48,
    S3_OBJECT_BYTES_MAX_GIB = 5,     /* of a single PUT, as AWS has it */
    S3_CHECK_BUCKET_BYTES = 1 << 20, /* a longer body is not taken before its bucket is known */
};

struct s3_server {
    uv_loop_t *loop;
    struct http_server *http;
    const struct s3_keys *keys;
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

/* What a PutObject brings beside its body. */
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
    struct blob_id blob;
    char etag[MD5_HEX_BYTES];
};

/* Taken by on_request, freed by s3_release() once HTTP is done with it and nothing is in flight. */
struct s3_request {
    struct s3_server *server;
    struct http_request *http; /* NULL once HTTP is done */
    const struct http_head *head;
    enum s3_state state;
    unsigned in_flight; /* calls to the state, which cannot be cancelled */
    struct s3_route route;
    struct s3_caller caller;
    char id[17];

    enum s3_error error; /* why S3_FAILED */
    struct err err;      /* its text; empty: the error's own */

    const Lapwing__ReadReply *reply; /* during the callback that brought it */
    bool asked_linearizable;
    struct s3_list list;
    char region[SIGV4_SCOPE_BYTES_MAX + 1]; /* CreateBucket */

    struct s3_upload upload;

    Lapwing__Object *object; /* GetObject, HeadObject: owned */
    unsigned http_status;    /* 200, 206, 304 */
    struct blob_range range;
    uint64_t left;
    bool wants_drain; /* the next piece is read once the socket has room */
    struct blob_reader *reader;
    struct fetch *fetch;
    bool fetched;
};

/* Feed one event. */
void s3_on(struct s3_request *req, enum s3_event event);
/* Record why, for S3_FAILED.  `text` NULL: the error's own words. */
enum s3_event s3_fail(struct s3_request *req, enum s3_error error, const char *text);
void s3_release(struct s3_request *req);

/* s3_rows.c: reads of the state, commands, and what they answer. */
enum s3_event s3_read_rows(struct s3_request *req);
enum s3_event s3_propose(struct s3_request *req);
enum s3_event s3_collect(struct s3_request *req);
enum s3_event s3_collected(struct s3_request *req);

/* s3_put.c */
enum s3_event s3_put_begin(struct s3_request *req); /* the headers */
enum s3_event s3_put_receive(struct s3_request *req);
size_t s3_put_body(struct s3_request *req, struct bytes chunk);
enum s3_event s3_put_body_end(struct s3_request *req);
void s3_put_store(struct s3_request *req);
void s3_put_drop(struct s3_request *req);
void s3_put_done(struct s3_request *req); /* frees what the request owns */

/* s3_get.c */
enum s3_event s3_get_found(struct s3_request *req); /* the row is in req->object */
void s3_get_open(struct s3_request *req);
void s3_get_fetch(struct s3_request *req);
enum s3_event s3_get_send(struct s3_request *req);
void s3_get_drain(struct s3_request *req);
void s3_get_answer(struct s3_request *req); /* HEAD, 304 */
void s3_get_drop(struct s3_request *req);

/* s3_answer.c */
struct s3_fields {
    struct http_answer_field list[S3_ANSWER_FIELDS_MAX];
    size_t count;
};
void s3_field(struct s3_fields *fields, const char *name, const char *value);
/* Starts with what every answer has. */
void s3_fields_begin(struct s3_fields *fields, const struct s3_request *req);
void s3_answer(struct s3_request *req, unsigned status, const struct s3_fields *fields);
void s3_answer_xml(struct s3_request *req, unsigned status, struct bytes xml);
void s3_answer_error(struct s3_request *req);

#endif
