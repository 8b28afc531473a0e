/* A node that loses its folder and starts again under its old id, empty, as it was started the
 * first time.
 *
 * The worst moment is made: some voters are cut off and lag, one that was not is emptied, the rest
 * is down; then the emptied one and those who lag meet, a majority by number.  It must be refused,
 * and count for nothing before (--break amnesia: it is taken for what it was); an operator replaces
 * it under a new id.
 *
 * Only when nothing is under way, so that the group stands the loss, and when all have taken part:
 * before, nobody could tell it from a new node (known_rules.h). */
#include <raft.h>
#include <string.h>

#include "base/check.h"
#include "tests/sim/sim.h"

enum {
    FIRST_MS = 800,
    FIRST_MS_RANGE = 4000,
    AGAIN_MS = 60,
    PATIENCE_MS = 1000, /* so long do other faults wait for a quiet moment... */
    PAUSE_MS = 2000,    /* ...and then go on for so long */
    LAG_MS = 300,
    LAG_MS_RANGE = 900,
    MEET_MS = 3000, /* the others are down for so long */
    OPERATOR_MS = 3000,
    LATE_MS = 2500, /* within which one that is late starts first */
};

enum amnesia_stage { AMNESIA_WAIT, AMNESIA_STRIKE, AMNESIA_REPLACE };

static uint64_t bit(unsigned at)
{
    return (uint64_t)1 << (at + 1);
}

static void stage_at(struct sim *sim, enum amnesia_stage stage, unsigned node, unsigned after_ms)
{
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + after_ms,
                                    .kind = EVENT_AMNESIA,
                                    .node = node,
                                    .other = stage });
}

/* A new log's number; never 0, never one that was. */
uint64_t amnesia_incarnation(struct sim_node *node)
{
    return node->id << 8 | ++node->folders;
}

/* One of the first nodes starts for the first time when the others are at work. */
bool amnesia_is_late(struct sim *sim, unsigned at)
{
    return !sim->steady && !sim->splits && sim->seed / 8 % 4 == 1 && at == sim->seed / 32 % 3;
}

void amnesia_start(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (!sim->nodes[i].exists && members_present(sim, i) && amnesia_is_late(sim, i))
            sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, LATE_MS),
                                            .kind = EVENT_RESTART,
                                            .node = i });
    /* A first configuration of one takes itself for the whole: nobody is asked. */
    if (sim->steady || sim->nodes[0].first_voters == 1 ||
        (sim->broken != BREAK_AMNESIA && sim->seed % 3 == 0))
        return;
    sim->forgetful = true;
    stage_at(sim, AMNESIA_WAIT, 0, FIRST_MS + sim_below(sim, FIRST_MS_RANGE));
}

bool amnesia_stands(const struct sim *sim)
{
    return (sim->emptied & sim->wants.voters) != 0;
}

static bool has_rot(const struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (sim->nodes[i].rot_at > 0 ||
            (sim->nodes[i].rotten &&
             sim->nodes[i].rotten_index == sim->nodes[i].disk.snapshot.index))
            return true;
    return false;
}

static bool is_the_moment(const struct sim *sim)
{
    return members_quiet(sim) && !has_rot(sim);
}

/* A voter that stays one. */
static unsigned some_voter(struct sim *sim, uint64_t but)
{
    unsigned from = sim_below(sim, sim->wants.count);

    for (unsigned i = 0; i < sim->wants.count; i++) {
        unsigned at = (from + i) % sim->wants.count;

        if ((sim->wants.voters & bit(at) & ~but) != 0)
            return at;
    }
    return SIM_NODES;
}

/* Other faults wait for a while. */
static void keep_quiet(struct sim *sim)
{
    if (sim->quiet_wanted_until == 0)
        sim->quiet_wanted_until = sim->now_ms + PATIENCE_MS;
    if (sim->now_ms > sim->quiet_wanted_until) {
        sim->quiet_wanted_until = 0;
        stage_at(sim, AMNESIA_WAIT, 0, PAUSE_MS);
        return;
    }
    if (sim->split_until < sim->now_ms + 2 * AGAIN_MS)
        sim->split_until = sim->now_ms + 2 * AGAIN_MS;
    network_heal(sim);
    stage_at(sim, AMNESIA_WAIT, 0, AGAIN_MS);
}

static void wait_for_quiet(struct sim *sim)
{
    unsigned half = (unsigned)__builtin_popcountll(sim->wants.voters) / 2;
    uint64_t lagging = 0;
    unsigned victim;

    if (!sim->faults_on) {
        sim->forgetful = false;
        return;
    }
    if (!is_the_moment(sim) || sim->wants.count >= SIM_NODES) {
        keep_quiet(sim);
        return;
    }
    victim = some_voter(sim, 0);
    for (unsigned i = 0; i < half; i++)
        lagging |= bit(some_voter(sim, lagging | bit(victim)));
    sim->lagging = lagging;
    sim->split_until = sim->now_ms + LAG_MS + LAG_MS_RANGE + MEET_MS;
    if (sim_below(sim, 4) != 0)
        sim_split(sim, (unsigned)(lagging >> 1));
    stage_at(sim, AMNESIA_STRIKE, victim, LAG_MS + sim_below(sim, LAG_MS_RANGE));
}

/* As after the fact: nothing of the folder is left, and what starts is what the configuration
 * says. */
static void empty_folder(struct sim_node *node)
{
    struct known before = node->disk.known;
    bool first = node->first_voters > 0;

    node_forget(node);
    if (first)
        node_bootstrap(node, node->first_voters);
    node->emptied = true;
    if (node->sim->broken == BREAK_AMNESIA)
        node->disk.known = before;
}

static void strike(struct sim *sim, unsigned victim)
{
    struct sim_node *node = &sim->nodes[victim];
    bool others = sim_below(sim, 4) != 0;

    if (!sim->faults_on || !is_the_moment(sim)) {
        network_heal(sim);
        stage_at(sim, AMNESIA_WAIT, 0, AGAIN_MS);
        return;
    }
    sim_say(sim, "node %u loses its folder, %#llx lag", victim + 1,
            (unsigned long long)sim->lagging);
    sim->counts.emptied++;
    sim->emptied |= bit(victim);
    for (unsigned i = 0; others && i < sim->wants.count; i++) {
        if (i == victim || (sim->lagging & bit(i)) != 0 || !sim->nodes[i].up)
            continue;
        sim->nodes[i].down_until = sim->now_ms + MEET_MS;
        node_crash(&sim->nodes[i], sim_below(sim, 2) == 0);
    }
    node_crash(node, true);
    empty_folder(node);
    node_restarts(node, 40);
    network_heal(sim);
    stage_at(sim, AMNESIA_REPLACE, victim, 500 + sim_below(sim, OPERATOR_MS));
}

void amnesia_event(struct sim *sim, const struct sim_event *event)
{
    switch ((enum amnesia_stage)event->other) {
    case AMNESIA_WAIT:
        wait_for_quiet(sim);
        return;
    case AMNESIA_STRIKE:
        strike(sim, event->node);
        return;
    case AMNESIA_REPLACE:
        sim->forgetful = false;
        members_replace(sim, event->node);
        return;
    }
}

/* It has been told what it is: the process is over, and its next start is refused by itself. */
void amnesia_after(struct sim_node *node)
{
    struct sim *sim = node->sim;

    if (node->told_forgot) {
        if (!node->emptied)
            sim_fail(sim, "node %llu is taken for one that has lost its log",
                     (unsigned long long)node->id);
        sim->counts.refused++;
        sim_say(sim, "node %llu is refused", (unsigned long long)node->id);
        node_crash(node, true);
        node->gone = true;
    } else if (node->emptied && node->first_voters > 0 && sim->broken != BREAK_AMNESIA &&
               node->disk.known.takes_part) {
        sim_fail(sim, "node %llu has lost its log and takes part", (unsigned long long)node->id);
    }
}
