/* The log entry as bytes:
 *
 *   Entry, packed protobuf | u32 CRC-32C of those bytes, little endian
 *
 * Canonical: what decodes encodes to the same bytes, so an entry may be sent on as it was stored.
 */
#ifndef PROTO_ENTRY_H
#define PROTO_ENTRY_H

#include "base/bytes.h"
#include "base/status.h"
#include "proto/command.pb-c.h"

enum { ENTRY_FORMAT = 1, ENTRY_CRC_BYTES = 4, ENTRY_COMMANDS_MAX = 4096 };

/* Append the bytes of `entry` to `out`.
 * ST_LIMIT: more than ENTRY_BYTES_MAX; ST_BAD_INPUT as entry_check(): `out` is as it was. */
enum status entry_encode(const Lapwing__Entry *entry, struct buf *out, struct err *err);

/* Decode and check the form of an entry: checksum, format, bounds and the common fields of every
 * command.  Not the bodies: command_check() does that before a command is proposed.
 *
 * out_entry  owned by the caller, written on ST_OK; free with entry_free()
 *
 * ST_CORRUPT: the checksum is wrong; ST_LIMIT: too large; ST_BAD_INPUT: anything else. */
enum status entry_decode(struct bytes in, Lapwing__Entry **out_entry, struct err *err);
void entry_free(Lapwing__Entry *entry); /* accepts NULL */

/* The bytes that `command` adds to an entry: what a batch counts against ENTRY_BYTES_MAX (an entry
 * without commands has at most ENTRY_BASE_BYTES). */
enum { ENTRY_BASE_BYTES = 32 };
size_t entry_command_bytes(const Lapwing__Command *command);

/* What entry_decode() checks once the bytes are an Entry. */
enum status entry_check(const Lapwing__Entry *entry, struct err *err);

#endif
