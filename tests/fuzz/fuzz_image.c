/* Package images: whatever bytes are said to be one, they are read within their bounds, and what is
 * taken for an image holds only what a package may. */
#include "worker/image/image_rules.h"

#include <string.h>

#include "base/check.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct image_tree tree;
    struct err err = { 0 };

    if (image_decode(bytes_of(data, len), &tree, &err) != ST_OK) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    CHECK((uint64_t)tree.blocks * IMAGE_BLOCK_BYTES == len);
    for (uint32_t i = 1; i < tree.count; i++) {
        const struct image_node *node = &tree.nodes[i];

        CHECK(node->parent < i);
        CHECK(node->name.len >= 1 && memchr(node->name.data, '/', node->name.len) == NULL);
        CHECK(((uint64_t)node->block * IMAGE_BLOCK_BYTES) + node->bytes <= len);
    }
    image_tree_done(&tree);
    return 0;
}
