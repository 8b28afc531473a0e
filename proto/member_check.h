/* Checks of the commands about control-plane nodes.  As command_check.h says; pure. */
#ifndef PROTO_MEMBER_CHECK_H
#define PROTO_MEMBER_CHECK_H

#include "base/status.h"
#include "proto/command.pb-c.h"

/* One that an operator names: name, zone and two addresses; without an id, not removed. */
enum status member_add_check(const Lapwing__MemberAdd *add, struct err *err);
/* Those that the groups were made with: at least one, with ids, no name, id or address twice. */
enum status member_bootstrap_check(const Lapwing__MemberBootstrap *bootstrap, struct err *err);
enum status member_remove_check(const Lapwing__MemberRemove *remove, struct err *err);

#endif
