/* From method, host and target to an operation: a table of sub-resources, then the plain ones. */
#include "objstore/s3/s3_route.h"

#include <string.h>

#include "base/check.h"
#include "base/s3_host.h"

/* Where a sub-resource applies. */
enum level { BUCKET = 1, OBJECT = 2 };

// clang-format off
/* A query parameter that turns the request into another operation.  The first row that matches
 * wins; an empty method matches all. */
static const struct {
    const char *parameter;
    const char *method;
    enum level level;
    const char *name;
    enum s3_operation operation;
} subresources[] = {
    { "location", "GET", BUCKET, "GetBucketLocation", S3_GET_BUCKET_LOCATION },
    { "delete", "POST", BUCKET, "DeleteObjects", S3_DELETE_OBJECTS },
    { "uploads", "GET", BUCKET, "ListMultipartUploads", S3_LIST_UPLOADS },
    { "uploads", "POST", OBJECT, "CreateMultipartUpload", S3_CREATE_UPLOAD },
    { "uploadId", "PUT", OBJECT, "UploadPart", S3_UPLOAD_PART },
    { "uploadId", "POST", OBJECT, "CompleteMultipartUpload", S3_COMPLETE_UPLOAD },
    { "uploadId", "DELETE", OBJECT, "AbortMultipartUpload", S3_ABORT_UPLOAD },
    { "uploadId", "GET", OBJECT, "ListParts", S3_LIST_PARTS },
    { "versions", "GET", BUCKET, "ListObjectVersions", S3_LIST_OBJECT_VERSIONS },
    { "versioning", "GET", BUCKET, "GetBucketVersioning", S3_GET_BUCKET_DEFAULT },
    { "versioning", "PUT", BUCKET, "PutBucketVersioning", S3_UNSUPPORTED },
    { "versionId", "GET", OBJECT, "GetObject with versionId", S3_UNSUPPORTED },
    { "versionId", "HEAD", OBJECT, "HeadObject with versionId", S3_UNSUPPORTED },
    { "versionId", "DELETE", OBJECT, "DeleteObject with versionId", S3_UNSUPPORTED },
    { "partNumber", "PUT", OBJECT, "PutObject with partNumber", S3_UNSUPPORTED },
    { "acl", "GET", BUCKET, "GetBucketAcl", S3_GET_BUCKET_DEFAULT },
    { "acl", "PUT", BUCKET, "PutBucketAcl", S3_UNSUPPORTED },
    { "acl", "GET", OBJECT, "GetObjectAcl", S3_GET_OBJECT_DEFAULT },
    { "acl", "PUT", OBJECT, "PutObjectAcl", S3_UNSUPPORTED },
    { "tagging", "GET", BUCKET, "GetBucketTagging", S3_GET_BUCKET_DEFAULT },
    { "tagging", "PUT", BUCKET, "PutBucketTagging", S3_UNSUPPORTED },
    { "tagging", "DELETE", BUCKET, "DeleteBucketTagging", S3_UNSUPPORTED },
    { "tagging", "GET", OBJECT, "GetObjectTagging", S3_GET_OBJECT_DEFAULT },
    { "tagging", "PUT", OBJECT, "PutObjectTagging", S3_UNSUPPORTED },
    { "tagging", "DELETE", OBJECT, "DeleteObjectTagging", S3_UNSUPPORTED },
    { "attributes", "GET", OBJECT, "GetObjectAttributes", S3_UNSUPPORTED },
    { "legal-hold", "GET", OBJECT, "GetObjectLegalHold", S3_GET_OBJECT_DEFAULT },
    { "legal-hold", "", OBJECT, "an object's legal hold", S3_UNSUPPORTED },
    { "retention", "GET", OBJECT, "GetObjectRetention", S3_GET_OBJECT_DEFAULT },
    { "retention", "", OBJECT, "an object's retention", S3_UNSUPPORTED },
    { "torrent", "", OBJECT, "GetObjectTorrent", S3_UNSUPPORTED },
    { "restore", "POST", OBJECT, "RestoreObject", S3_UNSUPPORTED },
    { "select", "POST", OBJECT, "SelectObjectContent", S3_UNSUPPORTED },
    { "policy", "GET", BUCKET, "GetBucketPolicy", S3_GET_BUCKET_DEFAULT },
    { "policy", "PUT", BUCKET, "PutBucketPolicy", S3_UNSUPPORTED },
    { "policy", "DELETE", BUCKET, "DeleteBucketPolicy", S3_UNSUPPORTED },
    { "policyStatus", "GET", BUCKET, "GetBucketPolicyStatus", S3_GET_BUCKET_DEFAULT },
    { "cors", "GET", BUCKET, "GetBucketCors", S3_GET_BUCKET_DEFAULT },
    { "cors", "", BUCKET, "a bucket's cors", S3_UNSUPPORTED },
    { "lifecycle", "GET", BUCKET, "GetBucketLifecycleConfiguration", S3_GET_BUCKET_DEFAULT },
    { "lifecycle", "", BUCKET, "a bucket's lifecycle", S3_UNSUPPORTED },
    { "encryption", "GET", BUCKET, "GetBucketEncryption", S3_GET_BUCKET_DEFAULT },
    { "encryption", "", BUCKET, "a bucket's encryption", S3_UNSUPPORTED },
    { "notification", "GET", BUCKET, "GetBucketNotificationConfiguration", S3_GET_BUCKET_DEFAULT },
    { "notification", "PUT", BUCKET, "PutBucketNotificationConfiguration", S3_UNSUPPORTED },
    { "website", "GET", BUCKET, "GetBucketWebsite", S3_GET_BUCKET_DEFAULT },
    { "website", "", BUCKET, "a bucket's website", S3_UNSUPPORTED },
    { "logging", "GET", BUCKET, "GetBucketLogging", S3_GET_BUCKET_DEFAULT },
    { "logging", "", BUCKET, "a bucket's logging", S3_UNSUPPORTED },
    { "replication", "GET", BUCKET, "GetBucketReplication", S3_GET_BUCKET_DEFAULT },
    { "replication", "", BUCKET, "a bucket's replication", S3_UNSUPPORTED },
    { "accelerate", "GET", BUCKET, "GetBucketAccelerateConfiguration", S3_GET_BUCKET_DEFAULT },
    { "accelerate", "", BUCKET, "a bucket's accelerate", S3_UNSUPPORTED },
    { "requestPayment", "GET", BUCKET, "GetBucketRequestPayment", S3_GET_BUCKET_DEFAULT },
    { "requestPayment", "", BUCKET, "a bucket's requestPayment", S3_UNSUPPORTED },
    { "object-lock", "GET", BUCKET, "GetObjectLockConfiguration", S3_GET_BUCKET_DEFAULT },
    { "object-lock", "", BUCKET, "a bucket's object-lock", S3_UNSUPPORTED },
    { "ownershipControls", "GET", BUCKET, "GetBucketOwnershipControls", S3_GET_BUCKET_DEFAULT },
    { "ownershipControls", "", BUCKET, "a bucket's ownershipControls", S3_UNSUPPORTED },
    { "publicAccessBlock", "GET", BUCKET, "GetPublicAccessBlock", S3_GET_BUCKET_DEFAULT },
    { "publicAccessBlock", "", BUCKET, "a bucket's publicAccessBlock", S3_UNSUPPORTED },
    { "analytics", "", BUCKET, "a bucket's analytics", S3_UNSUPPORTED },
    { "inventory", "", BUCKET, "a bucket's inventory", S3_UNSUPPORTED },
    { "metrics", "", BUCKET, "a bucket's metrics", S3_UNSUPPORTED },
    { "intelligent-tiering", "", BUCKET, "a bucket's intelligent-tiering", S3_UNSUPPORTED },
};

static const struct {
    const char *method;
    enum level level; /* 0: the service itself */
    const char *name;
    enum s3_operation operation;
} plain[] = {
    { "GET", 0, "ListBuckets", S3_LIST_BUCKETS },
    { "PUT", BUCKET, "CreateBucket", S3_CREATE_BUCKET },
    { "HEAD", BUCKET, "HeadBucket", S3_HEAD_BUCKET },
    { "DELETE", BUCKET, "DeleteBucket", S3_DELETE_BUCKET },
    { "GET", BUCKET, "ListObjects", S3_LIST_OBJECTS },
    { "POST", BUCKET, "PostObject", S3_UNSUPPORTED },
    { "PUT", OBJECT, "PutObject", S3_PUT_OBJECT },
    { "GET", OBJECT, "GetObject", S3_GET_OBJECT },
    { "HEAD", OBJECT, "HeadObject", S3_HEAD_OBJECT },
    { "DELETE", OBJECT, "DeleteObject", S3_DELETE_OBJECT },
    { "OPTIONS", BUCKET, "a CORS preflight", S3_UNSUPPORTED },
    { "OPTIONS", OBJECT, "a CORS preflight", S3_UNSUPPORTED },
};
// clang-format on

static bool is_lower_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool starts_with(struct bytes text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

static bool ends_with(struct bytes text, const char *suffix)
{
    size_t len = strlen(suffix);

    return text.len >= len && memcmp(text.data + text.len - len, suffix, len) == 0;
}

bool s3_bucket_name_is_valid(struct bytes name)
{
    if (name.len < 3 || name.len > S3_BUCKET_BYTES_MAX)
        return false;
    if (!is_lower_or_digit(name.data[0]) || !is_lower_or_digit(name.data[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!is_lower_or_digit(c) && c != '.' && c != '-')
            return false;
        if (c == '.' && name.data[i + 1] == '.')
            return false;
    }
    if (starts_with(name, "xn--") || starts_with(name, "sthree-"))
        return false;
    if (ends_with(name, "-s3alias") || ends_with(name, "--ol-s3"))
        return false;
    return !s3_host_is_ipv4(name);
}

bool s3_bucket_is_internal(const char *bucket)
{
    return strncmp(bucket, S3_INTERNAL_BUCKET_PREFIX, strlen(S3_INTERNAL_BUCKET_PREFIX)) == 0;
}

/* Bytes of the sequence that starts with `lead`, 0 when none does; out gets the lead's own bits and
 * the smallest value that needs so many bytes. */
static size_t utf8_sequence(uint8_t lead, uint32_t *out_value, uint32_t *out_least)
{
    if (lead < 0x80) {
        *out_value = lead;
        *out_least = 0;
        return 1;
    }
    if (lead >= 0xc2 && lead < 0xe0) {
        *out_value = lead & 0x1fu;
        *out_least = 0x80;
        return 2;
    }
    if (lead >= 0xe0 && lead < 0xf0) {
        *out_value = lead & 0x0fu;
        *out_least = 0x800;
        return 3;
    }
    if (lead >= 0xf0 && lead < 0xf5) {
        *out_value = lead & 0x07u;
        *out_least = 0x10000;
        return 4;
    }
    return 0;
}

bool s3_text_is_utf8(struct bytes text)
{
    size_t at = 0;

    while (at < text.len) {
        uint32_t value = 0;
        uint32_t least = 0;
        size_t len = utf8_sequence(text.data[at], &value, &least);

        if (len == 0 || len > text.len - at)
            return false;
        for (size_t i = 1; i < len; i++) {
            if ((text.data[at + i] & 0xc0) != 0x80)
                return false;
            value = value << 6 | (text.data[at + i] & 0x3fu);
        }
        if (value == 0 || value < least || value > 0x10ffff)
            return false;
        if (value >= 0xd800 && value <= 0xdfff)
            return false;
        at += len;
    }
    return true;
}

/* ---- target ---- */

bool s3_query_has(struct bytes query, const char *name)
{
    struct http_query walk = { .rest = query };

    while (http_query_next(&walk))
        if (bytes_equal(walk.name, bytes_of_text(name)))
            return true;
    return false;
}

static bool parameter_is(struct bytes query, const char *name, const char *value)
{
    struct http_query walk = { .rest = query };

    while (http_query_next(&walk))
        if (bytes_equal(walk.name, bytes_of_text(name)))
            return bytes_equal(walk.value, bytes_of_text(value));
    return false;
}

static enum s3_error copy_bucket(struct bytes name, struct s3_route *out)
{
    if (!s3_bucket_name_is_valid(name))
        return S3_INVALID_BUCKET_NAME;
    memcpy(out->bucket, name.data, name.len);
    out->bucket[name.len] = '\0';
    return S3_OK;
}

static enum s3_error copy_key(struct bytes encoded, struct s3_route *out)
{
    enum s3_error error = S3_OK;
    struct buf key = { 0 };

    if (http_percent_decode(encoded, false, &key) != ST_OK || !s3_text_is_utf8(buf_view(&key)))
        error = S3_INVALID_URI;
    else if (key.len > S3_KEY_BYTES_MAX)
        error = S3_KEY_TOO_LONG;
    else
        memcpy(out->key, buf_text(&key), key.len + 1);
    buf_done(&key);
    return error;
}

/* Bucket and key from host and path. */
static enum s3_error read_names(const struct http_head *head,
                                const char *domain,
                                struct s3_route *out)
{
    struct bytes path = http_target_path(head->target);
    struct bytes host = { 0 };
    const uint8_t *slash;
    struct bytes bucket;
    enum s3_error error;

    if (path.len == 0 || path.data[0] != '/')
        return S3_INVALID_URI;
    path = bytes_of(path.data + 1, path.len - 1);
    (void)http_head_find(head, "host", &host);
    bucket = s3_host_bucket(host, domain);
    if (bucket.len > 0) {
        out->is_by_host = true;
        error = copy_bucket(bucket, out);
        return error == S3_OK ? copy_key(path, out) : error;
    }
    if (path.len == 0)
        return S3_OK;
    slash = memchr(path.data, '/', path.len);
    if (slash == NULL)
        return copy_bucket(path, out);
    bucket = bytes_of(path.data, (size_t)(slash - path.data));
    error = copy_bucket(bucket, out);
    if (error != S3_OK)
        return error;
    return copy_key(bytes_of(slash + 1, path.len - bucket.len - 1), out);
}

static void set(struct s3_route *out, enum s3_operation operation, const char *name)
{
    out->operation = operation;
    out->name = name;
}

static bool find_subresource(const struct http_head *head, enum level level, struct s3_route *out)
{
    struct bytes query = http_target_query(head->target);

    if (query.len == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(subresources); i++) {
        const char *method = subresources[i].method;

        if (subresources[i].level != level)
            continue;
        if (method[0] != '\0' && !bytes_equal(head->method, bytes_of_text(method)))
            continue;
        if (!s3_query_has(query, subresources[i].parameter))
            continue;
        /* "null" is the version that every object of a bucket without versioning has. */
        if (parameter_is(query, "versionId", "null"))
            continue;
        set(out, subresources[i].operation, subresources[i].name);
        return true;
    }
    return false;
}

enum s3_error s3_route(const struct http_head *head, const char *domain, struct s3_route *out)
{
    enum s3_error error;
    enum level level;
    struct bytes copy;

    memset(out, 0, sizeof *out);
    error = read_names(head, domain, out);
    if (error != S3_OK)
        return error;
    level = out->key[0] != '\0' ? OBJECT : out->bucket[0] != '\0' ? BUCKET : 0;
    if (find_subresource(head, level, out)) {
        if (out->operation == S3_UPLOAD_PART && http_head_find(head, "x-amz-copy-source", &copy))
            set(out, S3_UPLOAD_PART_COPY, "UploadPartCopy");
        return S3_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (plain[i].level == level && bytes_equal(head->method, bytes_of_text(plain[i].method)))
            set(out, plain[i].operation, plain[i].name);
    if (out->name == NULL)
        return S3_METHOD_NOT_ALLOWED;
    if (out->operation == S3_LIST_OBJECTS &&
        parameter_is(http_target_query(head->target), "list-type", "2"))
        set(out, S3_LIST_OBJECTS_V2, "ListObjectsV2");
    if (out->operation == S3_PUT_OBJECT && http_head_find(head, "x-amz-copy-source", &copy))
        set(out, S3_COPY_OBJECT, "CopyObject");
    return S3_OK;
}
