/* The additional checksums of S3 (x-amz-checksum-*), over bytes that arrive in pieces.  Pure. */
#ifndef OBJSTORE_S3_S3_CHECKSUM_H
#define OBJSTORE_S3_S3_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"

enum s3_checksum_kind {
    S3_CHECKSUM_NONE,
    S3_CHECKSUM_CRC32,
    S3_CHECKSUM_CRC32C,
    S3_CHECKSUM_CRC64NVME,
    S3_CHECKSUM_SHA1,
    S3_CHECKSUM_SHA256,
    S3_CHECKSUM_KINDS,
};

enum { S3_CHECKSUM_TEXT_BYTES = 64 }; /* base64 of up to 32 bytes and a NUL */

struct s3_checksum {
    enum s3_checksum_kind kind;
    uint32_t crc32;
    uint64_t crc64;
    struct hash hash;
};

/* "x-amz-checksum-crc32"; NULL for NONE. */
const char *s3_checksum_header(enum s3_checksum_kind kind);
/* "CRC32", for texts. */
const char *s3_checksum_name(enum s3_checksum_kind kind);
/* The kind whose header has this name (any case), or NONE. */
enum s3_checksum_kind s3_checksum_of_header(struct bytes name);

void s3_checksum_init(struct s3_checksum *sum, enum s3_checksum_kind kind);
void s3_checksum_add(struct s3_checksum *sum, struct bytes piece);
/* The value as the header has it: base64 of the big-endian sum.  Frees what init took. */
void s3_checksum_end(struct s3_checksum *sum, char out[S3_CHECKSUM_TEXT_BYTES]);
void s3_checksum_done(struct s3_checksum *sum);

#endif
