/* The form of package images: an EROFS file system that the kernel mounts, of which there is
 * exactly one for each tree.
 *
 *   block 0   zeros; the superblock at 1024
 *   inodes    64 bytes each, from block 1; node i has number 128 + 2i (EROFS counts in 32 bytes)
 *   folders and links, in the order of nodes: entries in blocks; targets, a block each
 *   files, in the order of nodes, each from a block's start; zeros to the end of its last block
 *
 * The order of nodes: the top folder, its entries by name (bytes compared), then those of the first
 * folder among them, and so on.  Owner root, modes 0644, 0755 and 0777, no links of files, no
 * attributes, no compression, nothing else that EROFS can do.
 *
 * So an image can be checked without believing who made it: image_decode() reads its tree, and it
 * is an image of ours if and only if encoding that tree gives the same blocks.  The kernel's EROFS
 * is not made for hostile images; these are none, whatever stands in them.
 *
 * Format: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.  Pure but for memory.
 */
#ifndef WORKER_IMAGE_IMAGE_RULES_H
#define WORKER_IMAGE_IMAGE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

enum {
    /* Part of an image's name in the object store: another form needs another number. */
    IMAGE_LAYOUT = 1,
    IMAGE_BLOCK_BYTES = 4096,
    IMAGE_NODES_MAX = PACKAGE_FILES_MAX + 1, /* and the top folder */
    IMAGE_NAME_BYTES_MAX = 255,
    IMAGE_TARGET_BYTES_MAX = IMAGE_BLOCK_BYTES - 1,
    IMAGE_TIME = 315532800, /* of folders and links: 1980-01-01, where the times of zips begin */
};

/* More than any package can give: each node wastes a block at most, and names two more. */
#define IMAGE_BYTES_MAX                                                                            \
    ((uint64_t)PACKAGE_UNZIPPED_BYTES_MAX + (uint64_t)IMAGE_NODES_MAX * 3 * IMAGE_BLOCK_BYTES)

enum image_kind { IMAGE_FOLDER, IMAGE_FILE, IMAGE_LINK };

struct image_node {
    enum image_kind kind;
    bool executable; /* files */
    uint32_t parent;
    uint32_t first;      /* folders: the number of their first entry */
    uint32_t count;      /* folders: how many */
    uint32_t block;      /* where its bytes start; set by image_plan() */
    uint64_t bytes;      /* of a file or target; of a folder, set by image_plan() */
    uint64_t time;       /* files: seconds since the epoch */
    struct bytes name;   /* empty for the top folder */
    struct bytes target; /* links */
};

/* Names and targets are in `texts` or borrowed from an image.  Freed by image_tree_done(). */
struct image_tree {
    struct image_node *nodes; /* in the order of nodes */
    uint32_t count;
    uint32_t capacity;
    char **texts;
    uint32_t text_count;
    uint32_t text_capacity;
    uint64_t unzipped_bytes; /* of all files; set by image_plan() */
    uint32_t meta_blocks;    /* before the first file's bytes; set by image_plan() */
    uint32_t blocks;         /* of the whole image; the same */
};

/* A tree with its top folder only. */
void image_tree_init(struct image_tree *tree);
void image_tree_done(struct image_tree *tree);

/* One more entry of the folder `parent`; entries come in the order of nodes.  `text` is copied, and
 * the copy is returned, owned by the tree; see image_tree_text().  ST_LIMIT: too many. */
enum status image_tree_add(struct image_tree *tree, const struct image_node *node);
/* A copy of a text that lives as long as the tree. */
struct bytes image_tree_text(struct image_tree *tree, const char *text, size_t len);

/* Lay it out: fill in what image_plan() sets. */
void image_plan(struct image_tree *tree);

/* Where encoding is: zero-initialised is the start. */
struct image_cursor {
    uint32_t block;
    uint32_t node;  /* whose folder blocks or target are next */
    uint32_t entry; /* of that folder, "." and ".." counted */
};

/* Write the next of the meta_blocks blocks of a planned tree. */
void image_encode_next(const struct image_tree *tree,
                       struct image_cursor *cursor,
                       uint8_t out[IMAGE_BLOCK_BYTES]);

/* Read an image's tree and check that it is one of ours, as above; the files' bytes may be
 * anything.
 *
 * image  all of it; only what is before the files' bytes is looked at, and what `out` borrows
 * out    initialised and planned on ST_OK, to be freed by the caller
 *
 * ST_CORRUPT: it is none. */
enum status image_decode(struct bytes image, struct image_tree *out, struct err *err);

#endif
