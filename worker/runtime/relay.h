/* A TCP relay: whatever connects to a listener inside an environment is joined to one of a few
 * addresses outside, the next one being tried when one cannot be reached.
 *
 * Used for the public API (169.254.100.1:4566 inside) and for DNS over TCP.  Bytes are not looked
 * at, but encrypted on the way to a target that wants it; a direction holds one buffer and stops
 * reading while the other side does not take it.  Loop thread. */
#ifndef WORKER_RUNTIME_RELAY_H
#define WORKER_RUNTIME_RELAY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/status.h"

enum { RELAY_TARGETS_MAX = 16, RELAY_CONNECTIONS_MAX = 64, RELAY_BUFFER_BYTES = 32768 };

struct ssl_ctx_st;

struct relay_targets {
    size_t count;
    struct sockaddr_storage list[RELAY_TARGETS_MAX];
    bool https[RELAY_TARGETS_MAX]; /* TLS is spoken to it; inside it stays plain */
    struct ssl_ctx_st *trust;      /* for those: whom to believe (base/https.h) */
    const char *peer_name;         /* that their certificates have; NULL: the address dialled */
};

struct relay; /* freed by itself after relay_close() */

/* Takes `fd`, a listening socket, also on failure.  `targets` is borrowed for the relay's life. */
enum status relay_start(uv_loop_t *loop,
                        int fd,
                        const struct relay_targets *targets,
                        struct relay **out_relay,
                        struct err *err);
/* Ends every connection; NULL is harmless. */
void relay_close(struct relay *relay);

#endif
