/* Who proposed what: a command repeated under the same client and sequence counts once. */
#ifndef CONTROLPLANE_STATE_CLIENTS_H
#define CONTROLPLANE_STATE_CLIENTS_H

#include <stdbool.h>

#include "controlplane/state/outcome.h"

/* The client of the command before in the same entry, as its row stands: a batch is mostly of one
 * client, whose row need not be read and written for each command.  Zeroed: none. */
struct client_memo {
    uint8_t client[16];
    size_t len;
    uint64_t acked;
};

/* Take note of the command's client and of what it acknowledges, and say whether to apply it.
 *
 * memo     of this entry; emptied by whoever changes rows of clients otherwise
 * now_ms   of this entry
 *
 * Returns true when it is new.  False when `out` is the answer already: the one remembered, or a
 * refusal that is not to be remembered ("sequence_forgotten", "window_full"). */
bool clients_admit(struct connection *connection,
                   const Lapwing__Command *command,
                   uint64_t now_ms,
                   struct client_memo *memo,
                   struct outcome *out);

/* Remember the outcome of a command that clients_admit() said is new. */
void clients_remember(struct connection *connection,
                      const Lapwing__Command *command,
                      const struct outcome *out);

#endif
