/* Checksums of S3: CRCs by table, SHAs by OpenSSL.
 *
 * The tables are filled by the first sum that needs them.  That happens on the loop's thread
 * (init), before any pool thread adds to it. */
#include "objstore/s3/s3_checksum.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/http_message.h"

// clang-format off
static const struct {
    const char *header;
    const char *name;
    size_t bytes;
    uint64_t polynomial; /* of a CRC, its bits in reverse; 0: not one */
} kinds[S3_CHECKSUM_KINDS] = {
    [S3_CHECKSUM_CRC32] = { "x-amz-checksum-crc32", "CRC32", 4, 0xedb88320u },
    [S3_CHECKSUM_CRC32C] = { "x-amz-checksum-crc32c", "CRC32C", 4, 0x82f63b78u },
    [S3_CHECKSUM_CRC64NVME] = { "x-amz-checksum-crc64nvme", "CRC64NVME", 8, 0x9a6c9329ac4bc9b5u },
    [S3_CHECKSUM_SHA1] = { "x-amz-checksum-sha1", "SHA1", SHA1_BYTES, 0 },
    [S3_CHECKSUM_SHA256] = { "x-amz-checksum-sha256", "SHA256", SHA256_BYTES, 0 },
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
            crc32 = crc32 >> 1 ^ (crc32 & 1 ? (uint32_t)kinds[S3_CHECKSUM_CRC32].polynomial : 0);
            crc64 = crc64 >> 1 ^ (crc64 & 1 ? kinds[S3_CHECKSUM_CRC64NVME].polynomial : 0);
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

enum s3_checksum_kind s3_checksum_of_name(struct bytes name)
{
    for (enum s3_checksum_kind kind = S3_CHECKSUM_CRC32; kind < S3_CHECKSUM_KINDS; kind++)
        if (http_text_equal(name, kinds[kind].name))
            return kind;
    return S3_CHECKSUM_NONE;
}

size_t s3_checksum_bytes(enum s3_checksum_kind kind)
{
    CHECK(kind < S3_CHECKSUM_KINDS);
    return kinds[kind].bytes;
}

bool s3_checksum_combines(enum s3_checksum_kind kind)
{
    CHECK(kind < S3_CHECKSUM_KINDS);
    return kinds[kind].polynomial != 0;
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

static void put_big_endian(uint64_t value, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static void text_of(struct bytes digest, char out[S3_CHECKSUM_TEXT_BYTES])
{
    struct buf text = { 0 };

    base64_encode(digest, &text);
    CHECK(text.len < S3_CHECKSUM_TEXT_BYTES);
    memcpy(out, buf_text(&text), text.len + 1);
    buf_done(&text);
}

void s3_checksum_end(struct s3_checksum *sum, char out[S3_CHECKSUM_TEXT_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    size_t len = kinds[sum->kind].bytes;

    if (sum->kind == S3_CHECKSUM_CRC32)
        put_big_endian(~sum->crc32, len, digest);
    else if (sum->kind == S3_CHECKSUM_CRC32C)
        put_big_endian(sum->crc32, len, digest);
    else if (sum->kind == S3_CHECKSUM_CRC64NVME)
        put_big_endian(~sum->crc64, len, digest);
    else if (len > 0)
        hash_end(&sum->hash, digest);
    text_of(bytes_of(digest, len), out);
}

void s3_checksum_done(struct s3_checksum *sum)
{
    hash_done(&sum->hash);
}

/* ---- many parts ---- */

/* The product of two polynomials modulo the CRC's, bits in reverse: the highest bit is x^0. */
static uint64_t multiply(enum s3_checksum_kind kind, uint64_t a, uint64_t b)
{
    uint64_t product = 0;

    for (uint64_t bit = 1ull << (8 * kinds[kind].bytes - 1); bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b >> 1 ^ (b & 1 ? kinds[kind].polynomial : 0);
    }
    return product;
}

/* x^(8 * bytes): what a CRC is multiplied with when so many bytes follow. */
static uint64_t power_of(enum s3_checksum_kind kind, uint64_t bytes)
{
    uint64_t one = 1ull << (8 * kinds[kind].bytes - 1);
    uint64_t square = one >> 8;
    uint64_t power = one;

    for (; bytes > 0; bytes >>= 1) {
        if (bytes & 1)
            power = multiply(kind, power, square);
        square = multiply(kind, square, square);
    }
    return power;
}

/* The CRC of A and B together is that of A followed by as many zeros, and that of B: with a start
 * and an end of all ones both times, the ones cancel out (as in zlib's crc32_combine). */
static void combine(struct s3_checksum_parts *parts, struct bytes value, uint64_t bytes)
{
    uint64_t crc = 0;

    for (size_t i = 0; i < value.len; i++)
        crc = crc << 8 | value.data[i];
    /* All parts but the last are mostly of one size. */
    if (parts->power == 0 || parts->power_bytes != bytes) {
        parts->power_bytes = bytes;
        parts->power = power_of(parts->kind, bytes);
    }
    parts->crc = multiply(parts->kind, parts->power, parts->crc) ^ crc;
}

void s3_checksum_parts_add(struct s3_checksum_parts *parts, struct bytes value, uint64_t bytes)
{
    CHECK(value.len == kinds[parts->kind].bytes);
    if (parts->is_whole) {
        CHECK(s3_checksum_combines(parts->kind));
        combine(parts, value, bytes);
    } else {
        if (parts->count == 0)
            s3_checksum_init(&parts->sums, parts->kind);
        s3_checksum_add(&parts->sums, value);
    }
    parts->count++;
}

void s3_checksum_parts_end(struct s3_checksum_parts *parts, char out[S3_CHECKSUM_TEXT_BYTES])
{
    uint8_t digest[sizeof parts->crc];
    size_t len;

    CHECK(parts->count > 0);
    if (parts->is_whole) {
        put_big_endian(parts->crc, kinds[parts->kind].bytes, digest);
        text_of(bytes_of(digest, kinds[parts->kind].bytes), out);
        return;
    }
    s3_checksum_end(&parts->sums, out);
    len = strlen(out);
    (void)snprintf(out + len, S3_CHECKSUM_TEXT_BYTES - len, "-%zu", parts->count);
}

bool s3_checksum_is_composite(const char *value)
{
    return strchr(value, '-') != NULL;
}

const char *s3_checksum_type(const char *value)
{
    return s3_checksum_is_composite(value) ? "COMPOSITE" : "FULL_OBJECT";
}

bool s3_checksum_decode(enum s3_checksum_kind kind, struct bytes value, uint8_t out[SHA256_BYTES])
{
    struct buf digest = { 0 };
    bool ok = base64_decode(value, &digest) == ST_OK && digest.len == kinds[kind].bytes;

    if (ok && digest.len > 0)
        memcpy(out, digest.data, digest.len);
    buf_done(&digest);
    return ok;
}
