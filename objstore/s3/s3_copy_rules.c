/* Headers of copies. */
#include "objstore/s3/s3_copy.h"

#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_xml.h"

static enum s3_error no_source(struct err *err)
{
    (void)err_set(err, ST_BAD_INPUT,
                  "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    return S3_INVALID_ARGUMENT;
}

/* Cut "?versionId=..." off; only the version of buckets without versioning is there. */
static enum s3_error cut_version(struct bytes *value)
{
    static const char parameter[] = "?versionId=";
    const uint8_t *found = memmem(value->data, value->len, parameter, sizeof parameter - 1);
    struct bytes version;

    if (found == NULL)
        return S3_OK;
    version = bytes_of(found + sizeof parameter - 1,
                       value->len - (size_t)(found - value->data) - (sizeof parameter - 1));
    value->len = (size_t)(found - value->data);
    return version.len == 0 || bytes_equal(version, bytes_of_text("null")) ? S3_OK
                                                                           : S3_NO_SUCH_VERSION;
}

static enum s3_error split(struct bytes path, struct s3_copy_source *out, struct err *err)
{
    const uint8_t *slash;
    struct bytes bucket;
    struct bytes key;

    if (path.len > 0 && path.data[0] == '/')
        path = bytes_of(path.data + 1, path.len - 1);
    slash = path.len > 0 ? memchr(path.data, '/', path.len) : NULL;
    if (slash == NULL)
        return no_source(err);
    bucket = bytes_of(path.data, (size_t)(slash - path.data));
    key = bytes_of(slash + 1, path.len - bucket.len - 1);
    if (key.len == 0)
        return no_source(err);
    if (!s3_bucket_name_is_valid(bucket))
        return S3_INVALID_BUCKET_NAME;
    if (key.len > S3_KEY_BYTES_MAX)
        return S3_KEY_TOO_LONG;
    memcpy(out->bucket, bucket.data, bucket.len);
    memcpy(out->key, key.data, key.len);
    return S3_OK;
}

enum s3_error s3_copy_source_parse(struct bytes value, struct s3_copy_source *out, struct err *err)
{
    struct buf path = { 0 };
    enum s3_error error;

    memset(out, 0, sizeof *out);
    error = cut_version(&value);
    if (error != S3_OK)
        return error;
    if (http_percent_decode(value, false, &path) != ST_OK || !s3_text_is_utf8(buf_view(&path)))
        error = no_source(err);
    else
        error = split(buf_view(&path), out, err);
    buf_done(&path);
    return error;
}

enum s3_error s3_copy_directive(const struct http_head *head, bool *out_replace, struct err *err)
{
    struct bytes value = { 0 };

    *out_replace = false;
    if (!http_head_find(head, "x-amz-metadata-directive", &value))
        return S3_OK;
    *out_replace = http_text_equal(value, "REPLACE");
    if (*out_replace || http_text_equal(value, "COPY"))
        return S3_OK;
    (void)err_set(err, ST_BAD_INPUT, "Unknown metadata directive.");
    return S3_INVALID_ARGUMENT;
}

enum s3_error s3_copy_range(const struct http_head *head,
                            uint64_t size,
                            uint64_t *out_offset,
                            uint64_t *out_bytes,
                            struct err *err)
{
    struct bytes value = { 0 };
    const uint8_t *dash;
    uint64_t first;
    uint64_t last;

    *out_offset = 0;
    *out_bytes = size;
    if (!http_head_find(head, "x-amz-copy-source-range", &value))
        return S3_OK;
    dash = value.len > 6 ? memchr(value.data + 6, '-', value.len - 6) : NULL;
    if (dash == NULL || memcmp(value.data, "bytes=", 6) != 0 ||
        !s3_number_parse(bytes_of(value.data + 6, (size_t)(dash - value.data) - 6), &first) ||
        !s3_number_parse(bytes_of(dash + 1, value.len - (size_t)(dash - value.data) - 1), &last) ||
        first > last) {
        (void)err_set(err, ST_BAD_INPUT,
                      "The x-amz-copy-source-range value must be of the form bytes=first-last "
                      "where first and last are the zero-based offsets of the first and last bytes "
                      "to copy");
        return S3_INVALID_ARGUMENT;
    }
    if (last >= size) {
        (void)err_set(err, ST_BAD_INPUT,
                      "Range specified is not valid for source object of size: %llu",
                      (unsigned long long)size);
        return S3_INVALID_RANGE;
    }
    *out_offset = first;
    *out_bytes = last - first + 1;
    return S3_OK;
}

void s3_xml_copied(struct buf *out, const char *element, const char *etag, uint64_t modified_ms)
{
    buf_printf(out, S3_XML_HEAD "<%s" S3_XML_NS ">", element);
    s3_xml_time(out, "LastModified", modified_ms);
    buf_printf(out, "<ETag>&quot;%s&quot;</ETag></%s>", etag, element);
}
