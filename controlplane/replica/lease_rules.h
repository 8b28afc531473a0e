/* The leader's lease: until when nobody else can have been elected, so that a read needs no entry.
 *
 * Pure: times are numbers, on the leader's own clock unless said otherwise.
 *
 * The leader puts its clock into each AppendEntries; the follower gives the newest one back in its
 * results, untouched.  A follower that took such a message at its own time c
 *   - does not stand for election before c + election_ms: libraft restarts its election timer,
 *     which is randomised upwards only (recvAppendEntries, electionUpdateRandomizedTimeout);
 *   - until it stands, denies every vote and pre-vote, for it has a leader (recvRequestVote);
 *   - having been restarted, denies them for election_ms from its start (lease_votes_from_ms());
 *   - by leave of its leader alone does otherwise (TimeoutNow, disrupt_leader), and a leader that
 *     may have given leave has no lease for the rest of its term (rules_transfer_sent_in_term()).
 *
 * Any quorum that elects another leader shares a voter with the quorum that gave back the time s or
 * later, and that voter took the message after s.  So nobody is elected before s + election_ms, as
 * long as the clocks' rates keep within the drift bound.  The leader itself votes for nobody while
 * it leads, so it counts with the time that it is now.
 *
 * Quorums of two configurations that differ by one server intersect as well, so the configuration
 * that the leader uses is the right one, committed or not.
 *
 * An election won before s does not matter: a voter in a newer term refuses the message, and its
 * answer, of that term, ends this one.
 *
 * Rounding: clocks are read in whole milliseconds, downwards.  On the follower that makes its time
 * up to 1 ms too short: 1 is taken off.  On the leader it makes s too early, which is against us,
 * and now too early by less than 1, which "before", not "until", makes good. */
#ifndef CONTROLPLANE_REPLICA_LEASE_RULES_H
#define CONTROLPLANE_REPLICA_LEASE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

enum {
    /* What takes a second on one member's clock takes at least 0.95 s on any other's.  Clocks of
     * machines are off by 0.01 %, disciplined ones slewed by 0.05 %; the rest is margin. */
    LEASE_DRIFT_PERCENT = 5,
    LEASE_ROUNDING_MS = 1,
};

/* What a leader knows of its voters; all zero: nothing. */
struct lease {
    uint64_t term;
    unsigned count;
    struct {
        uint64_t id;
        uint64_t echoed_ms; /* newest own time that it has given back */
    } peers[NODES_MAX];
};

/* How long a time that was given back is worth.  0: no lease with so short an election timeout. */
uint32_t lease_length_ms(uint32_t election_ms);

/* From when on, on its own clock, a member that was started at start_ms may grant a vote: it may
 * have given a leader's time back just before it died. */
uint64_t lease_votes_from_ms(uint64_t start_ms, uint32_t election_ms);

/* We lead `term`, or see it: what was known of another one is forgotten. */
void lease_term(struct lease *lease, uint64_t term);

/* A peer's result of this term gave echo_ms back; 0: it gave none.  What we cannot have sent by
 * now_ms is ignored.  A peer beyond NODES_MAX takes the place of the one whose time is oldest, if
 * its own is newer. */
void lease_echo(struct lease *lease, uint64_t peer, uint64_t echo_ms, uint64_t now_ms);

/* Until when the lease holds, as known at now_ms: it holds at a time that is below.  0: no lease.
 * self    the leader, one of `voters` or not
 * voters  ids of the configuration that the leader uses now; standbys do not count
 * A sole voter's holds whenever it is asked for. */
uint64_t lease_until_ms(const struct lease *lease,
                        uint64_t self,
                        const uint64_t *voters,
                        unsigned voter_count,
                        uint64_t now_ms,
                        uint32_t election_ms);

#endif
