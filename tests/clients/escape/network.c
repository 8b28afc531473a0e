/* Attempts on the network's settings and on sockets of others; ports are tried by the Python half.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/clients/escape/attempt.h"

/* Made by the driver on the host. */
#define ABSTRACT_NAME "lapwing-escape"

static int internet_socket(int type)
{
    return socket(AF_INET, type | SOCK_CLOEXEC, 0);
}

static const char *abstract_socket_of_host(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, ABSTRACT_NAME, sizeof ABSTRACT_NAME - 1);
    return word_of(connect(fd, (struct sockaddr *)&address,
                           offsetof(struct sockaddr_un, sun_path) + sizeof ABSTRACT_NAME));
}

static const char *see_sockets(void)
{
    static const char *const paths[] = { "/proc/net/unix", "/proc/net/packet" };
    char line[256];
    unsigned lines = 0;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        FILE *file = fopen(paths[i], "re");

        while (file != NULL && fgets(line, sizeof line, file) != NULL)
            lines++;
        lines -= file != NULL; /* its heading */
        if (file != NULL)
            (void)fclose(file);
    }
    return lines == 0 ? "none" : "ok";
}

static const char *loopback_down(void)
{
    struct ifreq request = { .ifr_name = "lo" };

    return word_of(ioctl(internet_socket(SOCK_DGRAM), SIOCSIFFLAGS, &request));
}

static const char *take_address(void)
{
    struct ifreq request = { .ifr_name = "lo" };
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;

    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(0x7f000101);
    return word_of(ioctl(internet_socket(SOCK_DGRAM), SIOCSIFADDR, &request));
}

/* Ask by netlink; the word for the error in the answer. */
static const char *ask_netlink(struct nlmsghdr *message)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[1024];
    } answer;

    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    if (fd < 0 || send(fd, message, message->nlmsg_len, 0) < 0 ||
        recv(fd, &answer, sizeof answer, 0) < 0)
        return word_of(-1);
    if (answer.head.nlmsg_type != NLMSG_ERROR)
        return "ok";
    errno = -answer.error.error;
    return word_of(errno == 0 ? 0 : -1);
}

static const char *set_route(void)
{
    struct {
        struct nlmsghdr head;
        struct rtmsg route;
    } message = { .head = { .nlmsg_len = sizeof message, .nlmsg_type = RTM_NEWROUTE },
                  .route = { .rtm_family = AF_INET, .rtm_type = RTN_BLACKHOLE } };

    return ask_netlink(&message.head);
}

static const char *make_interface(void)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } message = { .head = { .nlmsg_len = sizeof message, .nlmsg_type = RTM_NEWLINK },
                  .link = { .ifi_family = AF_UNSPEC, .ifi_change = 1, .ifi_index = 0x7ffffff } };

    return ask_netlink(&message.head);
}

static const char *option(int type, int level, int name, int value)
{
    int fd = internet_socket(type);

    return word_of(setsockopt(fd, level, name, &value, sizeof value));
}

static const char *transparent(void)
{
    return option(SOCK_DGRAM, IPPROTO_IP, IP_TRANSPARENT, 1);
}

static const char *mark(void)
{
    return option(SOCK_DGRAM, SOL_SOCKET, SO_MARK, 7);
}

static const char *repair(void)
{
    return option(SOCK_STREAM, IPPROTO_TCP, TCP_REPAIR, 1);
}

static const char *large_buffers(void)
{
    return option(SOCK_DGRAM, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28);
}

/* Send under an address that is not ours. */
static const char *false_address(void)
{
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007109) };
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(9),
                              .sin_addr.s_addr = htonl(0xcb00710a) };
    int fd = internet_socket(SOCK_DGRAM);
    int one = 1;

    if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one) < 0 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return word_of(-1);
    return word_of(send(fd, "x", 1, 0));
}

static const char *low_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(81) };
    int fd = internet_socket(SOCK_STREAM);

    return word_of(bind(fd, (struct sockaddr *)&address, sizeof address));
}

static const char *filter_rules(void)
{
    char info[84];
    socklen_t len = sizeof info;

    return word_of(getsockopt(internet_socket(SOCK_DGRAM), IPPROTO_IP, 64, info, &len));
}

static const char *ping(void)
{
    return word_of(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP));
}

#define ROW(name, what, refused, function)                                                         \
    {                                                                                              \
        name, what, refused, NULL, CALL_NONE, { 0 }, function, false                               \
    }
#define INSIDE(name, what, refused, function)                                                      \
    {                                                                                              \
        name, what, refused, NULL, CALL_NONE, { 0 }, function, true                                \
    }

// clang-format off
static const struct attempt list[] = {
    ROW("abstract_socket_of_host", "connect to an abstract socket of the host", "ECONNREFUSED", abstract_socket_of_host),
    ROW("see_sockets", "list the host's unix and packet sockets", "none", see_sockets),
    INSIDE("loopback_down", "take lo down", "EPERM", loopback_down),
    INSIDE("take_address", "take another address", "EPERM", take_address),
    INSIDE("set_route", "set a route", "EPERM", set_route),
    ROW("make_interface", "make or change an interface", "EPERM", make_interface),
    ROW("transparent", "send under any address", "EPERM", transparent),
    ROW("mark", "mark packets for other routes", "EPERM", mark),
    ROW("repair", "make up the state of a connection", "EPERM", repair),
    ROW("large_buffers", "buffers beyond the limit", "EPERM", large_buffers),
    ROW("false_address", "send under an address that is not ours", "EINVAL ENETUNREACH EADDRNOTAVAIL EPERM", false_address),
    ROW("low_port", "listen on a port of the system's", "EACCES", low_port),
    ROW("filter_rules", "read packet filter rules", "EPERM ENOPROTOOPT", filter_rules),
    ROW("ping", "send echo requests", "EACCES EPERM EPROTONOSUPPORT ENOSYS", ping),
};
// clang-format on

const struct attempts attempts_on_network = { list, sizeof list / sizeof list[0] };
