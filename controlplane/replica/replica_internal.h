/* What the acting files of a replica share; nobody else includes this.
 *
 *   replica.c          life, recovery, the loop's thread, what the core asks for
 *   replica_links.c    streams to and from the other members
 *   replica_client.c   callers on other loops */
#ifndef CONTROLPLANE_REPLICA_REPLICA_INTERNAL_H
#define CONTROLPLANE_REPLICA_REPLICA_INTERNAL_H

#include "base/mailbox.h"
#include "controlplane/replica/core.h"
#include "controlplane/replica/disk.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/replica.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/state/state.h"

enum {
    REPLICA_CHECKPOINT_MS = 2000,
    REPLICA_WAL_BYTES_MAX = 64 << 20,
    REPLICA_STATUS_MS = 10,
};

/* A connection to, and the connections from, one other member. */
struct replica_peer {
    struct replica *replica;
    struct replica_member member;
    struct stream_dialer *dialer;
    struct stream *out; /* open; frames go here */
};

struct replica {
    /* Fixed once started. */
    char dir[SNAPSHOT_PATH_BYTES / 2];
    char group[16];
    char state_path[SNAPSHOT_PATH_BYTES];
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
    /* core_reads_until_ms() of the last turn's end, 0 from before the next thing leaves the core.
     */
    _Atomic uint64_t reads_until_ms;

    struct core *core;
    struct state *state;
    struct log_store *log_store;
    struct disk *disk;
    struct snapshot_part part;
    int snapshot_fd; /* of the stored snapshot being sent; -1 */
    uint64_t snapshot_fd_index;
    bool snapshot_writing;
    uv_work_t checkpoint;
    bool checkpointing;
    uint64_t checkpoint_at;
    uint64_t checkpointed; /* applied index then */

    struct stream_listener *listener;
    unsigned peer_count;
    struct replica_peer peers[NODES_MAX];

    uv_mutex_t status_mutex;
    struct replica_status status;
    uint64_t status_at;
};

/* The core's clock: goes on while the machine is suspended, as a lease must.  Any thread. */
uint64_t replica_now_ms(void);

enum status replica_links_start(struct replica *replica, struct err *err);
void replica_links_stop(struct replica *replica);
void replica_links_send(struct replica *replica, uint64_t peer, uint16_t type, struct bytes body);

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
