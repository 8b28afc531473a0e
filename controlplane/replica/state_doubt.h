/* Whether state.db must not be believed at the next start.
 *
 * Its pages are never synced: they are as they were written for as long as the kernel keeps them.
 * After another boot they may not be, which the boot's id in it tells.  Nor after the file system
 * has failed and was mounted again within one boot, which nothing on that disk could tell.  So a
 * process whose disk fails leaves a file elsewhere, in memory, which lasts a boot at most:
 *
 *   /dev/shm/lapwing-doubt-HASH     of the folder's inode and path; empty; ours by its owner
 *
 * Not of its device: a disk that went away and is mounted again may come back as another one.
 *
 * It goes when the rows have been made anew from snapshot and log, which is always right.  Without
 * a /dev/shm that can be written to, they are made anew at each start. */
#ifndef CONTROLPLANE_REPLICA_STATE_DOUBT_H
#define CONTROLPLANE_REPLICA_STATE_DOUBT_H

#include <stdbool.h>

enum {
    STATE_DOUBT_PATH_BYTES = 64,
    STATE_DOUBTS_MAX = 64, /* folders of one process; further ones are always doubted */
};

/* The file for a group's folder, which exists, noted for state_doubt_raise_all(); empty when it can
 * not be named or noted: then the rows are always doubted. */
void state_doubt_path(const char *dir, char out[STATE_DOUBT_PATH_BYTES]);
bool state_doubt_stands(const char *path);
/* The rows have been made anew. */
void state_doubt_clear(const char *path);
/* Of all folders of this process; any thread, and a signal handler may call it. */
void state_doubt_raise_all(void);

#endif
