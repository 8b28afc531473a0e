/* One member of a group, deciding half: consensus, group commit, forwarding to the leader,
 * repeating what has no known outcome, barriers, snapshots in chunks.
 *
 * Deterministic: no clock, socket, file or thread; all that comes in by calls and goes out by
 * core_io.  replica.c runs it on a loop with real links and disks, tests/sim on virtual ones.
 * The rows are written here, through controlplane/state.  One thread. */
#ifndef CONTROLPLANE_REPLICA_CORE_H
#define CONTROLPLANE_REPLICA_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "controlplane/replica/disk_rules.h"
#include "controlplane/replica/known_rules.h"
#include "controlplane/replica/log_entry.h"
#include "controlplane/replica/members_plan.h"
#include "controlplane/replica/snapshot_rules.h"
#include "proto/command.pb-c.h"
#include "proto/message_limits.h"
#include "proto/raft.pb-c.h"

struct core;
struct state;

enum {
    CORE_PROPOSALS_MAX = 16384, /* local ones waiting for an outcome */
    CORE_QUEUE_MAX = 16384,     /* commands at the leader, not in an entry yet */
    CORE_BARRIERS_MAX = 16384,
    CORE_ENTRIES_IN_FLIGHT_MAX = 2,
    CORE_CHUNK_BYTES = RAFT_CHUNK_BYTES_MAX,
    CORE_CHUNKS_IN_FLIGHT_MAX = 8,
    CORE_MESSAGE_BYTES_MAX = 4 << 20, /* entries in one AppendEntries frame */
    CORE_WANTS_MAX = 64,              /* wanted, and removed but not forgotten yet */
    CORE_PEERS_MAX = 2 * NODES_MAX,   /* wanted ones, and those that are in the group still */
    CORE_LOG_MEMORY_BYTES = 8 << 20,  /* of durable entries held in memory */
    CORE_APPLY_BYTES = 256 << 10,     /* applied in one turn of the loop: about 30 ms */
};

/* None of these may call back into the core. */
struct core_io {
    /* As in rules_host: term and vote synced on return; disk work in order, then core_disk_done().
     * DISK_TAKE stores the file that snapshot_write() made.  DISK_INSTALL stores the received part
     * and makes the state of it (state_install); the core does not touch the state meanwhile. */
    void (*set_vote)(void *context, uint64_t term, uint64_t voted_for);
    void (*disk)(void *context, struct disk_op *op);
    /* state.db failed, rotten rows included, and not for lack of room: does not return. */
    void (*disk_failed)(void *context, const struct err *err);
    /* Make durable, synced, which logs are known.  ST_NO_SPACE: nothing has changed. */
    enum status (*known_store)(void *context, const struct known *known, struct err *err);
    /* `by` knows another log under this node's id, of `incarnation`: this one has begun anew where
     * one was lost.  It is silent from here on, for good, and known_store() was told. */
    void (*forgotten)(void *context, uint64_t by, uint64_t incarnation);
    /* A frame (enum RaftFrame) for `peer`: best effort, in order while the link holds. */
    void (*send)(void *context, uint64_t peer, uint16_t type, struct bytes body);
    /* The machine's clock, for stamping entries: may jump, the core does not. */
    uint64_t (*stamp_ms)(void *context);
    /* A clock for what work costs, in microseconds from any start; never goes back. */
    uint64_t (*work_us)(void *context);
    /* The rows are rotten: say so and see to it that a restart does not meet them again.
     * disk_failed() comes next. */
    void (*state_failed)(void *context, const struct err *err);
    /* As in rules_host. */
    void (*log_read)(void *context, uint64_t first, unsigned count, struct log_entry *out);
    /* Freeze the state's rows now and write them to a file, then core_snapshot_written(). */
    void (*snapshot_write)(void *context, const struct snapshot_meta *meta);
    /* Bytes of the stored snapshot.  ST_NOT_FOUND: it is not that of `index` any more. */
    enum status (*snapshot_read)(
        void *context, uint64_t index, uint64_t offset, uint8_t *out, size_t len);
    /* A peer had all of the stored snapshot and refused it: is it still what it was?  Read it on
     * another thread, and say core_snapshot_rotten() if not. */
    void (*snapshot_doubt)(void *context, const struct snapshot_meta *meta);
    /* The snapshot being received: begin with nothing of this one, append to it, hash what is
     * there. */
    void (*part_reset)(void *context, const struct snapshot_progress *which);
    void (*part_drop)(void *context); /* nothing of it is wanted: give its room back */
    enum status (*part_append)(void *context, struct bytes data);
    void (*part_hash)(void *context, uint8_t out[SNAPSHOT_HASH_BYTES]);
    /* Answers, each exactly once.  `outcome` is borrowed, NULL unless st is ST_OK. */
    void (*proposed)(void *context, void *token, enum status st, const Lapwing__Outcome *outcome);
    void (*barrier_done)(void *context, void *token, enum status st);
    void (*transferred)(void *context, void *token, enum status st);
    void *context;
};

struct core_config {
    uint64_t self_id;
    uint64_t peer_ids[CORE_PEERS_MAX]; /* core_set_peers() */
    unsigned peer_count;
    uint32_t election_ms;
    uint32_t heartbeat_ms;
    struct snapshot_policy snapshots;
    uint64_t log_memory_bytes; /* 0: CORE_LOG_MEMORY_BYTES */
    uint64_t apply_bytes;      /* 0: CORE_APPLY_BYTES */
    uint32_t chunk_bytes;      /* of a snapshot in transfer; 0: CORE_CHUNK_BYTES */
    unsigned random_seed;
    uint64_t now_ms;   /* CLOCK_BOOTTIME or the like; every later now_ms is at least this */
    bool leader_lease; /* a leader answers reads by its lease */
    bool fresh;        /* made just now: it has never answered a leader, and may vote at once */

    /* As recovered from disk; borrowed for core_new(). */
    uint64_t term;
    uint64_t voted_for;
    const struct snapshot_meta *snapshot;
    uint64_t first;
    const struct log_entry *entries;
    unsigned entry_count;
    struct snapshot_progress part; /* what is there, right so far, of a snapshot being received */
    const struct known *known;     /* NULL: which log is whose is not looked at (tests) */
    const char *address;           /* where this node listens, for its hello; with `known` */
};

/* `state` is borrowed: at or past the snapshot's index, and of this log. */
struct core *core_new(const struct core_config *config,
                      const struct core_io *io,
                      struct state *state);
/* What waits is answered ST_UNKNOWN or ST_UNAVAILABLE. */
void core_free(struct core *core);

/* Time: call at core_timeout_ms() or soon after. */
void core_tick(struct core *core, uint64_t now_ms);
uint64_t core_timeout_ms(const struct core *core);
/* After a run of other calls, and before waiting: batches are formed and sent here. */
void core_flush(struct core *core, uint64_t now_ms);

/* A frame of `peer`.  ST_BAD_INPUT: close the link; nothing was done. */
enum status core_frame(struct core *core,
                       uint64_t now_ms,
                       uint64_t peer,
                       uint16_t type,
                       struct bytes body,
                       struct err *err);
/* The hello that a peer's link towards us began with, or said again; checked by raft_hello_check().
 * NULL: its release says none.  Before any frame that comes behind it.
 *
 * ST_DENIED: it, or this node, has lost its log, and nothing that it sends is taken.  ST_NO_SPACE,
 * ST_LIMIT: close the link, so that it comes again. */
enum status core_hello(struct core *core,
                       uint64_t now_ms,
                       uint64_t from,
                       const Lapwing__RaftHello *hello,
                       struct err *err);
/* It neither votes nor stands for election nor acknowledges anything, since it is not known yet to
 * those who could tell it from one that has forgotten; or since it is told to be one. */
bool core_is_silent(const struct core *core);
/* Our link towards `peer` opened, or broke: then frames sent on it may be lost. */
void core_link(struct core *core, uint64_t now_ms, uint64_t peer, bool up);
/* Takes `op` back, the oldest one asked for. */
void core_disk_done(struct core *core, uint64_t now_ms, struct disk_op *op);
/* Nothing is applied while held: the writer of a snapshot needs time, or room.  Commands, barriers
 * and installs' ends wait for applying as ever; votes, entries and heartbeats go on. */
void core_hold(struct core *core, bool held);
/* The stored snapshot has rotted, the rows have not: it is not sent any more, and another one is
 * taken at once, or as soon as anything is committed behind it. */
void core_snapshot_rotten(struct core *core, uint64_t now_ms);
/* What snapshot_write() asked for is written and synced, or failed. */
void core_snapshot_written(struct core *core,
                           uint64_t now_ms,
                           enum status st,
                           const struct snapshot_meta *meta);

/* What this node's disk is fit for; DISK_FIT at the start.  A node that is not fit does not stand
 * for election while anybody leads, and hands leadership over to a fit one that holds all it holds.
 * Full and without such a one, a leader goes on leading, for reads, and refuses commands. */
void core_set_disk(struct core *core, uint64_t now_ms, enum disk_condition condition);

/* A command of its own memory, as protobuf-c unpacks it and frees it. */
Lapwing__Command *core_command_copy(const Lapwing__Command *command);

/* Commit `command` wherever the leader is, repeating it under its (client, sequence) until
 * `deadline_ms` on the clock of now_ms.  Takes `command` (checked by command_check(), made by
 * core_command_copy() or unpacked), and io->proposed() follows, unless ST_LIMIT is returned. */
enum status core_propose(struct core *core,
                         uint64_t now_ms,
                         Lapwing__Command *command,
                         uint64_t deadline_ms,
                         void *token);
/* io->barrier_done() follows, perhaps within the call, unless ST_LIMIT is returned.
 * now_ms  read after the request for it came: the lease is judged by it */
enum status core_barrier(struct core *core, uint64_t now_ms, uint64_t deadline_ms, void *token);

/* Hand leadership over to `target`, or with 0 to the voter that is furthest; elsewhere than at the
 * leader, ask it to.  Commands wait meanwhile.  io->transferred() follows if ST_OK is returned:
 * with ST_OK when another node leads, ST_TIMEOUT when none does by `deadline_ms` or nobody was
 * caught up in time, ST_NOT_FOUND when the target has ceased to be a voter, ST_UNAVAILABLE when the
 * core is freed.
 * ST_CONFLICT: one is on its way.  ST_UNAVAILABLE: no leader is known.  ST_NOT_FOUND: the target is
 * no other voter, or there is none. */
enum status core_transfer(
    struct core *core, uint64_t now_ms, uint64_t target, uint64_t deadline_ms, void *token);

/* Until when, on the clock of now_ms, the rows hold everything that is committed anywhere, provided
 * that nothing has left the core since this was asked: no send() and no answer of any kind.  0:
 * they may not.  At the end of a turn, and taken back before anything leaves, it lets another
 * thread read without asking this one. */
uint64_t core_reads_until_ms(const struct core *core);
/* Who shall be in the group: the leader works towards it, a change at a time.  Nobody: nothing is
 * changed.  At most CORE_WANTS_MAX. */
void core_set_wanted(struct core *core,
                     uint64_t now_ms,
                     const struct member_want *wants,
                     unsigned count);
/* Whom frames come from and go to, but for this node itself; links of new ones are down.  At most
 * CORE_PEERS_MAX.  Whoever is in core_view().members belongs to them, as far as it can be reached.
 */
void core_set_peers(struct core *core, uint64_t now_ms, const uint64_t *ids, unsigned count);

/* `id` is no member any more, for certain: nothing that it says matters. */
bool core_refuses(const struct core *core, uint64_t id);

struct core_member {
    uint64_t id;
    bool voter;               /* else it only takes the log */
    bool up;                  /* leader only: heard of lately */
    uint64_t match;           /* leader only */
    bool takes_part;          /* as it says itself; false until it has said anything */
    bool forgot;              /* who talks as it has lost its log */
    enum disk_condition disk; /* as last heard from it */
};

struct core_view {
    int raft_state; /* enum raft_state */
    uint64_t term;
    uint64_t leader_id;
    uint64_t commit;
    uint64_t applied;
    uint64_t snapshot_index;
    uint64_t last;
    uint64_t log_bytes;
    uint64_t log_held_bytes;  /* of those, in memory */
    uint64_t leader_ms;       /* newest stamped time applied */
    uint32_t cluster_version; /* of the state */
    bool change_pending;      /* the newest configuration is not known to be committed */
    unsigned member_count;    /* of that; 0: a node that joins and has not heard of its group yet */
    struct core_member members[NODES_MAX];
    enum disk_condition disk;
    bool apply_held;         /* a committed entry finds no room in state.db */
    uint64_t lease_until_ms; /* leader: reads need no entry before; 0: no lease */
};
void core_view(const struct core *core, struct core_view *out);
uint64_t core_applied(const struct core *core); /* the index alone */
bool core_installing(const struct core *core);  /* DISK_INSTALL is under way */
/* The entry at `index` if it is in the log, else NULL; its data may be on disk only: for the
 * simulator's eyes. */
const struct log_entry *core_entry_at(const struct core *core, uint64_t index);

#endif
