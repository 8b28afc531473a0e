#include "controlplane/replica/snapshot_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "controlplane/state/state.h"

/* One run. */
struct pieces {
    struct snapshot_copy *copy;
    char path[SNAPSHOT_PATH_BYTES];
    int fd;         /* for syncing; -1 before there is something to sync */
    int sync_errno; /* of the piece that could not be synced; 0: none */
};

/* By one descriptor from the first piece to the last: the kernel tells each of a failed write once,
 * and one that is opened later need not hear of it. */
static void sync_piece(struct pieces *pieces)
{
    if (pieces->fd < 0)
        pieces->fd = open(pieces->path, O_RDONLY | O_CLOEXEC);
    if (pieces->fd >= 0 && pieces->sync_errno == 0 && fdatasync(pieces->fd) < 0)
        pieces->sync_errno = errno;
}

/* What is copied is written out as it comes: a gigabyte of it at the end would hold up the log's
 * own syncs for as long as the disk takes. */
static bool go_on(void *context)
{
    struct pieces *pieces = context;

    sync_piece(pieces);
    return pieces->sync_errno == 0 && !atomic_load(&pieces->copy->give_up);
}

enum status snapshot_copy_run(struct snapshot_copy *copy, struct err *err)
{
    struct pieces pieces = { .copy = copy, .fd = -1 };
    enum status st;

    snapshot_file_tmp_path(copy->dir, pieces.path);
    (void)unlink(pieces.path); /* of one that was never stored */
    st = state_snapshot_write(copy->snapshot, pieces.path, go_on, &pieces, err);
    if (st == ST_OK)
        sync_piece(&pieces);
    if (pieces.fd >= 0)
        (void)close(pieces.fd);
    copy->sync_failed = pieces.sync_errno != 0;
    if (copy->sync_failed)
        return err_set_errno(err, ST_IO, pieces.sync_errno, "sync %s", pieces.path);
    return st == ST_OK ? snapshot_file_describe(pieces.path, &copy->meta, err) : st;
}
