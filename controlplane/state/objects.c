/* Objects: the index of the store.  The bytes were synced in two zones before their row is
 * proposed. */
#include "controlplane/state/objects.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/listing.h"
#include "controlplane/state/objects_internal.h"

/* The columns of OBJECT_COLUMNS in statements.c, in their order. */
enum {
    COLUMN_BUCKET,
    COLUMN_KEY,
    COLUMN_BYTES,
    COLUMN_ETAG,
    COLUMN_BLOB,
    COLUMN_CONTENT_TYPE,
    COLUMN_OWNER,
    COLUMN_MODIFIED_MS,
    COLUMN_METADATA,
    COLUMN_UPLOAD,
};

/* The fields that a listing shows; owned by the caller. */
static Lapwing__Object *object_of_row(sqlite3_stmt *stmt, struct bytes metadata)
{
    Lapwing__Object *object = lapwing__object__unpack(NULL, metadata.len, metadata.data);

    CHECK(object != NULL); /* packed by put_object() */
    object->bucket = column_text_copy(stmt, COLUMN_BUCKET);
    object->key = column_text_copy(stmt, COLUMN_KEY);
    object->bytes = column_number(stmt, COLUMN_BYTES);
    object->etag = column_text_copy(stmt, COLUMN_ETAG);
    object->blob = column_bytes_copy(stmt, COLUMN_BLOB);
    object->owner = column_text_copy(stmt, COLUMN_OWNER);
    object->modified_ms = column_number(stmt, COLUMN_MODIFIED_MS);
    object->upload = column_text_copy(stmt, COLUMN_UPLOAD);
    return object;
}

static Lapwing__Object *whole_object_of_row(sqlite3_stmt *stmt)
{
    Lapwing__Object *object = object_of_row(stmt, column_bytes(stmt, COLUMN_METADATA));

    object->content_type = column_text_copy(stmt, COLUMN_CONTENT_TYPE);
    return object;
}

Lapwing__Object *object_find(struct connection *connection, const char *bucket, const char *key)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OBJECT_GET);
    Lapwing__Object *object = NULL;

    bind_text(stmt, 1, bucket);
    bind_text(stmt, 2, key);
    if (connection_row(connection, stmt))
        object = whole_object_of_row(stmt);
    connection_end(stmt);
    return object;
}

/* The metadata alone, packed; free() it. */
static struct bytes pack_metadata(const Lapwing__Object *object)
{
    Lapwing__Object metadata = LAPWING__OBJECT__INIT;
    size_t len;
    uint8_t *data;

    metadata.n_metadata = object->n_metadata;
    metadata.metadata = object->metadata;
    len = lapwing__object__get_packed_size(&metadata);
    data = must_calloc(len + 1, 1);
    (void)lapwing__object__pack(&metadata, data);
    return (struct bytes){ data, len };
}

static void put_object(struct connection *connection, const Lapwing__Object *object)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OBJECT_PUT);
    struct bytes metadata = pack_metadata(object);

    bind_text(stmt, COLUMN_BUCKET + 1, object->bucket);
    bind_text(stmt, COLUMN_KEY + 1, object->key);
    bind_number(stmt, COLUMN_BYTES + 1, object->bytes);
    bind_text(stmt, COLUMN_ETAG + 1, object->etag);
    bind_blob(stmt, COLUMN_BLOB + 1, (struct bytes){ object->blob.data, object->blob.len });
    bind_text(stmt, COLUMN_CONTENT_TYPE + 1, object->content_type);
    bind_text(stmt, COLUMN_OWNER + 1, object->owner);
    bind_number(stmt, COLUMN_MODIFIED_MS + 1, object->modified_ms);
    bind_blob(stmt, COLUMN_METADATA + 1, metadata);
    bind_text(stmt, COLUMN_UPLOAD + 1, object->upload);
    connection_run(connection, stmt);
    free((void *)metadata.data);
}

/* The object that had this content went: its parts go, unless a copy still has them. */
static void free_parts(struct connection *connection, const Lapwing__Object *gone)
{
    sqlite3_stmt *stmt;
    bool is_shared;

    if (gone == NULL || gone->upload[0] == '\0')
        return;
    stmt = connection_statement(connection, STATEMENT_OBJECT_BY_UPLOAD);
    bind_text(stmt, 1, gone->upload);
    is_shared = connection_row(connection, stmt);
    connection_end(stmt);
    if (!is_shared)
        parts_delete(connection, gone->upload);
}

void object_put(struct connection *connection,
                const Lapwing__Object *object,
                const Lapwing__Object *there)
{
    put_object(connection, object);
    free_parts(connection, there);
}

void object_delete(struct connection *connection, const Lapwing__Object *there)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OBJECT_DELETE);

    bind_text(stmt, 1, there->bucket);
    bind_text(stmt, 2, there->key);
    connection_run(connection, stmt);
    free_parts(connection, there);
}

bool object_conditions_hold(const struct object_conditions *conditions,
                            const Lapwing__Object *there,
                            struct outcome *out)
{
    if (conditions->only_if_absent && there != NULL) {
        outcome_refuse(out, "precondition_failed",
                       err_set(&out->text, ST_CONFLICT, "the key exists, want it absent"));
        return false;
    }
    if (conditions->only_if_etag[0] == '\0')
        return true;
    if (there == NULL) {
        outcome_refuse(out, "no_such_key",
                       err_set(&out->text, ST_NOT_FOUND, "the key does not exist, want etag %s",
                               conditions->only_if_etag));
        return false;
    }
    if (strcmp(conditions->only_if_etag, "*") == 0 ||
        strcmp(conditions->only_if_etag, there->etag) == 0)
        return true;
    outcome_refuse(out, "precondition_failed",
                   err_set(&out->text, ST_CONFLICT, "the key has etag %s, want %s", there->etag,
                           conditions->only_if_etag));
    return false;
}

bool copy_source_holds(struct connection *connection,
                       const Lapwing__CopySource *source,
                       struct outcome *out)
{
    Lapwing__Object *there = object_find(connection, source->bucket, source->key);
    bool holds = there != NULL && strcmp(there->upload, source->upload) == 0 &&
                 bytes_equal((struct bytes){ there->blob.data, there->blob.len },
                             (struct bytes){ source->blob.data, source->blob.len });

    if (there != NULL)
        lapwing__object__free_unpacked(there, NULL);
    if (!holds)
        outcome_refuse(out, "source_changed",
                       err_set(&out->text, ST_CONFLICT,
                               "the object that is copied has been replaced or deleted"));
    return holds;
}

/* May this object be put as the command says it? */
static bool put_is_allowed(struct apply *apply,
                           const Lapwing__PutObject *cmd,
                           const Lapwing__Object *there)
{
    const struct object_conditions conditions = { cmd->only_if_absent, cmd->only_if_etag };

    if (!bucket_exists(apply->connection, cmd->object->bucket)) {
        bucket_refuse_missing(apply->out, cmd->object->bucket);
        return false;
    }
    if (!object_conditions_hold(&conditions, there, apply->out))
        return false;
    return cmd->source == NULL || copy_source_holds(apply->connection, cmd->source, apply->out);
}

void objects_apply_put(struct apply *apply)
{
    Lapwing__PutObject *cmd = apply_body(apply, &lapwing__put_object__descriptor);
    Lapwing__Object *object = cmd->object;
    Lapwing__Object *there;

    CHECK(object != NULL);
    there = object_find(apply->connection, object->bucket, object->key);
    if (put_is_allowed(apply, cmd, there)) {
        object->modified_ms = apply->now_ms;
        object_put(apply->connection, object, there);
        outcome_answer(apply->out, &object->base);
    }
    if (there != NULL)
        lapwing__object__free_unpacked(there, NULL);
    lapwing__put_object__free_unpacked(cmd, NULL);
}

/* Deleting what is not there succeeds, as in S3.  The answer is the row that went, if any: its blob
 * may now be garbage. */
void objects_apply_delete(struct apply *apply)
{
    Lapwing__DeleteObject *cmd = apply_body(apply, &lapwing__delete_object__descriptor);
    Lapwing__Object *there = object_find(apply->connection, cmd->bucket, cmd->key);

    if (there != NULL) {
        const struct object_conditions conditions = { false, cmd->only_if_etag };

        if (object_conditions_hold(&conditions, there, apply->out)) {
            object_delete(apply->connection, there);
            outcome_answer(apply->out, &there->base);
        }
        lapwing__object__free_unpacked(there, NULL);
    } else if (!bucket_exists(apply->connection, cmd->bucket)) {
        bucket_refuse_missing(apply->out, cmd->bucket);
    }
    lapwing__delete_object__free_unpacked(cmd, NULL);
}

void objects_apply_delete_many(struct apply *apply)
{
    Lapwing__DeleteObjects *cmd = apply_body(apply, &lapwing__delete_objects__descriptor);

    if (!bucket_exists(apply->connection, cmd->bucket))
        bucket_refuse_missing(apply->out, cmd->bucket);
    for (size_t i = 0; apply->out->status == ST_OK && i < cmd->n_keys; i++) {
        Lapwing__Object *there = object_find(apply->connection, cmd->bucket, cmd->keys[i]);

        if (there == NULL)
            continue;
        object_delete(apply->connection, there);
        lapwing__object__free_unpacked(there, NULL);
    }
    lapwing__delete_objects__free_unpacked(cmd, NULL);
}

void objects_read_one(struct connection *connection,
                      const Lapwing__GetObjectRead *read,
                      Lapwing__ReadReply *reply)
{
    Lapwing__Object *object = object_find(connection, read->bucket, read->key);

    reply->bucket_found = object != NULL || bucket_exists(connection, read->bucket);
    reply->status = object != NULL ? ST_OK : ST_NOT_FOUND;
    if (object == NULL)
        return;
    reply->objects = must_calloc(1, sizeof(Lapwing__Object *));
    reply->objects[0] = object;
    reply->n_objects = 1;
}

static char *add_object(Lapwing__ReadReply *reply, sqlite3_stmt *stmt)
{
    /* A listing shows neither metadata nor content type, and a thousand of them could burst a
     * frame. */
    Lapwing__Object *object = object_of_row(stmt, (struct bytes){ 0 });

    reply->objects[reply->n_objects++] = object;
    return object->key;
}

void objects_read_list(struct connection *connection,
                       const Lapwing__ListObjectsRead *read,
                       Lapwing__ReadReply *reply)
{
    struct listing listing = {
        .connection = connection,
        .seek = STATEMENT_OBJECT_SEEK,
        .add = add_object,
        .reply = reply,
        .bucket = read->bucket,
        .prefix = bytes_of_text(read->prefix),
        .delimiter = bytes_of_text(read->delimiter),
        .key_after = read->start_after,
        .room = read->max_keys < OBJECT_LIST_KEYS_MAX ? read->max_keys : OBJECT_LIST_KEYS_MAX,
    };

    reply->bucket_found = bucket_exists(connection, read->bucket);
    reply->status = reply->bucket_found ? ST_OK : ST_NOT_FOUND;
    if (!reply->bucket_found || listing.room == 0)
        return;
    reply->objects = must_calloc(listing.room, sizeof(Lapwing__Object *));
    listing_run(&listing);
}
