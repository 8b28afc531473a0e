/* Access keys of links.  See objstore.h. */
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "objstore/client/objstore.h"

void objstore_link_key(const char *bucket, const char *key, char out[OBJSTORE_LINK_KEY_BYTES])
{
    size_t prefix = strlen(OBJSTORE_LINK_KEY_PREFIX);
    uint8_t digest[SHA256_BYTES];
    struct buf name = { 0 };

    _Static_assert(OBJSTORE_LINK_KEY_BYTES == sizeof OBJSTORE_LINK_KEY_PREFIX + 32, "id");
    buf_printf(&name, "%s/%s", bucket, key);
    hash_sha256(buf_view(&name), digest);
    buf_done(&name);
    memcpy(out, OBJSTORE_LINK_KEY_PREFIX, prefix);
    hex_encode(bytes_of(digest, (OBJSTORE_LINK_KEY_BYTES - 1 - prefix) / 2), out + prefix);
}
