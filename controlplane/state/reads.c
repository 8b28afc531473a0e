/* One read of the state service from one view of the rows. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/objects.h"
#include "controlplane/state/objects_internal.h"

static void read_rows(struct connection *connection,
                      const Lapwing__ReadRequest *request,
                      Lapwing__ReadReply *reply)
{
    switch (request->what_case) {
    case LAPWING__READ_REQUEST__WHAT_GET_BUCKET:
        buckets_read_one(connection, request->get_bucket, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT_LIST_BUCKETS:
        buckets_read_list(connection, request->list_buckets, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT_GET_OBJECT:
        objects_read_one(connection, request->get_object, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS:
        objects_read_list(connection, request->list_objects, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT_GET_UPLOAD:
        uploads_read_one(connection, request->get_upload, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT_LIST_UPLOADS:
        uploads_read_list(connection, request->list_uploads, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT_OBJECT_PARTS:
        parts_read_of_object(connection, request->object_parts, reply);
        return;
    case LAPWING__READ_REQUEST__WHAT__NOT_SET:
    case _LAPWING__READ_REQUEST__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    CHECK(!"state_read: request not checked");
}

enum status state_read(struct state_reader *reader,
                       const Lapwing__ReadRequest *request,
                       Lapwing__ReadReply *reply,
                       struct err *err)
{
    struct connection *connection = &reader->connection;
    enum status st;

    CHECK(reader->group == STATE_GROUP_STORAGE);
    CHECK(reply->n_buckets == 0 && reply->n_objects == 0 && reply->n_common_prefixes == 0);
    reply->id = request->id;
    reply->status = ST_OK;
    /* Many seeks, one view: else a listing could show keys that never were there together. */
    connection_do(connection, STATEMENT_BEGIN_READ);
    read_rows(connection, request, reply);
    connection_do(connection, STATEMENT_COMMIT);
    st = connection_status(connection, err);
    if (st == ST_OK)
        return ST_OK;
    if (!sqlite3_get_autocommit(connection->db))
        connection_do(connection, STATEMENT_ROLLBACK);
    state_read_reply_done(reply);
    return st;
}

void state_read_reply_done(Lapwing__ReadReply *reply)
{
    for (size_t i = 0; i < reply->n_buckets; i++)
        lapwing__bucket__free_unpacked(reply->buckets[i], NULL);
    for (size_t i = 0; i < reply->n_objects; i++)
        lapwing__object__free_unpacked(reply->objects[i], NULL);
    for (size_t i = 0; i < reply->n_common_prefixes; i++)
        free(reply->common_prefixes[i]);
    for (size_t i = 0; i < reply->n_uploads; i++)
        lapwing__upload__free_unpacked(reply->uploads[i], NULL);
    for (size_t i = 0; i < reply->n_parts; i++)
        lapwing__part__free_unpacked(reply->parts[i], NULL);
    free(reply->uploads);
    free(reply->parts);
    free(reply->buckets);
    free(reply->objects);
    free(reply->common_prefixes);
    if (reply->next_start_after != protobuf_c_empty_string)
        free(reply->next_start_after);
    if (reply->next_upload_after != protobuf_c_empty_string)
        free(reply->next_upload_after);
    lapwing__read_reply__init(reply);
}
