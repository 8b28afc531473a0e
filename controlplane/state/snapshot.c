/* Snapshots and checkpoints: whole databases on their way to and from files and memory.
 *
 * A snapshot is a read transaction on a connection of its own: the write-ahead log keeps that view
 * while the writer goes on.  Nothing can be checkpointed past it, so it must not be held for long.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/state_internal.h"

/* Bytes of SQLite's file header: which journal readers and writers must use. */
enum { FORMAT_WRITE_AT = 18, FORMAT_READ_AT = 19, FORMAT_ROLLBACK = 1 };

/* Made by state_snapshot_begin(), freed by state_snapshot_end(). */
struct state_snapshot {
    struct state_reader *reader; /* in a read transaction until the end */
    struct meta meta;
};

/* Read `meta` and thereby fix the view of an open transaction. */
static enum status freeze(struct state_snapshot *snapshot, struct err *err)
{
    struct connection *connection = &snapshot->reader->connection;

    connection_do(connection, STATEMENT_BEGIN_READ);
    meta_read(connection, &snapshot->meta);
    return connection_status(connection, err);
}

enum status state_snapshot_begin(struct state *state,
                                 struct state_snapshot **out_snapshot,
                                 struct err *err)
{
    struct state_snapshot *snapshot = must_calloc(1, sizeof *snapshot);
    enum status st = state_open_reader(state->path, state->reader.group, &snapshot->reader, err);

    if (st == ST_OK)
        st = freeze(snapshot, err);
    if (st != ST_OK) {
        state_snapshot_end(snapshot);
        return st;
    }
    CHECK(snapshot->meta.applied_index == state->now.applied_index);
    *out_snapshot = snapshot;
    return ST_OK;
}

void state_snapshot_applied(const struct state_snapshot *snapshot,
                            uint64_t *out_index,
                            uint64_t *out_term)
{
    *out_index = snapshot->meta.applied_index;
    *out_term = snapshot->meta.applied_term;
}

/* Copy all pages of `from` over those of `to`, which becomes the same database in one transaction.
 * ST_CANCELLED, or ST_OK and whatever `to` says. */
static enum status copy_database(struct connection *to,
                                 struct connection *from,
                                 state_copy_fn go_on,
                                 void *context)
{
    enum { STEP_PAGES = 2048 };
    sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");
    bool wanted;
    int rc;

    if (backup == NULL) {
        connection_note(to, sqlite3_extended_errcode(to->db));
        return ST_OK;
    }
    do {
        rc = sqlite3_backup_step(backup, STEP_PAGES);
        wanted = go_on == NULL || go_on(context);
    } while (wanted && (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED));
    (void)sqlite3_backup_finish(backup); /* repeats what the step said */
    if (!wanted)
        return ST_CANCELLED;
    connection_note(to, rc);
    return ST_OK;
}

enum status state_snapshot_write(struct state_snapshot *snapshot,
                                 const char *to_path,
                                 state_copy_fn go_on,
                                 void *context,
                                 struct err *err)
{
    struct connection to;
    enum status st;

    st = connection_open(&to, to_path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (st != ST_OK)
        return st;
    st = connection_run_text(&to, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF;", err);
    if (st == ST_OK) {
        st = copy_database(&to, &snapshot->reader->connection, go_on, context);
        if (st == ST_OK)
            st = connection_status(&to, err);
        else
            (void)err_set(err, st, "copy of the rows: given up");
    }
    if (st == ST_OK) {
        /* The copied header says WAL: whoever opened the file would make two more beside it. */
        st = connection_run_text(&to, "PRAGMA journal_mode = DELETE;", err);
    }
    connection_done(&to);
    return st;
}

void state_snapshot_end(struct state_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    if (snapshot->reader != NULL && !sqlite3_get_autocommit(snapshot->reader->connection.db))
        connection_do(&snapshot->reader->connection, STATEMENT_COMMIT);
    state_reader_close(snapshot->reader);
    free(snapshot);
}

/* Replace the rows by those of `from`, which must be a database of this group. */
static enum status install(struct state *state,
                           struct connection *from,
                           bool checked,
                           struct err *err)
{
    struct connection *to = &state->reader.connection;
    char boot_id[sizeof state->now.boot_id];
    struct meta meta;
    enum status st = checked ? ST_OK : database_check_foreign(from, state->reader.group, err);

    if (st == ST_OK)
        st = database_check(from, state->reader.group, &meta, err);
    if (st == ST_NOT_FOUND)
        return err_set(err, ST_CORRUPT, "install snapshot: the database is empty");
    if (st != ST_OK)
        return st;
    memcpy(boot_id, state->now.boot_id, sizeof boot_id);
    (void)copy_database(to, from, NULL, NULL);
    st = connection_status(to, err);
    if (st != ST_OK)
        return st;
    state->memos = (struct client_memos){ 0 };
    meta_read(to, &state->now);
    memcpy(state->now.boot_id, boot_id, sizeof boot_id); /* also for who tries again below */
    st = connection_status(to, err);
    if (st != ST_OK)
        return st;
    return state_set_boot_id(state, boot_id, err);
}

enum status state_check_snapshot(const char *path, enum state_group group, struct err *err)
{
    struct connection connection;
    struct meta meta;
    enum status st = connection_open(&connection, path, SQLITE_OPEN_READONLY, err);

    if (st != ST_OK)
        return st;
    st = database_check_foreign(&connection, group, err);
    if (st == ST_OK)
        st = database_check(&connection, group, &meta, err);
    connection_done(&connection);
    return st;
}

enum status state_install(struct state *state, const char *from_path, bool checked, struct err *err)
{
    struct connection from;
    enum status st = connection_open(&from, from_path, SQLITE_OPEN_READONLY, err);

    if (st != ST_OK)
        return st;
    st = install(state, &from, checked, err);
    connection_done(&from);
    return st;
}

enum status state_image(struct state *state, struct buf *out, struct err *err)
{
    sqlite3_int64 len = 0;
    unsigned char *image = sqlite3_serialize(state->reader.connection.db, "main", &len, 0);

    if (image == NULL)
        return err_set(err, ST_IO, "serialize state database: no memory");
    memcpy(buf_reserve(out, (size_t)len), image, (size_t)len);
    out->len += (size_t)len;
    sqlite3_free(image);
    return ST_OK;
}

enum status state_install_image(struct state *state, struct bytes image, struct err *err)
{
    struct connection from;
    unsigned char *copy;
    enum status st = connection_open(&from, ":memory:", SQLITE_OPEN_READWRITE, err);
    int rc;

    if (st != ST_OK)
        return st;
    /* SQLite frees the copy, so it must come from its allocator. */
    copy = sqlite3_malloc64(image.len + 1);
    CHECK(copy != NULL);
    if (image.len > 0)
        memcpy(copy, image.data, image.len);
    /* The header of a file's image says WAL, which a database in memory cannot have. */
    if (image.len > FORMAT_READ_AT)
        copy[FORMAT_WRITE_AT] = copy[FORMAT_READ_AT] = FORMAT_ROLLBACK;
    rc = sqlite3_deserialize(from.db, "main", copy, (sqlite3_int64)image.len,
                             (sqlite3_int64)image.len,
                             SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
    connection_note(&from, rc);
    st = connection_status(&from, err);
    if (st == ST_OK)
        st = install(state, &from, false, err);
    connection_done(&from);
    return st;
}

/* The writer goes on while pages are moved: what it wrote then is moved in another round, and so
 * on, until so little is left, or no less than before, that it can be held up for the rest. */
static int move_pages(sqlite3 *db, int *log_pages, int *moved)
{
    enum { ROUNDS_MAX = 10, REST_PAGES = 1024 };
    int fresh = INT_MAX;
    int rc = SQLITE_OK;

    for (int round = 0; rc == SQLITE_OK && round < ROUNDS_MAX; round++) {
        int before = *log_pages;

        rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, log_pages, moved);
        if (*log_pages - before <= REST_PAGES || *log_pages - before >= fresh)
            break;
        fresh = *log_pages - before;
    }
    return rc;
}

enum status state_checkpoint(const char *path,
                             uint64_t wal_bytes_max,
                             uint64_t *out_left_bytes,
                             struct err *err)
{
    struct connection connection;
    sqlite3_int64 page_bytes = 4096;
    enum { HOLD_UP_MS = 20 };
    int log_pages = 0;
    int moved = 0;
    int rc;
    enum status st = connection_open(&connection, path, SQLITE_OPEN_READWRITE, err);

    if (st != ST_OK)
        return st;
    st = connection_run_text(&connection,
                             "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;", err);
    if (st != ST_OK)
        goto done;
    /* Below, commits are held up for as long as a reader is waited for: that must not last until
     * the group elects another leader, or the writer's own patience ends. */
    (void)sqlite3_busy_timeout(connection.db, HOLD_UP_MS);
    rc = move_pages(connection.db, &log_pages, &moved);
    /* What a passive checkpoint moved can be overwritten only once the writer finds the whole log
     * moved, which a busy one may never do.  So above the bound it is made to wait for the rest.
     * The file keeps its size: cutting off a gigabyte takes the writer longer than an election. */
    if (rc == SQLITE_OK && log_pages > 0 && (uint64_t)log_pages * page_bytes > wal_bytes_max)
        rc = sqlite3_wal_checkpoint_v2(connection.db, NULL, SQLITE_CHECKPOINT_RESTART, &log_pages,
                                       &moved);
    if (out_left_bytes != NULL)
        *out_left_bytes = log_pages > moved ? (uint64_t)(log_pages - moved) * page_bytes : 0;
    if (rc == SQLITE_BUSY) {
        st = err_set(err, ST_UNAVAILABLE, "checkpoint %s: held up by a reader", path);
        goto done;
    }
    connection_note(&connection, rc);
    st = connection_status(&connection, err);
done:
    connection_done(&connection);
    return st;
}

void state_checkpoint_rest(struct state *state)
{
    (void)sqlite3_wal_checkpoint_v2(state->reader.connection.db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                    NULL, NULL);
}
