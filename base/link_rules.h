/* Which programs may speak with which, by the role in their certificates.  Pure.
 *
 * A new service of stream.h is a row of the table in link_rules.c; a service without a row is
 * refused to everybody. */
#ifndef BASE_LINK_RULES_H
#define BASE_LINK_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/node_identity_rules.h"

/* Roles as a set of bits. */
#define LINK_ROLE(role) (1u << (role))

enum link_side { LINK_DIALER, LINK_ACCEPTOR };

/* The roles that may be on that side of a stream for `service` (enum stream_service). */
unsigned link_roles(uint32_t service, enum link_side side);

static inline bool link_roles_have(unsigned roles, enum node_role role)
{
    return role != NODE_ROLE_UNKNOWN && (roles & LINK_ROLE(role)) != 0;
}

#endif
