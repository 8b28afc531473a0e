/* Messages of a Raft peer: what decodes must encode to bytes that decode to the same encoding. */
#include "base/check.h"
#include "controlplane/replica/wire.h"
#include "tests/fuzz/fuzz.h"

enum { PEER = 2 };

static void encode(const struct wire_message *message, struct buf *out)
{
    if (message->raft.type == RAFT_APPEND_ENTRIES)
        wire_encode_append(&message->raft, message->entries, message->sent_ms, out);
    else if (message->raft.type == RAFT_APPEND_ENTRIES_RESULT)
        wire_encode_append_result(&message->raft, message->echo_ms, out);
    else
        wire_encode(&message->raft, message->entries, &message->snapshot, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct wire_message first = { 0 };
    struct wire_message second = { 0 };
    struct buf once = { 0 };
    struct buf twice = { 0 };

    if (wire_decode(bytes_of(data, len), PEER, &first, NULL) == ST_OK) {
        encode(&first, &once);
        CHECK(wire_decode(buf_view(&once), PEER, &second, NULL) == ST_OK);
        encode(&second, &twice);
        CHECK(bytes_equal(buf_view(&once), buf_view(&twice)));
    }
    wire_message_done(&first);
    wire_message_done(&second);
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
