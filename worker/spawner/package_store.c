/* The packages on this host's disk, see package_store.h. */
#include "worker/spawner/package_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "worker/image/image_rules.h"
#include "worker/spawner/files.h"
#include "worker/spawner/package_mount.h"
#include "worker/spawner/rootfs.h"

#define TRIAL_FILE   ROOTFS_PACKAGES "/.new-trial"
#define TRIAL_FOLDER ROOTFS_IMAGES "/trial"

enum { IMAGE_MODE = 0444 };

enum status package_store_open(struct package_store *store, struct err *err)
{
    store->images = must_calloc(PACKAGE_IMAGES_MAX, sizeof *store->images);
    store->devices = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (store->devices < 0)
        return err_set_errno(err, ST_IO, errno, "open /dev");
    return ST_OK;
}

void package_store_done(struct package_store *store)
{
    close_quietly(&store->devices);
    free(store->images);
    store->images = NULL;
}

/* ---- ways to mount ---- */

/* The smallest image that there is: an empty folder. */
static enum status write_trial(struct err *err)
{
    struct image_tree tree;
    struct image_cursor cursor = { 0 };
    uint8_t block[IMAGE_BLOCK_BYTES];
    AUTO_CLOSE int fd = open(TRIAL_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum status st = ST_OK;

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "make an image to try");
    image_tree_init(&tree);
    image_plan(&tree);
    for (uint32_t i = 0; i < tree.blocks && st == ST_OK; i++) {
        image_encode_next(&tree, &cursor, block);
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
            st = err_set_errno(err, ST_IO, errno, "write an image to try");
    }
    image_tree_done(&tree);
    return st;
}

static enum status try_way(const struct package_store *store,
                           enum package_mount way,
                           struct err *err)
{
    AUTO_CLOSE int top = -1;
    enum status st = package_mount_image(way, store->devices, TRIAL_FILE, TRIAL_FOLDER, err);
    int fds[2];

    if (st != ST_OK)
        return st;
    top = open(TRIAL_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        st = err_set_errno(err, ST_UNSUPPORTED, errno, "look into a mounted image");
    close_quietly(&top);
    (void)umount2(TRIAL_FOLDER, MNT_DETACH);
    if (st == ST_OK)
        st = package_store_new_file(fds, err);
    if (st != ST_OK)
        return st;
    (void)close(fds[0]);
    st = package_store_sealed(fds[1], err);
    (void)close(fds[1]);
    return st;
}

static enum status choose_way(struct package_store *store,
                              enum package_mount wanted,
                              struct err *err)
{
    enum status st = ST_OK;

    store->way = PACKAGE_MOUNT_FOLDER;
    if (wanted == PACKAGE_MOUNT_FOLDER)
        return ST_OK;
    if (mkdir(TRIAL_FOLDER, 0755) < 0)
        return err_set_errno(err, ST_IO, errno, "make folder %s", TRIAL_FOLDER);
    for (int way = PACKAGE_MOUNT_FILE; way <= PACKAGE_MOUNT_LOOP; way++) {
        if (wanted != PACKAGE_MOUNT_AUTO && wanted != (enum package_mount)way)
            continue;
        st = write_trial(err);
        if (st == ST_OK)
            st = try_way(store, (enum package_mount)way, err);
        if (st == ST_OK) {
            store->way = (enum package_mount)way;
            break;
        }
    }
    (void)unlink(TRIAL_FILE);
    (void)rmdir(TRIAL_FOLDER);
    if (st == ST_OK || wanted == PACKAGE_MOUNT_AUTO) {
        if (st != ST_OK)
            log_event(LOG_INFO, "no_package_images", LS("why", err->text),
                      LS("then", "unpacked folders"));
        return ST_OK;
    }
    return st;
}

/* ---- what is there ---- */

static bool is_hash(const char *text)
{
    return strspn(text, "0123456789abcdef") >= PACKAGE_NAME_BYTES;
}

/* "ZIP.IMAGE" */
static bool is_image_name(const char *name)
{
    return strlen(name) == 2 * PACKAGE_NAME_BYTES + 1 && is_hash(name) &&
           name[PACKAGE_NAME_BYTES] == '.' && is_hash(name + PACKAGE_NAME_BYTES + 1);
}

static void find_images(struct package_store *store)
{
    DIR *list = opendir(ROOTFS_PACKAGES);
    char package[PACKAGE_NAME_BYTES + 1];

    if (list == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (!is_image_name(entry->d_name))
            continue;
        (void)snprintf(package, sizeof package, "%.*s", PACKAGE_NAME_BYTES, entry->d_name);
        /* A second one of a package, or one too many: nobody will ask for it. */
        if (package_store_find(store, package) != NULL ||
            package_store_add(store, package, entry->d_name + PACKAGE_NAME_BYTES + 1, false,
                              NULL) != ST_OK)
            (void)unlinkat(dirfd(list), entry->d_name, 0);
    }
    (void)closedir(list);
}

enum status package_store_start(struct package_store *store,
                                enum package_mount wanted,
                                struct err *err)
{
    enum status st = choose_way(store, wanted, err);

    if (st == ST_OK)
        find_images(store);
    return st;
}

struct package_image *package_store_find(struct package_store *store, const char *package)
{
    for (uint32_t i = 0; i < store->count; i++)
        if (strcmp(store->images[i].package, package) == 0)
            return &store->images[i];
    return NULL;
}

void package_store_file(const char *package, const char *id, char out[PACKAGE_PATH_BYTES])
{
    (void)snprintf(out, PACKAGE_PATH_BYTES, ROOTFS_PACKAGES "/%.64s.%.64s", package, id);
}

enum status package_store_add(struct package_store *store,
                              const char *package,
                              const char *id,
                              bool is_checked,
                              struct err *err)
{
    struct package_image *image;

    CHECK(package_store_find(store, package) == NULL);
    if (store->count == PACKAGE_IMAGES_MAX)
        return err_set(err, ST_LIMIT, "%d package images are here", PACKAGE_IMAGES_MAX);
    image = &store->images[store->count++];
    *image = (struct package_image){ .is_checked = is_checked };
    memcpy(image->package, package, PACKAGE_NAME_BYTES);
    memcpy(image->id, id, PACKAGE_NAME_BYTES);
    return ST_OK;
}

static void folder_of(const char *package, char out[PACKAGE_PATH_BYTES])
{
    (void)snprintf(out, PACKAGE_PATH_BYTES, ROOTFS_IMAGES "/%.64s", package);
}

enum status package_store_path(struct package_store *store,
                               const char *package,
                               char out[PACKAGE_PATH_BYTES],
                               struct err *err)
{
    struct package_image *image = package_store_find(store, package);
    char file[PACKAGE_PATH_BYTES];
    enum status st;

    if (image == NULL || store->way == PACKAGE_MOUNT_FOLDER) {
        (void)snprintf(out, PACKAGE_PATH_BYTES, ROOTFS_PACKAGES "/%.64s", package);
        if (access(out, F_OK) == 0)
            return ST_OK;
        return err_set(err, ST_NOT_FOUND, "start an environment: package %.16s... is not here",
                       package);
    }
    if (!image->is_checked)
        return err_set(err, ST_NOT_FOUND,
                       "start an environment: package %.16s... has not been verified", package);
    folder_of(package, out);
    if (image->is_mounted)
        return ST_OK;
    if (mkdir(out, 0755) < 0 && errno != EEXIST)
        return err_set_errno(err, ST_IO, errno, "make folder %.100s", out);
    package_store_file(package, image->id, file);
    st = package_mount_image(store->way, store->devices, file, out, err);
    image->is_mounted = st == ST_OK;
    return st == ST_OK ? ST_OK : ST_IO;
}

enum status package_store_drop(struct package_store *store,
                               const char *package,
                               const char *path,
                               struct err *err)
{
    struct package_image *image = package_store_find(store, package);
    char from[PACKAGE_PATH_BYTES];

    if (image == NULL) {
        (void)snprintf(from, sizeof from, ROOTFS_PACKAGES "/%.64s", package);
    } else if (image->is_mounted) {
        folder_of(package, from);
        (void)umount2(from, MNT_DETACH);
        (void)rmdir(from);
        image->is_mounted = false;
    }
    if (image != NULL)
        package_store_file(package, image->id, from);
    if (rename(from, path) < 0 && errno != ENOENT)
        return err_set_errno(err, ST_IO, errno, "remove package %.16s...", package);
    if (image != NULL)
        *image = store->images[--store->count];
    if (access(path, F_OK) < 0)
        return err_set(err, ST_NOT_FOUND, "remove package %.16s...: it is not here", package);
    return ST_OK;
}

/* ---- list ---- */

static void list_one(struct package_list *list, const char *package, uint64_t bytes)
{
    size_t i = list->count++;

    CHECK(hex_decode(package, list->hashes[i], sizeof list->hashes[i]));
    lapwing__package_here__init(&list->list[i]);
    list->list[i].sha256.data = list->hashes[i];
    list->list[i].sha256.len = sizeof list->hashes[i];
    list->list[i].bytes = bytes;
    list->pointers[i] = &list->list[i];
}

struct package_list *package_list_new(const struct package_store *store)
{
    struct package_list *list = must_calloc(1, sizeof *list);
    char path[PACKAGE_PATH_BYTES];
    struct stat info;

    for (uint32_t i = 0; i < store->count; i++) {
        package_store_file(store->images[i].package, store->images[i].id, path);
        if (stat(path, &info) == 0)
            list_one(list, store->images[i].package, (uint64_t)info.st_size);
    }
    return list;
}

enum status package_store_sweep(struct package_store *store, const char *folder, struct err *err)
{
    bool no_images = store->way == PACKAGE_MOUNT_FOLDER;
    DIR *list = opendir(ROOTFS_PACKAGES);
    char to[2 * PACKAGE_PATH_BYTES];

    if (list == NULL)
        return err_set_errno(err, ST_IO, errno, "look at the packages");
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (!package_name_valid(entry->d_name) && !(no_images && is_image_name(entry->d_name)))
            continue;
        (void)snprintf(to, sizeof to, "%s/%s", folder, entry->d_name);
        if (renameat(dirfd(list), entry->d_name, AT_FDCWD, to) < 0)
            log_event(LOG_WARN, "package_left", LS("package", entry->d_name), LI("errno", errno));
    }
    (void)closedir(list);
    if (no_images)
        store->count = 0;
    return ST_OK;
}

/* ---- images from elsewhere ---- */

enum status package_store_new_file(int out_fds[2], struct err *err)
{
    char path[32];
    AUTO_CLOSE int fd = open(ROOTFS_PACKAGES, O_TMPFILE | O_RDWR | O_CLOEXEC, IMAGE_MODE);

    if (fd < 0 || fchmod(fd, IMAGE_MODE) < 0) /* whatever our umask is */
        return err_set_errno(err, ST_IO, errno, "make a file among the packages");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    out_fds[1] = open(path, O_RDONLY | O_CLOEXEC);
    if (out_fds[1] < 0)
        return err_set_errno(err, ST_IO, errno, "open a file among the packages again");
    out_fds[0] = fd;
    fd = -1;
    return ST_OK;
}

enum status package_store_sealed(int fd, struct err *err)
{
    struct stat packages, info;

    if (stat(ROOTFS_PACKAGES, &packages) < 0 || fstat(fd, &info) < 0)
        return err_set_errno(err, ST_IO, errno, "look at the image");
    /* Its owner is root and its mode lets nobody else open it for writing again. */
    if (info.st_dev != packages.st_dev || info.st_uid != 0 || info.st_nlink != 0 ||
        info.st_mode != (S_IFREG | IMAGE_MODE) || (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
        return err_set(err, ST_BAD_INPUT, "convert: the descriptor is no new image");
    /* The kernel grants this only when nobody has the file open for writing, mapped included. */
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return err_set_errno(err, ST_CONFLICT, errno, "convert: somebody may write to the image");
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return ST_OK;
}
