/* See known_rules.h. */
#include "controlplane/replica/known_rules.h"

#include <stddef.h>

#include "base/check.h"

const struct known_log *known_find(const struct known *known, uint64_t id)
{
    for (unsigned i = 0; i < known->count; i++)
        if (known->logs[i].id == id)
            return &known->logs[i];
    return NULL;
}

enum known_news known_learn(struct known *known, uint64_t id, uint64_t incarnation)
{
    const struct known_log *found = known_find(known, id);

    CHECK(id != 0);
    CHECK(incarnation != 0);
    if (found != NULL)
        return found->incarnation == incarnation ? KNOWN_ALREADY : KNOWN_OTHER;
    if (known->count == RAFT_KNOWN_MAX)
        return KNOWN_FULL;
    known->logs[known->count++] =
        (struct known_log){ .id = id, .incarnation = incarnation, .early = !known->takes_part };
    return KNOWN_NEW;
}

void known_forget(struct known *known, uint64_t id)
{
    for (unsigned i = 0; i < known->count; i++) {
        if (known->logs[i].id != id)
            continue;
        known->logs[i] = known->logs[--known->count];
        return;
    }
}

void known_messages(const struct known *known,
                    Lapwing__RaftKnown logs[RAFT_KNOWN_MAX],
                    Lapwing__RaftKnown *list[RAFT_KNOWN_MAX])
{
    for (unsigned i = 0; i < known->count; i++) {
        lapwing__raft_known__init(&logs[i]);
        logs[i].id = known->logs[i].id;
        logs[i].incarnation = known->logs[i].incarnation;
        logs[i].early = known->logs[i].early;
        list[i] = &logs[i];
    }
}

void known_by_add(struct known_by *by, uint64_t id, bool early)
{
    for (unsigned i = 0; i < by->count; i++) {
        if (by->list[i].id != id)
            continue;
        by->list[i].early = by->list[i].early || early;
        return;
    }
    if (by->count == NODES_MAX)
        return;
    by->list[by->count].id = id;
    by->list[by->count++].early = early;
}

bool known_is_enough(const struct known_by *by,
                     uint64_t self,
                     const uint64_t *voters,
                     unsigned voter_count)
{
    unsigned early = 0;
    unsigned all = 0;

    CHECK(voter_count > 0);
    CHECK(voter_count <= NODES_MAX);
    for (unsigned i = 0; i < voter_count; i++)
        for (unsigned k = 0; k < by->count && voters[i] != self; k++)
            if (by->list[k].id == voters[i]) {
                all++;
                early += by->list[k].early;
            }
    return early + 1 > voter_count / 2 || all >= voter_count - voter_count / 2;
}
