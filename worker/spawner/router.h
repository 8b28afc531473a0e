/* The router namespace and its uplink: the part of network.h that touches the host. */
#ifndef WORKER_SPAWNER_ROUTER_H
#define WORKER_SPAWNER_ROUTER_H

#include "base/status.h"
#include "worker/spawner/network.h"

/* Make the namespace, the uplink, addresses, routes and rules; the host's network is current and is
 * so again afterwards.  Not ST_OK: `err` says what the host lacks; call router_close(). */
enum status router_open(struct network *network, struct err *err);

/* Give the current (new) namespace, whose netlink socket is `link`, an eth0 connected to the
 * router. `out_place` is its place in the subnet. */
enum status router_connect(struct network *network, int link, uint32_t *out_place, struct err *err);

/* How many environments have room in the subnet: 1007 in the smallest, a /22. */
uint32_t router_places(const struct spawner_config *config);

void router_close(struct network *network);

#endif
