/* See members_plan.h. */
#include "controlplane/replica/members_plan.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"

/* A standby this near to the end of the log is caught up: the rest is waited for when it is
 * promoted, with commands held back. */
enum { NEAR_ENTRIES = 64 };

unsigned members_voters_wanted(unsigned members)
{
    unsigned voters = members < VOTERS_MAX ? members : VOTERS_MAX;

    return voters % 2 == 1 || voters == 0 ? voters : voters - 1;
}

static const struct member_want *want_of(const struct members_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->want_count; i++)
        if (view->wants[i].id == id)
            return &view->wants[i];
    return NULL;
}

static const struct member_server *server_of(const struct members_view *view, uint64_t id)
{
    for (unsigned i = 0; i < view->server_count; i++)
        if (view->servers[i].id == id)
            return &view->servers[i];
    return NULL;
}

/* Of a server that nobody has a row of nothing is known: it is left alone. */
static bool is_leaving(const struct members_view *view, const struct member_server *server)
{
    const struct member_want *want = want_of(view, server->id);

    return want != NULL && want->removed;
}

static bool is_staying(const struct members_view *view, const struct member_server *server)
{
    return server->voter && !is_leaving(view, server);
}

/* Would a majority of the voters be there if `changed` voted, or did not any more? */
static bool stands(const struct members_view *view, const struct member_server *changed)
{
    unsigned voters = 0;
    unsigned up = 0;

    for (unsigned i = 0; i < view->server_count; i++) {
        const struct member_server *server = &view->servers[i];
        bool voter = server == changed ? !server->voter : server->voter;

        voters += voter;
        up += voter && server->up;
    }
    return up > voters / 2;
}

static unsigned staying_of_zone(const struct members_view *view, const char *zone)
{
    unsigned count = 0;

    for (unsigned i = 0; i < view->server_count; i++) {
        const struct member_want *want = want_of(view, view->servers[i].id);

        if (want != NULL && is_staying(view, &view->servers[i]) && strcmp(want->zone, zone) == 0)
            count++;
    }
    return count;
}

/* The standby to be promoted next: of the zone with fewest voters, then the lowest id. */
static const struct member_server *candidate(const struct members_view *view)
{
    const struct member_server *best = NULL;
    unsigned best_count = 0;

    for (unsigned i = 0; i < view->server_count; i++) {
        const struct member_server *server = &view->servers[i];
        const struct member_want *want = want_of(view, server->id);
        unsigned count;

        if (server->voter || want == NULL || want->removed || !server->up ||
            server->match + NEAR_ENTRIES < view->last)
            continue;
        count = staying_of_zone(view, want->zone);
        if (best != NULL && (count > best_count || (count == best_count && server->id > best->id)))
            continue;
        best = server;
        best_count = count;
    }
    return best;
}

/* A voter that shall go: one that is not there before one that is, the leader last. */
static const struct member_server *leaving_voter(const struct members_view *view)
{
    const struct member_server *best = NULL;

    for (unsigned i = 0; i < view->server_count; i++) {
        const struct member_server *server = &view->servers[i];

        if (!server->voter || !is_leaving(view, server))
            continue;
        if (best == NULL || best->id == view->self || (best->up && !server->up))
            best = server;
    }
    return best;
}

static bool leads_better(const struct member_server *a, const struct member_server *b)
{
    return a->fit != b->fit ? a->fit : a->match > b->match;
}

static struct members_change remove_voter(const struct members_view *view,
                                          const struct member_server *server)
{
    const struct member_server *heir = NULL;

    if (!stands(view, server))
        return (struct members_change){ MEMBERS_SETTLED, 0 };
    if (server->id != view->self)
        return (struct members_change){ MEMBERS_REMOVE, server->id };
    for (unsigned i = 0; i < view->server_count; i++) {
        const struct member_server *other = &view->servers[i];

        if (other->id == view->self || !other->up || !is_staying(view, other) ||
            (server->fit && !other->fit))
            continue;
        if (heir == NULL || leads_better(other, heir))
            heir = other;
    }
    if (heir == NULL)
        return (struct members_change){ MEMBERS_SETTLED, 0 };
    return (struct members_change){ MEMBERS_HAND_OVER, heir->id };
}

/* Whoever only takes the log goes at once; nobody depends on it. */
static const struct member_server *leaving_standby(const struct members_view *view)
{
    for (unsigned i = 0; i < view->server_count; i++)
        if (!view->servers[i].voter && is_leaving(view, &view->servers[i]))
            return &view->servers[i];
    return NULL;
}

static const struct member_want *missing(const struct members_view *view)
{
    for (unsigned i = 0; i < view->want_count; i++)
        if (!view->wants[i].removed && server_of(view, view->wants[i].id) == NULL)
            return &view->wants[i];
    return NULL;
}

static struct members_change change_voters(const struct members_view *view, bool room_wanted)
{
    const struct member_server *leaving = leaving_voter(view);
    const struct member_server *next = candidate(view);
    unsigned staying = 0;
    unsigned wanted = 0;

    for (unsigned i = 0; i < view->want_count; i++)
        wanted += !view->wants[i].removed;
    for (unsigned i = 0; i < view->server_count; i++)
        staying += is_staying(view, &view->servers[i]);
    if (staying < members_voters_wanted(wanted)) {
        if (next != NULL && leaving != NULL && !leaving->up && stands(view, leaving))
            return remove_voter(view, leaving);
        if (next != NULL && stands(view, next))
            return (struct members_change){ MEMBERS_PROMOTE, next->id };
        if (!room_wanted || next != NULL)
            return (struct members_change){ MEMBERS_SETTLED, 0 };
    }
    if (leaving != NULL)
        return remove_voter(view, leaving);
    return (struct members_change){ MEMBERS_SETTLED, 0 };
}

struct members_change members_plan(const struct members_view *view)
{
    const struct member_server *standby = leaving_standby(view);
    const struct member_want *add = missing(view);
    bool room = view->server_count < NODES_MAX;

    CHECK(view->server_count <= NODES_MAX);
    if (standby != NULL)
        return (struct members_change){ MEMBERS_REMOVE, standby->id };
    if (add != NULL && room)
        return (struct members_change){ MEMBERS_ADD, add->id };
    return change_voters(view, add != NULL && !room);
}
