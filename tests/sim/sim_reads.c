/* Linearizable reads of one function's row, traps for leases, and the history of what clients saw.
 */
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/functions.h"
#include "tests/lib/history.h"
#include "tests/sim/sim.h"

enum {
    DEADLINE_MS = 2000,
    STEPS_MAX = 1000000, /* of the history's search, for a name */
    TRAP_NODES = 3,      /* the only seeds that lie in wait have so many, all the time */
    TRAP_QUIET_MS = 200,
    TRAP_KILLS = 3,
    TRAP_KILL_EVERY_MS = 300,
    TRAP_READ_EVERY_MS = 15,
};

/* ---- reading ---- */

static struct sim_read *read_new(struct sim *sim, unsigned at)
{
    struct sim_read *read = must_calloc(1, sizeof *read);

    read->node = at;
    read->index = sim->committed;
    read->called = ++sim->moment;
    read->name = sim_below(sim, SIM_NAMES);
    read->clock_read = sim_below(sim, 4) == 0;
    read->now_ms = clock_now(&sim->nodes[at]);
    sim->reads_open++;
    return read;
}

static void check_index(struct sim *sim, const struct sim_read *read)
{
    uint64_t index;
    uint64_t term;

    state_applied(sim->nodes[read->node].state, &index, &term);
    if (index < read->index)
        sim_fail(sim, "a read on node %u sees %llu, but %llu was committed before", read->node + 1,
                 (unsigned long long)index, (unsigned long long)read->index);
}

void reads_start(struct sim *sim, unsigned at)
{
    struct sim_node *node = &sim->nodes[at];
    struct sim_event event = { .at_ms = sim->now_ms, .node = at, .life = node->life };

    if (!node->up)
        return;
    event.data = read_new(sim, at);
    if (clock_now(node) < node->reads_until_ms && sim_below(sim, 2) == 0) {
        /* By a thread that does not ask the core, and runs though the core's may stand still. */
        sim->counts.reads++;
        sim->counts.fast_reads++;
        check_index(sim, event.data);
        reads_rows(sim, &event, true);
        return;
    }
    event.at_ms += sim_below(sim, 3);
    event.kind = EVENT_READ;
    sim_at(sim, event);
}

unsigned reads_some_leader(struct sim *sim)
{
    unsigned first = sim_below(sim, SIM_NODES);

    for (unsigned i = 0; i < SIM_NODES; i++) {
        unsigned at = (first + i) % SIM_NODES;
        struct core_view view;

        if (!sim->nodes[at].up)
            continue;
        core_view(sim->nodes[at].core, &view);
        if (view.raft_state == RAFT_LEADER)
            return at;
    }
    return SIM_NODES;
}

void reads_start_somewhere(struct sim *sim)
{
    unsigned leader = reads_some_leader(sim);

    reads_start(sim, leader == SIM_NODES || sim_below(sim, 2) == 0 ? members_some(sim) : leader);
}

static void drop(struct sim *sim, struct sim_read *read)
{
    sim->reads_open--;
    free(read);
}

void reads_arrive(struct sim *sim, const struct sim_event *event, bool alive)
{
    struct sim_node *node = &sim->nodes[event->node];
    struct sim_read *read = event->data;
    uint64_t now_ms = read->clock_read ? read->now_ms : clock_now(node);

    if (!alive) {
        drop(sim, read);
        return;
    }
    if (core_barrier(node->core, now_ms, now_ms + DEADLINE_MS, read) != ST_OK)
        drop(sim, read);
    node_after(node);
}

void reads_done(struct sim *sim, struct sim_read *read, enum status st)
{
    struct sim_node *node = &sim->nodes[read->node];
    struct core_view view;

    if (st != ST_OK) {
        drop(sim, read);
        return;
    }
    core_view(node->core, &view);
    sim->counts.reads++;
    if (clock_now(node) < view.lease_until_ms)
        sim->counts.lease_reads++;
    check_index(sim, read);
    /* The reader has a thread of its own. */
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, 20),
                                    .kind = EVENT_ROWS,
                                    .node = read->node,
                                    .life = node->life,
                                    .data = read });
}

/* ---- what clients saw ---- */

enum { OP_CREATE, OP_UPDATE, OP_DELETE, OP_READ };

/* A row is known by who wrote it last and how many updates it has had: epoch 0 is no row. */
static uint64_t row_of(uint64_t writer, uint64_t epoch)
{
    return epoch == 0 ? 0 : writer << 32 | epoch;
}

/* One function's row: words[0] its writer, words[1] its epoch. */
static bool model(struct history_state *state, const struct history_op *op)
{
    bool exists = state->words[1] != 0;
    uint64_t result = exists ? ST_OK : ST_NOT_FOUND;

    switch (op->kind) {
    case OP_READ:
        return op->result == row_of(state->words[0], state->words[1]);
    case OP_CREATE:
        result = exists ? ST_EXISTS : ST_OK;
        if (!exists)
            *state = (struct history_state){ { op->argument, 1 } };
        break;
    case OP_UPDATE:
        if (exists)
            *state = (struct history_state){ { op->argument, state->words[1] + 1 } };
        break;
    default:
        memset(state, 0, sizeof *state);
        break;
    }
    return op->unknown || op->result == result;
}

void reads_rows(struct sim *sim, const struct sim_event *event, bool alive)
{
    struct sim_node *node = &sim->nodes[event->node];
    struct sim_read *read = event->data;
    struct history_op op = { .key = read->name, .called = read->called, .kind = OP_READ };
    Lapwing__Function *function = NULL;
    char name[16];
    enum status st;

    if (!alive) {
        drop(sim, read);
        return;
    }
    (void)snprintf(name, sizeof name, "function-%u", read->name);
    st = state_get_function(state_reader_of(node->state), "000000000000", "eu-west-1", name,
                            &function, NULL);
    if (st == ST_OK)
        op.result = row_of(strtoull(strrchr(function->revision_id, '-') + 1, NULL, 16),
                           function->config_epoch);
    else if (st != ST_NOT_FOUND)
        sim_fail(sim, "node %llu: %s: %s", (unsigned long long)node->id, name, status_name(st));
    if (st == ST_OK)
        lapwing__function__free_unpacked(function, NULL);
    op.returned = ++sim->moment;
    history_add(sim->history, &op);
    drop(sim, read);
}

static void add_write(struct sim *sim, const struct sim_op *op)
{
    struct history_op out = { .key = op->name,
                              .called = op->called,
                              .returned = op->returned == 0 ? HISTORY_NO_END : op->returned,
                              .unknown = op->given_up,
                              .argument = op->number,
                              .result = op->outcome };

    switch (op->type) {
    case LAPWING__COMMAND_TYPE__CREATE_FUNCTION:
        out.kind = OP_CREATE;
        break;
    case LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE:
        out.kind = OP_UPDATE;
        break;
    case LAPWING__COMMAND_TYPE__DELETE_FUNCTION:
        out.kind = OP_DELETE;
        break;
    default:
        return; /* a new version does not show in the row */
    }
    if (op->given_up && !op->maybe)
        return; /* certainly not done */
    history_add(sim->history, &out);
}

void reads_check_history(struct sim *sim)
{
    uint64_t name = 0;

    for (unsigned i = 0; i < sim->op_count; i++)
        add_write(sim, sim->ops[i]);
    switch (history_check(sim->history, model, STEPS_MAX, &name)) {
    case HISTORY_LINEARIZABLE:
        return;
    case HISTORY_VIOLATED:
        sim_fail(sim, "what clients saw of function-%llu is not linearizable",
                 (unsigned long long)name);
    case HISTORY_UNDECIDED:
        if (sim->broken != BREAK_NOTHING)
            return; /* found by a violation, or not at all */
        sim_fail(sim, "what clients saw of function-%llu is not judged in %d steps",
                 (unsigned long long)name, STEPS_MAX);
    }
}

/* ---- leases ---- */

/* While a lease holds on its owner's clock, nobody leads a later term.  Under BREAK_LEASE the reads
 * shall find it themselves. */
void reads_check_leases(struct sim *sim)
{
    struct core_view views[SIM_NODES];

    if (sim->broken == BREAK_LEASE)
        return;
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (sim->nodes[i].up)
            core_view(sim->nodes[i].core, &views[i]);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (!sim->nodes[i].up || clock_now(&sim->nodes[i]) >= views[i].lease_until_ms)
            continue;
        for (unsigned k = 0; k < SIM_NODES; k++)
            if (sim->nodes[k].up && views[k].raft_state == RAFT_LEADER &&
                views[k].term > views[i].term)
                sim_fail(sim, "node %u leads term %llu, node %u has a lease of term %llu", k + 1,
                         (unsigned long long)views[k].term, i + 1,
                         (unsigned long long)views[i].term);
    }
}

void reads_break_leases(struct sim *sim)
{
    unsigned leader = reads_some_leader(sim);

    for (unsigned i = 0; i < SIM_NODES; i++)
        if (i == leader)
            clock_drift_away(&sim->nodes[i]);
        else
            clock_drift(&sim->nodes[i]);
}

/* A leader loses its links and stands still, as its machine would when it is suspended: what it
 * finds when it goes on are its own thoughts, and whoever wants to read. */
void reads_suspend(struct sim *sim)
{
    unsigned leader = reads_some_leader(sim);

    if (leader == SIM_NODES)
        return;
    for (unsigned i = 0; i < sim->wants.count; i++) {
        if (!sim->nodes[i].exists)
            continue;
        network_break(sim, leader, i, true);
        network_break(sim, i, leader, true);
    }
    clock_freeze(&sim->nodes[leader]);
}

/* One follower cannot hear the leader and stands for election; the other one, whose word the lease
 * hangs on, is killed and back at once, again and again.  Changes stop before, or it would have a
 * longer log than the first and not vote for it anyway.  Meanwhile the leader is read from. */
void reads_trap(struct sim *sim)
{
    sim->quiet_until = sim->now_ms + TRAP_QUIET_MS + TRAP_KILLS * TRAP_KILL_EVERY_MS;
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + TRAP_QUIET_MS, .kind = EVENT_TRAP });
}

void reads_trap_closes(struct sim *sim)
{
    unsigned leader = reads_some_leader(sim);
    unsigned other = 1 + sim_below(sim, TRAP_NODES - 1);
    unsigned deaf = (leader + other) % TRAP_NODES;
    unsigned killed = (leader + TRAP_NODES - other) % TRAP_NODES;

    CHECK(sim->steady); /* three members */
    if (leader == SIM_NODES || !sim->faults_on)
        return;
    sim_say(sim, "node %u does not hear node %u any more", deaf + 1, leader + 1);
    sim->counts.traps++;
    network_break(sim, leader, deaf, true);
    network_break(sim, deaf, leader, true);
    for (unsigned i = 1; i <= TRAP_KILLS; i++)
        sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + i * TRAP_KILL_EVERY_MS +
                                                 sim_below(sim, 100),
                                        .kind = EVENT_KILL,
                                        .node = killed });
    for (unsigned at = TRAP_KILL_EVERY_MS; at < (TRAP_KILLS + 1) * TRAP_KILL_EVERY_MS;
         at += TRAP_READ_EVERY_MS)
        sim_at(sim, (struct sim_event){
                        .at_ms = sim->now_ms + at, .kind = EVENT_READER, .node = leader });
}
