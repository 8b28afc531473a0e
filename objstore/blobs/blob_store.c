/* Opening and closing the blob store.  Owned by main(); the loop's thread. */
#include "objstore/blobs/blob_store.h"

#include <stdlib.h>

#include "base/check.h"
#include "objstore/blobs/blob_internal.h"

enum status blob_store_open(uv_loop_t *loop,
                            const char *dir,
                            struct blob_store **out_store,
                            struct err *err)
{
    struct blob_store *store = must_calloc(1, sizeof *store);
    enum status st;

    store->loop = loop;
    store->disk.dir_fd = -1;
    st = blob_disk_open(&store->disk, dir, err);
    if (st != ST_OK) {
        blob_store_close(store);
        return st;
    }
    *out_store = store;
    return ST_OK;
}

void blob_store_close(struct blob_store *store)
{
    if (store == NULL)
        return;
    CHECK(store->open == 0);
    blob_disk_close(&store->disk);
    free(store);
}
