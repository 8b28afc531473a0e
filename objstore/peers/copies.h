/* When is a blob stored?  The rule of copies and zones.  Pure. */
#ifndef OBJSTORE_PEERS_COPIES_H
#define OBJSTORE_PEERS_COPIES_H

#include <stddef.h>

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

#endif
