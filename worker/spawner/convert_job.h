/* A package on its way from a zip to packages/<hash>/, see convert_job.c. */
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

enum convert_state { CONVERT_FREE, CONVERT_UNPACKING, CONVERT_OWNING, CONVERT_REMOVING };
enum { CONVERT_RESULT_BYTES = 512 };

/* Owned by the spawner's table. */
struct convert {
    struct spawner *spawner; /* borrowed */
    uint32_t number;         /* place in the table: its uid follows from it */
    enum convert_state state;
    uint64_t request;
    char package[PACKAGE_NAME_BYTES + 1];
    char folder[64]; /* where it is unpacked, a name in ROOTFS_PACKAGES */
    struct cgroup group;
    int status; /* read end of the sandbox's status pipe */
    int output; /* read end of its standard output: one line of result */
    int pidfd;
    int timer;
    bool late; /* killed by the time limit */
    size_t result_len;
    char result[CONVERT_RESULT_BYTES];
    enum status outcome; /* of the unpacking, while REMOVING */
    char reason[32];
    uint64_t unzipped_bytes;
    uint32_t files;

    struct source pid_source;
    struct source timer_source;
};

void convert_init(struct convert *convert, struct spawner *spawner, uint32_t number);

/* Unpack; `zip` is borrowed.  On ST_OK the answer follows; otherwise ST_BAD_INPUT for a descriptor
 * that is no regular file of the size that was said. */
enum status convert_start(struct convert *convert,
                          uint64_t request,
                          const Lapwing__Convert *req,
                          int zip,
                          struct err *err);

/* Remove a package: out of sight at once, its files later by the same table.  ST_NOT_FOUND. */
enum status convert_remove(struct convert *convert, const char *package, struct err *err);

/* Remove what an earlier run left half-done.  At start, blocking. */
void convert_sweep(void);

/* Parse the converter's line, "ok BYTES FILES" or "refused REASON TEXT".  False: neither. */
bool convert_result_parse(const char *line,
                          uint64_t *out_bytes,
                          uint32_t *out_files,
                          char out_reason[32],
                          const char **out_text);

#endif
