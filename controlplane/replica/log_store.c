/* log.db while it runs: each change one synced transaction; and entries read back.  Opening and
 * judging are in log_store_open.c. */
#include "controlplane/replica/log_store.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/replica/log_store_internal.h"
#include "controlplane/state/sqlite_fault.h"

enum { LOG_CHECKPOINT_PAGES = 1000 }; /* of write-ahead log, about 4 MB */

static const char *const statement_texts[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_TERM] = "SELECT term FROM entries WHERE idx = ?1",
    [STATEMENT_PUT] = "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_DROP_FROM] = "DELETE FROM entries WHERE idx >= ?1",
    [STATEMENT_DROP_BELOW] = "DELETE FROM entries WHERE idx < ?1",
    [STATEMENT_VOTE] = "UPDATE vote SET term = ?1, voted_for = ?2",
    [STATEMENT_SNAPSHOT] = "INSERT OR REPLACE INTO snapshot VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
    [STATEMENT_CHECK_VOTE] = "INSERT OR REPLACE INTO checks VALUES ('vote', ?1)",
    [STATEMENT_CHECK_SNAPSHOT] = "INSERT OR REPLACE INTO checks VALUES ('snapshot', ?1)",
};

enum status log_store_failed(sqlite3 *db, const char *what, struct err *err)
{
    int errnum = sqlite_fault_errnum(db);
    enum status st = sqlite_fault(sqlite3_extended_errcode(db), errnum);

    if (st == ST_BAD_INPUT)
        st = ST_IO; /* tables that are not ours */
    if (st == ST_CORRUPT || errnum == 0)
        return err_set(err, st, "log.db: %s: %s", what, sqlite3_errmsg(db));
    return err_set_errno(err, st, errnum, "log.db: %s: %s", what, sqlite3_errmsg(db));
}

enum status log_store_prepare(struct log_store *store, struct err *err)
{
    for (int i = 0; i < STATEMENTS; i++)
        if (store->statements[i] == NULL &&
            sqlite3_prepare_v3(store->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK)
            return log_store_failed(store->db, statement_texts[i], err);
    return ST_OK;
}

enum status log_store_run(struct log_store *store, enum log_statement which, struct err *err)
{
    sqlite3_stmt *stmt = store->statements[which];
    int rc = sqlite3_step(stmt);
    enum status st = rc == SQLITE_DONE || rc == SQLITE_ROW
                         ? ST_OK
                         : log_store_failed(store->db, statement_texts[which], err);

    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
    return st;
}

static void bind_number(struct log_store *store, enum log_statement which, int at, uint64_t number)
{
    int rc = sqlite3_bind_int64(store->statements[which], at, (sqlite3_int64)number);

    CHECK(rc == SQLITE_OK);
}

static void bind_blob(struct log_store *store, enum log_statement which, int at, struct bytes blob)
{
    int rc =
        sqlite3_bind_blob64(store->statements[which], at,
                            blob.len == 0 ? "" : (const void *)blob.data, blob.len, SQLITE_STATIC);

    CHECK(rc == SQLITE_OK);
}

enum status log_store_run_with(struct log_store *store,
                               enum log_statement which,
                               uint64_t number,
                               struct err *err)
{
    bind_number(store, which, 1, number);
    return log_store_run(store, which, err);
}

/* Commit if all went well so far, else take everything back. */
static enum status end(struct log_store *store, enum status st, struct err *err)
{
    if (st == ST_OK)
        st = log_store_run(store, STATEMENT_COMMIT, err);
    if (st != ST_OK && sqlite3_get_autocommit(store->db) == 0)
        (void)log_store_run(store, STATEMENT_ROLLBACK, NULL);
    return st;
}

static int wal_grew(void *context, sqlite3 *db, const char *name, int pages)
{
    struct log_store *store = context;

    (void)db;
    (void)name;
    store->wal_pages = pages;
    return SQLITE_OK;
}

void log_store_own_checkpoints(struct log_store *store)
{
    (void)sqlite3_wal_hook(store->db, wal_grew, store);
}

/* SQLite's own checkpoint after a commit swallows what goes wrong in it, a failed sync included.
 * Without room nothing is lost: the write-ahead log stays as it is, and the next commit tries. */
static enum status checkpoint(struct log_store *store, struct err *err)
{
    int rc;
    enum status st;

    if (store->wal_pages < LOG_CHECKPOINT_PAGES)
        return ST_OK;
    rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
        return ST_OK;
    st = log_store_failed(store->db, "checkpoint", err);
    return st == ST_NO_SPACE ? ST_OK : st;
}

/* Each change begins and ends with these.  Two threads write: after a failure, of which only one
 * has been told, the other's change must not be called durable on top of what a failed sync left.
 */
static enum status enter(struct log_store *store, struct err *err)
{
    pthread_mutex_lock(&store->mutex);
    if (!store->failed)
        return ST_OK;
    return err_set(err, ST_IO, "log.db: not written to any more, a write before has failed");
}

static enum status leave(struct log_store *store, enum status st, struct err *err)
{
    if (st == ST_OK)
        st = checkpoint(store, err);
    store->failed = store->failed || (st != ST_OK && st != ST_NO_SPACE);
    pthread_mutex_unlock(&store->mutex);
    return st;
}

uint32_t log_store_entry_crc(uint64_t index, const struct log_entry *entry)
{
    uint64_t head[3] = { htole64(index), htole64(entry->term), htole64((uint64_t)entry->type) };
    uint32_t crc = hash_crc32c(0, bytes_of(head, sizeof head));

    return hash_crc32c(crc, bytes_of(entry->data->bytes, entry->data->len));
}

uint32_t log_store_vote_crc(uint64_t term, uint64_t voted_for)
{
    uint64_t row[2] = { htole64(term), htole64(voted_for) };

    return hash_crc32c(0, bytes_of(row, sizeof row));
}

uint32_t log_store_snapshot_crc(const struct snapshot_meta *meta)
{
    uint64_t row[4] = { htole64(meta->index), htole64(meta->term), htole64(meta->bytes),
                        htole64(meta->configuration_index) };
    uint32_t crc = hash_crc32c(0, bytes_of(row, sizeof row));

    crc = hash_crc32c(crc, bytes_of(meta->sha256, sizeof meta->sha256));
    return hash_crc32c(crc, bytes_of(meta->configuration, meta->configuration_len));
}

/* ---- writing ---- */

enum status log_store_put(struct log_store *store, const struct disk_op *op, struct err *err)
{
    enum status st = ST_OK;

    if (op->first <= store->last)
        st = log_store_run_with(store, STATEMENT_DROP_FROM, op->first, err);
    store->last = op->first + op->count - 1;
    for (unsigned i = 0; st == ST_OK && i < op->count; i++) {
        const struct log_entry *entry = &op->entries[i];

        bind_number(store, STATEMENT_PUT, 1, op->first + i);
        bind_number(store, STATEMENT_PUT, 2, entry->term);
        bind_number(store, STATEMENT_PUT, 3, entry->type);
        bind_blob(store, STATEMENT_PUT, 4, bytes_of(entry->data->bytes, entry->data->len));
        bind_number(store, STATEMENT_PUT, 5, log_store_entry_crc(op->first + i, entry));
        st = log_store_run(store, STATEMENT_PUT, err);
    }
    return st;
}

enum status log_store_lower_mark(struct log_store *store,
                                 uint64_t index,
                                 uint64_t term,
                                 struct err *err)
{
    struct log_mark before = store->mark;
    enum status st;

    if (before.index <= index)
        return ST_OK;
    store->mark.index = index;
    store->mark.term = term;
    st = log_mark_write(&store->mark, true, err);
    if (st != ST_OK)
        store->mark = before; /* as it stands in the file: to be lowered again */
    return st;
}

/* The term of what stands at `index`: an entry, or the snapshot; 0 for neither. */
static enum status term_at(struct log_store *store, uint64_t index, uint64_t *out, struct err *err)
{
    sqlite3_stmt *stmt = store->statements[STATEMENT_TERM];
    int rc;

    bind_number(store, STATEMENT_TERM, 1, index);
    rc = sqlite3_step(stmt);
    *out = index == store->snapshot_index ? store->snapshot_term : 0;
    if (rc == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE
               ? ST_OK
               : log_store_failed(store->db, statement_texts[STATEMENT_TERM], err);
}

static enum status append(struct log_store *store,
                          const struct disk_op *op,
                          const struct disk_op *last,
                          struct err *err)
{
    uint64_t lowest = op->first;
    uint64_t before = store->last;
    uint64_t term = 0;
    struct log_mark mark = store->mark;
    enum status st = ST_OK;

    for (const struct disk_op *at = op; at != last; at = at->host_next) {
        if (at->first < lowest)
            lowest = at->first;
        mark.index = at->first + at->count - 1;
        mark.term = at->entries[at->count - 1].term;
    }
    if (store->mark.index >= lowest)
        st = term_at(store, lowest - 1, &term, err);
    if (st == ST_OK)
        st = log_store_lower_mark(store, lowest - 1, term, err);
    if (st == ST_OK)
        st = log_store_run(store, STATEMENT_BEGIN, err);
    if (st != ST_OK)
        return st;
    for (const struct disk_op *at = op; st == ST_OK && at != last; at = at->host_next)
        st = log_store_put(store, at, err);
    st = end(store, st, err);
    if (st != ST_OK) {
        store->last = before;
        return st;
    }
    store->mark.index = mark.index;
    store->mark.term = mark.term;
    return log_mark_write(&store->mark, false, err);
}

enum status log_store_append(struct log_store *store,
                             const struct disk_op *op,
                             const struct disk_op *last,
                             struct err *err)
{
    enum status st = enter(store, err);

    if (st == ST_OK)
        st = append(store, op, last, err);
    return leave(store, st, err);
}

static enum status set_vote(struct log_store *store,
                            uint64_t term,
                            uint64_t voted_for,
                            struct err *err)
{
    enum status st = log_store_run(store, STATEMENT_BEGIN, err);

    if (st != ST_OK)
        return st;
    bind_number(store, STATEMENT_VOTE, 1, term);
    bind_number(store, STATEMENT_VOTE, 2, voted_for);
    st = log_store_run(store, STATEMENT_VOTE, err);
    if (st == ST_OK)
        st = log_store_run_with(store, STATEMENT_CHECK_VOTE, log_store_vote_crc(term, voted_for),
                                err);
    st = end(store, st, err);
    if (st != ST_OK)
        return st;
    store->mark.vote_term = term;
    store->mark.voted_for = voted_for;
    return log_mark_write(&store->mark, false, err);
}

enum status log_store_set_vote(struct log_store *store,
                               uint64_t term,
                               uint64_t voted_for,
                               struct err *err)
{
    enum status st = enter(store, err);

    if (st == ST_OK)
        st = set_vote(store, term, voted_for, err);
    return leave(store, st, err);
}

static enum status put_snapshot(struct log_store *store,
                                const struct snapshot_meta *meta,
                                struct err *err)
{
    enum status st;

    bind_number(store, STATEMENT_SNAPSHOT, 1, meta->index);
    bind_number(store, STATEMENT_SNAPSHOT, 2, meta->term);
    bind_number(store, STATEMENT_SNAPSHOT, 3, meta->bytes);
    bind_blob(store, STATEMENT_SNAPSHOT, 4, bytes_of(meta->sha256, sizeof meta->sha256));
    bind_blob(store, STATEMENT_SNAPSHOT, 5, bytes_of(meta->configuration, meta->configuration_len));
    bind_number(store, STATEMENT_SNAPSHOT, 6, meta->configuration_index);
    st = log_store_run(store, STATEMENT_SNAPSHOT, err);
    return st == ST_OK ? log_store_run_with(store, STATEMENT_CHECK_SNAPSHOT,
                                            log_store_snapshot_crc(meta), err)
                       : st;
}

static void note_snapshot(struct log_store *store, const struct snapshot_meta *meta)
{
    store->snapshot_index = meta->index;
    store->snapshot_term = meta->term;
}

enum status log_store_take(struct log_store *store,
                           const struct snapshot_meta *meta,
                           struct err *err)
{
    enum status st = enter(store, err);

    if (st == ST_OK)
        st = log_store_run(store, STATEMENT_BEGIN, err);
    if (st == ST_OK)
        st = end(store, put_snapshot(store, meta, err), err);
    if (st == ST_OK)
        note_snapshot(store, meta);
    return leave(store, st, err);
}

enum status log_store_drop(struct log_store *store, uint64_t first, struct err *err)
{
    enum status st = enter(store, err);

    CHECK(first <= store->snapshot_index + 1);
    if (st == ST_OK)
        st = log_store_run_with(store, STATEMENT_DROP_BELOW, first, err);
    return leave(store, st, err);
}

static enum status install(struct log_store *store,
                           const struct snapshot_meta *meta,
                           struct err *err)
{
    enum status st = log_store_lower_mark(store, 0, 0, err);

    if (st == ST_OK)
        st = log_store_run(store, STATEMENT_BEGIN, err);
    if (st != ST_OK)
        return st;
    st = put_snapshot(store, meta, err);
    if (st == ST_OK)
        st = log_store_run_with(store, STATEMENT_DROP_FROM, 0, err);
    st = end(store, st, err);
    if (st != ST_OK)
        return st;
    note_snapshot(store, meta);
    store->last = meta->index;
    store->mark.index = meta->index;
    store->mark.term = meta->term;
    return log_mark_write(&store->mark, false, err);
}

enum status log_store_install(struct log_store *store,
                              const struct snapshot_meta *meta,
                              struct err *err)
{
    enum status st = enter(store, err);

    if (st == ST_OK)
        st = install(store, meta, err);
    return leave(store, st, err);
}

/* ---- reading back ---- */

static enum status read_row(struct log_store *store,
                            uint64_t index,
                            struct log_entry *out,
                            struct err *err)
{
    sqlite3_stmt *stmt = store->read;
    int rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return log_store_failed(store->reader, "read entries", err);
    if (rc == SQLITE_DONE || (uint64_t)sqlite3_column_int64(stmt, 0) != index)
        return err_set(err, ST_CORRUPT, "log.db: entry %llu is missing, was durable",
                       (unsigned long long)index);
    *out = (struct log_entry){
        .term = (uint64_t)sqlite3_column_int64(stmt, 1),
        .type = (enum log_entry_type)sqlite3_column_int64(stmt, 2),
        .data = log_data_new(
            bytes_of(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3))),
        .bytes = (uint32_t)sqlite3_column_bytes(stmt, 3),
    };
    if (log_store_entry_crc(index, out) == (uint32_t)sqlite3_column_int64(stmt, 4))
        return ST_OK;
    return err_set(err, ST_CORRUPT, "log.db: entry %llu does not match its checksum, was durable",
                   (unsigned long long)index);
}

enum status log_store_read(
    struct log_store *store, uint64_t first, unsigned count, struct log_entry *out, struct err *err)
{
    enum status st = ST_OK;
    unsigned got = 0;

    CHECK(count > 0);
    (void)sqlite3_bind_int64(store->read, 1, (sqlite3_int64)first);
    (void)sqlite3_bind_int64(store->read, 2, (sqlite3_int64)(first + count - 1));
    memset(out, 0, count * sizeof *out);
    while (st == ST_OK && got < count) {
        st = read_row(store, first + got, &out[got], err);
        got++;
    }
    (void)sqlite3_reset(store->read);
    for (unsigned i = 0; st != ST_OK && i < got; i++)
        log_data_drop(out[i].data);
    return st;
}
