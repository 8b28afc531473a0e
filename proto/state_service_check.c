/* Checks of the state service's messages; pure, any thread. */
#include "proto/state_service_check.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/command_check.h"
#include "proto/fields.h"
#include "proto/message_limits.h"
#include "proto/object_check.h"

enum { LISTED_MAX = 100000 }; /* buckets, objects or prefixes of one reply */

static const struct field_text bucket_rule = { "bucket", FIELD_DOTTED, 1, BUCKET_NAME_BYTES_MAX };
static const struct field_text key_rule = { "key", FIELD_TEXT, 1, OBJECT_KEY_BYTES_MAX };
/* Any name that a client may ask for. */
static const struct field_text upload_rule = { "upload", FIELD_NAME, 1, UPLOAD_ID_DIGITS };
static const struct field_text text_rule = { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX };

enum status propose_request_check(const Lapwing__ProposeRequest *request, struct err *err)
{
    enum status st =
        field_number_check("group", request->group, LAPWING__STATE_GROUP__GROUP_CONTROL,
                           LAPWING__STATE_GROUP__GROUP_STORAGE, err);

    if (st == ST_OK)
        st = field_present_check("command", request->command, err);
    return st == ST_OK ? command_check(request->command, err) : st;
}

enum status propose_reply_check(const Lapwing__ProposeReply *reply, struct err *err)
{
    enum status st = field_status_check("status", reply->status, err);

    if (st == ST_OK)
        st = field_text_check(&text_rule, reply->text, err);
    if (st != ST_OK)
        return st;
    if ((reply->status == ST_OK) != (reply->outcome != NULL))
        return err_set(err, ST_BAD_INPUT, "outcome: %s with status %u, want one exactly with ok",
                       reply->outcome != NULL ? "present" : "absent", reply->status);
    return reply->outcome != NULL ? outcome_check(reply->outcome, err) : ST_OK;
}

/* Any bucket or key that a client may ask for: what cannot exist is not found, not an error. */
static enum status get_object_check(const Lapwing__GetObjectRead *read, struct err *err)
{
    enum status st = field_text_check(&bucket_rule, read->bucket, err);

    return st == ST_OK ? field_text_check(&key_rule, read->key, err) : st;
}

static enum status get_upload_check(const Lapwing__GetUploadRead *read, struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule, upload_rule };
    const char *const values[] = { read->bucket, read->key, read->upload };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK)
        st = field_number_check("part_after", read->part_after, 0, UPLOAD_PARTS_MAX, err);
    return st == ST_OK ? field_number_check("max_parts", read->max_parts, 0, UPLOAD_PARTS_MAX, err)
                       : st;
}

static enum status object_parts_check(const Lapwing__ObjectPartsRead *read, struct err *err)
{
    const struct field_text rules[] = { bucket_rule, key_rule, upload_rule };
    const char *const values[] = { read->bucket, read->key, read->upload };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK)
        st = field_number_check("offset", read->offset, 0, OBJECT_BYTES_MAX, err);
    return st == ST_OK ? field_number_check("bytes", read->bytes, 0, OBJECT_BYTES_MAX, err) : st;
}

static enum status list_uploads_check(const Lapwing__ListUploadsRead *read, struct err *err)
{
    const struct field_text rules[] = {
        bucket_rule,
        { "prefix", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
        { "delimiter", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
        { "key_after", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
        { "upload_after", FIELD_NAME, 0, UPLOAD_ID_DIGITS },
    };
    const char *const values[] = { read->bucket, read->prefix, read->delimiter, read->key_after,
                                   read->upload_after };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

static enum status list_objects_check(const Lapwing__ListObjectsRead *read, struct err *err)
{
    const struct field_text rules[] = {
        bucket_rule,
        { "prefix", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
        { "delimiter", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
        { "start_after", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
    };
    const char *const values[] = { read->bucket, read->prefix, read->delimiter, read->start_after };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

enum status read_request_check(const Lapwing__ReadRequest *request, struct err *err)
{
    static const struct field_text account_rule = { "account", FIELD_DIGITS, ACCOUNT_DIGITS,
                                                    ACCOUNT_DIGITS };

    switch (request->what_case) {
    case LAPWING__READ_REQUEST__WHAT_GET_BUCKET:
        return field_text_check(&bucket_rule, request->get_bucket->name, err);
    case LAPWING__READ_REQUEST__WHAT_LIST_BUCKETS:
        return field_text_check(&account_rule, request->list_buckets->account, err);
    case LAPWING__READ_REQUEST__WHAT_GET_OBJECT:
        return get_object_check(request->get_object, err);
    case LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS:
        return list_objects_check(request->list_objects, err);
    case LAPWING__READ_REQUEST__WHAT_GET_UPLOAD:
        return get_upload_check(request->get_upload, err);
    case LAPWING__READ_REQUEST__WHAT_LIST_UPLOADS:
        return list_uploads_check(request->list_uploads, err);
    case LAPWING__READ_REQUEST__WHAT_OBJECT_PARTS:
        return object_parts_check(request->object_parts, err);
    case LAPWING__READ_REQUEST__WHAT__NOT_SET:
    case _LAPWING__READ_REQUEST__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ST_BAD_INPUT, "what: none that this release knows, want a read");
}

static enum status listed_check(const Lapwing__ReadReply *reply, struct err *err)
{
    static const struct field_text prefix_rule = { "common_prefixes", FIELD_TEXT, 1,
                                                   OBJECT_KEY_BYTES_MAX };
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < reply->n_buckets; i++)
        st = bucket_check(reply->buckets[i], err);
    for (size_t i = 0; st == ST_OK && i < reply->n_objects; i++)
        st = object_check(reply->objects[i], err);
    for (size_t i = 0; st == ST_OK && i < reply->n_uploads; i++)
        st = upload_check(reply->uploads[i], err);
    for (size_t i = 0; st == ST_OK && i < reply->n_parts; i++)
        st = part_check(reply->parts[i], err);
    for (size_t i = 0; st == ST_OK && i < reply->n_common_prefixes; i++)
        st = field_text_check(&prefix_rule, reply->common_prefixes[i], err);
    return st;
}

static enum status counts_check(const Lapwing__ReadReply *reply, struct err *err)
{
    const struct {
        const char *name;
        size_t count, max;
    } counts[] = {
        { "buckets", reply->n_buckets, LISTED_MAX },
        { "objects", reply->n_objects, LISTED_MAX },
        { "common_prefixes", reply->n_common_prefixes, LISTED_MAX },
        { "uploads", reply->n_uploads, LISTED_MAX },
        { "parts", reply->n_parts, UPLOAD_PARTS_MAX },
    };
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < ARRAY_LEN(counts); i++)
        st = field_count_check(counts[i].name, counts[i].count, counts[i].max, err);
    return st;
}

enum status read_reply_check(const Lapwing__ReadReply *reply, struct err *err)
{
    static const struct field_text rules[] = {
        { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX },
        { "next_start_after", FIELD_TEXT, 0, OBJECT_KEY_BYTES_MAX },
        { "next_upload_after", FIELD_NAME, 0, UPLOAD_ID_DIGITS },
    };
    const char *const values[] = { reply->text, reply->next_start_after, reply->next_upload_after };
    enum status st = field_status_check("status", reply->status, err);

    if (st == ST_OK)
        st = field_texts_check(rules, values, ARRAY_LEN(rules), err);
    if (st == ST_OK)
        st = counts_check(reply, err);
    if (st == ST_OK)
        st = field_number_check("parts_offset", reply->parts_offset, 0, OBJECT_BYTES_MAX, err);
    if (st != ST_OK)
        return st;
    if (reply->truncated && reply->n_parts == 0 && reply->next_start_after[0] == '\0')
        return err_set(err, ST_BAD_INPUT, "next_start_after: empty, want one with truncated");
    return listed_check(reply, err);
}
