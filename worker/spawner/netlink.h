/* The few requests to the kernel's network configuration that we need, each one round trip.
 *
 * A socket belongs for good to the network namespace that was current when it was opened.
 * Addresses are IPv4 in host byte order. */
#ifndef WORKER_SPAWNER_NETLINK_H
#define WORKER_SPAWNER_NETLINK_H

#include <stdint.h>

#include "base/status.h"

/* Open a socket in the current network namespace; `family` is NETLINK_ROUTE or NETLINK_NETFILTER.
 */
enum status netlink_open(int family, int *out_fd, struct err *err);

/* Make a pair of virtual Ethernet interfaces, both down: `name` here, `peer` in `peer_netns`. */
enum status netlink_veth(
    int fd, const char *name, const char *peer, int peer_netns, struct err *err);

/* Number of an interface in the socket's namespace; ST_NOT_FOUND. */
enum status netlink_index(int fd, const char *name, uint32_t *out_index, struct err *err);

enum status netlink_up(int fd, uint32_t index, struct err *err);
/* The same, and it makes itself no IPv6 address; the other end must still be down. */
enum status netlink_up_ipv4(int fd, uint32_t index, struct err *err);
enum status netlink_delete(int fd, uint32_t index, struct err *err);

/* Add `address` as /32; with `peer` not 0, the other end of a point-to-point link. */
enum status netlink_address(
    int fd, uint32_t index, uint32_t address, uint32_t peer, struct err *err);

/* Add a route: `destination`/`prefix` directly on the interface, or by `gateway` when not 0. */
enum status netlink_route(int fd,
                          uint32_t index,
                          uint32_t destination,
                          uint32_t prefix,
                          uint32_t gateway,
                          struct err *err);

/* Delete an nftables table of family inet with all it holds; ST_NOT_FOUND.  `fd` is of
 * NETLINK_NETFILTER. */
enum status netlink_delete_table(int fd, const char *table, struct err *err);

#endif
