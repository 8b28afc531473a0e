/* The aws-chunked content coding: an object's body in chunks of its own inside the HTTP body.
 *
 *   HEX[;chunk-signature=...] CRLF data CRLF ... 0[;...] CRLF [name:value CRLF]* CRLF
 *
 * Incremental and pure.  Chunk signatures are checked when a key is given: each covers the one
 * before, the first the request's own. */
#ifndef OBJSTORE_S3_AWS_CHUNK_H
#define OBJSTORE_S3_AWS_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/status.h"

enum {
    AWS_CHUNK_LINE_BYTES_MAX = 512,
    AWS_CHUNK_TRAILERS_MAX = 4,
    AWS_CHUNK_BYTES_MAX = 1 << 30, /* of one chunk */
};

enum aws_chunk_state {
    AWS_CHUNK_SIZE,
    AWS_CHUNK_DATA,
    AWS_CHUNK_DATA_END,
    AWS_CHUNK_TRAILER,
    AWS_CHUNK_FINISHED,
};

/* What chunk signatures are made with; absent for unsigned bodies. */
struct aws_chunk_key {
    uint8_t key[SHA256_BYTES]; /* sigv4_signing_key() */
    char scope[160];           /* "20150830/us-east-1/s3/aws4_request" */
    char timestamp[17];
    char previous[SHA256_HEX_BYTES]; /* the request's signature, then each chunk's */
};

struct aws_chunk {
    enum aws_chunk_state state;
    bool is_signed;
    struct aws_chunk_key key;
    struct hash hash; /* of the data of the chunk under way */
    char signature[SHA256_HEX_BYTES];
    uint64_t left; /* of the chunk under way */
    bool is_last;
    struct buf line;
    struct buf
        trailer; /* "name:value\n" of each but the signature: what a trailer signature covers */
    unsigned trailers;
    char trailer_signature[SHA256_HEX_BYTES];
};

/* key  NULL: signatures are skipped.  Copied. */
void aws_chunk_init(struct aws_chunk *chunk, const struct aws_chunk_key *key);
void aws_chunk_done(struct aws_chunk *chunk);

/* Use bytes of `in` up to the next piece of data.
 *
 * in        advanced past what was used
 * out_data  a view into it; empty when all of `in` is used or the end is reached
 *
 * ST_BAD_INPUT: malformed, or bytes behind the end.  ST_DENIED: a chunk's signature is wrong. */
enum status aws_chunk_next(struct aws_chunk *chunk,
                           struct bytes *in,
                           struct bytes *out_data,
                           struct err *err);
/* The last chunk and its trailers came whole. */
bool aws_chunk_is_finished(const struct aws_chunk *chunk);
/* A trailer's value by its lower-case name, a view; false if there is none. */
bool aws_chunk_trailer(const struct aws_chunk *chunk, const char *name, struct bytes *out_value);

#endif
