/* What the acting files of a replica share; nobody else includes this.
 *
 *   replica.c          life, recovery, the loop's thread, what the core asks for
 *   replica_links.c    streams to and from the other members
 *   replica_client.c   callers on other loops
 *   replica_disk.c     room and speed of the disk, and the end when it fails */
#ifndef CONTROLPLANE_REPLICA_REPLICA_INTERNAL_H
#define CONTROLPLANE_REPLICA_REPLICA_INTERNAL_H

#include "base/mailbox.h"
#include "controlplane/replica/core.h"
#include "controlplane/replica/disk.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/replica.h"
#include "controlplane/replica/reserve.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/replica/state_trust.h"
#include "controlplane/state/state.h"

enum {
    REPLICA_CHECKPOINT_MS = 2000,
    REPLICA_WAL_BYTES_MAX = 64 << 20,
    REPLICA_STATUS_MS = 10,
    REPLICA_DISK_LOOK_MS = 100,   /* at what waits and how long it takes */
    REPLICA_DISK_SPACE_MS = 1000, /* at the room, on a pool thread */
};

/* A connection to, and the connections from, one other member. */
struct replica_peer {
    struct replica *replica;
    struct replica_member member;
    struct stream_dialer *dialer;
    struct stream *out; /* open; frames go here */
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
    uint64_t stop_at_ms;   /* the disk failed; 0: it did not */
    void (*disk_failed)(void *context);
    void *disk_failed_context;
};

struct replica {
    /* Fixed once started. */
    char dir[REPLICA_PATH_BYTES];
    char group[16];
    char state_path[SNAPSHOT_PATH_BYTES];
    char trust_path[STATE_TRUST_PATH_BYTES];
    enum state_group state_group;
    uint64_t self_id;
    struct replica_member members[NODES_MAX];
    unsigned member_count;
    const struct stream_identity *identity;
    enum stream_service service;

    uv_loop_t loop;
    uv_thread_t thread;
    struct mailbox *mailbox; /* requests of clients */
    uv_timer_t timer;
    uv_check_t check;
    bool stopping;
    _Atomic uint64_t changes; /* any thread */
    uint64_t changed_at;      /* the applied index when it last moved */

    struct core *core;
    struct state *state;
    struct log_store *log_store;
    struct disk *disk;
    struct reserve reserve;
    struct replica_watch watch;
    struct snapshot_part part;
    bool part_failed; /* said */
    int snapshot_fd;  /* of the stored snapshot being sent; -1 */
    uint64_t snapshot_fd_index;
    bool snapshot_writing;
    uv_work_t checkpoint;
    bool checkpointing;
    bool checkpoint_failed; /* said; the pool thread's while checkpointing */
    uint64_t checkpoint_at;
    uint64_t checkpointed; /* applied index then */

    struct stream_listener *listener;
    unsigned peer_count;
    struct replica_peer peers[NODES_MAX];

    uv_mutex_t status_mutex;
    struct replica_status status;
    uint64_t status_at;
};

/* The core's clock. */
uint64_t replica_now_ms(void);

/* replica_disk.c, all on the group's thread */
struct disk_limits replica_disk_limits(const struct replica_config *config);
void replica_disk_init(struct replica *replica, const struct replica_config *config);
/* At the end of each turn. */
void replica_disk_turn(struct replica *replica, uint64_t now_ms);
/* The loop goes on for REPLICA_FAILED_STOP_MS, then the process ends. */
void replica_disk_failed(struct replica *replica, const struct err *err);
/* The same where the loop can not go on. */
_Noreturn void replica_disk_failed_now(struct replica *replica, const struct err *err);

enum status replica_links_start(struct replica *replica, struct err *err);
void replica_links_stop(struct replica *replica);
void replica_links_send(struct replica *replica, uint64_t peer, uint16_t type, struct bytes body);

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
