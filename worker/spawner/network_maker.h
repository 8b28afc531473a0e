/* A process that makes network namespaces for the pool, beside the spawner's loop: one takes 1 ms
 * of a processor, and waits for a lock of the kernel that the taking apart of others holds for
 * longer.
 *
 *   spawner -- one byte: make one --> maker        SOCK_SEQPACKET
 *           <-- struct made, descriptors --
 *
 * It is a copy of the spawner that has closed all but what it needs; it runs at a lower priority
 * and ends with the spawner.  When it is lost, starts make their own, and the next refill starts
 * another, MAKER_STARTS_MAX in all. */
#ifndef WORKER_SPAWNER_NETWORK_MAKER_H
#define WORKER_SPAWNER_NETWORK_MAKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

struct network;
struct netns;

enum { MAKER_STARTS_MAX = 8, MAKER_NICE = 5 };

/* Embedded in struct network; network_maker_stop() ends it. */
struct network_maker {
    int socket; /* -1: does not run */
    pid_t pid;
    uint32_t asked;  /* namespaces that it has yet to deliver */
    uint32_t starts; /* so far */
};

/* Ask for one more, starting the process if need be (`out_started` then).  ST_LIMIT: it was lost
 * too often.  The process copies `network`. */
enum status network_maker_ask(struct network_maker *maker,
                              const struct network *network,
                              bool *out_started,
                              struct err *err);

/* Take what was made; the socket is readable.  ST_NOT_FOUND: nothing is waiting.  ST_UNAVAILABLE:
 * the process is gone; call network_maker_stop().  ST_LIMIT: we have no descriptors left for it.
 * Otherwise as making it said. */
enum status network_maker_receive(struct network_maker *maker, struct netns *out, struct err *err);

void network_maker_stop(struct network_maker *maker);

#endif
