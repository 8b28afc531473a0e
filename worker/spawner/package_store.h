/* The packages on this host's disk and how environments get to see them.
 *
 *   packages/ZIP         an unpacked tree, bound as it is
 *   packages/ZIP.IMAGE   an EROFS image (worker/image); ZIP and IMAGE are SHA-256 in hex, of the
 * zip and of the image's manifest.  Mounted once, at images/ZIP, when it is first wanted;
 * environments bind that
 *
 * Only images that lapwing-convert has made or checked in this run are mounted: the kernel's EROFS
 * is not made for hostile images, and a disk may rot.  Mounts are in the spawner's own namespace
 * and loop devices clear themselves, so nothing is left when it ends, however. */
#ifndef WORKER_SPAWNER_PACKAGE_STORE_H
#define WORKER_SPAWNER_PACKAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/message_limits.h"
#include "proto/spawner.pb-c.h"
#include "worker/spawner/request_check.h"
#include "worker/spawner/spawner_config.h"

enum { PACKAGE_PATH_BYTES = 192, PACKAGE_IMAGES_MAX = SPAWN_PACKAGES_MAX };

struct package_image {
    char package[PACKAGE_NAME_BYTES + 1];
    char id[PACKAGE_NAME_BYTES + 1];
    bool is_checked; /* made or checked in this run */
    bool is_mounted;
};

/* Owned by the spawner. */
struct package_store {
    enum package_mount way; /* not AUTO once started */
    int devices;            /* the host's /dev */
    uint32_t count;
    struct package_image *images;
};

/* Take what is needed of the host, before rootfs_enter(). */
enum status package_store_open(struct package_store *store, struct err *err);

/* Find out how images can be mounted, and which are there; after rootfs_enter().  ST_UNSUPPORTED:
 * not in the way that was asked for. */
enum status package_store_start(struct package_store *store,
                                enum package_mount wanted,
                                struct err *err);
void package_store_done(struct package_store *store);

/* Where a package is to be bound from; its image is mounted if it is not yet.  ST_NOT_FOUND: not
 * here, or an image that has not been checked. */
enum status package_store_path(struct package_store *store,
                               const char *package,
                               char out[PACKAGE_PATH_BYTES],
                               struct err *err);

/* The image of a package, or NULL.  Valid until the next add or drop. */
struct package_image *package_store_find(struct package_store *store, const char *package);

/* The path of an image's file. */
void package_store_file(const char *package, const char *id, char out[PACKAGE_PATH_BYTES]);

/* An image has come to its place.  ST_LIMIT: as many as can be are here. */
enum status package_store_add(struct package_store *store,
                              const char *package,
                              const char *id,
                              bool is_checked,
                              struct err *err);

/* Unmount a package and move it to `path`, from where the caller removes it.  ST_NOT_FOUND. */
enum status package_store_drop(struct package_store *store,
                               const char *package,
                               const char *path,
                               struct err *err);

/* Move what of a former run cannot be used to `folder`, from where the caller removes it: trees,
 * which nobody can verify, and images where packages are folders.  No environment may run. */
enum status package_store_sweep(struct package_store *store, const char *folder, struct err *err);

/* The images on the disk, packed for an answer; in one piece, for free(). */
struct package_list {
    size_t count;
    Lapwing__PackageHere *pointers[SPAWN_PACKAGES_MAX];
    Lapwing__PackageHere list[SPAWN_PACKAGES_MAX];
    uint8_t hashes[SPAWN_PACKAGES_MAX][PACKAGE_NAME_BYTES / 2];
};
struct package_list *package_list_new(const struct package_store *store);

/* A file without a name among the packages that an image is written to: [0] for writing, [1] for
 * reading, both owned by the caller. */
enum status package_store_new_file(int out_fds[2], struct err *err);

/* Is `fd` such a file, and is nobody left who could write to it? */
enum status package_store_sealed(int fd, struct err *err);

#endif
