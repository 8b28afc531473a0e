/* Headers that are stored with an object, and those that would need what we do not have. */
#include "objstore/s3/s3_headers.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_route.h"

#define META_PREFIX  "x-amz-meta-"
#define GRANT_PREFIX "x-amz-grant-"

enum { METADATA_COUNT_MAX = 40 };

static const char *const kept[] = { "Cache-Control",    "Content-Disposition",
                                    "Content-Encoding", "Content-Language",
                                    "Expires",          "x-amz-website-redirect-location" };

/* All that an object's ACL can be here: its owner's alone.  AWS answers the same to others in
 * buckets as it makes them today. */
static bool acl_is_ours(struct bytes value)
{
    return http_text_equal(value, "private") || http_text_equal(value, "bucket-owner-full-control");
}

/* To take these and not act on them would be a silent lie. */
static const char *const refused[] = {
    "x-amz-tagging",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-lock-legal-hold",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-write-offset-bytes",
};

static char *copy_text(struct bytes text)
{
    char *copy = must_calloc(1, text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

void s3_headers_add(Lapwing__Object *object, struct bytes name, struct bytes value)
{
    Lapwing__Metadata *row = must_calloc(1, sizeof *row);

    lapwing__metadata__init(row);
    row->name = copy_text(name);
    row->value = copy_text(value);
    object->metadata =
        must_realloc(object->metadata, (object->n_metadata + 1) * sizeof *object->metadata);
    object->metadata[object->n_metadata++] = row;
}

void s3_headers_done(Lapwing__Object *object)
{
    for (size_t i = 0; i < object->n_metadata; i++) {
        free(object->metadata[i]->name);
        free(object->metadata[i]->value);
        free(object->metadata[i]);
    }
    free(object->metadata);
    object->metadata = NULL;
    object->n_metadata = 0;
}

bool s3_encoding_strip(struct bytes *value)
{
    static const char coding[] = "aws-chunked";
    size_t len = sizeof coding - 1;

    if (value->len < len || strncasecmp((const char *)value->data, coding, len) != 0)
        return false;
    while (len < value->len && (value->data[len] == ',' || value->data[len] == ' '))
        len++;
    *value = bytes_of(value->data + len, value->len - len);
    return true;
}

/* One x-amz-meta-*: the name without the prefix and the value count. */
static enum s3_error add_meta(Lapwing__Object *object,
                              const struct http_field *field,
                              size_t *total,
                              struct err *err)
{
    char name[256];

    *total += field->name.len - strlen(META_PREFIX) + field->value.len;
    if (*total > S3_METADATA_BYTES_MAX || object->n_metadata >= METADATA_COUNT_MAX)
        return S3_METADATA_TOO_LARGE;
    if (field->name.len >= sizeof name)
        return S3_METADATA_TOO_LARGE;
    if (!s3_text_is_utf8(field->value)) {
        (void)err_set(err, ST_BAD_INPUT, "The value of a metadata header is not UTF-8");
        return S3_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < field->name.len; i++)
        name[i] = (char)tolower(field->name.data[i]);
    s3_headers_add(object, bytes_of(name, field->name.len), field->value);
    return S3_OK;
}

static enum s3_error add_kept(Lapwing__Object *object,
                              const struct http_field *field,
                              struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        struct bytes value = field->value;

        if (!http_text_equal(field->name, kept[i]))
            continue;
        if (strcmp(kept[i], "Content-Encoding") == 0 && s3_encoding_strip(&value) && value.len == 0)
            continue;
        if (value.len > 1024 || !s3_text_is_utf8(value)) {
            (void)err_set(err, ST_BAD_INPUT, "The value of %s is too long or not UTF-8", kept[i]);
            return S3_INVALID_ARGUMENT;
        }
        s3_headers_add(object, bytes_of_text(kept[i]), value);
    }
    if (http_text_equal(field->name, "x-amz-acl") && !acl_is_ours(field->value))
        return S3_ACL_NOT_SUPPORTED;
    if (field->name.len > strlen(GRANT_PREFIX) &&
        strncasecmp((const char *)field->name.data, GRANT_PREFIX, strlen(GRANT_PREFIX)) == 0)
        return S3_ACL_NOT_SUPPORTED;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (!http_text_equal(field->name, refused[i]))
            continue;
        (void)err_set(err, ST_UNSUPPORTED,
                      "A header you provided implies functionality that is not implemented: %s",
                      refused[i]);
        return S3_NOT_IMPLEMENTED;
    }
    return S3_OK;
}

enum s3_error s3_headers_read(const struct http_head *head,
                              Lapwing__Object *object,
                              struct err *err)
{
    enum s3_error error = S3_OK;
    size_t total = 0;

    for (size_t i = 0; i < head->field_count && error == S3_OK; i++) {
        const struct http_field *field = &head->fields[i];

        if (field->name.len > strlen(META_PREFIX) &&
            strncasecmp((const char *)field->name.data, META_PREFIX, strlen(META_PREFIX)) == 0)
            error = add_meta(object, field, &total, err);
        else
            error = add_kept(object, field, err);
    }
    return error;
}
