/* Which change of a group's members comes next, so that they become those that are wanted.
 *
 * Pure: the leader asks again after each change, so what is under way survives a new leader without
 * any state of its own.  One change at a time, each of which leaves a majority of voters that are
 * there; nobody who votes and is wanted ever loses the vote.
 *
 *   wanted, not in the group        -> add it: it takes the log, without a vote
 *   too few wanted voters           -> promote one that has all of the log, of the zone with fewest
 *   in the group, not wanted        -> remove it, once enough wanted ones vote
 *   ...but the leader itself        -> hand over first
 *
 * A member that is replaced goes when its successor votes, so the group never has fewer voters.
 * If it is dead, it goes just before instead: four voters of which one is dead stand no further
 * loss, three of which none is do. */
#ifndef CONTROLPLANE_REPLICA_MEMBERS_PLAN_H
#define CONTROLPLANE_REPLICA_MEMBERS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum { VOTERS_MAX = 5 };

/* One that is wanted in the group, or was and is not any more. */
struct member_want {
    uint64_t id;
    char zone[ZONE_BYTES_MAX + 1];
    bool removed;
};

/* One that is in the group. */
struct member_server {
    uint64_t id;
    bool voter;
    bool up;        /* heard of lately; true for the leader itself */
    bool fit;       /* its disk is: else it hands leadership on, to the one that leaves perhaps */
    uint64_t match; /* of the log; the leader's is its last index */
};

struct members_view {
    uint64_t self; /* the leader */
    uint64_t last; /* of its log */
    const struct member_want *wants;
    unsigned want_count;
    const struct member_server *servers;
    unsigned server_count;
};

enum members_step {
    MEMBERS_SETTLED, /* nothing to do, or nothing that can be done now */
    MEMBERS_ADD,
    MEMBERS_PROMOTE, /* wait until it has all of the log, then */
    MEMBERS_REMOVE,
    MEMBERS_HAND_OVER, /* leadership, to `id` */
};

struct members_change {
    enum members_step step;
    uint64_t id;
};

struct members_change members_plan(const struct members_view *view);

/* How many shall vote when so many are wanted: an odd number, at most VOTERS_MAX. */
unsigned members_voters_wanted(unsigned members);

#endif
