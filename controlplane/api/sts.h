/* STS: the one operation that every client asks for. */
#ifndef CONTROLPLANE_API_STS_H
#define CONTROLPLANE_API_STS_H

#include "controlplane/api/call/call.h"

/* NULL with `error` filled when the action is not GetCallerIdentity. */
const struct api_operation *sts_operation_find(struct api_call *call, struct api_error *error);

#endif
