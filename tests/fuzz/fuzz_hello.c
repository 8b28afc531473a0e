/* The first message on a framed stream: what decodes encodes to the bytes that it was read from. */
#include "base/check.h"
#include "base/stream_internal.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct stream_hello hello;
    struct buf again = { 0 };
    struct err err = { 0 };

    if (stream_hello_decode(bytes_of(data, len), &hello, &err) != ST_OK) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    stream_hello_encode(&hello, &again);
    CHECK(again.len <= len);
    CHECK(bytes_equal(buf_view(&again), bytes_of(data, again.len)));
    buf_done(&again);
    return 0;
}
