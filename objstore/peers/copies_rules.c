/* The rule of copies and zones; see copies.h. */
#include "objstore/peers/copies.h"

#include <stdbool.h>
#include <string.h>

#include "base/check.h"

static bool counts(const struct copy_place *copy, const char *own_zone, bool synced)
{
    if (strcmp(copy->zone, own_zone) == 0)
        return false;
    return synced ? copy->state == COPY_SYNCED : copy->state != COPY_LOST;
}

/* Zones other than the own one that have (or may still get) a copy. */
static unsigned zones(const struct copy_place *own,
                      const struct copy_place *others,
                      size_t count,
                      bool synced)
{
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        bool again = false;

        if (!counts(&others[i], own->zone, synced))
            continue;
        for (size_t j = 0; j < i && !again; j++)
            again = counts(&others[j], own->zone, synced) &&
                    strcmp(others[j].zone, others[i].zone) == 0;
        found += !again;
    }
    return found;
}

enum copies_verdict copies_verdict(const struct copy_place *own,
                                   const struct copy_place *others,
                                   size_t count,
                                   unsigned needed)
{
    CHECK(own != NULL);
    CHECK(count == 0 || others != NULL);
    if (own->state == COPY_LOST)
        return COPIES_FAILED;
    if (zones(own, others, count, false) < needed)
        return COPIES_FAILED;
    if (own->state == COPY_SYNCED && zones(own, others, count, true) >= needed)
        return COPIES_DONE;
    return COPIES_WAIT;
}

bool copies_is_skipped(const struct copy_peer *peer, uint64_t now_ms)
{
    return peer->returning || (peer->stalled && now_ms - peer->stalled_ms < COPIES_SKIP_MS);
}

unsigned copies_zones(const struct copy_peer *peers,
                      size_t count,
                      const char *own_zone,
                      const bool *use)
{
    unsigned found = 0;

    for (size_t i = 0; i < count; i++) {
        bool again = !use[i] || strcmp(peers[i].zone, own_zone) == 0;

        for (size_t j = 0; j < i && !again; j++)
            again = use[j] && strcmp(peers[j].zone, peers[i].zone) == 0;
        found += !again;
    }
    return found;
}

void copies_choose(const struct copy_peer *peers,
                   size_t count,
                   const char *own_zone,
                   unsigned needed,
                   uint64_t now_ms,
                   bool *out_use)
{
    CHECK(count == 0 || peers != NULL);
    for (size_t i = 0; i < count; i++)
        out_use[i] = peers[i].connected && !copies_is_skipped(&peers[i], now_ms);
    if (copies_zones(peers, count, own_zone, out_use) >= needed)
        return;
    for (size_t i = 0; i < count; i++)
        out_use[i] = peers[i].connected;
}

bool copies_next_source(
    const struct copy_peer *peers, size_t count, unsigned tried, uint64_t now_ms, size_t *out_index)
{
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        bool last = peers[i].suspected || copies_is_skipped(&peers[i], now_ms);

        if ((tried & 1u << i) != 0 || (found && last))
            continue;
        *out_index = i;
        found = true;
        if (!last)
            return true;
    }
    return found;
}
