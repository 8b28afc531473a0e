/* Packets with descriptors on a SOCK_SEQPACKET socket; used at both ends of the agent's talk with
 * the spawner. */
#ifndef WORKER_SPAWNER_PACKET_H
#define WORKER_SPAWNER_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

enum { PACKET_FDS_MAX = 8 };

/* Send `body` as one packet with `fd_count` descriptors, which stay open here.  ST_LIMIT: the
 * socket is full and nothing was sent.  ST_UNAVAILABLE: the other end is closed. */
enum status packet_send(
    int fd, struct bytes body, const int *fds, size_t fd_count, struct err *err);

/* A received packet; the descriptors (close-on-exec) belong to whoever received it. */
struct packet {
    size_t len;
    size_t fd_count;
    int fds[PACKET_FDS_MAX];
};

/* Receive one packet of at most `capacity` bytes into `body`.  ST_NOT_FOUND: nothing is waiting.
 * ST_UNAVAILABLE: closed.  ST_CORRUPT: the packet did not fit and is gone, its descriptors closed.
 */
enum status packet_receive(
    int fd, uint8_t *body, size_t capacity, struct packet *out, struct err *err);

#endif
