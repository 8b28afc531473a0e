/* Configurations that cannot be changed here, and so always are what AWS gives those that nobody
 * has: what Terraform, s3cmd and others read before they do anything.  Pure. */
#ifndef OBJSTORE_S3_S3_DEFAULT_H
#define OBJSTORE_S3_S3_DEFAULT_H

#include "base/bytes.h"
#include "objstore/s3/s3_error.h"

/* S3_OK: s3_xml_default() has the answer.  Else "NoSuch...", as AWS names it.
 *
 * name  of an operation with S3_GET_BUCKET_DEFAULT or S3_GET_OBJECT_DEFAULT */
enum s3_error s3_default_error(const char *name);
void s3_xml_default(struct buf *out, const char *name, const char *account);

#endif
