/* The spawner's mount namespace, see rootfs.h.
 *
 * Everything that is taken from the host is first picked up as a detached copy (open_tree), so that
 * the new root may be mounted over a folder of the host without hiding any of it. */
#include "worker/spawner/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"

enum { TREES_MAX = 64 };

/* A detached copy of something of the host, and where it goes. */
struct tree {
    int fd;
    bool folder;
    bool writable;
    bool devices;
    char target[64];
};

struct trees {
    size_t count;
    struct tree list[TREES_MAX];
};

static enum status pick_up(struct trees *trees,
                           const char *source,
                           const char *target,
                           bool writable,
                           bool devices,
                           struct err *err)
{
    struct stat info;
    struct tree *tree;

    CHECK(trees->count < TREES_MAX);
    if (stat(source, &info) < 0)
        return err_set_errno(err, ST_NOT_FOUND, errno, "look at %.100s", source);
    tree = &trees->list[trees->count];
    *tree =
        (struct tree){ .folder = S_ISDIR(info.st_mode), .writable = writable, .devices = devices };
    (void)snprintf(tree->target, sizeof tree->target, "%s", target);
    tree->fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree->fd < 0)
        return err_set_errno(err, ST_DENIED, errno, "take over %.100s", source);
    trees->count++;
    return ST_OK;
}

/* What a root needs of the host's (or another) system: programs and libraries. */
static enum status pick_up_system(struct trees *trees,
                                  const char *from,
                                  const char *root,
                                  struct err *err)
{
    static const char *const folders[] = {
        "usr", "lib", "lib32", "lib64", "libx32", "bin", "sbin"
    };
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(folders) && st == ST_OK; i++) {
        char source[PATH_MAX + 16];
        char target[64];
        struct stat info;

        (void)snprintf(source, sizeof source, "%s/%s", from, folders[i]);
        (void)snprintf(target, sizeof target, ".%s/%s", root, folders[i]);
        if (lstat(source, &info) == 0 && S_ISDIR(info.st_mode)) /* links: see link_system() */
            st = pick_up(trees, source, target, false, false, err);
    }
    return st;
}

static enum status pick_up_etc(struct trees *trees, struct err *err)
{
    static const char *const wanted[] = {
        "alternatives", "ld.so.cache", "ld.so.conf",      "ld.so.conf.d", "mime.types",
        "protocols",    "services",    "ssl/openssl.cnf", "ssl/certs",
    };
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(wanted) && st == ST_OK; i++) {
        char source[64];
        char target[64];

        (void)snprintf(source, sizeof source, "/etc/%s", wanted[i]);
        (void)snprintf(target, sizeof target, ".%s/etc/%s", ROOTFS_ENVIRONMENT, wanted[i]);
        if (access(source, F_OK) == 0)
            st = pick_up(trees, source, target, false, false, err);
    }
    return st;
}

static enum status pick_up_devices(struct trees *trees, struct err *err)
{
    static const char *const devices[] = { "null", "zero", "full", "random", "urandom" };
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(devices) && st == ST_OK; i++) {
        char source[32];
        char target[64];

        (void)snprintf(source, sizeof source, "/dev/%s", devices[i]);
        (void)snprintf(target, sizeof target, ".%s%s", ROOTFS_ENVIRONMENT, source);
        st = pick_up(trees, source, target, true, true, err);
    }
    if (st != ST_OK)
        return st;
    return pick_up(trees, "/dev/null", "." ROOTFS_CONVERT "/dev/null", true, true, err);
}

static enum status pick_up_all(struct trees *trees,
                               const struct spawner_config *config,
                               struct err *err)
{
    const char *runtime = config->runtime_dir;
    enum status st;

    st = pick_up(trees, config->packages_dir, "." ROOTFS_PACKAGES, true, false, err);
    if (st == ST_OK)
        st = pick_up(trees, "/proc", "./proc", true, false, err);
    if (st == ST_OK)
        st = pick_up_system(trees, config->root_dir, ROOTFS_ENVIRONMENT, err);
    if (st == ST_OK)
        st = pick_up_system(trees, "/", ROOTFS_CONVERT, err);
    if (st == ST_OK)
        st = pick_up_etc(trees, err);
    if (st == ST_OK)
        st = pick_up_devices(trees, err);
    if (st == ST_OK && runtime[0] != '\0')
        st = pick_up(trees, runtime, "." ROOTFS_ENVIRONMENT "/var/runtime", false, false, err);
    return st;
}

/* Debian's /lib and friends are links into /usr: make the same links. */
static enum status link_system(int from, const char *root, struct err *err)
{
    static const char *const names[] = { "lib", "lib32", "lib64", "libx32", "bin", "sbin" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char target[PATH_MAX];
        char path[64];
        ssize_t len = readlinkat(from, names[i], target, sizeof target - 1);

        if (len < 0)
            continue; /* a folder, or not there */
        target[len] = '\0';
        (void)snprintf(path, sizeof path, ".%s/%s", root, names[i]);
        if (symlink(target, path) < 0)
            return err_set_errno(err, ST_IO, errno, "link %s", path);
    }
    return ST_OK;
}

static enum status make_folders(struct err *err)
{
    // clang-format off
    static const char *const folders[] = {
        "./old", "./proc", "./packages", "./env", "./convert",
    };
    static const char *const inside[] = {
        "./env/etc", "./env/etc/ssl", "./env/dev", "./env/dev/shm", "./env/proc", "./env/tmp",
        "./env/var", "./env/var/task", "./env/var/runtime", "./env/var/lang", "./env/opt",
        "./env/mnt", "./env/root", "./env/run", "./convert/dev", "./convert/proc", "./convert/out",
    };
    // clang-format on

    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (mkdir(folders[i], 0755) < 0)
            return err_set_errno(err, ST_IO, errno, "make folder %s", folders[i]);
    if (mount("lapwing", "./env", "tmpfs", MS_NOSUID, "mode=755,size=4m") < 0 ||
        mount("lapwing", "./convert", "tmpfs", MS_NOSUID, "mode=755,size=1m") < 0)
        return err_set_errno(err, ST_DENIED, errno, "mount a tmpfs");
    for (size_t i = 0; i < ARRAY_LEN(inside); i++)
        if (mkdir(inside[i], 0755) < 0)
            return err_set_errno(err, ST_IO, errno, "make folder %s", inside[i]);
    return ST_OK;
}

static enum status put_down(const struct tree *tree, struct err *err)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID };

    if (tree->folder && mkdir(tree->target, 0755) < 0 && errno != EEXIST)
        return err_set_errno(err, ST_IO, errno, "make folder %s", tree->target);
    if (!tree->folder) {
        AUTO_CLOSE int file = open(tree->target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file < 0)
            return err_set_errno(err, ST_IO, errno, "make file %s", tree->target);
    }
    if (!tree->writable)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if (!tree->devices)
        attr.attr_set |= MOUNT_ATTR_NODEV;
    if (mount_setattr(tree->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
        return err_set_errno(err, ST_DENIED, errno, "restrict mount %s", tree->target);
    if (move_mount(tree->fd, "", AT_FDCWD, tree->target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_set_errno(err, ST_DENIED, errno, "mount %s", tree->target);
    return ST_OK;
}

static enum status write_new(const char *path, const char *text, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t len = strlen(text);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        return err_set_errno(err, ST_IO, errno, "write %s", path);
    return ST_OK;
}

/* The /etc of environments.  Names and numbers of user 993 are Lambda's. */
static enum status write_etc(struct err *err)
{
    // clang-format off
    static const struct { const char *path, *text; } files[] = {
        { "./env/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                              "sbx_user1051:x:993:990::/home/sbx_user1051:/usr/sbin/nologin\n"
                              "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
        { "./env/etc/group",  "root:x:0:\nsbx_user1051:x:990:\nnogroup:x:65534:\n" },
        { "./env/etc/hosts",  "127.0.0.1 localhost\n::1 localhost\n" },
        { "./env/etc/hostname", "lapwing\n" },
        { "./env/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
                                     "services: files\nprotocols: files\n" },
        { "./env/etc/resolv.conf", "nameserver 169.254.100.1\noptions timeout:2 attempts:2\n" },
        { "./env/etc/timezone", "Etc/UTC\n" },
    };
    // clang-format on
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(files) && st == ST_OK; i++)
        st = write_new(files[i].path, files[i].text, err);
    if (st != ST_OK)
        return st;
    if (symlink("/usr/share/zoneinfo/Etc/UTC", "./env/etc/localtime") < 0 ||
        symlink("/proc/self/mounts", "./env/etc/mtab") < 0 ||
        symlink("/proc/self/fd", "./env/dev/fd") < 0 ||
        symlink("/proc/self/fd/0", "./env/dev/stdin") < 0 ||
        symlink("/proc/self/fd/1", "./env/dev/stdout") < 0 ||
        symlink("/proc/self/fd/2", "./env/dev/stderr") < 0)
        return err_set_errno(err, ST_IO, errno, "make links in the root of environments");
    return ST_OK;
}

static enum status seal(const char *path, struct err *err)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

    if (mount_setattr(AT_FDCWD, path, 0, &attr, sizeof attr) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make %s read-only", path);
    return ST_OK;
}

static enum status build(const struct spawner_config *config,
                         const struct trees *trees,
                         struct err *err)
{
    /* Opened before /tmp is covered: root_dir may be anywhere. */
    AUTO_CLOSE int from = open(config->root_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum status st;

    if (from < 0)
        return err_set_errno(err, ST_NOT_FOUND, errno, "open spawner.root_dir %.100s",
                             config->root_dir);
    if (mount("lapwing", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m") < 0)
        return err_set_errno(err, ST_DENIED, errno, "mount a tmpfs on /tmp, for ourselves");
    if (chdir("/tmp") < 0)
        return err_set_errno(err, ST_IO, errno, "enter our /tmp");
    st = make_folders(err);
    for (size_t i = 0; i < trees->count && st == ST_OK; i++)
        st = put_down(&trees->list[i], err);
    if (st == ST_OK)
        st = link_system(from, ROOTFS_ENVIRONMENT, err);
    if (st == ST_OK)
        st = link_system(host, ROOTFS_CONVERT, err);
    if (st == ST_OK)
        st = write_etc(err);
    if (st == ST_OK)
        st = seal("./env", err);
    if (st == ST_OK)
        st = seal("./convert", err);
    return st;
}

enum status rootfs_enter(const struct spawner_config *config, struct err *err)
{
    struct trees trees = { 0 };
    mode_t mask = umask(022);
    enum status st;

    if (unshare(CLONE_NEWNS) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make a mount namespace (run as root)");
    /* Nothing of ours may reach the host, and nothing mounted there later reaches us. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make our mounts private");
    st = pick_up_all(&trees, config, err);
    if (st == ST_OK)
        st = build(config, &trees, err);
    for (size_t i = 0; i < trees.count; i++)
        (void)close(trees.list[i].fd);
    (void)umask(mask);
    if (st != ST_OK)
        return st;
    if (syscall(SYS_pivot_root, ".", "./old") < 0 || chdir("/") < 0 ||
        umount2("/old", MNT_DETACH) < 0)
        return err_set_errno(err, ST_DENIED, errno, "change to our own root");
    return ST_OK;
}

/* The namespace that was just unshared becomes one with /env as its root. */
static enum status shrink_to_environment(struct err *err)
{
    if (chdir(ROOTFS_ENVIRONMENT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make a namespace of the environments' root");
    return ST_OK;
}

enum status rootfs_template(int *out, struct err *err)
{
    AUTO_CLOSE int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int made = -1;
    enum status st;

    if (own < 0)
        return err_set_errno(err, ST_IO, errno, "open our mount namespace");
    if (unshare(CLONE_NEWNS) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make a mount namespace");
    made = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (made < 0)
        st = err_set_errno(err, ST_IO, errno, "open the new mount namespace");
    else
        st = shrink_to_environment(err);
    CHECK(setns(own, CLONE_NEWNS) == 0); /* we must not go on with another root */
    if (st != ST_OK)
        return st;
    *out = made;
    made = -1;
    return ST_OK;
}
