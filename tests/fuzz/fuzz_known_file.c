/* The file of whose log is which: what decodes encodes to what decodes to the same.
 *
 *   input   the file; its checksum is set right, or hardly any would get behind it */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/replica/known_file.h"
#include "tests/fuzz/fuzz.h"

enum { CRC_AT = 8, HEAD_BYTES = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t *copy = must_calloc(len + 1, 1);
    struct buf again = { 0 };
    struct known first;
    struct known second;
    struct err err = { 0 };
    uint32_t crc;

    memcpy(copy, data, len);
    if (len >= HEAD_BYTES) {
        crc = hash_crc32c(0, bytes_of(copy, CRC_AT));
        crc = htole32(hash_crc32c(crc, bytes_of(copy + HEAD_BYTES, len - HEAD_BYTES)));
        memcpy(copy + CRC_AT, &crc, sizeof crc);
    }
    if (known_file_decode(bytes_of(copy, len), &first, &err) == ST_OK) {
        CHECK(first.count <= RAFT_KNOWN_MAX);
        known_file_encode(&first, &again);
        CHECK(known_file_decode(buf_view(&again), &second, &err) == ST_OK);
        CHECK(first.incarnation == second.incarnation);
        CHECK(first.count == second.count);
    } else {
        CHECK(err.text[0] != '\0');
    }
    buf_done(&again);
    free(copy);
    return 0;
}
