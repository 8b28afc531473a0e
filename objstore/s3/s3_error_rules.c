/* The table of S3's errors: the S3 API reference, "Error responses", and recorded answers. */
#include "objstore/s3/s3_error.h"

#include <stddef.h>

#include "base/check.h"

// clang-format off
static const struct {
    const char *code;
    unsigned http;
    const char *message;
} rows[S3_ERRORS] = {
    [S3_OK] = { "OK", 200, "" },
    [S3_ACCESS_DENIED] = { "AccessDenied", 403, "Access Denied" },
    [S3_ACL_NOT_SUPPORTED] = { "AccessControlListNotSupported", 400,
        "The bucket does not allow ACLs" },
    [S3_AUTHORIZATION_HEADER_MALFORMED] = { "AuthorizationHeaderMalformed", 400,
        "The authorization header that you provided is not valid." },
    [S3_AUTHORIZATION_QUERY_PARAMETERS] = { "AuthorizationQueryParametersError", 400,
        "The query parameters of the signature are not valid." },
    [S3_BAD_DIGEST] = { "BadDigest", 400,
        "The Content-MD5 you specified did not match what we received." },
    [S3_BUCKET_ALREADY_EXISTS] = { "BucketAlreadyExists", 409,
        "The requested bucket name is not available. The bucket namespace is shared by all users "
        "of the system. Please select a different name and try again." },
    [S3_BUCKET_ALREADY_OWNED_BY_YOU] = { "BucketAlreadyOwnedByYou", 409,
        "Your previous request to create the named bucket succeeded and you already own it." },
    [S3_BUCKET_NOT_EMPTY] = { "BucketNotEmpty", 409,
        "The bucket you tried to delete is not empty" },
    [S3_CONTENT_SHA256_MISMATCH] = { "XAmzContentSHA256Mismatch", 400,
        "The provided 'x-amz-content-sha256' header does not match what was computed." },
    [S3_ENCRYPTION_NOT_CONFIGURED] = { "ServerSideEncryptionConfigurationNotFoundError", 404,
        "The server side encryption configuration was not found" },
    [S3_ENTITY_TOO_LARGE] = { "EntityTooLarge", 400,
        "Your proposed upload exceeds the maximum allowed size" },
    [S3_ENTITY_TOO_SMALL] = { "EntityTooSmall", 400,
        "Your proposed upload is smaller than the minimum allowed size" },
    [S3_INCOMPLETE_BODY] = { "IncompleteBody", 400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header." },
    [S3_INTERNAL_ERROR] = { "InternalError", 500,
        "We encountered an internal error. Please try again." },
    [S3_INVALID_ACCESS_KEY_ID] = { "InvalidAccessKeyId", 403,
        "The AWS Access Key Id you provided does not exist in our records." },
    [S3_INVALID_ARGUMENT] = { "InvalidArgument", 400, "Invalid Argument" },
    [S3_INVALID_BUCKET_NAME] = { "InvalidBucketName", 400, "The specified bucket is not valid." },
    [S3_INVALID_DIGEST] = { "InvalidDigest", 400, "The Content-MD5 you specified was invalid." },
    [S3_INVALID_PART] = { "InvalidPart", 400,
        "One or more of the specified parts could not be found. The part may not have been "
        "uploaded, or the specified entity tag may not match the part's entity tag." },
    [S3_INVALID_PART_NUMBER] = { "InvalidPartNumber", 416,
        "The requested partnumber is not satisfiable" },
    [S3_INVALID_PART_ORDER] = { "InvalidPartOrder", 400,
        "The list of parts was not in ascending order. Parts must be ordered by part number." },
    [S3_INVALID_RANGE] = { "InvalidRange", 416, "The requested range is not satisfiable" },
    [S3_INVALID_REQUEST] = { "InvalidRequest", 400, "Invalid Request" },
    [S3_INVALID_URI] = { "InvalidURI", 400, "Couldn't parse the specified URI." },
    [S3_KEY_TOO_LONG] = { "KeyTooLongError", 400, "Your key is too long" },
    [S3_MALFORMED_XML] = { "MalformedXML", 400,
        "The XML you provided was not well-formed or did not validate against our published "
        "schema" },
    [S3_METADATA_TOO_LARGE] = { "MetadataTooLarge", 400,
        "Your metadata headers exceed the maximum allowed metadata size" },
    [S3_METHOD_NOT_ALLOWED] = { "MethodNotAllowed", 405,
        "The specified method is not allowed against this resource." },
    [S3_MISSING_CONTENT_LENGTH] = { "MissingContentLength", 411,
        "You must provide the Content-Length HTTP header." },
    [S3_NO_SUCH_BUCKET] = { "NoSuchBucket", 404, "The specified bucket does not exist" },
    [S3_NO_SUCH_BUCKET_POLICY] = { "NoSuchBucketPolicy", 404,
        "The bucket policy does not exist" },
    [S3_NO_SUCH_CORS] = { "NoSuchCORSConfiguration", 404,
        "The CORS configuration does not exist" },
    [S3_NO_SUCH_KEY] = { "NoSuchKey", 404, "The specified key does not exist." },
    [S3_NO_SUCH_LIFECYCLE] = { "NoSuchLifecycleConfiguration", 404,
        "The lifecycle configuration does not exist" },
    [S3_NO_SUCH_OBJECT_LOCK] = { "ObjectLockConfigurationNotFoundError", 404,
        "Object Lock configuration does not exist for this bucket" },
    [S3_NO_SUCH_OBJECT_LOCK_OF_OBJECT] = { "NoSuchObjectLockConfiguration", 404,
        "The specified object does not have a ObjectLock configuration" },
    [S3_NO_SUCH_OWNERSHIP_CONTROLS] = { "OwnershipControlsNotFoundError", 404,
        "The bucket ownership controls were not found" },
    [S3_NO_SUCH_PUBLIC_ACCESS_BLOCK] = { "NoSuchPublicAccessBlockConfiguration", 404,
        "The public access block configuration was not found" },
    [S3_NO_SUCH_REPLICATION] = { "ReplicationConfigurationNotFoundError", 404,
        "The replication configuration was not found" },
    [S3_NO_SUCH_TAG_SET] = { "NoSuchTagSet", 404, "The TagSet does not exist" },
    [S3_NO_SUCH_UPLOAD] = { "NoSuchUpload", 404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed." },
    [S3_NO_SUCH_VERSION] = { "NoSuchVersion", 404, "The specified version does not exist." },
    [S3_NO_SUCH_WEBSITE] = { "NoSuchWebsiteConfiguration", 404,
        "The specified bucket does not have a website configuration" },
    [S3_NOT_IMPLEMENTED] = { "NotImplemented", 501,
        "A header you provided implies functionality that is not implemented" },
    [S3_OPERATION_ABORTED] = { "OperationAborted", 409,
        "A conflicting conditional operation is currently in progress against this resource. "
        "Please try again." },
    [S3_PRECONDITION_FAILED] = { "PreconditionFailed", 412,
        "At least one of the pre-conditions you specified did not hold" },
    [S3_REQUEST_TIME_TOO_SKEWED] = { "RequestTimeTooSkewed", 403,
        "The difference between the request time and the current time is too large." },
    [S3_REQUEST_TIMEOUT] = { "RequestTimeout", 400,
        "Your socket connection to the server was not read from or written to within the timeout "
        "period. Idle connections will be closed." },
    [S3_SERVICE_UNAVAILABLE] = { "ServiceUnavailable", 503,
        "Service is unable to handle request." },
    [S3_SIGNATURE_DOES_NOT_MATCH] = { "SignatureDoesNotMatch", 403,
        "The request signature we calculated does not match the signature you provided. Check "
        "your key and signing method." },
    [S3_SLOW_DOWN] = { "SlowDown", 503, "Please reduce your request rate." },
};
// clang-format on

enum s3_error s3_error_not_answered(enum status st, const char *why, struct err *out_text)
{
    if (st == ST_UNKNOWN)
        (void)err_set(
            out_text, st,
            "outcome unknown: %.200s. It may or may not have been done, and will be done at "
            "most once.",
            why);
    else
        (void)err_set(out_text, st, "not done: %.200s. Please try again.", why);
    return S3_SERVICE_UNAVAILABLE;
}

const char *s3_error_code(enum s3_error error)
{
    CHECK(error < S3_ERRORS);
    CHECK(rows[error].code != NULL);
    return rows[error].code;
}

unsigned s3_error_http(enum s3_error error)
{
    CHECK(error < S3_ERRORS);
    return rows[error].http;
}

const char *s3_error_message(enum s3_error error)
{
    CHECK(error < S3_ERRORS);
    return rows[error].message;
}
