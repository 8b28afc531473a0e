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
    FUNCTION_TIMEOUT_S_DEFAULT = 3,
    FUNCTION_EPHEMERAL_MB_MIN = 512,
    FUNCTION_EPHEMERAL_MB_MAX = 10240,
    FUNCTION_ENVIRONMENT_BYTES_MAX = 4096,
    INVOKE_BYTES_MAX = 6291456,  /* 6 MiB, the body of Invoke */
    PAYLOAD_BYTES_MAX = 6291556, /* 6 MiB and 100 bytes, what a function answers */
    PACKAGE_ZIP_BYTES_MAX = 52428800,
    PACKAGE_UNZIPPED_BYTES_MAX = 262144000,
    PACKAGE_FILES_MAX = 100000,
    LOG_TAIL_BYTES_MAX = 4096,
    ACCOUNT_CONCURRENCY_MAX = 1000, /* invocations at once, of an account and region */

    /* Ours. */
    COMMAND_BYTES_MAX = 65536, /* one command of the replicated state */
    ENTRY_BYTES_MAX = 1048576, /* one log entry: a batch of commands */
    FRAME_BYTES_MAX = 8388608, /* one message on a framed stream, header excluded */
    LOG_LIMIT_LINES_MAX = 50,  /* a second, of one kind that strangers can cause */
    NODES_MAX = 9,             /* members of one Raft group */
    MEMBERS_MAX = 7,           /* that shall be: the rest is room for those that are going */
    MEMBERS_MIN = 3,           /* that a removal leaves: two stand no loss */
    ZONE_BYTES_MAX = 15,       /* zone and node names, without the NUL */
    NODE_BYTES_MAX = 31,
    CLUSTER_NAME_BYTES_MAX = 31,
    ROLE_NAME_BYTES_MAX = 15,         /* "controlplane": what a program is, not a role of AWS */
    CERTIFICATE_HOSTS_MAX = 32,       /* host names and addresses in one certificate */
    CERTIFICATE_AUTHORITIES_MAX = 16, /* in one bundle: two while a CA is replaced */
    CERTIFICATE_CHAIN_MAX = 8,        /* certificates in one certificate file */
    TLS_FILE_BYTES_MAX = 262144,      /* a certificate, key or bundle */
    STREAM_HANDSHAKES_MAX = 128, /* connections of one listener that have not said their hello */
    REFUSALS_MAX = 64,           /* peers and reasons that one listener tells apart in the log */
    REFUSAL_AGAIN_MS = 60000,    /* the same refusal is said so often */
    TLS_EXPIRIES_MAX = 256,      /* peers whose certificate's end a program reports */
    ADDRESS_BYTES_MAX = 63,      /* "host:port" */
    CLOCK_SKEW_S_MAX = 900,      /* of a signed request, as AWS has it */

    CLUSTER_VERSION_MAX = 2, /* newest replicated cluster_version that this release can follow */

    /* Names and texts in the replicated state. */
    ACCOUNT_DIGITS = 12,
    REGION_BYTES_MAX = 31,
    UID_DIGITS = 32, /* hexadecimal */
    UUID_BYTES = 36, /* as text */
    ROLE_BYTES_MAX = 2048,
    RUNTIME_BYTES_MAX = 32,
    HANDLER_BYTES_MAX = 128,
    DESCRIPTION_BYTES_MAX = 256,
    FUNCTION_VARIABLES_MAX = 1024,
    TAGS_MAX = 50,
    TAG_KEY_CHARACTERS_MAX = 128,
    TAG_VALUE_CHARACTERS_MAX = 256,
    TAG_KEY_BYTES_MAX = 4 * TAG_KEY_CHARACTERS_MAX, /* UTF-8 */
    TAG_VALUE_BYTES_MAX = 4 * TAG_VALUE_CHARACTERS_MAX,
    TAGS_BYTES_MAX = 32768, /* keys and values that one request sets: it is one command */
    TAG_RESOURCE_BYTES_MAX = 127,
    BUCKET_NAME_BYTES_MIN = 3,
    BUCKET_NAME_BYTES_MAX = 63,
    OBJECT_KEY_BYTES_MAX = 1024,
    OBJECT_ETAG_BYTES_MAX = 64,
    OBJECT_CONTENT_TYPE_BYTES_MAX = 1024,
    UPLOAD_ID_DIGITS = 32, /* hexadecimal */
    UPLOAD_PARTS_MAX = 10000,
    UPLOAD_PART_BYTES_MIN = 5242880, /* but for the last */
    DELETE_OBJECTS_MAX = 1000,       /* keys of one request, as AWS has it */
    OBJECT_METADATA_MAX = 128,
    OBJECT_METADATA_BYTES_MAX = 8192, /* names and values; the store's front holds users to 2 KiB */

    /* HTTP, our servers and our parser. */
    HTTP_HEAD_BYTES_MAX = 16384,  /* request line and header fields; AWS takes 8 to 10 KB of them */
    HTTP_TARGET_BYTES_MAX = 8192, /* path and query; an encoded S3 key has up to 3072 */
    HTTP_FIELDS_MAX = 128,
    HTTP_TRAILERS_MAX = 8,
    HTTP_TRAILER_BYTES_MAX = 16384,  /* all trailers: a function's error may come in one */
    HTTP_CHUNK_LINE_BYTES_MAX = 256, /* chunk size and extensions */
    HTTP_CONNECTIONS_MAX = 4096,
    HTTP_HANDSHAKES_MAX = 256,      /* of TLS, under way at once: up to 138 KB of memory each */
    HTTP_HANDSHAKE_TURN_MS = 5000,  /* then one makes room, if others wait to begin */
    HTTP_IDLE_MS = 75000,           /* keep-alive; above the 60 s of common proxies and clients */
    HTTP_HEAD_MS = 20000,           /* a head must be complete by then */
    HTTP_STALL_MS = 30000,          /* so long may a body or an answer move slower than the rate */
    HTTP_RATE_BYTES_MIN = 1024,     /* a second */
    HTTP_QUEUE_BYTES_MAX = 1048576, /* of an answer pushed faster than its client reads */
    HTTP_DISCARD_BYTES_MAX = 67108864, /* of a body that is read only so that the answer arrives */
};

/* All packages of an account and region, 75 GiB; too large for an enum. */
#define ACCOUNT_CODE_BYTES_MAX 80530636800ull

/* S3's largest object, 5 TiB; too large for an enum. */
#define OBJECT_BYTES_MAX 5497558138880ull
/* Eighteen digits: the longest text that always is a number of SQLite's. */
#define FUNCTION_VERSION_MAX 999999999999999999ull

/* The largest single PUT or part, 5 GiB. */
#define OBJECT_PUT_BYTES_MAX 5368709120ull

#endif
