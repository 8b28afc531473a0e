/* See cluster_version_plan.h. */
#include "controlplane/cluster_version_plan.h"

#include "base/check.h"

uint32_t cluster_version_next(const struct replica_status *status)
{
    uint32_t lowest = UINT32_MAX;

    CHECK(status->member_count <= REPLICA_MEMBERS_MAX);
    if (status->role != REPLICA_LEADER || status->member_count == 0 || status->cluster_version == 0)
        return 0;
    for (unsigned i = 0; i < status->member_count; i++)
        if (status->members[i].version < lowest)
            lowest = status->members[i].version;
    return lowest > status->cluster_version ? lowest : 0;
}
