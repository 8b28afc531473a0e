/* A group's disk thread: one FIFO of work for log.db, snapshot files and installing into state.db.
 *
 * Work that finds no room is tried again, first with room from the reserve, then each
 * DISK_HOLD_MS: nothing of it was done, nobody was told that it was, and what is behind it waits,
 * so the order stays.  After any other failure nothing more is done; the owner is told and stops
 * the process, which recovers from what is durable at its restart. */
#ifndef CONTROLPLANE_REPLICA_DISK_H
#define CONTROLPLANE_REPLICA_DISK_H

#include <uv.h>

#include "base/status.h"
#include "controlplane/replica/log_entry.h"
#include "controlplane/state/state.h"

struct disk;
struct log_store;
struct reserve;

enum {
    DISK_HOLD_MS = 500,
    DISK_BATCH_BYTES_MAX = 8 << 20, /* of appends that become durable together */
};

/* Everything is borrowed and outlives the disk.  `done` runs on `loop`, once per operation, in
 * order.  `state` is touched during DISK_INSTALL only, when the group's thread keeps off it. */
struct disk_config {
    const char *dir;
    const char *group; /* for logs */
    struct log_store *store;
    struct state *state;
    struct reserve *reserve;
    enum state_group state_group;
    uv_loop_t *loop;
    uint32_t hold_ms; /* 0: DISK_HOLD_MS */
    void (*done)(void *context, struct disk_op *op);
    /* The disk failed: once, on `loop`; nothing is done any more. */
    void (*failed)(void *context, const struct err *err);
    void *context;
};

struct disk *disk_start(const struct disk_config *config);
void disk_push(struct disk *disk, struct disk_op *op);
/* On the loop's thread: finish what is queued, hand it to `done`, end the thread and free.  Work
 * that waits for room, or is behind a failure, is dropped, as by a power cut. */
void disk_stop(struct disk *disk);

struct disk_view {
    bool held;           /* work waits for room */
    uint64_t slowest_ms; /* of the calls since the last look, and of the one under way */
};
/* Any thread; does not block. */
void disk_look(struct disk *disk, struct disk_view *out);

#endif
