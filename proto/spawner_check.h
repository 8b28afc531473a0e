/* Is this a message that the agent (request) or the spawner (the others) may send?  As
 * command_check.h says.  The spawner is root: what passes here holds nothing that means something
 * in a path. */
#ifndef PROTO_SPAWNER_CHECK_H
#define PROTO_SPAWNER_CHECK_H

#include "base/status.h"
#include "proto/spawner.pb-c.h"

enum status spawn_request_check(const Lapwing__SpawnRequest *request, struct err *err);
enum status spawner_message_check(const Lapwing__SpawnerMessage *message, struct err *err);

#endif
