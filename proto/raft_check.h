/* Is this a message that a replica of any release may send?  As command_check.h says.
 *
 * Form only: which terms and indexes make sense now is for the replica and libraft to say, and
 * whether a change of the configuration is one in libraft's own format for wire.c. */
#ifndef PROTO_RAFT_CHECK_H
#define PROTO_RAFT_CHECK_H

#include "base/status.h"
#include "proto/raft.pb-c.h"

enum status raft_message_check(const Lapwing__RaftMessage *message, struct err *err);
/* The chunk's bytes are checksummed too: ST_CORRUPT. */
enum status raft_snapshot_chunk_check(const Lapwing__RaftSnapshotChunk *chunk, struct err *err);
enum status raft_snapshot_ack_check(const Lapwing__RaftSnapshotAck *ack, struct err *err);
/* The whole command: ST_UNSUPPORTED for one of another release. */
enum status forward_check(const Lapwing__Forward *forward, struct err *err);
enum status forwarded_check(const Lapwing__Forwarded *forwarded, struct err *err);
enum status barrier_done_check(const Lapwing__BarrierDone *done, struct err *err);
enum status raft_hello_check(const Lapwing__RaftHello *hello, struct err *err);
/* Of a RaftHello, and of the file that keeps them. */
enum status raft_known_check(Lapwing__RaftKnown *const *known, size_t count, struct err *err);
/* Barrier, Handover and RaftRemoved have nothing that could be wrong. */

#endif
