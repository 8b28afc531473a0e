/* Parts: rows of an upload, and of the objects that it became.
 *
 * They stay under the upload's name when it is completed, so completing ten thousand of them writes
 * one row, and a copy of the object writes one more. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/objects_internal.h"

/* The columns of PART_COLUMNS in statements.c, in their order. */
enum {
    COLUMN_UPLOAD,
    COLUMN_NUMBER,
    COLUMN_BYTES,
    COLUMN_MD5,
    COLUMN_BLOB,
    COLUMN_CHECKSUM,
    COLUMN_MODIFIED_MS,
};

static Lapwing__Part *part_of_row(sqlite3_stmt *stmt)
{
    Lapwing__Part *part = must_calloc(1, sizeof *part);

    lapwing__part__init(part);
    part->number = (uint32_t)column_number(stmt, COLUMN_NUMBER);
    part->bytes = column_number(stmt, COLUMN_BYTES);
    part->md5 = column_bytes_copy(stmt, COLUMN_MD5);
    part->blob = column_bytes_copy(stmt, COLUMN_BLOB);
    part->checksum = column_bytes_copy(stmt, COLUMN_CHECKSUM);
    part->modified_ms = column_number(stmt, COLUMN_MODIFIED_MS);
    return part;
}

void part_put(struct connection *connection, const char *upload, const Lapwing__Part *part)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_PART_PUT);

    bind_text(stmt, COLUMN_UPLOAD + 1, upload);
    bind_number(stmt, COLUMN_NUMBER + 1, part->number);
    bind_number(stmt, COLUMN_BYTES + 1, part->bytes);
    bind_blob(stmt, COLUMN_MD5 + 1, (struct bytes){ part->md5.data, part->md5.len });
    bind_blob(stmt, COLUMN_BLOB + 1, (struct bytes){ part->blob.data, part->blob.len });
    bind_blob(stmt, COLUMN_CHECKSUM + 1, (struct bytes){ part->checksum.data, part->checksum.len });
    bind_number(stmt, COLUMN_MODIFIED_MS + 1, part->modified_ms);
    connection_run(connection, stmt);
}

void parts_delete(struct connection *connection, const char *upload)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_PARTS_DELETE);

    bind_text(stmt, 1, upload);
    connection_run(connection, stmt);
}

/* Start a walk over an upload's parts behind a number. */
static sqlite3_stmt *seek(struct connection *connection, const char *upload, uint32_t after)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_PART_SEEK);

    bind_text(stmt, 1, upload);
    bind_number(stmt, 2, after);
    return stmt;
}

bool parts_sum(struct connection *connection,
               const Lapwing__CompleteUpload *cmd,
               uint64_t *out_bytes)
{
    sqlite3_stmt *stmt = seek(connection, cmd->object->upload, 0);
    uint64_t bytes = 0;
    size_t found = 0;

    while (found < cmd->n_parts && connection_row(connection, stmt)) {
        if (column_number(stmt, COLUMN_NUMBER) != cmd->parts[found])
            continue;
        bytes += column_number(stmt, COLUMN_BYTES);
        found++;
    }
    connection_end(stmt);
    *out_bytes = bytes;
    return found == cmd->n_parts;
}

void parts_keep(struct connection *connection, const Lapwing__CompleteUpload *cmd)
{
    sqlite3_stmt *stmt = seek(connection, cmd->object->upload, 0);
    uint32_t unwanted[UPLOAD_PARTS_MAX];
    size_t count = 0;
    size_t kept = 0;

    while (connection_row(connection, stmt)) {
        uint32_t number = (uint32_t)column_number(stmt, COLUMN_NUMBER);

        if (kept < cmd->n_parts && number == cmd->parts[kept]) {
            kept++;
            continue;
        }
        CHECK(count < UPLOAD_PARTS_MAX);
        unwanted[count++] = number;
    }
    connection_end(stmt);
    for (size_t i = 0; i < count; i++) {
        stmt = connection_statement(connection, STATEMENT_PART_DELETE);
        bind_text(stmt, 1, cmd->object->upload);
        bind_number(stmt, 2, unwanted[i]);
        connection_run(connection, stmt);
    }
}

/* ---- reads ---- */

static void append(Lapwing__ReadReply *reply, Lapwing__Part *part)
{
    /* Doubled at each power of two, so the count alone tells the room. */
    if ((reply->n_parts & (reply->n_parts - 1)) == 0)
        reply->parts = must_realloc(reply->parts, (reply->n_parts == 0 ? 1 : reply->n_parts * 2) *
                                                      sizeof(Lapwing__Part *));
    reply->parts[reply->n_parts++] = part;
}

void parts_read(struct connection *connection,
                const Lapwing__GetUploadRead *read,
                Lapwing__ReadReply *reply)
{
    sqlite3_stmt *stmt;

    if (read->max_parts == 0)
        return;
    stmt = seek(connection, read->upload, read->part_after);
    while (connection_row(connection, stmt)) {
        if (reply->n_parts == read->max_parts) {
            reply->truncated = true;
            break;
        }
        append(reply, part_of_row(stmt));
    }
    connection_end(stmt);
}

void parts_read_of_object(struct connection *connection,
                          const Lapwing__ObjectPartsRead *read,
                          Lapwing__ReadReply *reply)
{
    Lapwing__Object *object = object_find(connection, read->bucket, read->key);
    bool found = object != NULL && strcmp(object->upload, read->upload) == 0;
    uint64_t end = read->offset + read->bytes; /* the check bounds both */
    uint64_t at = 0;
    sqlite3_stmt *stmt;

    reply->bucket_found = object != NULL || bucket_exists(connection, read->bucket);
    reply->status = found ? ST_OK : ST_NOT_FOUND;
    if (object != NULL)
        lapwing__object__free_unpacked(object, NULL);
    if (!found)
        return;
    stmt = seek(connection, read->upload, 0);
    while (at < end && connection_row(connection, stmt)) {
        uint64_t bytes = column_number(stmt, COLUMN_BYTES);

        if (at + bytes > read->offset) {
            if (reply->n_parts == 0)
                reply->parts_offset = at;
            append(reply, part_of_row(stmt));
        }
        at += bytes;
    }
    connection_end(stmt);
}
