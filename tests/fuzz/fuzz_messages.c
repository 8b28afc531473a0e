/* Messages between programs: the first byte says which, the rest is packed.  Whatever decodes gets
 * through its check without harm, and packs to the same bytes. */
#include <stdlib.h>

#include "base/check.h"
#include "proto/blob_check.h"
#include "proto/canonical.h"
#include "proto/invoke_check.h"
#include "proto/raft_check.h"
#include "proto/spawner_check.h"
#include "proto/state_service_check.h"
#include "proto/worker_check.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const descriptors[] = {
    &lapwing__propose_request__descriptor,
    &lapwing__propose_reply__descriptor,
    &lapwing__read_request__descriptor,
    &lapwing__read_reply__descriptor,
    &lapwing__offer__descriptor,
    &lapwing__refuse__descriptor,
    &lapwing__result__descriptor,
    &lapwing__check_package__descriptor,
    &lapwing__package_checked__descriptor,
    &lapwing__read_logs__descriptor,
    &lapwing__logs__descriptor,
    &lapwing__heartbeat__descriptor,
    &lapwing__heartbeat_reply__descriptor,
    &lapwing__blob_put_begin__descriptor,
    &lapwing__blob_put_end__descriptor,
    &lapwing__blob_put_done__descriptor,
    &lapwing__blob_get__descriptor,
    &lapwing__blob_get_done__descriptor,
    &lapwing__raft_message__descriptor,
    &lapwing__raft_snapshot_chunk__descriptor,
    &lapwing__raft_snapshot_ack__descriptor,
    &lapwing__forward__descriptor,
    &lapwing__forwarded__descriptor,
    &lapwing__barrier_done__descriptor,

    &lapwing__spawner_message__descriptor,

    /* Those of numbers alone, where any will do. */
    &lapwing__ready__descriptor,
    &lapwing__go__descriptor,
    &lapwing__withdraw__descriptor,
    &lapwing__blob_put_abort__descriptor,
    &lapwing__blob_put_progress__descriptor,
    &lapwing__barrier__descriptor,
    &lapwing__handover__descriptor,
    &lapwing__raft_removed__descriptor,

    &lapwing__raft_hello__descriptor,
};
enum { CHECKED = 25, HELLO = ARRAY_LEN(descriptors) - 1 };

/* In the order of the table. */
static enum status check_of_programs(size_t which, const void *m, struct err *err)
{
    switch (which) {
    case 0:
        return propose_request_check(m, err);
    case 1:
        return propose_reply_check(m, err);
    case 2:
        return read_request_check(m, err);
    case 3:
        return read_reply_check(m, err);
    case 4:
        return offer_check(m, err);
    case 5:
        return refuse_check(m, err);
    case 6:
        return result_check(m, err);
    case 7:
        return check_package_check(m, err);
    case 8:
        return package_checked_check(m, err);
    case 9:
        return read_logs_check(m, err);
    case 10:
        return logs_check(m, err);
    case 11:
        return heartbeat_check(m, err);
    default:
        CHECK(which == 12);
        return heartbeat_reply_check(m, err);
    }
}

static enum status check_of_parts(size_t which, const void *m, struct err *err)
{
    switch (which) {
    case 13:
        return blob_put_begin_check(m, err);
    case 14:
        return blob_put_end_check(m, err);
    case 15:
        return blob_put_done_check(m, err);
    case 16:
        return blob_get_check(m, err);
    case 17:
        return blob_get_done_check(m, err);
    case 18:
        return raft_message_check(m, err);
    case 19:
        return raft_snapshot_chunk_check(m, err);
    case 20:
        return raft_snapshot_ack_check(m, err);
    case 21:
        return forward_check(m, err);
    case 22:
        return forwarded_check(m, err);
    case 23:
        return barrier_done_check(m, err);
    default:
        CHECK(which == 24);
        return spawner_message_check(m, err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = { 0 };
    ProtobufCMessage *message;
    enum status st;
    size_t which;

    if (len == 0 || data[0] >= ARRAY_LEN(descriptors))
        return 0;
    which = data[0];
    message = message_decode(descriptors[which], bytes_of(data + 1, len - 1));
    if (message == NULL)
        return 0;
    CHECK(message_packs_to(message, bytes_of(data + 1, len - 1)));
    if (which < CHECKED) {
        st = which <= 12 ? check_of_programs(which, message, &err)
                         : check_of_parts(which, message, &err);
        CHECK((st == ST_OK) == (err.text[0] == '\0'));
    } else if (which == HELLO) {
        st = raft_hello_check((const Lapwing__RaftHello *)message, &err);
        CHECK((st == ST_OK) == (err.text[0] == '\0'));
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}
