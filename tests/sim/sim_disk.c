/* Disks in trouble: full for a while (one, two or all), stuck, failing, and one that lies.
 *
 * Full: rows find no page (a limit of SQLite, so that its real refusal is met), snapshots are not
 * written; appends go on from the reserve, or wait; votes always have room.
 *
 * Stuck: nothing is done until it goes on; who must make a vote durable hangs with it.
 *
 * Failing: nothing is done any more; the process hands over, ends, and starts again later.
 *
 * Lying: it calls durable what a power cut takes: the newest entries, or the vote.  log.mark shows
 * it at the start, and the node is not let in again (--break mark: it is).
 *
 * The mark of a real node is not synced with each commit, so it may be as old as what is lost: here
 * it never is.  One node lies in a run, since with two even a perfect mark could not help. */
#include <raft.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/check.h"
#include "controlplane/state/state_internal.h"
#include "tests/sim/sim.h"

enum {
    NOTICE_MS = 100, /* within which a node sees that its disk is full */
    SLOW_MS = 1000,
    STOP_MS = 500,
    KNOWN_MS = 2000,
    LEADS_MS = 9000, /* within which somebody else leads, what a peer said long ago included */
    LASTS_MS = 3000,
    ALONE_MS = 15000, /* the same when all are full */
    EPILOGUE_OVER = 6,
};

enum sim_trouble_event { TROUBLE_BEGIN, TROUBLE_NOTICE, TROUBLE_END, TROUBLE_STOP };

static void event_at(struct sim *sim, unsigned node, unsigned after, enum sim_trouble_event what)
{
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + after,
                                    .kind = EVENT_TROUBLE,
                                    .node = node,
                                    .other = what,
                                    .life = sim->nodes[node].trouble.number });
}

static unsigned at_of(const struct sim_node *node)
{
    return (unsigned)(node - node->sim->nodes);
}

static void set_condition(struct sim_node *node, enum disk_condition condition)
{
    if (!node->up)
        return;
    core_set_disk(node->core, clock_now(node), condition);
    node_after(node);
}

/* The rows may grow by so many pages; negative: as they like. */
static void limit_rows(struct sim_node *node, int more)
{
    sqlite3_stmt *stmt = NULL;
    char text[64];
    sqlite3 *db;
    int rc;

    if (node->state == NULL)
        return;
    db = node->state->reader.connection.db;
    rc = sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &stmt, NULL);
    CHECK(rc == SQLITE_OK);
    rc = sqlite3_step(stmt);
    CHECK(rc == SQLITE_ROW);
    more = more < 0 ? 1 << 30 : sqlite3_column_int(stmt, 0) + more;
    (void)sqlite3_finalize(stmt);
    (void)snprintf(text, sizeof text, "PRAGMA max_page_count = %d", more);
    rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    CHECK(rc == SQLITE_OK);
}

/* ---- one node's trouble ---- */

static void begin_full(struct sim_node *node, unsigned for_ms)
{
    struct sim *sim = node->sim;

    if (!node->up || node->trouble.kind != TROUBLE_NONE)
        return;
    node->trouble.number++;
    node->trouble.kind = TROUBLE_FULL;
    node->trouble.reserve = sim_below(sim, 2) == 0;
    sim_say(sim, "node %llu: its disk is full%s", (unsigned long long)node->id,
            node->trouble.reserve ? ", the log has its reserve" : "");
    sim->counts.full++;
    limit_rows(node, (int)sim_below(sim, 4));
    event_at(sim, at_of(node), sim_below(sim, NOTICE_MS), TROUBLE_NOTICE);
    if (for_ms > 0)
        event_at(sim, at_of(node), for_ms, TROUBLE_END);
}

static void begin_stuck(struct sim_node *node, unsigned for_ms)
{
    struct sim *sim = node->sim;

    if (!node->up || node->trouble.kind != TROUBLE_NONE)
        return;
    sim_say(sim, "node %llu: its disk is stuck", (unsigned long long)node->id);
    sim->counts.stuck++;
    node->trouble.number++;
    node->trouble.kind = TROUBLE_STUCK;
    event_at(sim, at_of(node), SLOW_MS, TROUBLE_NOTICE);
    if (for_ms > 0)
        event_at(sim, at_of(node), for_ms, TROUBLE_END);
}

static void begin_failing(struct sim_node *node)
{
    struct sim *sim = node->sim;

    if (!node->up || node->trouble.kind != TROUBLE_NONE)
        return;
    sim_say(sim, "node %llu: its disk fails", (unsigned long long)node->id);
    sim->counts.failed++;
    node->trouble.number++;
    node->trouble.kind = TROUBLE_FAILED;
    event_at(sim, at_of(node), 0, TROUBLE_NOTICE);
    event_at(sim, at_of(node), STOP_MS, TROUBLE_STOP);
}

static void end_trouble(struct sim_node *node)
{
    struct sim *sim = node->sim;

    if (node->trouble.kind != TROUBLE_FULL && node->trouble.kind != TROUBLE_STUCK)
        return;
    sim_say(sim, "node %llu: its disk is well again", (unsigned long long)node->id);
    node->trouble.kind = TROUBLE_NONE;
    limit_rows(node, -1);
    for (; node->up && node->trouble.missed > 0; node->trouble.missed--)
        sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, 20),
                                        .kind = EVENT_DISK,
                                        .node = at_of(node),
                                        .life = node->life });
    event_at(sim, at_of(node), sim_below(sim, 1000), TROUBLE_NOTICE);
}

static void notice(struct sim_node *node)
{
    static const enum disk_condition conditions[] = {
        [TROUBLE_NONE] = DISK_FIT,
        [TROUBLE_FULL] = DISK_FULL,
        [TROUBLE_STUCK] = DISK_SLOW,
        [TROUBLE_FAILED] = DISK_FAILED,
    };

    set_condition(node, conditions[node->trouble.kind]);
}

static void begin_some(struct sim *sim)
{
    unsigned one = members_some(sim);
    unsigned for_ms = 300 + sim_below(sim, 4000);
    unsigned count;

    switch (sim_below(sim, 6)) {
    case 0:
        begin_stuck(&sim->nodes[one], 200 + sim_below(sim, 3000));
        break;
    case 1:
        begin_failing(&sim->nodes[one]);
        break;
    default:
        count = sim_below(sim, 2) == 0 ? 1 : 1 + sim_below(sim, sim->wants.count);
        for (unsigned i = 0; i < count; i++)
            begin_full(&sim->nodes[(one + i) % sim->wants.count], for_ms + sim_below(sim, 300));
        break;
    }
    event_at(sim, 0, 200 + sim_below(sim, 3000), TROUBLE_BEGIN);
}

void trouble_event(struct sim *sim, const struct sim_event *event)
{
    struct sim_node *node = &sim->nodes[event->node];

    switch ((enum sim_trouble_event)event->other) {
    case TROUBLE_BEGIN:
        if (sim->faults_on)
            begin_some(sim);
        return;
    case TROUBLE_NOTICE:
        if (clock_is_frozen(node)) /* it sees it when it goes on */
            sim_put_off(sim, *event, node->frozen_until);
        else
            notice(node);
        return;
    case TROUBLE_END:
        if (event->life == node->trouble.number)
            end_trouble(node);
        return;
    case TROUBLE_STOP:
        if (node->trouble.kind == TROUBLE_FAILED || node->trouble.silent)
            node_crash(node, sim_below(sim, 2) == 0);
        return;
    }
}

void trouble_start(struct sim *sim)
{
    if (sim->steady && (sim->broken == BREAK_MARK || sim_below(sim, 2) == 0))
        sim->nodes[members_some(sim)].trouble.liar = true;
    event_at(sim, 0, 1000 + sim_below(sim, 2000), TROUBLE_BEGIN);
}

void trouble_heal(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        end_trouble(&sim->nodes[i]);
}

/* ---- what node and its disk ask ---- */

bool trouble_holds(struct sim_node *node)
{
    const struct sim_trouble *trouble = &node->trouble;
    bool appends = node->ops != NULL && node->ops->kind == DISK_APPEND;

    if (trouble->kind == TROUBLE_NONE && !trouble->silent)
        return false;
    if (trouble->kind == TROUBLE_FULL && !trouble->silent && trouble->reserve && appends)
        return false;
    node->trouble.missed++;
    return true;
}

bool trouble_has_liar(const struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (sim->nodes[i].trouble.liar)
            return true;
    return false;
}

bool trouble_is_full(const struct sim_node *node)
{
    return node->trouble.kind == TROUBLE_FULL;
}

/* A vote is asked for.  False: it is not durable, and the process does not come back from the call.
 */
bool trouble_votes(struct sim_node *node)
{
    if (node->trouble.silent)
        return false;
    if (node->trouble.kind != TROUBLE_STUCK && node->trouble.kind != TROUBLE_FAILED)
        return true;
    node->trouble.silent = true;
    event_at(node->sim, at_of(node), sim_below(node->sim, STOP_MS), TROUBLE_STOP);
    return false;
}

void trouble_started(struct sim_node *node)
{
    if (node->trouble.kind != TROUBLE_FULL)
        return;
    limit_rows(node, (int)sim_below(node->sim, 4));
    event_at(node->sim, at_of(node), sim_below(node->sim, NOTICE_MS), TROUBLE_NOTICE);
}

/* Before what was queued is lost. */
void trouble_crashed(struct sim_node *node)
{
    limit_rows(node, -1);
    node->trouble.missed = 0;
    node->trouble.acked = node->disk.first + node->disk.count - 1;
    if (node->trouble.kind != TROUBLE_FULL)
        node->trouble.kind = TROUBLE_NONE;
}

/* Behind that, at a power cut: what the disk had lied about. */
void trouble_lies(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct sim_disk *disk = &node->disk;
    unsigned count = sim_below(sim, 6);
    uint64_t last_term;
    bool lost = false;

    if (!node->trouble.liar || (sim->broken != BREAK_MARK && sim_below(sim, 2) == 0))
        return;
    while (count-- > 0 && disk->count > 0 &&
           disk->first + disk->count - 1 > disk->snapshot.index + 1) {
        lost = lost || disk->first + disk->count - 1 <= node->trouble.acked;
        log_data_drop(disk->entries[--disk->count].data);
    }
    disk->synced = disk->first + disk->count - 1;
    last_term = disk->count > 0 ? disk->entries[disk->count - 1].term : disk->snapshot.term;
    if (last_term < disk->term && sim_below(sim, 2) == 0) {
        disk->term = last_term;
        disk->voted_for = 0;
        lost = true;
    }
    if (!lost)
        return;
    sim->counts.lies++;
    sim_say(sim, "node %llu: its disk had lied, the log ends at %llu", (unsigned long long)node->id,
            (unsigned long long)(disk->first + disk->count - 1));
    node->trouble.refused = sim->broken != BREAK_MARK;
}

/* ---- the end of a run: what unfit nodes do when nothing else is wrong ---- */

static struct sim_node *leader_of(struct sim *sim)
{
    struct sim_node *leader = NULL;
    uint64_t term = 0;

    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct core_view view;

        if (!sim->nodes[i].up)
            continue;
        core_view(sim->nodes[i].core, &view);
        if (view.raft_state != RAFT_LEADER || view.term < term)
            continue;
        leader = &sim->nodes[i];
        term = view.term;
    }
    return leader;
}

static void next_stage(struct sim *sim, unsigned within_ms)
{
    sim->epilogue++;
    sim->epilogue_until = sim->now_ms + within_ms;
}

static void all_full(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        begin_full(&sim->nodes[i], 0);
        sim->nodes[i].trouble.reserve = true;
    }
}

static bool all_are_up(const struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++)
        if (members_present(sim, i) && !sim->nodes[i].up && !sim->nodes[i].trouble.refused)
            return false;
    return true;
}

/* A full or stuck leader hands over; when all are full one leads on; and if that one dies, another
 * one does.
 */
bool trouble_epilogue(struct sim *sim)
{
    struct sim_node *leader = leader_of(sim);

    switch (sim->epilogue) {
    case 0:
        if (__builtin_popcountll(sim->wants.voters) < SIM_MEMBERS_MIN) {
            sim->epilogue = EPILOGUE_OVER; /* nobody to hand over to */
            return true;
        }
        if (leader == NULL)
            return false;
        sim->epilogue_node = at_of(leader);
        if (sim_below(sim, 2) == 0)
            begin_full(leader, 0);
        else
            begin_stuck(leader, 0);
        next_stage(sim, LEADS_MS);
        return false;
    case 1:
        /* One that was ended with its stuck disk may lead again: it is well. */
        if (leader != NULL &&
            (at_of(leader) != sim->epilogue_node || leader->trouble.kind == TROUBLE_NONE)) {
            end_trouble(&sim->nodes[sim->epilogue_node]);
            next_stage(sim, ALONE_MS);
        } else if (sim->now_ms > sim->epilogue_until) {
            sim_fail(sim, "node %u leads on with a disk that is not fit", sim->epilogue_node + 1);
        }
        return false;
    case 2: /* one that had to vote with a stuck disk was ended */
        if (all_are_up(sim)) {
            all_full(sim);
            next_stage(sim, KNOWN_MS);
        }
        return false;
    case 3: /* everybody learns of it; one that did not know yet may have been handed the lead */
        if (sim->now_ms > sim->epilogue_until && leader != NULL) {
            sim->epilogue_node = at_of(leader);
            next_stage(sim, LASTS_MS);
        }
        return false;
    case 4:
        if (leader == NULL || at_of(leader) != sim->epilogue_node)
            sim_fail(sim, "with all disks full node %u does not lead on", sim->epilogue_node + 1);
        if (sim->now_ms > sim->epilogue_until) {
            node_crash(leader, false);
            next_stage(sim, ALONE_MS);
        }
        return false;
    case 5:
        if (leader != NULL) {
            trouble_heal(sim);
            next_stage(sim, ALONE_MS);
        } else if (sim->now_ms > sim->epilogue_until) {
            sim_fail(sim, "with all disks full nobody leads");
        }
        return false;
    default:
        return true;
    }
}
