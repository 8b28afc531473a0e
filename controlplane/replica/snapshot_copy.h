/* The rows on their way into snapshot.tmp (snapshot_file.h): copied, synced piece by piece,
 * described.
 */
#ifndef CONTROLPLANE_REPLICA_SNAPSHOT_COPY_H
#define CONTROLPLANE_REPLICA_SNAPSHOT_COPY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"
#include "controlplane/replica/snapshot_file.h"

struct state_snapshot;

struct snapshot_copy {
    const char *dir;                 /* of the group; borrowed */
    struct state_snapshot *snapshot; /* the rows; borrowed */
    struct snapshot_meta meta;       /* its bytes and hash are filled in */
    _Atomic bool give_up;            /* set by any thread */
    bool sync_failed; /* the kernel may have dropped what it could not write: the disk has failed */
};

/* ST_CANCELLED: given up.  ST_NO_SPACE; ST_IO.  Whatever it says, snapshot.tmp is the caller's to
 * remove or to store.  Blocks on disk for as long as the rows take: on a pool thread. */
enum status snapshot_copy_run(struct snapshot_copy *copy, struct err *err);

#endif
