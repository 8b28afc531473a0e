/* The agent's side of the talk with lapwing-spawner: one request a packet out, one message a packet
 * in, descriptors beside it.
 *
 * Never blocks and has no loop of its own: put client->fd under a uv_poll_t for UV_READABLE and
 * call spawner_client_receive() until it says ST_NOT_FOUND.  One thread at a time. */
#ifndef WORKER_SPAWNER_SPAWNER_CLIENT_H
#define WORKER_SPAWNER_SPAWNER_CLIENT_H

#include <stddef.h>

#include "base/status.h"
#include "proto/spawner.pb-c.h"

enum {
    SPAWNER_MESSAGE_BYTES_MAX = 65536,
    SPAWNER_FDS_MAX = 5,
};

/* Descriptors of a successful spawn, by position in spawner_message.fds. */
enum spawner_fd {
    SPAWNER_FD_RUNTIME, /* listener, 127.0.0.1:9001 inside */
    SPAWNER_FD_RELAY,   /* listener, 169.254.100.1:4566 inside */
    SPAWNER_FD_DNS,     /* UDP socket, 169.254.100.1:53 inside */
    SPAWNER_FD_OUTPUT,  /* read end of standard output and error */
    SPAWNER_FD_DNS_TCP, /* listener, 169.254.100.1:53 inside */
};

struct spawner_client {
    int fd;          /* SOCK_SEQPACKET, non-blocking; owned */
    uint64_t serial; /* the last request id given out by spawner_client_id() */
};

/* One message of the spawner with its descriptors.  Take a descriptor by copying it out and putting
 * -1 in its place; spawner_message_done() closes what is left. */
struct spawner_message {
    Lapwing__SpawnerMessage *message;
    int fds[SPAWNER_FDS_MAX];
    size_t fd_count;
};

/* Take over `fd`, an end of a SOCK_SEQPACKET pair; it becomes non-blocking and close-on-exec. */
enum status spawner_client_init(struct spawner_client *client, int fd, struct err *err);
/* Connect to the socket at which a service manager starts the spawner; `out_fd` is for
 * spawner_client_init().  Does not wait for the spawner.  ST_UNAVAILABLE: nobody listens there. */
enum status spawner_client_connect(const char *path, int *out_fd, struct err *err);
void spawner_client_done(struct spawner_client *client);

/* A request id that this client has not used before; never 0. */
uint64_t spawner_client_id(struct spawner_client *client);

/* Send one request.
 *
 * req   borrowed; its id must not be 0
 * fd    sent beside it (convert: the zip) and left open here, or -1
 *
 * ST_LIMIT: the socket is full or the request too large; nothing was sent.  ST_UNAVAILABLE: the
 * spawner is gone.  Does not block. */
enum status spawner_client_send(struct spawner_client *client,
                                const Lapwing__SpawnRequest *req,
                                int fd,
                                struct err *err);

/* Receive one message, written to `out` only on ST_OK; free with spawner_message_done().
 * ST_NOT_FOUND: nothing is waiting.  ST_UNAVAILABLE: the spawner is gone, and with it every
 * environment.  ST_CORRUPT: not one of ours; the packet is consumed. */
enum status spawner_client_receive(struct spawner_client *client,
                                   struct spawner_message *out,
                                   struct err *err);

void spawner_message_done(struct spawner_message *message);

#endif
