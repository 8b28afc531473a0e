/* A program of the cluster as a child process: its standard error is read line by line. */
#ifndef CLI_DEV_CHILD_H
#define CLI_DEV_CHILD_H

#include <sys/types.h>

#include "base/status.h"

struct child_spec {
    const char *path;   /* of the binary; opened by root, so it may lie where the user cannot go */
    const char *config; /* --config FILE */
    uid_t uid;
    gid_t gid;
    int socket;       /* becomes descriptor 3; -1 for none */
    int death_signal; /* sent to it when this process dies */
};

/* Start it in a process group of its own (Ctrl-C is for the supervisor alone).
 *
 * out_pid, out_log: its process id and the reading end of its standard output and error, which the
 * caller owns.  ST_IO names what failed, also inside the child. */
enum status child_start(const struct child_spec *spec,
                        pid_t *out_pid,
                        int *out_log,
                        struct err *err);

/* Find a program beside the lapwing command, or in the build folder next to its own. */
enum status child_find(const char *program_dir,
                       const char *folder,
                       const char *name,
                       char *out,
                       size_t size,
                       struct err *err);

#endif
