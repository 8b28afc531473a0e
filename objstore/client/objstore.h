/* The object store as the other programs see it: blocking calls over libs3.
 *
 * The only header of objstore/ that another program may include.  Every call blocks on the network
 * and on files: call it from a pool thread, never from a loop.  A `struct objstore` may be used by
 * many threads at once; at most OBJSTORE_CALLS_MAX calls of one process run at a time, the others
 * wait for their turn within their deadline.
 *
 * Nothing that libs3 says is believed: Debian's 2.0 reports a refused PUT and a cut GET as success.
 * Bytes are counted and hashed on the way in, and what was put is asked for again. */
#ifndef OBJSTORE_CLIENT_OBJSTORE_H
#define OBJSTORE_CLIENT_OBJSTORE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

enum {
    OBJSTORE_SHA256_BYTES = 32,
    OBJSTORE_ADDRESSES_MAX = 8,
    OBJSTORE_CALLS_MAX = 32,      /* libs3 keeps that many connections; more would reconnect */
    OBJSTORE_KEY_BYTES_MAX = 255, /* of [A-Za-z0-9._/-] only: libs3 2.0 signs others wrongly */
    OBJSTORE_SECRET_BYTES = 45,   /* base64 of 32 bytes and a NUL */
};

/* Buckets that only the internal key may use; see objstore_internal_secret(). */
#define OBJSTORE_INTERNAL_BUCKET_PREFIX "lapwing-internal-"
#define OBJSTORE_PACKAGES_BUCKET        "lapwing-internal-packages"
#define OBJSTORE_INTERNAL_ACCESS_KEY    "LWINTERNAL"

/* The access key of a link to one object: good for presigned GETs of exactly that object, internal
 * or not, that live OBJSTORE_LINK_S_MAX at most, and for nothing else.  Its secret is derived from
 * the cluster key as that of a function is. */
#define OBJSTORE_LINK_KEY_PREFIX "LWLK"
enum { OBJSTORE_LINK_KEY_BYTES = 37, OBJSTORE_LINK_S_MAX = 600 };
void objstore_link_key(const char *bucket, const char *key, char out[OBJSTORE_LINK_KEY_BYTES]);

struct objstore; /* opaque; owned by whoever called objstore_new() */

/* Open a store.  Does not connect.
 *
 * addresses    "host:port" of S3 ports, comma separated; copied, as are the keys.  A call asks the
 *              first, and the next one each time that a store cannot be reached or cannot serve
 * access_key   with the secret, what requests are signed with
 *
 * ST_BAD_INPUT: an empty or overlong text, or too many addresses.  ST_IO: libs3 could not be set
 * up. */
enum status objstore_new(const char *addresses,
                         const char *access_key,
                         const char *secret,
                         struct objstore **out_store,
                         struct err *err);
/* No call may be running.  NULL is allowed. */
void objstore_free(struct objstore *store);

/* The secret of OBJSTORE_INTERNAL_ACCESS_KEY, which every node derives from the cluster key. */
void objstore_internal_secret(const uint8_t cluster_key[32],
                              char out_secret[OBJSTORE_SECRET_BYTES]);

/* Make a bucket; ST_OK too when we own it already.  ST_UNAVAILABLE, ST_TIMEOUT: try later. */
enum status objstore_create_bucket(struct objstore *store,
                                   const char *bucket,
                                   uint32_t deadline_ms,
                                   struct err *err);

/* Is there such a bucket?  ST_OK, ST_NOT_FOUND; ST_DENIED: there is, but not for this key. */
enum status objstore_test_bucket(struct objstore *store,
                                 const char *bucket,
                                 uint32_t deadline_ms,
                                 struct err *err);

/* Which object, and for how long to try. */
struct objstore_name {
    const char *bucket;
    const char *key;
    uint32_t deadline_ms; /* for the whole call with its retries; at least 1 */
};

/* What to store: `fd` from its offset 0, or `data` when fd is negative. */
struct objstore_source {
    int fd;
    struct bytes data;
    uint64_t bytes; /* length when fd is used; ignored otherwise */
    uint8_t sha256[OBJSTORE_SHA256_BYTES];
};

/* Store an object and prove that it is there: ST_OK means that the store, asked afterwards, gave
 * back bytes of this length and hash.
 *
 * ST_CORRUPT: the source does not have the hash that it was said to have; nothing was stored.
 * ST_DENIED, ST_NOT_FOUND (no such bucket), ST_BAD_INPUT: asking again will not help.
 * ST_UNAVAILABLE, ST_TIMEOUT: it may or may not be stored; putting it again is harmless. */
enum status objstore_put(struct objstore *store,
                         const struct objstore_name *name,
                         const struct objstore_source *source,
                         struct err *err);

/* What a get must yield. */
struct objstore_want {
    const uint8_t *sha256; /* 32 bytes, or NULL when not known */
    uint64_t bytes;        /* exact length, or 0 when not known */
    uint64_t bytes_max;    /* more than this is refused while it arrives */
};

/* Fetch an object into `fd`, from offset 0, cutting the file to the object's length.  The file is
 * not synced.  `out_bytes` may be NULL.
 *
 * ST_NOT_FOUND: no such bucket or key.  ST_LIMIT: longer than bytes_max.  ST_CORRUPT: length or
 * hash differ after every retry.  On any error the content of `fd` is undefined. */
enum status objstore_get(struct objstore *store,
                         const struct objstore_name *name,
                         const struct objstore_want *want,
                         int fd,
                         uint64_t *out_bytes,
                         struct err *err);

/* A piece of an object. */
struct objstore_part {
    uint64_t offset;
    uint64_t bytes; /* at least 1; all of them must be there */
    uint8_t sha256[OBJSTORE_SHA256_BYTES];
};

/* Fetch a piece of an object into `fd`, to the same place; what else is in the file stays.  Several
 * threads may fetch pieces into one file.  Statuses as of objstore_get(); ST_CORRUPT comes after a
 * few tries, not only at the deadline. */
enum status objstore_get_part(struct objstore *store,
                              const struct objstore_name *name,
                              const struct objstore_part *part,
                              int fd,
                              struct err *err);

/* Remove an object; ST_OK too when there was none. */
enum status objstore_delete(struct objstore *store,
                            const struct objstore_name *name,
                            struct err *err);

#endif
