/* What buckets.c, objects.c and reads.c share. */
#ifndef CONTROLPLANE_STATE_OBJECTS_INTERNAL_H
#define CONTROLPLANE_STATE_OBJECTS_INTERNAL_H

#include <stdbool.h>

#include "controlplane/state/connection.h"
#include "controlplane/state/outcome.h"
#include "proto/state_service.pb-c.h"

/* NULL when there is none; owned by the caller. */
Lapwing__Bucket *bucket_find(struct connection *connection, const char *name);
bool bucket_exists(struct connection *connection, const char *name);
void bucket_refuse_missing(struct outcome *out, const char *name);

/* NULL when there is none; owned by the caller. */
Lapwing__Object *object_find(struct connection *connection, const char *bucket, const char *key);

/* Fill the fields of `reply` that the message names; a failure of the database stays noted in the
 * connection. */
void buckets_read_one(struct connection *connection,
                      const Lapwing__GetBucketRead *read,
                      Lapwing__ReadReply *reply);
void buckets_read_list(struct connection *connection,
                       const Lapwing__ListBucketsRead *read,
                       Lapwing__ReadReply *reply);
void objects_read_one(struct connection *connection,
                      const Lapwing__GetObjectRead *read,
                      Lapwing__ReadReply *reply);
void objects_read_list(struct connection *connection,
                       const Lapwing__ListObjectsRead *read,
                       Lapwing__ReadReply *reply);

#endif
