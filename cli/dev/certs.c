/* The CA and certificates of a data folder.
 *
 *   DATA/ca/ca.key           root's alone: no program can sign
 *   DATA/ca.crt              what all of them accept
 *   DATA/zone-a/ROLE.crt     a program's certificate, and its key for its user alone
 *   DATA/zone-a/ROLE.key
 *
 * All are made when they are missing, also in a folder from before; a certificate is signed again
 * when its time, its CA or its names call for it, with the key that is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/certificate_make.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/tls_files.h"
#include "cli/dev/dev.h"
#include "cli/dev/plan.h"

enum { CA_DAYS = 3650, HOST_DAYS = 365 };

/* What is read and made on the way. */
struct dev_certs {
    const struct dev_options *options;
    const struct dev_user *user;
    int64_t now_s;
    struct buf ca;
    struct buf ca_key;
};

static void forget(struct buf *secret)
{
    if (secret->data != NULL)
        OPENSSL_cleanse(secret->data, secret->capacity);
    buf_done(secret);
}

/* ---- the CA's key: root's, in a folder that stands where others may write ---- */

/* Root must not be led elsewhere: no link is followed, and the folder must be root's own. */
static enum status open_ca_folder(const char *data, int *out_fd, struct err *err)
{
    char path[PATH_MAX];
    struct stat info;
    enum status st;
    int fd;

    (void)snprintf(path, sizeof path, "%.4000s/ca", data);
    st = folder_make(path, 0700, 1, err);
    if (st != ST_OK)
        return st;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    if (fstat(fd, &info) != 0 || info.st_uid != 0 || (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)close(fd);
        return err_set(err, ST_DENIED, "%s is not root's alone: remove it, or start with --fresh",
                       path);
    }
    *out_fd = fd;
    return ST_OK;
}

void dev_certs_remove(const struct dev_options *options)
{
    char path[PATH_MAX];
    int folder;

    (void)snprintf(path, sizeof path, "%.4000s/ca", options->data);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    (void)unlinkat(folder, "ca.key", 0);
    (void)unlinkat(folder, "ca.key.new", 0);
    (void)close(folder);
    (void)rmdir(path);
}

/* ST_NOT_FOUND: there is none.  Closes `fd`. */
static enum status read_all(int fd, const char *what, struct buf *out, struct err *err)
{
    enum status st;

    if (fd < 0)
        return errno == ENOENT ? ST_NOT_FOUND : err_set_errno(err, ST_IO, errno, "open %s", what);
    out->len = 0;
    st = tls_file_read_open(fd, what, false, out, err);
    (void)close(fd);
    return st;
}

static enum status write_ca_key(int folder, const struct buf *key, struct err *err)
{
    int fd =
        openat(folder, "ca.key.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, key->data, key->len) == (ssize_t)key->len && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    if (!ok || renameat(folder, "ca.key.new", folder, "ca.key") != 0)
        return err_set_errno(err, ST_IO, errno, "write the CA's key");
    return folder_sync(folder, ".", err);
}

/* ---- files of the user ---- */

static void user_path(const struct dev_certs *certs, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%.3900s/%s", certs->options->data, name);
}

static enum status read_user_file(const struct dev_certs *certs,
                                  const char *name,
                                  struct buf *out,
                                  struct err *err)
{
    char path[PATH_MAX];

    user_path(certs, name, path, sizeof path);
    return read_all(dev_file_open(path, O_RDONLY, 0, certs->user), path, out, err);
}

static enum status write_user_file(
    const struct dev_certs *certs, const char *name, struct buf *text, mode_t mode, struct err *err)
{
    char path[PATH_MAX];

    user_path(certs, name, path, sizeof path);
    return dev_file_write(path, buf_text(text), mode, certs->user, err);
}

/* ---- the CA ---- */

static enum status new_ca(struct dev_certs *certs, int folder, struct err *err)
{
    struct certificate_span span = certificate_days(certs->now_s, CA_DAYS);
    enum status st;

    certs->ca.len = 0;
    certs->ca_key.len = 0;
    st = certificate_ca_new(DEV_CLUSTER, &span, &certs->ca, &certs->ca_key, err);
    if (st == ST_OK)
        st = write_ca_key(folder, &certs->ca_key, err);
    return st == ST_OK ? write_user_file(certs, "ca.crt", &certs->ca, 0644, err) : st;
}

/* Its files belong together, and it has time for what it will sign. */
static bool ca_is_good(const struct dev_certs *certs)
{
    int64_t from_s;
    int64_t until_s;

    return certificate_has_key(buf_view(&certs->ca), buf_view(&certs->ca_key)) &&
           certificate_dates_of(buf_view(&certs->ca), &from_s, &until_s, NULL) == ST_OK &&
           !certificate_is_due(from_s, until_s, certs->now_s, HOST_DAYS);
}

/* A new one is made when there is none of use; then every program gets a new certificate, and as
 * all of them start now, none meets one of the old. */
static enum status open_ca(struct dev_certs *certs, int folder, struct err *err)
{
    int fd = openat(folder, "ca.key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    enum status st = read_all(fd, "the CA's key", &certs->ca_key, err);

    if (st == ST_OK)
        st = read_user_file(certs, "ca.crt", &certs->ca, err);
    if (st != ST_OK && st != ST_NOT_FOUND)
        return st;
    if (st == ST_OK && ca_is_good(certs))
        return ST_OK;
    return new_ca(certs, folder, err);
}

/* ---- a program ---- */

/* What clients on this machine call a port of HTTPS.  OpenSSL takes a star only before two more
 * names, so that its clients know buckets below s3.localhost alone. */
static const char *const hosts[] = { "localhost",      "*.localhost", "s3.localhost",
                                     "*.s3.localhost", "127.0.0.1",   "::1" };

static bool is_good(const struct dev_certs *certs,
                    const struct certificate_subject *subject,
                    const struct buf *certificate,
                    const struct buf *key)
{
    int64_t from_s;
    int64_t until_s;

    return certificate_is_for(buf_view(certificate), subject) &&
           certificate_has_key(buf_view(certificate), buf_view(key)) &&
           certificate_is_of(buf_view(&certs->ca), buf_view(certificate)) &&
           certificate_dates_of(buf_view(certificate), &from_s, &until_s, NULL) == ST_OK &&
           !certificate_is_due(from_s, until_s, certs->now_s, 0);
}

static enum status issue(const struct dev_certs *certs,
                         const struct certificate_subject *subject,
                         struct buf *certificate,
                         struct buf *key,
                         struct err *err)
{
    const struct certificate_authority ca = { buf_view(&certs->ca), buf_view(&certs->ca_key) };
    struct certificate_span span = certificate_days(certs->now_s, HOST_DAYS);
    enum status st;

    certificate->len = 0;
    st = certificate_issue(&ca, subject, buf_view(key), &span, certificate, err);
    if (st != ST_BAD_INPUT)
        return st;
    /* No key, or not one that can be read. */
    key->len = 0;
    certificate_key_new(key);
    return certificate_issue(&ca, subject, buf_view(key), &span, certificate, err);
}

static enum status prepare_program(const struct dev_certs *certs,
                                   enum plan_kind kind,
                                   unsigned zone,
                                   struct err *err)
{
    struct certificate_subject subject = { .host_count = ARRAY_LEN(hosts), .hosts = hosts };
    const struct node_identity *identity = &subject.identity;
    struct buf certificate = { 0 };
    struct buf key = { 0 };
    char name[64];
    enum status st;

    plan_identity(kind, zone, &subject.identity);
    (void)snprintf(name, sizeof name, "zone-%s/%s.key", identity->zone, identity->role);
    st = read_user_file(certs, name, &key, err);
    (void)memcpy(strrchr(name, '.'), ".crt", 4);
    if (st == ST_OK)
        st = read_user_file(certs, name, &certificate, err);
    if ((st == ST_OK || st == ST_NOT_FOUND) && !is_good(certs, &subject, &certificate, &key)) {
        st = issue(certs, &subject, &certificate, &key, err);
        if (st == ST_OK)
            st = write_user_file(certs, name, &certificate, 0644, err);
        (void)memcpy(strrchr(name, '.'), ".key", 4);
        if (st == ST_OK)
            st = write_user_file(certs, name, &key, 0600, err);
    }
    buf_done(&certificate);
    forget(&key);
    return st;
}

enum status dev_certs_prepare(const struct dev_options *options,
                              const struct dev_user *user,
                              struct err *err)
{
    struct dev_certs certs = { .options = options,
                               .user = user,
                               .now_s = (int64_t)(clock_stamp_ms(&clock_system) / 1000) };
    int folder;
    enum status st = open_ca_folder(options->data, &folder, err);

    if (st != ST_OK)
        return st;
    st = open_ca(&certs, folder, err);
    (void)close(folder);
    for (unsigned zone = 0; st == ST_OK && zone < options->zones; zone++)
        for (unsigned kind = 0; st == ST_OK && kind < PLAN_KINDS; kind++)
            if (plan_has_identity((enum plan_kind)kind))
                st = prepare_program(&certs, (enum plan_kind)kind, zone, err);
    if (st == ST_OK && options->https)
        st = dev_bundle_write(options, user, buf_view(&certs.ca), err);
    buf_done(&certs.ca);
    forget(&certs.ca_key);
    return st;
}
