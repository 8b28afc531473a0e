/* Router namespace, uplink and address translation, see network.h.
 *
 * Places in the subnet, counted from its first address:
 *
 *   1  gateway of all environments, on the router's lo
 *   2  router's end of the uplink (up0)          3  host's end (lwu-XXXXXXXX)
 *   16 and up: one an environment, routed to its own interface eN
 *
 * The host keeps three things of ours: the uplink, which vanishes with the router's namespace, the
 * nftables table lapwing-INSTANCE, and forwarding on the interfaces that the traffic takes. */
#include "worker/spawner/router.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/netlink.h"
#include "worker/spawner/nft.h"

enum {
    PLACE_GATEWAY = 1,
    PLACE_ROUTER = 2,
    PLACE_HOST = 3,
    PLACE_FIRST = 16,
    ROUTES_MAX = 8,
    /* Connections that one environment has open or that UDP is remembered for.  The host's table of
     * them is everybody's, often 262144 entries, and full it drops packets of the cluster, too. */
    CONNECTIONS_MAX = 2048,
};

/* Never a destination outside: this network, loopback, link-local (the cloud's metadata service is
 * there), multicast and reserved addresses. */
static const char never[] = "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3";

static uint32_t at(const struct network *network, uint32_t place)
{
    return network->config->subnet.address + place;
}

uint32_t router_places(const struct spawner_config *config)
{
    uint32_t broadcast = UINT32_MAX >> config->subnet.prefix;

    return broadcast - PLACE_FIRST;
}

static void append_network(struct buf *out, struct ipv4_network network)
{
    uint32_t a = network.address;

    buf_printf(out, "%u.%u.%u.%u/%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255,
               network.prefix);
}

static void append_networks(struct buf *out, const struct ipv4_networks *networks)
{
    for (uint32_t i = 0; i < networks->count; i++) {
        buf_append_text(out, i == 0 ? "" : ", ");
        append_network(out, networks->list[i]);
    }
}

/* Interface names have 15 characters and instances 31: a hash (FNV-1a) stands for the name. */
static void uplink_name(const char *instance, char out[16])
{
    uint32_t hash = 2166136261u;

    for (const char *c = instance; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    (void)snprintf(out, 16, "lwu-%08x", hash);
}

/* In the router: from environments only to the uplink, and never to what is refused; back only what
 * answers them.  Environments do not reach each other, nor the router itself. */
static enum status load_router_rules(const struct network *network, bool count, struct err *err)
{
    const struct spawner_config *config = network->config;
    struct buf rules = { 0 };
    enum status st;

    buf_append_text(&rules, "table inet lapwing {\n");
    if (count)
        buf_append_text(&rules, " set open { type ipv4_addr; size 65535; flags dynamic; }\n");
    buf_printf(&rules,
               " chain input { type filter hook input priority 0; policy drop;\n"
               "  iifname \"lo\" accept\n"
               "  iifname \"e*\" reject\n"
               " }\n"
               " chain forward { type filter hook forward priority 0; policy drop;\n"
               "  iifname \"up0\" oifname \"e*\" ct state established,related accept\n"
               "  ip daddr { %s, ",
               never);
    append_network(&rules, config->subnet);
    buf_append_text(&rules, config->refused.count > 0 ? ", " : "");
    append_networks(&rules, &config->refused);
    buf_append_text(&rules, " } reject\n");
    if (count)
        buf_printf(&rules,
                   "  iifname \"e*\" ct state new add @open { ip saddr ct count over %d } reject\n",
                   CONNECTIONS_MAX);
    buf_append_text(&rules, "  iifname \"e*\" oifname \"up0\" ip daddr { ");
    append_networks(&rules, &config->allowed);
    buf_append_text(&rules, " } accept\n"
                            "  iifname \"e*\" reject\n"
                            " }\n"
                            "}\n");
    st = nft_load(buf_view(&rules), err);
    buf_done(&rules);
    return st;
}

/* Not all kernels can count connections: then they are not bounded, which is said. */
static enum status set_router_rules(const struct network *network, struct err *err)
{
    struct err why = { 0 };

    if (load_router_rules(network, true, &why) == ST_OK)
        return ST_OK;
    log_event(LOG_WARN, "connections_not_counted", LS("why", why.text),
              LS("then", "a function may fill the host's table of connections"));
    return load_router_rules(network, false, err);
}

/* Default routes of the host: the interfaces that traffic for the outside takes. */
struct routes {
    unsigned count;
    char names[ROUTES_MAX][16];
};

static void routes_read(struct routes *out)
{
    FILE *file = fopen("/proc/net/route", "re");
    char line[256];
    char name[16];
    unsigned long destination;
    unsigned long mask;

    out->count = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL && out->count < ROUTES_MAX)
        if (sscanf(line, "%15s %lx %*s %*s %*s %*s %*s %lx", name, &destination, &mask) == 3 &&
            destination == 0 && mask == 0)
            memcpy(out->names[out->count++], name, sizeof name);
    if (file != NULL)
        (void)fclose(file);
}

/* On the host: what comes from the uplink may go outside but not to the host, by whatever address
 * or translated port, and leaves under the host's own address.
 *
 * guard   interfaces on which we had to switch forwarding on: the host must not become a router for
 *         strangers by that, so nothing else may be forwarded from there */
static enum status load_host_rules(const struct network *network,
                                   const struct routes *guard,
                                   struct err *err)
{
    const char *up = network->uplink;
    struct buf rules = { 0 };
    enum status st;

    buf_printf(&rules,
               "table inet lapwing-%s {\n"
               " chain first { type filter hook prerouting priority -300;\n"
               "  iifname \"%s\" fib daddr type local notrack\n" /* so that no port is translated */
               " }\n"
               " chain input { type filter hook input priority -10;\n"
               "  iifname \"%s\" reject\n"
               " }\n"
               " chain forward { type filter hook forward priority -10;\n",
               network->config->instance, up, up);
    buf_printf(&rules, "  iifname \"%s\" ip saddr != ", up);
    append_network(&rules, network->config->subnet);
    buf_printf(&rules, " drop\n  iifname \"%s\" meta nfproto != ipv4 drop\n", up);
    buf_printf(&rules, "  oifname \"%s\" ct state established,related accept\n", up);
    buf_printf(&rules, "  oifname \"%s\" drop\n", up);
    for (unsigned i = 0; i < guard->count; i++)
        buf_printf(&rules, "  iifname \"%s\" ct state new ct status != dnat drop\n",
                   guard->names[i]);
    buf_append_text(&rules, " }\n chain last { type nat hook postrouting priority 100;\n"
                            "  ip saddr ");
    append_network(&rules, network->config->subnet);
    buf_printf(&rules, " oifname != \"%s\" masquerade\n }\n}\n", up);
    st = nft_load(buf_view(&rules), err);
    buf_done(&rules);
    return st;
}

static enum status set_forwarding(const char *name, struct err *err)
{
    char path[96];
    struct err why = { 0 };

    (void)snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", name);
    if (file_read_u64(AT_FDCWD, path, 0) == 1)
        return ST_OK;
    if (file_write(AT_FDCWD, path, "1", &why) != ST_OK)
        return err_set(err, ST_DENIED,
                       "this host does not forward packets on %s and it cannot be "
                       "switched on: sysctl net.ipv4.conf.%s.forwarding=1",
                       name, name);
    return ST_OK;
}

static enum status open_host_side(struct network *network, struct err *err)
{
    struct routes routes;
    struct routes guard = { 0 };
    enum status st;

    routes_read(&routes);
    if (routes.count == 0)
        return err_set(err, ST_UNAVAILABLE, "this host has no default route");
    if (file_read_u64(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 0) == 0)
        guard = routes;
    /* Rules before forwarding: there is no moment without them. */
    st = load_host_rules(network, &guard, err);
    for (unsigned i = 0; i < guard.count && st == ST_OK; i++)
        st = set_forwarding(guard.names[i], err);
    return st == ST_OK ? set_forwarding(network->uplink, err) : st;
}

/* Of interfaces made from now on in the current namespace.  IPv6 is not routed, and its addresses,
 * groups and their reports cost each environment 0.2 ms.  Where the kernel has no IPv6 there is
 * nothing to do. */
static void switch_ipv6_off(void)
{
    (void)file_write(AT_FDCWD, "/proc/sys/net/ipv6/conf/default/disable_ipv6", "1", NULL);
}

/* The router's namespace is current. */
static enum status configure_router(struct network *network, struct err *err)
{
    int link = network->router_link;
    uint32_t lo = 0;
    uint32_t up = 0;
    enum status st = netlink_index(link, "lo", &lo, err);

    switch_ipv6_off();
    if (st == ST_OK)
        st = netlink_up(link, lo, err);
    if (st == ST_OK)
        st = netlink_address(link, lo, at(network, PLACE_GATEWAY), 0, err);
    if (st == ST_OK)
        st = netlink_veth(link, "up0", network->uplink, network->host, err);
    if (st == ST_OK)
        st = netlink_index(link, "up0", &up, err);
    if (st == ST_OK)
        st = netlink_up(link, up, err);
    if (st == ST_OK)
        st = netlink_address(link, up, at(network, PLACE_ROUTER), at(network, PLACE_HOST), err);
    if (st == ST_OK)
        st = netlink_route(link, up, 0, 0, at(network, PLACE_HOST), err);
    if (st == ST_OK)
        st = file_write(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", "1", err);
    /* An environment sends under its own address or not at all. */
    if (st == ST_OK)
        st = file_write(AT_FDCWD, "/proc/sys/net/ipv4/conf/all/rp_filter", "1", err);
    if (st == ST_OK)
        st = set_router_rules(network, err);
    return st;
}

static enum status connect_host(struct network *network, struct err *err)
{
    AUTO_CLOSE int link = -1;
    uint32_t up = 0;
    enum status st = netlink_open(NETLINK_ROUTE, &link, err);

    if (st == ST_OK)
        st = netlink_index(link, network->uplink, &up, err);
    if (st == ST_OK)
        st = netlink_up(link, up, err);
    if (st == ST_OK)
        st = netlink_address(link, up, at(network, PLACE_HOST), at(network, PLACE_ROUTER), err);
    if (st == ST_OK)
        st = netlink_route(link, up, network->config->subnet.address,
                           network->config->subnet.prefix, at(network, PLACE_ROUTER), err);
    return st;
}

enum status router_open(struct network *network, struct err *err)
{
    enum status st = ST_OK;

    uplink_name(network->config->instance, network->uplink);
    if (unshare(CLONE_NEWNET) < 0)
        return err_set_errno(err, ST_DENIED, errno, "make the router's network namespace");
    network->router = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network->router < 0)
        st = err_set_errno(err, ST_IO, errno, "open the router's network namespace");
    if (st == ST_OK)
        st = netlink_open(NETLINK_ROUTE, &network->router_link, err);
    if (st == ST_OK)
        st = configure_router(network, err);
    CHECK(setns(network->host, CLONE_NEWNET) == 0);
    if (st == ST_OK)
        st = connect_host(network, err);
    if (st == ST_OK)
        st = open_host_side(network, err);
    return st;
}

/* A free place, its interface made.  An interface stays until the kernel has taken its namespace
 * apart, so a place that was used just now may still be taken: the next is tried. */
static enum status make_leg(
    struct network *network, int link, uint32_t *out_place, char leg[16], struct err *err)
{
    enum status st = ST_EXISTS;
    uint32_t place = network->place_last;
    uint32_t places = router_places(network->config);

    for (uint32_t tries = 0; tries < places && st == ST_EXISTS; tries++) {
        place++;
        if (place < PLACE_FIRST || place >= PLACE_FIRST + places)
            place = PLACE_FIRST;
        (void)snprintf(leg, 16, "e%u", place);
        st = netlink_veth(link, "eth0", leg, network->router, err);
    }
    network->place_last = place;
    if (st == ST_OK)
        *out_place = place;
    return st;
}

enum status router_connect(struct network *network, int link, uint32_t *out_place, struct err *err)
{
    uint32_t gateway = at(network, PLACE_GATEWAY);
    uint32_t place = 0;
    uint32_t eth0 = 0;
    uint32_t other = 0;
    char leg[16];
    enum status st = make_leg(network, link, &place, leg, err);

    if (st == ST_OK)
        st = netlink_index(link, "eth0", &eth0, err);
    if (st == ST_OK) /* its sysctls would do, but are slow to find among those of many namespaces */
        st = netlink_up_ipv4(link, eth0, err);
    if (st == ST_OK)
        st = netlink_address(link, eth0, at(network, place), 0, err);
    if (st == ST_OK)
        st = netlink_route(link, eth0, gateway, 32, 0, err);
    if (st == ST_OK)
        st = netlink_route(link, eth0, 0, 0, gateway, err);
    if (st == ST_OK)
        st = netlink_index(network->router_link, leg, &other, err);
    if (st == ST_OK)
        st = netlink_up(network->router_link, other, err);
    if (st == ST_OK)
        st = netlink_route(network->router_link, other, at(network, place), 32, 0, err);
    if (st == ST_OK)
        *out_place = place;
    return st;
}

void network_clean(const char *instance)
{
    AUTO_CLOSE int link = -1;
    AUTO_CLOSE int filter = -1;
    char name[64];
    uint32_t index;

    (void)snprintf(name, sizeof name, "lapwing-%s", instance);
    if (netlink_open(NETLINK_NETFILTER, &filter, NULL) == ST_OK)
        (void)netlink_delete_table(filter, name, NULL);
    uplink_name(instance, name);
    if (netlink_open(NETLINK_ROUTE, &link, NULL) == ST_OK &&
        netlink_index(link, name, &index, NULL) == ST_OK)
        (void)netlink_delete(link, index, NULL);
}

void router_close(struct network *network)
{
    if (network->router < 0 && network->router_link < 0)
        return;
    network_clean(network->config->instance);
    close_quietly(&network->router_link);
    close_quietly(&network->router);
}
