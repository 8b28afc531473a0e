/* A snapshot as it would be received, installed into rows that are there: refused, and the rows
 * stay, or taken, and then they can all be read.
 *
 * The input is a database file, or changes to one of ours: records of u24 offset (modulo its size)
 * and u8, which is XORed. */
#include <string.h>

#include "base/check.h"
#include "controlplane/state/state.h"
#include "tests/fuzz/fuzz.h"

static struct state *state;
static uint64_t before;

static struct buf ours;

static void start_anew(void)
{
    CHECK(state_open(":memory:", STATE_GROUP_CONTROL, &state, NULL) == ST_OK);
    CHECK(state_digest(state, &before, NULL) == ST_OK);
}

static struct bytes change(struct buf *out, const uint8_t *data, size_t len)
{
    enum { RECORD_BYTES = 4 };

    if (ours.len == 0)
        CHECK(state_image(state, &ours, NULL) == ST_OK);
    out->len = 0;
    buf_append(out, ours.data, ours.len);
    for (size_t at = 0; at + RECORD_BYTES <= len; at += RECORD_BYTES) {
        size_t offset = (size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2];

        out->data[offset % out->len] ^= data[at + 3];
    }
    return buf_view(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char magic[] = "SQLite format 3";
    static struct buf changed;
    struct bytes image = bytes_of(data, len);
    struct err err = { 0 };
    uint64_t after = 0;
    enum status st;

    if (state == NULL)
        start_anew();
    if (len < sizeof magic || memcmp(data, magic, sizeof magic) != 0)
        image = change(&changed, data, len);
    st = state_install_image(state, image, &err);
    CHECK((st == ST_OK) == (err.text[0] == '\0'));
    CHECK(state_digest(state, &after, NULL) == ST_OK);
    if (st != ST_OK) {
        CHECK(after == before);
        return 0;
    }
    state_close(state);
    start_anew();
    return 0;
}
