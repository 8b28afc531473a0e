/* One invocation, from accepted request to answered client: the driver of invocation_plan.h. */
#ifndef CONTROLPLANE_DISPATCH_INVOCATION_H
#define CONTROLPLANE_DISPATCH_INVOCATION_H

#include <stddef.h>

/* The size of its objects, for the pool; started by dispatch_invoke(). */
size_t invocation_bytes(void);

#endif
