/* Objects: the index of the store.  The bytes were synced in two zones before their row is
 * proposed. */
#include "controlplane/state/objects.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
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
    connection_run(connection, stmt);
    free((void *)metadata.data);
}

/* Do the conditions of the request hold for what is there (NULL: nothing)?  If not, refuse. */
static bool conditions_hold(const Lapwing__PutObject *cmd,
                            const Lapwing__Object *there,
                            struct outcome *out)
{
    if (cmd->only_if_absent && there != NULL) {
        outcome_refuse(out, "precondition_failed",
                       err_set(&out->text, ST_CONFLICT, "the key exists, want it absent"));
        return false;
    }
    if (cmd->only_if_etag[0] == '\0')
        return true;
    if (there == NULL) {
        outcome_refuse(out, "no_such_key",
                       err_set(&out->text, ST_NOT_FOUND, "the key does not exist, want etag %s",
                               cmd->only_if_etag));
        return false;
    }
    if (strcmp(cmd->only_if_etag, "*") == 0 || strcmp(cmd->only_if_etag, there->etag) == 0)
        return true;
    outcome_refuse(out, "precondition_failed",
                   err_set(&out->text, ST_CONFLICT, "the key has etag %s, want %s", there->etag,
                           cmd->only_if_etag));
    return false;
}

void objects_apply_put(struct apply *apply)
{
    Lapwing__PutObject *cmd = apply_body(apply, &lapwing__put_object__descriptor);
    Lapwing__Object *object = cmd->object;
    Lapwing__Object *there = NULL;

    CHECK(object != NULL);
    if (!bucket_exists(apply->connection, object->bucket)) {
        bucket_refuse_missing(apply->out, object->bucket);
        goto done;
    }
    if (cmd->only_if_absent || cmd->only_if_etag[0] != '\0')
        there = object_find(apply->connection, object->bucket, object->key);
    if (conditions_hold(cmd, there, apply->out)) {
        object->modified_ms = apply->now_ms;
        put_object(apply->connection, object);
        outcome_answer(apply->out, &object->base);
    }
done:
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
        sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_OBJECT_DELETE);

        bind_text(stmt, 1, cmd->bucket);
        bind_text(stmt, 2, cmd->key);
        connection_run(apply->connection, stmt);
        outcome_answer(apply->out, &there->base);
        lapwing__object__free_unpacked(there, NULL);
    } else if (!bucket_exists(apply->connection, cmd->bucket)) {
        bucket_refuse_missing(apply->out, cmd->bucket);
    }
    lapwing__delete_object__free_unpacked(cmd, NULL);
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

/* One page of a listing while it is made. */
struct listing {
    struct connection *connection;
    const Lapwing__ListObjectsRead *read;
    Lapwing__ReadReply *reply;
    struct bytes prefix;
    struct bytes delimiter;
    size_t room;   /* entries that still fit */
    uint8_t *seek; /* owned: keys before this are not wanted... */
    size_t seek_len;
    char *last; /* borrowed from the reply: the last entry */
};

static bool starts_with(struct bytes text, struct bytes prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* The length of the common prefix that `key` is rolled up to; 0: it stands for itself. */
static size_t rolled_up_bytes(const struct listing *listing, struct bytes key)
{
    struct bytes delimiter = listing->delimiter;

    if (delimiter.len == 0)
        return 0;
    for (size_t at = listing->prefix.len; at + delimiter.len <= key.len; at++)
        if (memcmp(key.data + at, delimiter.data, delimiter.len) == 0)
            return at + delimiter.len;
    return 0;
}

/* Want keys from `key` on. */
static void seek_to(struct listing *listing, struct bytes key)
{
    if (key.len > 0)
        memcpy(listing->seek, key.data, key.len);
    listing->seek_len = key.len;
}

/* Want keys behind all that begin with `prefix`.  Keys and delimiters are UTF-8, which has no byte
 * 0xff, so raising the last byte gives the first text behind them. */
static void seek_behind_prefix(struct listing *listing, struct bytes prefix)
{
    CHECK(prefix.len > 0);
    CHECK(prefix.data[prefix.len - 1] < 0xff);
    seek_to(listing, prefix);
    listing->seek[prefix.len - 1]++;
}

static void seek_first(struct listing *listing)
{
    struct bytes after = bytes_of_text(listing->read->start_after);
    size_t shorter = after.len < listing->prefix.len ? after.len : listing->prefix.len;
    int order = shorter == 0 ? 0 : memcmp(after.data, listing->prefix.data, shorter);

    if (order < 0 || (order == 0 && after.len < listing->prefix.len) || after.len == 0) {
        seek_to(listing, listing->prefix);
        return;
    }
    /* A page that ended in a common prefix goes on behind all that it stands for. */
    if (starts_with(after, listing->prefix) && rolled_up_bytes(listing, after) == after.len) {
        seek_behind_prefix(listing, after);
        return;
    }
    seek_to(listing, after);
    listing->seek[listing->seek_len++] = 0; /* the first text behind it */
}

static void add_prefix(struct listing *listing, struct bytes prefix)
{
    Lapwing__ReadReply *reply = listing->reply;
    char *copy = must_calloc(prefix.len + 1, 1);

    memcpy(copy, prefix.data, prefix.len);
    reply->common_prefixes[reply->n_common_prefixes++] = copy;
    listing->last = copy;
}

static void add_object(struct listing *listing, sqlite3_stmt *stmt)
{
    Lapwing__ReadReply *reply = listing->reply;
    /* A listing shows neither metadata nor content type, and a thousand of them could burst a
     * frame. */
    Lapwing__Object *object = object_of_row(stmt, (struct bytes){ 0 });

    reply->objects[reply->n_objects++] = object;
    listing->last = object->key;
}

/* Walk from listing->seek on to the end, to a full page, or to a common prefix, which is taken and
 * leaped over.  True when there is more to walk. */
static bool walk(struct listing *listing)
{
    sqlite3_stmt *stmt = connection_statement(listing->connection, STATEMENT_OBJECT_SEEK);
    bool leap = false;

    bind_text(stmt, 1, listing->read->bucket);
    bind_text_bytes(stmt, 2, (struct bytes){ listing->seek, listing->seek_len });
    while (!leap && connection_row(listing->connection, stmt)) {
        struct bytes key = column_bytes(stmt, COLUMN_KEY);
        size_t rolled_up = rolled_up_bytes(listing, key);

        if (!starts_with(key, listing->prefix))
            break;
        if (listing->room == 0) {
            listing->reply->truncated = true;
            break;
        }
        listing->room--;
        if (rolled_up == 0) {
            add_object(listing, stmt);
            continue;
        }
        add_prefix(listing, (struct bytes){ key.data, rolled_up });
        leap = true;
    }
    connection_end(stmt);
    if (leap)
        seek_behind_prefix(listing, bytes_of_text(listing->last));
    return leap;
}

void objects_read_list(struct connection *connection,
                       const Lapwing__ListObjectsRead *read,
                       Lapwing__ReadReply *reply)
{
    struct listing listing = {
        .connection = connection,
        .read = read,
        .reply = reply,
        .prefix = bytes_of_text(read->prefix),
        .delimiter = bytes_of_text(read->delimiter),
        .room = read->max_keys < OBJECT_LIST_KEYS_MAX ? read->max_keys : OBJECT_LIST_KEYS_MAX,
    };

    reply->bucket_found = bucket_exists(connection, read->bucket);
    reply->status = reply->bucket_found ? ST_OK : ST_NOT_FOUND;
    if (!reply->bucket_found || listing.room == 0)
        return;
    reply->objects = must_calloc(listing.room, sizeof(Lapwing__Object *));
    reply->common_prefixes = must_calloc(listing.room, sizeof(char *));
    listing.seek = must_calloc(OBJECT_KEY_BYTES_MAX + 2, 1);
    seek_first(&listing);
    while (walk(&listing))
        continue;
    if (reply->truncated) {
        size_t len = strlen(listing.last);

        reply->next_start_after = must_calloc(len + 1, 1);
        memcpy(reply->next_start_after, listing.last, len);
    }
    free(listing.seek);
}
