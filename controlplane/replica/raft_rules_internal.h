/* What the files raft_*.c share; nobody else includes this. */
#ifndef CONTROLPLANE_REPLICA_RAFT_RULES_INTERNAL_H
#define CONTROLPLANE_REPLICA_RAFT_RULES_INTERNAL_H

#include "controlplane/replica/memory_log.h"
#include "controlplane/replica/raft_rules.h"

enum {
    READ_BACK_ENTRIES_MAX = 64,
    READ_BACK_BYTES_MAX = 1 << 20, /* but one entry at least */
    DROP_BYTES_MAX = 1 << 20,      /* of entries that one DISK_DROP takes away, one at least */
};

/* Kilobytes of disk that we claim to have; checked elsewhere. */
enum { RULES_CAPACITY = 60000 };

struct rules {
    struct raft raft;
    struct rules_host host;
    char address[24];
    uint64_t now;
    uint64_t last_tick;
    uint32_t election_ms;

    struct memory_log log;
    uint64_t memory_bytes; /* of entries' data that memory may hold once they are durable */
    struct {               /* entries read back from the disk, the newest run of them */
        uint64_t first;
        unsigned count;
        struct log_entry entries[READ_BACK_ENTRIES_MAX];
    } window;
    uint64_t drop_below; /* entries below are to go from the disk, piece by piece */
    bool dropping;
    struct snapshot_meta snapshot; /* stored; index 0 when there is none */
    uint64_t term;                 /* as last made durable */
    uint64_t voted_for;

    uint64_t votes_from_ms; /* no vote is granted before */
    uint64_t disrupt_term;  /* the one whose election a leader gave us leave for */

    uint64_t commit; /* [1] the maximum ever seen */
    uint64_t applied;
    uint64_t state_index; /* the state had these when it was opened: applied without their data */
    uint64_t apply_left;  /* bytes that may be applied before the next rules_apply_more() */
    bool held;            /* nothing is applied: rules_hold() */
    uint64_t persisted;
    uint64_t change_index;        /* of the last applied CHANGE */
    struct log_data *change_data; /* its configuration */
    uint64_t committed_ids[NODES_MAX];
    unsigned committed_count;
    uint64_t highest_id; /* that was in any since the start */

    struct disk_op *ops; /* [2] queued, oldest first */
    struct disk_op **ops_end;
    bool installing;
    bool taking;

    bool apply_held; /* an entry found no room */

    bool stale; /* [4] the message being fed is of an older term */
    bool was_leader;
    uint64_t asked_term;         /* of the newest request for a vote */
    uint64_t heard_leader;       /* when a leader of the term last said anything */
    uint64_t transfer_term;      /* [10] the last term in which TimeoutNow may have been sent */
    const struct log_entry *fed; /* entries of the event being fed, `fed_first` is the first's */
    uint64_t fed_first;
    unsigned fed_count;
    struct snapshot_meta received; /* of the InstallSnapshot being fed */

    struct {
        uint64_t id;
        uint64_t commit;
    } told[NODES_MAX]; /* leader: highest commit index sent to each peer */
};

/* One event through raft_step(), and all that it asks for.  What is not 0 is an answer, [11]. */
int rules_feed(struct rules *rules, uint64_t now_ms, struct raft_event *event);

void rules_apply_committed(struct rules *rules);
bool rules_leader_is_silent(const struct rules *rules); /* [13] */
/* As rules_submit(), and for a CHANGE: it is the caller that keeps [9]. */
enum status rules_submit_any(struct rules *rules,
                             uint64_t now_ms,
                             enum log_entry_type type,
                             struct log_data *data,
                             uint64_t *out_index);
/* As rules_change() without looking whether one is allowed now: for the simulation, which shows
 * that [9] is needed. */
enum status rules_change_unchecked(struct rules *rules,
                                   uint64_t now_ms,
                                   enum rules_change_kind kind,
                                   uint64_t id);

/* The newest configuration that the disk holds, committed or not; empty: none. */
struct bytes rules_newest_configuration(const struct rules *rules);
/* Another configuration is committed. */
void rules_committed_configuration(struct rules *rules);
/* A denied pre-vote of a term that is over tells the one that is. */
void rules_tell_term(const struct rules *rules, struct raft_request_vote_result *result);
/* The log was cut: it ends before `first`, where an entry was appended in the same step. */
void rules_truncated(struct rules *rules, uint64_t first);
/* The own role as a request for a vote shall see it, and back. */
int rules_role_for_vote(struct rules *rules);
void rules_role_back(struct rules *rules, int role);

/* An AppendEntries with this commit index, as far as the peer can use it, was sent to `peer`. */
void rules_told(struct rules *rules, uint64_t peer, uint64_t commit);

/* raft_evict.c: what is held in memory of the log, and what is read back.
 *
 * The entry at `index`, which is in the log, with its data; valid until the next call. */
const struct log_entry *rules_entry_whole(struct rules *rules, uint64_t index);
/* Copies of `count` entries with shares of their data, to be given back to rules_give_back(). */
struct log_entry *rules_gather(struct rules *rules, uint64_t first, unsigned count);
void rules_give_back(struct log_entry *entries, unsigned count);
/* Forget what was read back: the log was cut. */
void rules_window_clear(struct rules *rules);
/* What is durable may leave the memory. */
void rules_evict(struct rules *rules);
/* How many entries libraft may have on their way to a peer. */
unsigned rules_inflight_max(const struct rules *rules, unsigned usual);

/* raft_rules.c */
struct disk_op *rules_op_new(struct rules *rules, enum disk_op_kind kind);
/* raft_evict.c: the next piece of what `drop_below` asks for, if there is one. */
void rules_drop_more(struct rules *rules);

/* raft_votes.c */
/* A RequestVote that must not be fed, since it is too early to vote; then it was denied. */
bool rules_vote_is_held(struct rules *rules, const struct raft_message *message);
/* A TimeoutNow came. */
void rules_leave_given(struct rules *rules, const struct raft_timeout_now *args);
/* A RequestVote goes out: it may disrupt only in the term that leave was given for. */
void rules_limit_disruption(const struct rules *rules, struct raft_message *message);

#endif
