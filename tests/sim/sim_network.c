/* Links: ordered per direction, delayed, and lost only by breaking, as a TCP connection is. */
#include <stdlib.h>

#include "base/check.h"
#include "controlplane/replica/wire.h"
#include "proto/raft.pb-c.h"
#include "proto/raft_check.h"
#include "tests/sim/sim.h"

enum {
    LATE_MS_MAX = 1500, /* BREAK_EPOCH */
    ENCORES = 2,
    ENCORES_LATE = 8, /* BREAK_EPOCH: few of them meet a rejection */
    ENCORE_MS = 2000,
};

void sim_frame_free(struct sim_frame *frame)
{
    buf_done(&frame->body);
    free(frame);
}

/* BREAK_EPOCH: libraft takes a rejection that comes late for a new one. */
static bool is_rejection(uint16_t type, struct bytes body)
{
    struct wire_message message;
    bool rejection;

    if (type != LAPWING__RAFT_FRAME__RAFT_MESSAGE || wire_decode(body, 0, &message, NULL) != ST_OK)
        return false;
    rejection = message.raft.type == RAFT_APPEND_ENTRIES_RESULT &&
                message.raft.append_entries_result.rejected > 0;
    wire_message_done(&message);
    return rejection;
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
    frame->to_life = sim->nodes[to].life;
    buf_append(&frame->body, body.data, body.len);
    sim_at(sim, (struct sim_event){ .at_ms = at,
                                    .kind = EVENT_FRAME,
                                    .node = from,
                                    .other = to,
                                    .life = link->life,
                                    .data = frame });
    if (sim->broken == BREAK_EPOCH && sim_below(sim, 4) != 0 && is_rejection(type, body))
        network_break(sim, from, to, false);
}

/* BREAK_EPOCH: an older connection's frames come, to the process that they were sent to, when the
 * newer one is open. */
static bool may_be_late(const struct sim *sim, const struct sim_event *event)
{
    const struct sim_frame *frame = event->data;
    const struct sim_node *to = &sim->nodes[event->other];

    return sim->broken == BREAK_EPOCH && to->up && to->life == frame->to_life;
}

static bool is_put_off(struct sim *sim, const struct sim_event *event)
{
    struct sim_frame *frame = event->data;

    if (!may_be_late(sim, event) || frame->late ||
        sim->links[event->node][event->other].life == event->life)
        return false;
    frame->late = true;
    sim_put_off(sim, *event, sim->now_ms + sim_below(sim, LATE_MS_MAX));
    return true;
}

/* As replica_links.c does: it is let in to the book, and a hello that can not be kept comes again.
 */
static enum status take_hello(struct sim_node *to,
                              const struct sim_node *from,
                              struct bytes body,
                              struct err *err)
{
    Lapwing__RaftHello *hello = lapwing__raft_hello__unpack(NULL, body.len, body.data);
    enum status st;

    CHECK(hello != NULL);
    st = raft_hello_check(hello, err);
    if (st == ST_OK)
        st = core_hello(to->core, clock_now(to), from->id, hello, err);
    lapwing__raft_hello__free_unpacked(hello, NULL);
    if (st == ST_NO_SPACE)
        network_break(to->sim, (unsigned)(from->id - 1), (unsigned)(to->id - 1), false);
    return st == ST_NO_SPACE || st == ST_DENIED ? ST_OK : st;
}

void network_deliver(struct sim *sim, const struct sim_event *event)
{
    struct sim_link *link = &sim->links[event->node][event->other];
    struct sim_node *to = &sim->nodes[event->other];
    struct sim_frame *frame = event->data;
    bool hello = frame->type == LAPWING__RAFT_FRAME__RAFT_HELLO;
    struct err err = { 0 };
    enum status st;

    if (is_put_off(sim, event))
        return;
    if (hello && to->up)
        members_know_peers(to);
    /* A node closes the links of those whom it knows to be removed, and hears of no others. */
    if (((link->up && link->life == event->life) || may_be_late(sim, event)) &&
        (to->peers >> sim->nodes[event->node].id & 1) != 0) {
        CHECK(to->up);
        if (hello)
            st = take_hello(to, &sim->nodes[event->node], buf_view(&frame->body), &err);
        else
            st = core_frame(to->core, clock_now(to), sim->nodes[event->node].id, frame->type,
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

    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + 5 +
                                             sim_below(sim, sim_below(sim, 3) == 0 ? 10 : 100),
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
        if (node->up)
            sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms,
                                            .kind = EVENT_LINK_DOWN,
                                            .node = from,
                                            .other = to,
                                            .life = node->life });
    }
    if (!link->cut)
        link_wants_up(sim, from, to);
}

void network_down(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];

    if (sim->links[event->node][event->other].up ||
        (node->peers >> sim->nodes[event->other].id & 1) == 0)
        return;
    core_link(node->core, clock_now(node), sim->nodes[event->other].id, false);
    node_after(node);
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
    core_link(from->core, clock_now(from), sim->nodes[event->other].id, true);
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

/* A write goes out, the link to one follower breaks behind it, and then nothing more happens for a
 * while: what comes late finds a leader that has nothing to send. */
bool network_encore(struct sim *sim)
{
    unsigned leader = reads_some_leader(sim);
    unsigned encores = sim->broken == BREAK_EPOCH ? ENCORES_LATE : ENCORES;

    if (sim->now_ms < sim->encore_ends || leader == SIM_NODES)
        return true;
    if (sim->encores > encores)
        return false;
    clients_ask_at(sim, leader);
    if (sim->encores++ < encores)
        network_break(sim, leader, members_some(sim), false);
    sim->encore_ends = sim->now_ms + (sim->encores > encores ? 1 : ENCORE_MS);
    return true;
}
