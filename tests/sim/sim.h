/* A group of replicas in one process, on virtual time, links and disks.
 *
 * The real core (controlplane/replica) and the real state code run here; what is simulated is what
 * replica.c would bring: the loop, sockets, log.db, files.  Nothing in a run depends on anything
 * but the seed.  A failed check prints what, when and how to replay it, and exits with 1. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "controlplane/replica/core.h"
#include "controlplane/state/state.h"

enum {
    SIM_NODES = 16, /* that ever are: each has an id of its own; three or five at first */
    SIM_ZONES = 3,
    SIM_MEMBERS_MIN = 3,
    SIM_MEMBERS_MAX = 7,
    SIM_CLIENTS = 4,
    SIM_NAMES = 6,
    SIM_LOG_MAX = 20000,
    SIM_OPS_MAX = 20000,
    SIM_ELECTION_MS = 300,
    SIM_HEARTBEAT_MS = 50,
};

/* Rules left out on purpose, to see that the checks find it (README, "Does it find anything?"). */
enum sim_break {
    BREAK_NOTHING,
    BREAK_VOTES,    /* term and vote are lost in a crash */
    BREAK_APPENDS,  /* the newest appends are lost in a crash, acknowledged or not */
    BREAK_SEQUENCE, /* a client asks again under a new sequence */
    BREAK_INSTALL,  /* a received snapshot is stored, its rows are not */
    BREAK_CHANGE,   /* a leader changes members before an entry of its term is committed */
};

enum sim_event_kind {
    EVENT_TICK,
    EVENT_DISK,
    EVENT_FRAME,
    EVENT_LINK_UP,
    EVENT_RESTART,
    EVENT_SNAPSHOT_WRITTEN,
    EVENT_CLIENT,
    EVENT_FAULT,
    EVENT_HEAL,
    EVENT_WANTED,
    EVENT_POWER_CUT,
};

struct sim_event {
    uint64_t at_ms;
    uint64_t order; /* breaks ties: first asked, first served */
    enum sim_event_kind kind;
    unsigned node;
    unsigned other;
    uint64_t life; /* of what it was meant for: a node's start, a link's opening */
    void *data;
};

struct sim_frame {
    uint16_t type;
    struct buf body;
};

struct sim_link {
    bool up;
    bool cut; /* by a partition: does not come up by itself */
    uint64_t life;
    uint64_t last_ms; /* arrival of the newest frame: order is kept */
};

/* What survives a power cut. */
struct sim_disk {
    uint64_t term;
    uint64_t voted_for;
    struct snapshot_meta snapshot;
    struct buf image; /* of the snapshot */
    uint64_t first;
    uint64_t count;
    struct log_entry entries[SIM_LOG_MAX];
};

struct sim_node {
    struct sim *sim;
    uint64_t id;           /* 1.. */
    bool exists;           /* was started once */
    bool gone;             /* for good, and its disk with it */
    unsigned told;         /* of sim->wants: a prefix with sim->removed as of then */
    uint64_t told_removed; /* bits: 1 << id */
    uint64_t peers;        /* bits: 1 << id, as its core knows */
    bool was_leader;
    bool was_changing;
    bool up;
    bool slow;
    uint64_t life; /* counts starts */
    struct core *core;
    struct state *state;
    struct sim_disk disk;
    struct disk_op *ops;
    struct disk_op **ops_end;
    uint64_t disk_busy_until;
    struct buf part;
    struct buf written; /* snapshot image being written */
    int64_t clock_skew_ms;
    uint64_t tick_at;
    uint64_t seen_applied; /* by the checks */
};

enum sim_op_state { OP_IDLE, OP_WAITING, OP_RETRY, OP_ANSWERED };

/* One thing that a client wants done once, however often it asks. */
struct sim_op {
    unsigned client;
    unsigned number;
    uint64_t sequence;
    enum sim_op_state state;
    bool given_up;
    enum status outcome; /* as the client was told */
    bool maybe;          /* some attempt had an unknown outcome */
    uint64_t retry_at;
    Lapwing__CommandType type;
    unsigned name;
    char revision[37];
    struct buf body;
    /* of the oracle */
    unsigned applied;
    enum status want;
};

struct sim_client {
    uint8_t id[16];
    uint64_t next_sequence;
    uint64_t state_acked;   /* as the state knows it, by the oracle */
    bool seen[SIM_OPS_MAX]; /* sequences that were committed */
    struct sim_op *of_sequence[SIM_OPS_MAX];
};

struct sim_read {
    unsigned node;
    uint64_t index; /* was committed when it was asked */
};

/* What one name holds after all committed entries. */
struct sim_row {
    bool exists;
    char revision[37];
    uint64_t config_epoch;
    uint64_t last_version; /* ever published under the name */
    uint64_t newest;       /* version there is, 0 for none... */
    uint64_t newest_epoch; /* ...and the config_epoch that it is a copy of */
};

/* Who shall be a member, as an operator said it. */
struct sim_wants {
    unsigned count;
    struct member_want list[SIM_NODES]; /* id = place + 1 */
    uint64_t removed;                   /* bits: 1 << id */
    uint64_t members;                   /* bits: of the newest committed configuration... */
    uint64_t voters;                    /* ...and who votes in it */
};

struct sim_counts {
    uint64_t events, crashes, kills, installs, takes, link_breaks, leaders, acks, retries, unknown,
        reads, truncations, committed, transfers, adds, removes, replaces, changes;
};

struct sim {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ms;
    enum sim_break broken;
    bool verbose;
    bool faults_on;
    bool splits;          /* this seed has four voters at first, and is often split in two */
    bool steady;          /* the members of this seed stay the same */
    bool split_at_change; /* the newest split is such a one */
    uint64_t quiet_until; /* a split lasts so long at least */
    uint64_t heap_count;
    uint64_t heap_capacity;
    struct sim_event *heap;
    uint64_t next_order;
    struct sim_node nodes[SIM_NODES];
    struct sim_link links[SIM_NODES][SIM_NODES];
    struct sim_client clients[SIM_CLIENTS];
    struct sim_op *ops[SIM_OPS_MAX];
    unsigned op_count;
    unsigned op_open;
    unsigned reads_open;

    /* The oracle: what was committed, by index. */
    uint64_t committed;
    uint64_t committed_term[SIM_LOG_MAX];
    uint64_t committed_hash[SIM_LOG_MAX];
    uint64_t digest[SIM_LOG_MAX];
    bool digest_known[SIM_LOG_MAX];
    uint64_t leader_of_term[SIM_LOG_MAX];
    struct sim_wants wants;
    struct sim_row rows[SIM_NAMES];
    struct sim_counts counts;
};

/* sim.c: time, chance, the run */
_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_say(const struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t sim_random(struct sim *sim);
unsigned sim_below(struct sim *sim, unsigned bound); /* 0..bound-1; 0 for 0 */
/* `order` is filled in; a time that is past means now. */
void sim_at(struct sim *sim, struct sim_event event);
/* Two sides that do not hear of each other; bits: 1 << place. */
void sim_split(struct sim *sim, unsigned side);
/* Run one seed to its end; returns only if every check held. */
void sim_run(uint64_t seed, enum sim_break broken, bool verbose, struct sim_counts *out);

/* sim_node.c: a replica's surroundings */
void node_init(struct sim_node *node, struct sim *sim, unsigned at);
void node_bootstrap(struct sim_node *node, unsigned count); /* as one of the first `count` */
void node_start(struct sim_node *node);
void node_crash(struct sim_node *node, bool power_cut);
void node_tick(struct sim_node *node);
void node_disk(struct sim_node *node);
void node_snapshot_written(struct sim_node *node, void *data);
void node_after(struct sim_node *node); /* after every call into its core */
void node_free(struct sim_node *node);

/* sim_members.c: members, wanted and told */
void members_init(struct sim *sim);
void members_fault(struct sim *sim);
void members_tell(struct sim *sim, const struct sim_event *event);
void members_heal(struct sim *sim);
void members_started(struct sim_node *node);
void members_committed(struct sim *sim, const struct log_entry *entry);
/* What a node does at the end of a turn: know whom it talks to, and break rules on purpose. */
void members_after(struct sim_node *node);
bool members_present(const struct sim *sim, unsigned node);
bool members_settled(struct sim *sim);
unsigned members_some(struct sim *sim); /* a node that exists */

/* sim_network.c */
bool network_is_up(const struct sim *sim, unsigned from, unsigned to);
void network_send(struct sim *sim, unsigned from, unsigned to, uint16_t type, struct bytes body);
void network_deliver(struct sim *sim, const struct sim_event *event);
void network_break(struct sim *sim, unsigned from, unsigned to, bool cut);
void network_up(struct sim *sim, const struct sim_event *event);
void network_node_started(struct sim *sim, unsigned node);
void network_heal(struct sim *sim);
void sim_frame_free(struct sim_frame *frame);

/* sim_clients.c */
void clients_init(struct sim *sim);
void clients_step(struct sim *sim);
void clients_answered(struct sim *sim,
                      struct sim_op *op,
                      enum status st,
                      const Lapwing__Outcome *outcome);
void clients_read_done(struct sim *sim, struct sim_read *read, enum status st);

/* sim_checks.c */
void checks_after_event(struct sim *sim);
bool checks_settled(struct sim *sim);
void checks_final(struct sim *sim);

#endif
