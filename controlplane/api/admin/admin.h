/* Our own API, /_lapwing/v1/..., signed with the service name "lapwing". */
#ifndef CONTROLPLANE_API_ADMIN_ADMIN_H
#define CONTROLPLANE_API_ADMIN_ADMIN_H

#include "controlplane/api/call/call.h"

const struct api_operation *admin_operation_find(struct api_call *call, struct api_error *error);

void admin_status(struct api_call *call);
void admin_runtimes(struct api_call *call);
void admin_metrics(struct api_call *call);
void admin_logs(struct api_call *call);
void admin_nodes(struct api_call *call);
void admin_node_add(struct api_call *call);
void admin_node_remove(struct api_call *call);
void admin_node_lead(struct api_call *call);

#endif
