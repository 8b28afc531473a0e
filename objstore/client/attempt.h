/* One try of one operation over libs3.  Internal to objstore/client. */
#ifndef OBJSTORE_CLIENT_ATTEMPT_H
#define OBJSTORE_CLIENT_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "objstore/client/objstore.h"

/* Read-only once made; owned by the caller of objstore_new(). */
struct objstore {
    char *addresses[OBJSTORE_ADDRESSES_MAX];
    unsigned address_count;
    char *access_key;
    char *secret;
};

/* A call with all its tries; lives on the caller's stack. */
struct attempt {
    const struct objstore *store;
    const char *bucket;
    const char *key;
    const struct objstore_source *source; /* put */
    const struct objstore_want *want;     /* get */
    bool is_part;                         /* get a part: */
    uint64_t offset;                      /* where it is */
    int fd;                               /* get: where to; negative: only count and hash */
    uint64_t deadline_ms;                 /* objstore_now_ms() time */
    unsigned count;                       /* tries, this one included */
    const char *address;                  /* of this try */
    uint64_t received;                    /* get: bytes of the last try */
};

typedef enum status (*attempt_fn)(struct attempt *attempt, struct err *err);

/* Milliseconds of the monotonic clock. */
uint64_t objstore_now_ms(void);

/* Does the source have the hash it is said to have?  ST_CORRUPT, ST_IO. */
enum status attempt_check_source(const struct objstore_source *source, struct err *err);

/* Each returns ST_UNAVAILABLE or ST_CORRUPT for what a repetition may cure. */
enum status attempt_test_bucket(struct attempt *attempt, struct err *err);
enum status attempt_create_bucket(struct attempt *attempt, struct err *err);
enum status attempt_put(struct attempt *attempt, struct err *err);
enum status attempt_get(struct attempt *attempt, struct err *err);
enum status attempt_get_part(struct attempt *attempt, struct err *err);
enum status attempt_delete(struct attempt *attempt, struct err *err);

#endif
