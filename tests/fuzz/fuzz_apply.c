/* Entries without their checksum, so that the fuzzer gets past it: what decodes and passes the
 * checks that a leader makes must apply, in both groups, to outcomes that pass theirs. */
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/state/state.h"
#include "proto/command_check.h"
#include "proto/entry.h"
#include "tests/fuzz/fuzz.h"

enum { ENTRIES_PER_STATE = 256 }; /* then anew, or the rows would fill the memory */

static struct state *states[2];
static uint64_t applied;

static void start_anew(void)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        state_close(states[i]);
        CHECK(state_open(":memory:", i == 0 ? STATE_GROUP_CONTROL : STATE_GROUP_STORAGE, &states[i],
                         NULL) == ST_OK);
    }
    applied = 0;
}

static void outcome_passes(void *context,
                           size_t at,
                           const Lapwing__Command *command,
                           const Lapwing__Outcome *outcome)
{
    (void)context;
    (void)at;
    (void)command;
    CHECK(outcome_check(outcome, NULL) == ST_OK);
}

/* A command of another release is refused before it is proposed, too, but may be in an old log. */
static bool would_be_proposed(const Lapwing__Entry *entry)
{
    for (size_t i = 0; i < entry->n_commands; i++) {
        enum status st = command_check(entry->commands[i], NULL);

        if (st != ST_OK && st != ST_UNSUPPORTED)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Lapwing__Entry *entry = NULL;
    struct buf in = { 0 };
    uint32_t crc = hash_crc32c(0, bytes_of(data, len));
    enum status st;

    buf_append(&in, data, len);
    for (unsigned i = 0; i < ENTRY_CRC_BYTES; i++)
        buf_append(&in, &(uint8_t){ (uint8_t)(crc >> (8 * i)) }, 1);
    st = entry_decode(buf_view(&in), &entry, NULL);
    buf_done(&in);
    if (st != ST_OK)
        return 0;
    if (states[0] == NULL || applied == ENTRIES_PER_STATE)
        start_anew();
    if (would_be_proposed(entry)) {
        applied++;
        for (size_t i = 0; i < ARRAY_LEN(states); i++)
            CHECK(state_apply_entry(states[i], entry, (struct state_position){ applied, 1 },
                                    outcome_passes, NULL, NULL) == ST_OK);
    }
    entry_free(entry);
    return 0;
}
