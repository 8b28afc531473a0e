/* What the configuration of a control-plane node says, checked and taken apart. */
#ifndef CONTROLPLANE_NODE_H
#define CONTROLPLANE_NODE_H

#include "base/config.h"
#include "base/endpoint.h"
#include "base/failure_rules.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/stream.h"
#include "controlplane/replica/replica.h"

extern const struct config_option node_options[];

struct node_settings {
    struct stream_identity identity;
    uint64_t self_id;
    struct endpoint api[ENDPOINTS_MAX]; /* where the front door listens */
    size_t api_count;
    bool https; /* one of them at least is HTTPS */
    unsigned member_count;
    struct replica_member control[NODES_MAX];
    struct replica_member storage[NODES_MAX];
    struct failure_limits detection;
};

/* ST_DENIED: an address where bytes would pass in the clear.  ST_BAD_INPUT: a member that is not
 * "node,zone,control address,storage address", this node is not among them, or the limits of
 * [detection] contradict each other.  Others as
 * cluster_key_read(). */
enum status node_settings_read(const struct config *config,
                               struct node_settings *out,
                               struct err *err);

#endif
