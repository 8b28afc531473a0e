/* See tls_files.h. */
#include "base/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/check.h"
#include "base/limits.h"

static enum status check_file(int fd, const char *path, bool secret, struct err *err)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return err_set_errno(err, ST_IO, errno, "look at %s", path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ST_BAD_INPUT, "%s: not a file", path);
    if (secret && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return err_set(err, ST_DENIED, "%s: others than its owner may use this key, chmod 600 it",
                       path);
    if (info.st_size > TLS_FILE_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "%s: %lld bytes, want at most %d", path,
                       (long long)info.st_size, TLS_FILE_BYTES_MAX);
    return ST_OK;
}

static enum status read_all(int fd, const char *path, struct buf *out, struct err *err)
{
    enum { PIECE = 16384 };
    ssize_t got = 1;

    while (got > 0 && out->len <= TLS_FILE_BYTES_MAX) {
        got = read(fd, buf_reserve(out, PIECE), PIECE);
        if (got < 0)
            return err_set_errno(err, ST_IO, errno, "read %s", path);
        out->len += (size_t)got;
    }
    return ST_OK;
}

enum status tls_file_read_open(
    int fd, const char *path, bool secret, struct buf *out, struct err *err)
{
    enum status st = check_file(fd, path, secret, err);

    return st == ST_OK ? read_all(fd, path, out, err) : st;
}

enum status tls_file_read(const char *path, bool secret, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum status st;

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    st = tls_file_read_open(fd, path, secret, out, err);
    (void)close(fd);
    return st;
}

/* Contents of the three files. */
struct texts {
    struct buf authorities;
    struct buf certificate;
    struct buf key;
};

static void texts_done(struct texts *texts)
{
    if (texts->key.data != NULL)
        OPENSSL_cleanse(texts->key.data, texts->key.capacity);
    buf_done(&texts->authorities);
    buf_done(&texts->certificate);
    buf_done(&texts->key);
}

static enum status read_texts(const struct tls_files *files, struct texts *out, struct err *err)
{
    enum status st = tls_file_read(files->authorities, false, &out->authorities, err);

    if (st == ST_OK)
        st = tls_file_read(files->certificate, false, &out->certificate, err);
    return st == ST_OK ? tls_file_read(files->key, true, &out->key, err) : st;
}

/* The context knows texts, not files. */
static enum status name_files(const struct tls_files *files, enum status st, struct err *err)
{
    struct err inner = *err;

    return err_set(err, st, "%s (tls.cert_file %s, key_file %s, ca_file %s)", inner.text,
                   files->certificate, files->key, files->authorities);
}

static enum status use(const struct tls_files *files,
                       const struct node_identity *self,
                       struct tls_context **context,
                       struct err *err)
{
    struct texts texts = { 0 };
    enum status st = read_texts(files, &texts, err);
    const struct tls_material material = { buf_view(&texts.authorities),
                                           buf_view(&texts.certificate), buf_view(&texts.key) };

    if (st == ST_OK) {
        st = self != NULL ? tls_context_new(self, &material, context, err)
                          : tls_context_replace(*context, &material, err);
        if (st != ST_OK)
            st = name_files(files, st, err);
    }
    texts_done(&texts);
    return st;
}

enum status tls_files_open(const struct tls_files *files,
                           const struct node_identity *self,
                           struct tls_context **out,
                           struct err *err)
{
    return use(files, self, out, err);
}

enum status tls_files_reload(const struct tls_files *files,
                             struct tls_context *context,
                             struct err *err)
{
    return use(files, NULL, &context, err);
}
