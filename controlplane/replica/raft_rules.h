/* Consensus for one group: libraft's raft_step() driven by the rules that go round its bugs.
 *
 * Deterministic and without I/O: time is an argument, disk and links are the host's, the random
 * seed is given.  The simulator runs this very code.  One thread.  The rules stand at the top of
 * raft_rules.c, each beside a mark that is repeated where it is kept. */
#ifndef CONTROLPLANE_REPLICA_RAFT_RULES_H
#define CONTROLPLANE_REPLICA_RAFT_RULES_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/status.h"
#include "controlplane/replica/log_entry.h"

struct rules;

/* What rules ask of their host.  None of these may call back into the same struct rules. */
struct rules_host {
    /* Term and vote are durable, synced, when it returns. */
    void (*set_vote)(void *context, uint64_t term, uint64_t voted_for);
    /* Queue disk work; all of it is done in the order of asking, then rules_disk_done(). */
    void (*disk)(void *context, struct disk_op *op);
    /* Best effort, in order per peer.  `message` (its addressee in server_id) and `entries` (those
     * of an AppendEntries) are borrowed for the call.  For InstallSnapshot the host brings the
     * stored snapshot over first and then the message. */
    void (*send)(void *context,
                 const struct raft_message *message,
                 const struct log_entry *entries);
    /* Entry `index` is committed: apply it, now.  In order, without a gap but for an install.
     * One that the state holds already (state_index) may come without data.
     * False: there is no room for it; nothing was done, nothing behind it comes before it, and it
     * comes again after rules_apply_again(). */
    bool (*apply)(void *context, uint64_t index, const struct log_entry *entry);
    /* Entries `first` to first + count - 1 off the disk, where they are; their data becomes the
     * caller's.  Cannot fail: what was durable and cannot be read stops the process. */
    void (*read)(void *context, uint64_t first, unsigned count, struct log_entry *out);
    void *context;
};

/* What was recovered from disk, and how to run. */
struct rules_config {
    uint64_t id;
    const char *address; /* unique in the group; only a name here */
    uint32_t election_ms;
    uint32_t heartbeat_ms;
    uint32_t install_ms; /* a snapshot not acknowledged for so long is offered again */
    unsigned random_seed;
    uint64_t now_ms;
    uint64_t votes_from_ms; /* denies votes before: lease_rules.h */
    uint64_t term;
    uint64_t voted_for;
    const struct snapshot_meta *snapshot; /* index 0: none; copied */
    uint64_t first;                       /* index of entries[0] */
    const struct log_entry *entries;      /* borrowed; their data is shared, or is on disk only */
    unsigned count;
    uint64_t state_index;  /* the state holds everything up to here: entries need not be read */
    uint64_t memory_bytes; /* of entries' data held once they are durable; more is evicted */
};

/* The bytes of entry 1 of a new group: its first voters.  Identical on every one of them; a node
 * that joins later gets it from them.
 * Addresses are names for libraft, so the ids are used.  Owned by the caller. */
struct log_data *rules_bootstrap(const uint64_t *voter_ids, unsigned count);

/* Start from what was recovered; calls the host.  Never fails: a contradiction is a CHECK. */
struct rules *rules_new(const struct rules_config *config, const struct rules_host *host);
/* Disk work still queued is dropped unanswered. */
void rules_free(struct rules *rules);

/* Time passes: call at rules_timeout_ms() or later. */
void rules_tick(struct rules *rules, uint64_t now_ms);
uint64_t rules_timeout_ms(const struct rules *rules);

/* A message from `peer`, checked in form.  `entries` as for send(); their data is shared.
 * received  the snapshot an InstallSnapshot speaks of, when all its bytes are here; else NULL */
void rules_receive(struct rules *rules,
                   uint64_t now_ms,
                   uint64_t peer,
                   const struct raft_message *message,
                   const struct log_entry *entries,
                   const struct snapshot_meta *received);

/* Append one entry of the current term as leader.  Shares data.
 * ST_NOT_LEADER; ST_LIMIT: too many are in flight or no space is left. */
enum status rules_submit(struct rules *rules,
                         uint64_t now_ms,
                         enum log_entry_type type,
                         struct log_data *data,
                         uint64_t *out_index);

/* The oldest queued disk work is durable.  Takes `op` back. */
void rules_disk_done(struct rules *rules, uint64_t now_ms, struct disk_op *op);

/* May a snapshot be taken of what is applied now?  Fills all of out_meta but bytes and sha256.
 * again  also where the stored one is of just that: its file is rotten, and a peer may need it
 *        before anything more can be committed */
bool rules_snapshot_ready(const struct rules *rules, bool again, struct snapshot_meta *out_meta);
/* Apply committed entries, at most `bytes` of them and one at least, or all of it would be one turn
 * of the loop after a restart.  What is committed later may use up the rest at once. */
void rules_apply_more(struct rules *rules, uint64_t bytes);
/* Something is committed, not applied, and may be. */
bool rules_apply_waits(const struct rules *rules);
/* While held nothing is applied: commands and reads wait, votes and the log go on. */
void rules_hold(struct rules *rules, bool held);

/* The file for `meta` is written and synced: make it the stored one, keeping about
 * trailing_bytes of log before it for peers that lag. */
void rules_snapshot_written(struct rules *rules,
                            const struct snapshot_meta *meta,
                            uint64_t trailing_bytes);
/* Leader: the commit index that `peer` was sent last, and whether there is a newer one that it
 * could use, which no message in flight tells it. */
bool rules_commit_is_news(const struct rules *rules, uint64_t peer, uint64_t *out_told);
/* Send it, if so: the peer need not wait for entries or a heartbeat with applying. */
void rules_tell_commit(struct rules *rules, uint64_t peer);

/* Tell `target` to elect itself now, [10]: its caller has stopped submitting, and nothing can be
 * submitted while rules_transferring().
 *
 * ST_OK: it was told; whether it wins is seen by the term.  ST_UNAVAILABLE: it does not have all of
 * the log yet.  ST_NOT_FOUND: not another voter.  ST_NOT_LEADER, also while a transfer runs. */
enum status rules_transfer(struct rules *rules, uint64_t now_ms, uint64_t target);
/* Until libraft gives up: an election time-out after rules_transfer(), or with the leadership. */
bool rules_transferring(const struct rules *rules);
/* Another node may have been told to elect itself in this term: a majority that heard of this
 * leader lately does not keep others from being elected any more, so no lease holds. */
bool rules_transfer_sent_in_term(const struct rules *rules);

enum rules_change_kind {
    RULES_ADD,     /* takes the log, does not vote */
    RULES_PROMOTE, /* votes from now on */
    RULES_REMOVE,
};

/* Submit a change of the members, [9]; it is done when rules_change_pending() is false again.
 *
 * ST_CONFLICT: not now: another change, a transfer or the election's barrier is under way.
 * ST_UNAVAILABLE: the promoted one does not have all of the log.  ST_EXISTS, ST_NOT_FOUND: the
 * member is there, or votes, already; is not there.  ST_DENIED: a leader does not remove itself,
 * it hands over.  ST_LIMIT: NODES_MAX.  ST_NOT_LEADER. */
enum status rules_change(struct rules *rules,
                         uint64_t now_ms,
                         enum rules_change_kind kind,
                         uint64_t id);
/* The newest configuration in the log is not known to be committed. */
bool rules_change_pending(const struct rules *rules);

/* `id` is not in the newest committed configuration that this node has applied, and there is one.
 * Sets *out_highest to the highest id that was seen in any since the start. */
bool rules_is_out(const struct rules *rules, uint64_t id, uint64_t *out_highest);

struct rules_member {
    uint64_t id;
    bool voter;
};
/* The newest configuration, committed or not; at most NODES_MAX.  None: a node that joins and has
 * not heard of its group yet. */
unsigned rules_members(const struct rules *rules, struct rules_member *out);

/* The other voters by id, at most NODES_MAX. */
unsigned rules_voters(const struct rules *rules, uint64_t *out_ids);

/* The entry that found no room is applied, and what is behind it. */
void rules_apply_again(struct rules *rules, uint64_t now_ms);

/* When a leader of the current term was last heard of; the start, if never. */
uint64_t rules_heard_ms(const struct rules *rules);

bool rules_is_leader(const struct rules *rules);
int rules_state(const struct rules *rules); /* enum raft_state */
uint64_t rules_term(const struct rules *rules);
uint64_t rules_leader(const struct rules *rules); /* 0 when unknown */
uint64_t rules_commit(const struct rules *rules);
uint64_t rules_applied(const struct rules *rules);
uint64_t rules_last(const struct rules *rules);
uint64_t rules_persisted(const struct rules *rules);
uint64_t rules_match(const struct rules *rules, uint64_t peer); /* leader; else 0 */
/* The voters of the configuration in use, this one among them, at most NODES_MAX; how many. */
unsigned rules_all_voters(const struct rules *rules, uint64_t out_ids[NODES_MAX]);
bool rules_installing(const struct rules *rules);
uint64_t rules_log_bytes(const struct rules *rules);
uint64_t rules_held_bytes(const struct rules *rules); /* of those, in memory */
const struct snapshot_meta *rules_snapshot(const struct rules *rules);
/* The term of an index: of the log or of the stored snapshot; 0 when unknown. */
uint64_t rules_term_at(const struct rules *rules, uint64_t index);
/* NULL when it is not in the log; may be without data; valid until the next call. */
const struct log_entry *rules_entry_at(const struct rules *rules, uint64_t index);

#endif
