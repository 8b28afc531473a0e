/* Handing leadership over: hold commands back until a voter has all of the log, tell it to elect
 * itself, and wait until another node leads.
 *
 *   asked -> at the leader:  HOLDING -> told -> another leads        ST_OK
 *         |                     \-> nobody caught up in time -----> ST_TIMEOUT, commands go on
 *         \-> elsewhere: RAFT_HANDOVER -> the leader; the asker watches who leads
 *
 * Commands and barriers that come meanwhile wait in their queues and go the way of any change of
 * leader, so a client sees a pause of some milliseconds and no failure.  What can not succeed holds
 * commands up for two election time-outs at most, as the loss of a leader would. */
#include "controlplane/replica/core_internal.h"

#include "base/check.h"
#include "proto/raft.pb-c.h"

static void finish(struct core *core, enum status st)
{
    struct handover handover = core->handover;

    core->handover = (struct handover){ 0 };
    if (!handover.remote)
        core->io.transferred(core->io.context, handover.token, st);
}

bool transfer_holds(const struct core *core)
{
    if (!rules_is_leader(core->rules))
        return false;
    return (core->handover.active && core->handover.own) || rules_transferring(core->rules);
}

/* The target asked for, or of the voters whose link is up the one with most of the log; one whose
 * disk is not fit would hand over at once, and only comes when there is no other. */
static uint64_t choose(const struct core *core)
{
    uint64_t ids[NODES_MAX];
    unsigned count = rules_voters(core->rules, ids);
    uint64_t best = 0;
    uint64_t best_match = 0;
    bool best_fit = false;

    if (core->handover.target != 0)
        return core->handover.target;
    for (unsigned i = 0; i < count; i++) {
        struct peer *peer = core_peer((struct core *)core, ids[i]);
        uint64_t match = rules_match(core->rules, ids[i]);
        bool fit;

        if (peer == NULL || !peer->up)
            continue;
        fit = disk_of_peer(core, peer) == DISK_FIT;
        if (best != 0 && (fit != best_fit ? best_fit : match <= best_match))
            continue;
        best = ids[i];
        best_match = match;
        best_fit = fit;
    }
    return best;
}

/* As leader in the term of the beginning. */
static void step_own(struct core *core)
{
    struct handover *handover = &core->handover;
    enum status st;

    if (rules_transferring(core->rules))
        return; /* libraft gives up after an election time-out */
    if (handover->told || core->now >= handover->hold_until) {
        finish(core, ST_TIMEOUT);
        return;
    }
    st = rules_transfer(core->rules, core->now, choose(core));
    if (st == ST_OK)
        handover->told = true;
    else if (st == ST_NOT_FOUND && handover->target != 0)
        finish(core, ST_NOT_FOUND); /* it is no voter any more */
}

void transfer_step(struct core *core)
{
    struct handover *handover = &core->handover;
    uint64_t leader;

    if (!handover->active)
        return;
    core_wait_scan(core);
    leader = rules_leader(core->rules);
    if (leader != 0 && leader != handover->from)
        finish(core, ST_OK);
    else if (core->now >= handover->deadline_ms)
        finish(core, ST_TIMEOUT);
    else if (leader == core->config.self_id && rules_term(core->rules) != handover->term)
        finish(core, ST_TIMEOUT); /* elected anew: it went nowhere */
    else if (handover->own && rules_is_leader(core->rules))
        step_own(core);
}

void transfer_done(struct core *core)
{
    if (core->handover.active)
        finish(core, ST_UNAVAILABLE);
}

static void ask_leader(struct core *core, uint64_t leader, uint64_t target)
{
    Lapwing__Handover message = LAPWING__HANDOVER__INIT;
    struct buf body = { 0 };
    size_t len;

    message.target = target;
    len = lapwing__handover__get_packed_size(&message);
    body.len = lapwing__handover__pack(&message, buf_reserve(&body, len));
    core->io.send(core->io.context, leader, LAPWING__RAFT_FRAME__RAFT_HANDOVER, buf_view(&body));
    buf_done(&body);
}

static void begin(struct core *core, uint64_t target, uint64_t deadline_ms)
{
    core->handover = (struct handover){
        .active = true,
        .own = rules_is_leader(core->rules),
        .target = target,
        .from = rules_leader(core->rules),
        .term = rules_term(core->rules),
        .hold_until = core->now + core->config.election_ms,
        .deadline_ms = deadline_ms,
    };
    core_wait_scan(core);
}

void transfer_from_here(struct core *core, uint64_t target)
{
    CHECK(!core->handover.active);
    begin(core, target, core->now + 3 * core->config.election_ms);
    core->handover.remote = true;
}

static bool is_other_voter(const struct core *core, uint64_t target)
{
    uint64_t ids[NODES_MAX];
    unsigned count = rules_voters(core->rules, ids);

    for (unsigned i = 0; i < count; i++)
        if (target == 0 || ids[i] == target)
            return true;
    return false;
}

enum status core_transfer(
    struct core *core, uint64_t now_ms, uint64_t target, uint64_t deadline_ms, void *token)
{
    uint64_t leader = rules_leader(core->rules);

    if (now_ms > core->now)
        core->now = now_ms;
    if (core->handover.active)
        return ST_CONFLICT;
    if (leader == 0)
        return ST_UNAVAILABLE;
    if (rules_is_leader(core->rules) && !is_other_voter(core, target))
        return ST_NOT_FOUND;
    begin(core, target, deadline_ms);
    core->handover.token = token;
    if (!core->handover.own)
        ask_leader(core, leader, target);
    return ST_OK;
}

enum status transfer_frame(struct core *core, struct bytes body, struct err *err)
{
    Lapwing__Handover *message = lapwing__handover__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return err_set(err, ST_BAD_INPUT, "handover: does not decode");
    /* Otherwise who asked sees that nothing changes, and says so when its time is up. */
    if (!core->handover.active && rules_is_leader(core->rules) &&
        is_other_voter(core, message->target))
        transfer_from_here(core, message->target);
    lapwing__handover__free_unpacked(message, NULL);
    return ST_OK;
}
