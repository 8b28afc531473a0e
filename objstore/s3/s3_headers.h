/* What a PutObject's headers say.  Pure. */
#ifndef OBJSTORE_S3_S3_HEADERS_H
#define OBJSTORE_S3_S3_HEADERS_H

#include "base/http_message.h"
#include "objstore/s3/s3_error.h"
#include "proto/command.pb-c.h"

/* Put what is kept of a request's headers into `object`: content type, the other stored headers,
 * and x-amz-meta-*, whose names become lower case.  What was added is owned by the object; free it
 * with s3_headers_done() in any case.
 *
 * S3_METADATA_TOO_LARGE, S3_INVALID_ARGUMENT, S3_ACL_NOT_SUPPORTED, S3_NOT_IMPLEMENTED (err names
 * the header). */
enum s3_error s3_headers_read(const struct http_head *head,
                              Lapwing__Object *object,
                              struct err *err);
void s3_headers_done(Lapwing__Object *object);
/* Add one more; both texts are copied. */
void s3_headers_add(Lapwing__Object *object, struct bytes name, struct bytes value);

/* "aws-chunked", alone or before others, taken away; what is left is a view.  True: it was there.
 */
bool s3_encoding_strip(struct bytes *value);

#endif
