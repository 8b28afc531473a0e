/* Telling followers what is committed.
 *
 * A follower answers its own callers when it has applied their commands, and reads when it has got
 * to the index it was given: such a one is told at once.  To the others the next entries say it;
 * only when none come for a while a message of its own does, so that no node's rows grow old.
 * A message costs two wake-ups and an answer, more than a small entry's share of a batch. */
#include "controlplane/replica/core_internal.h"

void tell_wanted(struct core *core, uint64_t peer_id, uint64_t index)
{
    struct peer *peer = core_peer(core, peer_id);

    if (peer != NULL && peer->wants_index < index)
        peer->wants_index = index;
}

void tell_forget(struct core *core)
{
    core->tell_at = 0;
    for (unsigned i = 0; i < core->peer_count; i++)
        core->peers[i].wants_index = 0;
}

void tell_turn(struct core *core)
{
    bool due = core->tell_at != 0 && core->now >= core->tell_at;
    bool left = false;

    for (unsigned i = 0; i < core->peer_count; i++) {
        struct peer *peer = &core->peers[i];
        uint64_t told;

        if (!rules_commit_is_news(core->rules, peer->id, &told))
            continue;
        if (due || told < peer->wants_index)
            rules_tell_commit(core->rules, peer->id);
        else
            left = true;
    }
    if (!left)
        core->tell_at = 0;
    else if (core->tell_at == 0)
        core->tell_at = core->now + CORE_TELL_MS;
}
