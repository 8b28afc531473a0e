/* Mounting of images, see package_mount.h. */
#include "worker/spawner/package_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"

/* Others on the host may take a device between the question which is free and its use. */
enum { LOOP_TRIES = 64 };

static enum status mount_source(int source, const char *target, struct err *err)
{
    char path[32];
    AUTO_CLOSE int context = fsopen("erofs", FSOPEN_CLOEXEC);
    AUTO_CLOSE int mounted = -1;

    if (context < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "use the file system erofs");
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", source);
    if (fsconfig(context, FSCONFIG_SET_STRING, "source", path, 0) < 0 ||
        fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "open an image");
    mounted =
        fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (mounted < 0 || move_mount(mounted, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "mount an image");
    return ST_OK;
}

/* A loop device over `image` that clears itself with its last user. */
static enum status attach_loop(int devices, int image, int *out, struct err *err)
{
    struct loop_config config = { .fd = (uint32_t)image,
                                  .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };
    AUTO_CLOSE int control = openat(devices, "loop-control", O_RDWR | O_CLOEXEC);

    if (control < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "open /dev/loop-control");
    for (int i = 0; i < LOOP_TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        AUTO_CLOSE int device = -1;
        char name[32];

        if (number < 0)
            return err_set_errno(err, ST_UNSUPPORTED, errno, "get a loop device");
        (void)snprintf(name, sizeof name, "loop%d", number);
        device = openat(devices, name, O_RDONLY | O_CLOEXEC);
        if (device < 0)
            return err_set_errno(err, ST_UNSUPPORTED, errno, "open /dev/%s", name);
        if (ioctl(device, LOOP_CONFIGURE, &config) == 0) {
            *out = device;
            device = -1;
            return ST_OK;
        }
        if (errno != EBUSY)
            return err_set_errno(err, ST_UNSUPPORTED, errno, "set up /dev/%s", name);
    }
    return err_set(err, ST_UNSUPPORTED, "get a loop device: others took each that was free");
}

enum status package_mount_image(
    enum package_mount way, int devices, const char *file, const char *target, struct err *err)
{
    AUTO_CLOSE int image = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_CLOSE int loop = -1;
    enum status st;

    CHECK(way == PACKAGE_MOUNT_FILE || way == PACKAGE_MOUNT_LOOP);
    if (image < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "open an image");
    if (way == PACKAGE_MOUNT_FILE)
        return mount_source(image, target, err);
    st = attach_loop(devices, image, &loop, err);
    return st == ST_OK ? mount_source(loop, target, err) : st;
}
