/* Multipart uploads: what their requests say, and whether a completion fits the parts.  Pure. */
#ifndef OBJSTORE_S3_S3_UPLOAD_H
#define OBJSTORE_S3_S3_UPLOAD_H

#include "base/hash.h"
#include "base/http_message.h"
#include "base/limits.h"
#include "objstore/s3/s3_checksum.h"
#include "objstore/s3/s3_error.h"
#include "objstore/s3/s3_route.h"
#include "proto/state_service.pb-c.h"

enum { S3_LIST_PARTS_MAX = 1000 };

/* uploadId, partNumber and what else the query of an upload's request has. */
struct s3_part_query {
    char upload[UPLOAD_ID_DIGITS + 1]; /* empty: not one that can exist */
    uint32_t number;                   /* 0: none */
    uint32_t part_after;               /* ListParts: part-number-marker */
    uint32_t max_parts;
};
/* S3_INVALID_ARGUMENT fills `err`. */
enum s3_error s3_part_query_parse(struct bytes query, struct s3_part_query *out, struct err *err);
/* A part's number must be there, 1 to UPLOAD_PARTS_MAX; else S3_INVALID_ARGUMENT with `err`. */
enum s3_error s3_part_number_check(const struct s3_part_query *query, struct err *err);

/* What CreateMultipartUpload says about checksums.  S3_INVALID_REQUEST fills `err`. */
enum s3_error s3_upload_checksum(const struct http_head *head,
                                 enum s3_checksum_kind *out_kind,
                                 bool *out_is_whole,
                                 struct err *err);

/* ---- CompleteMultipartUpload ---- */

/* A part as the client lists it. */
struct s3_claim {
    uint32_t number;
    bool has_md5; /* false: an ETag that is no part's */
    uint8_t md5[MD5_BYTES];
    enum s3_checksum_kind sum_kind;
    char sum[S3_CHECKSUM_TEXT_BYTES];
};
struct s3_claims {
    struct s3_claim *list; /* owned */
    size_t count;
};
/* S3_MALFORMED_XML, S3_INVALID_PART_ORDER, S3_INVALID_ARGUMENT.  Free with done in any case. */
enum s3_error s3_claims_parse(struct bytes xml, struct s3_claims *out);
void s3_claims_done(struct s3_claims *claims);

/* What the completed object has. */
struct s3_completion {
    uint64_t bytes;
    char etag[MD5_HEX_BYTES + 8]; /* MD5 of the parts' MD5s, and "-COUNT" */
    enum s3_checksum_kind sum_kind;
    char sum[S3_CHECKSUM_TEXT_BYTES];
};
/* Hold the claims against the upload's rows, which are all of its parts.
 *
 * S3_INVALID_PART, S3_ENTITY_TOO_SMALL, S3_ENTITY_TOO_LARGE. */
enum s3_error s3_claims_match(const struct s3_claims *claims,
                              const Lapwing__Upload *upload,
                              Lapwing__Part *const *parts,
                              size_t part_count,
                              struct s3_completion *out);
/* Hold the headers of the completion against what came out: a checksum, its type, the size. */
enum s3_error s3_completion_check(const struct http_head *head,
                                  const struct s3_completion *completion,
                                  bool is_whole,
                                  struct err *err);

/* ---- answers ---- */

void s3_xml_upload_created(struct buf *out, const struct s3_route *route, const char *upload);
/* base   scheme and host by which the client reached us */
void s3_xml_upload_completed(struct buf *out,
                             const struct s3_route *route,
                             const char *base,
                             const Lapwing__Object *object);
void s3_xml_parts(struct buf *out,
                  const struct s3_route *route,
                  const struct s3_part_query *query,
                  const Lapwing__ReadReply *reply);

/* What a listing of uploads asked for. */
struct s3_uploads_list {
    bool encode_url;
    uint32_t max_uploads;
    char *prefix; /* owned, all of them; never NULL after s3_uploads_parse() */
    char *delimiter;
    char *key_marker;
    char *upload_marker;
};
enum s3_error s3_uploads_parse(struct bytes query, struct s3_uploads_list *out, struct err *err);
void s3_uploads_done(struct s3_uploads_list *list);
void s3_xml_uploads(struct buf *out,
                    const char *bucket,
                    const struct s3_uploads_list *list,
                    const Lapwing__ReadReply *reply);

#endif
