/* Packets with descriptors, see packet.h. */
#include "worker/spawner/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
};

enum status packet_send(int fd, struct bytes body, const int *fds, size_t fd_count, struct err *err)
{
    struct iovec iov = { .iov_base = (void *)(uintptr_t)body.data, .iov_len = body.len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    union control control = { 0 };

    CHECK(body.len > 0); /* an empty packet reads as the end of the stream */
    CHECK(fd_count <= PACKET_FDS_MAX);
    if (fd_count > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(head), fds, sizeof(int) * fd_count);
    }
    for (;;) {
        if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return ST_OK;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == ENOBUFS)
            return err_set(err, ST_LIMIT, "send packet: the socket is full");
        if (errno == EPIPE || errno == ECONNRESET)
            return err_set(err, ST_UNAVAILABLE, "send packet: the other end is closed");
        return err_set_errno(err, ST_IO, errno, "send packet of %zu bytes", body.len);
    }
}

/* Copy the descriptors out of `msg`.  The kernel may have cut the list; what came is ours to close.
 */
static size_t packet_take_fds(struct msghdr *msg, int fds[PACKET_FDS_MAX])
{
    size_t count = 0;

    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head != NULL; head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        CHECK(count + here <= PACKET_FDS_MAX); /* the control buffer holds no more */
        memcpy(fds + count, CMSG_DATA(head), here * sizeof(int));
        count += here;
    }
    return count;
}

enum status packet_receive(
    int fd, uint8_t *body, size_t capacity, struct packet *out, struct err *err)
{
    struct iovec iov = { .iov_base = body, .iov_len = capacity };
    union control control;
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof control.bytes };
    struct packet packet = { 0 };
    ssize_t got;

    do {
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return ST_NOT_FOUND;
    if (got < 0 && errno == ECONNRESET)
        return err_set(err, ST_UNAVAILABLE, "receive packet: the other end is closed");
    if (got < 0)
        return err_set_errno(err, ST_IO, errno, "receive packet");
    packet.fd_count = packet_take_fds(&msg, packet.fds);
    if (got > 0 && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
        packet.len = (size_t)got;
        *out = packet;
        return ST_OK;
    }
    for (size_t i = 0; i < packet.fd_count; i++)
        (void)close(packet.fds[i]);
    if (got == 0)
        return err_set(err, ST_UNAVAILABLE, "receive packet: the other end is closed");
    return err_set(err, ST_CORRUPT, "receive packet: larger than %zu bytes", capacity);
}
