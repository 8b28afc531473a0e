/* Checks of the messages between object stores; pure, any thread. */
#include "proto/blob_check.h"

#include "base/hash.h"
#include "base/limits.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

static const struct field_text person_text_rule = { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX };

enum status blob_put_begin_check(const Lapwing__BlobPutBegin *begin, struct err *err)
{
    return field_number_check("bytes_expected", begin->bytes_expected, 0, OBJECT_BYTES_MAX, err);
}

enum status blob_put_end_check(const Lapwing__BlobPutEnd *end, struct err *err)
{
    enum status st = field_bytes_check("sha256", &end->sha256, SHA256_BYTES, SHA256_BYTES, err);

    return st == ST_OK ? field_number_check("bytes", end->bytes, 0, OBJECT_BYTES_MAX, err) : st;
}

enum status blob_put_done_check(const Lapwing__BlobPutDone *done, struct err *err)
{
    enum status st = field_status_check("status", done->status, err);

    return st == ST_OK ? field_text_check(&person_text_rule, done->text, err) : st;
}

enum status blob_get_check(const Lapwing__BlobGet *get, struct err *err)
{
    return field_bytes_check("sha256", &get->sha256, SHA256_BYTES, SHA256_BYTES, err);
}

enum status blob_get_done_check(const Lapwing__BlobGetDone *done, struct err *err)
{
    enum status st = field_status_check("status", done->status, err);

    if (st == ST_OK)
        st = field_text_check(&person_text_rule, done->text, err);
    return st == ST_OK ? field_number_check("bytes", done->bytes, 0, OBJECT_BYTES_MAX, err) : st;
}
