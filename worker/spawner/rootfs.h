/* The spawner's own small mount namespace, and in it the read-only roots that environments and the
 * converter start from.
 *
 *   /env        root of environments: usr lib* bin sbin (host or root_dir), etc (ours), dev, and
 *               empty mount points proc tmp var/task opt; var/runtime
 *   /env1..8    the same for each runtime with a root of its own ([runtimes])
 *   /convert    root of lapwing-convert: usr lib* of the host, dev/null, mount points proc out
 *   /packages   [spawner] packages_dir, writable
 *   /images     a folder for each package whose image is mounted
 *   /proc       the host's
 *
 * The converter is cloned with a copy of these few mounts, not of the host's, adds its own and
 * makes /convert its /.  Environments copy a namespace that holds their root alone, as its /. */
#ifndef WORKER_SPAWNER_ROOTFS_H
#define WORKER_SPAWNER_ROOTFS_H

#include <stddef.h>

#include "base/status.h"
#include "worker/spawner/spawner_config.h"

#define ROOTFS_ENVIRONMENT "/env"
#define ROOTFS_CONVERT     "/convert"
#define ROOTFS_PACKAGES    "/packages"
#define ROOTFS_IMAGES      "/images"

enum { ROOTFS_PATH_BYTES = 8 };

/* Which root the environments of a runtime start from: 0 for /env, 1 for /env1 and so on. */
size_t rootfs_of(const struct spawner_config *config, const char *runtime);

/* Leave the host's mount namespace and build the above.  Paths of the host are gone afterwards:
 * open what is needed (programs, cgroup folders) before.  The process must have one thread.
 *
 * ST_IO or ST_DENIED name the mount that failed. */
enum status rootfs_enter(const struct spawner_config *config, struct err *err);

/* Make the mount namespace that environments of one root copy, after rootfs_enter(): what is /env
 * or /envN here is its root, and nothing else is in it.  So a start neither copies mounts that it
 * drops again nor changes its root, for which the kernel looks at every process of the host.
 *
 * index  as rootfs_of() gives it
 * out    a descriptor of it, for setns(2); owned by the caller.  Nothing runs in it. */
enum status rootfs_template(size_t index, int *out, struct err *err);

#endif
