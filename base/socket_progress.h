/* How much a TCP connection has moved, from the kernel. */
#ifndef BASE_SOCKET_PROGRESS_H
#define BASE_SOCKET_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes that reached us plus bytes that the peer acknowledged, since the connection began.  False
 * for a socket that is not TCP.  One system call. */
bool socket_progress(int fd, uint64_t *out_bytes);

/* Did the peer send more than the end of its stream?  False where the socket is not TCP. */
bool socket_received_anything(int fd);

#endif
