/* What a member has promised to its leader, in votes: see lease_rules.h. */
#include "controlplane/replica/raft_rules_internal.h"

enum { FEATURE_CAPACITY = 1 }; /* as libraft says of itself in each result */

/* In the words that recvRequestVote() has for a node with a leader: neither term nor vote change,
 * and pre-votes are denied as well, or the candidate would raise its term for nothing.  A request
 * that its leader gave leave for passes: that leader has no lease. */
bool rules_vote_is_held(struct rules *rules, const struct raft_message *message)
{
    const struct raft_request_vote *args = &message->request_vote;
    struct raft_message answer = { .type = RAFT_REQUEST_VOTE_RESULT,
                                   .server_id = message->server_id,
                                   .server_address = message->server_address };
    struct raft_request_vote_result *result = &answer.request_vote_result;

    if (rules->now >= rules->votes_from_ms || args->disrupt_leader)
        return false;
    result->version = 2;
    /* [14], as rules_tell_term() has it */
    result->term = args->pre_vote && args->term > rules->term ? args->term : rules->term;
    result->vote_granted = false;
    result->pre_vote = args->pre_vote;
    result->features = FEATURE_CAPACITY;
    result->capacity = RULES_CAPACITY;
    rules->host.send(rules->host.context, &answer, NULL);
    return true;
}

void rules_leave_given(struct rules *rules, const struct raft_timeout_now *args)
{
    rules->disrupt_term = args->term + 1;
}

/* libraft keeps the flag for as long as it stays a candidate.  A later attempt would disrupt
 * leaders of later terms, who gave no leave and may hold a lease. */
void rules_limit_disruption(const struct rules *rules, struct raft_message *message)
{
    struct raft_request_vote *args = &message->request_vote;

    if (args->term != rules->disrupt_term)
        args->disrupt_leader = false;
}
