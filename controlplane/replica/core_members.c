/* Making the group's members those that are wanted: the leader's work, a change at a time.
 *
 * Whom to ask next says members_plan; whether a change is allowed now, raft_rules.  A standby is
 * promoted when it has all of the log, which under load it has for no instant: so commands are held
 * back for it, as for a transfer, for an election time-out at most. */
#include "controlplane/replica/core_internal.h"

#include <string.h>

#include "base/check.h"

enum {
    LOOK_MS = 100,        /* between two looks at what is to be done */
    HOLD_AGAIN_MS = 1000, /* after commands were held back for nothing */
};

void core_set_wanted(struct core *core,
                     uint64_t now_ms,
                     const struct member_want *wants,
                     unsigned count)
{
    CHECK(count <= CORE_WANTS_MAX);
    if (now_ms > core->now)
        core->now = now_ms;
    memcpy(core->wants, wants, count * sizeof *wants);
    core->want_count = count;
    core_wait_scan(core);
}

bool members_hold(const struct core *core)
{
    return core->promoting != 0 && core->leading;
}

static bool is_up(const struct core *core, uint64_t id)
{
    const struct peer *peer = core_peer((struct core *)core, id);

    if (id == core->config.self_id)
        return true;
    return peer != NULL && peer->heard_ms != 0 &&
           core->now - peer->heard_ms < core->config.election_ms;
}

/* As it said; this node knows of itself. */
static bool takes_part(const struct core *core, uint64_t id)
{
    for (unsigned i = 0; i < core->peer_count; i++)
        if (core->peers[i].id == id)
            return core->peers[i].said_hello && !core->peers[i].waits && !core->peers[i].denied;
    return id == core->config.self_id && !core_is_silent(core);
}

static bool forgot(const struct core *core, uint64_t id)
{
    for (unsigned i = 0; i < core->peer_count; i++)
        if (core->peers[i].id == id)
            return core->peers[i].denied;
    return false;
}

static enum disk_condition disk_of(const struct core *core, uint64_t id)
{
    for (unsigned i = 0; i < core->peer_count; i++)
        if (core->peers[i].id == id)
            return disk_of_peer(core, &core->peers[i]);
    return id == core->config.self_id ? core->disk : DISK_FIT;
}

struct members_change members_next(const struct core *core)
{
    struct rules_member members[NODES_MAX];
    struct member_server servers[NODES_MAX];
    struct members_view view = { .self = core->config.self_id,
                                 .last = rules_last(core->rules),
                                 .wants = core->wants,
                                 .want_count = core->want_count,
                                 .servers = servers,
                                 .server_count = rules_members(core->rules, members) };

    for (unsigned i = 0; i < view.server_count; i++) {
        uint64_t id = members[i].id;

        servers[i] = (struct member_server){
            .id = id,
            .voter = members[i].voter,
            .up = is_up(core, id),
            .fit = disk_of(core, id) == DISK_FIT,
            .match = id == view.self ? view.last : rules_match(core->rules, id),
        };
    }
    return members_plan(&view);
}

/* Hold commands back until `id` has everything, then let it vote. */
static void promote(struct core *core, uint64_t id)
{
    enum status st = rules_change(core->rules, core->now, RULES_PROMOTE, id);

    if (st == ST_UNAVAILABLE && core->promoting == 0) {
        core->promoting = id;
        core->promote_until = core->now + core->config.election_ms;
        core_wait_scan(core);
    } else if (st != ST_UNAVAILABLE) {
        core->promoting = 0;
    }
}

static void go_on_promoting(struct core *core)
{
    promote(core, core->promoting);
    if (core->promoting != 0 && core->now >= core->promote_until) {
        core->promoting = 0;
        core->members_look = core->now + HOLD_AGAIN_MS;
    }
}

void members_step(struct core *core)
{
    struct members_change change;

    if (!core->leading) { /* a new leader gives everybody the time to be heard of */
        core->promoting = 0;
        core->members_look = core->now + core->config.election_ms;
        return;
    }
    if (core->want_count == 0)
        return;
    if (core->promoting != 0) {
        core_wait_scan(core);
        go_on_promoting(core);
        return;
    }
    if (core->now < core->members_look) {
        core_scan_at(core, core->members_look);
        return;
    }
    if (core->handover.active || rules_change_pending(core->rules)) {
        core_wait_scan(core);
        return;
    }
    core->members_look = core->now + LOOK_MS;
    core_scan_at(core, core->members_look);
    change = members_next(core);
    switch (change.step) {
    case MEMBERS_SETTLED:
        return;
    case MEMBERS_ADD:
        (void)rules_change(core->rules, core->now, RULES_ADD, change.id);
        return;
    case MEMBERS_PROMOTE:
        promote(core, change.id);
        return;
    case MEMBERS_REMOVE:
        (void)rules_change(core->rules, core->now, RULES_REMOVE, change.id);
        return;
    case MEMBERS_HAND_OVER:
        core->members_look = core->now + HOLD_AGAIN_MS;
        transfer_from_here(core, change.id);
        return;
    }
}

void members_view(const struct core *core, struct core_view *out)
{
    struct rules_member members[NODES_MAX];
    bool leader = rules_is_leader(core->rules);

    out->member_count = rules_members(core->rules, members);
    for (unsigned i = 0; i < out->member_count; i++) {
        uint64_t id = members[i].id;

        out->members[i] = (struct core_member){ .id = id,
                                                .voter = members[i].voter,
                                                .takes_part = takes_part(core, id),
                                                .forgot = forgot(core, id),
                                                .disk = disk_of(core, id) };
        if (!leader)
            continue;
        out->members[i].up = is_up(core, id);
        out->members[i].match =
            id == core->config.self_id ? rules_last(core->rules) : rules_match(core->rules, id);
    }
}

/* ---- whom to talk to ---- */

/* What is committed without a member shuts it out for good: it can win no election any more.  But a
 * node that lags may hear of a member first from that member, as its leader even, and must listen;
 * ids rise, so one that is higher than all that were ever seen may have come after.  The leader
 * lags behind nobody. */
bool core_refuses(const struct core *core, uint64_t id)
{
    uint64_t highest;

    if (!rules_is_out(core->rules, id, &highest))
        return false;
    if (id <= highest)
        return true;
    for (unsigned i = 0; core->leading && i < core->want_count; i++)
        if (core->wants[i].id == id)
            return core->wants[i].removed;
    return false;
}

static void peer_lost(struct core *core, uint64_t id)
{
    commit_link_down(core, id);
    barrier_link_down(core, id);
}

void core_set_peers(struct core *core, uint64_t now_ms, const uint64_t *ids, unsigned count)
{
    struct peer before[CORE_PEERS_MAX];
    unsigned before_count = core->peer_count;

    CHECK(count <= CORE_PEERS_MAX);
    if (now_ms > core->now)
        core->now = now_ms;
    memcpy(before, core->peers, sizeof before);
    memset(core->peers, 0, sizeof core->peers);
    core->peer_count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct peer *peer = &core->peers[core->peer_count++];

        CHECK(ids[i] != core->config.self_id);
        peer->id = ids[i];
        for (unsigned k = 0; k < before_count; k++)
            if (before[k].id == ids[i])
                *peer = before[k];
    }
    for (unsigned k = 0; k < before_count; k++)
        if (core_peer(core, before[k].id) == NULL)
            peer_lost(core, before[k].id);
}
