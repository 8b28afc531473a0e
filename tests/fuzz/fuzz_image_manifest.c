/* Manifests of images: what decodes encodes to the same bytes. */
#include "worker/image/image_manifest.h"

#include <string.h>

#include "base/check.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct image_manifest manifest;
    struct buf again = { 0 };

    if (image_manifest_decode(bytes_of(data, len), &manifest, NULL) != ST_OK)
        return 0;
    image_manifest_encode(&manifest, &again);
    CHECK(again.len == len && memcmp(again.data, data, len) == 0);
    buf_done(&again);
    return 0;
}
