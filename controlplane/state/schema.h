/* The tables, and how they change: schema.sql, made into C by embed_schema.py at build time, and
 * who carries it out. */
#ifndef CONTROLPLANE_STATE_SCHEMA_H
#define CONTROLPLANE_STATE_SCHEMA_H

#include <stdint.h>

#include "controlplane/state/connection.h"

/* Of the tables of a cluster version.  Kept in meta, so that a release that knows nothing of
 * cluster versions to come finds another number than it wants and does not open the file. */
static inline uint32_t schema_version(uint32_t cluster_version)
{
    return cluster_version + 1;
}

/* What raising the cluster to `cluster_version` adds to the database of each group. */
struct schema_step {
    uint32_t cluster_version;
    const char *control;
    const char *storage;
};
/* By rising version from 1, without a gap; ends with version 0. */
extern const struct schema_step schema_steps[];

/* Carry out the steps after `from` (0: there are no tables) up to `to`, within the transaction that
 * the caller has open: rows and readers see all of it or nothing.  Failures stay noted. */
void schema_raise(struct connection *connection,
                  enum state_group group,
                  uint32_t from,
                  uint32_t to);

#endif
