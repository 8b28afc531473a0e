/* Is this a message that a worker (heartbeat) or a controller (its reply) of any release may send?
 * As command_check.h says. */
#ifndef PROTO_WORKER_CHECK_H
#define PROTO_WORKER_CHECK_H

#include "base/status.h"
#include "proto/worker.pb-c.h"

struct stream_hello;

enum status heartbeat_check(const Lapwing__Heartbeat *heartbeat, struct err *err);
/* Does it speak for the process at the other end of its stream, and for nobody else?  ST_DENIED
 * names what differs. */
enum status heartbeat_sender_check(const Lapwing__Heartbeat *heartbeat,
                                   const struct stream_hello *peer,
                                   struct err *err);
enum status heartbeat_reply_check(const Lapwing__HeartbeatReply *reply, struct err *err);

#endif
