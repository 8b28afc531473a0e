/* What log_store.c (writing, reading back) and log_store_open.c (making, judging) share; nobody
 * else includes this. */
#ifndef CONTROLPLANE_REPLICA_LOG_STORE_INTERNAL_H
#define CONTROLPLANE_REPLICA_LOG_STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "controlplane/replica/log_mark.h"
#include "controlplane/replica/log_store.h"

enum log_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_TERM,
    STATEMENT_PUT,
    STATEMENT_DROP_FROM,
    STATEMENT_DROP_BELOW,
    STATEMENT_VOTE,
    STATEMENT_SNAPSHOT,
    STATEMENT_CHECK_VOTE,
    STATEMENT_CHECK_SNAPSHOT,
    STATEMENTS,
};

struct log_store {
    pthread_mutex_t mutex;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct log_mark mark;
    uint64_t last; /* no entry stands behind it */
    uint64_t snapshot_index;
    uint64_t snapshot_term;
    int wal_pages; /* of the write-ahead log after the last commit */
    bool failed;   /* a write did, for another reason than room */

    sqlite3 *reader; /* of the one thread that reads back */
    sqlite3_stmt *read;
};

/* Note a failure of `db`: ST_CORRUPT when SQLite says that the file is rotten, ST_NO_SPACE when
 * there is no room, else ST_IO. */
enum status log_store_failed(sqlite3 *db, const char *what, struct err *err);
/* In the place of those that SQLite makes by itself. */
void log_store_own_checkpoints(struct log_store *store);
enum status log_store_prepare(struct log_store *store, struct err *err);
enum status log_store_run(struct log_store *store, enum log_statement which, struct err *err);
enum status log_store_run_with(struct log_store *store,
                               enum log_statement which,
                               uint64_t number,
                               struct err *err);
enum status log_store_put(struct log_store *store, const struct disk_op *op, struct err *err);
/* The mark never promises what the coming transaction takes back. */
enum status log_store_lower_mark(struct log_store *store,
                                 uint64_t index,
                                 uint64_t term,
                                 struct err *err);

/* Checksums of the rows. */
uint32_t log_store_entry_crc(uint64_t index, const struct log_entry *entry);
uint32_t log_store_vote_crc(uint64_t term, uint64_t voted_for);
uint32_t log_store_snapshot_crc(const struct snapshot_meta *meta);

#endif
