/* Where the code of a deployment comes from: the request itself, or an object of the client.
 *
 * The object is read with the key that the client signed with, so the object store decides as if
 * the client had asked it: nobody deploys what they may not read, and the front door needs no key
 * of its own for the buckets of others.  Pool threads. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "controlplane/api/lambda/deploy.h"
#include "objstore/client/objstore.h"

enum { FETCH_MS = 30000, LOOK_MS = 5000 };

static enum status refuse_size(struct api_error *error)
{
    return api_error_set(error, ST_LIMIT, API_ENTITY_TOO_LARGE,
                         "Zipped size must be smaller than %d bytes", PACKAGE_ZIP_BYTES_MAX);
}

enum status deploy_read_inline(struct deploy *deploy, struct api_error *error)
{
    struct bytes text = deploy->input.zip_base64;

    if (text.len / 4 * 3 > (size_t)PACKAGE_ZIP_BYTES_MAX + 3)
        return refuse_size(error);
    deploy->zip_is_text = base64_decode(text, &deploy->zip) != ST_OK;
    if (deploy->zip_is_text)
        return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                             "Member 'ZipFile' is not valid base64.");
    if (deploy->zip.len > PACKAGE_ZIP_BYTES_MAX)
        return refuse_size(error);
    hash_sha256(buf_view(&deploy->zip), deploy->sha256);
    return ST_OK;
}

static enum status refuse_object(const char *code, const char *message, struct api_error *error)
{
    return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                         "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s",
                         code, message);
}

/* Why there was no object.  The client of the store does not tell a missing bucket from a missing
 * key, so the bucket is asked for. */
static enum status refuse_get(struct objstore *store,
                              const struct objstore_name *name,
                              enum status st,
                              struct err *err,
                              struct api_error *error)
{
    switch (st) {
    case ST_NOT_FOUND:
        if (objstore_test_bucket(store, name->bucket, LOOK_MS, NULL) == ST_NOT_FOUND)
            return refuse_object("NoSuchBucket", "The specified bucket does not exist", error);
        return refuse_object("NoSuchKey", "The specified key does not exist.", error);
    case ST_LIMIT:
        return refuse_size(error);
    case ST_DENIED:
        return api_error_set(error, st, API_ACCESS_DENIED,
                             "Your access has been denied by S3, please make sure your request "
                             "credentials have permission to GetObject for %s/%s. S3 Error Code: "
                             "AccessDenied. S3 Error Message: Access Denied",
                             name->bucket, name->key);
    case ST_BAD_INPUT:
        return api_error_set(error, st, API_INVALID_PARAMETER,
                             "Lapwing cannot deploy from this object: %.200s", err->text);
    default:
        return api_error_set(error, ST_UNAVAILABLE, API_UNAVAILABLE,
                             "The object could not be read: %.200s. Please try again.", err->text);
    }
}

static enum status take_file(int fd, uint64_t bytes, struct buf *out, struct err *err)
{
    uint8_t *room = buf_reserve(out, bytes);
    size_t done = 0;

    while (done < bytes) {
        ssize_t rv = pread(fd, room + done, bytes - done, (off_t)done);

        if (rv < 0 && errno == EINTR)
            continue;
        if (rv <= 0)
            return err_set_errno(err, ST_IO, errno, "read the fetched object");
        done += (size_t)rv;
    }
    out->len += bytes;
    return ST_OK;
}

enum status deploy_read_bucket(struct deploy *deploy, struct api_error *error)
{
    const struct api_call *call = deploy->call;
    const struct objstore_want want = { .bytes_max = PACKAGE_ZIP_BYTES_MAX };
    const struct objstore_name name = { deploy->input.s3_bucket, deploy->input.s3_key, FETCH_MS };
    struct objstore *store = NULL;
    struct err err = { 0 };
    uint64_t bytes = 0;
    int fd = memfd_create("package", MFD_CLOEXEC);
    enum status st;

    if (fd < 0)
        return api_error_set(error, ST_IO, API_SERVICE, "No memory for the package.");
    st = objstore_new(call->api->options.objstore_addresses, call->signature.access_key_id,
                      call->secret, &store, &err);
    if (st == ST_OK)
        st = objstore_get(store, &name, &want, fd, &bytes, &err);
    if (st == ST_OK)
        st = take_file(fd, bytes, &deploy->zip, &err);
    if (st != ST_OK)
        st = refuse_get(store, &name, st, &err, error);
    else if (bytes == 0)
        st = api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                           "Uploaded file must be a non-empty zip");
    else
        hash_sha256(buf_view(&deploy->zip), deploy->sha256);
    objstore_free(store);
    (void)close(fd);
    return st;
}
