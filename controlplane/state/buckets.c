/* Buckets: one name space for all accounts, as in S3. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/objects_internal.h"

static Lapwing__Bucket *bucket_of_row(sqlite3_stmt *stmt)
{
    Lapwing__Bucket *bucket = must_calloc(1, sizeof *bucket);

    lapwing__bucket__init(bucket);
    bucket->name = column_text_copy(stmt, 0);
    bucket->account = column_text_copy(stmt, 1);
    bucket->region = column_text_copy(stmt, 2);
    bucket->created_ms = column_number(stmt, 3);
    return bucket;
}

Lapwing__Bucket *bucket_find(struct connection *connection, const char *name)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_BUCKET_GET);
    Lapwing__Bucket *bucket = NULL;

    bind_text(stmt, 1, name);
    if (connection_row(connection, stmt))
        bucket = bucket_of_row(stmt);
    connection_end(stmt);
    return bucket;
}

bool bucket_exists(struct connection *connection, const char *name)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_BUCKET_GET);
    bool found;

    bind_text(stmt, 1, name);
    found = connection_row(connection, stmt);
    connection_end(stmt);
    return found;
}

void bucket_refuse_missing(struct outcome *out, const char *name)
{
    outcome_refuse(out, "no_such_bucket",
                   err_set(&out->text, ST_NOT_FOUND, "bucket %s does not exist", name));
}

static void create(struct apply *apply, const Lapwing__CreateBucket *cmd)
{
    Lapwing__Bucket bucket = LAPWING__BUCKET__INIT;
    sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_BUCKET_INSERT);

    bucket.name = cmd->name;
    bucket.account = cmd->account;
    bucket.region = cmd->region;
    bucket.created_ms = apply->now_ms;
    bind_text(stmt, 1, bucket.name);
    bind_text(stmt, 2, bucket.account);
    bind_text(stmt, 3, bucket.region);
    bind_number(stmt, 4, bucket.created_ms);
    connection_run(apply->connection, stmt);
    outcome_answer(apply->out, &bucket.base);
}

void buckets_apply_create(struct apply *apply)
{
    Lapwing__CreateBucket *cmd = apply_body(apply, &lapwing__create_bucket__descriptor);
    Lapwing__Bucket *other = bucket_find(apply->connection, cmd->name);
    struct outcome *out = apply->out;

    if (other == NULL) {
        create(apply, cmd);
    } else if (strcmp(other->account, cmd->account) == 0) {
        outcome_refuse(out, "bucket_already_owned_by_you",
                       err_set(&out->text, ST_EXISTS, "bucket %s exists and is yours", cmd->name));
    } else {
        outcome_refuse(
            out, "bucket_already_exists",
            err_set(&out->text, ST_EXISTS, "bucket %s exists and is another account's", cmd->name));
    }
    if (other != NULL)
        lapwing__bucket__free_unpacked(other, NULL);
    lapwing__create_bucket__free_unpacked(cmd, NULL);
}

static bool has_objects(struct connection *connection, const char *name)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_BUCKET_HAS_OBJECTS);
    bool found;

    bind_text(stmt, 1, name);
    found = connection_row(connection, stmt);
    connection_end(stmt);
    return found;
}

/* Uploads under way do not keep a bucket, as in S3: they are aborted. */
void buckets_apply_delete(struct apply *apply)
{
    Lapwing__DeleteBucket *cmd = apply_body(apply, &lapwing__delete_bucket__descriptor);
    struct outcome *out = apply->out;

    if (!bucket_exists(apply->connection, cmd->name)) {
        bucket_refuse_missing(out, cmd->name);
    } else if (has_objects(apply->connection, cmd->name)) {
        outcome_refuse(out, "bucket_not_empty",
                       err_set(&out->text, ST_CONFLICT, "bucket %s is not empty", cmd->name));
    } else {
        sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_BUCKET_DELETE);

        bind_text(stmt, 1, cmd->name);
        connection_run(apply->connection, stmt);
        uploads_delete(apply->connection, cmd->name);
    }
    lapwing__delete_bucket__free_unpacked(cmd, NULL);
}

void buckets_read_one(struct connection *connection,
                      const Lapwing__GetBucketRead *read,
                      Lapwing__ReadReply *reply)
{
    Lapwing__Bucket *bucket = bucket_find(connection, read->name);

    reply->bucket_found = bucket != NULL;
    reply->status = bucket != NULL ? ST_OK : ST_NOT_FOUND;
    if (bucket == NULL)
        return;
    reply->buckets = must_calloc(1, sizeof(Lapwing__Bucket *));
    reply->buckets[0] = bucket;
    reply->n_buckets = 1;
}

void buckets_read_list(struct connection *connection,
                       const Lapwing__ListBucketsRead *read,
                       Lapwing__ReadReply *reply)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_BUCKET_LIST);
    size_t room = 0;

    bind_text(stmt, 1, read->account);
    while (connection_row(connection, stmt)) {
        if (reply->n_buckets == room) {
            room = room == 0 ? 16 : room * 2;
            reply->buckets = must_realloc(reply->buckets, room * sizeof(Lapwing__Bucket *));
        }
        reply->buckets[reply->n_buckets++] = bucket_of_row(stmt);
    }
}
