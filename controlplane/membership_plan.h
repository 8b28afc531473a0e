/* Which of the members' rows the replicas are told of.  Pure. */
#ifndef CONTROLPLANE_MEMBERSHIP_PLAN_H
#define CONTROLPLANE_MEMBERSHIP_PLAN_H

#include "controlplane/replica/replica.h"
#include "controlplane/state/members.h"

/* All who shall be members and, of those removed, the newest that find room beside them: the others
 * are long out of both groups.
 *
 * out  by rising id; borrowed from `list`.  Returns how many. */
unsigned membership_rows(const struct member_list *list,
                         const Lapwing__Member *out[REPLICA_WANTED_MAX]);

#endif
