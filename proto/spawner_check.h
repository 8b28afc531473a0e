/* Is this a message that the spawner may send?  As command_check.h says.
 *
 * What the agent asks is checked where root believes it, with the slots and descriptors that there
 * are: worker/spawner/request_check.h. */
#ifndef PROTO_SPAWNER_CHECK_H
#define PROTO_SPAWNER_CHECK_H

#include "base/status.h"
#include "proto/spawner.pb-c.h"

enum status spawner_message_check(const Lapwing__SpawnerMessage *message, struct err *err);
enum status pools_check(const Lapwing__Pools *pools, struct err *err);

#endif
