/* Who proposed what: a command repeated under the same client and sequence counts once. */
#ifndef CONTROLPLANE_STATE_CLIENTS_H
#define CONTROLPLANE_STATE_CLIENTS_H

#include <stdbool.h>

#include "controlplane/state/outcome.h"

/* A client as its rows stand, with what the entry being applied changes and clients_write() has yet
 * to write. */
struct client_memo {
    uint8_t client[16];
    size_t len;      /* 0: unused */
    uint64_t acked;  /* outcomes up to here are to be dropped */
    uint64_t newest; /* none of a later sequence is remembered */
    bool seen;       /* by this entry */
    bool moved;      /* `acked` was, by this entry */
};

/* Clients that proposed lately.  A batch is mostly of a few of them, so their rows are read once
 * and written once an entry, and a command that is newer than all that is remembered is not looked
 * for. Zeroed: nothing is known, which is always right.  Whoever changes these rows otherwise (a
 * transaction taken back, an installed snapshot) zeroes it. */
enum { CLIENT_MEMOS = 32 };
struct client_memos {
    unsigned next; /* the one to give way */
    struct client_memo list[CLIENT_MEMOS];
};

/* Take note of the command's client and of what it acknowledges, and say whether to apply it.
 *
 * now_ms   of this entry
 *
 * Returns true when it is new.  False when `out` is the answer already: the one remembered, or a
 * refusal that is not to be remembered ("sequence_forgotten", "window_full"). */
bool clients_admit(struct connection *connection,
                   struct client_memos *memos,
                   const Lapwing__Command *command,
                   uint64_t now_ms,
                   struct outcome *out);

/* At the end of an entry, and before rows of clients are looked at otherwise: write what
 * clients_admit() took note of. */
void clients_write(struct connection *connection, struct client_memos *memos, uint64_t now_ms);

/* Remember the outcome of a command that clients_admit() said is new. */
void clients_remember(struct connection *connection,
                      struct client_memos *memos,
                      const Lapwing__Command *command,
                      const struct outcome *out);

#endif
