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

/* "CRC32", in any case; NONE for what is no such name. */
enum s3_checksum_kind s3_checksum_of_name(struct bytes name);
/* Bytes of a value. */
size_t s3_checksum_bytes(enum s3_checksum_kind kind);
/* Can the sum of a whole be had from the sums of its parts? */
bool s3_checksum_combines(enum s3_checksum_kind kind);

/* A checksum of many parts, of their bytes or of their checksums.  Zero-initialise but for these.
 */
struct s3_checksum_parts {
    enum s3_checksum_kind kind;
    bool is_whole; /* FULL_OBJECT, of a kind that combines; else COMPOSITE */
    size_t count;
    uint64_t crc;
    uint64_t power_bytes, power; /* x^(8 * bytes), of the last part's size */
    struct s3_checksum sums;
};
/* `value` has s3_checksum_bytes(). */
void s3_checksum_parts_add(struct s3_checksum_parts *parts, struct bytes value, uint64_t bytes);
/* As the header has it: COMPOSITE ones with "-COUNT" behind.  Frees what add took. */
void s3_checksum_parts_end(struct s3_checksum_parts *parts, char out[S3_CHECKSUM_TEXT_BYTES]);
/* Is a value of a header COMPOSITE?  It has the number of parts behind a '-', which base64 has not.
 */
bool s3_checksum_is_composite(const char *value);
/* "COMPOSITE" or "FULL_OBJECT" */
const char *s3_checksum_type(const char *value);
/* The bytes of a value of FULL_OBJECT type; false when it is no such value of the kind. */
bool s3_checksum_decode(enum s3_checksum_kind kind, struct bytes value, uint8_t out[SHA256_BYTES]);

void s3_checksum_init(struct s3_checksum *sum, enum s3_checksum_kind kind);
void s3_checksum_add(struct s3_checksum *sum, struct bytes piece);
/* The value as the header has it: base64 of the big-endian sum.  Frees what init took. */
void s3_checksum_end(struct s3_checksum *sum, char out[S3_CHECKSUM_TEXT_BYTES]);
void s3_checksum_done(struct s3_checksum *sum);

#endif
