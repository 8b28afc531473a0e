#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tests/lib/history.h"

enum {
    START_MS = 1000,
    FAULTS_FOR_MS_MIN = 6000,
    SETTLE_MS = 30000,
    EVENTS_MAX = 2000000,
};

void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list args;

    printf("seed %llu: at %llu ms: ", (unsigned long long)sim->seed,
           (unsigned long long)sim->now_ms);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _Exit(1);
}

void sim_say(const struct sim *sim, const char *format, ...)
{
    va_list args;

    if (!sim->verbose)
        return;
    printf("[%llu] ", (unsigned long long)sim->now_ms);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* xorshift64*: the one source of chance of a run. */
uint64_t sim_random(struct sim *sim)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return sim->random * 2685821657736338717u >> 16;
}

unsigned sim_below(struct sim *sim, unsigned bound)
{
    return bound == 0 ? 0 : (unsigned)(sim_random(sim) % bound);
}

/* ---- events: a binary heap by time, then order ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->order < b->order);
}

static void heap_swap(struct sim *sim, uint64_t a, uint64_t b)
{
    struct sim_event event = sim->heap[a];

    sim->heap[a] = sim->heap[b];
    sim->heap[b] = event;
}

static void heap_put(struct sim *sim, struct sim_event event)
{
    uint64_t at = sim->heap_count++;

    if (sim->heap_count > sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity * 2 + 64;
        sim->heap = must_realloc(sim->heap, sim->heap_capacity * sizeof *sim->heap);
    }
    if (event.at_ms < sim->now_ms)
        event.at_ms = sim->now_ms;
    sim->heap[at] = event;
    while (at > 0 && earlier(&sim->heap[at], &sim->heap[(at - 1) / 2])) {
        heap_swap(sim, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

void sim_at(struct sim *sim, struct sim_event event)
{
    event.order = sim->next_order++;
    heap_put(sim, event);
}

void sim_put_off(struct sim *sim, struct sim_event event, uint64_t at_ms)
{
    event.at_ms = at_ms;
    heap_put(sim, event);
}

static struct sim_event heap_take(struct sim *sim)
{
    struct sim_event event = sim->heap[0];
    uint64_t at = 0;

    sim->heap[0] = sim->heap[--sim->heap_count];
    for (;;) {
        uint64_t least = at;

        for (uint64_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < sim->heap_count && earlier(&sim->heap[child], &sim->heap[least]))
                least = child;
        if (least == at)
            return event;
        heap_swap(sim, at, least);
        at = least;
    }
}

/* ---- faults ---- */

static void partition(struct sim *sim)
{
    unsigned alone = members_some(sim);

    sim_say(sim, "node %u is cut off", alone + 1);
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (i == alone || !sim->nodes[i].exists)
            continue;
        if (sim_below(sim, 4) != 0)
            network_break(sim, i, alone, true);
        if (sim_below(sim, 4) != 0)
            network_break(sim, alone, i, true);
    }
}

void sim_split(struct sim *sim, unsigned side)
{
    sim_say(sim, "split: %#x", side << 1);
    network_heal(sim);
    for (unsigned i = 0; i < sim->wants.count; i++)
        for (unsigned k = 0; k < sim->wants.count; k++)
            if ((side >> i & 1) != (side >> k & 1) && sim->nodes[i].exists && sim->nodes[k].exists)
                network_break(sim, i, k, true);
}

/* Any node is asked, with or without a wish; what comes of it is not this test's to know. */
static void transfer(struct sim *sim, struct sim_node *node)
{
    uint64_t target = sim_below(sim, 2) == 0 ? 0 : 1 + sim_below(sim, sim->wants.count);

    if (!node->up || clock_is_frozen(node))
        return;
    (void)core_transfer(node->core, clock_now(node), target, clock_now(node) + sim_below(sim, 2000),
                        NULL);
    node_after(node);
}

static void fault_again(struct sim *sim, unsigned within_ms)
{
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + 20 + sim_below(sim, within_ms),
                                    .kind = EVENT_FAULT });
}

static void fault(struct sim *sim)
{
    struct sim_node *node = &sim->nodes[members_some(sim)];
    unsigned from = members_some(sim);
    unsigned to = members_some(sim);

    if (!sim->faults_on)
        return;
    if (sim->broken == BREAK_LEASE)
        reads_break_leases(sim);
    if (sim->now_ms < sim->split_until) {
        fault_again(sim, 700);
        return;
    }
    if (sim->splits && sim_below(sim, 4) == 0) {
        sim_split(sim, sim_below(sim, 1u << sim->wants.count));
        fault_again(sim, 1200);
        return;
    }
    switch (sim_below(sim, 16)) {
    case 0:
    case 1:
        node_crash(node, true);
        break;
    case 2:
    case 3:
        node_crash(node, false);
        break;
    case 4:
        for (unsigned i = 0; i < SIM_NODES; i++)
            if (sim_below(sim, 2) == 0)
                node_crash(&sim->nodes[i], true);
        break;
    case 5:
    case 6:
        if (from != to)
            network_break(sim, from, to, false);
        break;
    case 7:
        partition(sim);
        break;
    case 8:
        node->slow = !node->slow;
        break;
    case 9:
        node->clock_skew_ms = (int64_t)sim_below(sim, 4000) - 2000;
        clock_drift(node);
        break;
    case 10:
        clock_freeze(node);
        break;
    case 11:
        reads_suspend(sim);
        break;
    case 12:
    case 13:
        transfer(sim, node);
        break;
    default:
        if (sim->steady)
            reads_trap(sim);
        else
            members_fault(sim);
        break;
    }
    if (sim_below(sim, 3) == 0)
        network_heal(sim);
    fault_again(sim, 700);
}

static void heal(struct sim *sim)
{
    sim_say(sim, "faults end");
    sim->faults_on = false;
    network_heal(sim);
    trouble_heal(sim);
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim->nodes[i].slow = false;
    members_heal(sim);
}

/* ---- the run ---- */

static void snapshot_written(struct sim_node *node, bool alive, void *meta)
{
    if (alive)
        node_snapshot_written(node, meta);
    free(meta);
}

static void tick(struct sim_node *node, bool alive, uint64_t at_ms)
{
    if (alive && node->tick_at == at_ms)
        node_tick(node);
}

static void receiver_crash(struct sim_node *node, bool alive)
{
    if (alive && node->sim->faults_on)
        node_crash(node, sim_below(node->sim, 2) == 0);
}

static void node_kill(struct sim_node *node)
{
    node_crash(node, sim_below(node->sim, 2) == 0);
    node_restarts(node, 40);
}

static void node_restart(struct sim_node *node)
{
    if (node->up || node->gone)
        return;
    if (node->sim->now_ms < node->down_until && node->sim->faults_on)
        node_restarts(node, (unsigned)(node->down_until - node->sim->now_ms));
    else
        node_start(node);
}

static void dispatch(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    bool alive = node->up && node->life == event->life;

    switch (event->kind) {
    case EVENT_TICK:
        tick(node, alive, event->at_ms);
        return;
    case EVENT_DISK:
        if (alive)
            node_disk(node);
        return;
    case EVENT_SNAPSHOT_WRITTEN:
        snapshot_written(node, alive, event->data);
        return;
    case EVENT_VERIFIED:
        if (alive)
            node_verified(node);
        return;
    case EVENT_FRAME:
        network_deliver(sim, event);
        return;
    case EVENT_LINK_UP:
        network_up(sim, event);
        return;
    case EVENT_LINK_DOWN:
        if (alive)
            network_down(sim, event);
        return;
    case EVENT_READER:
        reads_start(sim, event->node);
        return;
    case EVENT_READ:
        reads_arrive(sim, event, alive);
        return;
    case EVENT_ROWS:
        reads_rows(sim, event, alive);
        return;
    case EVENT_TRAP:
        reads_trap_closes(sim);
        return;
    case EVENT_KILL:
        node_kill(node);
        return;
    case EVENT_RESTART:
        node_restart(node);
        return;
    case EVENT_CLIENT:
        clients_step(sim);
        return;
    case EVENT_FAULT:
        fault(sim);
        return;
    case EVENT_CRASH:
        receiver_crash(node, alive);
        return;
    case EVENT_HEAL:
        heal(sim);
        return;
    case EVENT_TROUBLE:
        trouble_event(sim, event);
        return;
    case EVENT_WANTED:
        members_tell(sim, event);
        return;
    case EVENT_AMNESIA:
        amnesia_event(sim, event);
        return;
    }
}

static void drop(struct sim *sim)
{
    while (sim->heap_count > 0) {
        struct sim_event event = heap_take(sim);

        if (event.kind == EVENT_FRAME)
            sim_frame_free(event.data);
        else
            free(event.data);
    }
    for (unsigned i = 0; i < SIM_NODES; i++)
        node_free(&sim->nodes[i]);
    for (unsigned i = 0; i < sim->op_count; i++) {
        buf_done(&sim->ops[i]->body);
        free(sim->ops[i]);
    }
    history_free(sim->history);
    free(sim->heap);
    free(sim);
}

static void say_node(const struct sim *sim, const struct sim_node *node)
{
    struct core_view view;

    if (!node->up) {
        sim_say(sim, "node %llu is down", (unsigned long long)node->id);
        return;
    }
    core_view(node->core, &view);
    sim_say(sim,
            "node %llu: state %d term %llu leader %llu commit %llu applied %llu last %llu "
            "snapshot %llu%s%s",
            (unsigned long long)node->id, view.raft_state, (unsigned long long)view.term,
            (unsigned long long)view.leader_id, (unsigned long long)view.commit,
            (unsigned long long)view.applied, (unsigned long long)view.last,
            (unsigned long long)view.snapshot_index,
            node->rot_at > 0 || (node->rotten && node->rotten_index == view.snapshot_index)
                ? ", rotten"
                : "",
            view.change_pending ? ", changing" : "");
    for (unsigned i = 0; i < view.member_count; i++)
        sim_say(sim, "    %llu %s %s match %llu", (unsigned long long)view.members[i].id,
                view.members[i].voter ? "votes" : "stands by", view.members[i].up ? "up" : "",
                (unsigned long long)view.members[i].match);
}

_Noreturn static void not_settled(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->wants.count; i++)
        say_node(sim, &sim->nodes[i]);
    sim_fail(sim,
             "not settled %d ms after the last fault: %u operations, %u reads open, members %#llx, "
             "voters %#llx",
             SETTLE_MS, sim->op_open, sim->reads_open, (unsigned long long)sim->wants.members,
             (unsigned long long)sim->wants.voters);
}

void sim_run(uint64_t seed, enum sim_break broken, bool verbose, struct sim_counts *out)
{
    struct sim *sim = must_calloc(1, sizeof *sim);
    uint64_t healed;
    uint64_t settled_by;

    sim->seed = seed;
    sim->random = seed * 0x9e3779b97f4a7c15u + 12345;
    for (unsigned i = 0; i < 20; i++)
        (void)sim_random(sim);
    sim->now_ms = START_MS;
    sim->broken = broken;
    sim->verbose = verbose;
    sim->faults_on = true;
    sim->history = history_new();
    for (unsigned i = 0; i < SIM_NODES; i++)
        node_init(&sim->nodes[i], sim, i);
    clients_init(sim);
    members_init(sim);
    healed = START_MS + FAULTS_FOR_MS_MIN + sim_below(sim, 6000);
    settled_by = healed + SETTLE_MS;
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms, .kind = EVENT_CLIENT });
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + 500, .kind = EVENT_FAULT });
    sim_at(sim, (struct sim_event){ .at_ms = healed, .kind = EVENT_HEAL });
    trouble_start(sim);
    amnesia_start(sim);
    while (sim->heap_count > 0) {
        struct sim_event event = heap_take(sim);

        sim->now_ms = event.at_ms;
        if (++sim->counts.events > EVENTS_MAX)
            sim_fail(sim, "no end after %d events", EVENTS_MAX);
        if (!clock_puts_off(sim, &event))
            dispatch(sim, &event);
        checks_after_event(sim); /* safety: after every single event */
        if (sim->faults_on)
            continue;
        if (sim->epilogue > 0 || (checks_settled(sim) && !network_encore(sim))) {
            if (!trouble_epilogue(sim))
                settled_by = sim->now_ms + SETTLE_MS;
            else if (checks_settled(sim))
                break;
        }
        if (sim->encore_ends + SETTLE_MS > settled_by)
            settled_by = sim->encore_ends + SETTLE_MS;
        if (sim->now_ms > settled_by) /* liveness: owed once the faults stop */
            not_settled(sim);
    }
    checks_final(sim);
    sim->counts.committed = sim->committed;
    *out = sim->counts;
    drop(sim);
}
