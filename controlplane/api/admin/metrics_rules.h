/* What a node tells a collector, in the text format of Prometheus.  Pure. */
#ifndef CONTROLPLANE_API_ADMIN_METRICS_RULES_H
#define CONTROLPLANE_API_ADMIN_METRICS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/tls.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A Raft group as this node knows it. */
struct metrics_group {
    const char *name;
    bool has_leader; /* one is known here */
    bool is_leader;  /* it is this node */
    uint64_t term;
    uint64_t commit;
    uint64_t applied;
};

/* How many there are in a state. */
struct metrics_state {
    const char *name;
    size_t count;
};

/* What a worker has made ahead for environments to come. */
struct metrics_pool {
    const char *worker;
    const char *kind;
    uint32_t ready;
    uint32_t size;
    uint64_t bytes; /* of memory, where that is known; else 0 */
};

/* Clients of the front door; the handshakes are those of HTTPS. */
struct metrics_clients {
    unsigned connections;
    unsigned handshakes_under_way;
    unsigned handshakes_waiting;
    uint64_t handshakes_cut; /* since the start, while others waited */
};

/* When each certificate runs out, as unix time; appended. */
void metrics_certificates(const struct tls_expiry *list, size_t count, struct buf *out);
/* When the one that HTTPS clients see runs out, if it is none of those; appended. */
void metrics_https(int64_t expires_s, struct buf *out);
/* Raft groups, each figure of all groups together; appended. */
void metrics_groups(const struct metrics_group *list, size_t count, struct buf *out);
/* Workers by the state that failure detection has them in; appended. */
void metrics_workers(const struct metrics_state *list, size_t count, struct buf *out);
/* Pools of workers; appended. */
void metrics_pools(const struct metrics_pool *list, size_t count, struct buf *out);
/* Clients of this node's front door; appended. */
void metrics_clients(const struct metrics_clients *clients, struct buf *out);

#endif
