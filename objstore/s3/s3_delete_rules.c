/* The body and the answer of DeleteObjects. */
#include "objstore/s3/s3_delete.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/http_message.h"
#include "base/limits.h"
#include "objstore/s3/s3_route.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_xml.h"
#include "objstore/s3/s3_xml_read.h"

enum {
    BATCH_BYTES_MAX = COMMAND_BYTES_MAX - 1024, /* of keys; the rest of the command is less */
    KEY_FRAME_BYTES = 4,                        /* around each in the message */
};

static bool set_key(struct s3_deletion_key *row, struct bytes text)
{
    free(row->key);
    row->key = must_calloc(1, text.len + 1);
    if (text.len > 0)
        memcpy(row->key, text.data, text.len);
    if (text.len > S3_KEY_BYTES_MAX)
        row->error = S3_KEY_TOO_LONG;
    return text.len > 0 && s3_text_is_utf8(text);
}

/* One child of <Object>. */
static bool read_field(struct bytes name, struct bytes text, struct s3_deletion_key *row)
{
    if (bytes_equal(name, bytes_of_text("Key")))
        return set_key(row, text);
    if (bytes_equal(name, bytes_of_text("VersionId"))) {
        row->has_version = true;
        if (!bytes_equal(text, bytes_of_text("null")))
            row->error = S3_NO_SUCH_VERSION;
        return true;
    }
    /* ETag, LastModifiedTime, Size: conditions, which nobody here would look at. */
    row->error = S3_NOT_IMPLEMENTED;
    return true;
}

static struct s3_deletion_key *add_row(struct s3_deletion *deletion)
{
    if (deletion->count == DELETE_OBJECTS_MAX)
        return NULL;
    if (deletion->list == NULL)
        deletion->list = must_calloc(DELETE_OBJECTS_MAX, sizeof *deletion->list);
    return &deletion->list[deletion->count++];
}

/* One step of the parser; false: not such a document. */
static bool take(struct s3_deletion *deletion,
                 const struct s3_xml *xml,
                 enum s3_xml_kind kind,
                 struct bytes name)
{
    struct bytes text = buf_view(&xml->text);

    if (kind == S3_XML_OPEN)
        return !s3_xml_is_in(xml, "Delete/Object") || add_row(deletion) != NULL;
    if (s3_xml_is_in(xml, "Delete/Object"))
        return read_field(name, text, &deletion->list[deletion->count - 1]);
    if (!s3_xml_is_in(xml, "Delete"))
        return true;
    if (bytes_equal(name, bytes_of_text("Quiet")))
        deletion->is_quiet = http_text_equal(http_trim(text), "true");
    return !bytes_equal(name, bytes_of_text("Object")) ||
           deletion->list[deletion->count - 1].key != NULL;
}

enum s3_error s3_deletion_parse(struct bytes document, struct s3_deletion *out)
{
    enum s3_xml_kind kind;
    struct bytes name;
    struct s3_xml xml;
    bool ok = true;

    memset(out, 0, sizeof *out);
    s3_xml_init(&xml, document);
    while (ok && (kind = s3_xml_next(&xml, &name)) != S3_XML_END)
        ok = kind != S3_XML_BAD && take(out, &xml, kind, name);
    s3_xml_done(&xml);
    return ok && out->count > 0 ? S3_OK : S3_MALFORMED_XML;
}

void s3_deletion_done(struct s3_deletion *deletion)
{
    for (size_t i = 0; i < deletion->count; i++)
        free(deletion->list[i].key);
    free(deletion->list);
    memset(deletion, 0, sizeof *deletion);
}

size_t s3_deletion_batch(const struct s3_deletion *deletion)
{
    size_t bytes = 0;
    size_t count = 0;

    while (deletion->at + count < deletion->count) {
        const struct s3_deletion_key *row = &deletion->list[deletion->at + count];

        if (row->error == S3_OK)
            bytes += strlen(row->key) + KEY_FRAME_BYTES;
        if (bytes > BATCH_BYTES_MAX)
            break;
        count++;
    }
    return count;
}

void s3_xml_deleted(struct buf *out, const struct s3_deletion *deletion)
{
    buf_append_text(out, S3_XML_HEAD "<DeleteResult" S3_XML_NS ">");
    for (size_t i = 0; i < deletion->count; i++) {
        const struct s3_deletion_key *row = &deletion->list[i];

        if (row->error == S3_OK && deletion->is_quiet)
            continue;
        buf_append_text(out, row->error == S3_OK ? "<Deleted>" : "<Error>");
        s3_xml_element(out, "Key", row->key);
        if (row->has_version && row->error == S3_OK)
            s3_xml_element(out, "VersionId", "null");
        if (row->error != S3_OK) {
            s3_xml_element(out, "Code", s3_error_code(row->error));
            s3_xml_element(out, "Message", s3_error_message(row->error));
        }
        buf_append_text(out, row->error == S3_OK ? "</Deleted>" : "</Error>");
    }
    buf_append_text(out, "</DeleteResult>");
}
