/* Buckets and objects: what can be asked about them, in the messages of the state service. */
#ifndef CONTROLPLANE_STATE_OBJECTS_H
#define CONTROLPLANE_STATE_OBJECTS_H

#include "base/status.h"
#include "proto/state_service.pb-c.h"

struct state_reader;

enum { OBJECT_LIST_KEYS_MAX = 1000 }; /* of a listing, also of uploads */

/* Answer one read of the state service from this reader's rows.
 *
 * request  passed read_request_check(); borrowed
 * reply    initialised by the caller (LAPWING__READ_REPLY__INIT), filled with what it then owns:
 * free with state_read_reply_done().  id and status are set too.
 *
 * `linearizable` is the caller's to honour before.  What is not there is ST_OK here and
 * ST_NOT_FOUND in reply->status.  Returns ST_IO when the database fails: nothing is filled. */
enum status state_read(struct state_reader *reader,
                       const Lapwing__ReadRequest *request,
                       Lapwing__ReadReply *reply,
                       struct err *err);
/* Free what state_read() put into the message, not the message.  Twice is harmless. */
void state_read_reply_done(Lapwing__ReadReply *reply);

#endif
