/* CopyObject and UploadPartCopy: what their headers say.  Pure. */
#ifndef OBJSTORE_S3_S3_COPY_H
#define OBJSTORE_S3_S3_COPY_H

#include "base/http_message.h"
#include "objstore/s3/s3_error.h"
#include "objstore/s3/s3_route.h"
#include "proto/command.pb-c.h"

struct s3_copy_source {
    char bucket[S3_BUCKET_BYTES_MAX + 1];
    char key[S3_KEY_BYTES_MAX + 1];
};
/* x-amz-copy-source: "[/]bucket/key[?versionId=null]", percent-encoded.  S3_INVALID_ARGUMENT with
 * `err` filled, S3_NO_SUCH_VERSION, S3_INVALID_BUCKET_NAME, S3_KEY_TOO_LONG. */
enum s3_error s3_copy_source_parse(struct bytes value, struct s3_copy_source *out, struct err *err);

/* x-amz-metadata-directive. */
enum s3_error s3_copy_directive(const struct http_head *head, bool *out_replace, struct err *err);

/* x-amz-copy-source-range of a source of `size` bytes, "bytes=0-9" with both ends; without the
 * header the whole.  S3_INVALID_ARGUMENT, S3_INVALID_RANGE; both fill `err`. */
enum s3_error s3_copy_range(const struct http_head *head,
                            uint64_t size,
                            uint64_t *out_offset,
                            uint64_t *out_bytes,
                            struct err *err);

/* CopyObjectResult or CopyPartResult, by `element`. */
void s3_xml_copied(struct buf *out, const char *element, const char *etag, uint64_t modified_ms);

#endif
