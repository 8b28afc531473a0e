/* See link_rules.h. */
#include "base/link_rules.h"

#include <stddef.h>

#include "base/check.h"
#include "base/stream_service.h"

enum {
    CONTROLPLANE = LINK_ROLE(NODE_ROLE_CONTROLPLANE),
    OBJSTORE = LINK_ROLE(NODE_ROLE_OBJSTORE),
    WORKER = LINK_ROLE(NODE_ROLE_WORKER),
};

static const struct {
    enum stream_service service;
    unsigned dialers;
    unsigned acceptors;
} rules[] = {
    { STREAM_RAFT_CONTROL, CONTROLPLANE, CONTROLPLANE },
    { STREAM_RAFT_STORAGE, CONTROLPLANE, CONTROLPLANE },
    { STREAM_STATE, OBJSTORE, CONTROLPLANE },
    { STREAM_BLOB, OBJSTORE, OBJSTORE },
    { STREAM_INVOKE, CONTROLPLANE, WORKER },
    { STREAM_REGISTER, WORKER, CONTROLPLANE },
};

unsigned link_roles(uint32_t service, enum link_side side)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].service == service)
            return side == LINK_DIALER ? rules[i].dialers : rules[i].acceptors;
    return 0;
}
