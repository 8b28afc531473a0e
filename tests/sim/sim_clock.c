/* Each node's own clock, which runs at a rate of its own and begins anew at each boot; and
 * processes that stand still for a while, as in a stopped container or on a machine that swaps. */
#include "tests/sim/sim.h"

enum {
    /* The slowest and the fastest differ by less than LEASE_DRIFT_PERCENT: 976 / 1025 = 0.952. */
    RATE_MIN = 976,
    RATE_MAX = 1025,
    RATE_AWAY = 400, /* BREAK_LEASE: its lease lasts for 2.5 election timeouts of others */
    BOOT_MS_MAX = 100000,
    FREEZE_MS_MAX = 2000,
};

static void set_rate(struct sim_node *node, unsigned rate)
{
    node->clock_ms = clock_now(node);
    node->clock_since = node->sim->now_ms;
    node->clock_rate = rate;
}

void clock_drift(struct sim_node *node)
{
    unsigned chance = sim_below(node->sim, 3);

    if (chance == 0)
        set_rate(node, RATE_MIN);
    else if (chance == 1)
        set_rate(node, RATE_MAX);
    else
        set_rate(node, RATE_MIN + sim_below(node->sim, RATE_MAX - RATE_MIN));
}

void clock_drift_away(struct sim_node *node)
{
    set_rate(node, RATE_AWAY);
}

void clock_boot(struct sim_node *node)
{
    node->clock_ms = 1 + sim_below(node->sim, BOOT_MS_MAX);
    node->clock_since = node->sim->now_ms;
    node->clock_rate = 1000;
    clock_drift(node);
}

uint64_t clock_now(const struct sim_node *node)
{
    return node->clock_ms + (node->sim->now_ms - node->clock_since) * node->clock_rate / 1000;
}

uint64_t clock_when(const struct sim_node *node, uint64_t at_ms)
{
    if (at_ms <= node->clock_ms)
        return node->clock_since;
    return node->clock_since +
           ((at_ms - node->clock_ms) * 1000 + node->clock_rate - 1) / node->clock_rate;
}

void clock_freeze(struct sim_node *node)
{
    if (!node->up || clock_is_frozen(node))
        return;
    node->frozen_until = node->sim->now_ms + 1 + sim_below(node->sim, FREEZE_MS_MAX);
    node->sim->counts.freezes++;
    sim_say(node->sim, "node %llu stands still for %llu ms", (unsigned long long)node->id,
            (unsigned long long)(node->frozen_until - node->sim->now_ms));
}

bool clock_is_frozen(const struct sim_node *node)
{
    return node->up && node->sim->now_ms < node->frozen_until;
}

/* The node that would have to run for the event; NULL: none. */
static struct sim_node *who_runs(struct sim *sim, const struct sim_event *event)
{
    switch (event->kind) {
    case EVENT_TICK:
    case EVENT_DISK:
    case EVENT_SNAPSHOT_WRITTEN:
    case EVENT_VERIFIED:
    case EVENT_LINK_DOWN:
    case EVENT_READ:
    case EVENT_ROWS:
    case EVENT_WANTED:
        return &sim->nodes[event->node];
    case EVENT_FRAME:
        return &sim->nodes[event->other];
    case EVENT_LINK_UP: /* a handshake needs both */
        return clock_is_frozen(&sim->nodes[event->node]) ? &sim->nodes[event->node]
                                                         : &sim->nodes[event->other];
    default:
        return NULL;
    }
}

bool clock_puts_off(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = who_runs(sim, event);

    if (node == NULL || !clock_is_frozen(node))
        return false;
    if (event->kind == EVENT_LINK_DOWN) {
        sim_put_off(sim, *event, node->frozen_until + sim_below(sim, 2));
    } else if (event->kind != EVENT_TICK) {
        sim_put_off(sim, *event, node->frozen_until);
    } else if (node->tick_at == event->at_ms) {
        /* A loop ticks behind all that has come in. */
        node->tick_at = node->frozen_until + 1;
        sim_put_off(sim, *event, node->tick_at);
    }
    return true;
}
