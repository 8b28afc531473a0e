/* Bodies in aws-chunked coding: any bytes, whole or one after the other, are understood alike or
 * refused alike, and what was understood is understood again when it is written anew.  The first
 * byte chooses signed or unsigned. */
#include "base/check.h"
#include "objstore/s3/aws_chunk.h"
#include "tests/fuzz/fuzz.h"

static const struct aws_chunk_key key = { .scope = "20130524/us-east-1/s3/aws4_request",
                                          .timestamp = "20130524T000000Z",
                                          .previous =
                                              "4f232c4386841ef735655705268965c44a0e4690baa4" };

/* The data, and whether the end came. */
static enum status decode(struct aws_chunk *chunk, struct bytes all, size_t step, struct buf *out)
{
    enum status st = ST_OK;

    while (st == ST_OK && all.len > 0) {
        struct bytes in = bytes_of(all.data, all.len < step ? all.len : step);
        struct bytes data;

        all = bytes_of(all.data + in.len, all.len - in.len);
        while (st == ST_OK && in.len > 0) {
            st = aws_chunk_next(chunk, &in, &data, NULL);
            if (st == ST_OK)
                buf_append(out, data.data, data.len);
        }
    }
    return st;
}

static void again(const struct aws_chunk *chunk, struct bytes data)
{
    struct aws_chunk other;
    struct buf text = { 0 };
    struct buf out = { 0 };

    if (data.len > 0)
        buf_printf(&text, "%zx\r\n", data.len);
    buf_append(&text, data.data, data.len);
    buf_append_text(&text, data.len > 0 ? "\r\n0\r\n" : "0\r\n");
    for (size_t i = 0; i < chunk->trailer.len; i++) {
        if (chunk->trailer.data[i] == '\n')
            buf_append_text(&text, "\r");
        buf_append(&text, &chunk->trailer.data[i], 1);
    }
    buf_append_text(&text, "\r\n");
    aws_chunk_init(&other, NULL);
    CHECK(decode(&other, buf_view(&text), text.len, &out) == ST_OK);
    CHECK(aws_chunk_is_finished(&other));
    CHECK(bytes_equal(buf_view(&out), data));
    CHECK(bytes_equal(buf_view(&other.trailer), buf_view(&chunk->trailer)));
    aws_chunk_done(&other);
    buf_done(&text);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct aws_chunk_key *with = len > 0 && data[0] % 2 == 1 ? &key : NULL;
    struct bytes in = bytes_of(data + (len > 0), len - (len > 0));
    struct aws_chunk whole;
    struct aws_chunk pieces;
    struct buf a = { 0 };
    struct buf b = { 0 };
    struct bytes value;
    enum status st;

    aws_chunk_init(&whole, with);
    aws_chunk_init(&pieces, with);
    st = decode(&whole, in, len + 1, &a);
    CHECK(decode(&pieces, in, 1, &b) == st);
    if (st == ST_OK) {
        CHECK(bytes_equal(buf_view(&a), buf_view(&b)));
        CHECK(aws_chunk_is_finished(&whole) == aws_chunk_is_finished(&pieces));
        (void)aws_chunk_trailer(&whole, "x-amz-checksum-crc32", &value);
    }
    if (st == ST_OK && with == NULL && aws_chunk_is_finished(&whole))
        again(&whole, buf_view(&a));
    /* Nobody has this key: the data of a chunk that ended was refused. */
    CHECK(with == NULL || st != ST_OK || !aws_chunk_is_finished(&whole));
    aws_chunk_done(&whole);
    aws_chunk_done(&pieces);
    buf_done(&a);
    buf_done(&b);
    return 0;
}
