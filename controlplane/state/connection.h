/* One SQLite connection with its prepared statements: what every file of this folder asks through.
 *
 * Failures of the database stick: after the first, rows look absent and writes do nothing, and who
 * opened the transaction looks once, with connection_status(), before it believes or commits
 * anything.  So the code that decides reads as if a database could not fail.  A statement that
 * breaks a constraint or cannot be prepared is our mistake and stops the process. */
#ifndef CONTROLPLANE_STATE_CONNECTION_H
#define CONTROLPLANE_STATE_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/state/state.h"
#include "controlplane/state/statements.h"

/* Embedded in the writer and in every reader; one thread at a time. */
struct connection {
    sqlite3 *db;
    enum status failure; /* ST_OK, ST_NO_SPACE, ST_IO or ST_CORRUPT */
    struct err failure_text;
    sqlite3_stmt *prepared[STATEMENT_COUNT]; /* at first use */
};

/* A reader is a connection that knows its tables. */
struct state_reader {
    struct connection connection;
    enum state_group group;
};

/* Open `path`; `flags` are SQLITE_OPEN_*.  On failure the connection is as if never opened. */
enum status connection_open(struct connection *connection,
                            const char *path,
                            int flags,
                            struct err *err);
void connection_done(struct connection *connection);

/* Run SQL that is ours and returns no rows of interest. */
enum status connection_run_text(struct connection *connection, const char *sql, struct err *err);

/* ST_OK, or the first failure since the last call, its text put into `err`; then forgets it. */
enum status connection_status(struct connection *connection, struct err *err);
/* Note what an SQLite call returned: our mistakes stop here, failures of the world stick. */
void connection_note(struct connection *connection, int rc);

/* The statement, reset and ready to be bound.  NULL after a failure: all calls below accept that.
 */
sqlite3_stmt *connection_statement(struct connection *connection, enum statement statement);
/* True when there is a(nother) row. */
bool connection_row(struct connection *connection, sqlite3_stmt *stmt);
/* No more rows wanted: gives back the view that an unfinished SELECT holds. */
void connection_end(sqlite3_stmt *stmt);
/* Run to the end a statement that returns no rows. */
void connection_run(struct connection *connection, sqlite3_stmt *stmt);
/* The same for one without parameters. */
void connection_do(struct connection *connection, enum statement statement);

/* Rows written by this connection so far. */
uint64_t connection_writes(const struct connection *connection);

/* Parameters count from 1; what is bound is borrowed until the statement has run. */
void bind_text(sqlite3_stmt *stmt, int at, const char *text);
void bind_text_bytes(sqlite3_stmt *stmt, int at, struct bytes text);
void bind_blob(sqlite3_stmt *stmt, int at, struct bytes blob);
void bind_number(sqlite3_stmt *stmt, int at, uint64_t number);

/* Columns count from 0; views live until the statement moves on. */
uint64_t column_number(sqlite3_stmt *stmt, int at);
struct bytes column_bytes(sqlite3_stmt *stmt, int at);
/* A copy that a message may own and protobuf-c frees. */
char *column_text_copy(sqlite3_stmt *stmt, int at);
ProtobufCBinaryData column_bytes_copy(sqlite3_stmt *stmt, int at);

#endif
