/* Raises the replicated cluster version of both groups once every member follows it
 * (cluster_version_plan.h).  One a process, on the main loop. */
#ifndef CONTROLPLANE_CLUSTER_VERSION_H
#define CONTROLPLANE_CLUSTER_VERSION_H

#include <uv.h>

#include "controlplane/replica/replica.h"

struct cluster_version; /* freed by itself after cluster_version_stop() */

struct cluster_version_group {
    struct replica *replica;       /* borrowed */
    struct replica_client *client; /* borrowed; closed after cluster_version_stop() */
};

/* Look twice a second until both groups are at this release's version. */
struct cluster_version *cluster_version_start(uv_loop_t *loop,
                                              struct cluster_version_group control,
                                              struct cluster_version_group storage);
void cluster_version_stop(struct cluster_version *watch); /* accepts NULL */

#endif
