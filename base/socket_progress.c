/* TCP_INFO as the kernel has it.  A file of its own, because linux/tcp.h and the C library's
 * netinet/tcp.h (which lacks these counters, and which uv.h includes) exclude each other. */
#include "base/socket_progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

static bool read_info(int fd, struct tcp_info *out)
{
    socklen_t len = sizeof *out;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, out, &len) < 0)
        return false;
    return len >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof out->tcpi_bytes_received;
}

bool socket_progress(int fd, uint64_t *out_bytes)
{
    struct tcp_info info;

    if (!read_info(fd, &info))
        return false;
    *out_bytes = info.tcpi_bytes_acked + info.tcpi_bytes_received;
    return true;
}

bool socket_received_anything(int fd)
{
    struct tcp_info info;

    /* The end of the peer's stream counts as one byte. */
    return read_info(fd, &info) && info.tcpi_bytes_received > 1;
}
