/* Who asks, and may they? */
#ifndef OBJSTORE_S3_S3_AUTH_H
#define OBJSTORE_S3_S3_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/http_message.h"
#include "base/sigv4.h"
#include "objstore/s3/aws_chunk.h"
#include "objstore/s3/s3_error.h"
#include "objstore/s3/s3_route.h"

#define S3_ACCOUNT "000000000000"

/* The access keys that this store knows: those of the configuration, and those that are derived
 * from the cluster key (function keys, the internal key).  Built by main(), read-only afterwards.
 */
struct s3_key {
    const char *id;
    const char *secret;
};
struct s3_keys {
    const struct s3_key *list;
    size_t count;
    struct bytes cluster_key;
};

/* Who signed, and what the signature says about the body. */
struct s3_caller {
    bool is_internal;
    bool is_link;         /* its key is that of one object, see objstore_link_key() */
    uint32_t presigned_s; /* life of a presigned request of version 4, else 0 */
    char access_key_id[SIGV4_ACCESS_KEY_BYTES_MAX + 1];
    char region[SIGV4_SCOPE_BYTES_MAX + 1]; /* empty with version 2 */
    enum sigv4_payload payload;
    uint8_t payload_sha256[SHA256_BYTES]; /* SIGV4_PAYLOAD_SHA256 */
    struct aws_chunk_key chunk_key;       /* SIGV4_PAYLOAD_STREAMING* with signatures */
};

/* Check the signature of a request that was routed.  S3_OK, or the error to answer; `err` then
 * holds its text, or is empty. */
enum s3_error s3_authenticate(const struct s3_keys *keys,
                              const struct http_head *head,
                              const struct s3_route *route,
                              uint64_t now_s,
                              struct s3_caller *out,
                              struct err *err);

/* May this caller do that at all?  Internal buckets are for the internal key, which may use nothing
 * else; a link's key may get its object and nothing else. */
bool s3_caller_may(const struct s3_caller *caller, const struct s3_route *route);
/* All buckets are one account's.  Is it the one that the client expects, if it says so? */
bool s3_owner_is_expected(const struct http_head *head);

#endif
