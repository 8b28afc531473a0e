/* User namespaces of sandboxes: one a host user, in which SANDBOX_UID is that user and nobody else
 * exists.  Made at the first use of the user, or ahead in a quiet moment, and kept: it holds no
 * state of those who were in it (nothing but processes is ever owned by it), and making one with
 * its maps costs as much as a third of a start.  The spawner's thread. */
#ifndef WORKER_SPAWNER_USER_NAMESPACES_H
#define WORKER_SPAWNER_USER_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

/* Owned by the spawner; user_namespaces_done() closes all. */
struct user_namespaces {
    uid_t base;     /* the host user of index 0; its group has the same number */
    uint32_t count; /* of indices */
    int *fds;       /* -1: not made yet */
    bool *used;
    uint32_t made;
    uint32_t ready;  /* made, and not used yet */
    bool complained; /* that none could be made, since one could be */
};

void user_namespaces_init(struct user_namespaces *users, uid_t base, uint32_t count);
void user_namespaces_done(struct user_namespaces *users);

/* That of an index, made now if need be (0.5 ms).  The descriptor stays ours.  ST_IO: the kernel
 * made none (user.max_user_namespaces); the next call tries again. */
enum status user_namespace_of(struct user_namespaces *users,
                              uint32_t index,
                              int *out_fd,
                              struct err *err);

/* Make that of the lowest index without one: whoever chooses indices takes the lowest free one.
 * False: all are there, or none could be made (logged). */
bool user_namespaces_refill(struct user_namespaces *users);

#endif
