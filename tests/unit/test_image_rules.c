/* Images of packages: what is encoded decodes to the same tree, and nothing else decodes at all. */
#include "worker/image/image_rules.h"

#include <stdlib.h>

#include "tests/unit/check.h"

enum { MANY = 700 }; /* entries of a folder that needs several blocks */

static struct image_tree tree;

static void add(uint32_t parent, enum image_kind kind, const char *name, uint64_t bytes)
{
    struct image_node node = { .parent = parent, .kind = kind, .bytes = bytes, .time = 1700000000 };

    node.name = image_tree_text(&tree, name, strlen(name));
    node.executable = kind == IMAGE_FILE && bytes == 1;
    if (kind == IMAGE_LINK)
        node.target = image_tree_text(&tree, "../a", 4);
    EXPECT_EQ(image_tree_add(&tree, &node), ST_OK);
}

/* Names before, between and behind "." and "..", an empty file and folder, a link. */
static void make_small(void)
{
    image_tree_init(&tree);
    add(0, IMAGE_FILE, "!first", 1);
    add(0, IMAGE_FILE, "...", 0);
    add(0, IMAGE_FILE, ".x", 4096);
    add(0, IMAGE_FOLDER, "empty", 0);
    add(0, IMAGE_FOLDER, "full", 0);
    add(0, IMAGE_FILE, "z", 4097);
    add(5, IMAGE_LINK, "link", 0);
    add(5, IMAGE_FOLDER, "sub", 0);
    image_plan(&tree);
}

static uint8_t *encode(size_t *out_len)
{
    struct image_cursor cursor = { 0 };
    uint8_t *image;

    *out_len = (size_t)tree.blocks * IMAGE_BLOCK_BYTES;
    image = must_calloc(1, *out_len);
    for (uint32_t i = 0; i < tree.meta_blocks; i++)
        image_encode_next(&tree, &cursor, image + (size_t)i * IMAGE_BLOCK_BYTES);
    return image;
}

static enum status decode(const uint8_t *image, size_t len)
{
    struct image_tree out;
    struct err err;
    enum status st = image_decode(bytes_of(image, len), &out, &err);

    if (st == ST_OK)
        image_tree_done(&out);
    return st;
}

static bool same_node(const struct image_node *a, const struct image_node *b)
{
    return a->kind == b->kind && a->executable == b->executable && a->parent == b->parent &&
           a->count == b->count && a->block == b->block && a->bytes == b->bytes &&
           bytes_equal(a->name, b->name) && bytes_equal(a->target, b->target);
}

static void expect_same(void)
{
    struct image_tree out;
    struct err err = { 0 };
    size_t len;
    uint8_t *image = encode(&len);

    EXPECT_EQ(image_decode(bytes_of(image, len), &out, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    if (err.text[0] == '\0') {
        EXPECT_EQ(out.count, tree.count);
        EXPECT_EQ(out.unzipped_bytes, tree.unzipped_bytes);
        for (uint32_t i = 0; i < tree.count && i < out.count; i++)
            EXPECT(same_node(&out.nodes[i], &tree.nodes[i]));
        image_tree_done(&out);
    }
    free(image);
}

TEST(a_tree_is_encoded_and_decoded_to_the_same)
{
    make_small();
    EXPECT_EQ(tree.unzipped_bytes, 1 + 4096 + 4097);
    EXPECT_EQ(tree.blocks, tree.meta_blocks + 1 + 1 + 2);
    expect_same();
    image_tree_done(&tree);
}

TEST(a_folder_of_many_names_has_several_blocks)
{
    char name[64];

    image_tree_init(&tree);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "%05d-%.*s", i, i % 40,
                       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        add(0, IMAGE_FILE, name, 0);
    }
    image_plan(&tree);
    EXPECT(tree.nodes[0].bytes > 4 * IMAGE_BLOCK_BYTES);
    expect_same();
    image_tree_done(&tree);
}

TEST(an_empty_top_folder_is_an_image)
{
    image_tree_init(&tree);
    image_plan(&tree);
    expect_same();
    image_tree_done(&tree);
}

TEST(a_tree_has_a_bound)
{
    struct image_node node = { .kind = IMAGE_FILE, .name = bytes_of_text("x") };

    image_tree_init(&tree);
    for (int i = 1; i < IMAGE_NODES_MAX; i++)
        if (image_tree_add(&tree, &node) != ST_OK)
            EXPECT(!"one more fits");
    EXPECT_EQ(image_tree_add(&tree, &node), ST_LIMIT);
    image_tree_done(&tree);
}

/* Every byte in front of the files' bytes is either as we write it or makes it no image. */
TEST(no_other_bytes_are_an_image)
{
    size_t len;
    uint8_t *image;
    unsigned accepted = 0;

    make_small();
    image = encode(&len);
    for (size_t i = 0; i < (size_t)tree.meta_blocks * IMAGE_BLOCK_BYTES; i++) {
        bool time = i >= IMAGE_BLOCK_BYTES && i < IMAGE_BLOCK_BYTES + 64u * tree.count &&
                    i % 64 >= 32 && i % 64 < 40;
        bool size = i >= IMAGE_BLOCK_BYTES && i < IMAGE_BLOCK_BYTES + 64u * tree.count &&
                    i % 64 >= 8 && i % 64 < 16;

        image[i] ^= 0x11;
        if (decode(image, len) == ST_OK) {
            accepted++;
            /* Of what a tree may have otherwise, times, sizes in a block and texts are left. */
            EXPECT(time || size || i >= 2 * IMAGE_BLOCK_BYTES);
        }
        image[i] ^= 0x11;
    }
    EXPECT(accepted < 100);
    EXPECT_EQ(decode(image, len), ST_OK);
    EXPECT_EQ(decode(image, len - IMAGE_BLOCK_BYTES), ST_CORRUPT);
    EXPECT_EQ(decode(image, len - 1), ST_CORRUPT);
    EXPECT_EQ(decode(image, IMAGE_BLOCK_BYTES), ST_CORRUPT);
    EXPECT_EQ(decode(image, 0), ST_CORRUPT);
    free(image);
    image_tree_done(&tree);
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Where hostile images are made: the inode of node `i`. */
static uint8_t *inode(uint8_t *image, uint32_t i)
{
    return image + IMAGE_BLOCK_BYTES + (size_t)i * 64;
}

TEST(hostile_images_are_refused)
{
    static const struct {
        const char *what;
        uint32_t node, at, value;
    } rows[] = {
        { "a folder that is its own entry", 4, 16, 2 },
        { "a folder behind the end", 4, 16, 4000000 },
        { "a folder of 2^32 bytes", 0, 12, 1 },
        { "a file of another's bytes", 6, 16, 7 },
        { "a device", 1, 4, 0020666 },
        { "setuid", 1, 4, 0104755 },
        { "a compressed file", 1, 0, 3 },
        { "another owner", 1, 24, 993 },
        { "attributes", 1, 2, 1 },
        { "a link of no bytes", 7, 8, 0 },
        { "a link of two blocks", 7, 8, 4097 },
        { "two names of a file", 1, 44, 2 },
    };
    size_t len;
    uint8_t *image;

    make_small();
    image = encode(&len);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t *at = inode(image, rows[i].node) + rows[i].at;
        uint8_t before[4];

        test_case = rows[i].what;
        memcpy(before, at, sizeof before);
        put32(at, rows[i].value);
        EXPECT_EQ(decode(image, len), ST_CORRUPT);
        memcpy(at, before, sizeof before);
    }
    test_case = NULL;
    EXPECT_EQ(decode(image, len), ST_OK);
    free(image);
    image_tree_done(&tree);
}

/* Each of them names the blocks of all: reading them would take as long as their number squared. */
TEST(folders_that_share_their_blocks_are_refused_before_they_are_read)
{
    enum { FOLDERS = 3, SHARED_BYTES = (FOLDERS - 1) * IMAGE_BLOCK_BYTES + 27 };
    struct image_tree out;
    struct err err = { 0 };
    uint8_t *image;
    size_t len;

    image_tree_init(&tree);
    add(0, IMAGE_FOLDER, "a", 0);
    add(0, IMAGE_FOLDER, "b", 0);
    add(0, IMAGE_FOLDER, "c", 0);
    image_plan(&tree);
    image = encode(&len);
    EXPECT_EQ(decode(image, len), ST_OK);
    for (uint32_t i = 1; i <= FOLDERS; i++) {
        put32(inode(image, i) + 8, SHARED_BYTES);
        put32(inode(image, i) + 16, tree.nodes[1].block);
    }
    EXPECT_EQ(image_decode(bytes_of(image, len), &out, &err), ST_CORRUPT);
    EXPECT_TEXT(err.text, "no package image: more folder blocks than it has, node 3");
    free(image);
    image_tree_done(&tree);
}
