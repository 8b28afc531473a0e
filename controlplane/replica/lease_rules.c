#include "controlplane/replica/lease_rules.h"

#include <string.h>

#include "base/check.h"

uint32_t lease_length_ms(uint32_t election_ms)
{
    if (election_ms <= LEASE_ROUNDING_MS)
        return 0;
    return (uint32_t)((uint64_t)(election_ms - LEASE_ROUNDING_MS) * (100 - LEASE_DRIFT_PERCENT) /
                      100);
}

uint64_t lease_votes_from_ms(uint64_t start_ms, uint32_t election_ms)
{
    return start_ms + election_ms + LEASE_ROUNDING_MS;
}

void lease_term(struct lease *lease, uint64_t term)
{
    if (lease->term == term)
        return;
    memset(lease, 0, sizeof *lease);
    lease->term = term;
}

/* Members come and go within a term: who is gone gives no time back any more. */
static unsigned oldest(const struct lease *lease)
{
    unsigned at = 0;

    for (unsigned i = 1; i < lease->count; i++)
        if (lease->peers[i].echoed_ms < lease->peers[at].echoed_ms)
            at = i;
    return at;
}

void lease_echo(struct lease *lease, uint64_t peer, uint64_t echo_ms, uint64_t now_ms)
{
    unsigned at = 0;

    if (echo_ms == 0 || echo_ms > now_ms)
        return;
    while (at < lease->count && lease->peers[at].id != peer)
        at++;
    if (at == NODES_MAX)
        at = oldest(lease);
    else if (at == lease->count)
        lease->peers[lease->count++].id = peer;
    if (lease->peers[at].echoed_ms < echo_ms) {
        lease->peers[at].id = peer;
        lease->peers[at].echoed_ms = echo_ms;
    }
}

static uint64_t echoed_by(const struct lease *lease, uint64_t peer)
{
    for (unsigned i = 0; i < lease->count; i++)
        if (lease->peers[i].id == peer)
            return lease->peers[i].echoed_ms;
    return 0;
}

/* Newest first. */
static void sort(uint64_t *times, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        for (unsigned k = i; k > 0 && times[k - 1] < times[k]; k--) {
            uint64_t time = times[k];

            times[k] = times[k - 1];
            times[k - 1] = time;
        }
}

uint64_t lease_until_ms(const struct lease *lease,
                        uint64_t self,
                        const uint64_t *voters,
                        unsigned voter_count,
                        uint64_t now_ms,
                        uint32_t election_ms)
{
    uint32_t length_ms = lease_length_ms(election_ms);
    uint64_t times[NODES_MAX];
    uint64_t quorum_ms;

    CHECK(voter_count <= NODES_MAX);
    if (length_ms == 0 || voter_count == 0)
        return 0;
    for (unsigned i = 0; i < voter_count; i++)
        times[i] = voters[i] == self ? now_ms : echoed_by(lease, voters[i]);
    sort(times, voter_count);
    quorum_ms = times[voter_count / 2]; /* that many and this one have it, or a newer one */
    return quorum_ms == 0 ? 0 : quorum_ms + length_ms;
}
