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

/* Of one root; the converter's, the packages and /proc fit in its place, too. */
enum { TREES_OF_ROOT = 32, TREES_MAX = TREES_OF_ROOT * (RUNTIME_ROOTS_MAX + 2) };

/* Root 0 is that of all runtimes without one of their own. */
static void name_root(size_t index, char out[ROOTFS_PATH_BYTES])
{
    if (index == 0)
        (void)snprintf(out, ROOTFS_PATH_BYTES, ROOTFS_ENVIRONMENT);
    else
        (void)snprintf(out, ROOTFS_PATH_BYTES, ROOTFS_ENVIRONMENT "%u", (unsigned)index % 10);
}

static const char *folder_of_root(const struct spawner_config *config, size_t index)
{
    return index == 0 ? config->root_dir : config->runtime_roots[index - 1].dir;
}

size_t rootfs_of(const struct spawner_config *config, const char *runtime)
{
    for (size_t i = 0; i < config->runtime_root_count; i++)
        if (strcmp(config->runtime_roots[i].name, runtime) == 0)
            return i + 1;
    return 0;
}

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

/* What belongs to a system's programs comes from where they do: the loader's cache of another
 * system names libraries that are not there. */
static enum status pick_up_etc(struct trees *trees,
                               const char *from,
                               const char *root,
                               struct err *err)
{
    static const struct {
        const char *name;
        bool system;
    } wanted[] = {
        { "alternatives", true }, { "ld.so.cache", true },      { "ld.so.conf", true },
        { "ld.so.conf.d", true }, { "mime.types", false },      { "protocols", false },
        { "services", false },    { "ssl/openssl.cnf", false }, { "ssl/certs", false },
    };
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(wanted) && st == ST_OK; i++) {
        char source[PATH_MAX + 32];
        char target[64];

        (void)snprintf(source, sizeof source, "%s/etc/%s", wanted[i].system ? from : "",
                       wanted[i].name);
        (void)snprintf(target, sizeof target, ".%s/etc/%s", root, wanted[i].name);
        if (access(source, F_OK) == 0)
            st = pick_up(trees, source, target, false, false, err);
    }
    return st;
}

static enum status pick_up_devices(struct trees *trees, const char *root, struct err *err)
{
    static const char *const devices[] = { "null", "zero", "full", "random", "urandom" };
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(devices) && st == ST_OK; i++) {
        char source[32];
        char target[64];

        (void)snprintf(source, sizeof source, "/dev/%s", devices[i]);
        (void)snprintf(target, sizeof target, ".%s%s", root, source);
        st = pick_up(trees, source, target, true, true, err);
    }
    return st;
}

static enum status pick_up_root(struct trees *trees,
                                const struct spawner_config *config,
                                size_t index,
                                struct err *err)
{
    const char *from = folder_of_root(config, index);
    char root[ROOTFS_PATH_BYTES], target[64];
    enum status st;

    name_root(index, root);
    (void)snprintf(target, sizeof target, ".%s/var/runtime", root);
    st = pick_up_system(trees, from, root, err);
    if (st == ST_OK)
        st = pick_up_etc(trees, from, root, err);
    if (st == ST_OK)
        st = pick_up_devices(trees, root, err);
    if (st == ST_OK && config->runtime_dir[0] != '\0')
        st = pick_up(trees, config->runtime_dir, target, false, false, err);
    return st;
}

static enum status pick_up_all(struct trees *trees,
                               const struct spawner_config *config,
                               struct err *err)
{
    enum status st;

    st = pick_up(trees, config->packages_dir, "." ROOTFS_PACKAGES, true, false, err);
    if (st == ST_OK)
        st = pick_up(trees, "/proc", "./proc", true, false, err);
    if (st == ST_OK)
        st = pick_up_system(trees, "/", ROOTFS_CONVERT, err);
    if (st == ST_OK)
        st = pick_up(trees, "/dev/null", "." ROOTFS_CONVERT "/dev/null", true, true, err);
    for (size_t i = 0; i <= config->runtime_root_count && st == ST_OK; i++)
        st = pick_up_root(trees, config, i, err);
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

/* A tmpfs at ./NAME with folders in it. */
static enum status make_root(
    const char *root, const char *options, const char *const *inside, size_t count, struct err *err)
{
    char path[64];

    (void)snprintf(path, sizeof path, ".%s", root);
    if (mkdir(path, 0755) < 0)
        return err_set_errno(err, ST_IO, errno, "make folder %s", path);
    if (mount("lapwing", path, "tmpfs", MS_NOSUID, options) < 0)
        return err_set_errno(err, ST_DENIED, errno, "mount a tmpfs");
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, ".%s/%s", root, inside[i]);
        if (mkdir(path, 0755) < 0)
            return err_set_errno(err, ST_IO, errno, "make folder %s", path);
    }
    return ST_OK;
}

static enum status make_folders(const struct spawner_config *config, struct err *err)
{
    // clang-format off
    static const char *const folders[] = { "./old", "./proc", "./packages", "./images" };
    static const char *const of_convert[] = { "dev", "proc", "out" };
    static const char *const of_environment[] = {
        "etc", "etc/ssl", "dev", "dev/shm", "proc", "tmp", "var", "var/task", "var/runtime",
        "var/lang", "opt", "mnt", "root", "run",
    };
    // clang-format on
    enum status st;

    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (mkdir(folders[i], 0755) < 0)
            return err_set_errno(err, ST_IO, errno, "make folder %s", folders[i]);
    st = make_root(ROOTFS_CONVERT, "mode=755,size=1m", of_convert, ARRAY_LEN(of_convert), err);
    for (size_t i = 0; i <= config->runtime_root_count && st == ST_OK; i++) {
        char root[ROOTFS_PATH_BYTES];

        name_root(i, root);
        st = make_root(root, "mode=755,size=4m", of_environment, ARRAY_LEN(of_environment), err);
    }
    return st;
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

static enum status write_new(const char *root, const char *name, const char *text, struct err *err)
{
    char path[64];
    AUTO_CLOSE int fd = -1;
    size_t len = strlen(text);

    (void)snprintf(path, sizeof path, ".%s/etc/%s", root, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        return err_set_errno(err, ST_IO, errno, "write %s", path);
    return ST_OK;
}

/* The /etc of environments.  Names and numbers of user 993 are Lambda's. */
static enum status write_etc(const char *root, struct err *err)
{
    // clang-format off
    static const struct { const char *name, *text; } files[] = {
        { "passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
                    "sbx_user1051:x:993:990::/home/sbx_user1051:/usr/sbin/nologin\n"
                    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
        { "group",  "root:x:0:\nsbx_user1051:x:990:\nnogroup:x:65534:\n" },
        { "hosts",  "127.0.0.1 localhost\n::1 localhost\n" },
        { "hostname", "lapwing\n" },
        { "nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"
                           "services: files\nprotocols: files\n" },
        { "resolv.conf", "nameserver 169.254.100.1\noptions timeout:2 attempts:2\n" },
        { "timezone", "Etc/UTC\n" },
    };
    static const struct { const char *target, *name; } links[] = {
        { "/usr/share/zoneinfo/Etc/UTC", "etc/localtime" },
        { "/proc/self/mounts", "etc/mtab" },
        { "/proc/self/fd", "dev/fd" },
        { "/proc/self/fd/0", "dev/stdin" },
        { "/proc/self/fd/1", "dev/stdout" },
        { "/proc/self/fd/2", "dev/stderr" },
    };
    // clang-format on
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(files) && st == ST_OK; i++)
        st = write_new(root, files[i].name, files[i].text, err);
    for (size_t i = 0; i < ARRAY_LEN(links) && st == ST_OK; i++) {
        char path[64];

        (void)snprintf(path, sizeof path, ".%s/%s", root, links[i].name);
        if (symlink(links[i].target, path) < 0)
            st = err_set_errno(err, ST_IO, errno, "link %s", path);
    }
    return st;
}

static enum status seal(const char *path, struct err *err)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

    if (mount_setattr(AT_FDCWD, path, 0, &attr, sizeof attr) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make %s read-only", path);
    return ST_OK;
}

/* The roots' folders are opened before /tmp is covered: they may be anywhere.  Closed by the
 * caller.
 */
static enum status open_roots(const struct spawner_config *config,
                              int fds[RUNTIME_ROOTS_MAX + 1],
                              struct err *err)
{
    for (size_t i = 0; i <= config->runtime_root_count; i++) {
        fds[i] = open(folder_of_root(config, i), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fds[i] < 0)
            return err_set_errno(err, ST_NOT_FOUND, errno, "open the root folder %.100s",
                                 folder_of_root(config, i));
    }
    return ST_OK;
}

static enum status finish_root(int from, size_t index, struct err *err)
{
    char root[ROOTFS_PATH_BYTES], path[16];
    enum status st;

    name_root(index, root);
    (void)snprintf(path, sizeof path, ".%s", root);
    st = link_system(from, root, err);
    if (st == ST_OK)
        st = write_etc(root, err);
    return st == ST_OK ? seal(path, err) : st;
}

static enum status build(const struct spawner_config *config,
                         const struct trees *trees,
                         const int roots[RUNTIME_ROOTS_MAX + 1],
                         struct err *err)
{
    AUTO_CLOSE int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum status st;

    if (mount("lapwing", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=700,size=1m") < 0)
        return err_set_errno(err, ST_DENIED, errno, "mount a tmpfs on /tmp, for ourselves");
    if (chdir("/tmp") < 0)
        return err_set_errno(err, ST_IO, errno, "enter our /tmp");
    st = make_folders(config, err);
    for (size_t i = 0; i < trees->count && st == ST_OK; i++)
        st = put_down(&trees->list[i], err);
    for (size_t i = 0; i <= config->runtime_root_count && st == ST_OK; i++)
        st = finish_root(roots[i], i, err);
    if (st == ST_OK)
        st = link_system(host, ROOTFS_CONVERT, err);
    return st == ST_OK ? seal("." ROOTFS_CONVERT, err) : st;
}

enum status rootfs_enter(const struct spawner_config *config, struct err *err)
{
    static struct trees trees; /* large, and used once */
    int roots[RUNTIME_ROOTS_MAX + 1];
    mode_t mask = umask(022);
    enum status st;

    if (unshare(CLONE_NEWNS) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make a mount namespace (run as root)");
    /* Nothing of ours may reach the host, and nothing mounted there later reaches us. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make our mounts private");
    for (size_t i = 0; i < ARRAY_LEN(roots); i++)
        roots[i] = -1;
    st = open_roots(config, roots, err);
    if (st == ST_OK)
        st = pick_up_all(&trees, config, err);
    if (st == ST_OK)
        st = build(config, &trees, roots, err);
    for (size_t i = 0; i < ARRAY_LEN(roots); i++)
        if (roots[i] >= 0)
            (void)close(roots[i]);
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

/* The namespace that was just unshared becomes one with only this root. */
static enum status shrink_to_root(size_t index, struct err *err)
{
    char root[ROOTFS_PATH_BYTES];

    name_root(index, root);
    if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make a namespace of the environments' root");
    return ST_OK;
}

enum status rootfs_template(size_t index, int *out, struct err *err)
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
        st = shrink_to_root(index, err);
    CHECK(setns(own, CLONE_NEWNS) == 0); /* we must not go on with another root */
    if (st != ST_OK)
        return st;
    *out = made;
    made = -1;
    return ST_OK;
}
