/* Multipart uploads: a name, its parts, and the object that they become.
 *
 *   CREATE_UPLOAD ──► under way ──┬── COMPLETE_UPLOAD ──► an object that names the upload
 *                      ▲  PUT_PART │
 *                      └───────────┴── ABORT_UPLOAD, DELETE_BUCKET ──► nothing
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/listing.h"
#include "controlplane/state/objects.h"
#include "controlplane/state/objects_internal.h"

/* The columns of UPLOAD_COLUMNS in statements.c, in their order. */
enum {
    COLUMN_BUCKET,
    COLUMN_KEY,
    COLUMN_UPLOAD,
    COLUMN_CREATED_MS,
    COLUMN_REVISION,
    COLUMN_CHECKSUM,
    COLUMN_CHECKSUM_WHOLE,
    COLUMN_OBJECT,
};

static Lapwing__Upload *upload_of_row(sqlite3_stmt *stmt)
{
    Lapwing__Upload *upload = must_calloc(1, sizeof *upload);
    struct bytes object = column_bytes(stmt, COLUMN_OBJECT);

    lapwing__upload__init(upload);
    upload->object = lapwing__object__unpack(NULL, object.len, object.data);
    CHECK(upload->object != NULL); /* packed by insert() */
    upload->object->bucket = column_text_copy(stmt, COLUMN_BUCKET);
    upload->object->key = column_text_copy(stmt, COLUMN_KEY);
    upload->upload = column_text_copy(stmt, COLUMN_UPLOAD);
    upload->created_ms = column_number(stmt, COLUMN_CREATED_MS);
    upload->revision = column_number(stmt, COLUMN_REVISION);
    upload->checksum = column_text_copy(stmt, COLUMN_CHECKSUM);
    upload->checksum_whole = column_number(stmt, COLUMN_CHECKSUM_WHOLE) != 0;
    return upload;
}

/* NULL when there is none; owned by the caller. */
static Lapwing__Upload *find(struct connection *connection,
                             const char *bucket,
                             const char *key,
                             const char *name)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_UPLOAD_GET);
    Lapwing__Upload *upload = NULL;

    bind_text(stmt, 1, bucket);
    bind_text(stmt, 2, key);
    bind_text(stmt, 3, name);
    if (connection_row(connection, stmt))
        upload = upload_of_row(stmt);
    connection_end(stmt);
    return upload;
}

static void refuse_missing(struct outcome *out, const char *upload)
{
    outcome_refuse(out, "no_such_upload",
                   err_set(&out->text, ST_NOT_FOUND, "upload %s does not exist", upload));
}

/* A statement about one upload: UPLOAD_RAISE or UPLOAD_DELETE. */
static void run_on(struct connection *connection,
                   enum statement statement,
                   const Lapwing__Upload *upload)
{
    sqlite3_stmt *stmt = connection_statement(connection, statement);

    bind_text(stmt, 1, upload->object->bucket);
    bind_text(stmt, 2, upload->object->key);
    bind_text(stmt, 3, upload->upload);
    connection_run(connection, stmt);
}

/* ---- commands ---- */

/* Is the name of an upload, or of an object's parts?  Names are random, so this is never so but for
 * a proposer that is wrong; two uploads under one name would share their parts. */
static bool name_is_taken(struct connection *connection, const char *upload)
{
    static const enum statement places[] = { STATEMENT_UPLOAD_ANY, STATEMENT_OBJECT_BY_UPLOAD };
    bool is_taken = false;

    for (size_t i = 0; i < ARRAY_LEN(places) && !is_taken; i++) {
        sqlite3_stmt *stmt = connection_statement(connection, places[i]);

        bind_text(stmt, 1, upload);
        is_taken = connection_row(connection, stmt);
        connection_end(stmt);
    }
    return is_taken;
}

static void insert(struct connection *connection, const Lapwing__Upload *upload)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_UPLOAD_INSERT);
    Lapwing__Object rest = *upload->object;
    uint8_t *packed;
    size_t len;

    rest.bucket = rest.key = (char *)protobuf_c_empty_string;
    len = lapwing__object__get_packed_size(&rest);
    packed = must_calloc(len + 1, 1);
    (void)lapwing__object__pack(&rest, packed);
    bind_text(stmt, COLUMN_BUCKET + 1, upload->object->bucket);
    bind_text(stmt, COLUMN_KEY + 1, upload->object->key);
    bind_text(stmt, COLUMN_UPLOAD + 1, upload->upload);
    bind_number(stmt, COLUMN_CREATED_MS + 1, upload->created_ms);
    bind_number(stmt, COLUMN_REVISION + 1, upload->revision);
    bind_text(stmt, COLUMN_CHECKSUM + 1, upload->checksum);
    bind_number(stmt, COLUMN_CHECKSUM_WHOLE + 1, upload->checksum_whole ? 1 : 0);
    bind_blob(stmt, COLUMN_OBJECT + 1, (struct bytes){ packed, len });
    connection_run(connection, stmt);
    free(packed);
}

void uploads_apply_create(struct apply *apply)
{
    Lapwing__CreateUpload *cmd = apply_body(apply, &lapwing__create_upload__descriptor);
    Lapwing__Upload *upload = cmd->upload;

    if (!bucket_exists(apply->connection, upload->object->bucket)) {
        bucket_refuse_missing(apply->out, upload->object->bucket);
    } else if (name_is_taken(apply->connection, upload->upload)) {
        outcome_refuse(apply->out, "upload_exists",
                       err_set(&apply->out->text, ST_EXISTS, "upload %s exists", upload->upload));
    } else {
        upload->created_ms = apply->now_ms;
        upload->revision = 1;
        insert(apply->connection, upload);
        outcome_answer(apply->out, &upload->base);
    }
    lapwing__create_upload__free_unpacked(cmd, NULL);
}

void uploads_apply_put_part(struct apply *apply)
{
    Lapwing__PutPart *cmd = apply_body(apply, &lapwing__put_part__descriptor);
    Lapwing__Upload *upload = find(apply->connection, cmd->bucket, cmd->key, cmd->upload);

    if (upload == NULL) {
        refuse_missing(apply->out, cmd->upload);
    } else if (cmd->source == NULL ||
               copy_source_holds(apply->connection, cmd->source, apply->out)) {
        cmd->part->modified_ms = apply->now_ms;
        part_put(apply->connection, cmd->upload, cmd->part);
        run_on(apply->connection, STATEMENT_UPLOAD_RAISE, upload);
        outcome_answer(apply->out, &cmd->part->base);
    }
    if (upload != NULL)
        lapwing__upload__free_unpacked(upload, NULL);
    lapwing__put_part__free_unpacked(cmd, NULL);
}

/* The proposer checked sizes, ETags and checksums of the parts of this revision.  What the rows
 * themselves must not contradict is checked again: each part is there, and their sum. */
static bool can_complete(struct apply *apply,
                         const Lapwing__CompleteUpload *cmd,
                         const Lapwing__Upload *upload,
                         const Lapwing__Object *there)
{
    const struct object_conditions conditions = { cmd->only_if_absent, cmd->only_if_etag };
    struct outcome *out = apply->out;
    uint64_t bytes = 0;

    if (upload == NULL) {
        refuse_missing(out, cmd->object->upload);
        return false;
    }
    if (upload->revision != cmd->revision) {
        outcome_refuse(out, "upload_changed",
                       err_set(&out->text, ST_CONFLICT, "the upload has got other parts"));
        return false;
    }
    if (!parts_sum(apply->connection, cmd, &bytes) || bytes != cmd->object->bytes) {
        outcome_refuse(out, "invalid_part",
                       err_set(&out->text, ST_CONFLICT,
                               "the parts are not there, or not of %llu bytes in all",
                               (unsigned long long)cmd->object->bytes));
        return false;
    }
    return object_conditions_hold(&conditions, there, out);
}

void uploads_apply_complete(struct apply *apply)
{
    Lapwing__CompleteUpload *cmd = apply_body(apply, &lapwing__complete_upload__descriptor);
    struct connection *connection = apply->connection;
    Lapwing__Object *object = cmd->object;
    Lapwing__Upload *upload = find(connection, object->bucket, object->key, object->upload);
    Lapwing__Object *there = object_find(connection, object->bucket, object->key);

    if (can_complete(apply, cmd, upload, there)) {
        parts_keep(connection, cmd);
        run_on(connection, STATEMENT_UPLOAD_DELETE, upload);
        object->modified_ms = apply->now_ms;
        object_put(connection, object, there);
        outcome_answer(apply->out, &object->base);
    }
    if (there != NULL)
        lapwing__object__free_unpacked(there, NULL);
    if (upload != NULL)
        lapwing__upload__free_unpacked(upload, NULL);
    lapwing__complete_upload__free_unpacked(cmd, NULL);
}

void uploads_apply_abort(struct apply *apply)
{
    Lapwing__AbortUpload *cmd = apply_body(apply, &lapwing__abort_upload__descriptor);
    Lapwing__Upload *upload = find(apply->connection, cmd->bucket, cmd->key, cmd->upload);

    if (upload != NULL) {
        parts_delete(apply->connection, cmd->upload);
        run_on(apply->connection, STATEMENT_UPLOAD_DELETE, upload);
        lapwing__upload__free_unpacked(upload, NULL);
    } else if (bucket_exists(apply->connection, cmd->bucket)) {
        refuse_missing(apply->out, cmd->upload);
    } else {
        bucket_refuse_missing(apply->out, cmd->bucket);
    }
    lapwing__abort_upload__free_unpacked(cmd, NULL);
}

void uploads_delete(struct connection *connection, const char *bucket)
{
    static const enum statement statements[] = { STATEMENT_PARTS_DELETE_OF_BUCKET,
                                                 STATEMENT_UPLOADS_DELETE };

    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        sqlite3_stmt *stmt = connection_statement(connection, statements[i]);

        bind_text(stmt, 1, bucket);
        connection_run(connection, stmt);
    }
}

/* ---- reads ---- */

static void show_object(Lapwing__ReadReply *reply, Lapwing__Object *object)
{
    reply->objects = must_calloc(1, sizeof(Lapwing__Object *));
    reply->objects[0] = object;
    reply->n_objects = 1;
}

void uploads_read_one(struct connection *connection,
                      const Lapwing__GetUploadRead *read,
                      Lapwing__ReadReply *reply)
{
    Lapwing__Upload *upload = find(connection, read->bucket, read->key, read->upload);
    Lapwing__Object *object;

    reply->bucket_found = upload != NULL || bucket_exists(connection, read->bucket);
    reply->status = upload != NULL ? ST_OK : ST_NOT_FOUND;
    if (upload != NULL) {
        reply->uploads = must_calloc(1, sizeof(Lapwing__Upload *));
        reply->uploads[0] = upload;
        reply->n_uploads = 1;
        parts_read(connection, read, reply);
        return;
    }
    /* The client of a completion whose answer was lost asks again. */
    object = object_find(connection, read->bucket, read->key);
    if (object == NULL)
        return;
    if (strcmp(object->upload, read->upload) == 0)
        show_object(reply, object);
    else
        lapwing__object__free_unpacked(object, NULL);
}

static char *add_upload(Lapwing__ReadReply *reply, sqlite3_stmt *stmt)
{
    Lapwing__Upload *upload = upload_of_row(stmt);
    Lapwing__Object *object = upload->object;

    /* A listing does not show it, and a thousand of them could burst a frame. */
    while (object->n_metadata > 0)
        lapwing__metadata__free_unpacked(object->metadata[--object->n_metadata], NULL);
    reply->uploads[reply->n_uploads++] = upload;
    return object->key;
}

void uploads_read_list(struct connection *connection,
                       const Lapwing__ListUploadsRead *read,
                       Lapwing__ReadReply *reply)
{
    struct listing listing = {
        .connection = connection,
        .seek = STATEMENT_UPLOAD_SEEK,
        .add = add_upload,
        .reply = reply,
        .bucket = read->bucket,
        .prefix = bytes_of_text(read->prefix),
        .delimiter = bytes_of_text(read->delimiter),
        .key_after = read->key_after,
        .upload_after = read->upload_after,
        .room = read->max_uploads < OBJECT_LIST_KEYS_MAX ? read->max_uploads : OBJECT_LIST_KEYS_MAX,
    };
    const Lapwing__Upload *last;

    reply->bucket_found = bucket_exists(connection, read->bucket);
    reply->status = reply->bucket_found ? ST_OK : ST_NOT_FOUND;
    if (!reply->bucket_found || listing.room == 0)
        return;
    reply->uploads = must_calloc(listing.room, sizeof(Lapwing__Upload *));
    listing_run(&listing);
    if (!reply->truncated || reply->n_uploads == 0)
        return;
    /* A page that ended in a common prefix has no upload to go on behind. */
    last = reply->uploads[reply->n_uploads - 1];
    if (strcmp(reply->next_start_after, last->object->key) == 0)
        reply->next_upload_after = must_strdup(last->upload);
}
