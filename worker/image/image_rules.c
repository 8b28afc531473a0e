/* The form of package images, see image_rules.h.  Pure. */
#include "worker/image/image_rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* All numbers are little-endian.
 *
 * superblock, at 1024:  0 magic 4 | 8 compatible features 4 | 12 block bits 1 | 14 top folder 2 |
 *                       16 inodes 8 | 36 blocks 4 | 40 first block of inodes 4 (0: numbers count
 *                       from the image's start)
 * inode:  0 format 2 (1: long form, bytes in one piece) | 4 mode 2 | 8 bytes 8 | 16 block 4 |
 *         20 number for stat 4 | 32 time 8 | 44 links 4
 * folder: blocks of entries (0 inode 8 | 8 name's offset in the block 2 | 10 type 1 | 11 zero),
 * then their names without ends; a name that is not at the block's end is followed by zeros or the
 * next name */
enum {
    SUPER_AT = 1024,
    MAGIC = 0xE0F5E1E2,
    FEATURE_MTIME = 2,
    BLOCK_BITS = 12,
    INODE_BYTES = 64,
    INODES_PER_BLOCK = IMAGE_BLOCK_BYTES / INODE_BYTES,
    FIRST_NUMBER = IMAGE_BLOCK_BYTES / 32,
    FORMAT_LONG_PLAIN = 1,
    ENTRY_BYTES = 12,
    TYPE_FILE = 1,
    TYPE_FOLDER = 2,
    TYPE_LINK = 7,
    MODE_FOLDER = 0040755,
    MODE_FILE = 0100644,
    MODE_PROGRAM = 0100755,
    MODE_LINK = 0120777,
};

static void put(uint8_t *at, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static uint32_t blocks_of(uint64_t bytes)
{
    return (uint32_t)((bytes + IMAGE_BLOCK_BYTES - 1) / IMAGE_BLOCK_BYTES);
}

static uint64_t number_of(uint32_t node)
{
    return FIRST_NUMBER + (uint64_t)node * 2;
}

/* ---- trees ---- */

void image_tree_init(struct image_tree *tree)
{
    *tree = (struct image_tree){ .count = 1, .capacity = 64 };
    tree->nodes = must_calloc(tree->capacity, sizeof *tree->nodes);
}

void image_tree_done(struct image_tree *tree)
{
    for (uint32_t i = 0; i < tree->text_count; i++)
        free(tree->texts[i]);
    free(tree->texts);
    free(tree->nodes);
    *tree = (struct image_tree){ 0 };
}

struct bytes image_tree_text(struct image_tree *tree, const char *text, size_t len)
{
    char *copy = must_calloc(1, len + 1);

    memcpy(copy, text, len);
    if (tree->text_count == tree->text_capacity) {
        tree->text_capacity = tree->text_capacity * 2 + 64;
        tree->texts = must_realloc(tree->texts, tree->text_capacity * sizeof *tree->texts);
    }
    tree->texts[tree->text_count++] = copy;
    return bytes_of(copy, len);
}

enum status image_tree_add(struct image_tree *tree, const struct image_node *node)
{
    struct image_node *parent;

    CHECK(node->parent < tree->count);
    CHECK(node->name.len >= 1 && node->name.len <= IMAGE_NAME_BYTES_MAX);
    if (tree->count == IMAGE_NODES_MAX)
        return ST_LIMIT;
    if (tree->count == tree->capacity) {
        tree->capacity *= 2;
        tree->nodes = must_realloc(tree->nodes, tree->capacity * sizeof *tree->nodes);
    }
    parent = &tree->nodes[node->parent];
    CHECK(parent->kind == IMAGE_FOLDER);
    if (parent->count == 0)
        parent->first = tree->count;
    CHECK(parent->first + parent->count == tree->count);
    parent->count++;
    tree->nodes[tree->count++] = *node;
    return ST_OK;
}

/* ---- folders ---- */

/* A folder's entries in the order of names, with "." and ".." among them. */
struct entry {
    struct bytes name;
    uint32_t node;
};

static int compare(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.data, b.data, len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* How many of the folder's own entries are before `name`. */
static uint32_t count_before(const struct image_tree *tree, uint32_t node, const char *name)
{
    const struct image_node *folder = &tree->nodes[node];
    struct bytes text = bytes_of_text(name);
    uint32_t low = 0, high = folder->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (compare(tree->nodes[folder->first + middle].name, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Entry number `at`; `dot` is how many names are before ".". */
static struct entry entry_at(
    const struct image_tree *tree, uint32_t node, uint32_t at, uint32_t dot, uint32_t dots)
{
    const struct image_node *folder = &tree->nodes[node];
    uint32_t child;

    if (at == dot)
        return (struct entry){ bytes_of_text("."), node };
    if (at == dots + 1)
        return (struct entry){ bytes_of_text(".."), folder->parent };
    child = folder->first + at - (at > dot) - (at > dots + 1);
    return (struct entry){ tree->nodes[child].name, child };
}

/* Which entries, from `at`, go into one block, and how many of its bytes they take. */
static uint32_t fill_block(const struct image_tree *tree,
                           uint32_t node,
                           uint32_t at,
                           uint32_t *out_bytes)
{
    uint32_t total = tree->nodes[node].count + 2;
    uint32_t dot = count_before(tree, node, "."), dots = count_before(tree, node, "..");
    uint32_t count = 0, bytes = 0;

    while (at + count < total) {
        struct entry entry = entry_at(tree, node, at + count, dot, dots);
        uint32_t more = ENTRY_BYTES + (uint32_t)entry.name.len;

        if (bytes + more > IMAGE_BLOCK_BYTES)
            break;
        bytes += more;
        count++;
    }
    *out_bytes = bytes;
    return count;
}

static uint64_t folder_bytes(const struct image_tree *tree, uint32_t node)
{
    uint32_t total = tree->nodes[node].count + 2;
    uint64_t full = 0;
    uint32_t bytes = 0;

    for (uint32_t at = 0; at < total;) {
        at += fill_block(tree, node, at, &bytes);
        if (at < total)
            full += IMAGE_BLOCK_BYTES;
    }
    return full + bytes;
}

void image_plan(struct image_tree *tree)
{
    uint32_t at = 1 + (tree->count + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;

    tree->unzipped_bytes = 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        struct image_node *node = &tree->nodes[i];

        if (node->kind == IMAGE_FILE)
            continue;
        node->bytes = node->kind == IMAGE_FOLDER ? folder_bytes(tree, i) : node->target.len;
        node->block = at;
        at += blocks_of(node->bytes);
    }
    tree->meta_blocks = at;
    for (uint32_t i = 0; i < tree->count; i++) {
        struct image_node *node = &tree->nodes[i];

        if (node->kind != IMAGE_FILE)
            continue;
        node->block = at;
        at += blocks_of(node->bytes);
        tree->unzipped_bytes += node->bytes;
    }
    tree->blocks = at;
}

/* ---- encoding ---- */

static void encode_super(const struct image_tree *tree, uint8_t out[IMAGE_BLOCK_BYTES])
{
    uint8_t *at = out + SUPER_AT;

    put(at + 0, 4, MAGIC);
    put(at + 8, 4, FEATURE_MTIME);
    put(at + 12, 1, BLOCK_BITS);
    put(at + 14, 2, FIRST_NUMBER);
    put(at + 16, 8, tree->count);
    put(at + 36, 4, tree->blocks);
}

static uint32_t count_subfolders(const struct image_tree *tree, const struct image_node *folder)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < folder->count; i++)
        count += tree->nodes[folder->first + i].kind == IMAGE_FOLDER;
    return count;
}

static void encode_inode(const struct image_tree *tree, uint32_t i, uint8_t out[INODE_BYTES])
{
    const struct image_node *node = &tree->nodes[i];
    uint32_t mode = node->executable ? MODE_PROGRAM : MODE_FILE;
    uint32_t links = 1;

    if (node->kind == IMAGE_FOLDER) {
        mode = MODE_FOLDER;
        links = 2 + count_subfolders(tree, node);
    }
    if (node->kind == IMAGE_LINK)
        mode = MODE_LINK;
    put(out + 0, 2, FORMAT_LONG_PLAIN);
    put(out + 4, 2, mode);
    put(out + 8, 8, node->bytes);
    put(out + 16, 4, node->block);
    put(out + 20, 4, i + 1);
    put(out + 32, 8, node->kind == IMAGE_FILE ? node->time : IMAGE_TIME);
    put(out + 44, 4, links);
}

static uint8_t type_of(enum image_kind kind)
{
    switch (kind) {
    case IMAGE_FOLDER:
        return TYPE_FOLDER;
    case IMAGE_FILE:
        return TYPE_FILE;
    case IMAGE_LINK:
        return TYPE_LINK;
    }
    CHECK(!"image: kind");
}

/* The entries from `at` that fit; returns how many. */
static uint32_t encode_folder(const struct image_tree *tree,
                              uint32_t node,
                              uint32_t at,
                              uint8_t out[IMAGE_BLOCK_BYTES])
{
    uint32_t dot = count_before(tree, node, "."), dots = count_before(tree, node, "..");
    uint32_t bytes;
    uint32_t count = fill_block(tree, node, at, &bytes);
    uint32_t name_at = count * ENTRY_BYTES;

    for (uint32_t i = 0; i < count; i++) {
        struct entry entry = entry_at(tree, node, at + i, dot, dots);
        uint8_t *to = out + i * ENTRY_BYTES;

        put(to + 0, 8, number_of(entry.node));
        put(to + 8, 2, name_at);
        to[10] = type_of(tree->nodes[entry.node].kind);
        memcpy(out + name_at, entry.name.data, entry.name.len);
        name_at += (uint32_t)entry.name.len;
    }
    return count;
}

void image_encode_next(const struct image_tree *tree,
                       struct image_cursor *cursor,
                       uint8_t out[IMAGE_BLOCK_BYTES])
{
    uint32_t inode_blocks = (tree->count + INODES_PER_BLOCK - 1) / INODES_PER_BLOCK;
    uint32_t block = cursor->block++;

    CHECK(block < tree->meta_blocks);
    memset(out, 0, IMAGE_BLOCK_BYTES);
    if (block == 0) {
        encode_super(tree, out);
        return;
    }
    if (block <= inode_blocks) {
        uint32_t first = (block - 1) * INODES_PER_BLOCK;

        for (uint32_t i = first; i < tree->count && i < first + INODES_PER_BLOCK; i++)
            encode_inode(tree, i, out + (i - first) * INODE_BYTES);
        return;
    }
    while (tree->nodes[cursor->node].kind == IMAGE_FILE)
        cursor->node++;
    const struct image_node *node = &tree->nodes[cursor->node];
    if (node->kind == IMAGE_LINK) {
        memcpy(out, node->target.data, node->target.len);
        cursor->node++;
        return;
    }
    cursor->entry += encode_folder(tree, cursor->node, cursor->entry, out);
    if (cursor->entry == node->count + 2) {
        cursor->node++;
        cursor->entry = 0;
    }
}

/* ---- decoding ---- */

static enum status no_image(struct err *err, const char *why, uint32_t node)
{
    return err_set(err, ST_CORRUPT, "no package image: %s, node %u", why, node);
}

/* The bytes that a node says are its own. */
static bool view_of(struct bytes image, const struct image_node *node, struct bytes *out)
{
    uint64_t start = (uint64_t)node->block * IMAGE_BLOCK_BYTES;

    if (start > image.len || node->bytes > image.len - start)
        return false;
    *out = bytes_of(image.data + start, (size_t)node->bytes);
    return true;
}

/* What inode `i` says; names and entries come from folders. */
static bool decode_inode(struct bytes image, uint32_t i, struct image_node *node)
{
    const uint8_t *at = image.data + IMAGE_BLOCK_BYTES + (size_t)i * INODE_BYTES;
    struct bytes text;

    node->bytes = get(at + 8, 8);
    node->block = (uint32_t)get(at + 16, 4);
    node->time = get(at + 32, 8);
    switch (get(at + 4, 2)) {
    case MODE_FOLDER:
        node->kind = IMAGE_FOLDER;
        return view_of(image, node, &text);
    case MODE_LINK:
        node->kind = IMAGE_LINK;
        return node->bytes >= 1 && node->bytes <= IMAGE_TARGET_BYTES_MAX &&
               view_of(image, node, &node->target) &&
               memchr(node->target.data, '\0', node->target.len) == NULL;
    case MODE_PROGRAM:
        node->executable = true;
        node->kind = IMAGE_FILE;
        return node->bytes <= PACKAGE_UNZIPPED_BYTES_MAX;
    case MODE_FILE:
        node->kind = IMAGE_FILE;
        return node->bytes <= PACKAGE_UNZIPPED_BYTES_MAX;
    default:
        return false;
    }
}

/* The name of entry `i` of `count` in a folder's block. */
static bool decode_name(struct bytes block, uint32_t i, uint32_t count, struct bytes *out)
{
    size_t from = get(block.data + i * ENTRY_BYTES + 8, 2);
    size_t to = i + 1 < count ? get(block.data + (i + 1) * ENTRY_BYTES + 8, 2) : block.len;

    if (from > to || to > block.len)
        return false;
    out->data = block.data + from;
    out->len = strnlen((const char *)out->data, to - from);
    return out->len >= 1 && out->len <= IMAGE_NAME_BYTES_MAX &&
           memchr(out->data, '/', out->len) == NULL;
}

static bool is_dots(struct bytes name)
{
    return name.len <= 2 && memcmp(name.data, "..", name.len) == 0;
}

static enum status decode_block(struct bytes image,
                                struct bytes block,
                                uint32_t folder,
                                struct image_tree *tree,
                                struct err *err)
{
    uint32_t count = block.len >= ENTRY_BYTES ? (uint32_t)get(block.data + 8, 2) / ENTRY_BYTES : 0;

    if (count == 0 || count * ENTRY_BYTES > block.len)
        return no_image(err, "a folder's block", folder);
    for (uint32_t i = 0; i < count; i++) {
        struct image_node node = { .parent = folder };

        if (!decode_name(block, i, count, &node.name))
            return no_image(err, "a name", folder);
        if (is_dots(node.name))
            continue;
        /* There are as many inodes as the superblock said, and each has its one name. */
        if (tree->count >= tree->capacity || !decode_inode(image, tree->count, &node))
            return no_image(err, "an entry", tree->count);
        if (tree->nodes[folder].count > 0 &&
            compare(tree->nodes[tree->count - 1].name, node.name) >= 0)
            return no_image(err, "the order of names", folder);
        CHECK(image_tree_add(tree, &node) == ST_OK);
    }
    return ST_OK;
}

static enum status decode_folder(struct bytes image,
                                 uint32_t folder,
                                 struct image_tree *tree,
                                 struct err *err)
{
    struct bytes all;
    enum status st = ST_OK;

    if (!view_of(image, &tree->nodes[folder], &all))
        return no_image(err, "a folder's place", folder);
    for (size_t at = 0; at < all.len && st == ST_OK; at += IMAGE_BLOCK_BYTES) {
        size_t len = all.len - at < IMAGE_BLOCK_BYTES ? all.len - at : IMAGE_BLOCK_BYTES;

        st = decode_block(image, bytes_of(all.data + at, len), folder, tree, err);
    }
    return st;
}

static enum status decode_tree(struct bytes image,
                               uint32_t count,
                               struct image_tree *tree,
                               struct err *err)
{
    enum status st = ST_OK;
    uint64_t left = image.len; /* each block is of one folder at most, so reading takes no longer */

    *tree = (struct image_tree){ .count = 1, .capacity = count };
    tree->nodes = must_calloc(count, sizeof *tree->nodes);
    if (!decode_inode(image, 0, &tree->nodes[0]) || tree->nodes[0].kind != IMAGE_FOLDER)
        return no_image(err, "the top folder", 0);
    for (uint32_t i = 0; i < tree->count && st == ST_OK; i++) {
        if (tree->nodes[i].kind != IMAGE_FOLDER)
            continue;
        if (tree->nodes[i].bytes > left)
            return no_image(err, "more folder blocks than it has", i);
        left -= tree->nodes[i].bytes;
        st = decode_folder(image, i, tree, err);
    }
    if (st == ST_OK && tree->count != count)
        st = no_image(err, "fewer entries than inodes", tree->count);
    return st;
}

static enum status compare_encoded(struct bytes image,
                                   const struct image_tree *tree,
                                   struct err *err)
{
    struct image_cursor cursor = { 0 };
    uint8_t block[IMAGE_BLOCK_BYTES];

    if ((uint64_t)tree->blocks * IMAGE_BLOCK_BYTES != image.len)
        return no_image(err, "its length is another", tree->count);
    for (uint32_t i = 0; i < tree->meta_blocks; i++) {
        image_encode_next(tree, &cursor, block);
        if (memcmp(block, image.data + (size_t)i * IMAGE_BLOCK_BYTES, IMAGE_BLOCK_BYTES) != 0)
            return err_set(err, ST_CORRUPT, "no package image: block %u is not as we write it", i);
    }
    return ST_OK;
}

enum status image_decode(struct bytes image, struct image_tree *out, struct err *err)
{
    uint64_t count;
    enum status st;

    if (image.len < 2 * IMAGE_BLOCK_BYTES || image.len % IMAGE_BLOCK_BYTES != 0 ||
        image.len > IMAGE_BYTES_MAX)
        return err_set(err, ST_CORRUPT, "no package image: %zu bytes", image.len);
    if (get(image.data + SUPER_AT, 4) != MAGIC)
        return err_set(err, ST_CORRUPT, "no package image: no superblock");
    count = get(image.data + SUPER_AT + 16, 8);
    if (count == 0 || count > IMAGE_NODES_MAX ||
        count > (image.len - IMAGE_BLOCK_BYTES) / INODE_BYTES)
        return err_set(err, ST_CORRUPT, "no package image: %llu inodes", (unsigned long long)count);
    st = decode_tree(image, (uint32_t)count, out, err);
    if (st == ST_OK) {
        image_plan(out);
        if (out->unzipped_bytes > PACKAGE_UNZIPPED_BYTES_MAX)
            st = no_image(err, "larger than a package may be", 0);
    }
    if (st == ST_OK)
        st = compare_encoded(image, out, err);
    if (st != ST_OK)
        image_tree_done(out);
    return st;
}
