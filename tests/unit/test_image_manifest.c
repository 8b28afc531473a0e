/* Manifests: what is encoded decodes to the same, and each field has its bounds. */
#include "worker/image/image_manifest.h"

#include "tests/unit/check.h"

static struct image_manifest manifest, other;

static void make(uint64_t bytes)
{
    manifest = (struct image_manifest){ .bytes = bytes, .unzipped_bytes = 7, .files = 3 };
    manifest.chunks = image_chunk_count(bytes);
    memset(manifest.package, 0xab, sizeof manifest.package);
    for (uint32_t i = 0; i < manifest.chunks; i++)
        manifest.hashes[i][0] = (uint8_t)i;
}

TEST(a_manifest_is_encoded_and_decoded_to_the_same)
{
    static const uint64_t sizes[] = { 4096, IMAGE_CHUNK_BYTES, IMAGE_CHUNK_BYTES + 4096,
                                      IMAGE_BYTES_MAX / 4096 * 4096 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf text = { 0 };
        uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

        make(sizes[i]);
        image_manifest_encode(&manifest, &text);
        EXPECT(text.len <= IMAGE_MANIFEST_BYTES_MAX);
        EXPECT_EQ(image_manifest_decode(buf_view(&text), &other, NULL), ST_OK);
        image_manifest_id(&manifest, a);
        image_manifest_id(&other, b);
        EXPECT(memcmp(a, b, sizeof a) == 0);
        EXPECT_EQ(image_manifest_decode(bytes_of(text.data, text.len - 1), &other, NULL),
                  ST_CORRUPT);
        buf_done(&text);
    }
}

TEST(chunks_cover_an_image_once)
{
    uint64_t offset, sum = 0;

    make(3 * (uint64_t)IMAGE_CHUNK_BYTES + 8192);
    EXPECT_EQ(manifest.chunks, 4);
    for (uint32_t i = 0; i < manifest.chunks; i++) {
        sum += image_chunk(&manifest, i, &offset);
        EXPECT_EQ(offset, (uint64_t)i * IMAGE_CHUNK_BYTES);
    }
    EXPECT_EQ(sum, manifest.bytes);
}

TEST(a_manifest_with_a_wrong_field_is_refused)
{
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } rows[] = {
        { "another magic", 0, 'L' },          { "another layout", 8, IMAGE_LAYOUT + 1 },
        { "another count of chunks", 12, 9 }, { "no whole blocks", 16, 1 },
        { "too many bytes", 23, 1 },          { "too many unzipped bytes", 31, 1 },
        { "too many files", 35, 1 },
    };
    struct buf text = { 0 };

    make(4096);
    image_manifest_encode(&manifest, &text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t before = text.data[rows[i].at];
        struct err err = { 0 };

        test_case = rows[i].what;
        text.data[rows[i].at] = rows[i].value;
        EXPECT_EQ(image_manifest_decode(buf_view(&text), &other, &err), ST_CORRUPT);
        EXPECT(err.text[0] != '\0');
        text.data[rows[i].at] = before;
    }
    test_case = NULL;
    EXPECT_EQ(image_manifest_decode(buf_view(&text), &other, NULL), ST_OK);
    buf_done(&text);
}
