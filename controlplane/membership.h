/* Who shall be a member, from the rows to the replicas of both groups, and the first rows.
 *
 * The rows are those of group control.  Both groups of this process get them whenever they change;
 * their leaders do the rest.  One a process, on the main loop. */
#ifndef CONTROLPLANE_MEMBERSHIP_H
#define CONTROLPLANE_MEMBERSHIP_H

#include <stdbool.h>
#include <uv.h>

#include "controlplane/node.h"
#include "controlplane/replica/replica.h"

struct membership; /* freed by itself after membership_stop() */

/* Borrowed; the client is closed after membership_stop(). */
struct membership_config {
    uv_loop_t *loop;
    const struct node_settings *settings; /* the members of a cluster without rows */
    struct replica *control;
    struct replica *storage;
    struct replica_client *control_client;
    void (*on_removed)(void *context); /* this node is out of both groups, for good; once */
    void *context;
};

struct membership *membership_start(const struct membership_config *config);
void membership_stop(struct membership *membership); /* accepts NULL */

#endif
