/* Raft messages as protobuf frames (proto/raft.proto), and back with every field checked.
 *
 * Pure; any thread. */
#ifndef CONTROLPLANE_REPLICA_WIRE_H
#define CONTROLPLANE_REPLICA_WIRE_H

#include <raft.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/replica/log_entry.h"

/* A decoded RaftMessage.  Free with wire_message_done(). */
struct wire_message {
    struct raft_message raft;      /* entries pointer and InstallSnapshot's data and conf unset */
    struct log_entry *entries;     /* of an AppendEntries, append_entries.n_entries of them */
    struct snapshot_meta snapshot; /* of an InstallSnapshot; else index 0 */
    uint64_t sent_ms;              /* of an AppendEntries: the leader's clock; else 0 */
    uint64_t echo_ms;              /* of an AppendEntriesResult: see lease_rules.h; else 0 */
};

/* Append the frame body of `message` to `out`.
 * entries   of an AppendEntries, n_entries of them
 * snapshot  of an InstallSnapshot */
void wire_encode(const struct raft_message *message,
                 const struct log_entry *entries,
                 const struct snapshot_meta *snapshot,
                 struct buf *out);

/* As wire_encode(), with the times of a leader's lease: of an AppendEntries, of its result. */
void wire_encode_append(const struct raft_message *message,
                        const struct log_entry *entries,
                        uint64_t sent_ms,
                        struct buf *out);
void wire_encode_append_result(const struct raft_message *message,
                               uint64_t echo_ms,
                               struct buf *out);

/* ST_BAD_INPUT (err names the field) unless `peer` may have sent these bytes; then nothing is
 * written. */
enum status wire_decode(struct bytes body,
                        uint64_t peer,
                        struct wire_message *out,
                        struct err *err);
void wire_message_done(struct wire_message *message); /* twice is harmless */

#endif
