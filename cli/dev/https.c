/* CA and certificate of `lapwing dev --https`.  They stay as long as they are good, so that clients
 * that learned the CA go on; the zones share one certificate, as they share the port. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "cli/dev/dev.h"
#include "cli/dev/plan.h"
#include "cli/dev/self_signed.h"

enum { RENEW_DAYS = 30, SYSTEM_BYTES_MAX = 4 << 20 };

static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";
static const char *const names[] = { "ca.pem", "bundle.pem", "cert.pem", "key.pem" };

static void path_of(const struct dev_options *options, const char *name, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%.4000s/https-%s", options->data, name);
}

/* All files are there, and the certificate is good for a while. */
static bool is_good(const struct dev_options *options, const struct dev_user *user)
{
    char path[PATH_MAX];
    time_t then = time(NULL) + RENEW_DAYS * 86400L;
    X509 *certificate;
    FILE *file;
    bool good;
    int fd;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        path_of(options, names[i], path);
        if (access(path, F_OK) != 0)
            return false;
    }
    path_of(options, "cert.pem", path);
    fd = dev_file_open(path, O_RDONLY, 0, user);
    file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL)
        return false;
    certificate = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file);
    good = certificate != NULL && X509_cmp_time(X509_get0_notAfter(certificate), &then) > 0;
    X509_free(certificate);
    return good;
}

/* The machine's own CAs, if it has any. */
static void read_system(struct buf *out)
{
    FILE *file = fopen(system_bundle, "re");
    size_t got;

    if (file == NULL)
        return;
    got = fread(buf_reserve(out, SYSTEM_BYTES_MAX), 1, SYSTEM_BYTES_MAX, file);
    out->len += got;
    (void)fclose(file);
}

static enum status put(const struct dev_options *options,
                       const struct dev_user *user,
                       const char *name,
                       mode_t mode,
                       struct buf *text,
                       struct err *err)
{
    char path[PATH_MAX];

    path_of(options, name, path);
    return dev_file_write(path, buf_text(text), mode, user, err);
}

enum status dev_https_prepare(const struct dev_options *options,
                              const struct dev_user *user,
                              struct err *err)
{
    struct buf ca = { 0 };
    struct buf bundle = { 0 };
    struct buf certificate = { 0 };
    struct buf key = { 0 };
    enum status st;

    if (is_good(options, user))
        return ST_OK;
    self_signed_make(&ca, &certificate, &key);
    read_system(&bundle);
    buf_append(&bundle, ca.data, ca.len);
    st = put(options, user, "key.pem", 0600, &key, err);
    if (st == ST_OK)
        st = put(options, user, "cert.pem", 0644, &certificate, err);
    if (st == ST_OK)
        st = put(options, user, "ca.pem", 0644, &ca, err);
    if (st == ST_OK)
        st = put(options, user, "bundle.pem", 0644, &bundle, err);
    OPENSSL_cleanse(key.data, key.len);
    buf_done(&ca);
    buf_done(&bundle);
    buf_done(&certificate);
    buf_done(&key);
    return st;
}
