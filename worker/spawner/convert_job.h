/* A package on its way from a zip, or from an image made elsewhere, to its place among the
 * packages, see convert_job.c. */
#ifndef WORKER_SPAWNER_CONVERT_JOB_H
#define WORKER_SPAWNER_CONVERT_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/spawner.pb-c.h"
#include "worker/spawner/cgroup.h"
#include "worker/spawner/request_check.h"
#include "worker/spawner/source.h"

struct spawner;

enum convert_state { CONVERT_FREE, CONVERT_CONVERTING, CONVERT_OWNING, CONVERT_REMOVING };

/* What lapwing-convert is asked to do. */
enum convert_task {
    CONVERT_TREE,   /* unpack a zip */
    CONVERT_IMAGE,  /* make an image of a zip */
    CONVERT_CHECK,  /* look at the form of an image that was fetched */
    CONVERT_VERIFY, /* look at all of an image that is here */
};
enum { CONVERT_RESULT_BYTES = 512 };

/* Owned by the spawner's table. */
struct convert {
    struct spawner *spawner; /* borrowed */
    uint32_t number;         /* place in the table: its uid follows from it */
    enum convert_state state;
    enum convert_task task;
    uint64_t request;
    char package[PACKAGE_NAME_BYTES + 1];
    char image[PACKAGE_NAME_BYTES + 1]; /* the id of its image; empty: none, or not known yet */
    int image_fd;                       /* CHECK: the image, to be put in place */
    char folder[64];                    /* where it is unpacked, a name in ROOTFS_PACKAGES */
    struct cgroup group;
    int status; /* read end of the sandbox's status pipe */
    int output; /* read end of its standard output: one line of result */
    int pidfd;
    int timer;
    bool late; /* killed by the time limit */
    size_t result_len;
    char result[CONVERT_RESULT_BYTES];
    char reason[32];
    uint64_t unzipped_bytes;
    uint32_t files;
    uint64_t disk_bytes;

    struct source pid_source;
    struct source timer_source;
};

void convert_init(struct convert *convert, struct spawner *spawner, uint32_t number);

/* Convert a zip, or check an image made elsewhere and put it in place; `fd` is borrowed.  On ST_OK
 * the answer follows; otherwise ST_BAD_INPUT for a descriptor that is no regular file of the size
 * that was said, and ST_UNSUPPORTED for an image where packages are none. */
enum status convert_start(struct convert *convert,
                          uint64_t request,
                          const Lapwing__Convert *req,
                          int fd,
                          struct err *err);

/* Check all of an image that is here; on ST_OK the answer follows.  ST_NOT_FOUND. */
enum status convert_verify(struct convert *convert,
                           uint64_t request,
                           const char *package,
                           struct err *err);

/* Remove a package: out of sight at once, its files later by the same table.  ST_NOT_FOUND. */
enum status convert_remove(struct convert *convert, const char *package, struct err *err);

/* Remove what an earlier run has left and nobody can use. */
enum status convert_remove_former(struct convert *convert, struct err *err);

/* Remove what an earlier run left half-done.  At start, blocking. */
void convert_sweep(void);

/* What the converter said; `text` is in the line that was parsed. */
struct convert_result {
    uint64_t bytes;
    uint32_t files;
    char image[PACKAGE_NAME_BYTES + 1]; /* empty: not said */
    char reason[32];                    /* empty: nothing is refused */
    const char *text;
};

/* Parse the converter's line, "ok BYTES FILES [IMAGE]" or "refused REASON TEXT".  False: neither.
 */
bool convert_result_parse(const char *line, struct convert_result *out);

#endif
