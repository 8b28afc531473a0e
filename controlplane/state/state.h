/* The replicated state of one Raft group: committed entries in, rows and outcomes out.
 *
 * Nothing here reads a clock, a socket or a random number.  Time and randomness arrive inside
 * entries, stamped before they entered the log, so every replica that applied the same log holds
 * the same rows.  The rows are an SQLite database (schema.sql) that only this module writes.
 *
 * One struct state a group is the writer and belongs to the thread of its replica; every other
 * thread reads through a struct state_reader of its own.  What can be asked stands in functions.h,
 * workers.h and objects.h. */
#ifndef CONTROLPLANE_STATE_STATE_H
#define CONTROLPLANE_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "proto/command.pb-c.h"

struct state;          /* the writer; freed by state_close() */
struct state_reader;   /* a view for one thread; freed by state_reader_close() */
struct state_snapshot; /* a frozen view on its way to a file; freed by state_snapshot_end() */

/* Which tables; the numbers are those of StateGroup on the wire. */
enum state_group { STATE_GROUP_CONTROL = 1, STATE_GROUP_STORAGE = 2 };

enum {
    /* Outcomes that one client may leave unacknowledged; the command behind is ST_LIMIT,
     * "window_full".  A client must in the end acknowledge also what it gave up on. */
    STATE_CLIENT_WINDOW_MAX = 65536,
    STATE_BOOT_ID_BYTES_MAX = 63,
};

/* Open or create the rows of one group.
 *
 * path       a file (its folder exists), or ":memory:"
 * out_state  written on ST_OK only; close with state_close()
 *
 * WAL, synchronous off, no automatic checkpoint: the file is a cache of the log.  The caller throws
 * it away when state_boot_id() is not this boot's: after a power cut a torn page cannot be seen.
 * ST_IO; ST_CORRUPT: not a database of ours; ST_UNSUPPORTED: another schema version; ST_CONFLICT:
 * the other group's.  Blocks on disk. */
enum status state_open(const char *path,
                       enum state_group group,
                       struct state **out_state,
                       struct err *err);
void state_close(struct state *state); /* accepts NULL */

/* Called once a command after the entry was committed to the database, in order.
 *
 * at       position in entry->commands
 * command  of the entry, borrowed
 * outcome  what every replica reached; borrowed for the call.  A refusal is an outcome like any
 *          other: no row of its domain has changed. */
typedef void (*state_outcome_fn)(void *context,
                                 size_t at,
                                 const Lapwing__Command *command,
                                 const Lapwing__Outcome *outcome);

/* A place in the log. */
struct state_position {
    uint64_t index;
    uint64_t term;
};

/* Apply one committed entry in one transaction: commands that are refused have written
 * nothing, the others and the entry's index, term and time are written together.
 *
 * entry       decoded by entry_decode(), its commands passed command_check() before they were
 *             proposed; borrowed.  NULL for an entry without commands (barrier, configuration):
 *             only index and term move.  Such entries may also be left out.
 * at          of the entry.  An index at or below the applied one is skipped: ST_OK, and no
 * callback. The term never falls. on_outcome  may be NULL (followers)
 *
 * ST_NO_SPACE: no row has changed and nothing was called back: the same call can be made again when
 * there is room.  ST_IO, ST_CORRUPT: the database failed; no row has changed and the replica cannot
 * go on.  ST_UNSUPPORTED: the entry raises the cluster to a version that this release cannot
 * follow; the same. A body that cannot be decoded stops the process.  About 15 us a command plus 20
 * us an entry. */
enum status state_apply_entry(struct state *state,
                              const Lapwing__Entry *entry,
                              struct state_position at,
                              state_outcome_fn on_outcome,
                              void *context,
                              struct err *err);

/* The last applied entry; 0, 0 for a new state. */
void state_applied(const struct state *state, uint64_t *out_index, uint64_t *out_term);
/* Cluster time of the last entry with commands; a leader stamps at least this. */
uint64_t state_leader_ms(const struct state *state);
uint32_t state_cluster_version(const struct state *state);

/* The mark of the boot that wrote the rows; empty for a new state.  Setting is a transaction. */
const char *state_boot_id(const struct state *state);
enum status state_set_boot_id(struct state *state, const char *boot_id, struct err *err);

/* A number that is the same for two states with the same replicated rows: everything but boot_id
 * and the applied index and term (compare those with state_applied()).  Reads every row. */
enum status state_digest(struct state *state, uint64_t *out_digest, struct err *err);

/* Bytes of the write-ahead log that the writer's last commit left; it cannot shrink while a
 * snapshot is open.  The writer's thread. */
uint64_t state_wal_bytes(const struct state *state);

/* Move pages from the write-ahead log into the database, on a connection of its own: for a thread,
 * every few seconds and whenever the log is large.
 *
 * path           of the state, not ":memory:"
 * wal_bytes_max  with the log file above this, commits are held up until it is empty; else the
 * writer is never disturbed, and the log may not shrink while it is busy
 *
 * out_left_bytes  NULL, or of the log, what is not moved: written meanwhile, or behind a reader's
 *                 view; set where the database could be opened
 *
 * ST_IO; ST_UNAVAILABLE: a long reader keeps the log from being emptied, try again later. */
enum status state_checkpoint(const char *path,
                             uint64_t wal_bytes_max,
                             uint64_t *out_left_bytes,
                             struct err *err);

/* Right after state_checkpoint(), on the writer's thread: move what was written meanwhile, so that
 * the next commit writes over the log from its start, if nobody is reading in it.  Waits for
 * nobody; what fails here fails again in the next state_checkpoint(), and is said there. */
void state_checkpoint_rest(struct state *state);

/* A reader for one other thread, of a file that a struct state of this process has open.
 * It sees every transaction committed before the call that asks. */
enum status state_open_reader(const char *path,
                              enum state_group group,
                              struct state_reader **out_reader,
                              struct err *err);
void state_reader_close(struct state_reader *reader); /* accepts NULL; not for state_reader_of() */
/* The writer's own reader: on the writer's thread, lives as long as `state`. */
struct state_reader *state_reader_of(struct state *state);
/* The applied index and term that this reader sees now. */
enum status state_reader_applied(struct state_reader *reader,
                                 uint64_t *out_index,
                                 uint64_t *out_term,
                                 struct err *err);

/* Freeze the rows as they are now; the writer goes on.  Cheap; on the writer's thread; files only.
 */
enum status state_snapshot_begin(struct state *state,
                                 struct state_snapshot **out_snapshot,
                                 struct err *err);
void state_snapshot_applied(const struct state_snapshot *snapshot,
                            uint64_t *out_index,
                            uint64_t *out_term);
/* Asked after every few MiB of a copy: false gives it up. */
typedef bool (*state_copy_fn)(void *context);

/* Copy the frozen rows into a new file at `to_path`.  Any one thread; blocks on disk; the caller
 * syncs the file.  go_on may be NULL.  ST_CANCELLED: go_on() did not want it. */
enum status state_snapshot_write(struct state_snapshot *snapshot,
                                 const char *to_path,
                                 state_copy_fn go_on,
                                 void *context,
                                 struct err *err);
void state_snapshot_end(struct state_snapshot *snapshot); /* accepts NULL */

/* Replace all rows by those of a snapshot file, in one transaction: readers see the old rows or the
 * new ones, and need not open again.
 *
 * checked  the file is known to be one that passed state_check_snapshot(), or that we wrote
 *
 *   The boot id stays this state's.  Writer's thread; blocks on
 * disk.  The file may be a stranger's: its tables are compared with ours and its pages checked
 * before it replaces anything.  ST_CORRUPT, ST_UNSUPPORTED, ST_CONFLICT as state_open(): the old
 * rows stay.
 */
enum status state_install(struct state *state,
                          const char *from_path,
                          bool checked,
                          struct err *err);
/* The checks alone, on any thread: reads the whole file. */
enum status state_check_snapshot(const char *path, enum state_group group, struct err *err);

/* The same two for states in memory (the simulation): the image is a database file's bytes,
 * appended to `out`. */
enum status state_image(struct state *state, struct buf *out, struct err *err);
enum status state_install_image(struct state *state, struct bytes image, struct err *err);

#endif
