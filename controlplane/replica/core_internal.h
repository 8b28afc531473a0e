/* What the files of the core share; nobody else includes this.
 *
 *   core.c            life, turns, applying, status
 *   core_commit.c     proposals: queue, group commit, forwarding, repeating
 *   core_barrier.c    linearizable read points
 *   core_lease.c      the leader's lease, which spares them an entry
 *   core_snapshot.c   taking, sending in chunks, receiving
 *   core_transfer.c   handing leadership over
 *   core_disk.c       what a full, slow or failed disk means
 *   core_members.c    making the members those that are wanted
 *   core_known.c      telling a member's log from one that took its place
 *   core_tell.c       telling followers what is committed */
#ifndef CONTROLPLANE_REPLICA_CORE_INTERNAL_H
#define CONTROLPLANE_REPLICA_CORE_INTERNAL_H

#include "controlplane/replica/core.h"
#include "controlplane/replica/lease_rules.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/wire.h"

enum {
    PROPOSAL_BUCKETS = 4096,   /* a power of two */
    CORE_TELL_MS = 2,          /* what is committed is told to who has not asked, at the latest */
    CORE_SCAN_MS = 20,         /* deadlines and repeats are looked at this often while any wait */
    CORE_ATTEMPT_MS = 1000,    /* an attempt without a sign is repeated */
    CORE_TRANSFER_MS = 10000,  /* a snapshot transfer without an acknowledgement is given up */
    CORE_RETAKE_MS = 1000,     /* a rotten snapshot is taken again, after a failure, too */
    CORE_APPLY_AGAIN_MS = 200, /* an entry that found no room is tried again */
    CORE_HANDOVER_AGAIN_MS = 3000, /* an unfit leader that could not hand over tries again */
    CORE_DISK_SAY_MS = 1000,       /* an unfit node says so again */
    CORE_DISK_SAID_MS = 5000,      /* what was said counts for so long */
    CORE_PATIENCE_TIMEOUTS = 10,   /* without a leader for so long, an unfit node stands as well */
};

/* A command on its way.  Local ones (token set by a caller here) live in the table from propose to
 * answer; those of other nodes only in the queue.  One in both is freed when it left both. */
struct proposal {
    struct proposal *bucket_next;
    struct proposal *queue_next;
    Lapwing__Command *command; /* owned */
    uint64_t deadline_ms;
    void *token;
    uint64_t sent_to; /* leader that has it; 0: nobody, try again */
    uint64_t sent_term;
    uint64_t sent_ms;
    uint64_t peer; /* whose it is; 0: local */
    uint64_t peer_request;
    bool queued;
    bool ever_sent;   /* its outcome may be unknown */
    bool sent_before; /* the same, but for the newest attempt */
    bool refused;     /* the leader takes no commands */
    bool answered;
};

enum barrier_state {
    BARRIER_WAITING, /* for a leader, an entry or an answer slot */
    BARRIER_ASKED,   /* of the leader, in request `asked` */
    BARRIER_INDEXED, /* done once `index` is applied here; if `term` is set, only by that entry */
};

struct barrier {
    struct barrier *next;
    enum barrier_state state;
    uint64_t deadline_ms;
    void *token;
    uint64_t peer; /* 0: local */
    uint64_t peer_request;
    uint64_t asked;
    uint64_t index;
    uint64_t term;
};

/* One snapshot on its way to a peer. */
struct transfer {
    bool active;
    bool probed; /* the peer has said how much it holds */
    struct snapshot_meta meta;
    struct raft_message message; /* the InstallSnapshot that ends it */
    uint64_t next;               /* offset to be sent */
    uint64_t acked;
    uint64_t progress_ms;
};

struct peer {
    uint64_t id;
    bool up;                  /* our link towards it is open */
    uint64_t heard_ms;        /* when it last said anything; 0: never */
    enum disk_condition disk; /* as it said last... */
    uint64_t disk_ms;         /* ...then */
    bool said_hello;          /* what its last one said: */
    bool says_incarnation;    /* it is of a release that takes a second hello */
    uint64_t told_known;      /* the newest that we told it: core.known_changes */
    bool waits;               /* it does not take part yet */
    bool denied;              /* it is not the log that is known under its id */
    struct transfer transfer;
    uint64_t finished_index; /* of the snapshot that it was sent last, all of it */
    uint64_t wants_index;    /* waits for it to be committed: its command, or its read point */
};

/* Leadership on its way to another node. */
struct handover {
    bool active;
    bool own;        /* from this node: it holds commands back while it leads */
    bool remote;     /* another node asked: nobody here waits for the outcome */
    bool told;       /* the target was told to elect itself */
    uint64_t target; /* 0: any */
    uint64_t from;   /* who led when it began */
    uint64_t term;
    uint64_t hold_until; /* a target that has all of the log must be found by then */
    uint64_t deadline_ms;
    void *token;
};

struct core {
    struct core_config config; /* its borrowed pointers cleared */
    char address[ADDRESS_BYTES_MAX + 1];
    struct known known;
    uint64_t known_changes;
    struct known_by known_by; /* while we do not take part */
    struct core_io io;
    struct state *state;
    struct rules *rules;
    uint64_t now;
    uint64_t next_scan; /* 0: nothing waits */

    uint64_t seen_term; /* what the last turn knew */
    uint64_t seen_leader;
    bool seen_installing;
    uint64_t leader_ms; /* stamped last by us as leader */
    bool leading;       /* leader, and everything of older terms is applied */
    uint64_t in_flight[CORE_ENTRIES_IN_FLIGHT_MAX];
    unsigned in_flight_count;

    struct lease lease; /* of seen_term, while we lead it */
    struct {
        uint64_t term;
        uint64_t leader;
        uint64_t sent_ms; /* newest, on that leader's clock */
    } heard;              /* the last AppendEntries that was not refused */

    struct proposal *buckets[PROPOSAL_BUCKETS];
    unsigned proposal_count;
    struct proposal *queue;
    struct proposal **queue_end;
    unsigned queue_count;

    struct barrier *barriers;
    struct barrier **barriers_end;
    unsigned barrier_count;
    uint64_t barrier_asked; /* request in flight to barrier_asked_of; 0: none */
    uint64_t barrier_asked_of;
    uint64_t barrier_asked_term;
    uint64_t barrier_asked_ms;
    uint64_t next_request;

    struct snapshot_need since_snapshot;
    bool snapshot_writing;
    uint64_t rotten_index; /* of the stored snapshot, while that is not to be trusted; else 0 */
    uint64_t retake_ms;    /* that one is not taken again before */
    struct snapshot_progress part;

    struct handover handover;
    enum disk_condition disk;
    uint64_t disk_say_at;
    uint64_t disk_handover_at; /* not before */
    bool apply_held;
    uint64_t apply_again_ms;

    unsigned want_count;
    struct member_want wants[CORE_WANTS_MAX];
    uint64_t members_look; /* not before */
    uint64_t promoting;    /* commands are held back for this standby; 0: none */
    uint64_t promote_until;

    uint64_t tell_at; /* followers that wait for nothing; 0: they know it all */

    unsigned peer_count;
    struct peer peers[CORE_PEERS_MAX];
};

struct peer *core_peer(struct core *core, uint64_t id); /* NULL: not a member */
/* Scan at that time or before. */
void core_scan_at(struct core *core, uint64_t at_ms);
void core_wait_scan(struct core *core); /* CORE_SCAN_MS from now */

/* core_commit.c */
void commit_flush(struct core *core);
void commit_scan(struct core *core, bool leader_changed);
void commit_link_down(struct core *core, uint64_t peer);
void commit_after_install(struct core *core);
void commit_outcome(struct core *core,
                    const Lapwing__Command *command,
                    const Lapwing__Outcome *outcome);
void commit_drop_queue(struct core *core);
void commit_done(struct core *core);
enum status commit_forward(struct core *core, uint64_t peer, struct bytes body, struct err *err);
enum status commit_forwarded(struct core *core, uint64_t peer, struct bytes body, struct err *err);

/* core_barrier.c */
bool barrier_wants_entry(const struct core *core);
void barrier_attach(struct core *core, uint64_t index);
void barrier_applied(struct core *core);
void barrier_by_lease(struct core *core);
void barrier_scan(struct core *core, bool leader_changed);
void barrier_link_down(struct core *core, uint64_t peer);
void barrier_done(struct core *core);
enum status barrier_frame(struct core *core, uint64_t peer, struct bytes body, struct err *err);
enum status barrier_done_frame(struct core *core,
                               uint64_t peer,
                               struct bytes body,
                               struct err *err);

/* core_transfer.c */
void transfer_step(struct core *core);
bool transfer_holds(const struct core *core); /* nothing may be submitted */
void transfer_done(struct core *core);
enum status transfer_frame(struct core *core, struct bytes body, struct err *err);
void transfer_from_here(struct core *core, uint64_t target); /* as leader, for nobody */

/* core_members.c */
void members_step(struct core *core);
struct members_change members_next(const struct core *core);
bool members_hold(const struct core *core); /* nothing may be submitted */
void members_view(const struct core *core, struct core_view *out);

/* core_disk.c */
/* May commands be taken into the log by us as leader? */
bool disk_takes_commands(const struct core *core);
/* ...and is there nobody who could lead in our place? */
bool disk_refuses_commands(const struct core *core);
/* Not to stand for election now; until when, at the latest. */
bool disk_withholds_tick(const struct core *core, uint64_t *out_until_ms);
enum disk_condition disk_of_peer(const struct core *core, const struct peer *peer);
void disk_turn(struct core *core);
void disk_apply_held(struct core *core);
void disk_scan(struct core *core);
void disk_link(struct core *core, const struct peer *peer, bool up);
enum status disk_frame(struct core *core, uint64_t peer, struct bytes body, struct err *err);

/* core_tell.c */
void tell_wanted(struct core *core, uint64_t peer, uint64_t index);
void tell_forget(struct core *core); /* another term */
void tell_turn(struct core *core);

/* core_known.c */
void known_link(struct core *core, struct peer *peer, bool up);
bool known_withholds_vote(const struct core *core);

/* core_lease.c */
void core_lease_heard(struct core *core, uint64_t peer, const struct wire_message *message);
uint64_t core_lease_echo(const struct core *core, const struct raft_message *result);
void core_lease_echoed(struct core *core, uint64_t peer, const struct wire_message *message);
uint64_t core_lease_until(const struct core *core); /* 0: no lease */

/* core_snapshot.c */
void snapshot_maybe_take(struct core *core);
void snapshot_offer(struct core *core, const struct raft_message *message);
void snapshot_link(struct core *core, struct peer *peer, bool up);
void snapshot_scan(struct core *core);
bool snapshot_sending(const struct core *core);
bool snapshot_rotten(const struct core *core);
const struct snapshot_meta *snapshot_received(struct core *core, const struct snapshot_meta *meta);
enum status snapshot_chunk(struct core *core, uint64_t peer, struct bytes body, struct err *err);
enum status snapshot_ack(struct core *core, uint64_t peer, struct bytes body, struct err *err);

#endif
