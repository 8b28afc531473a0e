/* What is told of the control plane's nodes: rows and both groups, put together.
 *
 *   joining   shall be a member, and is not in both groups or has not all of the log yet
 *   standby   takes the log of both groups, and enough others vote
 *   voter     votes in both groups
 *   leaving   shall be no member any more, and is in a group still
 *   removed   in none
 *
 * Pure. */
#ifndef CONTROLPLANE_API_ADMIN_NODES_RULES_H
#define CONTROLPLANE_API_ADMIN_NODES_RULES_H

#include <jansson.h>
#include <stdbool.h>

#include "controlplane/replica/replica.h"
#include "controlplane/state/members.h"
#include "proto/command.pb-c.h"

/* The answer to GET nodes: {"nodes": [...], "settled": bool, "fresh": bool}.  Removed ones are left
 * out.  fresh: the rows are known to be the newest.  The caller owns the reference. */
json_t *nodes_json(const struct member_list *rows,
                   const struct replica_status *control,
                   const struct replica_status *storage,
                   bool fresh);

/* "joining" and so on; static. */
const char *nodes_state(const Lapwing__Member *row,
                        const struct replica_status *control,
                        const struct replica_status *storage);

/* Both groups are made of those that shall be members, and enough of them vote. */
bool nodes_settled(const struct member_list *rows,
                   const struct replica_status *control,
                   const struct replica_status *storage);

/* The body of POST nodes, {"node", "zone", "control_address", "storage_address", "replaces"}, as a
 * packed MemberAdd.  ST_BAD_INPUT names the field; one that is none of these is refused, too. */
enum status nodes_read_add(struct bytes body, struct buf *out, struct err *err);
/* The body of the others, {"id"}.  0 only if `optional`. */
enum status nodes_read_id(struct bytes body, bool optional, uint64_t *out, struct err *err);

#endif
