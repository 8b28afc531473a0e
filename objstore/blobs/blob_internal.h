/* What the files of objstore/blobs share. */
#ifndef OBJSTORE_BLOBS_BLOB_INTERNAL_H
#define OBJSTORE_BLOBS_BLOB_INTERNAL_H

#include "objstore/blobs/blob_disk.h"

struct blob_store {
    uv_loop_t *loop;
    unsigned open; /* writers and readers; loop's thread only */
    struct blob_disk disk;
};

#endif
