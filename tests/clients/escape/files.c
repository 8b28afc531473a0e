/* Attempts on files: of the host, of the kernel, of devices, and on what all environments share. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/clients/escape/attempt.h"

static const char *read_of(const char *path)
{
    char text[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got;

    if (fd < 0)
        return word_of(-1);
    got = read(fd, text, sizeof text);
    return got == 0 ? "empty" : word_of(got);
}

static const char *write_to(const char *path)
{
    return word_of(open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK));
}

static const char *create_in(const char *folder)
{
    char path[64];
    const char *said;

    (void)snprintf(path, sizeof path, "%s/lapwing-escape-%d", folder, (int)getpid());
    said = word_of(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    (void)unlink(path);
    return said;
}

/* The first of `paths` that is not refused by `refused`, else the word for the last. */
static const char *first_open(const char *(*how)(const char *),
                              const char *const *paths,
                              const char *refused)
{
    const char *said = "ENOENT";

    for (; *paths != NULL; paths++) {
        said = how(*paths);
        if (!word_listed(refused, said))
            return *paths;
    }
    return said;
}

/* The first of `paths` that is there at all (or may be written), else `else_word`. */
static const char *first_there(const char *const *paths, int mode, const char *else_word)
{
    for (; *paths != NULL; paths++)
        if (access(*paths, mode) == 0)
            return *paths;
    return else_word;
}

#define REFUSED_READ  "ENOENT EACCES EPERM empty ENODEV ENXIO EINVAL ENOTDIR"
#define REFUSED_WRITE "ENOENT EACCES EPERM EROFS ENODEV ENXIO ETXTBSY ENOTDIR"

static const char *secrets_of_host(void)
{
    static const char *const paths[] = {
        "/etc/shadow",
        "/etc/sudoers",
        "/root/.bashrc",
        "/etc/ssh",
        "/etc/machine-id",
        "/var/lib/dpkg/status",
        "/home",
        "/var/log",
        "/../../etc/shadow",
        "/proc/self/root/../etc/shadow",
        NULL,
    };

    return first_open(read_of, paths, REFUSED_READ);
}

static const char *see_sys(void)
{
    static const char *const paths[] = { "/sys/kernel", "/sys/fs/cgroup", "/sys/class", NULL };

    return first_there(paths, F_OK, "ENOENT");
}

static const char *kernel_secrets(void)
{
    static const char *const paths[] = {
        "/proc/kcore",        "/proc/kmsg",        "/proc/keys",          "/proc/key-users",
        "/proc/kallsyms",     "/proc/timer_list",  "/proc/slabinfo",      "/proc/vmallocinfo",
        "/proc/pagetypeinfo", "/proc/kpagecount",  "/proc/kpageflags",    "/proc/modules",
        "/proc/interrupts",   "/proc/sched_debug", "/proc/latency_stats", NULL,
    };

    return first_open(read_of, paths, REFUSED_READ);
}

static const char *settings_of_kernel(void)
{
    static const char *const paths[] = {
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/pid_max",
        "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/vm/overcommit_memory",
        "/proc/sys/fs/binfmt_misc/register",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/net/ipv4/ping_group_range",
        "/proc/sys/net/core/somaxconn",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/proc/bus/pci",
        "/proc/1/oom_score_adj",
        NULL,
    };

    return first_there(paths, W_OK, "EACCES"); /* opening some for writing is an act already */
}

static const char *choose_pid(void)
{
    int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);

    return word_of(fd < 0 ? -1 : write(fd, "100", 3));
}

static const char *devices(void)
{
    static const char *const paths[] = {
        "/dev/mem",
        "/dev/kmem",
        "/dev/kmsg",
        "/dev/port",
        "/dev/kvm",
        "/dev/fuse",
        "/dev/net/tun",
        "/dev/loop-control",
        "/dev/loop0",
        "/dev/vda",
        "/dev/sda",
        "/dev/nvme0",
        "/dev/ptmx",
        "/dev/tty",
        "/dev/console",
        "/dev/vsock",
        "/dev/userfaultfd",
        "/dev/cpu_dma_latency",
        "/dev/mqueue",
        "/dev/pts",
        "/dev/hwrng",
        "/dev/rtc0",
        NULL,
    };

    return first_there(paths, F_OK, "ENOENT");
}

/* Any name in /dev that is not one of ours. */
static const char *strange_devices(void)
{
    static const char ours[] = ". .. null zero full random urandom shm fd stdin stdout stderr";
    DIR *list = opendir("/dev");

    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        if (!word_listed(ours, entry->d_name))
            return "ok";
    return "none";
}

static const char *make_device(void)
{
    return word_of(mknod("/tmp/lapwing-escape-mem", S_IFCHR | 0600, makedev(1, 1)));
}

static const char *make_disk(void)
{
    return word_of(mknod("/tmp/lapwing-escape-disk", S_IFBLK | 0600, makedev(7, 0)));
}

static const char *change_shared_device(void)
{
    return word_of(chmod("/dev/null", 0666));
}

static const char *stir_entropy(void)
{
    int entropy = 8;
    int fd = open("/dev/random", O_RDWR | O_CLOEXEC);

    return word_of(fd < 0 ? -1 : ioctl(fd, RNDADDTOENTCNT, &entropy));
}

static const char *write_system(void)
{
    static const char *const folders[] = {
        "/",    "/usr", "/usr/bin", "/usr/lib", "/etc", "/var", "/var/task", "/var/runtime",
        "/opt", "/dev", "/proc",    "/bin",     "/lib", NULL,
    };

    return first_open(create_in, folders, REFUSED_WRITE);
}

static const char *change_package(void)
{
    return word_of(chmod("/var/task/bootstrap", 0777));
}

static const char *immutable_package(void)
{
    int flags = FS_IMMUTABLE_FL;
    int fd = open("/var/task", O_RDONLY | O_CLOEXEC);

    return word_of(fd < 0 ? -1 : ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

static const char *write_own_program(void)
{
    return write_to("/proc/self/exe");
}

static const char *setuid_programs(void)
{
    static const char *const folders[] = { "/usr", "/var/task", "/tmp", "/dev/shm", NULL };
    struct statvfs info;

    for (size_t i = 0; folders[i] != NULL; i++)
        if (statvfs(folders[i], &info) == 0 && (info.f_flag & ST_NOSUID) == 0)
            return "ok";
    return "nosuid";
}

static const char *run_from_shared_memory(void)
{
    int fd = open("/dev/shm/lapwing-escape", O_RDWR | O_CREAT | O_CLOEXEC, 0700);
    const char *said;
    void *at;

    if (fd < 0 || ftruncate(fd, 4096) < 0)
        return word_of(-1);
    at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    said = word_of(at == MAP_FAILED ? -1 : 0);
    (void)unlink("/dev/shm/lapwing-escape");
    return said;
}

static const char *link_host_file(void)
{
    const char *said = word_of(link("/etc/passwd", "/tmp/lapwing-escape-link"));

    (void)unlink("/tmp/lapwing-escape-link");
    return said;
}

static const char *links_around(void)
{
    static const char *const targets[] = {
        "/proc/1/root/etc/shadow",
        "/proc/1/cwd/../../etc/shadow",
        "../../../../../etc/shadow",
        "/proc/self/root/../../etc/shadow",
        NULL,
    };
    const char *said = "ENOENT";

    for (size_t i = 0; targets[i] != NULL; i++) {
        (void)unlink("/tmp/lapwing-escape-link");
        if (symlink(targets[i], "/tmp/lapwing-escape-link") == 0)
            said = read_of("/tmp/lapwing-escape-link");
        if (!word_listed(REFUSED_READ, said))
            break;
    }
    (void)unlink("/tmp/lapwing-escape-link");
    return said;
}

static const char *climb_out(void)
{
    for (int i = 0; i < 64; i++)
        if (chdir("..") < 0)
            return word_of(-1);
    return access("root/.bashrc", F_OK) == 0 || access("var/lib", F_OK) == 0 ? "ok" : word_of(-1);
}

/* A socket file anywhere that a service of the host would put one. */
static const char *sockets_of_host(void)
{
    static const char *const paths[] = {
        "/run/docker.sock",
        "/run/dbus/system_bus_socket",
        "/run/systemd/notify",
        "/run/systemd/private",
        "/var/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/dev/log",
        "/tmp/.X11-unix",
        "/run/lapwing",
        "/run/user",
        "/run/lock",
        NULL,
    };

    return first_there(paths, F_OK, "ENOENT");
}

static const char *lock_shared_file(void)
{
    int fd = open("/usr/bin/env", O_RDONLY | O_CLOEXEC);

    return word_of(fd < 0 ? -1 : flock(fd, LOCK_EX | LOCK_NB));
}

static const char *lease_on_shared_file(void)
{
    int fd = open("/usr/bin/env", O_RDONLY | O_CLOEXEC);

    return word_of(fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_RDLCK));
}

static const char *watch_shared_file(void)
{
    int fd = inotify_init1(IN_CLOEXEC);

    return word_of(fd < 0 ? -1 : inotify_add_watch(fd, "/usr/bin/env", IN_OPEN));
}

static const char *paths_of_host(void)
{
    return read_of("/proc/self/mountinfo");
}

#define ROW(name, what, refused, function)                                                         \
    {                                                                                              \
        name, what, refused, NULL, CALL_NONE, { 0 }, function, false                               \
    }
#define INSIDE(name, what, refused, function)                                                      \
    {                                                                                              \
        name, what, refused, NULL, CALL_NONE, { 0 }, function, true                                \
    }
#define ALLOWED(name, what, why, function)                                                         \
    {                                                                                              \
        name, what, "EPERM EACCES", why, CALL_NONE, { 0 }, function, true                          \
    }

// clang-format off
static const struct attempt list[] = {
    ROW("secrets_of_host", "read /etc/shadow, homes, logs, /run", REFUSED_READ, secrets_of_host),
    ROW("see_sys", "look at /sys", "ENOENT", see_sys),
    ROW("kernel_secrets", "read what /proc has of the kernel's own", REFUSED_READ, kernel_secrets),
    ROW("settings_of_kernel", "write core_pattern and other settings", "EACCES", settings_of_kernel),
    INSIDE("choose_pid", "choose the next process id", "EPERM EACCES ENOENT", choose_pid),
    ROW("devices", "open a device", "ENOENT", devices),
    ROW("strange_devices", "any device that is not null, zero, full, random, urandom", "none", strange_devices),
    INSIDE("make_device", "make a node for the memory", "EPERM", make_device),
    INSIDE("make_disk", "make a node for a disk", "EPERM", make_disk),
    ROW("change_shared_device", "change /dev/null, which is the host's", "EPERM EROFS", change_shared_device),
    INSIDE("stir_entropy", "tell the kernel that it has more entropy", "EPERM", stir_entropy),
    ROW("write_system", "make a file in /, /usr, /etc, /var, /opt, /dev, /proc", REFUSED_WRITE, write_system),
    INSIDE("change_package", "change the mode of the package", "EROFS EPERM", change_package),
    INSIDE("immutable_package", "make the package immutable", "EROFS EPERM ENOTTY EOPNOTSUPP EACCES", immutable_package),
    INSIDE("write_own_program", "write to the program that runs", "EROFS ETXTBSY EACCES", write_own_program),
    ROW("setuid_programs", "use a setuid program of /usr or one of our own", "nosuid", setuid_programs),
    ROW("run_from_shared_memory", "run code from /dev/shm", "EPERM EACCES", run_from_shared_memory),
    INSIDE("link_host_file", "make a hard link to a file of the host", "EXDEV EPERM EROFS", link_host_file),
    INSIDE("links_around", "go around the root by links", REFUSED_READ, links_around),
    ROW("climb_out", "climb out of the root by ..", "ENOENT", climb_out),
    ROW("sockets_of_host", "find a socket of a service", "ENOENT", sockets_of_host),
    ROW("lease_on_shared_file", "hold up who opens a file of /usr", "EACCES EPERM EAGAIN", lease_on_shared_file),
    ALLOWED("lock_shared_file", "lock a file of /usr against others",
            "flock() on files that all may read is of one inode for all; nothing of ours locks any of them", lock_shared_file),
    ALLOWED("watch_shared_file", "see that others open a file of /usr",
            "files of /usr are the host's own, shared; a watch says that somebody opened one, not who and not more", watch_shared_file),
    ALLOWED("paths_of_host", "see where on the host packages are",
            "mountinfo names the folders that were bound; a name opens nothing", paths_of_host),
};
// clang-format on

const struct attempts attempts_on_files = { list, sizeof list / sizeof list[0] };
