/* Whom a replica talks to: who shall be a member, who is one still, and who talks to us as one that
 * we have not heard of yet.  Not who is out of the group for certain. */
#include <string.h>

#include "base/check.h"
#include "controlplane/replica/replica_internal.h"

struct book {
    struct replica_member members[CORE_PEERS_MAX];
    unsigned count;
};

struct replica_peer *replica_book_peer(struct replica *replica, uint64_t id)
{
    for (unsigned i = 0; i < replica->peer_count; i++)
        if (replica->peers[i]->member.id == id)
            return replica->peers[i];
    return NULL;
}

/* Names and addresses: of the configuration, which an operator may have changed here; of the rows;
 * as the node says itself. */
static const struct replica_member *known(const struct replica *replica, uint64_t id)
{
    for (unsigned i = 0; i < replica->configured_count; i++)
        if (replica->configured[i].id == id)
            return &replica->configured[i];
    for (unsigned i = 0; i < replica->wanted_count; i++)
        if (replica->wanted[i].member.id == id)
            return &replica->wanted[i].member;
    for (const struct replica_in *in = replica->ins; in != NULL; in = in->next)
        if (in->member.id == id)
            return &in->member;
    return NULL;
}

/* An id belongs to one node for ever: by the rows, the configuration, or who said so first.  A
 * certificate says the node's name and not the id, so without this any control-plane node (one with
 * another's id in its configuration is enough) could vote and acknowledge as that member. */
const char *replica_book_owner(const struct replica *replica, uint64_t id)
{
    const struct replica_member *member;

    for (unsigned i = 0; i < replica->wanted_count; i++)
        if (replica->wanted[i].member.id == id)
            return replica->wanted[i].member.node;
    member = known(replica, id);
    return member == NULL ? NULL : member->node;
}

static void add(const struct replica *replica, struct book *book, uint64_t id)
{
    const struct replica_member *member = known(replica, id);

    if (id == replica->self.id || member == NULL || book->count == CORE_PEERS_MAX ||
        core_refuses(replica->core, id))
        return;
    for (unsigned i = 0; i < book->count; i++)
        if (book->members[i].id == id)
            return;
    book->members[book->count++] = *member;
}

/* In the order of how much they matter, should there be too many. */
static void collect(const struct replica *replica, struct book *book)
{
    struct core_view view;

    core_view(replica->core, &view);
    for (unsigned i = 0; i < view.member_count; i++)
        add(replica, book, view.members[i].id);
    for (unsigned i = 0; i < replica->wanted_count; i++)
        if (!replica->wanted[i].removed)
            add(replica, book, replica->wanted[i].member.id);
    for (unsigned i = 0; replica->wanted_count == 0 && i < replica->configured_count; i++)
        add(replica, book, replica->configured[i].id);
    for (const struct replica_in *in = replica->ins; in != NULL; in = in->next)
        if (in->member.id != 0 && !in->refused)
            add(replica, book, in->member.id);
}

static bool same(const struct replica_member *a, const struct replica_member *b)
{
    return a->id == b->id && strcmp(a->address, b->address) == 0 && strcmp(a->node, b->node) == 0;
}

static const struct replica_member *book_find(const struct book *book,
                                              const struct replica_member *member)
{
    for (unsigned i = 0; i < book->count; i++)
        if (same(&book->members[i], member))
            return &book->members[i];
    return NULL;
}

/* Drop who is out of the book, or is to be found elsewhere now. */
static bool drop_others(struct replica *replica, const struct book *book)
{
    unsigned kept = 0;
    bool changed = false;

    for (unsigned i = 0; i < replica->peer_count; i++) {
        struct replica_peer *peer = replica->peers[i];

        if (book_find(book, &peer->member) != NULL) {
            replica->peers[kept++] = peer;
            continue;
        }
        replica_links_drop(peer);
        changed = true;
    }
    replica->peer_count = kept;
    return changed;
}

void replica_book_update(struct replica *replica)
{
    struct book book = { .count = 0 };
    uint64_t ids[CORE_PEERS_MAX];
    bool changed;

    collect(replica, &book);
    changed = drop_others(replica, &book);
    for (unsigned i = 0; i < book.count; i++) {
        struct replica_peer *peer;

        if (replica_book_peer(replica, book.members[i].id) != NULL)
            continue;
        peer = replica_links_dial(replica, &book.members[i]);
        if (peer == NULL)
            continue;
        replica->peers[replica->peer_count++] = peer;
        changed = true;
    }
    if (!changed)
        return;
    for (unsigned i = 0; i < replica->peer_count; i++)
        ids[i] = replica->peers[i]->member.id;
    core_set_peers(replica->core, replica_now_ms(), ids, replica->peer_count);
}
