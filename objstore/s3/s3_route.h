/* What a request asks for: operation, bucket, key.  Names and their rules.  Pure. */
#ifndef OBJSTORE_S3_S3_ROUTE_H
#define OBJSTORE_S3_S3_ROUTE_H

#include <stdbool.h>

#include "base/http_message.h"
#include "objstore/s3/s3_error.h"

enum {
    S3_BUCKET_BYTES_MAX = 63,
    S3_KEY_BYTES_MAX = 1024,
    S3_METADATA_BYTES_MAX = 2048, /* names without x-amz-meta-, and values */
};

#define S3_INTERNAL_BUCKET_PREFIX "lapwing-internal-"

enum s3_operation {
    S3_UNSUPPORTED, /* route.name says which */
    S3_LIST_BUCKETS,
    S3_CREATE_BUCKET,
    S3_HEAD_BUCKET,
    S3_DELETE_BUCKET,
    S3_GET_BUCKET_LOCATION,
    S3_LIST_OBJECTS,
    S3_LIST_OBJECTS_V2,
    S3_LIST_OBJECT_VERSIONS,
    S3_GET_BUCKET_DEFAULT, /* a bucket's configuration that is always AWS's default: its name says
                              which */
    S3_PUT_OBJECT,
    S3_GET_OBJECT,
    S3_HEAD_OBJECT,
    S3_DELETE_OBJECT,
    S3_DELETE_OBJECTS,
    S3_GET_OBJECT_DEFAULT, /* the same of an object */
    S3_COPY_OBJECT,
    S3_CREATE_UPLOAD,
    S3_UPLOAD_PART,
    S3_UPLOAD_PART_COPY,
    S3_COMPLETE_UPLOAD,
    S3_ABORT_UPLOAD,
    S3_LIST_PARTS,
    S3_LIST_UPLOADS,
    S3_OPERATIONS,
};

struct s3_route {
    enum s3_operation operation;
    const char *name;                     /* "PutObject" */
    char bucket[S3_BUCKET_BYTES_MAX + 1]; /* empty: none */
    bool is_by_host;                      /* the host named it */
    char key[S3_KEY_BYTES_MAX + 1];       /* decoded; empty: none */
};

/* Find out what is asked.  `domain` as in base/s3_host.h.  S3_OK, or the error to answer:
 * S3_INVALID_BUCKET_NAME, S3_KEY_TOO_LONG, S3_INVALID_URI (cannot be decoded, or not UTF-8),
 * S3_METHOD_NOT_ALLOWED.  An operation that we do not have is S3_OK with S3_UNSUPPORTED and its
 * name. */
enum s3_error s3_route(const struct http_head *head, const char *domain, struct s3_route *out);

/* Is there such a parameter? */
bool s3_query_has(struct bytes query, const char *name);
/* AWS's rules of new buckets: 3 to 63 of a-z 0-9 . -, no outer . or -, no "..", no IP address, none
 * of the reserved prefixes and suffixes. */
bool s3_bucket_name_is_valid(struct bytes name);
/* Only the internal key may touch these. */
bool s3_bucket_is_internal(const char *bucket);
/* Well-formed UTF-8 without NUL. */
bool s3_text_is_utf8(struct bytes text);

#endif
