/* The codec of log entries; the layout is in entry.h.  Any thread. */
#include "proto/entry.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/canonical.h"
#include "proto/command_check.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

static uint32_t crc_of(struct bytes in)
{
    return hash_crc32c(0, in);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < ENTRY_CRC_BYTES; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t value = 0;

    for (int i = 0; i < ENTRY_CRC_BYTES; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

enum status entry_check(const Lapwing__Entry *entry, struct err *err)
{
    enum status st;

    if (entry->format != ENTRY_FORMAT)
        return err_set(err, ST_BAD_INPUT, "entry: format %u, want %d", entry->format, ENTRY_FORMAT);
    st = field_number_check("entry: leader_ms", entry->leader_ms, 1, TIME_MS_MAX, err);
    if (st == ST_OK)
        st = field_count_check("entry: commands", entry->n_commands, ENTRY_COMMANDS_MAX, err);
    for (size_t i = 0; st == ST_OK && i < entry->n_commands; i++)
        st = command_envelope_check(entry->commands[i], err);
    return st;
}

enum status entry_encode(const Lapwing__Entry *entry, struct buf *out, struct err *err)
{
    enum status st = entry_check(entry, err);
    size_t len;
    uint8_t *at;

    if (st != ST_OK)
        return st;
    len = lapwing__entry__get_packed_size(entry);
    if (len + ENTRY_CRC_BYTES > ENTRY_BYTES_MAX)
        return err_set(err, ST_LIMIT, "entry: %zu bytes, want at most %d", len + ENTRY_CRC_BYTES,
                       ENTRY_BYTES_MAX);
    at = buf_reserve(out, len + ENTRY_CRC_BYTES);
    (void)lapwing__entry__pack(entry, at);
    put_u32(at + len, crc_of(bytes_of(at, len)));
    out->len += len + ENTRY_CRC_BYTES;
    return ST_OK;
}

enum status entry_decode(struct bytes in, Lapwing__Entry **out_entry, struct err *err)
{
    struct bytes packed = in;
    Lapwing__Entry *entry;
    enum status st;

    if (in.len > ENTRY_BYTES_MAX)
        return err_set(err, ST_LIMIT, "entry: %zu bytes, want at most %d", in.len, ENTRY_BYTES_MAX);
    if (in.len < ENTRY_CRC_BYTES)
        return err_set(err, ST_BAD_INPUT, "entry: %zu bytes, want at least %d", in.len,
                       ENTRY_CRC_BYTES);
    packed.len -= ENTRY_CRC_BYTES;
    if (get_u32(in.data + packed.len) != crc_of(packed))
        return err_set(err, ST_CORRUPT, "entry: %zu bytes do not match their checksum", in.len);
    entry = (Lapwing__Entry *)message_decode(&lapwing__entry__descriptor, packed);
    if (entry == NULL)
        return err_set(err, ST_BAD_INPUT, "entry: not a canonical protobuf Entry");
    st = entry_check(entry, err);
    if (st != ST_OK) {
        entry_free(entry);
        return st;
    }
    *out_entry = entry;
    return ST_OK;
}

void entry_free(Lapwing__Entry *entry)
{
    if (entry != NULL)
        lapwing__entry__free_unpacked(entry, NULL);
}

size_t entry_command_bytes(const Lapwing__Command *command)
{
    enum { TAG_AND_LENGTH_BYTES_MAX = 1 + 5 };

    return lapwing__command__get_packed_size(command) + TAG_AND_LENGTH_BYTES_MAX;
}
