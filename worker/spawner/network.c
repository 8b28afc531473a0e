/* Namespaces of environments and their pool, see network.h.  What concerns router and host is in
 * router.c. */
#include "worker/spawner/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/netlink.h"
#include "worker/spawner/router.h"

enum { LISTEN_QUEUE = 128 };

#define SERVICE_ADDRESS 0xa9fe6401u /* 169.254.100.1 */

static const struct {
    uint32_t address;
    uint16_t port;
    int type;
} services[NETWORK_SOCKETS] = {
    { INADDR_LOOPBACK, 9001, SOCK_STREAM },
    { SERVICE_ADDRESS, 4566, SOCK_STREAM },
    { SERVICE_ADDRESS, 53, SOCK_DGRAM },
    { SERVICE_ADDRESS, 53, SOCK_STREAM },
};

static void netns_init(struct netns *netns)
{
    *netns = (struct netns){ .fd = -1 };
    for (int i = 0; i < NETWORK_SOCKETS; i++)
        netns->sockets[i] = -1;
}

void network_drop(struct netns *netns)
{
    close_quietly(&netns->fd);
    for (int i = 0; i < NETWORK_SOCKETS; i++)
        close_quietly(&netns->sockets[i]);
}

static enum status open_service(int which, int *out, struct err *err)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(services[which].port),
                                   .sin_addr.s_addr = htonl(services[which].address) };
    int fd = socket(AF_INET, services[which].type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "make a socket");
    *out = fd; /* closed by network_drop() also when what follows fails */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return err_set_errno(err, ST_IO, errno, "bind port %u inside", services[which].port);
    if (services[which].type == SOCK_STREAM && listen(fd, LISTEN_QUEUE) < 0)
        return err_set_errno(err, ST_IO, errno, "listen on port %u inside", services[which].port);
    return ST_OK;
}

static enum status configure_loopback(int link, struct err *err)
{
    uint32_t lo = 0;
    enum status st = netlink_index(link, "lo", &lo, err);

    if (st == ST_OK)
        st = netlink_up(link, lo, err);
    if (st == ST_OK)
        st = netlink_address(link, lo, SERVICE_ADDRESS, 0, err);
    return st;
}

/* The new namespace is current. */
static enum status configure(struct network *network, struct netns *netns, struct err *err)
{
    AUTO_CLOSE int link = -1;
    enum status st = netlink_open(NETLINK_ROUTE, &link, err);

    if (st == ST_OK)
        st = configure_loopback(link, err);
    if (st == ST_OK && network->router >= 0)
        st = router_connect(network, link, &netns->place, err);
    for (int i = 0; i < NETWORK_SOCKETS && st == ST_OK; i++)
        st = open_service(i, &netns->sockets[i], err);
    return st;
}

enum status network_create(struct network *network, struct netns *out, struct err *err)
{
    struct netns netns;
    enum status st = ST_OK;

    netns_init(&netns);
    if (unshare(CLONE_NEWNET) < 0)
        return err_set_errno(err, ST_IO, errno, "make a network namespace");
    netns.fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (netns.fd < 0)
        st = err_set_errno(err, ST_IO, errno, "open the new network namespace");
    if (st == ST_OK)
        st = configure(network, &netns, err);
    CHECK(setns(network->host, CLONE_NEWNET) == 0); /* we must not go on in a stranger's network */
    if (st != ST_OK) {
        network_drop(&netns);
        return st;
    }
    *out = netns;
    return ST_OK;
}

enum status network_open(struct network *network,
                         const struct spawner_config *config,
                         struct err *err)
{
    struct err why = { 0 };

    *network = (struct network){ .config = config, .router = -1, .router_link = -1 };
    network->maker.socket = -1;
    network->host = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network->host < 0)
        return err_set_errno(err, ST_IO, errno, "open our own network namespace");
    if (!config->outbound)
        return ST_OK;
    if (router_open(network, &why) != ST_OK) {
        log_event(LOG_WARN, "no_outbound_network", LS("why", why.text),
                  LS("then", "functions start without it"));
        router_close(network);
    }
    return ST_OK;
}

enum status network_take(struct network *network, struct netns *out, struct err *err)
{
    network->failing = false;
    if (network->pool_count == 0)
        return network_create(network, out, err);
    *out = network->pool[--network->pool_count];
    return ST_OK;
}

/* Of a maker that was lost another is tried soon: that has a limit of its own. */
static void fail(struct network *network, enum status st, const struct err *err)
{
    network->failing = st != ST_UNAVAILABLE;
    if (!network->complained)
        log_event(LOG_WARN, "network_not_prepared", LS("why", err->text),
                  LS("then", "made at the next start"));
    network->complained = true;
}

bool network_refill(struct network *network, bool *out_started)
{
    struct err err = { 0 };
    enum status st;

    *out_started = false;
    if (network->failing ||
        network->pool_count + network->maker.asked >= network->config->netns_pool)
        return false;
    st = network_maker_ask(&network->maker, network, out_started, &err);
    if (st == ST_OK) {
        /* Its addresses go on from ours; what we still make ourselves stays out of its way. */
        if (*out_started)
            network->place_last += router_places(network->config) / 2;
        return true;
    }
    fail(network, st, &err);
    return false;
}

bool network_collect(struct network *network)
{
    for (;;) {
        struct netns netns;
        struct err err = { 0 };
        enum status st;

        netns_init(&netns);
        st = network_maker_receive(&network->maker, &netns, &err);
        if (st == ST_NOT_FOUND)
            return true;
        if (st == ST_OK) {
            CHECK(network->pool_count < NETNS_POOL_MAX); /* no more were asked for */
            network->pool[network->pool_count++] = netns;
            network->complained = false;
            continue;
        }
        if (st == ST_UNAVAILABLE)
            (void)err_set(&err, st, "the maker of network namespaces ended, start %u of %d",
                          network->maker.starts, MAKER_STARTS_MAX);
        fail(network, st, &err);
        if (st == ST_UNAVAILABLE)
            return false;
    }
}

void network_close(struct network *network)
{
    network_maker_stop(&network->maker);
    while (network->pool_count > 0)
        network_drop(&network->pool[--network->pool_count]);
    router_close(network);
    close_quietly(&network->host);
}
