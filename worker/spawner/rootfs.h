/* The spawner's own small mount namespace, and in it the read-only roots that environments and the
 * converter start from.
 *
 *   /env        root of environments: usr lib* bin sbin (host or root_dir), etc (ours), dev, and
 *               empty mount points proc tmp var/task opt; var/runtime
 *   /env1..8    the same for each runtime with a root of its own ([runtimes])
 *   /convert    root of lapwing-convert: usr lib* of the host, dev/null, mount points proc out
 *   /packages   [spawner] packages_dir, writable
 *   /proc       the host's
 *
 * A child that is cloned with a new mount namespace gets a copy of these few mounts, not of the
 * host's, adds its own and makes one of the roots its /. */
#ifndef WORKER_SPAWNER_ROOTFS_H
#define WORKER_SPAWNER_ROOTFS_H

#include "base/status.h"
#include "worker/spawner/spawner_config.h"

#define ROOTFS_ENVIRONMENT "/env"
#define ROOTFS_CONVERT     "/convert"
#define ROOTFS_PACKAGES    "/packages"

enum { ROOTFS_PATH_BYTES = 8 };

/* The root that environments of a runtime start from: "/env", or "/env1" and so on. */
void rootfs_environment(const struct spawner_config *config,
                        const char *runtime,
                        char out[ROOTFS_PATH_BYTES]);

/* Leave the host's mount namespace and build the above.  Paths of the host are gone afterwards:
 * open what is needed (programs, cgroup folders) before.  The process must have one thread.
 *
 * ST_IO or ST_DENIED name the mount that failed. */
enum status rootfs_enter(const struct spawner_config *config, struct err *err);

#endif
