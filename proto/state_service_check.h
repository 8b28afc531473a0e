/* Is this a message that a peer of the state service may send?  As command_check.h says. */
#ifndef PROTO_STATE_SERVICE_CHECK_H
#define PROTO_STATE_SERVICE_CHECK_H

#include "base/status.h"
#include "proto/state_service.pb-c.h"

/* Checks the whole command: ST_UNSUPPORTED for one of another release. */
enum status propose_request_check(const Lapwing__ProposeRequest *request, struct err *err);
enum status propose_reply_check(const Lapwing__ProposeReply *reply, struct err *err);
enum status read_request_check(const Lapwing__ReadRequest *request, struct err *err);
enum status read_reply_check(const Lapwing__ReadReply *reply, struct err *err);

#endif
