/* One try of one operation: libs3 does the talking, its answers are checked here.
 *
 * Why nothing is believed: libs3 2.0 asks for the status of a PUT before there is one, and says OK
 * to a 503 without a body; both 2.0 and 4.1 say OK to a GET that was cut short.  So a put is
 * followed by a HEAD and a whole re-read, and a get counts and hashes what came. */
#include "objstore/client/attempt.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "objstore/client/libs3_compat.h"

enum { COPY_BYTES = 65536 };

/* What libs3's callbacks of one request write into. */
struct reply {
    struct attempt *attempt;
    S3Status status;
    char detail[120];
    uint64_t length; /* Content-Length, 0 when there was none */
    /* body sent */
    uint64_t sent;
    /* body received */
    EVP_MD_CTX *hash;
    int fd;
    uint64_t received;
    uint64_t bytes_max;
    enum status refused; /* why a callback stopped the request */
    int errnum;
};

static enum status status_of(S3Status status)
{
    switch (status) {
    case S3StatusOK:
        return ST_OK;
    case S3StatusErrorNoSuchKey:
    case S3StatusErrorNoSuchBucket:
    case S3StatusHttpErrorNotFound:
        return ST_NOT_FOUND;
    case S3StatusErrorAccessDenied:
    case S3StatusErrorInvalidAccessKeyId:
    case S3StatusErrorSignatureDoesNotMatch:
    case S3StatusErrorRequestTimeTooSkewed:
    case S3StatusHttpErrorForbidden:
        return ST_DENIED;
    case S3StatusErrorBucketAlreadyExists:
    case S3StatusErrorBucketAlreadyOwnedByYou:
    case S3StatusHttpErrorConflict:
        return ST_EXISTS;
    case S3StatusInvalidBucketNameTooLong:
    case S3StatusInvalidBucketNameFirstCharacter:
    case S3StatusInvalidBucketNameCharacter:
    case S3StatusInvalidBucketNameCharacterSequence:
    case S3StatusInvalidBucketNameTooShort:
    case S3StatusErrorInvalidBucketName:
    case S3StatusErrorNotImplemented:
        return ST_BAD_INPUT;
    default:
        /* S3StatusInternalError is also what libs3 makes of every curl error it does not know, a
         * dropped connection among them, so it must count as "try again". */
        return ST_UNAVAILABLE;
    }
}

static enum status reply_status(const struct reply *reply, const char *what, struct err *err)
{
    enum status st = status_of(reply->status);

    if (reply->refused != ST_OK && reply->errnum != 0)
        return err_set_errno(err, reply->refused, reply->errnum, "%s %s/%s: local file", what,
                             reply->attempt->bucket, reply->attempt->key);
    if (reply->refused == ST_TIMEOUT)
        return err_set(err, ST_TIMEOUT, "%s %s/%s: the deadline passed", what,
                       reply->attempt->bucket, reply->attempt->key);
    if (reply->refused != ST_OK)
        return err_set(err, reply->refused, "%s %s/%s: more than %llu bytes", what,
                       reply->attempt->bucket, reply->attempt->key,
                       (unsigned long long)reply->bytes_max);
    if (st != ST_OK)
        return err_set(err, st, "%s %s/%s: %s %s", what, reply->attempt->bucket,
                       reply->attempt->key == NULL ? "" : reply->attempt->key,
                       S3_get_status_name(reply->status), reply->detail);
    return ST_OK;
}

static S3Status properties_cb(const S3ResponseProperties *properties, void *context)
{
    struct reply *reply = context;

    reply->length = properties->contentLength;
    return S3StatusOK;
}

static void complete_cb(S3Status status, const S3ErrorDetails *details, void *context)
{
    struct reply *reply = context;

    reply->status = status;
    if (details != NULL && details->message != NULL)
        (void)snprintf(reply->detail, sizeof reply->detail, "%s", details->message);
}

static const S3ResponseHandler response_handler = { properties_cb, complete_cb };

static bool past_deadline(struct reply *reply)
{
    if (objstore_now_ms() < reply->attempt->deadline_ms)
        return false;
    reply->refused = ST_TIMEOUT;
    return true;
}

static void bucket_context(const struct attempt *attempt, S3BucketContext *out)
{
    /* By name after a memset: 4.x has more fields at the end. */
    memset(out, 0, sizeof *out);
    out->hostName = attempt->address;
    out->bucketName = attempt->bucket;
    out->protocol = S3ProtocolHTTP;
    out->uriStyle = S3UriStylePath;
    out->accessKeyId = attempt->store->access_key;
    out->secretAccessKey = attempt->store->secret;
}

#ifdef S3_DEFAULT_REGION
static int remaining_ms(const struct attempt *attempt)
{
    uint64_t now_ms = objstore_now_ms();

    return now_ms < attempt->deadline_ms ? (int)(attempt->deadline_ms - now_ms) : 1;
}
#endif

/* ---- source ---- */

static uint64_t source_bytes(const struct objstore_source *source)
{
    return source->fd >= 0 ? source->bytes : source->data.len;
}

/* Up to `len` bytes from `offset`; fewer only at the end.  Negative: errno says why. */
static ssize_t source_read(const struct objstore_source *source,
                           uint64_t offset,
                           void *out,
                           size_t len)
{
    uint64_t left = source_bytes(source) - offset;
    ssize_t rv;

    if (len > left)
        len = (size_t)left;
    if (source->fd < 0) {
        if (len > 0)
            memcpy(out, source->data.data + offset, len);
        return (ssize_t)len;
    }
    do
        rv = pread(source->fd, out, len, (off_t)offset);
    while (rv < 0 && errno == EINTR);
    return rv;
}

static bool digest_is(EVP_MD_CTX *hash, const uint8_t *want)
{
    uint8_t digest[OBJSTORE_SHA256_BYTES];
    unsigned len = 0;

    CHECK(EVP_DigestFinal_ex(hash, digest, &len) == 1);
    CHECK(len == sizeof digest);
    return want == NULL || memcmp(digest, want, sizeof digest) == 0;
}

static EVP_MD_CTX *sha256_new(void)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();

    CHECK(hash != NULL);
    CHECK(EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
    return hash;
}

enum status attempt_check_source(const struct objstore_source *source, struct err *err)
{
    static _Thread_local uint8_t piece[COPY_BYTES];
    EVP_MD_CTX *hash = sha256_new();
    uint64_t offset = 0;
    enum status st = ST_OK;

    while (offset < source_bytes(source) && st == ST_OK) {
        ssize_t rv = source_read(source, offset, piece, sizeof piece);

        if (rv < 0)
            st = err_set_errno(err, ST_IO, errno, "read what is to be stored");
        else if (rv == 0)
            st = err_set(err, ST_CORRUPT, "what is to be stored ends at %llu of %llu bytes",
                         (unsigned long long)offset, (unsigned long long)source_bytes(source));
        else
            CHECK(EVP_DigestUpdate(hash, piece, (size_t)rv) == 1);
        offset += rv > 0 ? (uint64_t)rv : 0;
    }
    if (st == ST_OK && !digest_is(hash, source->sha256))
        st = err_set(err, ST_CORRUPT, "what is to be stored does not have its SHA-256");
    EVP_MD_CTX_free(hash);
    return st;
}

/* ---- get ---- */

static S3Status received_cb(int len, const char *data, void *context)
{
    struct reply *reply = context;
    size_t done = 0;

    CHECK(len >= 0);
    if (past_deadline(reply))
        return S3StatusAbortedByCallback;
    if ((uint64_t)len > reply->bytes_max - reply->received) {
        reply->refused = ST_LIMIT;
        return S3StatusAbortedByCallback;
    }
    CHECK(EVP_DigestUpdate(reply->hash, data, (size_t)len) == 1);
    while (reply->fd >= 0 && done < (size_t)len) {
        ssize_t rv = pwrite(reply->fd, data + done, (size_t)len - done,
                            (off_t)(reply->attempt->offset + reply->received + done));

        if (rv < 0 && errno == EINTR)
            continue;
        if (rv < 0) {
            reply->refused = ST_IO;
            reply->errnum = errno;
            return S3StatusAbortedByCallback;
        }
        done += (size_t)rv;
    }
    reply->received += (uint64_t)len;
    return S3StatusOK;
}

/* What came, against what was announced and what was wanted. */
static enum status received_check(const struct reply *reply,
                                  const struct objstore_want *want,
                                  struct err *err)
{
    const char *key = reply->attempt->key;
    enum status st = reply_status(reply, "get", err);

    if (st != ST_OK)
        return st;
    if (reply->length != 0 && reply->received != reply->length)
        return err_set(err, ST_CORRUPT, "get %s: %llu of %llu bytes came", key,
                       (unsigned long long)reply->received, (unsigned long long)reply->length);
    if (want->bytes != 0 && reply->received != want->bytes)
        return err_set(err, ST_CORRUPT, "get %s: %llu bytes came, want %llu", key,
                       (unsigned long long)reply->received, (unsigned long long)want->bytes);
    if (!digest_is(reply->hash, want->sha256))
        return err_set(err, ST_CORRUPT, "get %s: not the expected SHA-256", key);
    return ST_OK;
}

/* `part_bytes`: from attempt->offset; 0 for the whole object. */
static enum status fetch(struct attempt *attempt,
                         const struct objstore_want *want,
                         uint64_t part_bytes,
                         int fd,
                         struct err *err)
{
    struct reply reply = {
        .attempt = attempt, .fd = fd, .bytes_max = want->bytes_max, .status = S3StatusInternalError
    };
    S3GetObjectHandler handler = { response_handler, received_cb };
    S3BucketContext bucket;
    enum status st;

    bucket_context(attempt, &bucket);
    reply.hash = sha256_new();
    S3_get_object(&bucket, attempt->key, NULL, attempt->offset, part_bytes, NULL,
                  LIBS3_TIMEOUT(remaining_ms(attempt)) & handler, &reply);
    st = received_check(&reply, want, err);
    EVP_MD_CTX_free(reply.hash);
    attempt->received = reply.received;
    return st;
}

enum status attempt_get(struct attempt *attempt, struct err *err)
{
    enum status st = fetch(attempt, attempt->want, 0, attempt->fd, err);

    if (st == ST_OK && ftruncate(attempt->fd, (off_t)attempt->received) < 0)
        return err_set_errno(err, ST_IO, errno, "cut the file of %s", attempt->key);
    return st;
}

enum status attempt_get_part(struct attempt *attempt, struct err *err)
{
    return fetch(attempt, attempt->want, attempt->want->bytes, attempt->fd, err);
}

/* ---- put ---- */

static int send_cb(int len, char *out, void *context)
{
    struct reply *reply = context;
    ssize_t rv;

    if (past_deadline(reply))
        return -1;
    rv = source_read(reply->attempt->source, reply->sent, out, (size_t)len);
    if (rv < 0) {
        reply->refused = ST_IO;
        reply->errnum = errno;
        return -1;
    }
    reply->sent += (uint64_t)rv;
    return (int)rv;
}

static enum status head(struct attempt *attempt, struct reply *reply, struct err *err)
{
    S3BucketContext bucket;

    bucket_context(attempt, &bucket);
    S3_head_object(&bucket, attempt->key, NULL,
                   LIBS3_TIMEOUT(remaining_ms(attempt)) & response_handler, reply);
    return reply_status(reply, "head", err);
}

/* Ask for what was just stored.  "Not found" means that the PUT was refused behind libs3's back, so
 * here it is a reason to try again. */
static enum status put_verify(struct attempt *attempt, struct err *err)
{
    uint64_t bytes = source_bytes(attempt->source);
    struct reply reply = { .attempt = attempt, .status = S3StatusInternalError };
    struct objstore_want want = { .sha256 = attempt->source->sha256,
                                  .bytes = bytes,
                                  .bytes_max = bytes };
    enum status st = head(attempt, &reply, err);

    if (st == ST_NOT_FOUND)
        return err_set(err, ST_UNAVAILABLE, "put %s/%s: refused without a reason", attempt->bucket,
                       attempt->key);
    if (st != ST_OK)
        return st;
    if (reply.length != bytes)
        return err_set(err, ST_CORRUPT, "put %s/%s: %llu bytes are there, want %llu",
                       attempt->bucket, attempt->key, (unsigned long long)reply.length,
                       (unsigned long long)bytes);
    st = fetch(attempt, &want, 0, -1, err);
    return st == ST_NOT_FOUND ? ST_UNAVAILABLE : st;
}

enum status attempt_put(struct attempt *attempt, struct err *err)
{
    struct reply reply = { .attempt = attempt, .status = S3StatusInternalError };
    S3PutObjectHandler handler = { response_handler, send_cb };
    S3PutProperties properties;
    S3BucketContext bucket;
    enum status st;

    bucket_context(attempt, &bucket);
    memset(&properties, 0, sizeof properties);
    properties.expires = -1; /* 0 would be sent as 1970 */
    properties.cannedAcl = S3CannedAclPrivate;
    S3_put_object(&bucket, attempt->key, source_bytes(attempt->source), &properties, NULL,
                  LIBS3_TIMEOUT(remaining_ms(attempt)) & handler, &reply);
    st = reply_status(&reply, "put", err);
    if (st != ST_OK)
        return st;
    return put_verify(attempt, err);
}

/* ---- buckets, delete ---- */

enum status attempt_test_bucket(struct attempt *attempt, struct err *err)
{
    struct reply reply = { .attempt = attempt, .status = S3StatusInternalError };

    S3_test_bucket(S3ProtocolHTTP, S3UriStylePath, attempt->store->access_key,
                   attempt->store->secret, LIBS3_TOKEN attempt->address, attempt->bucket,
                   LIBS3_REGION 0, NULL, NULL,
                   LIBS3_TIMEOUT(remaining_ms(attempt)) & response_handler, &reply);
    return reply_status(&reply, "test bucket", err);
}

enum status attempt_create_bucket(struct attempt *attempt, struct err *err)
{
    struct reply reply = { .attempt = attempt, .status = S3StatusInternalError };
    enum status st;

    S3_create_bucket(S3ProtocolHTTP, attempt->store->access_key, attempt->store->secret,
                     LIBS3_TOKEN attempt->address, attempt->bucket, LIBS3_REGION S3CannedAclPrivate,
                     NULL, NULL, LIBS3_TIMEOUT(remaining_ms(attempt)) & response_handler, &reply);
    st = reply_status(&reply, "create bucket", err);
    if (st != ST_OK && st != ST_EXISTS)
        return st;
    st = attempt_test_bucket(attempt, err);
    return st == ST_NOT_FOUND ? ST_UNAVAILABLE : st;
}

enum status attempt_delete(struct attempt *attempt, struct err *err)
{
    struct reply reply = { .attempt = attempt, .status = S3StatusInternalError };
    S3BucketContext bucket;
    enum status st;

    bucket_context(attempt, &bucket);
    S3_delete_object(&bucket, attempt->key, NULL,
                     LIBS3_TIMEOUT(remaining_ms(attempt)) & response_handler, &reply);
    st = reply_status(&reply, "delete", err);
    return st == ST_NOT_FOUND ? ST_OK : st;
}
