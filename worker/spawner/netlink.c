/* Network configuration by netlink, see netlink.h.  Message formats: rtnetlink(7) and the kernel's
 * linux/netfilter/nf_tables.h. */
#include "worker/spawner/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

enum { REQUEST_BYTES = 512 };

/* A request under construction; 512 bytes hold the largest of ours three times. */
union request {
    struct nlmsghdr head;
    char bytes[REQUEST_BYTES];
};

static void *append(union request *req, size_t len)
{
    size_t at = NLMSG_ALIGN(req->head.nlmsg_len);

    CHECK(at + len <= REQUEST_BYTES);
    req->head.nlmsg_len = (uint32_t)(at + len);
    return req->bytes + at;
}

static struct rtattr *attribute(union request *req, uint16_t type, const void *data, size_t len)
{
    struct rtattr *attr = append(req, RTA_LENGTH(len));

    attr->rta_type = type;
    attr->rta_len = (uint16_t)RTA_LENGTH(len);
    if (len > 0)
        memcpy(RTA_DATA(attr), data, len);
    return attr;
}

static void attribute_text(union request *req, uint16_t type, const char *text)
{
    (void)attribute(req, type, text, strlen(text) + 1);
}

static void attribute_u32(union request *req, uint16_t type, uint32_t value)
{
    (void)attribute(req, type, &value, sizeof value);
}

/* An attribute that holds others ends where the request ends now. */
static void attribute_end(union request *req, struct rtattr *attr)
{
    attr->rta_len = (uint16_t)(req->bytes + req->head.nlmsg_len - (char *)attr);
}

static void *begin(union request *req, uint16_t type, uint16_t flags, size_t body)
{
    memset(req, 0, sizeof *req);
    req->head.nlmsg_type = type;
    req->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    req->head.nlmsg_len = NLMSG_HDRLEN;
    return append(req, body);
}

/* Read answers until an acknowledgement; sets errno and returns -1 when the kernel said no. */
static int acknowledged(int fd)
{
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;

    for (;;) {
        ssize_t got = recv(fd, &answer, sizeof answer, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
            answer.head.nlmsg_type != NLMSG_ERROR)
            continue;
        const struct nlmsgerr *error = NLMSG_DATA(&answer.head);
        errno = -error->error;
        return error->error == 0 ? 0 : -1;
    }
}

static int ask(int fd, const union request *req)
{
    if (send(fd, req, req->head.nlmsg_len, 0) < 0)
        return -1;
    return acknowledged(fd);
}

enum status netlink_open(int family, int *out_fd, struct err *err)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open a netlink socket");
    *out_fd = fd;
    return ST_OK;
}

static struct ifinfomsg *begin_link(union request *req, uint16_t type, uint16_t flags)
{
    struct ifinfomsg *link = begin(req, type, flags, sizeof *link);

    link->ifi_family = AF_UNSPEC;
    return link;
}

/* Left alone, each end gets a pair of queues for every processor of the host, and each queue its
 * objects in /sys, made and taken apart with it. */
static void attribute_queues(union request *req)
{
    attribute_u32(req, IFLA_NUM_TX_QUEUES, 1);
    attribute_u32(req, IFLA_NUM_RX_QUEUES, 1);
}

enum status netlink_veth(
    int fd, const char *name, const char *peer, int peer_netns, struct err *err)
{
    union request req;

    (void)begin_link(&req, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    attribute_text(&req, IFLA_IFNAME, name);
    attribute_queues(&req);
    struct rtattr *info = attribute(&req, IFLA_LINKINFO, NULL, 0);
    attribute_text(&req, IFLA_INFO_KIND, "veth");
    struct rtattr *data = attribute(&req, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *other = attribute(&req, VETH_INFO_PEER, NULL, 0);
    struct ifinfomsg *peer_link = append(&req, sizeof *peer_link);
    *peer_link = (struct ifinfomsg){ 0 };
    attribute_text(&req, IFLA_IFNAME, peer);
    attribute_queues(&req);
    attribute_u32(&req, IFLA_NET_NS_FD, (uint32_t)peer_netns);
    attribute_end(&req, other);
    attribute_end(&req, data);
    attribute_end(&req, info);
    if (ask(fd, &req) < 0)
        return err_set_errno(err, errno == EEXIST ? ST_EXISTS : ST_IO, errno,
                             "make interfaces %s and %s", name, peer);
    return ST_OK;
}

enum status netlink_index(int fd, const char *name, uint32_t *out_index, struct err *err)
{
    struct ifreq ifr = { 0 };

    CHECK(strlen(name) < IFNAMSIZ);
    strcpy(ifr.ifr_name, name);
    if (ioctl(fd, SIOCGIFINDEX, &ifr) < 0)
        return err_set_errno(err, ST_NOT_FOUND, errno, "look for interface %s", name);
    *out_index = (uint32_t)ifr.ifr_ifindex;
    return ST_OK;
}

enum status netlink_up(int fd, uint32_t index, struct err *err)
{
    union request req;
    struct ifinfomsg *link = begin_link(&req, RTM_NEWLINK, 0);

    link->ifi_index = (int)index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    if (ask(fd, &req) < 0)
        return err_set_errno(err, ST_IO, errno, "set interface %u up", index);
    return ST_OK;
}

enum status netlink_up_ipv4(int fd, uint32_t index, struct err *err)
{
    uint8_t none = IN6_ADDR_GEN_MODE_NONE;
    union request req;
    struct ifinfomsg *link = begin_link(&req, RTM_NEWLINK, 0);

    link->ifi_index = (int)index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    struct rtattr *families = attribute(&req, IFLA_AF_SPEC, NULL, 0);
    struct rtattr *ipv6 = attribute(&req, AF_INET6, NULL, 0);
    (void)attribute(&req, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
    attribute_end(&req, ipv6);
    attribute_end(&req, families);
    if (ask(fd, &req) < 0)
        return netlink_up(fd, index, err); /* a kernel without IPv6 knows no such family */
    return ST_OK;
}

enum status netlink_delete(int fd, uint32_t index, struct err *err)
{
    union request req;
    struct ifinfomsg *link = begin_link(&req, RTM_DELLINK, 0);

    link->ifi_index = (int)index;
    if (ask(fd, &req) < 0)
        return err_set_errno(err, errno == ENODEV ? ST_NOT_FOUND : ST_IO, errno,
                             "delete interface %u", index);
    return ST_OK;
}

enum status netlink_address(
    int fd, uint32_t index, uint32_t address, uint32_t peer, struct err *err)
{
    union request req;
    struct ifaddrmsg *msg = begin(&req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *msg);

    *msg = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = index };
    attribute_u32(&req, IFA_LOCAL, htonl(address));
    attribute_u32(&req, IFA_ADDRESS, htonl(peer != 0 ? peer : address));
    if (ask(fd, &req) < 0)
        return err_set_errno(err, ST_IO, errno, "add an address to interface %u", index);
    return ST_OK;
}

enum status netlink_route(int fd,
                          uint32_t index,
                          uint32_t destination,
                          uint32_t prefix,
                          uint32_t gateway,
                          struct err *err)
{
    union request req;
    struct rtmsg *msg = begin(&req, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof *msg);

    *msg = (struct rtmsg){ .rtm_family = AF_INET,
                           .rtm_dst_len = (unsigned char)prefix,
                           .rtm_table = RT_TABLE_MAIN,
                           .rtm_protocol = RTPROT_STATIC,
                           .rtm_scope = gateway != 0 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                           .rtm_type = RTN_UNICAST };
    if (prefix > 0)
        attribute_u32(&req, RTA_DST, htonl(destination));
    if (gateway != 0)
        attribute_u32(&req, RTA_GATEWAY, htonl(gateway));
    attribute_u32(&req, RTA_OIF, index);
    if (ask(fd, &req) < 0)
        return err_set_errno(err, ST_IO, errno, "add a route on interface %u", index);
    return ST_OK;
}

static void batch_part(char *bytes, size_t *at, uint16_t type)
{
    union request req;
    struct nfgenmsg *msg = begin(&req, type, 0, sizeof *msg);

    req.head.nlmsg_flags = NLM_F_REQUEST; /* answers to these would hide the one that counts */
    msg->res_id = htons(NFNL_SUBSYS_NFTABLES);
    memcpy(bytes + *at, &req, req.head.nlmsg_len);
    *at += NLMSG_ALIGN(req.head.nlmsg_len);
}

enum status netlink_delete_table(int fd, const char *table, struct err *err)
{
    char bytes[3 * REQUEST_BYTES];
    size_t at = 0;
    union request req;
    struct nfgenmsg *msg;

    /* nftables takes changes only in a transaction: begin, change, end. */
    batch_part(bytes, &at, NFNL_MSG_BATCH_BEGIN);
    msg = begin(&req, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, sizeof *msg);
    msg->nfgen_family = 1; /* NFPROTO_INET */
    attribute_text(&req, NFTA_TABLE_NAME, table);
    memcpy(bytes + at, &req, req.head.nlmsg_len);
    at += NLMSG_ALIGN(req.head.nlmsg_len);
    batch_part(bytes, &at, NFNL_MSG_BATCH_END);
    if (send(fd, bytes, at, 0) < 0 || acknowledged(fd) < 0)
        return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno,
                             "delete nftables table %s", table);
    return ST_OK;
}
