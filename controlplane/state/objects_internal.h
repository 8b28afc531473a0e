/* What buckets.c, objects.c, uploads.c, parts.c and reads.c share. */
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

/* Write the row, in the place of `there` (NULL: nothing was): its parts go, unless a copy has them.
 */
void object_put(struct connection *connection,
                const Lapwing__Object *object,
                const Lapwing__Object *there);
void object_delete(struct connection *connection, const Lapwing__Object *there);

struct object_conditions {
    bool only_if_absent;
    const char *only_if_etag; /* "*": any; empty: no condition */
};
/* Do they hold for what is there (NULL: nothing)?  If not, refuse. */
bool object_conditions_hold(const struct object_conditions *conditions,
                            const Lapwing__Object *there,
                            struct outcome *out);
/* Has the source still the content that is copied?  If not, refuse. */
bool copy_source_holds(struct connection *connection,
                       const Lapwing__CopySource *source,
                       struct outcome *out);

/* All uploads under way of a bucket, with their parts. */
void uploads_delete(struct connection *connection, const char *bucket);

void part_put(struct connection *connection, const char *upload, const Lapwing__Part *part);
void parts_delete(struct connection *connection, const char *upload);
/* The sum of an upload's parts of these rising numbers; false when one of them is not there. */
bool parts_sum(struct connection *connection,
               const Lapwing__CompleteUpload *cmd,
               uint64_t *out_bytes);
/* Delete those that are not in the list. */
void parts_keep(struct connection *connection, const Lapwing__CompleteUpload *cmd);
/* Append the parts behind a number to the reply, at most `max`; the rest makes it truncated. */
void parts_read(struct connection *connection,
                const Lapwing__GetUploadRead *read,
                Lapwing__ReadReply *reply);

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
void uploads_read_one(struct connection *connection,
                      const Lapwing__GetUploadRead *read,
                      Lapwing__ReadReply *reply);
void uploads_read_list(struct connection *connection,
                       const Lapwing__ListUploadsRead *read,
                       Lapwing__ReadReply *reply);
void parts_read_of_object(struct connection *connection,
                          const Lapwing__ObjectPartsRead *read,
                          Lapwing__ReadReply *reply);

#endif
