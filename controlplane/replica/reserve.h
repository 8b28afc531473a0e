/* Room kept for the log: DIR/log.reserve, preallocated and of no content.  When a write of the log
 * finds the disk full, the file is made shorter by what the write needs, and the write is tried
 * again; when there is room, it is made whole.
 *
 * So the log goes on for a while on a disk that others have filled, votes for longer than entries,
 * and what is given back at a time is so little that hardly anything of it goes to others.
 * Any thread. */
#ifndef CONTROLPLANE_REPLICA_RESERVE_H
#define CONTROLPLANE_REPLICA_RESERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"

enum {
    RESERVE_ROUND_BYTES = 1 << 20, /* given back at least, and on top of what is asked for */
    RESERVE_VOTES_PART = 8,        /* one in so many bytes is kept for votes */
};

/* Zero-initialise, reserve_open(), reserve_done(). */
struct reserve {
    uv_mutex_t mutex;
    int fd;
    uint64_t target;
    _Atomic uint64_t bytes; /* allocated now; changed under the mutex */
    char path[512];
};

/* Take note of what the file holds, if it is there; it is filled, and made, by reserve_fill(). */
void reserve_open(struct reserve *reserve, const char *dir, uint64_t target);
void reserve_done(struct reserve *reserve);

/* Make it whole.  ST_NO_SPACE: as much as there was room for; ST_UNSUPPORTED: this file system can
 * not preallocate; ST_IO.  Blocks on disk. */
enum status reserve_fill(struct reserve *reserve, struct err *err);
/* Give back room for a write of `bytes`; `vote`: also of what is kept for votes.  False when
 * nothing is left to give. */
bool reserve_give(struct reserve *reserve, uint64_t bytes, bool vote);
/* For a file of `bytes` that found no room: give back what is lacking on the disk, but nothing if
 * all that may be given is too little.  False: there is no room to be had. */
bool reserve_give_for(struct reserve *reserve, uint64_t bytes);
/* Does not block, whatever a call above waits for. */
uint64_t reserve_missing(const struct reserve *reserve);

#endif
