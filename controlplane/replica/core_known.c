/* Which log is known under which id, and silence until ours is: see known_rules.h.
 *
 *   our link opens, or we learn more  ->  RaftHello{our incarnation, all that we know}
 *   a RaftHello comes                 ->  what is new is made durable, then told to all
 *                                         we are in it: one more who knows us; under another
 *                                         incarnation: the end */
#include "controlplane/replica/core_internal.h"

#include <string.h>

#include "base/check.h"
#include "proto/raft.pb-c.h"

bool core_is_silent(const struct core *core)
{
    const struct known *known = &core->known;

    return known->incarnation != 0 && (!known->takes_part || known->refused);
}

/* ---- out ---- */

static void say(struct core *core, struct peer *peer)
{
    const struct known *known = &core->known;
    Lapwing__RaftHello hello = LAPWING__RAFT_HELLO__INIT;
    Lapwing__RaftKnown logs[RAFT_KNOWN_MAX];
    Lapwing__RaftKnown *list[RAFT_KNOWN_MAX];
    struct buf body = { 0 };
    size_t len;

    known_messages(known, logs, list);
    hello.from = core->config.self_id;
    hello.to = peer->id;
    hello.address = core->address;
    hello.incarnation = known->incarnation;
    hello.waits = !known->takes_part;
    hello.known = list;
    hello.n_known = known->count;
    len = lapwing__raft_hello__get_packed_size(&hello);
    body.len = lapwing__raft_hello__pack(&hello, buf_reserve(&body, len));
    peer->told_known = core->known_changes;
    core->io.send(core->io.context, peer->id, LAPWING__RAFT_FRAME__RAFT_HELLO, buf_view(&body));
    buf_done(&body);
}

/* To whom the newest was not told yet.  A release before closes a stream that says hello twice. */
static void say_news(struct core *core)
{
    for (unsigned i = 0; i < core->peer_count; i++) {
        struct peer *peer = &core->peers[i];

        if (peer->up && peer->says_incarnation && peer->told_known != core->known_changes)
            say(core, peer);
    }
}

void known_link(struct core *core, struct peer *peer, bool up)
{
    if (up && core->known.incarnation != 0)
        say(core, peer);
}

/* ---- in ---- */

static bool is_first_voter(const struct core *core, uint64_t id)
{
    uint64_t voters[NODES_MAX];
    unsigned count = rules_all_voters(core->rules, voters);

    for (unsigned i = 0; i < count; i++)
        if (voters[i] == id)
            return true;
    return false;
}

/* While we are silent the log's only configuration is the first one. */
static bool may_take_part(const struct core *core)
{
    uint64_t voters[NODES_MAX];
    unsigned count = rules_all_voters(core->rules, voters);

    return count > 0 && known_is_enough(&core->known_by, core->config.self_id, voters, count);
}

/* A node that joins has heard of its group once it has a configuration.  Before, nobody counts its
 * vote, unless it is one that has forgotten. */
bool known_withholds_vote(const struct core *core)
{
    uint64_t voters[NODES_MAX];

    return rules_all_voters(core->rules, voters) == 0;
}

static void known_to(struct core *core, uint64_t id, bool early)
{
    if (core_is_silent(core) && is_first_voter(core, id))
        known_by_add(&core->known_by, id, early);
}

/* Ids rise and are never given again: what is out of the group needs no place any more. */
static bool is_out(const struct core *core, uint64_t id)
{
    uint64_t highest;

    return rules_is_out(core->rules, id, &highest) && id <= highest;
}

static void make_room(const struct core *core, struct known *known)
{
    for (unsigned i = known->count; known->count == RAFT_KNOWN_MAX && i-- > 0;)
        if (is_out(core, known->logs[i].id))
            known_forget(known, known->logs[i].id);
}

static enum known_news learn(const struct core *core,
                             struct known *known,
                             uint64_t id,
                             uint64_t incarnation)
{
    enum known_news news = known_learn(known, id, incarnation);

    if (news != KNOWN_FULL)
        return news;
    make_room(core, known);
    return known_learn(known, id, incarnation);
}

/* What another one knows. */
static bool learn_all(const struct core *core, struct known *known, const Lapwing__RaftHello *hello)
{
    bool learned = false;

    for (size_t i = 0; i < hello->n_known; i++) {
        const Lapwing__RaftKnown *log = hello->known[i];

        if (log->id != core->config.self_id && !is_out(core, log->id) &&
            learn(core, known, log->id, log->incarnation) == KNOWN_NEW)
            learned = true;
    }
    return learned;
}

static enum status store(struct core *core, const struct known *next, struct err *err)
{
    enum status st = core->io.known_store(core->io.context, next, err);

    if (st != ST_OK)
        return st;
    core->known = *next;
    core->known_changes++;
    return ST_OK;
}

/* Nothing that it says counts; it hears by our own hello that it is another one. */
static enum status deny(struct core *core, uint64_t id, struct err *err)
{
    struct peer *peer = core_peer(core, id);

    if (peer != NULL)
        peer->denied = true;
    return err_set(err, ST_DENIED, "member %llu has lost its log: another one is known",
                   (unsigned long long)id);
}

/* Without being stored it is heard again at the next start. */
static enum status forgotten(struct core *core, uint64_t by, uint64_t incarnation, struct err *err)
{
    struct known next = core->known;

    next.refused = true;
    (void)store(core, &next, NULL);
    core->known.refused = true;
    core->io.forgotten(core->io.context, by, incarnation);
    return err_set(err, ST_DENIED, "member %llu has lost its log: %llu knows another one",
                   (unsigned long long)core->config.self_id, (unsigned long long)by);
}

/* As what log we are known to who says hello; 0: it knows none. */
static uint64_t known_as(const struct core *core, const Lapwing__RaftHello *hello, bool *out_early)
{
    for (size_t i = 0; i < hello->n_known; i++) {
        if (hello->known[i]->id != core->config.self_id)
            continue;
        *out_early = hello->known[i]->early;
        return hello->known[i]->incarnation;
    }
    return 0;
}

static enum status take(struct core *core,
                        uint64_t from,
                        const Lapwing__RaftHello *hello,
                        struct known *next,
                        bool *out_learned,
                        struct err *err)
{
    enum known_news news = learn(core, next, from, hello->incarnation);
    bool early = false;
    uint64_t as;

    if (news == KNOWN_OTHER)
        return deny(core, from, err);
    if (news == KNOWN_FULL)
        return err_set(err, ST_LIMIT, "hello: %u members are known, there is no place for %llu",
                       next->count, (unsigned long long)from);
    as = known_as(core, hello, &early);
    if (as != 0 && as != core->known.incarnation)
        return forgotten(core, from, as, err);
    if (as != 0)
        known_to(core, from, early);
    *out_learned = learn_all(core, next, hello) || news == KNOWN_NEW;
    return ST_OK;
}

static void note_peer(struct core *core, uint64_t from, const Lapwing__RaftHello *hello)
{
    struct peer *peer = core_peer(core, from);

    if (peer == NULL)
        return; /* the book is full */
    peer->denied = false;
    peer->said_hello = true;
    peer->says_incarnation = hello != NULL && hello->incarnation != 0;
    peer->waits = hello != NULL && hello->waits;
}

enum status core_hello(struct core *core,
                       uint64_t now_ms,
                       uint64_t from,
                       const Lapwing__RaftHello *hello,
                       struct err *err)
{
    struct known next = core->known;
    enum status st = ST_OK;
    bool learned = false;

    if (now_ms > core->now)
        core->now = now_ms;
    if (core->known.incarnation == 0 || core->known.refused)
        return ST_OK;
    if (hello == NULL || hello->incarnation == 0)
        known_to(core, from, true); /* of a release before */
    else
        st = take(core, from, hello, &next, &learned, err);
    if (st != ST_OK)
        return st;
    next.takes_part = next.takes_part || may_take_part(core);
    if (learned || next.takes_part != core->known.takes_part)
        st = store(core, &next, err);
    if (st != ST_OK)
        return st;
    note_peer(core, from, hello);
    say_news(core);
    return ST_OK;
}
