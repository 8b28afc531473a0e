/* Mounts of a sandbox that depend on its function: put in place by its first process on the plain
 * path, or by the spawner in a sandbox that was made before its function was known. */
#ifndef WORKER_SPAWNER_SANDBOX_MOUNTS_H
#define WORKER_SPAWNER_SANDBOX_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* A detached copy of the tree at `from`, nosuid, nodev and, unless writable, read-only, before
 * anybody can see it.  A descriptor, or -1 with errno.  Raw calls only, as are the next two: they
 * run in the memory of another process. */
int sandbox_pick_up(const char *from, bool writable);
int sandbox_put_down(int tree, const char *to);
/* A tmpfs of so many MB, writable for all, at root/where; 0: none.  0, or -1 with errno. */
int sandbox_mount_tmpfs(const char *root, const char *where, uint32_t mb, unsigned long flags);

/* Give a running sandbox its /var/task and /tmp.
 *
 * pidfd    its first process, in whose mount namespace they appear
 * own      our mount namespace, to come back to
 * package  path in ours
 *
 * ST_IO names the step.  Some 40 us.  This process must have one thread. */
enum status sandbox_mount_into(
    int pidfd, int own, const char *package, uint32_t tmp_mb, struct err *err);

#endif
