/* Whether state.db may be believed at the next start.
 *
 * Its pages are never synced: they are as they were written for as long as the kernel keeps them.
 * After another boot they may not be, which the boot's id in it tells.  Nor after the file system
 * has failed and was mounted again within one boot, which nothing on that disk could tell.  So the
 * trust is a file elsewhere, in memory: it lasts a boot at most, and is withdrawn when the disk
 * fails.
 *
 *   /dev/shm/lapwing-state-HASH     of the folder's device, inode and path; empty; ours by its
 * owner
 *
 * Without it the rows are made anew from snapshot and log, which is always right. */
#ifndef CONTROLPLANE_REPLICA_STATE_TRUST_H
#define CONTROLPLANE_REPLICA_STATE_TRUST_H

#include <stdbool.h>

enum {
    STATE_TRUST_PATH_BYTES = 64,
    STATE_TRUST_MAX = 64, /* folders of one process; a further one is not trusted */
};

/* The file for a group's folder, which exists; empty when it can not be named: then nothing is ever
 * trusted. */
void state_trust_path(const char *dir, char out[STATE_TRUST_PATH_BYTES]);
bool state_trust_given(const char *path);
void state_trust_give(const char *path);
void state_trust_withdraw(const char *path); /* any thread */
/* Of all folders that this process gave it to; a signal handler may call it. */
void state_trust_withdraw_all(void);

#endif
