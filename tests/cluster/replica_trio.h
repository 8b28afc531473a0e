/* Three replicas of the control group in this process, on loopback and a folder: for tests and
 * benchmarks that want the real thing without programs around it. */
#ifndef TESTS_CLUSTER_REPLICA_TRIO_H
#define TESTS_CLUSTER_REPLICA_TRIO_H

#include "controlplane/replica/replica.h"

enum { TRIO = 3 };

struct replica_trio {
    char dir[256];
    uint16_t port;         /* of the first; the others follow */
    unsigned member_count; /* 3; or 1, started as the first */
    uint64_t snapshot_log_bytes;
    uint64_t snapshot_wal_bytes_max;
    bool leader_lease;
    struct replica_member members[TRIO];
    struct stream_identity identity[TRIO];
    struct replica *replicas[TRIO]; /* NULL: not running */
};

/* Fill in members and identities, leases on; starts nothing.  Ports from `port`. */
void replica_trio_init(struct replica_trio *trio, const char *dir, uint16_t port);
/* Start one; a failure is printed and ends the process. */
void replica_trio_start(struct replica_trio *trio, unsigned at);
/* Start one, or say why not. */
enum status replica_trio_try(struct replica_trio *trio, unsigned at, struct err *err);
void replica_trio_stop(struct replica_trio *trio, unsigned at);
/* Forget the identities, once none runs. */
void replica_trio_done(struct replica_trio *trio);
/* The body of a CreateFunction for this name: a valid one of about 250 bytes. */
void replica_trio_create_body(const char *name, uint64_t number, struct buf *out);

#endif
