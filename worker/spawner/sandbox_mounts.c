/* See sandbox_mounts.h. */
#include "worker/spawner/sandbox_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/check.h"
#include "worker/spawner/files.h"

int sandbox_pick_up(const char *from, bool writable)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
    int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (!writable)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        close_quietly(&tree);
    return tree;
}

int sandbox_put_down(int tree, const char *to)
{
    return move_mount(tree, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
}

int sandbox_mount_tmpfs(const char *root, const char *where, uint32_t mb, unsigned long flags)
{
    char path[128];
    char options[64];

    if (mb == 0)
        return 0;
    (void)snprintf(path, sizeof path, "%s/%s", root, where);
    (void)snprintf(options, sizeof options, "mode=1777,size=%um", mb);
    return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | flags, options);
}

enum status sandbox_mount_into(
    int pidfd, int own, const char *package, uint32_t tmp_mb, struct err *err)
{
    AUTO_CLOSE int tree = sandbox_pick_up(package, false);
    const char *failed = NULL;
    int errnum;

    if (tree < 0)
        return err_set_errno(err, ST_IO, errno, "pick up the package");
    /* Nothing but these two names is looked up while we are in there. */
    if (setns(pidfd, CLONE_NEWNS) < 0)
        return err_set_errno(err, ST_IO, errno, "enter a mount namespace");
    if (sandbox_put_down(tree, "/var/task") < 0)
        failed = "bind the package";
    else if (sandbox_mount_tmpfs("", "tmp", tmp_mb, 0) < 0)
        failed = "mount /tmp";
    errnum = errno;
    CHECK(setns(own, CLONE_NEWNS) == 0); /* we must not go on with another root */
    return failed == NULL ? ST_OK : err_set_errno(err, ST_IO, errnum, "%s", failed);
}
