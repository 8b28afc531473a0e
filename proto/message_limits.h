/* Bounds of the messages between programs, beyond those of base/limits.h. */
#ifndef PROTO_MESSAGE_LIMITS_H
#define PROTO_MESSAGE_LIMITS_H

#include <stdint.h>

enum {
    PERSON_TEXT_BYTES_MAX = 4096, /* a sentence that goes with a status */
    REASON_BYTES_MAX = 47,        /* a symbol that goes with a status */
    REQUEST_ID_BYTES_MAX = 63,
    VERSION_BYTES_MAX = 20, /* $LATEST, or a number */
    INVOKED_ARN_BYTES_MAX = 320,
    CLIENT_CONTEXT_BYTES_MAX = 4096,
    TRACE_ID_BYTES_MAX = 256,
    ERROR_TYPE_BYTES_MAX = 128,
    LOG_LINES_MAX = 16384, /* of one answer */
    LOG_LINE_BYTES_MAX = 262144,
    HEARTBEAT_BYTES_MAX = 1048576,
    HEARTBEAT_RUNTIMES_MAX = 64,
    HEARTBEAT_WARM_MAX = 4096,
    HEARTBEAT_PACKAGES_MAX = 4096,
    RAFT_ENTRIES_MAX = 4096,         /* of one AppendEntries; the frame bounds their bytes */
    RAFT_CHUNK_BYTES_MAX = 262144,   /* of a snapshot in transfer */
    RAFT_SERVER_NAME_BYTES_MAX = 63, /* the address that libraft knows a server by: its id */
    RAFT_KNOWN_MAX = 128,            /* logs that a replica knows by their incarnations */
    SPAWN_SLOTS_MAX = 4096,
    POOL_MAX = 4096,
    SPAWN_PACKAGES_MAX = 1024,
};

/* Times in milliseconds since the epoch: beyond any clock, and still a number that SQLite holds. */
#define TIME_MS_MAX (1ull << 62)
/* Terms and indexes of the log are stored as signed numbers, and counted on from. */
#define RAFT_NUMBER_MAX ((uint64_t)INT64_MAX - RAFT_ENTRIES_MAX)

#endif
