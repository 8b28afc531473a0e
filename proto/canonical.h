/* Canonical protobuf: the bytes that we would have written ourselves. */
#ifndef PROTO_CANONICAL_H
#define PROTO_CANONICAL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/bytes.h"

/* Does the message pack to exactly these bytes?  Fields that this release does not know are kept by
 * protobuf-c and packed last, as a newer release numbers them.  False for a text with a NUL inside,
 * a field given twice, a number in more bytes than it needs...: several encodings of one thing
 * would let replicas that check bytes disagree with those that check messages.  Does not allocate.
 */
bool message_packs_to(const ProtobufCMessage *message, struct bytes bytes);

/* Decode, and refuse what is not canonical: NULL for both.  Owned by the caller. */
ProtobufCMessage *message_decode(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes);

#endif
