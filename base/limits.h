/* Every bound of the product that is not a wire format's own, by name.  A limit that is enforced
 * stands here (or beside its format in proto/) and has a test at both sides of it. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    /* Lambda's: facts from the AWS quota page and recorded answers. */
    FUNCTION_NAME_BYTES_MAX = 64,
    FUNCTION_MEMORY_MB_MIN = 128,
    FUNCTION_MEMORY_MB_MAX = 10240,
    FUNCTION_TIMEOUT_S_MAX = 900,
    FUNCTION_EPHEMERAL_MB_MIN = 512,
    FUNCTION_EPHEMERAL_MB_MAX = 10240,
    FUNCTION_ENVIRONMENT_BYTES_MAX = 4096,
    PAYLOAD_BYTES_MAX = 6291556, /* 6 MiB and 100 bytes, requests and responses */
    PACKAGE_ZIP_BYTES_MAX = 52428800,
    PACKAGE_UNZIPPED_BYTES_MAX = 262144000,
    PACKAGE_FILES_MAX = 100000,
    LOG_TAIL_BYTES_MAX = 4096,

    /* Ours. */
    COMMAND_BYTES_MAX = 65536, /* one command of the replicated state */
    ENTRY_BYTES_MAX = 1048576, /* one log entry: a batch of commands */
    FRAME_BYTES_MAX = 8388608, /* one message on a framed stream, header excluded */
    NODES_MAX = 9,             /* members of one Raft group */
    ZONE_BYTES_MAX = 15,       /* zone and node names, without the NUL */
    NODE_BYTES_MAX = 31,
    ADDRESS_BYTES_MAX = 63, /* "host:port" */
    CLOCK_SKEW_S_MAX = 900, /* of a signed request, as AWS has it */
};

#endif
