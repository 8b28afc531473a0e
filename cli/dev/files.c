/* The data folder: layout, cluster key, env.sh, lock.
 *
 *   DATA/cluster.key   64 hex digits, the secret that other secrets are derived from
 *   DATA/ca.crt, ca/   the CA and its key (certs.c)
 *   DATA/env.sh        to source before using clients
 *   DATA/aws-config    what env.sh points AWS_CONFIG_FILE at
 *   DATA/ca-bundle.crt with --https: the machine's own CAs and ours (bundle.c)
 *   DATA/lock          locked by the supervisor
 *   DATA/zone-a/...    control-plane, objstore and worker folders, their .ini, .log, .crt and .key
 * files */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "cli/dev/dev.h"
#include "cli/dev/plan.h"

enum { WALK_FDS = 16, KEY_BYTES = 32 };

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static _Thread_local uint64_t walk_bytes;

static int add_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    if (type == FTW_F)
        walk_bytes += (uint64_t)st->st_blocks * 512;
    return 0;
}

uint64_t dev_files_size(const char *path)
{
    walk_bytes = 0;
    (void)nftw(path, add_entry, WALK_FDS, FTW_PHYS | FTW_MOUNT);
    return walk_bytes;
}

static void take_rights(uid_t uid, gid_t gid)
{
    (void)setfsgid(gid);
    (void)setfsuid(uid);
}

int dev_file_open(const char *path, int flags, mode_t mode, const struct dev_user *user)
{
    int fd;
    int e;

    take_rights(user->uid, user->gid);
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    e = errno;
    take_rights(0, 0);
    errno = e;
    return fd;
}

void dev_file_rotate(const char *path, const struct dev_user *user)
{
    char old[PATH_MAX];

    (void)snprintf(old, sizeof old, "%.4000s.1", path);
    take_rights(user->uid, user->gid);
    (void)rename(path, old);
    take_rights(0, 0);
}

/* As mkdir -p, the new ones owned by the user. */
static enum status make_folders(const char *path, const struct dev_user *user, struct err *err)
{
    char part[PATH_MAX];

    (void)snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(part, 0755) == 0) {
            if (chown(part, user->uid, user->gid) != 0)
                return err_set_errno(err, ST_IO, errno, "chown %s", part);
        } else if (errno != EEXIST) {
            return err_set_errno(err, ST_IO, errno, "mkdir %s", part);
        }
        if (slash == NULL)
            return ST_OK;
        *slash = '/';
    }
}

enum status dev_file_write(
    const char *path, const char *text, mode_t mode, const struct dev_user *user, struct err *err)
{
    int fd = dev_file_open(path, O_WRONLY | O_CREAT | O_TRUNC, mode, user);
    size_t len = strlen(text);
    enum status st = ST_OK;

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "create %s", path);
    if (fchmod(fd, mode) != 0 || write(fd, text, len) != (ssize_t)len)
        st = err_set_errno(err, ST_IO, errno, "write %s", path);
    (void)close(fd);
    return st;
}

static enum status write_key(const char *data, const struct dev_user *user, struct err *err)
{
    uint8_t key[KEY_BYTES];
    char text[2 * KEY_BYTES + 2];
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%.4000s/cluster.key", data);
    if (access(path, F_OK) == 0)
        return ST_OK;
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return err_set_errno(err, ST_IO, errno, "getrandom");
    hex_encode(bytes_of(key, sizeof key), text);
    (void)strcat(text, "\n");
    return dev_file_write(path, text, 0600, user, err);
}

/* What each kind of client calls the file of CAs.  Where it takes the place of the machine's own
 * ones, it is given those as well. */
static void put_trust(const struct dev_options *options, struct buf *out)
{
    buf_printf(out,
               "export AWS_CA_BUNDLE='%s/ca.crt' NODE_EXTRA_CA_CERTS='%s/ca.crt'\n"
               "export CURL_CA_BUNDLE='%s/ca-bundle.crt'\n"
               "export SSL_CERT_FILE=\"$CURL_CA_BUNDLE\" REQUESTS_CA_BUNDLE=\"$CURL_CA_BUNDLE\"\n",
               options->data, options->data, options->data);
}

static enum status write_environment(const struct dev_options *options,
                                     const struct dev_user *user,
                                     const char *program_dir,
                                     struct err *err)
{
    struct buf text = { 0 };
    char path[PATH_MAX];
    enum status st;

    buf_printf(&text,
               "# Source this before using aws, boto3, Terraform... with this cluster.\n"
               "export AWS_ENDPOINT_URL=%s://127.0.0.1:%u\n"
               "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n"
               "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE AWS_REGION\n"
               "export AWS_DEFAULT_REGION=us-east-1 AWS_PAGER=\n"
               "export AWS_CONFIG_FILE='%s/aws-config'\n"
               "export PATH='%s':\"$PATH\"\n"
               "# Clients older than 2023 ignore AWS_ENDPOINT_URL and would go to the real AWS.\n"
               "aws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }\n",
               plan_scheme(options), options->port, options->data, program_dir);
    if (options->https)
        put_trust(options, &text);
    (void)snprintf(path, sizeof path, "%.4000s/env.sh", options->data);
    st = dev_file_write(path, buf_text(&text), 0644, user, err);
    buf_done(&text);
    if (st != ST_OK)
        return st;
    (void)snprintf(path, sizeof path, "%.4000s/aws-config", options->data);
    return dev_file_write(path, "[default]\ncli_binary_format = raw-in-base64-out\n", 0644, user,
                          err);
}

/* The programs run as another user than this one: can that user reach the folder at all? */
static enum status check_reach(const char *path, const struct dev_user *user, struct err *err)
{
    char part[PATH_MAX];
    struct stat st;

    (void)snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        mode_t need;

        *slash = '\0';
        if (stat(part, &st) != 0)
            return err_set_errno(err, ST_IO, errno, "%s", part);
        need = st.st_uid == user->uid ? S_IXUSR : st.st_gid == user->gid ? S_IXGRP : S_IXOTH;
        if ((st.st_mode & need) == 0)
            return err_set(err, ST_DENIED,
                           "The programs run as user id %u, which may not enter %s; choose another "
                           "folder with --data, or chmod it.",
                           (unsigned)user->uid, part);
        *slash = '/';
    }
    return ST_OK;
}

static enum status make_zone(const struct dev_options *options,
                             unsigned zone,
                             const struct dev_user *user,
                             struct err *err)
{
    static const char *const parts[] = { "controlplane", "objstore", "worker", "spawner/packages" };
    char path[PATH_MAX];

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        enum status st;

        (void)snprintf(path, sizeof path, "%.3900s/zone-%s/%s", options->data, plan_zone_name(zone),
                       parts[i]);
        st = make_folders(path, user, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static void lock_path(const struct dev_options *options, char *out, size_t size)
{
    (void)snprintf(out, size, "%.4000s/lock", options->data);
}

/* Only what we made goes: the zones' folders, the key and our files, those of earlier versions
 * (https-*) among them; not the lock, which whoever starts over holds. */
static void remove_contents(const struct dev_options *options)
{
    static const char *const files[] = { "cluster.key",    "env.sh",        "aws-config",
                                         "dev.log",        "https-ca.pem",  "https-bundle.pem",
                                         "https-cert.pem", "https-key.pem", "ca.crt",
                                         "ca-bundle.crt" };
    char path[PATH_MAX];

    for (unsigned zone = 0; zone < DEV_ZONES_MAX; zone++) {
        (void)snprintf(path, sizeof path, "%.4000s/zone-%s", options->data, plan_zone_name(zone));
        (void)nftw(path, remove_entry, WALK_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        (void)snprintf(path, sizeof path, "%.4000s/%s", options->data, files[i]);
        (void)unlink(path);
    }
    dev_certs_remove(options);
}

void dev_files_remove(const struct dev_options *options)
{
    char path[PATH_MAX];

    remove_contents(options);
    lock_path(options, path, sizeof path);
    (void)unlink(path);
    (void)rmdir(options->data); /* stays if it holds anything else */
}

/* A replicated state of three members cannot go on as one, or the other way round. */
static enum status check_zone_count(const struct dev_options *options, struct err *err)
{
    unsigned found = 0;
    char path[PATH_MAX];

    for (unsigned zone = 0; zone < DEV_ZONES_MAX; zone++) {
        (void)snprintf(path, sizeof path, "%.4000s/zone-%s", options->data, plan_zone_name(zone));
        if (access(path, F_OK) == 0)
            found++;
    }
    if (found != 0 && found != options->zones)
        return err_set(
            err, ST_CONFLICT,
            "%s holds a cluster of %u zone(s), not %u: use --zones %u, another --data, or "
            "--fresh to start over.",
            options->data, found, options->zones, found);
    return ST_OK;
}

enum status dev_files_prepare(const struct dev_options *options,
                              const struct dev_user *user,
                              const char *program_dir,
                              struct err *err)
{
    enum status st;

    if (options->fresh)
        remove_contents(options);
    st = check_zone_count(options, err);
    for (unsigned zone = 0; st == ST_OK && zone < options->zones; zone++)
        st = make_zone(options, zone, user, err);
    if (st == ST_OK)
        st = check_reach(options->data, user, err);
    if (st == ST_OK)
        st = write_key(options->data, user, err);
    if (st == ST_OK)
        st = dev_certs_prepare(options, user, err);
    if (st == ST_OK)
        st = write_environment(options, user, program_dir, err);
    return st;
}

enum status dev_lock_take(const struct dev_options *options,
                          const struct dev_user *user,
                          struct err *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[PATH_MAX];
    enum status st = make_folders(options->data, user, err);
    int fd;

    if (st != ST_OK)
        return st;
    lock_path(options, path, sizeof path);
    fd = dev_file_open(path, O_RDWR | O_CREAT, 0644, user);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    if (fcntl(fd, F_SETLK, &lock) == 0)
        return ST_OK; /* the descriptor lives as long as the process: closing it would unlock */
    (void)close(fd);
    return dev_lock_check(options, err);
}

enum status dev_lock_check(const struct dev_options *options, struct err *err)
{
    if (dev_lock_holder(options) == 0)
        return ST_OK;
    return err_set(err, ST_EXISTS,
                   "A cluster runs on %s already (process %d); stop it with lapwing dev --stop, or "
                   "choose another folder with --data and another --port.",
                   options->data, (int)dev_lock_holder(options));
}

pid_t dev_lock_holder(const struct dev_options *options)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char path[PATH_MAX];
    pid_t holder = 0;
    int fd;

    lock_path(options, path, sizeof path);
    fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        holder = lock.l_pid;
    (void)close(fd);
    return holder;
}
