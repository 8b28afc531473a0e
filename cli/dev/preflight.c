/* What a machine must have before a cluster starts on it, each said in one sentence with what to
 * do. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "cli/dev/dev.h"

enum { FREE_MIB_MIN = 1024 };

static enum status check_kernel(struct err *err)
{
    static const char *const namespaces[] = { "pid", "mnt", "net", "ipc", "uts", "user" };
    char path[64];

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        (void)snprintf(path, sizeof path, "/proc/self/ns/%s", namespaces[i]);
        if (access(path, F_OK) != 0)
            return err_set(err, ST_UNSUPPORTED,
                           "This kernel has no %s namespaces; run Debian 12's or 13's own kernel.",
                           namespaces[i]);
    }
    if (access("/sys/fs/cgroup/cgroup.controllers", R_OK) != 0 &&
        access("/sys/fs/cgroup/memory/memory.limit_in_bytes", R_OK) != 0)
        return err_set(err, ST_UNSUPPORTED,
                       "No cgroup file system with a memory controller at /sys/fs/cgroup; mount it "
                       "(systemd does) or boot without cgroup_disable=memory.");
    return ST_OK;
}

static enum status check_port(const char *address, struct err *err)
{
    struct sockaddr_storage where;
    enum status st = address_parse(address, &where, err);
    int one = 1;
    int fd;
    int rv;

    if (st != ST_OK)
        return st;
    fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "socket for %s", address);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
                     sizeof one); /* past connections do not count */
    rv = bind(fd, (struct sockaddr *)&where, sizeof where) == 0 ? listen(fd, 1) : -1;
    if (rv != 0)
        st = err_set(err, errno == EADDRINUSE ? ST_EXISTS : ST_UNSUPPORTED,
                     "Port %s cannot be used (%s); stop what uses it, or take others with --port.",
                     address, strerror(errno));
    (void)close(fd);
    return st;
}

static enum status check_ports(const struct dev_options *options, bool *out_ipv6, struct err *err)
{
    char address[64];
    enum status st;

    (void)snprintf(address, sizeof address, "[::1]:%u", options->port);
    st = check_port(address, err);
    if (st == ST_EXISTS)
        return st;
    *out_ipv6 = st == ST_OK; /* a machine without IPv6 is served on IPv4 alone */
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", options->port);
    st = check_port(address, err);
    for (unsigned i = 0; st == ST_OK && i < options->zones * DEV_PORTS_PER_ZONE; i++) {
        (void)snprintf(address, sizeof address, "127.0.0.1:%u",
                       options->port + DEV_PORTS_PER_ZONE + i);
        if (i % DEV_PORTS_PER_ZONE < 7)
            st = check_port(address, err);
    }
    return st;
}

static enum status check_space(const char *path, struct err *err)
{
    char folder[PATH_MAX];
    struct statvfs fs;
    unsigned long long mib;

    (void)snprintf(folder, sizeof folder, "%s", path);
    while (statvfs(folder, &fs) != 0) { /* the nearest parent that exists */
        char *slash = strrchr(folder, '/');

        if (slash == NULL || slash == folder)
            return err_set_errno(err, ST_IO, errno, "%s", path);
        *slash = '\0';
    }
    mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    if (mib < FREE_MIB_MIN)
        return err_set(
            err, ST_LIMIT,
            "Only %llu MiB are free at %s; make room for 1 GiB, or choose another folder "
            "with --data.",
            mib, path);
    return ST_OK;
}

enum status dev_preflight(const struct dev_options *options, bool *out_ipv6, struct err *err)
{
    enum status st;

    if (geteuid() != 0)
        return err_set(
            err, ST_DENIED,
            "lapwing dev makes sandboxes and so needs root: run it with sudo (the programs "
            "themselves run as you).");
    st = check_kernel(err);
    if (st == ST_OK)
        st = check_space(options->data, err);
    if (st == ST_OK)
        st = check_ports(options, out_ipv6, err);
    return st;
}
