/* Linearizable read points.  At a leader whose lease holds, what it knows to be committed is all
 * there is; else a barrier rides on the next entry, or on an empty one, and when it is applied, so
 * is everything that was committed before.  Elsewhere the leader is asked for such an index, one
 * question at a time for all who wait, and reached here. */
#include "controlplane/replica/core_internal.h"

#include <stdlib.h>

#include "base/check.h"
#include "proto/raft_check.h"

static struct barrier *barrier_add(struct core *core)
{
    struct barrier *barrier = must_calloc(1, sizeof *barrier);

    *core->barriers_end = barrier;
    core->barriers_end = &barrier->next;
    core->barrier_count++;
    return barrier;
}

static void barrier_remove(struct core *core, struct barrier **link)
{
    struct barrier *barrier = *link;

    *link = barrier->next;
    if (barrier->next == NULL)
        core->barriers_end = link;
    core->barrier_count--;
    free(barrier);
}

static void send_done(struct core *core, const struct barrier *barrier, enum status st)
{
    Lapwing__BarrierDone message = LAPWING__BARRIER_DONE__INIT;
    struct buf body = { 0 };
    size_t len;

    message.id = barrier->peer_request;
    message.status = st;
    message.index = barrier->index;
    len = lapwing__barrier_done__get_packed_size(&message);
    body.len = lapwing__barrier_done__pack(&message, buf_reserve(&body, len));
    core->io.send(core->io.context, barrier->peer, LAPWING__RAFT_FRAME__RAFT_BARRIER_DONE,
                  buf_view(&body));
    buf_done(&body);
}

static void finish(struct core *core, struct barrier **link, enum status st)
{
    struct barrier *barrier = *link;

    if (barrier->peer != 0) {
        tell_wanted(core, barrier->peer, barrier->index);
        send_done(core, barrier, st);
    } else {
        core->io.barrier_done(core->io.context, barrier->token, st);
    }
    barrier_remove(core, link);
}

bool barrier_wants_entry(const struct core *core)
{
    for (const struct barrier *b = core->barriers; b != NULL; b = b->next)
        if (b->state == BARRIER_WAITING)
            return true;
    return false;
}

void barrier_attach(struct core *core, uint64_t index)
{
    for (struct barrier *b = core->barriers; b != NULL; b = b->next) {
        if (b->state != BARRIER_WAITING)
            continue;
        b->state = BARRIER_INDEXED;
        b->index = index;
        b->term = rules_term(core->rules);
    }
    barrier_applied(core);
}

/* An index from a leader counts when reached.  One of our own counts only while our term lasts:
 * behind it, another leader's entry may stand at that index. */
static bool reached(const struct core *core, const struct barrier *barrier)
{
    if (barrier->state != BARRIER_INDEXED || barrier->index > rules_applied(core->rules))
        return false;
    return barrier->term == 0 || barrier->term == rules_term(core->rules);
}

void barrier_applied(struct core *core)
{
    struct barrier **link = &core->barriers;

    while (*link != NULL) {
        if (reached(core, *link))
            finish(core, link, ST_OK);
        else
            link = &(*link)->next;
    }
}

/* Judged by core->now, which is no older than any barrier that waits here.  The index is committed,
 * so it counts whatever becomes of our term. */
void barrier_by_lease(struct core *core)
{
    if (!barrier_wants_entry(core) || core->now >= core_lease_until(core))
        return;
    for (struct barrier *b = core->barriers; b != NULL; b = b->next) {
        if (b->state != BARRIER_WAITING)
            continue;
        b->state = BARRIER_INDEXED;
        b->index = rules_commit(core->rules);
        b->term = 0;
    }
    barrier_applied(core);
}

static void ask(struct core *core)
{
    Lapwing__Barrier message = LAPWING__BARRIER__INIT;
    struct buf body = { 0 };
    size_t len;

    core->barrier_asked = ++core->next_request;
    core->barrier_asked_of = core->seen_leader;
    core->barrier_asked_term = core->seen_term;
    core->barrier_asked_ms = core->now;
    for (struct barrier *b = core->barriers; b != NULL; b = b->next) {
        if (b->state != BARRIER_WAITING || b->peer != 0)
            continue;
        b->state = BARRIER_ASKED;
        b->asked = core->barrier_asked;
    }
    message.id = core->barrier_asked;
    len = lapwing__barrier__get_packed_size(&message);
    body.len = lapwing__barrier__pack(&message, buf_reserve(&body, len));
    core->io.send(core->io.context, core->barrier_asked_of, LAPWING__RAFT_FRAME__RAFT_BARRIER,
                  buf_view(&body));
    buf_done(&body);
}

/* The question is lost: who waited for it waits again. */
static void asked_lost(struct core *core)
{
    for (struct barrier *b = core->barriers; b != NULL; b = b->next)
        if (b->state == BARRIER_ASKED)
            b->state = BARRIER_WAITING;
    core->barrier_asked = 0;
}

void barrier_link_down(struct core *core, uint64_t peer)
{
    if (core->barrier_asked != 0 && core->barrier_asked_of == peer)
        asked_lost(core);
}

/* Deadlines, and barriers that hung on a term which is over. */
static void sweep(struct core *core)
{
    struct barrier **link = &core->barriers;

    while (*link != NULL) {
        struct barrier *barrier = *link;
        bool ours = barrier->state == BARRIER_INDEXED && barrier->term != 0;

        if (ours && barrier->term != core->seen_term)
            barrier->state = BARRIER_WAITING;
        if (barrier->peer != 0 && barrier->state == BARRIER_WAITING &&
            !rules_is_leader(core->rules))
            finish(core, link, ST_NOT_LEADER);
        else if (barrier->peer == 0 && core->now >= barrier->deadline_ms)
            finish(core, link, ST_UNAVAILABLE);
        else
            link = &barrier->next;
    }
}

void barrier_scan(struct core *core, bool leader_changed)
{
    struct peer *leader = core_peer(core, core->seen_leader);

    if (core->barriers == NULL)
        return;
    sweep(core);
    if (core->barrier_asked != 0 &&
        (leader_changed || core->barrier_asked_term != core->seen_term ||
         core->barrier_asked_of != core->seen_leader ||
         core->now - core->barrier_asked_ms >= CORE_ATTEMPT_MS))
        asked_lost(core);
    if (core->barrier_asked == 0 && leader != NULL && leader->up && barrier_wants_entry(core))
        ask(core);
    if (core->barriers != NULL)
        core_wait_scan(core);
}

void barrier_done(struct core *core)
{
    while (core->barriers != NULL) {
        if (core->barriers->peer == 0)
            core->io.barrier_done(core->io.context, core->barriers->token, ST_UNAVAILABLE);
        barrier_remove(core, &core->barriers);
    }
}

enum status core_barrier(struct core *core, uint64_t now_ms, uint64_t deadline_ms, void *token)
{
    struct barrier *barrier;

    if (core->barrier_count >= CORE_BARRIERS_MAX)
        return ST_LIMIT;
    if (now_ms > core->now)
        core->now = now_ms;
    barrier = barrier_add(core);
    barrier->deadline_ms = deadline_ms;
    barrier->token = token;
    core_wait_scan(core);
    barrier_by_lease(core);
    return ST_OK;
}

enum status barrier_frame(struct core *core, uint64_t peer, struct bytes body, struct err *err)
{
    Lapwing__Barrier *message = lapwing__barrier__unpack(NULL, body.len, body.data);
    struct barrier *barrier;

    if (message == NULL)
        return err_set(err, ST_BAD_INPUT, "barrier: does not decode");
    if (core->barrier_count < CORE_BARRIERS_MAX) {
        barrier = barrier_add(core);
        barrier->peer = peer;
        barrier->peer_request = message->id;
        core_wait_scan(core);
        barrier_by_lease(core);
    }
    lapwing__barrier__free_unpacked(message, NULL);
    return ST_OK;
}

enum status barrier_done_frame(struct core *core, uint64_t peer, struct bytes body, struct err *err)
{
    Lapwing__BarrierDone *message = lapwing__barrier_done__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return err_set(err, ST_BAD_INPUT, "barrier done: does not decode");
    if (barrier_done_check(message, err) != ST_OK) {
        lapwing__barrier_done__free_unpacked(message, NULL);
        return ST_BAD_INPUT;
    }
    if (core->barrier_asked != 0 && message->id == core->barrier_asked &&
        peer == core->barrier_asked_of) {
        for (struct barrier *b = core->barriers; b != NULL; b = b->next) {
            if (b->state != BARRIER_ASKED)
                continue;
            b->state = message->status == ST_OK ? BARRIER_INDEXED : BARRIER_WAITING;
            b->index = message->index;
            b->term = 0;
        }
        core->barrier_asked = 0;
        barrier_applied(core);
    }
    lapwing__barrier_done__free_unpacked(message, NULL);
    return ST_OK;
}
