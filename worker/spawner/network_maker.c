/* See network_maker.h. */
#include "worker/spawner/network_maker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"
#include "worker/spawner/netlink.h"
#include "worker/spawner/network.h"
#include "worker/spawner/packet.h"

enum { MADE_FDS = 1 + NETWORK_SOCKETS, KEPT_FDS = 3 };

/* What was made: the descriptors beside it are the namespace and its sockets. */
struct made {
    uint32_t status; /* enum status; no descriptors when it is not ST_OK */
    uint32_t place;
    char text[ERR_TEXT_BYTES];
};

/* Keep these three descriptors as numbers 3 and up, and nothing else but standard error: the others
 * would hold open what the spawner's end is to close. */
static int keep_only(int kept[KEPT_FDS])
{
    int low = STDERR_FILENO + 1;

    for (int i = 0; i < KEPT_FDS; i++) {
        if (kept[i] < 0)
            continue;
        kept[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, low + KEPT_FDS);
        if (kept[i] < 0)
            return -1;
    }
    for (int i = 0; i < KEPT_FDS; i++) {
        if (kept[i] < 0) {
            (void)close(low + i);
            continue;
        }
        if (dup3(kept[i], low + i, O_CLOEXEC) < 0)
            return -1;
        kept[i] = low + i;
    }
    return close_range((unsigned)(low + KEPT_FDS), ~0U, 0);
}

/* A socket of its own to the router: answers on the spawner's would go to whoever reads first. */
static enum status open_router_link(struct network *network, struct err *err)
{
    enum status st;

    network->router_link = -1;
    if (network->router < 0)
        return ST_OK;
    if (setns(network->router, CLONE_NEWNET) < 0)
        return err_set_errno(err, ST_IO, errno, "enter the router's network namespace");
    st = netlink_open(NETLINK_ROUTE, &network->router_link, err);
    CHECK(setns(network->host, CLONE_NEWNET) == 0);
    return st;
}

static enum status deliver(int socket, enum status st, struct netns *netns, const struct err *err)
{
    struct made made = { .status = st, .place = netns->place };
    int fds[MADE_FDS] = { netns->fd };

    memcpy(fds + 1, netns->sockets, sizeof netns->sockets);
    if (st != ST_OK)
        memcpy(made.text, err->text, sizeof made.text);
    return packet_send(socket, bytes_of((const uint8_t *)&made, sizeof made), fds,
                       st == ST_OK ? MADE_FDS : 0, NULL);
}

static _Noreturn void run(struct network *network, int socket)
{
    int kept[KEPT_FDS] = { socket, network->host, network->router };
    struct err err = { 0 };
    char order;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_NAME, "lapwing-netns");
    (void)setpriority(PRIO_PROCESS, 0, MAKER_NICE);
    if (keep_only(kept) < 0)
        _exit(1);
    network->host = kept[1];
    network->router = kept[2];
    if (open_router_link(network, &err) != ST_OK)
        _exit(1);
    /* The spawner's end, or its death, ends this. */
    while (recv(kept[0], &order, sizeof order, 0) > 0) {
        struct netns netns = { .fd = -1 };
        enum status st = network_create(network, &netns, &err);

        if (deliver(kept[0], st, &netns, &err) != ST_OK)
            break;
        if (st == ST_OK)
            network_drop(&netns);
    }
    _exit(0);
}

static enum status start(struct network_maker *maker,
                         const struct network *network,
                         struct err *err)
{
    int pair[2];

    if (maker->starts == MAKER_STARTS_MAX)
        return err_set(err, ST_LIMIT, "the maker of network namespaces was lost %d times",
                       MAKER_STARTS_MAX);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set_errno(err, ST_IO, errno, "make a socket pair");
    maker->starts++;
    maker->pid = fork();
    if (maker->pid == 0) {
        struct network copy = *network;

        (void)close(pair[0]);
        run(&copy, pair[1]);
    }
    (void)close(pair[1]);
    if (maker->pid < 0) {
        (void)close(pair[0]);
        return err_set_errno(err, ST_IO, errno, "start the maker of network namespaces");
    }
    maker->socket = pair[0];
    maker->asked = 0;
    return ST_OK;
}

enum status network_maker_ask(struct network_maker *maker,
                              const struct network *network,
                              bool *out_started,
                              struct err *err)
{
    static const uint8_t order[1] = { 1 };
    enum status st = ST_OK;

    *out_started = maker->socket < 0;
    if (maker->socket < 0)
        st = start(maker, network, err);
    if (st == ST_OK)
        st = packet_send(maker->socket, bytes_of(order, sizeof order), NULL, 0, err);
    maker->asked += st == ST_OK;
    return st;
}

enum status network_maker_receive(struct network_maker *maker, struct netns *out, struct err *err)
{
    struct packet packet;
    struct made made;
    enum status st = packet_receive(maker->socket, (uint8_t *)&made, sizeof made, &packet, err);

    if (st != ST_OK && st != ST_CORRUPT)
        return st;
    CHECK(maker->asked > 0);
    maker->asked--;
    if (st == ST_CORRUPT) /* its messages are of one size */
        return err_set(err, ST_LIMIT, "no descriptors are left for a network namespace");
    CHECK(packet.len == sizeof made);
    if (made.status != ST_OK)
        return err_set(err, (enum status)made.status, "%s", made.text);
    CHECK(packet.fd_count == MADE_FDS);
    out->fd = packet.fds[0];
    out->place = made.place;
    memcpy(out->sockets, packet.fds + 1, sizeof out->sockets);
    return ST_OK;
}

void network_maker_stop(struct network_maker *maker)
{
    if (maker->socket < 0)
        return;
    close_quietly(&maker->socket);
    (void)kill(maker->pid,
               SIGKILL); /* where it waits in the kernel, the end of its socket is not seen */
    while (waitpid(maker->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    maker->asked = 0;
}
