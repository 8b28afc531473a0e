/* Packs a message against bytes instead of into them. */
#include "proto/canonical.h"

#include <string.h>

#include "base/check.h"

/* A protobuf-c sink that compares. */
struct comparer {
    ProtobufCBuffer base; /* first: protobuf-c hands it back */
    struct bytes left;
    bool same;
};

static void compare(ProtobufCBuffer *buffer, size_t len, const uint8_t *data)
{
    struct comparer *comparer = container_of(buffer, struct comparer, base);

    if (!comparer->same || len > comparer->left.len ||
        (len > 0 && memcmp(comparer->left.data, data, len) != 0)) {
        comparer->same = false;
        return;
    }
    comparer->left.data += len;
    comparer->left.len -= len;
}

bool message_packs_to(const ProtobufCMessage *message, struct bytes bytes)
{
    struct comparer comparer = { .base = { .append = compare }, .left = bytes, .same = true };

    (void)protobuf_c_message_pack_to_buffer(message, &comparer.base);
    return comparer.same && comparer.left.len == 0;
}

ProtobufCMessage *message_decode(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, NULL, bytes.len, bytes.data);

    if (message == NULL || message_packs_to(message, bytes))
        return message;
    protobuf_c_message_free_unpacked(message, NULL);
    return NULL;
}
