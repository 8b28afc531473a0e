/* Opening and closing: the settings that make SQLite a cache of the log, and whose database it is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/schema.h"
#include "controlplane/state/state_internal.h"

/* "LAPW", in the file's header: tells a database of ours from any other. */
#define APPLICATION_ID      1279348823
#define APPLICATION_ID_TEXT "1279348823"

/* Nothing is synced: after a power cut the file is thrown away and made again from snapshot and
 * log. An automatic checkpoint while a snapshot is read makes commits three to five times dearer,
 * so a thread does it (state_checkpoint).  The cache is 32 MiB, so that the rows of 10,000
 * functions stay. */
static const char writer_settings[] = "PRAGMA journal_mode = WAL;"
                                      "PRAGMA synchronous = OFF;"
                                      "PRAGMA wal_autocheckpoint = 0;"
                                      "PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cache_size = -32768;"
                                      "PRAGMA trusted_schema = OFF;";
static const char reader_settings[] = "PRAGMA query_only = ON;"
                                      "PRAGMA temp_store = MEMORY;"
                                      "PRAGMA cache_size = -8192;"
                                      "PRAGMA trusted_schema = OFF;";

/* One number that a pragma or a count answers; 0 after a failure. */
static uint64_t ask_number(struct connection *connection, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    uint64_t number = 0;

    connection_note(connection, sqlite3_prepare_v2(connection->db, sql, -1, &stmt, NULL));
    if (connection_row(connection, stmt))
        number = column_number(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return number;
}

void meta_read(struct connection *connection, struct meta *out)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_META_GET);
    struct bytes boot_id;

    if (!connection_row(connection, stmt))
        return;
    out->state_group = (uint32_t)column_number(stmt, 0);
    out->schema_version = (uint32_t)column_number(stmt, 1);
    out->cluster_version = (uint32_t)column_number(stmt, 2);
    out->applied_index = column_number(stmt, 3);
    out->applied_term = column_number(stmt, 4);
    out->leader_ms = column_number(stmt, 5);
    boot_id = column_bytes(stmt, 6);
    if (boot_id.len > STATE_BOOT_ID_BYTES_MAX) { /* only a file of a stranger's has such */
        connection_end(stmt);
        connection_note(connection, SQLITE_CORRUPT);
        return;
    }
    if (boot_id.len > 0)
        memcpy(out->boot_id, boot_id.data, boot_id.len);
    out->boot_id[boot_id.len] = '\0';
    connection_end(stmt);
}

enum status database_check(struct connection *connection,
                           enum state_group group,
                           struct meta *out,
                           struct err *err)
{
    uint64_t application_id = ask_number(connection, "PRAGMA application_id");
    uint64_t tables = ask_number(connection, "SELECT count(*) FROM sqlite_schema");
    enum status st = connection_status(connection, err);
    struct meta meta = { 0 };

    if (st != ST_OK)
        return st;
    if (application_id == 0 && tables == 0)
        return ST_NOT_FOUND;
    if (application_id != APPLICATION_ID)
        return err_set(err, ST_CORRUPT, "state database: not one of ours");
    meta_read(connection, &meta);
    st = connection_status(connection, err);
    if (st != ST_OK)
        return st;
    if (meta.cluster_version > CLUSTER_VERSION_MAX)
        return err_set(err, ST_UNSUPPORTED,
                       "state database: of cluster version %u, this release follows up to %d",
                       meta.cluster_version, CLUSTER_VERSION_MAX);
    if (meta.schema_version != schema_version(meta.cluster_version))
        return err_set(
            err, ST_UNSUPPORTED, "state database: schema version %u, want %u at cluster version %u",
            meta.schema_version, schema_version(meta.cluster_version), meta.cluster_version);
    if (meta.state_group != group)
        return err_set(err, ST_CONFLICT, "state database: of group %u, want %d", meta.state_group,
                       (int)group);
    *out = meta;
    return ST_OK;
}

static enum status create_tables(struct connection *connection, enum state_group group)
{
    sqlite3_stmt *stmt;

    connection_do(connection, STATEMENT_BEGIN);
    schema_raise(connection, group, 0, 1);
    connection_note(connection,
                    sqlite3_exec(connection->db, "PRAGMA application_id = " APPLICATION_ID_TEXT,
                                 NULL, NULL, NULL));
    stmt = connection_statement(connection, STATEMENT_META_INSERT);
    bind_number(stmt, 1, group);
    bind_number(stmt, 2, schema_version(1));
    connection_run(connection, stmt);
    connection_do(connection, STATEMENT_COMMIT);
    return connection->failure;
}

/* Settings, tables if there are none, and the meta row. */
static enum status set_up(struct state *state, enum state_group group, struct err *err)
{
    struct connection *connection = &state->reader.connection;
    enum status st = connection_run_text(connection, writer_settings, err);

    if (st != ST_OK)
        return st;
    st = database_check(connection, group, &state->now, err);
    if (st != ST_NOT_FOUND)
        return st;
    (void)create_tables(connection, group);
    st = connection_status(connection, err);
    if (st != ST_OK)
        return st;
    return database_check(connection, group, &state->now, err);
}

static int note_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    struct state *state = context;

    state->wal_pages = (uint64_t)pages;
    return SQLITE_OK;
}

uint64_t state_wal_bytes(const struct state *state)
{
    enum { PAGE_BYTES = 4096, FRAME_HEAD_BYTES = 24 };

    return state->wal_pages * (PAGE_BYTES + FRAME_HEAD_BYTES);
}

enum status state_open(const char *path,
                       enum state_group group,
                       struct state **out_state,
                       struct err *err)
{
    size_t path_len = strlen(path);
    struct state *state;
    enum status st;

    CHECK(group == STATE_GROUP_CONTROL || group == STATE_GROUP_STORAGE);
    state = must_calloc(1, sizeof *state);
    state->reader.group = group;
    state->path = must_calloc(path_len + 1, 1);
    memcpy(state->path, path, path_len);
    st = connection_open(&state->reader.connection, path,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (st == ST_OK) {
        st =
            set_up(state, group, err); /* which takes any hook away with the automatic checkpoint */
        (void)sqlite3_wal_hook(state->reader.connection.db, note_wal, state);
    }
    if (st != ST_OK) {
        state_close(state);
        return st;
    }
    *out_state = state;
    return ST_OK;
}

void state_close(struct state *state)
{
    if (state == NULL)
        return;
    connection_done(&state->reader.connection);
    free(state->path);
    free(state);
}

enum status state_open_reader(const char *path,
                              enum state_group group,
                              struct state_reader **out_reader,
                              struct err *err)
{
    struct state_reader *reader = must_calloc(1, sizeof *reader);
    struct meta meta;
    enum status st;

    reader->group = group;
    st = connection_open(&reader->connection, path, SQLITE_OPEN_READONLY, err);
    if (st == ST_OK)
        st = connection_run_text(&reader->connection, reader_settings, err);
    if (st == ST_OK)
        st = database_check(&reader->connection, group, &meta, err);
    if (st != ST_OK) {
        state_reader_close(reader);
        return st;
    }
    *out_reader = reader;
    return ST_OK;
}

void state_reader_close(struct state_reader *reader)
{
    if (reader == NULL)
        return;
    connection_done(&reader->connection);
    free(reader);
}
