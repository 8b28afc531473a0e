/* SQLite as the rest of this folder sees it; see connection.h. */
#include "controlplane/state/connection.h"

#include <string.h>

#include "base/check.h"
#include "controlplane/state/sqlite_fault.h"

/* A checkpoint that empties the log holds commits up; longer than this, something is stuck. */
enum { BUSY_TIMEOUT_MS = 10000 };

void connection_note(struct connection *connection, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return;
    if (connection->failure != ST_OK)
        return; /* what follows the first failure says nothing new */
    connection->failure = sqlite_fault(rc, sqlite_fault_errnum(connection->db));
    if (connection->failure == ST_BAD_INPUT) /* no input reaches SQL unchecked: our mistake */
        check_failed(__FILE__, __LINE__, sqlite3_errmsg(connection->db)); /* says more than CHECK */
    (void)err_set(&connection->failure_text, connection->failure, "state database: %s (%s)",
                  sqlite3_errmsg(connection->db), sqlite3_errstr(rc));
}

enum status connection_open(struct connection *connection,
                            const char *path,
                            int flags,
                            struct err *err)
{
    int rc;

    memset(connection, 0, sizeof *connection);
    rc = sqlite3_open_v2(path, &connection->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK) {
        int errnum = connection->db == NULL ? 0 : sqlite3_system_errno(connection->db);

        connection_done(connection);
        return errnum == 0 ? err_set(err, ST_IO, "open %s: %s", path, sqlite3_errstr(rc))
                           : err_set_errno(err, status_of_errno(errnum), errnum, "open %s", path);
    }
    (void)sqlite3_extended_result_codes(connection->db, 1);
    (void)sqlite3_busy_timeout(connection->db, BUSY_TIMEOUT_MS);
    return ST_OK;
}

void connection_done(struct connection *connection)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(connection->prepared[i]);
    if (connection->db != NULL) {
        int rc = sqlite3_close(connection->db);

        CHECK(rc == SQLITE_OK); /* a statement left behind */
    }
    memset(connection, 0, sizeof *connection);
}

enum status connection_run_text(struct connection *connection, const char *sql, struct err *err)
{
    connection_note(connection, sqlite3_exec(connection->db, sql, NULL, NULL, NULL));
    return connection_status(connection, err);
}

enum status connection_status(struct connection *connection, struct err *err)
{
    enum status st = connection->failure;

    if (st == ST_OK)
        return ST_OK;
    (void)err_set(err, st, "%s", connection->failure_text.text);
    connection->failure = ST_OK;
    return st;
}

sqlite3_stmt *connection_statement(struct connection *connection, enum statement statement)
{
    CHECK(statement < STATEMENT_COUNT);
    if (connection->failure != ST_OK)
        return NULL;
    if (connection->prepared[statement] == NULL) {
        int rc =
            sqlite3_prepare_v3(connection->db, statement_text(statement), -1,
                               SQLITE_PREPARE_PERSISTENT, &connection->prepared[statement], NULL);

        connection_note(connection, rc);
    }
    return connection->prepared[statement];
}

bool connection_row(struct connection *connection, sqlite3_stmt *stmt)
{
    int rc;

    if (stmt == NULL)
        return false;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return true;
    connection_note(connection, rc);
    connection_end(stmt);
    return false;
}

void connection_end(sqlite3_stmt *stmt)
{
    if (stmt != NULL)
        (void)sqlite3_reset(stmt); /* repeats the error of the step, which was noted */
}

void connection_run(struct connection *connection, sqlite3_stmt *stmt)
{
    bool row = connection_row(connection, stmt);

    CHECK(!row);
}

void connection_do(struct connection *connection, enum statement statement)
{
    connection_run(connection, connection_statement(connection, statement));
}

uint64_t connection_writes(const struct connection *connection)
{
    return (uint64_t)sqlite3_total_changes64(connection->db);
}

void bind_text_bytes(sqlite3_stmt *stmt, int at, struct bytes text)
{
    int rc;

    if (stmt == NULL)
        return;
    rc = sqlite3_bind_text(stmt, at, text.len == 0 ? "" : (const char *)text.data, (int)text.len,
                           SQLITE_STATIC);
    CHECK(rc == SQLITE_OK);
}

void bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    CHECK(text != NULL);
    bind_text_bytes(stmt, at, (struct bytes){ (const uint8_t *)text, strlen(text) });
}

void bind_blob(sqlite3_stmt *stmt, int at, struct bytes blob)
{
    int rc;

    if (stmt == NULL)
        return;
    rc = blob.len == 0 ? sqlite3_bind_zeroblob(stmt, at, 0)
                       : sqlite3_bind_blob(stmt, at, blob.data, (int)blob.len, SQLITE_STATIC);
    CHECK(rc == SQLITE_OK);
}

void bind_number(sqlite3_stmt *stmt, int at, uint64_t number)
{
    int rc;

    CHECK(number <= INT64_MAX); /* the checks of proto/ bound every number */
    if (stmt == NULL)
        return;
    rc = sqlite3_bind_int64(stmt, at, (sqlite3_int64)number);
    CHECK(rc == SQLITE_OK);
}

uint64_t column_number(sqlite3_stmt *stmt, int at)
{
    return (uint64_t)sqlite3_column_int64(stmt, at);
}

struct bytes column_bytes(sqlite3_stmt *stmt, int at)
{
    /* Texts, too, are asked for as blobs: the bytes are the same (our databases are UTF-8), and
     * sqlite3_column_text() would copy each of them to put a NUL behind it. */
    const void *data = sqlite3_column_blob(stmt, at);

    return (struct bytes){ data, (size_t)sqlite3_column_bytes(stmt, at) };
}

char *column_text_copy(sqlite3_stmt *stmt, int at)
{
    struct bytes text = column_bytes(stmt, at);
    char *copy;

    if (text.len == 0)
        return (char *)protobuf_c_empty_string; /* which protobuf-c knows not to free */
    copy = must_calloc(text.len + 1, 1);
    memcpy(copy, text.data, text.len);
    return copy;
}

ProtobufCBinaryData column_bytes_copy(sqlite3_stmt *stmt, int at)
{
    struct bytes blob = column_bytes(stmt, at);
    ProtobufCBinaryData copy = { .len = blob.len, .data = NULL };

    if (blob.len > 0) {
        copy.data = must_calloc(blob.len, 1);
        memcpy(copy.data, blob.data, blob.len);
    }
    return copy;
}
