/* Telling a member's log from another one under the same id: that of a node which has lost its
 * folder, or finds it empty since a mount is missing, and begins anew.  It has forgotten whom it
 * voted for and what it acknowledged, so if it took part again two majorities might share nothing.
 *
 * Pure.  A log is made with an **incarnation**, a number by chance.  Each member keeps, synced
 * before it takes anything else from that member, which incarnation it first heard of under each
 * id, from the member or from others; and it tells all others what it knows: first of all on each
 * new stream, and again on the open ones as soon as it learns more, so before whatever it sends
 * later.  Then three rules:
 *
 *  1. Nothing is taken from a member whose incarnation is not the one that is known.
 *  2. Who hears that another incarnation is known under its own id stops, for good.
 *  3. Who begins with a new group's first configuration (N voters) is silent (no vote, no
 *     acknowledgement, no candidacy) until its incarnation is known to
 *       a) so many of the other voters as make a majority with it, each of whom learned of it
 *          before it took part itself (that is `early`, kept for good): a new cluster, in which a
 *          minority may be missing; or
 *       b) N - N/2 of the others: one that comes late.
 *
 * Why an old self X and a new one X' never both take part, N voters and nobody else forgetful:
 *  - X took part, so it was known to N/2 others (N/2 rounded down) at least, by a) or by b).
 *  - X' by b) would need N - N/2 of the N - 1 others who do not know X.  Both sets together are N,
 *    so they share somebody, who knows one incarnation and not two.
 *  - X' by a) needs N/2 others who have never taken part until they heard of X', and so never knew
 *    X.  There are none once all voters have taken part.  *Before*, it can not be told from a new
 *    cluster by anybody: of three nodes two begin, one of them loses its folder, the other one is
 *    down, and the third starts for the first time.  That is the price of beginning with one of
 *    three missing; the cluster version is therefore raised beyond 1 only when all take part.
 *  - More than one who forgets: whoever has the raise in its log was told before of everybody (the
 *    leader that proposed it was connected with all, and what it knows goes ahead of entries; who
 *    passes it on has it too).  A majority has it, so the N - N/2 others of b) include one of them.
 *
 * A node that joins (new id) is silent only in votes, until it has heard of its group.  Nobody
 * counts it before it is promoted, the leader that promotes it knows it, and knowledge goes ahead
 * of the promotion: who counts it knows it, so by rule 1 nothing of its successor counts.
 *
 * A release before says no incarnation.  It can not refuse anybody, so it is taken to know us. */
#ifndef CONTROLPLANE_REPLICA_KNOWN_RULES_H
#define CONTROLPLANE_REPLICA_KNOWN_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "proto/message_limits.h"
#include "proto/raft.pb-c.h"

struct known_log {
    uint64_t id;
    uint64_t incarnation;
    bool early; /* we did not take part yet when we learned of it */
};

/* What one member keeps, durable. */
struct known {
    uint64_t incarnation; /* of its own log; 0: none of this is done (tests) */
    bool takes_part;
    bool refused; /* rule 2 */
    unsigned count;
    struct known_log logs[RAFT_KNOWN_MAX];
};

enum known_news {
    KNOWN_NEW,     /* it is known from now on */
    KNOWN_ALREADY, /* that very one */
    KNOWN_OTHER,   /* another one is known, and stays so */
    KNOWN_FULL,    /* there is no place for more */
};

/* NULL: none is known. */
const struct known_log *known_find(const struct known *known, uint64_t id);
enum known_news known_learn(struct known *known, uint64_t id, uint64_t incarnation);
/* Its id is out of the group for good, and is never given again. */
void known_forget(struct known *known, uint64_t id);
/* The logs as they are told and stored: known->count messages in `logs`, pointed at by `list`. */
void known_messages(const struct known *known,
                    Lapwing__RaftKnown logs[RAFT_KNOWN_MAX],
                    Lapwing__RaftKnown *list[RAFT_KNOWN_MAX]);

/* Others who know a node's incarnation: each voter of its first configuration counts once. */
struct known_by {
    unsigned count;
    struct {
        uint64_t id;
        bool early;
    } list[NODES_MAX];
};

/* `id` knows it; `early` once is early for good. */
void known_by_add(struct known_by *by, uint64_t id, bool early);
/* Rule 3.  voters  of the first configuration, self among them; others in `by` do not count. */
bool known_is_enough(const struct known_by *by,
                     uint64_t self,
                     const uint64_t *voters,
                     unsigned voter_count);

#endif
