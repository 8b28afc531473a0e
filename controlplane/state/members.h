/* Control-plane nodes: what can be asked about them.  Their commands are applied by
 * state_apply_entry(). */
#ifndef CONTROLPLANE_STATE_MEMBERS_H
#define CONTROLPLANE_STATE_MEMBERS_H

#include <stddef.h>

#include "base/status.h"
#include "proto/command.pb-c.h"

struct state_reader;

/* By rising id.  Zero-initialise; empty with member_list_done(). */
struct member_list {
    size_t count;
    Lapwing__Member **members; /* owned, with what they hold */
};

/* All that there are or ever were; none before the cluster is at version 2, and until the first
 * leader has said with whom the groups were made.  ST_IO. */
enum status state_list_members(struct state_reader *reader,
                               struct member_list *out,
                               struct err *err);
void member_list_done(struct member_list *list);

#endif
