#include "controlplane/state/sqlite_fault.h"

#include <stddef.h>

#include "base/check.h"

static enum status io_fault(int code, int errnum)
{
    switch (code) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return ST_IO;
    /* The index of the write-ahead log grows by a byte written into each new page, so that touching
     * the mapped page later can not fail.  SQLite keeps no number for that write, and it is refused
     * for lack of space long before anything else is. */
    case SQLITE_IOERR_SHMSIZE:
        return errnum == 0 ? ST_NO_SPACE : status_of_errno(errnum);
    default:
        return status_of_errno(errnum);
    }
}

enum status sqlite_fault(int code, int errnum)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ST_NO_SPACE;
    case SQLITE_IOERR:
        return io_fault(code, errnum);
    case SQLITE_CANTOPEN: /* of -wal or -shm, on a full disk */
        return status_of_errno(errnum);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ST_CORRUPT;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_INTERNAL:
    case SQLITE_TOOBIG:
        return ST_BAD_INPUT;
    default: /* read-only, locked for too long, out of memory */
        return ST_IO;
    }
}

static int last_errnum(sqlite3_file *file)
{
    int errnum = 0;

    if (file == NULL || file->pMethods == NULL || file->pMethods->xFileControl == NULL ||
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &errnum) != SQLITE_OK)
        return 0;
    return errnum;
}

int sqlite_fault_errnum(sqlite3 *db)
{
    static const int pointers[] = { SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER };
    int errnum = sqlite3_system_errno(db);

    for (size_t i = 0; errnum == 0 && i < ARRAY_LEN(pointers); i++) {
        sqlite3_file *file = NULL;

        if (sqlite3_file_control(db, "main", pointers[i], &file) == SQLITE_OK)
            errnum = last_errnum(file);
    }
    return errnum;
}
