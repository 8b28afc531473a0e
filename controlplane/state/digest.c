/* One number for all replicated rows: what the simulation compares between replicas.
 *
 * 64-bit FNV-1a over every table by name, its rows by primary key, its columns with type and
 * length. Not for strangers' data: it finds accidents, not forgeries. */
#include <string.h>

#include "base/check.h"
#include "controlplane/state/state_internal.h"

#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

static uint64_t mix_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(number >> (8 * i));
    return mix_bytes(hash, bytes, sizeof bytes);
}

static uint64_t mix_row(uint64_t hash, sqlite3_stmt *stmt)
{
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        int type = sqlite3_column_type(stmt, i);
        struct bytes value;

        hash = mix_number(hash, (uint64_t)type);
        if (type == SQLITE_INTEGER) {
            hash = mix_number(hash, column_number(stmt, i));
            continue;
        }
        value = column_bytes(stmt, i);
        hash = mix_number(hash, value.len);
        hash = mix_bytes(hash, value.data, value.len);
    }
    return hash;
}

/* Rows of one table in the order of its primary key, whose columns come first (schema.sql). */
static uint64_t mix_table(struct connection *connection,
                          uint64_t hash,
                          const char *table,
                          uint64_t key_columns)
{
    /* Of meta only what is replicated: the applied index and term may differ between replicas that
     * hold the same rows (one of them was sent a snapshot), and boot_id is the host's. */
    const char *columns = strcmp(table, "meta") == 0
                              ? "only_row, state_group, schema_version, cluster_version, leader_ms"
                              : "*";
    static const char *const orders[] = { "1", "1, 2", "1, 2, 3", "1, 2, 3, 4" };
    sqlite3_str *sql = sqlite3_str_new(connection->db);
    sqlite3_stmt *stmt = NULL;
    char *text;

    CHECK(key_columns >= 1 && key_columns <= ARRAY_LEN(orders));
    sqlite3_str_appendall(sql, "SELECT ");
    sqlite3_str_appendall(sql, columns);
    sqlite3_str_appendall(sql, " FROM ");
    sqlite3_str_appendall(sql, table);
    sqlite3_str_appendall(sql, " ORDER BY ");
    sqlite3_str_appendall(sql, orders[key_columns - 1]);
    text = sqlite3_str_finish(sql);
    CHECK(text != NULL);
    connection_note(connection, sqlite3_prepare_v2(connection->db, text, -1, &stmt, NULL));
    sqlite3_free(text);
    hash = mix_bytes(hash, table, strlen(table) + 1);
    while (connection_row(connection, stmt))
        hash = mix_row(hash, stmt);
    (void)sqlite3_finalize(stmt);
    return hash;
}

enum status state_digest(struct state *state, uint64_t *out_digest, struct err *err)
{
    struct connection *connection = &state->reader.connection;
    sqlite3_stmt *tables = connection_statement(connection, STATEMENT_TABLES);
    uint64_t hash = FNV_START;
    enum status st;

    while (connection_row(connection, tables))
        hash = mix_table(connection, hash, (const char *)sqlite3_column_text(tables, 0),
                         column_number(tables, 1));
    st = connection_status(connection, err);
    if (st == ST_OK)
        *out_digest = hash;
    return st;
}
