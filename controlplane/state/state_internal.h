/* The writer and its meta row, shared by state.c, open.c, snapshot.c and digest.c. */
#ifndef CONTROLPLANE_STATE_STATE_INTERNAL_H
#define CONTROLPLANE_STATE_STATE_INTERNAL_H

#include <stdint.h>

#include "controlplane/state/clients.h"
#include "controlplane/state/connection.h"

/* The one row of table meta. */
struct meta {
    uint32_t state_group;
    uint32_t schema_version;
    uint32_t cluster_version;
    uint64_t applied_index;
    uint64_t applied_term;
    uint64_t leader_ms;
    char boot_id[STATE_BOOT_ID_BYTES_MAX + 1];
};

/* Made by state_open(), freed by state_close(). */
struct state {
    struct state_reader reader; /* its connection writes, too */
    struct meta now;            /* as in the database after the last transaction */
    struct client_memos memos;  /* as in the database, too */
    char *path;                 /* owned */
    uint64_t wal_pages;         /* after the last commit */
};

/* Read the row; failures stay noted in the connection. */
void meta_read(struct connection *connection, struct meta *out);

/* Is this a database of ours, of this schema and group?  As state_open() says.  Fills `out` on
 * ST_OK. ST_NOT_FOUND: it is empty. */
enum status database_check(struct connection *connection,
                           enum state_group group,
                           struct meta *out,
                           struct err *err);

/* Tables, indexes and so on, by name and text, are those that this release makes for `group`, and
 * nothing is in the file's pages that SQLite would not write.  For a file of a stranger: reads all
 * of it.  ST_CORRUPT. */
enum status database_check_foreign(struct connection *connection,
                                   enum state_group group,
                                   struct err *err);

#endif
