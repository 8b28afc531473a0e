/* Request targets: path and query taken apart and decoded.  What decodes must encode to bytes that
 * decode to the same. */
#include "base/check.h"
#include "base/http_message.h"
#include "tests/fuzz/fuzz.h"

static void decoded_text_survives(struct bytes text)
{
    struct buf plain = { 0 };
    struct buf encoded = { 0 };
    struct buf again = { 0 };

    if (http_percent_decode(text, true, &plain) == ST_OK) {
        http_percent_encode(buf_view(&plain), false, &encoded);
        CHECK(http_percent_decode(buf_view(&encoded), false, &again) == ST_OK);
        CHECK(bytes_equal(buf_view(&plain), buf_view(&again)));
    }
    buf_done(&plain);
    buf_done(&encoded);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes target = bytes_of(data, len);
    struct http_query query = { .rest = http_target_query(target) };

    /* The parser lets nothing else through. */
    for (size_t i = 0; i < len; i++)
        if (data[i] <= ' ' || data[i] > '~')
            return 0;
    decoded_text_survives(http_target_path(target));
    while (http_query_next(&query)) {
        decoded_text_survives(query.name);
        decoded_text_survives(query.value);
    }
    return 0;
}
