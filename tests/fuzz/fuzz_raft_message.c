/* Messages of a Raft peer: what decodes must encode to bytes that decode to the same encoding. */
#include "base/check.h"
#include "controlplane/replica/wire.h"
#include "tests/fuzz/fuzz.h"

enum { PEER = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wire_message first = { 0 };
    struct wire_message second = { 0 };
    struct buf once = { 0 };
    struct buf twice = { 0 };

    if (wire_decode(bytes_of(data, len), PEER, &first, NULL) == ST_OK) {
        wire_encode(&first.raft, first.entries, &first.snapshot, &once);
        CHECK(wire_decode(buf_view(&once), PEER, &second, NULL) == ST_OK);
        wire_encode(&second.raft, second.entries, &second.snapshot, &twice);
        CHECK(bytes_equal(buf_view(&once), buf_view(&twice)));
    }
    wire_message_done(&first);
    wire_message_done(&second);
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
