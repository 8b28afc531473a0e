/* Mounting of images, by file or by loop. */
#ifndef WORKER_SPAWNER_PACKAGE_MOUNT_H
#define WORKER_SPAWNER_PACKAGE_MOUNT_H

#include "base/status.h"
#include "worker/spawner/spawner_config.h"

/* Mount the image `file` at `target`, a folder, read-only.
 *
 * devices  the host's /dev; only for PACKAGE_MOUNT_LOOP
 *
 * ST_UNSUPPORTED names the step that failed.  Costs 21 us from a file, 80 us by loop. */
enum status package_mount_image(
    enum package_mount way, int devices, const char *file, const char *target, struct err *err);

#endif
