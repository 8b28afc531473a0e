/* A database file that somebody else made: is it one that we would have made?
 *
 * Nothing of it but its versions is used before its schema is known to be ours, word for word, as
 * of its cluster version: a view, a trigger, an expression in an index would be a program. Failures
 * here are answers, never our mistake. */
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/schema.h"
#include "controlplane/state/state_internal.h"

static const char schema_rows[] =
    "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";

static bool same_column(sqlite3_stmt *a, sqlite3_stmt *b, int at)
{
    int len = sqlite3_column_bytes(a, at);

    return len == sqlite3_column_bytes(b, at) &&
           (len == 0 ||
            memcmp(sqlite3_column_blob(a, at), sqlite3_column_blob(b, at), (size_t)len) == 0);
}

/* Step through both at once: every row of one is that of the other. */
static bool same_rows(sqlite3_stmt *theirs, sqlite3_stmt *ours)
{
    for (;;) {
        int rc = sqlite3_step(ours);

        if (sqlite3_step(theirs) != rc)
            return false;
        if (rc != SQLITE_ROW)
            return rc == SQLITE_DONE;
        for (int at = 0; at < 4; at++)
            if (!same_column(theirs, ours, at))
                return false;
    }
}

static bool make_ours(sqlite3 *ours, enum state_group group, uint32_t cluster_version)
{
    for (const struct schema_step *step = schema_steps; step->cluster_version != 0; step++) {
        const char *text = group == STATE_GROUP_CONTROL ? step->control : step->storage;

        if (step->cluster_version <= cluster_version &&
            sqlite3_exec(ours, text, NULL, NULL, NULL) != SQLITE_OK)
            return false;
    }
    return true;
}

static bool same_schema(sqlite3 *theirs, enum state_group group, uint32_t cluster_version)
{
    sqlite3_stmt *left = NULL;
    sqlite3_stmt *right = NULL;
    sqlite3 *ours = NULL;
    bool same = sqlite3_open(":memory:", &ours) == SQLITE_OK &&
                make_ours(ours, group, cluster_version) &&
                sqlite3_prepare_v2(ours, schema_rows, -1, &right, NULL) == SQLITE_OK &&
                sqlite3_prepare_v2(theirs, schema_rows, -1, &left, NULL) == SQLITE_OK &&
                same_rows(left, right);

    (void)sqlite3_finalize(left);
    (void)sqlite3_finalize(right);
    (void)sqlite3_close(ours);
    return same;
}

static int enough(void *context)
{
    return 1; /* stops the statement */
}

/* Whose it is and of which version, as its own meta says if that can be read in a few steps. */
static enum status read_versions(sqlite3 *db,
                                 enum state_group group,
                                 uint32_t *out_cluster_version,
                                 struct err *err)
{
    enum { STEPS_MAX = 10000 };
    static const char text[] = "SELECT schema_version, state_group, cluster_version FROM meta";
    sqlite3_stmt *stmt = NULL;
    int64_t numbers[3] = { 0 };
    bool found;

    sqlite3_progress_handler(db, STEPS_MAX, enough, NULL);
    found = sqlite3_prepare_v2(db, text, -1, &stmt, NULL) == SQLITE_OK &&
            sqlite3_step(stmt) == SQLITE_ROW;
    for (int i = 0; found && i < (int)ARRAY_LEN(numbers); i++)
        numbers[i] = sqlite3_column_int64(stmt, i);
    (void)sqlite3_finalize(stmt);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    if (!found)
        return err_set(err, ST_CORRUPT, "state database: its tables are not ours");
    if (numbers[1] != (int)group)
        return err_set(err, ST_CONFLICT, "state database: of group %lld, want %d",
                       (long long)numbers[1], (int)group);
    if (numbers[2] < 1 || numbers[2] > CLUSTER_VERSION_MAX)
        return err_set(err, ST_UNSUPPORTED,
                       "state database: of cluster version %lld, this release follows up to %d",
                       (long long)numbers[2], CLUSTER_VERSION_MAX);
    *out_cluster_version = (uint32_t)numbers[2];
    if (numbers[0] != schema_version(*out_cluster_version))
        return err_set(err, ST_UNSUPPORTED, "state database: schema version %lld, want %u",
                       (long long)numbers[0], schema_version(*out_cluster_version));
    return ST_OK;
}

/* Pages, types, NOT NULL and CHECK; the first thing that is wrong is put into `err`. */
static enum status check_pages(sqlite3 *db, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum status st = ST_OK;

    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        st = err_set(err, ST_CORRUPT, "state database: %s", sqlite3_errmsg(db));
    else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
        st = err_set(err, ST_CORRUPT, "state database: %.150s",
                     (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    return st;
}

enum status database_check_foreign(struct connection *connection,
                                   enum state_group group,
                                   struct err *err)
{
    static const char careful[] = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                                  "PRAGMA query_only = ON; PRAGMA mmap_size = 0;";
    sqlite3 *db = connection->db;
    uint32_t cluster_version = 0;
    int ignored = 0;
    enum status st;

    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, &ignored);
    if (sqlite3_exec(db, careful, NULL, NULL, NULL) != SQLITE_OK)
        return err_set(err, ST_CORRUPT, "state database: %s", sqlite3_errmsg(db));
    st = read_versions(db, group, &cluster_version, err);
    if (st != ST_OK)
        return st;
    if (!same_schema(db, group, cluster_version))
        return err_set(err, ST_CORRUPT, "state database: its tables are not ours");
    return check_pages(db, err);
}
