/* What the acting files of a replica share; nobody else includes this.
 *
 *   replica.c          life, recovery, the loop's thread, what the core asks for
 *   replica_rows.c     the rows at a start
 *   replica_book.c     whom to talk to, and where they are
 *   replica_links.c    streams to and from them
 *   replica_snapshots.c   snapshots: copied, read, received, read again
 *   replica_client.c   callers on other loops
 *   replica_disk.c     room and speed of the disk, and the end when it fails
 *   replica_known.c    whose log is which, and the end of one that has lost its own */
#ifndef CONTROLPLANE_REPLICA_REPLICA_INTERNAL_H
#define CONTROLPLANE_REPLICA_REPLICA_INTERNAL_H

#include "base/mailbox.h"
#include "base/refusal_rules.h"
#include "controlplane/replica/core.h"
#include "controlplane/replica/disk.h"
#include "controlplane/replica/known_file.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/replica.h"
#include "controlplane/replica/reserve.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/replica/snapshot_part.h"
#include "controlplane/replica/state_doubt.h"
#include "controlplane/state/state.h"

enum {
    /* state.db's write-ahead log is moved when it has grown to this, and now and then: written
     * over, it is mapped and in the page cache; growing, each page is a page fault. */
    REPLICA_WAL_BYTES = 32 << 20,
    REPLICA_WAL_BYTES_MAX = 64 << 20, /* commits are held up for it */
    REPLICA_SILENT_MS = 10000,        /* a member that is silent for so long says why */
    REPLICA_CHECKPOINT_MS = 2000,
    /* What the group's thread moves itself: some milliseconds.  More is left by a reader only. */
    REPLICA_CHECKPOINT_REST_BYTES = 8 << 20,
    REPLICA_STATUS_MS = 10,
    REPLICA_DISK_LOOK_MS = 100,   /* at what waits and how long it takes */
    REPLICA_DISK_SPACE_MS = 1000, /* at the room, on a pool thread */
};

struct snapshot_job; /* replica_snapshots.c */

/* One other node, and our connection to it.  Out of the book it lives until that is closed. */
struct replica_peer {
    struct replica *replica;
    struct replica_member member;
    struct stream_dialer *dialer;
    struct stream *out; /* open; frames go here */
    uint32_t version;   /* cluster version that the node at its end knows */
    bool dropped;
};

/* A connection that a node made to us. */
struct replica_in {
    struct replica_in *next;
    struct replica_in **link;
    struct replica *replica;
    struct stream *stream;
    struct replica_member member; /* id 0: it has not said who it is; address as it says */
    bool refused;
};

/* The watch on the disk. */
struct replica_watch {
    struct disk_limits limits;
    struct disk_judge judge;
    enum disk_condition condition;
    uint64_t look_at;
    uint64_t space_at;
    bool looking; /* the job below is on a pool thread */
    uv_work_t work;
    bool may_fill; /* the job's: the reserve, if there is room */
    bool known;    /* free_bytes is */
    uint64_t free_bytes;
    uint64_t looked_bytes; /* the job's */
    bool fill_failed;      /* said once */
    uint64_t slowest_ms;   /* that made it slow */
    uint64_t stop_at_ms;   /* the process ends then; 0: it goes on */
    int exit_code;
    void (*disk_failed)(void *context);
    void *disk_failed_context;
};

/* Reading the stored snapshot on a pool thread: after a start that kept the rows and so did not,
 * and when a peer refused it. */
struct replica_verify {
    uv_work_t work;
    struct replica *replica;
    bool running;
    struct snapshot_meta snapshot; /* index 0: none */
    enum status st;
    struct err err;
};

struct replica {
    /* Fixed once started. */
    char dir[REPLICA_PATH_BYTES];
    char group[16];
    char state_path[SNAPSHOT_PATH_BYTES];
    char doubt_path[STATE_DOUBT_PATH_BYTES];
    enum state_group state_group;
    struct replica_member self;
    struct replica_member configured[NODES_MAX]; /* as the configuration has them */
    unsigned configured_count;
    const struct stream_identity *identity;
    enum stream_service service;

    uv_loop_t loop;
    uv_thread_t thread;
    struct mailbox *mailbox; /* requests of clients */
    uv_timer_t timer;
    uv_check_t check;
    bool stopping;
    _Atomic uint64_t changes; /* any thread */
    _Atomic bool watched;     /* the watcher is to be woken; any thread */
    uv_async_t *watcher;      /* under status_mutex */
    uint64_t changed_at;      /* the applied index when it last moved */
    /* core_reads_until_ms() of the last turn's end, 0 from before the next thing leaves the core.
     */
    _Atomic uint64_t reads_until_ms;

    struct core *core;
    struct state *state;
    struct log_store *log_store;
    struct disk *disk;
    struct reserve reserve;
    struct replica_watch watch;
    struct replica_verify verify;
    struct snapshot_part part;
    bool part_failed;    /* said */
    uv_work_t part_work; /* syncs what came of it */
    struct snapshot_part_point part_point;
    bool part_syncing;
    enum status part_synced;
    struct err part_err;
    int snapshot_fd; /* of the stored snapshot being sent; -1 */
    uint64_t snapshot_fd_index;
    struct snapshot_job *snapshot_job; /* being written; NULL */
    bool snapshot_gave_up;             /* the last one did, at the limit of the write-ahead log */
    bool snapshot_held;                /* applying waits for this one */
    uint64_t snapshot_wal_bytes_max;
    uv_work_t checkpoint;
    bool checkpointing;
    bool checkpoint_failed;         /* said; the pool thread's while checkpointing */
    uint64_t checkpoint_left_bytes; /* the same */
    uint64_t checkpoint_at;
    uint64_t checkpointed; /* applied index then */

    struct stream_listener *listener;
    unsigned peer_count;
    struct replica_peer *peers[CORE_PEERS_MAX]; /* owned */
    struct replica_in *ins;                     /* freed with their streams */
    unsigned wanted_count;
    struct replica_wanted wanted[CORE_WANTS_MAX];
    struct refusals refusals; /* of peers whose streams or frames are not taken */

    uv_mutex_t status_mutex;
    struct replica_status status;
    uint64_t status_at;
    uint64_t silent_since_ms; /* 0: it takes part */
    bool silence_said;
};

/* The core's clock: goes on while the machine is suspended, as a lease must.  Any thread. */
uint64_t replica_now_ms(void);

/* replica_rows.c, before the group's thread runs but for the first */
/* The file of the rows and all beside it. */
void replica_rows_remove(const struct replica *replica);
/* Open what there is, or make them anew; `fresh_log`: in any case. */
enum status replica_rows_open(struct replica *replica, bool fresh_log, struct err *err);
/* Rows of another history than the log's are made anew, too. */
enum status replica_rows_judge(struct replica *replica,
                               const struct log_recovery *recovery,
                               struct err *err);
/* Put a stored snapshot of so many bytes in their place. */
enum status replica_rows_begin(struct replica *replica,
                               const char *snapshot,
                               uint64_t bytes,
                               struct err *err);

/* replica_disk.c, all on the group's thread */
struct disk_limits replica_disk_limits(const struct replica_config *config);
void replica_disk_init(struct replica *replica, const struct replica_config *config);
/* At the end of each turn. */
void replica_disk_turn(struct replica *replica, uint64_t now_ms);
/* The loop goes on for REPLICA_FAILED_STOP_MS, then the process ends. */
void replica_disk_failed(struct replica *replica, const struct err *err);
/* The same where the loop can not go on. */
_Noreturn void replica_disk_failed_now(struct replica *replica, const struct err *err);

/* replica_known.c */
/* Before the log is opened.  ST_DENIED: it was told that it is another log than the known one. */
enum status replica_known_open(struct replica *replica,
                               const struct replica_config *config,
                               struct known *out,
                               struct err *err);
enum status replica_known_store(void *context, const struct known *known, struct err *err);
void replica_forgotten(void *context, uint64_t by, uint64_t incarnation);
/* Say whether this member takes part, when that changes. */
void replica_known_look(struct replica *replica);

/* Who is talked to follows from the rows, the group's configuration and who talks to us: to be
 * called when one of them may have changed. */
void replica_book_update(struct replica *replica);
struct replica_peer *replica_book_peer(struct replica *replica, uint64_t id); /* NULL: none */
/* The name of the node that member `id` is; NULL: not known yet. */
const char *replica_book_owner(const struct replica *replica, uint64_t id);
/* A peer for `member` whose dialing has begun; NULL if it cannot. */
struct replica_peer *replica_links_dial(struct replica *replica,
                                        const struct replica_member *member);
void replica_links_drop(struct replica_peer *peer); /* takes it */
/* Let go of the group: this node is no member any more. */
void replica_let_go(struct replica *replica, const char *who);

enum status replica_links_start(struct replica *replica, struct err *err);
void replica_links_stop(struct replica *replica);
void replica_links_send(struct replica *replica, uint64_t peer, uint16_t type, struct bytes body);

/* replica_snapshots.c: of core_io */
void replica_snapshot_write(void *context, const struct snapshot_meta *meta);
enum status replica_snapshot_read(
    void *context, uint64_t index, uint64_t offset, uint8_t *out, size_t len);
void replica_part_reset(void *context, const struct snapshot_progress *which);
void replica_part_drop(void *context);
enum status replica_part_append(void *context, struct bytes data);
void replica_part_hash(void *context, uint8_t out[SNAPSHOT_HASH_BYTES]);
/* Each turn: the write-ahead log of the rows has a limit while a snapshot is copied. */
void replica_snapshot_watch(struct replica *replica);
/* What is being copied is not wanted any more. */
void replica_snapshot_give_up(struct replica *replica);
void replica_snapshot_doubt(void *context, const struct snapshot_meta *meta);

/* The rows hold everything that was committed anywhere before the call.  Any thread. */
bool replica_rows_are_current(const struct replica *replica);

/* On the group's thread: a request from a client's loop, and its answers. */
void replica_client_deliver(struct mail *mail, void *replica);
void replica_client_proposed(void *token, enum status st, const Lapwing__Outcome *outcome);
void replica_client_barrier_done(void *token, enum status st);
void replica_client_transferred(void *token, enum status st);
/* Post the request to stop. */
void replica_client_post_stop(struct replica *replica);
/* Called by replica_client_deliver() for it. */
void replica_stop_now(struct replica *replica);

#endif
