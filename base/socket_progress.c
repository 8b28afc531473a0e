/* TCP_INFO as the kernel has it.  A file of its own, because linux/tcp.h and the C library's
 * netinet/tcp.h (which lacks these counters, and which uv.h includes) exclude each other. */
#include "base/socket_progress.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

bool socket_progress(int fd, uint64_t *out_bytes)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    if (len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received)
        return false;
    *out_bytes = info.tcpi_bytes_acked + info.tcpi_bytes_received;
    return true;
}
