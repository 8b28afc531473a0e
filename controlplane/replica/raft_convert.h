/* Our entries and configurations in libraft's form.  Pure. */
#ifndef CONTROLPLANE_REPLICA_RAFT_CONVERT_H
#define CONTROLPLANE_REPLICA_RAFT_CONVERT_H

#include <raft.h>
#include <stdbool.h>

#include "controlplane/replica/log_entry.h"

/* Entries for one step, at least one.  libraft's core looks at terms, and into the bytes of a
 * CHANGE; the bytes stay ours and are only pointed at, so the batch that it frees is a token of one
 * byte.  The array and the batch are raft_malloc()'s. */
struct raft_entry *raft_convert_entries(const struct log_entry *entries, unsigned count);

/* Decode a configuration that was checked where it entered: ours, or off a checksummed disk. */
void raft_convert_configuration(const void *data, size_t len, struct raft_configuration *out);

/* The bytes of a configuration.  Owned by the caller. */
struct log_data *raft_convert_encode(const struct raft_configuration *configuration);

/* Index, term and configuration of a snapshot; the configuration is handed to libraft or closed. */
void raft_convert_metadata(const struct snapshot_meta *meta, struct raft_snapshot_metadata *out);

/* Is `id` the only voter of an encoded configuration? */
bool raft_convert_sole_voter(struct bytes bytes, uint64_t id);

#endif
