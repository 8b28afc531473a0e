/* Entries of the log, as they come from another node or from the disk: what decodes must encode to
 * the same bytes. */
#include "base/check.h"
#include "proto/entry.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data, len);
    Lapwing__Entry *entry = NULL;
    struct buf again = { 0 };

    if (entry_decode(in, &entry, NULL) != ST_OK)
        return 0;
    CHECK(entry_encode(entry, &again, NULL) == ST_OK);
    CHECK(bytes_equal(buf_view(&again), in));
    buf_done(&again);
    entry_free(entry);
    return 0;
}
