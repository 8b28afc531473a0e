/* Opening log.db: made, or read whole and judged by rule 6 and by the mark.
 *
 * Until it is judged to be whole nothing in the folder is changed: what is refused stays as it was
 * found, its write-ahead log included. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/folder.h"
#include "controlplane/replica/log_store_internal.h"

enum { LOG_FORMAT = 1, LOG_PATH_BYTES = 512 };

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

/* A release before knows nothing of these, and may have the log in between. */
static const char checks[] =
    "CREATE TABLE IF NOT EXISTS checks (name TEXT PRIMARY KEY, crc INTEGER NOT NULL) STRICT;"
    "CREATE TRIGGER IF NOT EXISTS vote_changed AFTER UPDATE ON vote"
    " BEGIN DELETE FROM checks WHERE name = 'vote'; END;"
    "CREATE TRIGGER IF NOT EXISTS snapshot_changed AFTER INSERT ON snapshot"
    " BEGIN DELETE FROM checks WHERE name = 'snapshot'; END;";

static enum status prepare(struct log_store *store,
                           const char *text,
                           sqlite3_stmt **out,
                           struct err *err)
{
    if (sqlite3_prepare_v2(store->db, text, -1, out, NULL) != SQLITE_OK)
        return log_store_failed(store->db, text, err);
    return ST_OK;
}

static enum status execute(struct log_store *store, const char *text, struct err *err)
{
    if (sqlite3_exec(store->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return log_store_failed(store->db, text, err);
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
        st = log_store_failed(store->db, text, err);
    if (st == ST_OK)
        *out = (uint64_t)sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return st;
}

/* ---- a new one ---- */

/* Schema and entry 1 in one transaction, so that a half-made one is none.  Without entry 1 it is
 * the log of a node that joins. */
static enum status bootstrap_log(struct log_store *store, struct log_data *data, struct err *err)
{
    struct log_entry entry = { .term = 1, .type = LOG_CHANGE, .data = data };
    struct disk_op op = { .kind = DISK_APPEND, .first = 1, .count = 1, .entries = &entry };
    enum status st = execute(store, "BEGIN IMMEDIATE", err);

    if (st == ST_OK)
        st = execute(store, schema, err);
    if (st == ST_OK)
        st = execute(store, checks, err);
    if (st == ST_OK)
        st = log_store_prepare(store, err);
    if (st == ST_OK && data != NULL)
        st = log_store_put(store, &op, err);
    if (st == ST_OK)
        st = execute(store, "COMMIT", err);
    if (st == ST_OK)
        st = log_store_set_vote(store, 1, 0, err);
    if (st != ST_OK)
        return st;
    store->mark.index = data != NULL ? 1 : 0;
    store->mark.term = data != NULL ? 1 : 0;
    return log_mark_write(&store->mark, true, err);
}

/* ---- reading ---- */

static enum status have_checks(struct log_store *store, bool *out, struct err *err)
{
    uint64_t tables = 0;
    enum status st = read_number(store, "SELECT count(*) FROM sqlite_schema WHERE name = 'checks'",
                                 &tables, err);

    *out = tables > 0;
    return st;
}

/* Does the row match its checksum, if it has one? */
static enum status check_row(struct log_store *store,
                             const char *name,
                             uint32_t crc,
                             struct err *err)
{
    static const char text[] = "SELECT crc FROM checks WHERE name = ?1";
    sqlite3_stmt *stmt = NULL;
    bool have = false;
    enum status st = have_checks(store, &have, err);
    int rc = SQLITE_ERROR;

    if (st != ST_OK || !have)
        return st;
    st = prepare(store, text, &stmt, err);
    if (st == ST_OK) {
        (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
        rc = sqlite3_step(stmt);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            st = log_store_failed(store->db, text, err);
    }
    if (st == ST_OK && rc == SQLITE_ROW && (uint32_t)sqlite3_column_int64(stmt, 0) != crc)
        st =
            err_set(err, ST_CORRUPT, "log.db: the row of the %s does not match its checksum", name);
    (void)sqlite3_finalize(stmt);
    return st;
}

static enum status read_vote(struct log_store *store, struct log_recovery *out, struct err *err)
{
    static const char text[] = "SELECT term, voted_for FROM vote";
    sqlite3_stmt *stmt = NULL;
    enum status st = prepare(store, text, &stmt, err);
    int rc = st == ST_OK ? sqlite3_step(stmt) : SQLITE_ERROR;

    if (st == ST_OK && rc == SQLITE_ROW) {
        out->term = (uint64_t)sqlite3_column_int64(stmt, 0);
        out->voted_for = (uint64_t)sqlite3_column_int64(stmt, 1);
        st = check_row(store, "vote", log_store_vote_crc(out->term, out->voted_for), err);
    } else if (st == ST_OK) {
        st = rc == SQLITE_DONE ? err_set(err, ST_CORRUPT, "log.db: the vote is missing")
                               : log_store_failed(store->db, text, err);
    }
    (void)sqlite3_finalize(stmt);
    return st;
}

static enum status take_snapshot_row(sqlite3_stmt *stmt, struct snapshot_meta *out, struct err *err)
{
    out->index = (uint64_t)sqlite3_column_int64(stmt, 0);
    out->term = (uint64_t)sqlite3_column_int64(stmt, 1);
    out->bytes = (uint64_t)sqlite3_column_int64(stmt, 2);
    out->configuration_index = (uint64_t)sqlite3_column_int64(stmt, 5);
    out->configuration_len = (uint32_t)sqlite3_column_bytes(stmt, 4);
    if (sqlite3_column_bytes(stmt, 3) != SNAPSHOT_HASH_BYTES || out->configuration_len == 0 ||
        out->configuration_len > CONFIGURATION_BYTES_MAX)
        return err_set(err, ST_CORRUPT, "log.db: the snapshot's row is not one");
    memcpy(out->sha256, sqlite3_column_blob(stmt, 3), SNAPSHOT_HASH_BYTES);
    memcpy(out->configuration, sqlite3_column_blob(stmt, 4), out->configuration_len);
    return ST_OK;
}

static enum status read_snapshot(struct log_store *store,
                                 struct snapshot_meta *out,
                                 struct err *err)
{
    static const char text[] = "SELECT idx, term, bytes, sha256, configuration, "
                               "configuration_index FROM snapshot";
    sqlite3_stmt *stmt = NULL;
    enum status st = prepare(store, text, &stmt, err);
    int rc = st == ST_OK ? sqlite3_step(stmt) : SQLITE_ERROR;

    if (st == ST_OK && rc == SQLITE_ROW)
        st = take_snapshot_row(stmt, out, err);
    else if (st == ST_OK && rc != SQLITE_DONE)
        st = log_store_failed(store->db, text, err);
    if (st == ST_OK && rc == SQLITE_ROW)
        st = check_row(store, "snapshot", log_store_snapshot_crc(out), err);
    (void)sqlite3_finalize(stmt);
    return st;
}

static void drop_entries(struct log_recovery *out)
{
    for (unsigned i = 0; i < out->count; i++)
        log_data_drop(out->entries[i].data);
    out->count = 0;
}

static void push_entry(struct log_recovery *out, uint64_t index, struct log_entry entry)
{
    if (out->count == 0)
        out->first = index;
    if ((out->count & (out->count + 1)) == 0)
        out->entries =
            must_realloc(out->entries, (2 * (size_t)out->count + 2) * sizeof *out->entries);
    if (entry.type != LOG_CHANGE) { /* the rest is read when it is wanted */
        log_data_drop(entry.data);
        entry.data = NULL;
    }
    out->entries[out->count++] = entry;
}

/* One row into the recovery.  NULL, or what is wrong with it. */
static const char *take_row(sqlite3_stmt *stmt, struct log_recovery *out)
{
    uint64_t index = (uint64_t)sqlite3_column_int64(stmt, 0);
    struct bytes data =
        bytes_of(sqlite3_column_blob(stmt, 3), (size_t)sqlite3_column_bytes(stmt, 3));
    struct log_entry entry = {
        .term = (uint64_t)sqlite3_column_int64(stmt, 1),
        .type = (enum log_entry_type)sqlite3_column_int64(stmt, 2),
        .data = log_data_new(data),
        .bytes = (uint32_t)data.len,
    };
    uint64_t before = out->count == 0 ? 1 : out->entries[out->count - 1].term;
    const char *wrong = NULL;

    if (log_store_entry_crc(index, &entry) != (uint32_t)sqlite3_column_int64(stmt, 4))
        wrong = "does not match its checksum";
    else if (out->count > 0 && index != out->first + out->count)
        wrong = "stands behind a gap";
    else if (entry.term < before)
        wrong = "is of a lower term than the one before it";
    if (wrong == NULL)
        push_entry(out, index, entry);
    else
        log_data_drop(entry.data);
    return wrong;
}

/* All rows up to the first wrong one.  One that the snapshot stands for is not missed: the log then
 * begins behind it. */
static enum status read_entries(struct log_store *store, struct log_recovery *out, struct err *err)
{
    static const char text[] = "SELECT idx, term, type, data, crc FROM entries ORDER BY idx";
    sqlite3_stmt *stmt = NULL;
    enum status st = prepare(store, text, &stmt, err);
    int rc = SQLITE_ERROR;

    while (st == ST_OK && out->wrong == NULL && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        uint64_t index = (uint64_t)sqlite3_column_int64(stmt, 0);
        const char *wrong = take_row(stmt, out);

        if (wrong == NULL)
            continue;
        if (index <= out->snapshot.index) {
            drop_entries(out);
            continue;
        }
        out->wrong = wrong;
        out->wrong_index = index;
    }
    if (st == ST_OK && out->wrong == NULL && rc != SQLITE_DONE)
        st = log_store_failed(store->db, text, err);
    (void)sqlite3_finalize(stmt);
    return st;
}

/* ---- judging ---- */

static uint64_t last_of(const struct log_recovery *out)
{
    return out->count == 0 ? out->snapshot.index : out->first + out->count - 1;
}

static bool joins(const struct log_recovery *out)
{
    uint64_t snapshot = out->snapshot.index;

    if (out->count == 0)
        return true;
    if (snapshot == 0)
        return out->first == 1;
    return out->first == snapshot + 1 ||
           (out->first <= snapshot && snapshot <= last_of(out) &&
            out->entries[snapshot - out->first].term == out->snapshot.term);
}

/* Is what the mark promises there?  An entry at or below the snapshot is, whatever its term. */
static enum status check_end(const struct log_store *store,
                             const struct log_recovery *out,
                             struct err *err)
{
    const struct log_mark *mark = &store->mark;
    uint64_t last = last_of(out) > out->snapshot.index ? last_of(out) : out->snapshot.index;

    if (mark->index <= out->snapshot.index)
        return ST_OK;
    if (last < mark->index && out->wrong != NULL)
        return err_set(
            err, ST_CORRUPT, "log.db: entry %llu %s, and entries up to %llu were durable",
            (unsigned long long)out->wrong_index, out->wrong, (unsigned long long)mark->index);
    if (last < mark->index)
        return err_set(err, ST_CORRUPT, "log.db: ends at entry %llu, but %llu was durable",
                       (unsigned long long)last, (unsigned long long)mark->index);
    if (out->first > out->snapshot.index + 1)
        return err_set(err, ST_CORRUPT,
                       "log.db: begins at entry %llu, its snapshot ends at %llu, and entries up to "
                       "%llu were durable",
                       (unsigned long long)out->first, (unsigned long long)out->snapshot.index,
                       (unsigned long long)mark->index);
    if (mark->term != 0 && out->entries[mark->index - out->first].term != mark->term)
        return err_set(err, ST_CORRUPT,
                       "log.db: entry %llu is of term %llu, but one of term %llu was durable",
                       (unsigned long long)mark->index,
                       (unsigned long long)out->entries[mark->index - out->first].term,
                       (unsigned long long)mark->term);
    return ST_OK;
}

static enum status check_vote(const struct log_store *store,
                              const struct log_recovery *out,
                              struct err *err)
{
    const struct log_mark *mark = &store->mark;

    if (out->term < mark->vote_term)
        return err_set(err, ST_CORRUPT,
                       "log.db: the vote is of term %llu, but one of %llu was durable",
                       (unsigned long long)out->term, (unsigned long long)mark->vote_term);
    if (out->term == mark->vote_term && mark->voted_for != 0 && out->voted_for != mark->voted_for)
        return err_set(err, ST_CORRUPT,
                       "log.db: the vote of term %llu is for %llu, but one for %llu was durable",
                       (unsigned long long)out->term, (unsigned long long)out->voted_for,
                       (unsigned long long)mark->voted_for);
    return ST_OK;
}

static enum status judge(const struct log_store *store,
                         const struct log_recovery *out,
                         struct err *err)
{
    enum status st;

    if (out->snapshot.index == 0 && out->count > 0 && out->first != 1)
        return err_set(err, ST_CORRUPT, "log.db: begins at entry %llu without a snapshot",
                       (unsigned long long)out->first);
    st = check_end(store, out, err);
    return st == ST_OK ? check_vote(store, out, err) : st;
}

/* It is whole.  What does not belong to it goes: rows behind a torn one, which were never durable,
 * and entries of a history that the snapshot replaced. */
static enum status tidy(struct log_store *store, struct log_recovery *out, struct err *err)
{
    uint64_t snapshot = out->snapshot.index;
    enum status st = execute(store, checks, err); /* a log of a release before has none */

    if (st == ST_OK)
        st = log_store_prepare(store, err);
    if (!joins(out))
        drop_entries(out);
    if (out->count == 0) {
        out->first = snapshot + 1;
        if (st == ST_OK)
            st = log_store_lower_mark(store, snapshot, out->snapshot.term, err);
    }
    store->last = out->first + out->count - 1;
    store->snapshot_index = snapshot;
    store->snapshot_term = out->snapshot.term;
    if (st == ST_OK)
        st = log_store_run_with(store, STATEMENT_DROP_FROM, out->count == 0 ? 0 : store->last + 1,
                                err);
    if (st == ST_OK && out->first <= snapshot)
        st = log_store_run_with(store, STATEMENT_DROP_BELOW, out->first, err);
    return st;
}

static enum status recover(struct log_store *store, struct log_recovery *out, struct err *err)
{
    enum status st = read_vote(store, out, err);

    if (st == ST_OK)
        st = read_snapshot(store, &out->snapshot, err);
    if (st == ST_OK)
        st = read_entries(store, out, err);
    if (st == ST_OK)
        st = judge(store, out, err);
    return st == ST_OK ? tidy(store, out, err) : st;
}

/* ---- opening ---- */

static bool is_there(const char *dir, const char *name, bool *out_empty)
{
    char path[LOG_PATH_BYTES];
    struct stat found = { 0 };
    bool there;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    there = stat(path, &found) == 0;
    *out_empty = !there || found.st_size == 0;
    return there;
}

bool log_store_is_made(const char *dir)
{
    bool empty;

    return is_there(dir, "log.db", &empty) && !empty;
}

/* Is the log yet to be made, or was its making interrupted?  SQLite would make a new database where
 * ours is gone, and throw away the write-ahead log beside an empty one.  The mark is made first, so
 * behind an interrupted start it is empty or promises nothing.  (One that is lowered to 0 later has
 * a vote of a later term.) */
static enum status look_first(const char *dir, bool *out_unpromised, struct err *err)
{
    struct log_mark mark = { .fd = -1 };
    bool no_log;
    bool no_mark;
    bool marked = is_there(dir, "log.mark", &no_mark);
    enum status st;

    (void)is_there(dir, "log.db", &no_log);
    *out_unpromised = marked || no_log;
    if (no_mark)
        return ST_OK;
    st = log_mark_open(&mark, dir, false, err);
    log_mark_close(&mark);
    *out_unpromised = mark.index == 0 && mark.vote_term <= 1;
    if (st != ST_OK || *out_unpromised || !no_log)
        return st;
    return err_set(err, ST_CORRUPT,
                   "%s/log.db is missing or empty, but entries up to %llu were durable", dir,
                   (unsigned long long)mark.index);
}

static enum status open_database(struct log_store *store, const char *path, struct err *err)
{
    int ignored = 0;

    if (sqlite3_open_v2(path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                        NULL) != SQLITE_OK)
        return log_store_failed(store->db, path, err);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &ignored);
    (void)sqlite3_busy_timeout(store->db, 5000); /* an operator may be looking */
    return ST_OK;
}

static enum status settle(struct log_store *store, struct err *err)
{
    enum status st = execute(store, "PRAGMA journal_mode = WAL", err);

    if (st == ST_OK)
        st = execute(store, "PRAGMA synchronous = FULL", err);
    if (st == ST_OK)
        st = execute(store, "PRAGMA journal_size_limit = 4194304", err);
    log_store_own_checkpoints(store);
    return st;
}

static enum status open_reader(struct log_store *store, const char *path, struct err *err)
{
    static const char text[] = "SELECT idx, term, type, data, crc FROM entries"
                               " WHERE idx BETWEEN ?1 AND ?2 ORDER BY idx";

    if (sqlite3_open_v2(path, &store->reader, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) !=
            SQLITE_OK ||
        sqlite3_prepare_v3(store->reader, text, -1, SQLITE_PREPARE_PERSISTENT, &store->read,
                           NULL) != SQLITE_OK)
        return log_store_failed(store->reader, text, err);
    (void)sqlite3_busy_timeout(store->reader, 5000);
    return ST_OK;
}

static enum status make(struct log_store *store,
                        const char *dir,
                        struct log_data *bootstrap,
                        struct err *err)
{
    enum status st = log_mark_open(&store->mark, dir, true, err);

    if (st == ST_OK)
        st = settle(store, err);
    if (st == ST_OK)
        st = bootstrap_log(store, bootstrap, err);
    /* The names of the new files are durable before anything is promised by them. */
    return st == ST_OK ? folder_sync(AT_FDCWD, dir, err) : st;
}

static enum status open_all(struct log_store *store,
                            const char *dir,
                            struct log_data *bootstrap,
                            struct log_recovery *out,
                            struct err *err)
{
    char path[LOG_PATH_BYTES];
    uint64_t format = 0;
    bool unpromised = false;
    enum status st = look_first(dir, &unpromised, err);
    int ignored = 0;

    (void)snprintf(path, sizeof path, "%s/log.db", dir);
    if (st == ST_OK)
        st = open_database(store, path, err);
    if (st == ST_OK)
        st = read_number(store, "PRAGMA user_version", &format, err);
    out->fresh = unpromised && format == 0;
    if (st == ST_OK && out->fresh)
        st = make(store, dir, bootstrap, err);
    else if (st == ST_OK && format == 0)
        st = err_set(err, ST_CORRUPT, "log.db: not a log of ours");
    else if (st == ST_OK && format != LOG_FORMAT)
        st = err_set(err, ST_BAD_INPUT, "log.db: format %llu is of another release, want %d",
                     (unsigned long long)format, LOG_FORMAT);
    else if (st == ST_OK)
        st = log_mark_open(&store->mark, dir, false, err);
    if (st == ST_OK)
        st = settle(store, err);
    if (st == ST_OK)
        st = recover(store, out, err);
    if (st == ST_OK)
        st = open_reader(store, path, err);
    if (st == ST_OK)
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, &ignored);
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
    enum status st;

    (void)pthread_mutex_init(&store->mutex, NULL);
    store->mark.fd = -1;
    st = open_all(store, dir, bootstrap, &recovery, err);
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
    (void)sqlite3_finalize(store->read);
    (void)sqlite3_close(store->reader);
    for (int i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    log_mark_close(&store->mark);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store);
}

void log_recovery_done(struct log_recovery *recovery)
{
    drop_entries(recovery);
    free(recovery->entries);
    *recovery = (struct log_recovery){ 0 };
}
