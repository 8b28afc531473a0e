/* Who shall be a member, whom each node has been told of so far, and who is one.
 *
 * An operator adds, removes and replaces nodes; the nodes learn of it late and one by one, as they
 * do from rows that are replicated apart from the group.  A new node starts empty under a new id.
 * Who was removed goes on running, and talking, until it is stopped. */
#include <raft.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/replica/core_internal.h"
#include "controlplane/replica/raft_convert.h"
#include "controlplane/replica/raft_rules_internal.h"
#include "tests/sim/sim.h"

static uint64_t bit(uint64_t id)
{
    return (uint64_t)1 << id;
}

bool members_present(const struct sim *sim, unsigned node)
{
    return node < sim->wants.count && (sim->wants.removed & bit(node + 1)) == 0;
}

static unsigned present_count(const struct sim *sim)
{
    return sim->wants.count - (unsigned)__builtin_popcountll(sim->wants.removed);
}

unsigned members_some(struct sim *sim)
{
    unsigned from = sim_below(sim, sim->wants.count);

    for (unsigned i = 0; i < sim->wants.count; i++) {
        unsigned at = (from + i) % sim->wants.count;

        if (sim->nodes[at].exists && !sim->nodes[at].gone)
            return at;
    }
    CHECK(!"no node is left");
}

/* ---- what the operator wants ---- */

static void tell_all(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, 1000),
                                        .kind = EVENT_WANTED,
                                        .node = i });
}

static struct member_want *want_new(struct sim *sim)
{
    struct member_want *want = &sim->wants.list[sim->wants.count++];

    CHECK(sim->wants.count <= SIM_NODES);
    want->id = sim->wants.count;
    (void)snprintf(want->zone, sizeof want->zone, "%u", sim_below(sim, SIM_ZONES));
    return want;
}

static bool add(struct sim *sim)
{
    unsigned room = SIM_NODES - (sim->forgetful ? 1 : 0); /* for who replaces the forgetful one */
    struct member_want *want;

    if (sim->wants.count >= room || present_count(sim) >= SIM_MEMBERS_MAX)
        return false;
    want = want_new(sim);
    sim_say(sim, "node %llu shall be a member", (unsigned long long)want->id);
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, 2000),
                                    .kind = EVENT_RESTART,
                                    .node = (unsigned)(want->id - 1) });
    return true;
}

void members_init(struct sim *sim)
{
    static const unsigned sizes[] = { 3, 4, 3, 4, 3, 5, 3, 1 };
    unsigned kind = sim->seed % ARRAY_LEN(sizes);
    unsigned count = sizes[kind];

    sim->splits = count == 4;
    sim->steady = kind % 4 == 0;
    for (unsigned i = 0; i < count; i++) {
        (void)want_new(sim);
        sim->wants.members |= bit(i + 1);
        node_bootstrap(&sim->nodes[i], count);
        sim->nodes[i].told = count;
    }
    sim->wants.voters = sim->wants.members;
    for (unsigned i = 0; i < count; i++)
        if (count == 1 || !amnesia_is_late(sim, i))
            node_start(&sim->nodes[i]);
    if (!sim->splits || !add(sim))
        return;
    /* Four voters are about to be five. */
    sim->split_until = sim->now_ms + 2500;
    tell_all(sim);
}

static void remove_member(struct sim *sim, unsigned node)
{
    sim_say(sim, "node %u shall be no member any more", node + 1);
    sim->wants.removed |= bit(node + 1);
    sim->wants.list[node].removed = true;
}

/* Then one may be lost for good, and the rest is a majority whatever was begun. */
bool members_quiet(const struct sim *sim)
{
    uint64_t wanted = 0;

    for (unsigned i = 0; i < sim->wants.count; i++)
        if (members_present(sim, i))
            wanted |= bit(i + 1);
    if (wanted != sim->wants.members || __builtin_popcountll(sim->wants.voters) < 3)
        return false;
    for (unsigned i = 0; i < sim->wants.count; i++) {
        struct core_view view;

        if (!members_present(sim, i))
            continue;
        /* One that has not taken part yet waits for all that have (rule 3b of known_rules.h). */
        if (!sim->nodes[i].up || !sim->nodes[i].disk.known.takes_part)
            return false;
        core_view(sim->nodes[i].core, &view);
        if (view.change_pending)
            return false;
    }
    return true;
}

static unsigned some_present(struct sim *sim)
{
    unsigned from = sim_below(sim, sim->wants.count);

    while (!members_present(sim, from % sim->wants.count))
        from++;
    return from % sim->wants.count;
}

static void replace(struct sim *sim, unsigned node)
{
    bool lost = members_quiet(sim) && sim_below(sim, 2) == 0;

    if (!add(sim))
        return;
    sim->counts.replaces++;
    remove_member(sim, node);
    if (!lost)
        return;
    sim_say(sim, "node %u is lost with its disk", node + 1);
    node_crash(&sim->nodes[node], true);
    sim->nodes[node].gone = true;
}

void members_replace(struct sim *sim, unsigned node)
{
    if (!members_present(sim, node))
        return;
    if (add(sim))
        sim->counts.replaces++;
    else
        CHECK(present_count(sim) > SIM_MEMBERS_MIN);
    remove_member(sim, node);
    tell_all(sim);
}

/* There are no rows of members before all of the first ones take part: cluster_version_next(). */
static bool all_began(const struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (sim->nodes[i].first_voters > 0 && sim->nodes[i].folders == 1 &&
            !sim->nodes[i].disk.known.takes_part)
            return false;
    return true;
}

void members_fault(struct sim *sim)
{
    unsigned node = some_present(sim);

    if (!all_began(sim))
        return;
    switch (sim_below(sim, 4)) {
    case 0:
    case 1:
        if (add(sim))
            sim->counts.adds++;
        break;
    case 2:
        if (present_count(sim) <= SIM_MEMBERS_MIN)
            return;
        sim->counts.removes++;
        remove_member(sim, node);
        break;
    case 3:
        replace(sim, node);
        break;
    }
    tell_all(sim);
}

void members_heal(struct sim *sim)
{
    tell_all(sim);
}

/* ---- what a node knows ---- */

static void set_wanted(struct sim_node *node)
{
    struct member_want wants[SIM_NODES];

    memcpy(wants, node->sim->wants.list, sizeof wants);
    for (unsigned i = 0; i < node->told; i++)
        wants[i].removed = (node->told_removed & bit(wants[i].id)) != 0;
    core_set_wanted(node->core, clock_now(node), wants, node->told);
}

void members_started(struct sim_node *node)
{
    set_wanted(node);
}

void members_tell(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];
    bool removed;

    node->told = sim->wants.count;
    node->told_removed = sim->wants.removed;
    removed =
        (sim->wants.removed & bit(node->id)) != 0 && (sim->wants.members & bit(node->id)) == 0;
    /* Some are stopped when they are out, others go on. */
    if (removed && node->up && sim_below(sim, 2) == 0) {
        node_crash(node, false);
        node->gone = true;
    }
    if (!node->up)
        return;
    set_wanted(node);
    node_after(node);
}

/* Everybody whose links it takes. */
static uint64_t peers_of(const struct sim_node *node)
{
    uint64_t peers = 0;

    for (unsigned i = 0; i < node->sim->wants.count; i++)
        if (node->sim->nodes[i].exists && i + 1 != node->id && !core_refuses(node->core, i + 1))
            peers |= bit(i + 1);
    return peers;
}

void members_know_peers(struct sim_node *node)
{
    struct sim *sim = node->sim;
    unsigned at = (unsigned)(node->id - 1);
    uint64_t peers = peers_of(node);
    uint64_t before = node->peers;
    uint64_t ids[SIM_NODES];
    unsigned count = 0;

    if (peers == before)
        return;
    for (unsigned i = 0; i < SIM_NODES; i++)
        if ((peers & bit(i + 1)) != 0)
            ids[count++] = i + 1;
    node->peers = peers;
    core_set_peers(node->core, clock_now(node), ids, count);
    for (unsigned i = 0; i < SIM_NODES; i++)
        if ((peers & ~before & bit(i + 1)) != 0 && network_is_up(sim, at, i))
            core_link(node->core, clock_now(node), i + 1, true);
}

/* [9] left out: before an entry of the own term is committed, at once when elected. */
static void change_carelessly(struct sim_node *node)
{
    struct rules *rules = node->core->rules;
    struct members_change change;

    if (!rules_is_leader(rules) || rules_transferring(rules))
        return;
    change = members_next(node->core);
    if (change.step == MEMBERS_ADD)
        (void)rules_change_unchecked(rules, clock_now(node), RULES_ADD, change.id);
    else if (change.step == MEMBERS_PROMOTE && rules_match(rules, change.id) == rules_last(rules))
        (void)rules_change_unchecked(rules, clock_now(node), RULES_PROMOTE, change.id);
    else if (change.step == MEMBERS_REMOVE)
        (void)rules_change_unchecked(rules, clock_now(node), RULES_REMOVE, change.id);
}

/* Two leaders that know of different uncommitted changes find majorities that do not meet, if
 * nothing keeps them from it: when one has begun a change, it is left alone with those that do not
 * vote yet, and an operator wants another change of the rest... */
static void split_at_change(struct sim_node *node)
{
    struct sim *sim = node->sim;
    unsigned side = 1u << (node->id - 1);

    for (unsigned i = 0; i < sim->wants.count; i++)
        if ((sim->wants.voters & bit(i + 1)) == 0)
            side |= 1u << i;
    sim_split(sim, side);
    sim->split_at_change = true;
    sim->split_until = sim->now_ms + 1500 + sim_below(sim, 1000);
    if (present_count(sim) > SIM_MEMBERS_MIN) {
        sim->counts.removes++;
        remove_member(sim, some_present(sim));
        tell_all(sim);
    }
}

/* ...and when the rest has elected somebody, it is left with one other voter. */
static void split_at_election(struct sim_node *node)
{
    struct sim *sim = node->sim;
    unsigned other = sim_below(sim, sim->wants.count);

    while ((sim->wants.voters & bit(other + 1)) == 0 || other + 1 == node->id)
        other = (other + 1) % sim->wants.count;
    sim_split(sim, 1u << (node->id - 1) | 1u << other);
    sim->split_at_change = false;
    sim->split_until = sim->now_ms + 1000 + sim_below(sim, 2000);
}

static unsigned voters_of(const struct sim_node *node)
{
    struct rules_member members[NODES_MAX];
    unsigned count = rules_members(node->core->rules, members);
    unsigned voters = 0;

    for (unsigned i = 0; i < count; i++)
        voters += members[i].voter;
    return voters;
}

static void split_now(struct sim_node *node)
{
    struct sim *sim = node->sim;
    bool leader = rules_is_leader(node->core->rules);
    bool changing = leader && rules_change_pending(node->core->rules);
    bool elected = leader && !node->was_leader;
    bool begun = changing && !node->was_changing;

    node->was_leader = leader;
    node->was_changing = changing;
    if (!sim->splits || !sim->faults_on || sim_below(sim, 4) == 0)
        return;
    if (begun && voters_of(node) > (unsigned)__builtin_popcountll(sim->wants.voters))
        split_at_change(node);
    else if (elected && sim->split_until > sim->now_ms && sim->split_at_change)
        split_at_election(node);
}

void members_after(struct sim_node *node)
{
    members_know_peers(node);
    if (node->sim->broken == BREAK_CHANGE)
        change_carelessly(node);
    split_now(node);
}

/* ---- what is committed ---- */

void members_committed(struct sim *sim, const struct log_entry *entry)
{
    struct raft_configuration configuration;
    unsigned before;

    if (entry->type != LOG_CHANGE)
        return;
    sim->counts.changes++;
    sim->wants.members = 0;
    before = (unsigned)__builtin_popcountll(sim->wants.voters);
    sim->wants.voters = 0;
    raft_convert_configuration(entry->data->bytes, entry->data->len, &configuration);
    for (unsigned i = 0; i < configuration.n; i++) {
        sim->wants.members |= bit(configuration.servers[i].id);
        if (configuration.servers[i].role == RAFT_VOTER)
            sim->wants.voters |= bit(configuration.servers[i].id);
    }
    raft_configuration_close(&configuration);
    if (sim->nodes[0].first_voters == 1 && before < SIM_MEMBERS_MIN &&
        __builtin_popcountll(sim->wants.voters) >= SIM_MEMBERS_MIN)
        sim->counts.grown++;
    sim_say(sim, "members %#llx, voters %#llx", (unsigned long long)sim->wants.members,
            (unsigned long long)sim->wants.voters);
}

/* The group is who was wanted, and enough of them vote. */
bool members_settled(struct sim *sim)
{
    unsigned voters = (unsigned)__builtin_popcountll(sim->wants.voters);
    uint64_t wanted = 0;

    for (unsigned i = 0; i < sim->wants.count; i++)
        if (members_present(sim, i))
            wanted |= bit(i + 1);
    return sim->wants.members == wanted && voters >= members_voters_wanted(present_count(sim));
}
