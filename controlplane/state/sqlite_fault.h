/* What a result code of SQLite means for whoever called it: the one table of it. */
#ifndef CONTROLPLANE_STATE_SQLITE_FAULT_H
#define CONTROLPLANE_STATE_SQLITE_FAULT_H

#include <sqlite3.h>

#include "base/status.h"

/* Pure.
 *
 * code    an extended result code that is not OK, ROW or DONE
 * errnum  sqlite_fault_errnum() of the connection, 0 when there is none
 *
 * ST_NO_SPACE   the disk is full; the transaction was taken back and can be tried again as a whole
 * ST_CORRUPT    the file is not what was written
 * ST_IO         the disk failed.  A failed sync always is that: the kernel may have dropped the
 * pages that it could not write, and would call the next sync of the same file a success
 * ST_BAD_INPUT  our own mistake in SQL or its use */
enum status sqlite_fault(int code, int errnum);

/* The number behind the failure that `db` has just reported, 0 when there is none.  SQLite does not
 * keep that of a commit that failed, the one place where pages are written: the log's file knows
 * it. */
int sqlite_fault_errnum(sqlite3 *db);

#endif
