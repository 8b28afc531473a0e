#include "controlplane/replica/log_store.h"

#include <endian.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/replica/log_mark.h"

enum { LOG_FORMAT = 1 };

static const char schema[] =
    "CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, type INTEGER NOT NULL,"
    " data BLOB NOT NULL, crc INTEGER NOT NULL) STRICT;"
    "CREATE TABLE vote (one INTEGER PRIMARY KEY CHECK (one = 1), term INTEGER NOT NULL,"
    " voted_for INTEGER NOT NULL) STRICT;"
    "CREATE TABLE snapshot (one INTEGER PRIMARY KEY CHECK (one = 1), idx INTEGER NOT NULL,"
    " term INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,"
    " configuration BLOB NOT NULL, configuration_index INTEGER NOT NULL) STRICT;"
    "INSERT INTO vote VALUES (1, 1, 0);"
    "PRAGMA user_version = 1;";

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_PUT,
    STATEMENT_DROP_FROM,
    STATEMENT_DROP_BELOW,
    STATEMENT_VOTE,
    STATEMENT_SNAPSHOT,
    STATEMENTS,
};

static const char *const statement_texts[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_PUT] = "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_DROP_FROM] = "DELETE FROM entries WHERE idx >= ?1",
    [STATEMENT_DROP_BELOW] = "DELETE FROM entries WHERE idx < ?1",
    [STATEMENT_VOTE] = "UPDATE vote SET term = ?1, voted_for = ?2",
    [STATEMENT_SNAPSHOT] = "INSERT OR REPLACE INTO snapshot VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
};

struct log_store {
    pthread_mutex_t mutex;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct log_mark mark;
    uint64_t last; /* no entry stands behind it */
};

static enum status failed(struct log_store *store, const char *what, struct err *err)
{
    int code = sqlite3_errcode(store->db) & 0xff;
    bool rotten = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;

    return err_set(err, rotten ? ST_CORRUPT : ST_IO, "log.db: %s: %s", what,
                   sqlite3_errmsg(store->db));
}

static enum status run(struct log_store *store, enum statement which, struct err *err)
{
    sqlite3_stmt *stmt = store->statements[which];
    int rc = sqlite3_step(stmt);
    enum status st =
        rc == SQLITE_DONE || rc == SQLITE_ROW ? ST_OK : failed(store, statement_texts[which], err);

    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return st;
}

static void bind_number(struct log_store *store, enum statement which, int at, uint64_t number)
{
    int rc = sqlite3_bind_int64(store->statements[which], at, (sqlite3_int64)number);

    CHECK(rc == SQLITE_OK);
}

static void bind_blob(struct log_store *store, enum statement which, int at, struct bytes blob)
{
    int rc =
        sqlite3_bind_blob64(store->statements[which], at,
                            blob.len == 0 ? "" : (const void *)blob.data, blob.len, SQLITE_STATIC);

    CHECK(rc == SQLITE_OK);
}

static enum status run_with(struct log_store *store,
                            enum statement which,
                            uint64_t number,
                            struct err *err)
{
    bind_number(store, which, 1, number);
    return run(store, which, err);
}

/* Commit if all went well so far, else take everything back. */
static enum status end(struct log_store *store, enum status st, struct err *err)
{
    if (st == ST_OK)
        st = run(store, STATEMENT_COMMIT, err);
    if (st != ST_OK && sqlite3_get_autocommit(store->db) == 0)
        (void)run(store, STATEMENT_ROLLBACK, NULL);
    return st;
}

static uint32_t entry_crc(uint64_t index, const struct log_entry *entry)
{
    uint64_t head[3] = { htole64(index), htole64(entry->term), htole64((uint64_t)entry->type) };
    uint32_t crc = hash_crc32c(0, bytes_of(head, sizeof head));

    return hash_crc32c(crc, bytes_of(entry->data->bytes, entry->data->len));
}

/* ---- writing ---- */

static enum status put_entries(struct log_store *store, const struct disk_op *op, struct err *err)
{
    enum status st = ST_OK;

    if (op->first <= store->last)
        st = run_with(store, STATEMENT_DROP_FROM, op->first, err);
    store->last = op->first + op->count - 1;
    for (unsigned i = 0; st == ST_OK && i < op->count; i++) {
        const struct log_entry *entry = &op->entries[i];

        bind_number(store, STATEMENT_PUT, 1, op->first + i);
        bind_number(store, STATEMENT_PUT, 2, entry->term);
        bind_number(store, STATEMENT_PUT, 3, entry->type);
        bind_blob(store, STATEMENT_PUT, 4, bytes_of(entry->data->bytes, entry->data->len));
        bind_number(store, STATEMENT_PUT, 5, entry_crc(op->first + i, entry));
        st = run(store, STATEMENT_PUT, err);
    }
    return st;
}

/* The mark never promises what the coming transaction takes back. */
static enum status lower_mark(struct log_store *store, uint64_t index, struct err *err)
{
    if (store->mark.index <= index)
        return ST_OK;
    store->mark.index = index;
    return log_mark_write(&store->mark, true, err);
}

static enum status append(struct log_store *store,
                          const struct disk_op *op,
                          const struct disk_op *last,
                          struct err *err)
{
    uint64_t lowest = op->first;
    uint64_t top = 0;
    enum status st;

    for (const struct disk_op *at = op; at != last; at = at->host_next) {
        if (at->first < lowest)
            lowest = at->first;
        top = at->first + at->count - 1;
    }
    st = lower_mark(store, lowest - 1, err);
    if (st == ST_OK)
        st = run(store, STATEMENT_BEGIN, err);
    if (st != ST_OK)
        return st;
    for (const struct disk_op *at = op; st == ST_OK && at != last; at = at->host_next)
        st = put_entries(store, at, err);
    st = end(store, st, err);
    if (st != ST_OK)
        return st;
    store->mark.index = top;
    return log_mark_write(&store->mark, false, err);
}

enum status log_store_append(struct log_store *store,
                             const struct disk_op *op,
                             const struct disk_op *last,
                             struct err *err)
{
    enum status st;

    pthread_mutex_lock(&store->mutex);
    st = append(store, op, last, err);
    pthread_mutex_unlock(&store->mutex);
    return st;
}

enum status log_store_set_vote(struct log_store *store,
                               uint64_t term,
                               uint64_t voted_for,
                               struct err *err)
{
    enum status st;

    pthread_mutex_lock(&store->mutex);
    bind_number(store, STATEMENT_VOTE, 1, term);
    bind_number(store, STATEMENT_VOTE, 2, voted_for);
    st = run(store, STATEMENT_VOTE, err);
    if (st == ST_OK) {
        store->mark.vote_term = term;
        st = log_mark_write(&store->mark, false, err);
    }
    pthread_mutex_unlock(&store->mutex);
    return st;
}

/* Store the snapshot's row, then drop entries by one of the two DROP statements. */
static enum status put_snapshot(struct log_store *store,
                                const struct snapshot_meta *meta,
                                enum statement drop,
                                uint64_t bound,
                                struct err *err)
{
    enum status st = run(store, STATEMENT_BEGIN, err);

    if (st != ST_OK)
        return st;
    bind_number(store, STATEMENT_SNAPSHOT, 1, meta->index);
    bind_number(store, STATEMENT_SNAPSHOT, 2, meta->term);
    bind_number(store, STATEMENT_SNAPSHOT, 3, meta->bytes);
    bind_blob(store, STATEMENT_SNAPSHOT, 4, bytes_of(meta->sha256, sizeof meta->sha256));
    bind_blob(store, STATEMENT_SNAPSHOT, 5, bytes_of(meta->configuration, meta->configuration_len));
    bind_number(store, STATEMENT_SNAPSHOT, 6, meta->configuration_index);
    st = run(store, STATEMENT_SNAPSHOT, err);
    if (st == ST_OK)
        st = run_with(store, drop, bound, err);
    return end(store, st, err);
}

enum status log_store_take(struct log_store *store,
                           const struct snapshot_meta *meta,
                           uint64_t first,
                           struct err *err)
{
    enum status st;

    pthread_mutex_lock(&store->mutex);
    st = put_snapshot(store, meta, STATEMENT_DROP_BELOW, first, err);
    pthread_mutex_unlock(&store->mutex);
    return st;
}

enum status log_store_install(struct log_store *store,
                              const struct snapshot_meta *meta,
                              struct err *err)
{
    enum status st;

    pthread_mutex_lock(&store->mutex);
    st = lower_mark(store, 0, err);
    if (st == ST_OK)
        st = put_snapshot(store, meta, STATEMENT_DROP_FROM, 0, err);
    if (st == ST_OK) {
        store->last = meta->index;
        store->mark.index = meta->index;
        st = log_mark_write(&store->mark, false, err);
    }
    pthread_mutex_unlock(&store->mutex);
    return st;
}

/* ---- opening ---- */

static enum status prepare(struct log_store *store,
                           const char *text,
                           sqlite3_stmt **out,
                           struct err *err)
{
    if (sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return failed(store, text, err);
    return ST_OK;
}

static enum status execute(struct log_store *store, const char *text, struct err *err)
{
    if (sqlite3_exec(store->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return failed(store, text, err);
    return ST_OK;
}

static enum status read_number(struct log_store *store,
                               const char *text,
                               uint64_t *out,
                               struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = prepare(store, text, &stmt, err);

    if (st == ST_OK && sqlite3_step(stmt) != SQLITE_ROW)
        st = failed(store, text, err);
    if (st == ST_OK)
        *out = (uint64_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return st;
}

/* A new log: schema and entry 1 in one transaction, so that a half-made one is none.  Without entry
 * 1 it is that of a node that joins. */
static enum status bootstrap_log(struct log_store *store, struct log_data *data, struct err *err)
{
    struct log_entry entry = { .term = 1, .type = LOG_CHANGE, .data = data };
    struct disk_op op = { .kind = DISK_APPEND, .first = 1, .count = 1, .entries = &entry };
    enum status st = execute(store, "BEGIN IMMEDIATE", err);

    if (st == ST_OK)
        st = execute(store, schema, err);
    for (int i = 0; st == ST_OK && i < STATEMENTS; i++)
        st = prepare(store, statement_texts[i], &store->statements[i], err);
    if (st == ST_OK && data != NULL)
        st = put_entries(store, &op, err);
    if (st == ST_OK)
        st = execute(store, "COMMIT", err);
    if (st != ST_OK)
        return st;
    store->mark.index = data != NULL ? 1 : 0;
    store->mark.vote_term = 1;
    return log_mark_write(&store->mark, true, err);
}

static enum status read_snapshot(struct log_store *store,
                                 struct snapshot_meta *out,
                                 struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = prepare(
        store, "SELECT idx, term, bytes, sha256, configuration, configuration_index FROM snapshot",
        &stmt, err);
    int rc = st == ST_OK ? sqlite3_step(stmt) : SQLITE_ERROR;

    if (rc == SQLITE_ROW) {
        out->index = (uint64_t)sqlite3_column_int64(stmt, 0);
        out->term = (uint64_t)sqlite3_column_int64(stmt, 1);
        out->bytes = (uint64_t)sqlite3_column_int64(stmt, 2);
        out->configuration_index = (uint64_t)sqlite3_column_int64(stmt, 5);
        out->configuration_len = (uint32_t)sqlite3_column_bytes(stmt, 4);
        if (sqlite3_column_bytes(stmt, 3) != SNAPSHOT_HASH_BYTES || out->configuration_len == 0 ||
            out->configuration_len > CONFIGURATION_BYTES_MAX) {
            st = err_set(err, ST_CORRUPT, "log.db: the snapshot's row is not one");
        } else {
            memcpy(out->sha256, sqlite3_column_blob(stmt, 3), SNAPSHOT_HASH_BYTES);
            memcpy(out->configuration, sqlite3_column_blob(stmt, 4), out->configuration_len);
        }
    } else if (st == ST_OK && rc != SQLITE_DONE) {
        st = failed(store, "read snapshot", err);
    }
    (void)sqlite3_finalize(stmt);
    return st;
}

/* One row into the recovery.  A row that does not match its checksum, or leaves a gap, ends the
 * log: as a torn write, if nothing behind was ever durable; else it is rot. */
static bool take_row(sqlite3_stmt *stmt, struct log_recovery *out)
{
    uint64_t index = (uint64_t)sqlite3_column_int64(stmt, 0);
    struct bytes data =
        bytes_of(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3));
    struct log_entry entry = {
        .term = (uint64_t)sqlite3_column_int64(stmt, 1),
        .type = (enum log_entry_type)sqlite3_column_int64(stmt, 2),
        .data = log_data_new(data),
    };
    uint64_t before = out->count == 0 ? 1 : out->entries[out->count - 1].term;

    if (entry_crc(index, &entry) != (uint32_t)sqlite3_column_int64(stmt, 4) ||
        (out->count > 0 && index != out->first + out->count) || entry.term < before) {
        log_data_drop(entry.data);
        return false;
    }
    if (out->count == 0)
        out->first = index;
    if ((out->count & (out->count + 1)) == 0)
        out->entries =
            must_realloc(out->entries, (2 * (size_t)out->count + 2) * sizeof *out->entries);
    out->entries[out->count++] = entry;
    return true;
}

static enum status read_entries(struct log_store *store, struct log_recovery *out, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st =
        prepare(store, "SELECT idx, term, type, data, crc FROM entries ORDER BY idx", &stmt, err);
    int rc = SQLITE_ERROR;
    bool whole = true;

    while (st == ST_OK && whole && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        whole = take_row(stmt, out);
    if (st == ST_OK && whole && rc != SQLITE_DONE)
        st = failed(store, "read entries", err);
    (void)sqlite3_finalize(stmt);
    return st;
}

/* Rule 6, and the mark: what must be there is there, what does not belong to it goes. */
static enum status judge(struct log_store *store, struct log_recovery *out, struct err *err)
{
    uint64_t snapshot = out->snapshot.index;
    uint64_t last = out->count == 0 ? snapshot : out->first + out->count - 1;
    bool joins = out->count == 0 || (snapshot == 0 && out->first == 1) ||
                 (snapshot > 0 && out->first == snapshot + 1) ||
                 (snapshot > 0 && out->first <= snapshot && snapshot <= last &&
                  out->entries[snapshot - out->first].term == out->snapshot.term);
    enum status st = ST_OK;

    if (last < store->mark.index)
        return err_set(err, ST_CORRUPT,
                       "log.db: ends at %llu, but %llu was durable: join again under a new id",
                       (unsigned long long)last, (unsigned long long)store->mark.index);
    if (out->term < store->mark.vote_term)
        return err_set(err, ST_CORRUPT,
                       "log.db: votes up to term %llu are lost: join again under a new id",
                       (unsigned long long)store->mark.vote_term);
    if (!joins && snapshot == 0)
        return err_set(err, ST_CORRUPT, "log.db: begins at %llu without a snapshot",
                       (unsigned long long)out->first);
    if (!joins) {
        for (unsigned i = 0; i < out->count; i++)
            log_data_drop(out->entries[i].data);
        out->count = 0;
        st = lower_mark(store, snapshot, err);
    }
    if (out->count == 0)
        out->first = snapshot + 1;
    if (st != ST_OK)
        return st;
    store->last = out->first + out->count - 1;
    /* Rows behind a torn one, or of a history that the snapshot replaced. */
    return run_with(store, STATEMENT_DROP_FROM, out->count == 0 ? 0 : last + 1, err);
}

static enum status recover(struct log_store *store, struct log_recovery *out, struct err *err)
{
    enum status st = ST_OK;

    for (int i = 0; st == ST_OK && i < STATEMENTS; i++)
        if (store->statements[i] == NULL)
            st = prepare(store, statement_texts[i], &store->statements[i], err);
    if (st == ST_OK)
        st = read_number(store, "SELECT term FROM vote", &out->term, err);
    if (st == ST_OK)
        st = read_number(store, "SELECT voted_for FROM vote", &out->voted_for, err);
    if (st == ST_OK)
        st = read_snapshot(store, &out->snapshot, err);
    if (st == ST_OK)
        st = read_entries(store, out, err);
    return st == ST_OK ? judge(store, out, err) : st;
}

static enum status open_database(struct log_store *store, const char *path, struct err *err)
{
    enum status st = ST_OK;

    if (sqlite3_open_v2(path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK)
        return failed(store, path, err);
    (void)sqlite3_busy_timeout(store->db, 5000); /* an operator may be looking */
    st = execute(store, "PRAGMA journal_mode = WAL", err);
    if (st == ST_OK)
        st = execute(store, "PRAGMA synchronous = FULL", err);
    if (st == ST_OK)
        st = execute(store, "PRAGMA journal_size_limit = 4194304", err);
    return st;
}

enum status log_store_open(const char *dir,
                           struct log_data *bootstrap,
                           struct log_store **out_store,
                           struct log_recovery *out_recovery,
                           struct err *err)
{
    struct log_store *store = must_calloc(1, sizeof *store);
    struct log_recovery recovery = { 0 };
    uint64_t format = 0;
    char path[512];
    enum status st;

    (void)snprintf(path, sizeof path, "%s/log.db", dir);
    (void)pthread_mutex_init(&store->mutex, NULL);
    store->mark.fd = -1;
    st = open_database(store, path, err);
    if (st == ST_OK)
        st = read_number(store, "PRAGMA user_version", &format, err);
    recovery.fresh = st == ST_OK && format == 0;
    if (st == ST_OK && format > LOG_FORMAT)
        st = err_set(err, ST_BAD_INPUT, "log.db: format %llu is of a newer release",
                     (unsigned long long)format);
    if (st == ST_OK)
        st = log_mark_open(&store->mark, dir, recovery.fresh, err);
    if (st == ST_OK && recovery.fresh)
        st = bootstrap_log(store, bootstrap, err);
    if (st == ST_OK)
        st = recover(store, &recovery, err);
    if (st != ST_OK) {
        log_recovery_done(&recovery);
        log_store_close(store);
        return st;
    }
    *out_store = store;
    *out_recovery = recovery;
    return ST_OK;
}

void log_store_close(struct log_store *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    log_mark_close(&store->mark);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store);
}

void log_recovery_done(struct log_recovery *recovery)
{
    for (unsigned i = 0; i < recovery->count; i++)
        log_data_drop(recovery->entries[i].data);
    free(recovery->entries);
    *recovery = (struct log_recovery){ 0 };
}
