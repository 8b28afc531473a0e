/* What a disk that is full, slow or failed means for a member of the group.
 *
 *   unfit follower   does not stand for election, votes for others; stands only when nobody has led
 *                    for ten election timeouts: better a full leader than none
 *   unfit leader     hands over to a fit peer once that holds all that we hold
 *                    full, and no peer is fit?  leads on, for reads; commands are refused
 *                    slow, and no peer is fit?  leads on
 *
 * Handing over needs no disk: another voter's log is enough.  Every node tells the others what its
 * disk is fit for. */
#include "controlplane/replica/core_internal.h"

#include "base/check.h"
#include "proto/raft.pb-c.h"

/* ---- telling each other ----
 *
 * A node that is fit says nothing.  One that is not says so when it becomes that, when a link
 * opens, and each second; what it said counts for five, so that one that was started again is not
 * taken for what it was. */

static void tell(struct core *core, const struct peer *peer)
{
    Lapwing__RaftDisk message = LAPWING__RAFT_DISK__INIT;
    struct buf body = { 0 };
    size_t len;

    message.condition = core->disk;
    len = lapwing__raft_disk__get_packed_size(&message);
    body.len = lapwing__raft_disk__pack(&message, buf_reserve(&body, len));
    core->io.send(core->io.context, peer->id, LAPWING__RAFT_FRAME__RAFT_DISK, buf_view(&body));
    buf_done(&body);
}

static void tell_all(struct core *core)
{
    core->disk_say_at = core->now + CORE_DISK_SAY_MS;
    for (unsigned i = 0; i < core->peer_count; i++)
        if (core->peers[i].up)
            tell(core, &core->peers[i]);
}

void disk_link(struct core *core, const struct peer *peer, bool up)
{
    if (up && core->disk != DISK_FIT)
        tell(core, peer);
}

enum disk_condition disk_of_peer(const struct core *core, const struct peer *peer)
{
    return core->now - peer->disk_ms < CORE_DISK_SAID_MS ? peer->disk : DISK_FIT;
}

enum status disk_frame(struct core *core, uint64_t peer_id, struct bytes body, struct err *err)
{
    Lapwing__RaftDisk *message = lapwing__raft_disk__unpack(NULL, body.len, body.data);
    uint32_t condition;

    if (message == NULL)
        return err_set(err, ST_BAD_INPUT, "raft disk: does not decode");
    condition = message->condition;
    lapwing__raft_disk__free_unpacked(message, NULL);
    if (condition >= DISK_CONDITIONS)
        return err_set(err, ST_BAD_INPUT, "raft disk: condition %u is not known", condition);
    core_peer(core, peer_id)->disk = (enum disk_condition)condition;
    core_peer(core, peer_id)->disk_ms = core->now;
    return ST_OK;
}

/* ---- leading ---- */

/* May it lead: does it vote, is it fit and within reach? */
static bool may_lead(const struct core *core, const struct peer *peer)
{
    uint64_t voters[NODES_MAX];
    unsigned count = rules_all_voters(core->rules, voters);

    for (unsigned i = 0; i < count; i++)
        if (voters[i] == peer->id)
            return peer->up && disk_of_peer(core, peer) == DISK_FIT;
    return false;
}

/* Fit, within reach, and with all of our log: that is who can be told to elect itself.  0: nobody.
 */
static uint64_t heir(const struct core *core)
{
    for (unsigned i = 0; i < core->peer_count; i++) {
        const struct peer *peer = &core->peers[i];

        if (may_lead(core, peer) && rules_match(core->rules, peer->id) >= rules_last(core->rules))
            return peer->id;
    }
    return 0;
}

static bool has_fit_peer(const struct core *core)
{
    for (unsigned i = 0; i < core->peer_count; i++)
        if (may_lead(core, &core->peers[i]))
            return true;
    return false;
}

bool disk_takes_commands(const struct core *core)
{
    return core->disk == DISK_FIT || core->disk == DISK_SLOW;
}

bool disk_refuses_commands(const struct core *core)
{
    return !disk_takes_commands(core) && rules_is_leader(core->rules) && !has_fit_peer(core);
}

void disk_turn(struct core *core)
{
    uint64_t to;

    if (core->disk == DISK_FIT || !rules_is_leader(core->rules) || core->handover.active ||
        core->now < core->disk_handover_at)
        return;
    to = heir(core);
    if (to == 0)
        return;
    transfer_from_here(core, to);
    core->disk_handover_at = core->now + CORE_HANDOVER_AGAIN_MS;
}

void core_set_disk(struct core *core, uint64_t now_ms, enum disk_condition condition)
{
    CHECK((unsigned)condition < DISK_CONDITIONS);
    if (now_ms > core->now)
        core->now = now_ms;
    if (core->disk == condition)
        return;
    core->disk = condition;
    core->disk_handover_at = 0;
    tell_all(core);
    if (!disk_takes_commands(core))
        commit_drop_queue(core);
    core_wait_scan(core);
}

/* ---- following ---- */

bool disk_withholds_tick(const struct core *core, uint64_t *out_until_ms)
{
    uint64_t patience = CORE_PATIENCE_TIMEOUTS * (uint64_t)core->config.election_ms;

    if (core->disk == DISK_FIT || rules_is_leader(core->rules))
        return false;
    *out_until_ms = rules_heard_ms(core->rules) + patience;
    return core->now < *out_until_ms;
}

/* ---- applying ---- */

void disk_apply_held(struct core *core)
{
    core->apply_held = true;
    core->apply_again_ms = core->now + CORE_APPLY_AGAIN_MS;
    core_wait_scan(core);
}

void disk_scan(struct core *core)
{
    if (core->disk != DISK_FIT) {
        if (core->now >= core->disk_say_at)
            tell_all(core);
        core_wait_scan(core);
    }
    if (!core->apply_held)
        return;
    if (core->now >= core->apply_again_ms) {
        core->apply_held = false;
        rules_apply_again(core->rules, core->now);
    }
    if (core->apply_held)
        core_wait_scan(core);
}
