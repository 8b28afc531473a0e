/* A VFS for SQLite that writes the write-ahead log of state.db through a mapping.
 *
 * Committing an entry writes each page that it changed, and SQLite does so with two calls a page,
 * into three pages of the kernel's cache: half of the cost of applying.  Nothing is synced there
 * anyway, for the rows are a cache of the log.  Room in the file is allocated before it is mapped,
 * so that a full disk is SQLITE_FULL, and is never given back, so that no mapping loses its file.
 *
 * What a failing disk makes of a store into a mapping is SIGBUS, not an error: it ends the process
 * with a line that says so, as a failing log does. */
#ifndef CONTROLPLANE_REPLICA_MAPPED_WAL_H
#define CONTROLPLANE_REPLICA_MAPPED_WAL_H

/* Make it the process's VFS, before any database is opened; every file but a "state.db-wal" is
 * handed to the one that there was.  More than once is harmless.  Any thread. */
void mapped_wal_register(void);

#endif
