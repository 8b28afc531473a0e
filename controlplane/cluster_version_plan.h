/* When the cluster may use what a new release brought.
 *
 * A release follows every cluster version up to its own CLUSTER_VERSION_MAX, and runs the tables
 * and commands of the replicated one until all members have that release: so any of them can be
 * taken back before.  Pure. */
#ifndef CONTROLPLANE_CLUSTER_VERSION_PLAN_H
#define CONTROLPLANE_CLUSTER_VERSION_PLAN_H

#include <stdint.h>

#include "controlplane/replica/replica.h"

/* The version that this node shall propose raising the group to, or 0: it does not lead, a member
 * is not connected (it might be of any release by now), or there is nothing to raise.
 *
 * The race that is left (a member goes back to the older release between the proposal and the
 * commit) stops that member with a sentence and loses nothing. */
uint32_t cluster_version_next(const struct replica_status *status);

#endif
