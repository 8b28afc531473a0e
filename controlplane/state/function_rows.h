/* Rows of the table `functions` as messages.  Internal to this folder. */
#ifndef CONTROLPLANE_STATE_FUNCTION_ROWS_H
#define CONTROLPLANE_STATE_FUNCTION_ROWS_H

#include "controlplane/state/connection.h"
#include "controlplane/state/functions.h"
#include "proto/command.pb-c.h"

/* The row that a statement with all columns stands at; owned by the caller. */
Lapwing__Function *function_of_row(sqlite3_stmt *stmt);

/* Write a row by one of the two statements that take all columns: INSERT or UPDATE. */
void function_row_put(struct connection *connection,
                      enum statement statement,
                      const Lapwing__Function *f);

/* Bind account, region and name, parameters 1 to 3. */
void function_key_bind(sqlite3_stmt *stmt, const struct function_key *key);

/* NULL when there is none; owned by the caller. */
Lapwing__Function *function_row_find(struct connection *connection, const struct function_key *key);
/* The one of $LATEST. */
Lapwing__Function *function_row_find_by_uid(struct connection *connection, const char *uid);

#endif
