/* When is a blob stored?  The rule of copies and zones.  Pure. */
#ifndef OBJSTORE_PEERS_COPIES_H
#define OBJSTORE_PEERS_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum copy_state {
    COPY_SENDING, /* bytes are on their way */
    COPY_SYNCED,  /* on that disk, under its name */
    COPY_LOST,    /* will never be, for this attempt */
};

struct copy_place {
    enum copy_state state;
    const char *zone;
};

enum copies_verdict { COPIES_WAIT, COPIES_DONE, COPIES_FAILED };

/* own     this node's copy
 * others  the peers' copies
 * needed  how many zones other than own->zone must have it: 1, or 0 in a cluster of one zone
 *
 * DONE once the own copy and `needed` other zones are synced; FAILED once that cannot happen any
 * more.  Two copies in one zone count as one: a zone's power is lost as a whole. */
enum copies_verdict copies_verdict(const struct copy_place *own,
                                   const struct copy_place *others,
                                   size_t count,
                                   unsigned needed);

/* A peer that stalled (its disk, say: it is heard, and moves nothing) is left alone for so long:
 * otherwise each put that is larger than the window would wait for it again.  Then one put finds
 * out. */
enum { COPIES_SKIP_MS = 10000 };

struct copy_peer {
    bool connected; /* and not out */
    const char *zone;
    bool stalled; /* and has said nothing since */
    uint64_t stalled_ms;
    bool suspected; /* silent for a moment */
    bool returning; /* was out, and has not been heard in time for long enough */
};

/* Zones other than the own one that those with `use` stand in. */
unsigned copies_zones(const struct copy_peer *peers,
                      size_t count,
                      const char *own_zone,
                      const bool *use);

/* Stalled lately, or returning: whoever has a choice leaves it alone. */
bool copies_is_skipped(const struct copy_peer *peer, uint64_t now_ms);

/* Which peers get a copy: those that are connected and not skipped; all that are connected when
 * that would be fewer than `needed` zones.
 *
 * One that is only suspected gets its copy all the same: what it misses is repaired late, while a
 * put waits for the slowest disk only when its window is full.
 *
 * out_use  `count` answers */
void copies_choose(const struct copy_peer *peers,
                   size_t count,
                   const char *own_zone,
                   unsigned needed,
                   uint64_t now_ms,
                   bool *out_use);

/* Whom to read from next: one that is not in `tried` (bit i: peer i), those last that are skipped
 * or suspected, for they make a reader wait.  False: all were tried. */
bool copies_next_source(const struct copy_peer *peers,
                        size_t count,
                        unsigned tried,
                        uint64_t now_ms,
                        size_t *out_index);

#endif
