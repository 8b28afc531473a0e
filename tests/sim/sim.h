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
    SIM_NODES = 16, /* that ever are, each with an id of its own; at first: members_init() */
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
    BREAK_VOTES,        /* term and vote are lost in a crash */
    BREAK_APPENDS,      /* the newest appends are lost in a crash, acknowledged or not */
    BREAK_SEQUENCE,     /* a client asks again under a new sequence */
    BREAK_INSTALL,      /* a received snapshot is stored, its rows are not */
    BREAK_MARK,         /* a log that has lost its end is not noticed */
    BREAK_READBACK,     /* an evicted entry that is read back is its neighbour */
    BREAK_ROT,          /* a peer's doubt about the stored snapshot is not heard */
    BREAK_LEASE,        /* clocks' rates differ by far more than the drift bound */
    BREAK_RESTART_VOTE, /* a restarted node votes at once */
    BREAK_EPOCH,        /* frames of a link's older connection come after the newer one's */
    BREAK_SYNC,         /* an append is acknowledged before it is synced */
    BREAK_CHANGE,       /* a leader changes members before an entry of its term is committed */
    BREAK_AMNESIA,      /* a node that has lost its folder is taken for what it was */
    BREAK_COUNT,
};

enum sim_event_kind {
    EVENT_TICK,
    EVENT_DISK,
    EVENT_FRAME,
    EVENT_LINK_UP,
    EVENT_LINK_DOWN, /* a frozen node learns of it when it goes on */
    EVENT_RESTART,
    EVENT_SNAPSHOT_WRITTEN,
    EVENT_VERIFIED, /* the stored snapshot was read again */
    EVENT_CLIENT,
    EVENT_READER, /* somebody reads at this node */
    EVENT_READ,   /* a read has come to the node */
    EVENT_ROWS,   /* its read point is reached, its rows are read */
    EVENT_TRAP,
    EVENT_KILL,
    EVENT_FAULT,
    EVENT_CRASH, /* of one that receives a snapshot */
    EVENT_HEAL,
    EVENT_TROUBLE, /* of a disk; `other` says which */
    EVENT_WANTED,
    EVENT_AMNESIA, /* `other` says what of it */
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
    bool late;        /* of an older connection, put off */
    uint64_t to_life; /* the process that it was sent to */
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
    struct buf image;   /* of the snapshot */
    struct known known; /* whose log is which */
    uint64_t first;
    uint64_t count;
    uint64_t synced; /* BREAK_SYNC: a power cut takes what is behind */
    struct log_entry entries[SIM_LOG_MAX];
};

enum sim_trouble_kind { TROUBLE_NONE, TROUBLE_FULL, TROUBLE_STUCK, TROUBLE_FAILED };

/* What is wrong with a node's disk: sim_disk.c. */
struct sim_trouble {
    enum sim_trouble_kind kind;
    bool reserve;    /* full, but the log goes on */
    uint64_t number; /* counts troubles: an end is meant for one of them */
    unsigned missed; /* EVENT_DISKs whose time came meanwhile */
    bool silent;     /* the process hangs in a vote: it does nothing until it is ended */
    bool liar;
    bool refused;   /* its log has lost what it promised: it does not start any more */
    uint64_t acked; /* last entry known durable when it crashed */
};

struct sim_node {
    struct sim *sim;
    uint64_t id;           /* 1.. */
    bool exists;           /* was started once */
    bool gone;             /* for good, and its disk with it */
    unsigned first_voters; /* its configuration names so many, of a new group; 0: it joins */
    unsigned folders;      /* that it has had */
    bool fresh;            /* it was not started with the one that it has */
    bool emptied;          /* the one that it has is not what it took part with */
    bool told_forgot;      /* and it was told so */
    uint64_t down_until;   /* it is not started before */
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
    struct sim_trouble trouble;
    struct disk_op *ops;
    struct disk_op **ops_end;
    uint64_t disk_busy_until;
    struct buf part;
    struct buf written;    /* snapshot image being written */
    int64_t clock_skew_ms; /* of the clock for stamps */
    uint64_t clock_ms;     /* the other clock, another one at each boot: it said this... */
    uint64_t clock_since;  /* ...at this time of the simulation... */
    unsigned clock_rate;   /* ...and has run at this rate since, in thousandths */
    uint64_t frozen_until;
    uint64_t reads_until_ms;          /* as in replica.c: for threads that do not ask the core */
    struct snapshot_progress part_is; /* whose, and after a crash how much */
    uint64_t tick_at;
    uint64_t seen_applied; /* by the checks */
    uint64_t work_us;      /* the clock of what applying costs */
    bool writing;          /* a snapshot */
    bool rotten;           /* the stored one, since this start */
    uint64_t rotten_index;
    uint64_t rot_at; /* offset of the flipped bit plus one; 0: none */
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
    uint64_t called;     /* moments of its history */
    uint64_t returned;   /* if given up: when it certainly could not be done later; 0: never */
    uint64_t acked;      /* of its first attempt */
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
    uint64_t index;  /* was committed when it was asked */
    uint64_t called; /* moment of its history */
    unsigned name;
    bool clock_read; /* its node read the clock at the call, and then was kept from running */
    uint64_t now_ms; /* what that clock said */
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
        reads, lease_reads, fast_reads, freezes, traps, truncations, committed, transfers, adds,
        removes, replaces, changes, read_back, drops, resumes, doubts, full, stuck, failed, lies,
        emptied, refused, grown;
};

struct sim {
    uint64_t seed;
    uint64_t random;
    uint64_t now_ms;
    enum sim_break broken;
    bool verbose;
    bool faults_on;
    unsigned epilogue; /* its stage */
    unsigned epilogue_node;
    uint64_t epilogue_until;
    bool splits;          /* this seed has four voters at first, and is often split in two */
    bool steady;          /* the members of this seed stay the same */
    bool split_at_change; /* the newest split is such a one */
    uint64_t split_until; /* a split lasts so long at least */
    bool forgetful;       /* a node is yet to lose its folder... */
    uint64_t lagging;     /* ...while these lag; bits: 1 << id */
    uint64_t quiet_wanted_until;
    uint64_t emptied; /* who has lost its folder; bits: 1 << id */
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
    unsigned encores;
    uint64_t encore_ends;
    bool rotted_late;        /* a snapshot, after the faults */
    uint64_t quiet_until;    /* clients ask for no changes */
    uint64_t moment;         /* orders calls and returns */
    struct history *history; /* what clients saw */

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
/* Again at `at_ms`, before whatever was asked for later. */
void sim_put_off(struct sim *sim, struct sim_event event, uint64_t at_ms);
/* Two sides that do not hear of each other; bits: 1 << place. */
void sim_split(struct sim *sim, unsigned side);
/* Run one seed to its end; returns only if every check held. */
void sim_run(uint64_t seed, enum sim_break broken, bool verbose, struct sim_counts *out);

/* sim_clock.c: each node's own clock, and processes that stand still */
void clock_boot(struct sim_node *node);       /* at its first start and after each power cut */
void clock_drift(struct sim_node *node);      /* another rate, within the bound */
void clock_drift_away(struct sim_node *node); /* BREAK_LEASE: far too slow */
uint64_t clock_now(const struct sim_node *node);
uint64_t clock_when(const struct sim_node *node, uint64_t at_ms); /* the simulation's time of it */
void clock_freeze(struct sim_node *node);
bool clock_is_frozen(const struct sim_node *node);
/* What a frozen node would do waits until it goes on. */
bool clock_puts_off(struct sim *sim, const struct sim_event *event);

/* sim_node.c: a replica's surroundings */
void node_init(struct sim_node *node, struct sim *sim, unsigned at);
void node_bootstrap(struct sim_node *node, unsigned count); /* as one of the first `count` */
void node_forget(struct sim_node *node); /* its folder is empty, as a node's that joins */
void node_start(struct sim_node *node);
void node_crash(struct sim_node *node, bool power_cut);
void node_restarts(struct sim_node *node, unsigned within_ms); /* 5 ms at least */
void node_tick(struct sim_node *node);
void node_disk(struct sim_node *node);
void node_snapshot_written(struct sim_node *node, void *data);
void node_verified(struct sim_node *node);
void node_after(struct sim_node *node); /* after every call into its core */
/* The entry at `index` of its log, with its data, from memory or disk; NULL when it has none.
 * Data is not held in memory only where the disk has it. */
const struct log_entry *node_entry(const struct sim_node *node, uint64_t index);
void node_free(struct sim_node *node);

/* sim_disk.c */
void trouble_start(struct sim *sim);
void trouble_event(struct sim *sim, const struct sim_event *event);
void trouble_heal(struct sim *sim);
bool trouble_epilogue(struct sim *sim);    /* true when it is over */
bool trouble_holds(struct sim_node *node); /* the oldest operation is not done now */
/* A node that is refused for good and the only snapshot that rots are more than a group of three
 * stands: nothing more is committed, so no newer snapshot comes. */
bool trouble_has_liar(const struct sim *sim);
bool trouble_is_full(const struct sim_node *node);
bool trouble_votes(struct sim_node *node);
void trouble_started(struct sim_node *node);
void trouble_crashed(struct sim_node *node);
void trouble_lies(struct sim_node *node);
/* sim_members.c: members, wanted and told */
void members_init(struct sim *sim);
void members_fault(struct sim *sim);
void members_tell(struct sim *sim, const struct sim_event *event);
void members_heal(struct sim *sim);
void members_started(struct sim_node *node);
void members_committed(struct sim *sim, const struct log_entry *entry);
/* What a node does at the end of a turn: know whom it talks to, and break rules on purpose. */
void members_after(struct sim_node *node);
void members_know_peers(struct sim_node *node);
bool members_present(const struct sim *sim, unsigned node);
bool members_settled(struct sim *sim);
unsigned members_some(struct sim *sim); /* a node that exists */

/* Nothing is under way, as far as everybody knows, all are up and take part. */
bool members_quiet(const struct sim *sim);
/* By one with a new id, if it is not on its way out already. */
void members_replace(struct sim *sim, unsigned node);

/* sim_amnesia.c */
void amnesia_start(struct sim *sim);
bool amnesia_is_late(struct sim *sim, unsigned at);
uint64_t amnesia_incarnation(struct sim_node *node);
void amnesia_event(struct sim *sim, const struct sim_event *event);
void amnesia_after(struct sim_node *node);
/* A voter is lost and not out yet: as trouble_has_liar() says, a snapshot that rots is too much. */
bool amnesia_stands(const struct sim *sim);

/* sim_network.c */
bool network_is_up(const struct sim *sim, unsigned from, unsigned to);
void network_send(struct sim *sim, unsigned from, unsigned to, uint16_t type, struct bytes body);
void network_deliver(struct sim *sim, const struct sim_event *event);
void network_break(struct sim *sim, unsigned from, unsigned to, bool cut);
void network_up(struct sim *sim, const struct sim_event *event);
void network_down(struct sim *sim, const struct sim_event *event);
void network_node_started(struct sim *sim, unsigned node);
void network_heal(struct sim *sim);
/* All is settled: break something small into the quiet, if that was not done often enough. */
bool network_encore(struct sim *sim);
void sim_frame_free(struct sim_frame *frame);

/* sim_clients.c */
void clients_init(struct sim *sim);
void clients_step(struct sim *sim);
void clients_ask_at(struct sim *sim, unsigned node); /* one more operation */
void clients_answered(struct sim *sim,
                      struct sim_op *op,
                      enum status st,
                      const Lapwing__Outcome *outcome);

/* sim_reads.c: linearizable reads, traps for leases, and what clients saw */
void reads_start(struct sim *sim, unsigned node);
void reads_start_somewhere(struct sim *sim);
/* A node that takes itself for the leader, rightly or not; SIM_NODES: none. */
unsigned reads_some_leader(struct sim *sim);
void reads_arrive(struct sim *sim, const struct sim_event *event, bool alive);
void reads_done(struct sim *sim, struct sim_read *read, enum status st);
void reads_rows(struct sim *sim, const struct sim_event *event, bool alive);
void reads_break_leases(struct sim *sim); /* BREAK_LEASE */
void reads_suspend(struct sim *sim);
void reads_trap(struct sim *sim);
void reads_trap_closes(struct sim *sim);
void reads_check_leases(struct sim *sim);
void reads_check_history(struct sim *sim);

/* sim_checks.c */
void checks_after_event(struct sim *sim);
bool checks_settled(struct sim *sim);
void checks_final(struct sim *sim);

#endif
