/* S3's errors: code, status and text as AWS gives them.  Pure. */
#ifndef OBJSTORE_S3_S3_ERROR_H
#define OBJSTORE_S3_S3_ERROR_H

#include "base/status.h"

enum s3_error {
    S3_OK,
    S3_ACCESS_DENIED,
    S3_ACL_NOT_SUPPORTED,
    S3_AUTHORIZATION_HEADER_MALFORMED,
    S3_AUTHORIZATION_QUERY_PARAMETERS,
    S3_BAD_DIGEST,
    S3_BUCKET_ALREADY_EXISTS,
    S3_BUCKET_ALREADY_OWNED_BY_YOU,
    S3_BUCKET_NOT_EMPTY,
    S3_CONTENT_SHA256_MISMATCH,
    S3_ENCRYPTION_NOT_CONFIGURED,
    S3_ENTITY_TOO_LARGE,
    S3_ENTITY_TOO_SMALL,
    S3_INCOMPLETE_BODY,
    S3_INTERNAL_ERROR,
    S3_INVALID_ACCESS_KEY_ID,
    S3_INVALID_ARGUMENT,
    S3_INVALID_BUCKET_NAME,
    S3_INVALID_DIGEST,
    S3_INVALID_PART,
    S3_INVALID_PART_NUMBER,
    S3_INVALID_PART_ORDER,
    S3_INVALID_RANGE,
    S3_INVALID_REQUEST,
    S3_INVALID_URI,
    S3_KEY_TOO_LONG,
    S3_MALFORMED_XML,
    S3_METADATA_TOO_LARGE,
    S3_METHOD_NOT_ALLOWED,
    S3_MISSING_CONTENT_LENGTH,
    S3_NO_SUCH_BUCKET,
    S3_NO_SUCH_BUCKET_POLICY,
    S3_NO_SUCH_CORS,
    S3_NO_SUCH_KEY,
    S3_NO_SUCH_LIFECYCLE,
    S3_NO_SUCH_OBJECT_LOCK,
    S3_NO_SUCH_OBJECT_LOCK_OF_OBJECT,
    S3_NO_SUCH_OWNERSHIP_CONTROLS,
    S3_NO_SUCH_PUBLIC_ACCESS_BLOCK,
    S3_NO_SUCH_REPLICATION,
    S3_NO_SUCH_TAG_SET,
    S3_NO_SUCH_UPLOAD,
    S3_NO_SUCH_VERSION,
    S3_NO_SUCH_WEBSITE,
    S3_NOT_IMPLEMENTED,
    S3_OPERATION_ABORTED,
    S3_PRECONDITION_FAILED,
    S3_REQUEST_TIME_TOO_SKEWED,
    S3_REQUEST_TIMEOUT,
    S3_SERVICE_UNAVAILABLE,
    S3_SIGNATURE_DOES_NOT_MATCH,
    S3_SLOW_DOWN,
    S3_ERRORS,
};

/* The error for what the control plane, or the peers, did not carry out to an end that is known,
 * and its text: "outcome unknown: WHY..." for ST_UNKNOWN, else "not done: WHY...". */
enum s3_error s3_error_not_answered(enum status st, const char *why, struct err *out_text);

/* "NoSuchKey" */
const char *s3_error_code(enum s3_error error);
/* 404 */
unsigned s3_error_http(enum s3_error error);
/* The text when nothing better is known. */
const char *s3_error_message(enum s3_error error);

#endif
