/* The codec of log entries. */
#include "proto/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "tests/unit/check.h"

enum { CLIENT_BYTES = 16, MANY = 5000 };

static uint8_t client[CLIENT_BYTES] = { 1, 2, 3 };
static uint8_t body[COMMAND_BYTES_MAX + 1];
static Lapwing__Command commands[MANY];
static Lapwing__Command *list[MANY];

/* An entry of `count` commands with bodies of `body_bytes`; in static storage. */
static Lapwing__Entry make(size_t count, size_t body_bytes)
{
    Lapwing__Entry entry = LAPWING__ENTRY__INIT;

    for (size_t i = 0; i < count; i++) {
        lapwing__command__init(&commands[i]);
        commands[i].type = LAPWING__COMMAND_TYPE__DELETE_FUNCTION;
        commands[i].version = 1;
        commands[i].client = (ProtobufCBinaryData){ .len = sizeof client, .data = client };
        commands[i].sequence = 7;
        commands[i].acked = 6;
        commands[i].body = (ProtobufCBinaryData){ .len = body_bytes, .data = body };
        list[i] = &commands[i];
    }
    entry.format = ENTRY_FORMAT;
    entry.leader_ms = 1000;
    entry.n_commands = count;
    entry.commands = list;
    return entry;
}

TEST(what_is_encoded_decodes_to_the_same_and_encodes_to_the_same_bytes)
{
    static const size_t counts[] = { 0, 1, 3, ENTRY_COMMANDS_MAX };

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        Lapwing__Entry entry = make(counts[i], 100);
        Lapwing__Entry *decoded = NULL;
        struct buf first = { 0 };
        struct buf second = { 0 };

        EXPECT_EQ(entry_encode(&entry, &first, NULL), ST_OK);
        EXPECT_EQ(entry_decode(buf_view(&first), &decoded, NULL), ST_OK);
        EXPECT_EQ(decoded->n_commands, counts[i]);
        EXPECT_EQ(decoded->leader_ms, 1000);
        EXPECT_EQ(entry_encode(decoded, &second, NULL), ST_OK);
        EXPECT(bytes_equal(buf_view(&first), buf_view(&second)));
        entry_free(decoded);
        buf_done(&first);
        buf_done(&second);
    }
}

TEST(an_entry_of_a_later_release_keeps_its_fields)
{
    /* Field 15, which this release does not know, behind the others. */
    static const uint8_t packed[] = { 0x08, 0x01, 0x10, 0x05, 0x78, 0x2a };
    uint8_t in[sizeof packed + ENTRY_CRC_BYTES];
    uint32_t crc = hash_crc32c(0, bytes_of(packed, sizeof packed));
    Lapwing__Entry *decoded = NULL;
    struct buf again = { 0 };

    memcpy(in, packed, sizeof packed);
    for (int i = 0; i < 4; i++)
        in[sizeof packed + (size_t)i] = (uint8_t)(crc >> (8 * i));
    EXPECT_EQ(entry_decode(bytes_of(in, sizeof in), &decoded, NULL), ST_OK);
    EXPECT_EQ(entry_encode(decoded, &again, NULL), ST_OK);
    EXPECT(bytes_equal(buf_view(&again), bytes_of(in, sizeof in)));
    entry_free(decoded);
    buf_done(&again);
}

/* Packed bytes, to which the right checksum is added. */
static const struct {
    const char *name;
    uint8_t packed[16];
    size_t len;
    enum status want;
} raw_rows[] = {
    { "as we write it", { 0x08, 0x01, 0x10, 0x05 }, 4, ST_OK },
    { "another format", { 0x08, 0x02, 0x10, 0x05 }, 4, ST_BAD_INPUT },
    { "no format", { 0x10, 0x05 }, 2, ST_BAD_INPUT },
    { "no time", { 0x08, 0x01 }, 2, ST_BAD_INPUT },
    { "fields in another order", { 0x10, 0x05, 0x08, 0x01 }, 4, ST_BAD_INPUT },
    { "a number in two bytes", { 0x08, 0x81, 0x00, 0x10, 0x05 }, 5, ST_BAD_INPUT },
    { "a field twice", { 0x08, 0x01, 0x08, 0x01, 0x10, 0x05 }, 6, ST_BAD_INPUT },
    { "cut", { 0x08, 0x01, 0x10 }, 3, ST_BAD_INPUT },
    { "a command with nothing", { 0x08, 0x01, 0x10, 0x05, 0x1a, 0x00 }, 6, ST_BAD_INPUT },
    { "no protobuf", { 0xff, 0xff, 0xff }, 3, ST_BAD_INPUT },
    { "time beyond a signed number",
      { 0x08, 0x01, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 },
      13,
      ST_BAD_INPUT },
    { "nothing", { 0 }, 0, ST_BAD_INPUT },
};

TEST(only_one_encoding_of_an_entry_decodes)
{
    for (size_t i = 0; i < ARRAY_LEN(raw_rows); i++) {
        uint32_t crc = hash_crc32c(0, bytes_of(raw_rows[i].packed, raw_rows[i].len));
        uint8_t in[sizeof raw_rows[i].packed + ENTRY_CRC_BYTES];
        Lapwing__Entry *decoded = NULL;
        struct err err = { 0 };

        test_case = raw_rows[i].name;
        memcpy(in, raw_rows[i].packed, raw_rows[i].len);
        for (size_t k = 0; k < ENTRY_CRC_BYTES; k++)
            in[raw_rows[i].len + k] = (uint8_t)(crc >> (8 * k));
        EXPECT_EQ(entry_decode(bytes_of(in, raw_rows[i].len + ENTRY_CRC_BYTES), &decoded, &err),
                  raw_rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', raw_rows[i].want == ST_OK);
        entry_free(decoded);
    }
    test_case = NULL;
}

TEST(any_bit_that_flips_is_found)
{
    Lapwing__Entry entry = make(1, 8);
    Lapwing__Entry *decoded = NULL;
    struct buf buf = { 0 };

    EXPECT_EQ(entry_encode(&entry, &buf, NULL), ST_OK);
    for (size_t bit = 0; bit < 8 * buf.len; bit++) {
        buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_EQ(entry_decode(buf_view(&buf), &decoded, NULL), ST_CORRUPT);
        buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < buf.len; len++)
        EXPECT_EQ(entry_decode(bytes_of(buf.data, len), &decoded, NULL),
                  len < ENTRY_CRC_BYTES ? ST_BAD_INPUT : ST_CORRUPT);
    buf_done(&buf);
}

static const struct {
    const char *name;
    size_t count;
    size_t body_bytes;
    enum status want;
} size_rows[] = {
    { "the most commands", ENTRY_COMMANDS_MAX, 1, ST_OK },
    { "a command too many", ENTRY_COMMANDS_MAX + 1, 1, ST_BAD_INPUT },
    { "the largest body", 1, COMMAND_BYTES_MAX, ST_OK },
    { "a body one byte too large", 1, COMMAND_BYTES_MAX + 1, ST_BAD_INPUT },
    { "about a megabyte", 15, COMMAND_BYTES_MAX, ST_OK },
    { "more than a megabyte", 16, COMMAND_BYTES_MAX, ST_LIMIT },
};

TEST(an_entry_is_bounded)
{
    for (size_t i = 0; i < ARRAY_LEN(size_rows); i++) {
        Lapwing__Entry entry = make(size_rows[i].count, size_rows[i].body_bytes);
        struct buf buf = { 0 };

        test_case = size_rows[i].name;
        EXPECT_EQ(entry_encode(&entry, &buf, NULL), size_rows[i].want);
        EXPECT_EQ(buf.len > 0, size_rows[i].want == ST_OK);
        buf_done(&buf);
    }
    test_case = NULL;
}

TEST(counting_its_commands_never_counts_too_little)
{
    for (size_t bytes = 0; bytes <= COMMAND_BYTES_MAX; bytes = bytes * 2 + 1) {
        Lapwing__Entry entry = make(3, bytes);
        size_t counted = ENTRY_BASE_BYTES;
        struct buf buf = { 0 };

        for (size_t i = 0; i < 3; i++)
            counted += entry_command_bytes(list[i]);
        EXPECT_EQ(entry_encode(&entry, &buf, NULL), ST_OK);
        EXPECT(buf.len <= counted);
        buf_done(&buf);
    }
}

static const struct {
    const char *name;
    size_t client_bytes;
    uint64_t sequence, acked;
    enum status want;
} envelope_rows[] = {
    { "the first", 16, 1, 0, ST_OK },
    { "the last", 16, INT64_MAX, INT64_MAX - 1, ST_OK },
    { "beyond the last", 16, (uint64_t)INT64_MAX + 1, 0, ST_BAD_INPUT },
    { "no sequence", 16, 0, 0, ST_BAD_INPUT },
    { "its own acknowledgement", 16, 5, 5, ST_BAD_INPUT },
    { "a client one byte short", 15, 1, 0, ST_BAD_INPUT },
    { "no client", 0, 1, 0, ST_BAD_INPUT },
};

TEST(the_common_fields_of_every_command_are_checked)
{
    for (size_t i = 0; i < ARRAY_LEN(envelope_rows); i++) {
        Lapwing__Entry entry = make(2, 4);
        struct err err = { 0 };

        test_case = envelope_rows[i].name;
        commands[1].client.len = envelope_rows[i].client_bytes;
        commands[1].sequence = envelope_rows[i].sequence;
        commands[1].acked = envelope_rows[i].acked;
        EXPECT_EQ(entry_check(&entry, &err), envelope_rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', envelope_rows[i].want == ST_OK);
    }
    test_case = NULL;
}
