#include "worker/agent/tail.h"

#include <string.h>

#include "tests/unit/check.h"

/* Writes `total` bytes in pieces and compares the tail with the end of what was written. */
static void write_and_compare(size_t total, size_t piece)
{
    static uint8_t written[3 * LOG_TAIL_BYTES_MAX];
    static struct tail tail;
    uint8_t out[LOG_TAIL_BYTES_MAX];
    size_t want = total < LOG_TAIL_BYTES_MAX ? total : LOG_TAIL_BYTES_MAX;

    memset(&tail, 0, sizeof tail);
    for (size_t i = 0; i < total; i++)
        written[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t at = 0; at < total; at += piece)
        tail_add(&tail, bytes_of(written + at, total - at < piece ? total - at : piece));
    EXPECT_EQ(tail_read(&tail, out), want);
    EXPECT(memcmp(out, written + total - want, want) == 0);
}

TEST(a_tail_is_the_end_of_what_was_written)
{
    static const size_t totals[] = { 0, 1, 4095, 4096, 4097, 8192, 10000 };
    static const size_t pieces[] = { 1, 100, 4096, 5000, 12000 };

    for (size_t i = 0; i < ARRAY_LEN(totals); i++)
        for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
            write_and_compare(totals[i], pieces[k]);
}
