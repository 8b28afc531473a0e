/* Is this a command that a proposer of any release may send?
 *
 * All: the message is decoded and borrowed; err is filled on refusal with the field, what it was
 * and what is allowed.  ST_BAD_INPUT unless said otherwise.  O(bytes of the message); any thread.
 */
#ifndef PROTO_COMMAND_CHECK_H
#define PROTO_COMMAND_CHECK_H

#include "base/status.h"
#include "proto/command.pb-c.h"

/* The common fields only: client, sequence, acked, size of the body. */
enum status command_envelope_check(const Lapwing__Command *command, struct err *err);

/* The whole command: its common fields, and its body decoded and checked by its own function.
 * ST_UNSUPPORTED: a type or version that this release does not know.  Before a command is proposed,
 * always: one that cannot be decoded after it was committed stops every replica. */
enum status command_check(const Lapwing__Command *command, struct err *err);

/* Parts that other messages carry too. */
enum status function_check(const Lapwing__Function *function, struct err *err);
enum status outcome_check(const Lapwing__Outcome *outcome, struct err *err);

#endif
