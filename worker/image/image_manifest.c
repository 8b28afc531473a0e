/* Manifests of images, see image_manifest.h.  Pure. */
#include "worker/image/image_manifest.h"

#include <string.h>

#include "base/check.h"

static const uint8_t magic[8] = "lapwimg";

static void put(struct buf *out, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        buf_append(out, &byte, 1);
    }
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

uint32_t image_chunk_count(uint64_t bytes)
{
    return (uint32_t)((bytes + IMAGE_CHUNK_BYTES - 1) / IMAGE_CHUNK_BYTES);
}

uint64_t image_chunk(const struct image_manifest *manifest, uint32_t i, uint64_t *out_offset)
{
    uint64_t offset = (uint64_t)i * IMAGE_CHUNK_BYTES;

    CHECK(i < manifest->chunks);
    *out_offset = offset;
    return manifest->bytes - offset < IMAGE_CHUNK_BYTES ? manifest->bytes - offset
                                                        : IMAGE_CHUNK_BYTES;
}

void image_manifest_encode(const struct image_manifest *manifest, struct buf *out)
{
    CHECK(manifest->chunks == image_chunk_count(manifest->bytes));
    buf_append(out, magic, sizeof magic);
    put(out, 4, IMAGE_LAYOUT);
    put(out, 4, manifest->chunks);
    put(out, 8, manifest->bytes);
    put(out, 8, manifest->unzipped_bytes);
    put(out, 4, manifest->files);
    buf_append(out, manifest->package, SHA256_BYTES);
    buf_append(out, manifest->hashes, (size_t)manifest->chunks * SHA256_BYTES);
}

enum status image_manifest_decode(struct bytes text, struct image_manifest *out, struct err *err)
{
    const uint8_t *at = text.data;

    if (text.len < IMAGE_MANIFEST_HEAD_BYTES || memcmp(at, magic, sizeof magic) != 0)
        return err_set(err, ST_CORRUPT, "no manifest of an image: %zu bytes", text.len);
    if (get(at + 8, 4) != IMAGE_LAYOUT)
        return err_set(err, ST_CORRUPT, "manifest of an image: layout %llu, want %d",
                       (unsigned long long)get(at + 8, 4), IMAGE_LAYOUT);
    out->chunks = (uint32_t)get(at + 12, 4);
    out->bytes = get(at + 16, 8);
    out->unzipped_bytes = get(at + 24, 8);
    out->files = (uint32_t)get(at + 32, 4);
    if (out->bytes == 0 || out->bytes > IMAGE_BYTES_MAX || out->bytes % IMAGE_BLOCK_BYTES != 0)
        return err_set(err, ST_CORRUPT, "manifest of an image: %llu bytes of it",
                       (unsigned long long)out->bytes);
    if (out->unzipped_bytes > PACKAGE_UNZIPPED_BYTES_MAX || out->files > PACKAGE_FILES_MAX)
        return err_set(err, ST_CORRUPT, "manifest of an image: more than a package may hold");
    if (out->chunks != image_chunk_count(out->bytes) ||
        text.len != IMAGE_MANIFEST_HEAD_BYTES + (size_t)out->chunks * SHA256_BYTES)
        return err_set(err, ST_CORRUPT, "manifest of an image: %u chunks in %zu bytes", out->chunks,
                       text.len);
    memcpy(out->package, at + 36, SHA256_BYTES);
    memcpy(out->hashes, at + IMAGE_MANIFEST_HEAD_BYTES, (size_t)out->chunks * SHA256_BYTES);
    return ST_OK;
}

void image_manifest_id(const struct image_manifest *manifest, uint8_t out[SHA256_BYTES])
{
    struct buf text = { 0 };

    image_manifest_encode(manifest, &text);
    hash_sha256(buf_view(&text), out);
    buf_done(&text);
}
