/* Links: ordered per direction, delayed, and lost only by breaking, as a TCP connection is. */
#include <stdlib.h>

#include "base/check.h"
#include "tests/sim/sim.h"

void sim_frame_free(struct sim_frame *frame)
{
    buf_done(&frame->body);
    free(frame);
}

void network_send(struct sim *sim, unsigned from, unsigned to, uint16_t type, struct bytes body)
{
    struct sim_link *link = &sim->links[from][to];
    struct sim_frame *frame;
    uint64_t at = sim->now_ms + 1 + sim_below(sim, sim->nodes[from].slow ? 40 : 6);

    if (!link->up)
        return;
    if (sim_below(sim, 40) == 0)
        at += sim_below(sim, 120);
    if (at < link->last_ms)
        at = link->last_ms;
    link->last_ms = at;
    frame = must_calloc(1, sizeof *frame);
    frame->type = type;
    buf_append(&frame->body, body.data, body.len);
    sim_at(sim, (struct sim_event){ .at_ms = at,
                                    .kind = EVENT_FRAME,
                                    .node = from,
                                    .other = to,
                                    .life = link->life,
                                    .data = frame });
}

void network_deliver(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = &sim->links[event->node][event->other];
    struct sim_node *to = &sim->nodes[event->other];
    struct sim_frame *frame = event->data;
    struct err err = { 0 };
    enum status st;

    /* A node closes the links of those whom it knows to be removed, and hears of no others. */
    if (link->up && link->life == event->life &&
        (to->peers >> sim->nodes[event->node].id & 1) != 0) {
        CHECK(to->up);
        st = core_frame(to->core, sim->now_ms, sim->nodes[event->node].id, frame->type,
                        buf_view(&frame->body), &err);
        if (st != ST_OK)
            sim_fail(sim, "node %llu refuses a frame: %s", (unsigned long long)to->id, err.text);
        node_after(to);
    }
    sim_frame_free(frame);
}

static void link_wants_up(struct sim *sim, unsigned from, unsigned to)
{
    struct sim_link *link = &sim->links[from][to];

    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + 5 + sim_below(sim, 100),
                                    .kind = EVENT_LINK_UP,
                                    .node = from,
                                    .other = to,
                                    .life = link->life });
}

void network_break(struct sim *sim, unsigned from, unsigned to, bool cut)
{
    struct sim_link *link = &sim->links[from][to];
    struct sim_node *node = &sim->nodes[from];
    bool was_up = link->up;

    if (from == to)
        return;
    link->up = false;
    link->cut = link->cut || cut;
    link->life++; /* what is on its way is lost */
    if (was_up) {
        sim->counts.link_breaks++;
        if (node->up && (node->peers >> sim->nodes[to].id & 1) != 0) {
            core_link(node->core, sim->now_ms, sim->nodes[to].id, false);
            node_after(node);
        }
    }
    if (!link->cut)
        link_wants_up(sim, from, to);
}

void network_up(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = &sim->links[event->node][event->other];
    struct sim_node *from = &sim->nodes[event->node];

    if (link->up || link->cut || link->life != event->life)
        return;
    if (!from->up || !sim->nodes[event->other].up)
        return; /* tried again when both run */
    link->up = true;
    if ((from->peers >> sim->nodes[event->other].id & 1) == 0)
        return;
    core_link(from->core, sim->now_ms, sim->nodes[event->other].id, true);
    node_after(from);
}

bool network_is_up(const struct sim *sim, unsigned from, unsigned to)
{
    return sim->links[from][to].up;
}

void network_node_started(struct sim *sim, unsigned node)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        if (i == node || !sim->nodes[i].exists)
            continue;
        link_wants_up(sim, node, i);
        link_wants_up(sim, i, node);
    }
}

void network_heal(struct sim *sim)
{
    for (unsigned from = 0; from < SIM_NODES; from++) {
        for (unsigned to = 0; to < SIM_NODES; to++) {
            if (from == to || sim->links[from][to].up || !sim->nodes[from].exists ||
                !sim->nodes[to].exists)
                continue;
            sim->links[from][to].cut = false;
            link_wants_up(sim, from, to);
        }
    }
}
