/* One member of one Raft group in this process: a replicated SQLite database that commands change.
 *
 * A group has its own thread and loop.  Other threads reach it through a replica_client, which
 * belongs to one libuv loop: calls are made and callbacks run on that loop's thread, the rest is
 * mailboxes.  Rows are read from `DIR/state.db` by read-only connections of one's own, on any
 * thread; replica_barrier() says when they hold everything that was committed before. */
#ifndef CONTROLPLANE_REPLICA_REPLICA_H
#define CONTROLPLANE_REPLICA_REPLICA_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/stream.h"
#include "controlplane/replica/disk_rules.h"
#include "proto/command.pb-c.h"

struct replica;
struct replica_client;

enum {
    REPLICA_CLIENT_ID_BYTES = 16,
    REPLICA_PROPOSALS_MAX = 4096, /* waiting for an outcome, one client; then ST_LIMIT */
    REPLICA_BARRIERS_MAX = 4096,
    REPLICA_ELECTION_MS = 300, /* leases count on it: the same on every member, never less later */
    REPLICA_HEARTBEAT_MS = 50,
    REPLICA_PATH_BYTES = 256, /* of a group's folder */
    REPLICA_RESERVE_BYTES = 64 << 20,
    REPLICA_DISK_LOW_BYTES = 64 << 20,
    REPLICA_DISK_HIGH_BYTES = 128 << 20,
    REPLICA_DISK_SLOW_MS = 1000,
    REPLICA_DISK_STEADY_MS = 30000,
    /* The process ends with this code when the disk of one of its groups has failed. */
    REPLICA_EXIT_DISK_FAILED = 74,
    REPLICA_FAILED_STOP_MS = 500, /* ...after so long, in which leadership is handed over */
    /* ...and with this one when the others know another log under this node's id: its folder is not
     * the one that it took part with. */
    REPLICA_EXIT_FORGOT = 78,
};

struct replica_member {
    uint64_t id;                   /* from 1, never reused */
    char node[NODE_BYTES_MAX + 1]; /* as in the hello of its streams, unique */
    char zone[ZONE_BYTES_MAX + 1];
    char address[ADDRESS_BYTES_MAX + 1]; /* "127.0.0.1:4576": where it listens for this group */
};

/* Copied by replica_start(), but for `identity`, which must outlive the replica. */
struct replica_config {
    const char *dir;   /* of this group alone; made if missing; holds state.db, log.db, snapshots */
    const char *group; /* "control" or "storage": which domains, and the name in logs */
    uint64_t self_id;  /* one of members; listens on its address */
    /* A new group's first members, the same list on every one of them: 1, 3 or 5.  For a node that
     * joins, itself and whom it may talk to.  After the first start it serves to find them: what it
     * says of addresses goes before what replica_set_members() says. */
    const struct replica_member *members;
    unsigned member_count;
    bool join; /* if the folder is new: wait to be added to the group, do not make one */
    const struct stream_identity *identity;
    enum stream_service service; /* STREAM_RAFT_CONTROL or STREAM_RAFT_STORAGE */
    uint32_t election_ms;        /* 0: REPLICA_ELECTION_MS; randomised between 1x and 2x */
    uint32_t heartbeat_ms;       /* 0: REPLICA_HEARTBEAT_MS */
    uint64_t
        snapshot_log_bytes; /* 0: 16 MiB; with less log no snapshot is due (snapshot_rules.h) */
    uint64_t snapshot_wal_bytes_max; /* 0: SNAPSHOT_WAL_BYTES_MAX; of state.db during a copy */
    bool leader_lease;               /* as leader, answer reads by a lease: see lease_rules.h */
    /* Room on the disk of `dir`; 0: the defaults above. */
    uint64_t reserve_bytes;   /* kept for the log alone */
    uint64_t disk_low_bytes;  /* with less room than this the node is disk_full... */
    uint64_t disk_high_bytes; /* ...until there is this much; not below the former */
    uint32_t disk_slow_ms;    /* a write of the log that takes so long is slow */
    /* Not NULL: the disk failed and the process ends in REPLICA_FAILED_STOP_MS.  On the group's
     * thread; for handing over what else the process leads (replica_disk_is_failing()). */
    void (*disk_failed)(void *context);
    void *disk_failed_context;
};

/* Recover from `dir`, listen, and start the thread.
 *
 * ST_CORRUPT: log, vote, or the snapshot that is needed have lost what was durable (rot): this node
 * must join anew under a new id.  `err` says which file, what was expected and what to do; nothing
 * in the folder was changed.
 * ST_NO_SPACE: `err` says what found no room, and where; nothing is half made, and with room the
 * next start goes on.  ST_DENIED: the others know another log under this node's id, and said so to
 * an earlier start.  ST_IO: folder, database or address.  ST_BAD_INPUT: the configuration
 * contradicts itself or what the folder was made for.  Blocks on disk. */
enum status replica_start(const struct replica_config *config,
                          struct replica **out_replica,
                          struct err *err);

/* Stop the thread and free.  Every client must be closed before.  Blocks until the thread ended. */
void replica_stop(struct replica *replica);

/* Lead no longer if there is a way, and do not stand for election any more: the process is about to
 * end.  Any thread. */
void replica_disk_is_failing(struct replica *replica);

/* Path of the group's database for read-only connections; lives as long as the replica. */
const char *replica_state_path(const struct replica *replica);

/* One that shall be a member, or was and shall not be any more. */
struct replica_wanted {
    struct replica_member member;
    bool removed;
};

enum { REPLICA_WANTED_MAX = 64, REPLICA_MEMBERS_MAX = 2 * NODES_MAX + 1 };

/* Who shall be in the group: its leader works towards it, one change at a time.  The newest call
 * counts; until the first, nothing is changed.  At most REPLICA_WANTED_MAX; copied.  Any thread;
 * does not block. */
void replica_set_members(struct replica *replica,
                         const struct replica_wanted *wanted,
                         unsigned count);

enum replica_role { REPLICA_FOLLOWER, REPLICA_CANDIDATE, REPLICA_LEADER };

enum replica_membership {
    REPLICA_OUTSIDE, /* not in the group, yet or any more */
    REPLICA_STANDBY, /* takes the log, does not vote */
    REPLICA_VOTER,
};

struct replica_member_status {
    struct replica_member member;
    enum replica_membership membership; /* by the newest configuration that this node has */
    bool up;                            /* heard of lately; leader only */
    bool forgot;                        /* it talks to this node without the log that it had */
    bool connected;                     /* from here; true for self */
    uint32_t version; /* newest cluster version that it follows; 0 while it is not connected, or a
                         member that does not take part yet (core_is_silent()) */
    uint64_t match;   /* known replicated index; leader only, else 0 */
    enum disk_condition disk; /* as it told us last */
};

struct replica_status {
    char group[16];
    enum replica_role role;
    uint64_t self_id;
    uint64_t leader_id; /* 0 when unknown */
    uint64_t term;
    uint64_t commit;
    uint64_t applied; /* in state.db */
    uint64_t snapshot_index;
    uint64_t log_bytes;
    uint64_t applied_ms; /* newest leader's time applied */
    uint32_t cluster_version;
    enum disk_condition disk; /* of this node */
    char disk_path[REPLICA_PATH_BYTES];
    uint64_t disk_free_bytes; /* there, beside the reserve */
    uint64_t disk_low_bytes;
    uint64_t disk_high_bytes;
    bool lease;            /* leader: reads are answered by its lease */
    uint64_t last;         /* index of the log */
    bool removed;          /* the others say so: nothing works here any more, and nothing will */
    unsigned member_count; /* this node and whom it talks to */
    struct replica_member_status members[REPLICA_MEMBERS_MAX];
};

/* A number that is another one after any change of state.db: what was read after asking for it is
 * as good as a read anew while it stays.  It has moved before a proposal's or barrier's callback
 * runs, else some microseconds after the change.  Any thread; an atomic load. */
uint64_t replica_changes(const struct replica *replica);

/* Wake somebody at the next change after this call, and when this node is removed: once, so whoever
 * looks calls this first and reads then.  One a replica; `async` is borrowed until the next call,
 * NULL ends it.  Any thread. */
void replica_watch(struct replica *replica, uv_async_t *async);

/* What this node knows of its group, some milliseconds old.  Any thread; does not block. */
void replica_status(struct replica *replica, struct replica_status *out);

/* Why commands are answered ST_UNAVAILABLE, when it is for want of room on disks: which nodes are
 * full, and where and how much this one wants.  Empty when it is for something else.  Pure. */
void replica_status_refusal(const struct replica_status *status, struct err *out);

/* A door to the group for code on `loop`: a fresh client id, sequences from 1.  Any number of them;
 * one a loop is enough. */
struct replica_client *replica_client_new(struct replica *replica, uv_loop_t *loop);

/* Drop what is waiting (no further callback runs) and free once the loop has turned. */
void replica_client_close(struct replica_client *client);

/* ST_OK: every replica reaches `outcome`, which is borrowed for the call; whether the command was
 *   accepted is outcome->status.  This node's state.db already shows it.
 * ST_UNAVAILABLE: no leader was found in time; certainly not done.
 * ST_UNKNOWN: it may have been done, or may never be; certainly not later than `deadline_ms` after
 *   another command of this client succeeded.  Ask the rows before asking again. */
typedef void (*replica_propose_cb)(enum status st, const Lapwing__Outcome *outcome, void *context);

/* Commit one command, wherever the leader is.
 *
 * type, body  copied; the body is the packed message named after the type, version 1
 * deadline_ms from now; within it the command is repeated under one sequence until its outcome is
 *             known, which counts once however often it is repeated
 *
 * Calls back exactly once, later, if it returns ST_OK.  ST_LIMIT: body over COMMAND_BYTES_MAX, or
 * REPLICA_PROPOSALS_MAX are waiting.  ST_BAD_INPUT, ST_UNSUPPORTED: command_check() refuses it.
 * Cost: two round trips at most and a synced write. */
enum status replica_propose(struct replica_client *client,
                            Lapwing__CommandType type,
                            struct bytes body,
                            uint32_t deadline_ms,
                            replica_propose_cb cb,
                            void *context);

/* As replica_propose() for a command that carries its own (client, sequence, acked): for the state
 * service, whose peers own theirs.  ST_BAD_INPUT when the client id is not 16 bytes or the sequence
 * is zero or acked. */
enum status replica_propose_command(struct replica_client *client,
                                    const Lapwing__Command *command,
                                    uint32_t deadline_ms,
                                    replica_propose_cb cb,
                                    void *context);

/* ST_OK: this node's state.db contains everything that was committed before the call.
 * ST_UNAVAILABLE: no leader confirmed it in time. */
typedef void (*replica_barrier_cb)(enum status st, void *context);

/* A linearizable read point: read the rows from the callback on.  Many waiting callers share one
 * round.  Calls back exactly once, later, if it returns ST_OK; ST_LIMIT as above. */
enum status replica_barrier(struct replica_client *client,
                            uint32_t deadline_ms,
                            replica_barrier_cb cb,
                            void *context);

typedef void (*replica_transfer_cb)(enum status st, void *context);

/* Hand the group's leadership over, wherever the leader is: before a planned stop, or as an
 * operator wishes.  Commands and barriers wait meanwhile, for some milliseconds.
 *
 * target      id of the voter that shall lead; 0: the one that is furthest
 * deadline_ms from now
 *
 * Calls back exactly once, later, if it returns ST_OK.  ST_OK: another node leads.  ST_TIMEOUT:
 * none does, or the target did not catch up.  ST_NOT_FOUND: the target is no other voter, or there
 * is none.  ST_CONFLICT: one is on its way.  ST_UNAVAILABLE: no leader is known. */
enum status replica_transfer(struct replica_client *client,
                             uint64_t target,
                             uint32_t deadline_ms,
                             replica_transfer_cb cb,
                             void *context);

#endif
