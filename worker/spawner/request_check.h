/* Is this request one that the agent may ask?  The spawner is root and the agent talks to
 * strangers, so nothing of a request is used before it passed here.  Pure. */
#ifndef WORKER_SPAWNER_REQUEST_CHECK_H
#define WORKER_SPAWNER_REQUEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/spawner.pb-c.h"

enum {
    SPAWN_ARGUMENTS_MAX = 64,
    SPAWN_VARIABLES_MAX = 512,
    SPAWN_TEXT_BYTES_MAX = 49152, /* arguments and environment together */
    SPAWN_PROCESSES_MAX = 1024,
    PACKAGE_NAME_BYTES = 64, /* hex SHA-256 */
};

/* 64 lower-case hexadecimal digits? */
bool package_name_valid(const char *text);

/* Check all of a request: its form, and every number and text in it.
 *
 * req                decoded, borrowed
 * environments_max   slots are below it
 * fd_count           descriptors that came with it
 * err                names the field, what it was and what is allowed
 *
 * Returns ST_OK or ST_BAD_INPUT. */
enum status spawn_request_check(const Lapwing__SpawnRequest *req,
                                uint32_t environments_max,
                                size_t fd_count,
                                struct err *err);

#endif
