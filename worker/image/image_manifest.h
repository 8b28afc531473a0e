/* What an image must be, byte for byte: the list of its chunks' hashes, kept beside it in the
 * object store.  The manifest's own hash is the image's name on a worker's disk, so an image there
 * can be checked without anything else.
 *
 *   0 "lapwimg" 0   8 layout 4   12 chunks 4   16 bytes 8   24 unzipped bytes 8   32 files 4
 *   36 SHA-256 of the zip 32   68 SHA-256 of each chunk, 32 each
 *
 * Numbers are little-endian.  Chunks have IMAGE_CHUNK_BYTES, the last one what is left. */
#ifndef WORKER_IMAGE_IMAGE_MANIFEST_H
#define WORKER_IMAGE_IMAGE_MANIFEST_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/status.h"
#include "worker/image/image_rules.h"

enum {
    /* A worker fetches a few at once and asks for no whole image again when one is rotten. */
    IMAGE_CHUNK_BYTES = 4 << 20,
    IMAGE_CHUNKS_MAX = (int)((IMAGE_BYTES_MAX + IMAGE_CHUNK_BYTES - 1) / IMAGE_CHUNK_BYTES),
    IMAGE_MANIFEST_HEAD_BYTES = 68,
    IMAGE_MANIFEST_BYTES_MAX = IMAGE_MANIFEST_HEAD_BYTES + IMAGE_CHUNKS_MAX * SHA256_BYTES,
};

struct image_manifest {
    uint8_t package[SHA256_BYTES]; /* SHA-256 of the zip */
    uint64_t bytes;                /* of the image: whole blocks */
    uint64_t unzipped_bytes;
    uint32_t files;
    uint32_t chunks;
    uint8_t hashes[IMAGE_CHUNKS_MAX][SHA256_BYTES];
};

uint32_t image_chunk_count(uint64_t bytes);
/* Where chunk `i` is; returns its length. */
uint64_t image_chunk(const struct image_manifest *manifest, uint32_t i, uint64_t *out_offset);

/* Appends it to `out`. */
void image_manifest_encode(const struct image_manifest *manifest, struct buf *out);
/* ST_CORRUPT names what is wrong: no manifest, of another layout, or not in itself right. */
enum status image_manifest_decode(struct bytes text, struct image_manifest *out, struct err *err);
/* The SHA-256 of the encoded manifest. */
void image_manifest_id(const struct image_manifest *manifest, uint8_t out[SHA256_BYTES]);

#endif
