/* A group's disk thread: one FIFO of work for log.db, snapshot files and installing into state.db.
 *
 * What fails here cannot be answered: the process stops, says why, and recovers at its restart. */
#ifndef CONTROLPLANE_REPLICA_DISK_H
#define CONTROLPLANE_REPLICA_DISK_H

#include <uv.h>

#include "base/status.h"
#include "controlplane/replica/log_entry.h"
#include "controlplane/state/state.h"

struct disk;
struct log_store;

/* Everything is borrowed and outlives the disk.  `done` runs on `loop`, once per operation, in
 * order.  `state` is touched during DISK_INSTALL only, when the group's thread keeps off it. */
struct disk_config {
    const char *dir;
    const char *group; /* for logs */
    struct log_store *store;
    struct state *state;
    enum state_group state_group;
    uv_loop_t *loop;
    void (*done)(void *context, struct disk_op *op);
    void *context;
};

struct disk *disk_start(const struct disk_config *config);
void disk_push(struct disk *disk, struct disk_op *op);
/* On the loop's thread: finish what is queued, hand it to `done`, end the thread and free. */
void disk_stop(struct disk *disk);

#endif
