/* Object stores of up to three zones in one process, over a fake control plane, for tests.
 *
 * All of them run on one loop in a thread of its own; the test thread talks to them over loopback.
 * The fake has the real rows (controlplane/state in memory) and no consensus. */
#ifndef TESTS_UNIT_OBJSTORE_CLUSTER_H
#define TESTS_UNIT_OBJSTORE_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

enum { CLUSTER_ZONES_MAX = 3 };

struct cluster;

struct cluster *cluster_start(unsigned zones);
void cluster_stop(struct cluster *cluster);

/* S3 port of a zone's store. */
unsigned cluster_port(const struct cluster *cluster, unsigned zone);
/* The folder of a zone's store. */
const char *cluster_dir(const struct cluster *cluster, unsigned zone);
const uint8_t *cluster_key(const struct cluster *cluster);

/* Until every store is connected to `others` zones.  Blocks. */
void cluster_wait_connected(struct cluster *cluster, unsigned zone, unsigned others);
/* Take a zone's store away from the others: its links are closed and it refuses new ones. */
void cluster_kill(struct cluster *cluster, unsigned zone);
/* The fake swallows the next replies: applied, never answered. */
void cluster_swallow_replies(struct cluster *cluster, unsigned count);
/* Commands that the fake has applied so far, repeated ones included. */
unsigned cluster_commands(struct cluster *cluster);

#endif
