/* Checks of what the storage group's commands carry; pure, any thread. */
#include "proto/object_check.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

static const struct field_text account_rule = { "account", FIELD_DIGITS, ACCOUNT_DIGITS,
                                                ACCOUNT_DIGITS };
static const struct field_text region_rule = { "region", FIELD_NAME, 1, REGION_BYTES_MAX };
static const struct field_text bucket_rule = { "bucket", FIELD_DOTTED, BUCKET_NAME_BYTES_MIN,
                                               BUCKET_NAME_BYTES_MAX };
static const struct field_text key_rule = { "key", FIELD_TEXT, 1, OBJECT_KEY_BYTES_MAX };
static const struct field_text upload_rule = { "upload", FIELD_HEX, UPLOAD_ID_DIGITS,
                                               UPLOAD_ID_DIGITS };

enum status create_bucket_check(const Lapwing__CreateBucket *create, struct err *err)
{
    const struct field_text rules[] = { account_rule, region_rule, bucket_rule };
    const char *const values[] = { create->account, create->region, create->name };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

enum status delete_bucket_check(const Lapwing__DeleteBucket *del, struct err *err)
{
    return field_text_check(&bucket_rule, del->name, err);
}

enum status bucket_check(const Lapwing__Bucket *bucket, struct err *err)
{
    const struct field_text rules[] = { account_rule, region_rule, bucket_rule };
    const char *const values[] = { bucket->account, bucket->region, bucket->name };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    return st == ST_OK ? field_number_check("created_ms", bucket->created_ms, 0, TIME_MS_MAX, err)
                       : st;
}

static enum status metadata_check(const Lapwing__Object *object, struct err *err)
{
    static const struct field_text name_rule = { "metadata name", FIELD_PRINTABLE, 1, 256 };
    static const struct field_text value_rule = { "metadata value", FIELD_LINE, 0,
                                                  OBJECT_METADATA_BYTES_MAX };
    size_t bytes = 0;
    enum status st = field_count_check("metadata", object->n_metadata, OBJECT_METADATA_MAX, err);

    for (size_t i = 0; st == ST_OK && i < object->n_metadata; i++) {
        const Lapwing__Metadata *metadata = object->metadata[i];

        st = field_text_check(&name_rule, metadata->name, err);
        if (st == ST_OK)
            st = field_text_check(&value_rule, metadata->value, err);
        bytes += strlen(metadata->name) + strlen(metadata->value);
    }
    if (st != ST_OK)
        return st;
    return field_number_check("metadata: bytes", bytes, 0, OBJECT_METADATA_BYTES_MAX, err);
}

static const struct field_text etag_rule = { "etag", FIELD_NAME, 1, OBJECT_ETAG_BYTES_MAX };
static const struct field_text content_type_rule = { "content_type", FIELD_LINE, 0,
                                                     OBJECT_CONTENT_TYPE_BYTES_MAX };
static const struct field_text owner_rule = { "owner", FIELD_DIGITS, ACCOUNT_DIGITS,
                                              ACCOUNT_DIGITS };

/* Where the content is: one blob, or an upload's parts. */
static enum status content_check(const ProtobufCBinaryData *blob,
                                 const char *upload,
                                 struct err *err)
{
    if (upload[0] == '\0')
        return field_bytes_check("blob", blob, SHA256_BYTES, SHA256_BYTES, err);
    if (blob->len > 0)
        return err_set(err, ST_BAD_INPUT, "blob: there beside an upload, want one of them");
    return field_text_check(&upload_rule, upload, err);
}

enum status object_check(const Lapwing__Object *object, struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule, etag_rule, content_type_rule,
                                        owner_rule };
    const char *const values[] = { object->bucket, object->key, object->etag, object->content_type,
                                   object->owner };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK)
        st = field_number_check("bytes", object->bytes, 0, OBJECT_BYTES_MAX, err);
    if (st == ST_OK)
        st = content_check(&object->blob, object->upload, err);
    if (st == ST_OK)
        st = field_number_check("modified_ms", object->modified_ms, 0, TIME_MS_MAX, err);
    return st == ST_OK ? metadata_check(object, err) : st;
}

static enum status copy_source_check(const Lapwing__CopySource *source, struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule };
    const char *const values[] = { source->bucket, source->key };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    return st == ST_OK ? content_check(&source->blob, source->upload, err) : st;
}

static enum status condition_check(const char *only_if_etag, struct err *err)
{
    return field_text_check(
        &(struct field_text){ "only_if_etag", FIELD_PRINTABLE, 0, OBJECT_CONTENT_TYPE_BYTES_MAX },
        only_if_etag, err);
}

enum status put_object_check(const Lapwing__PutObject *put, struct err *err)
{
    enum status st = field_present_check("object", put->object, err);

    if (st == ST_OK)
        st = object_check(put->object, err);
    if (st == ST_OK && put->source != NULL)
        st = copy_source_check(put->source, err);
    if (st != ST_OK)
        return st;
    /* Only a copy may name parts that are another object's, and only its source's. */
    if (put->object->upload[0] != '\0' &&
        (put->source == NULL || strcmp(put->source->upload, put->object->upload) != 0))
        return err_set(err, ST_BAD_INPUT, "upload: %s is not the source's", put->object->upload);
    return condition_check(put->only_if_etag, err);
}

enum status delete_object_check(const Lapwing__DeleteObject *del, struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule };
    const char *const values[] = { del->bucket, del->key };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    return st == ST_OK ? condition_check(del->only_if_etag, err) : st;
}

enum status delete_objects_check(const Lapwing__DeleteObjects *del, struct err *err)
{
    enum status st = field_text_check(&bucket_rule, del->bucket, err);

    if (st == ST_OK)
        st = field_count_check("keys", del->n_keys, DELETE_OBJECTS_MAX, err);
    for (size_t i = 0; st == ST_OK && i < del->n_keys; i++)
        st = field_text_check(&key_rule, del->keys[i], err);
    return st;
}

/* ---- uploads ---- */

static enum status checksum_name_check(const char *checksum, struct err *err)
{
    static const char *const names[] = { "", "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(checksum, names[i]) == 0)
            return ST_OK;
    return err_set(err, ST_BAD_INPUT, "checksum: %.32s, want an algorithm of S3", checksum);
}

static enum status template_check(const Lapwing__Object *object, struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule, content_type_rule, owner_rule };
    const char *const values[] = { object->bucket, object->key, object->content_type,
                                   object->owner };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK && (object->etag[0] != '\0' || object->blob.len > 0))
        return err_set(err, ST_BAD_INPUT, "object: has content before its parts");
    if (st == ST_OK && (object->bytes > 0 || object->upload[0] != '\0'))
        return err_set(err, ST_BAD_INPUT, "object: has content before its parts");
    if (st == ST_OK)
        st = field_number_check("modified_ms", object->modified_ms, 0, 0, err);
    return st == ST_OK ? metadata_check(object, err) : st;
}

enum status upload_check(const Lapwing__Upload *upload, struct err *err)
{
    enum status st = field_text_check(&upload_rule, upload->upload, err);

    if (st == ST_OK)
        st = field_present_check("object", upload->object, err);
    if (st == ST_OK)
        st = template_check(upload->object, err);
    if (st == ST_OK)
        st = field_number_check("created_ms", upload->created_ms, 0, TIME_MS_MAX, err);
    if (st == ST_OK)
        st = field_number_check("revision", upload->revision, 0, INT64_MAX, err);
    return st == ST_OK ? checksum_name_check(upload->checksum, err) : st;
}

enum status create_upload_check(const Lapwing__CreateUpload *create, struct err *err)
{
    enum status st = field_present_check("upload", create->upload, err);

    return st == ST_OK ? upload_check(create->upload, err) : st;
}

enum status part_check(const Lapwing__Part *part, struct err *err)
{
    enum status st = field_number_check("number", part->number, 1, UPLOAD_PARTS_MAX, err);

    if (st == ST_OK)
        st = field_number_check("bytes", part->bytes, 0, OBJECT_PUT_BYTES_MAX, err);
    if (st == ST_OK)
        st = field_bytes_check("md5", &part->md5, MD5_BYTES, MD5_BYTES, err);
    if (st == ST_OK)
        st = field_bytes_check("blob", &part->blob, SHA256_BYTES, SHA256_BYTES, err);
    if (st == ST_OK)
        st = field_bytes_check("checksum", &part->checksum, 0, SHA256_BYTES, err);
    return st == ST_OK ? field_number_check("modified_ms", part->modified_ms, 0, TIME_MS_MAX, err)
                       : st;
}

/* Bucket, key and name of an upload: its key. */
static enum status upload_key_check(const char *bucket,
                                    const char *key,
                                    const char *upload,
                                    struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule, upload_rule };
    const char *const values[] = { bucket, key, upload };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

enum status put_part_check(const Lapwing__PutPart *put, struct err *err)
{
    enum status st = upload_key_check(put->bucket, put->key, put->upload, err);

    if (st == ST_OK)
        st = field_present_check("part", put->part, err);
    if (st == ST_OK)
        st = part_check(put->part, err);
    return st == ST_OK && put->source != NULL ? copy_source_check(put->source, err) : st;
}

enum status complete_upload_check(const Lapwing__CompleteUpload *complete, struct err *err)
{
    enum status st = field_present_check("object", complete->object, err);

    if (st == ST_OK)
        st = object_check(complete->object, err);
    if (st == ST_OK && complete->object->upload[0] == '\0')
        return err_set(err, ST_BAD_INPUT, "upload: absent, want it");
    if (st == ST_OK)
        st = field_number_check("revision", complete->revision, 1, INT64_MAX, err);
    if (st == ST_OK)
        st = field_number_check("parts: count", complete->n_parts, 1, UPLOAD_PARTS_MAX, err);
    for (size_t i = 0; st == ST_OK && i < complete->n_parts; i++)
        st = field_number_check("parts", complete->parts[i],
                                i == 0 ? 1 : complete->parts[i - 1] + 1, UPLOAD_PARTS_MAX, err);
    return st == ST_OK ? condition_check(complete->only_if_etag, err) : st;
}

enum status abort_upload_check(const Lapwing__AbortUpload *abort_upload, struct err *err)
{
    return upload_key_check(abort_upload->bucket, abort_upload->key, abort_upload->upload, err);
}
