/* Is this a message that a worker (heartbeat) or a controller (its reply) of any release may send?
 * As command_check.h says. */
#ifndef PROTO_WORKER_CHECK_H
#define PROTO_WORKER_CHECK_H

#include "base/status.h"
#include "proto/worker.pb-c.h"

enum status heartbeat_check(const Lapwing__Heartbeat *heartbeat, struct err *err);
enum status heartbeat_reply_check(const Lapwing__HeartbeatReply *reply, struct err *err);

#endif
