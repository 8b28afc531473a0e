/* Checksums of S3: CRCs by table, SHAs by OpenSSL.
 *
 * The tables are filled by the first sum that needs them.  That happens on the loop's thread
 * (init), before any pool thread adds to it. */
#include "objstore/s3/s3_checksum.h"

#include <string.h>

#include "base/check.h"
#include "base/http_message.h"

// clang-format off
static const struct {
    const char *header;
    const char *name;
} kinds[S3_CHECKSUM_KINDS] = {
    [S3_CHECKSUM_CRC32] = { "x-amz-checksum-crc32", "CRC32" },
    [S3_CHECKSUM_CRC32C] = { "x-amz-checksum-crc32c", "CRC32C" },
    [S3_CHECKSUM_CRC64NVME] = { "x-amz-checksum-crc64nvme", "CRC64NVME" },
    [S3_CHECKSUM_SHA1] = { "x-amz-checksum-sha1", "SHA1" },
    [S3_CHECKSUM_SHA256] = { "x-amz-checksum-sha256", "SHA256" },
};
// clang-format on

static uint32_t crc32_table[256];
static uint64_t crc64_table[256];

static void fill_tables(void)
{
    if (crc32_table[1] != 0)
        return;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc32 = i;
        uint64_t crc64 = i;

        for (unsigned bit = 0; bit < 8; bit++) {
            crc32 = crc32 >> 1 ^ (crc32 & 1 ? 0xedb88320u : 0);
            crc64 = crc64 >> 1 ^ (crc64 & 1 ? 0x9a6c9329ac4bc9b5u : 0);
        }
        crc32_table[i] = crc32;
        crc64_table[i] = crc64;
    }
}

const char *s3_checksum_header(enum s3_checksum_kind kind)
{
    CHECK(kind < S3_CHECKSUM_KINDS);
    return kinds[kind].header;
}

const char *s3_checksum_name(enum s3_checksum_kind kind)
{
    CHECK(kind < S3_CHECKSUM_KINDS);
    return kinds[kind].name;
}

enum s3_checksum_kind s3_checksum_of_header(struct bytes name)
{
    for (enum s3_checksum_kind kind = S3_CHECKSUM_CRC32; kind < S3_CHECKSUM_KINDS; kind++)
        if (http_text_equal(name, kinds[kind].header))
            return kind;
    return S3_CHECKSUM_NONE;
}

void s3_checksum_init(struct s3_checksum *sum, enum s3_checksum_kind kind)
{
    memset(sum, 0, sizeof *sum);
    sum->kind = kind;
    sum->crc64 = UINT64_MAX;
    if (kind == S3_CHECKSUM_CRC32)
        sum->crc32 = UINT32_MAX;
    if (kind == S3_CHECKSUM_CRC32 || kind == S3_CHECKSUM_CRC64NVME)
        fill_tables();
    if (kind == S3_CHECKSUM_SHA1)
        hash_init(&sum->hash, HASH_SHA1);
    if (kind == S3_CHECKSUM_SHA256)
        hash_init(&sum->hash, HASH_SHA256);
}

static void add_crc32(struct s3_checksum *sum, struct bytes piece)
{
    uint32_t crc = sum->crc32;

    for (size_t i = 0; i < piece.len; i++)
        crc = crc32_table[(crc ^ piece.data[i]) & 0xff] ^ crc >> 8;
    sum->crc32 = crc;
}

static void add_crc64(struct s3_checksum *sum, struct bytes piece)
{
    uint64_t crc = sum->crc64;

    for (size_t i = 0; i < piece.len; i++)
        crc = crc64_table[(crc ^ piece.data[i]) & 0xff] ^ crc >> 8;
    sum->crc64 = crc;
}

void s3_checksum_add(struct s3_checksum *sum, struct bytes piece)
{
    switch (sum->kind) {
    case S3_CHECKSUM_CRC32:
        add_crc32(sum, piece);
        return;
    case S3_CHECKSUM_CRC32C:
        sum->crc32 = hash_crc32c(sum->crc32, piece);
        return;
    case S3_CHECKSUM_CRC64NVME:
        add_crc64(sum, piece);
        return;
    case S3_CHECKSUM_SHA1:
    case S3_CHECKSUM_SHA256:
        hash_add(&sum->hash, piece);
        return;
    case S3_CHECKSUM_NONE:
    case S3_CHECKSUM_KINDS:
        return;
    }
}

static size_t put_big_endian(uint64_t value, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return bytes;
}

void s3_checksum_end(struct s3_checksum *sum, char out[S3_CHECKSUM_TEXT_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    struct buf text = { 0 };
    size_t len = 0;

    if (sum->kind == S3_CHECKSUM_CRC32)
        len = put_big_endian(~sum->crc32, 4, digest);
    else if (sum->kind == S3_CHECKSUM_CRC32C)
        len = put_big_endian(sum->crc32, 4, digest);
    else if (sum->kind == S3_CHECKSUM_CRC64NVME)
        len = put_big_endian(~sum->crc64, 8, digest);
    else if (sum->kind == S3_CHECKSUM_SHA1 || sum->kind == S3_CHECKSUM_SHA256) {
        hash_end(&sum->hash, digest);
        len = sum->kind == S3_CHECKSUM_SHA1 ? SHA1_BYTES : SHA256_BYTES;
    }
    base64_encode(bytes_of(digest, len), &text);
    CHECK(text.len < S3_CHECKSUM_TEXT_BYTES);
    memcpy(out, buf_text(&text), text.len + 1);
    buf_done(&text);
}

void s3_checksum_done(struct s3_checksum *sum)
{
    hash_done(&sum->hash);
}
