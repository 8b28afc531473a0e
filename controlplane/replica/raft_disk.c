/* Rules for a disk that is full or hangs: an entry that found no room, and whom a follower still
 * waits for. */
#include "controlplane/replica/raft_rules_internal.h"

uint64_t rules_heard_ms(const struct rules *rules)
{
    return rules->heard_leader;
}

void rules_apply_again(struct rules *rules, uint64_t now_ms)
{
    if (now_ms > rules->now)
        rules->now = now_ms;
    rules->apply_held = false;
    rules_apply_committed(rules);
}

/* [13] libraft forgets a leader only when its own election timer makes it a candidate.  A follower
 * whose entries wait for the disk, or whose host does not let it stand, never becomes one, and
 * would refuse its vote for ever because of a leader that is long gone.  Twice the timeout is the
 * most that libraft itself would wait, and more than any lease counts on. */
bool rules_leader_is_silent(const struct rules *rules)
{
    return rules->raft.state == RAFT_FOLLOWER &&
           rules->now - rules->heard_leader >= 2 * (uint64_t)rules->election_ms;
}
