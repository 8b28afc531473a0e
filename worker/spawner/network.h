/* Networks of environments: a router namespace a spawner, in it one leg of a veth pair for each
 * environment, and one uplink to the host, which translates addresses.
 *
 *   environment                router namespace                host
 *   lo  127.0.0.1              nft: only eN -> up0,            nft: nothing of ours may talk to
 *       169.254.100.1          never refused networks          the host itself; masquerade
 *   eth0 --------------------- eN      up0 -------------------- lwu-XXXXXXXX ---- outside
 *   one address of the subnet  gateway address
 *
 * Namespaces are made ahead (making one costs 0.3 to 1 ms) and used once.  Sockets that the agent
 * serves are made inside: it can answer in a namespace that it could never enter.  Without outbound
 * network there is no router and no veth, only lo. */
#ifndef WORKER_SPAWNER_NETWORK_H
#define WORKER_SPAWNER_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "worker/spawner/network_maker.h"
#include "worker/spawner/spawner_config.h"

enum { NETWORK_SOCKETS = 4 }; /* runtime, relay, DNS, DNS by TCP: enum spawner_fd without output */

/* One namespace, ready.  Owned by whom it was given to, until network_drop(). */
struct netns {
    int fd;
    int sockets[NETWORK_SOCKETS];
    uint32_t place; /* of its address in the subnet; 0: no outbound network */
};

struct network {
    const struct spawner_config *config; /* borrowed */
    int host;                            /* our own namespace */
    int router;                          /* -1: no outbound network */
    int router_link;                     /* netlink in the router */
    struct network_maker maker;          /* fills the pool */
    uint32_t pool_count;
    struct netns pool[NETNS_POOL_MAX];
    bool failing;        /* one could not be made ahead: not tried again before the next start */
    bool complained;     /* and that was logged since one could be */
    uint32_t place_last; /* addresses are handed out round robin, so that one rests for long */
    char uplink[16];     /* on the host */
};

/* Build router, uplink and rules.  Where the host does not allow outbound network, says why in one
 * log line and goes on without.  Call before rootfs_enter(): runs nft. */
enum status network_open(struct network *network,
                         const struct spawner_config *config,
                         struct err *err);

/* A namespace from the pool, or made now when that is empty (ST_IO). */
enum status network_take(struct network *network, struct netns *out, struct err *err);

/* Make one, in this thread: 1 ms. */
enum status network_create(struct network *network, struct netns *out, struct err *err);

/* Ask the maker for one more; network->maker.socket is to be watched from then on where
 * `out_started` says so.  False: there are enough with those under way, or it cannot be asked
 * (logged), or what was asked for last failed and nothing was started since. */
bool network_refill(struct network *network, bool *out_started);

/* Put what the maker has made into the pool.  False: the maker was lost (logged) and its socket is
 * closed. */
bool network_collect(struct network *network);

/* Close what is left of a namespace; the kernel takes it apart later. */
void network_drop(struct netns *netns);

/* Remove uplink and rules from the host. */
void network_close(struct network *network);

/* Remove what an instance may have left on this host: uplink and nftables table.  Harmless when
 * there is nothing. */
void network_clean(const char *instance);

#endif
