/* The hello's byte format (layout in stream_internal.h).  Pure. */
#include "base/stream_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const char magic[4] = { 'L', 'W', 'H', '1' };

static void put_number(struct buf *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        buf_append(out, &byte, 1);
    }
}

static void put_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);

    CHECK(len < 256);
    put_number(out, len, 1);
    buf_append(out, text, len);
}

void stream_hello_encode(const struct stream_hello *hello, struct buf *out)
{
    buf_append(out, magic, sizeof magic);
    put_number(out, hello->version, 4);
    put_number(out, hello->service, 4);
    put_number(out, hello->epoch, 8);
    put_text(out, hello->cluster);
    put_text(out, hello->node);
    put_text(out, hello->role);
    put_text(out, hello->zone);
}

/* Takes what it read off `in`; false when there is too little. */
static bool take_number(struct bytes *in, uint64_t *out, size_t bytes)
{
    uint64_t value = 0;

    if (in->len < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)in->data[i] << (8 * i);
    *in = bytes_of(in->data + bytes, in->len - bytes);
    *out = value;
    return true;
}

/* False when there is too little, it does not fit in `size`, or it is not printable ASCII. */
static bool take_text(struct bytes *in, char *out, size_t size)
{
    uint64_t len;

    if (!take_number(in, &len, 1) || len >= size || in->len < len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (in->data[i] <= ' ' || in->data[i] >= 0x7f)
            return false;
        out[i] = (char)in->data[i];
    }
    out[len] = '\0';
    *in = bytes_of(in->data + len, in->len - len);
    return true;
}

enum status stream_hello_decode(struct bytes in, struct stream_hello *out, struct err *err)
{
    struct stream_hello hello = { 0 };
    uint64_t version;
    uint64_t service;

    if (in.len < sizeof magic || memcmp(in.data, magic, sizeof magic) != 0)
        return err_set(err, ST_BAD_INPUT, "hello: does not start with LWH1");
    in = bytes_of(in.data + sizeof magic, in.len - sizeof magic);
    if (!take_number(&in, &version, 4) || !take_number(&in, &service, 4) ||
        !take_number(&in, &hello.epoch, 8))
        return err_set(err, ST_BAD_INPUT, "hello: cut short");
    if (!take_text(&in, hello.cluster, sizeof hello.cluster) ||
        !take_text(&in, hello.node, sizeof hello.node) ||
        !take_text(&in, hello.role, sizeof hello.role) ||
        !take_text(&in, hello.zone, sizeof hello.zone))
        return err_set(err, ST_BAD_INPUT, "hello: a name is cut short, too long or not printable");
    hello.version = (uint32_t)version;
    hello.service = (uint32_t)service;
    *out = hello;
    return ST_OK;
}

void stream_hello_identity(const struct stream_hello *hello, struct node_identity *out)
{
    *out = (struct node_identity){ 0 };
    (void)snprintf(out->cluster, sizeof out->cluster, "%s", hello->cluster);
    (void)snprintf(out->role, sizeof out->role, "%s", hello->role);
    (void)snprintf(out->zone, sizeof out->zone, "%s", hello->zone);
    (void)snprintf(out->node, sizeof out->node, "%s", hello->node);
}

enum status stream_hello_check(const struct stream_hello *hello,
                               const struct node_identity *certified,
                               struct err *err)
{
    const struct {
        const char *what;
        const char *said;
        const char *certified;
    } rows[] = {
        { "cluster", hello->cluster, certified->cluster },
        { "role", hello->role, certified->role },
        { "zone", hello->zone, certified->zone },
        { "node", hello->node, certified->node },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].said, rows[i].certified) != 0)
            return err_set(err, ST_DENIED, "hello: %s %s, its certificate says %s", rows[i].what,
                           rows[i].said, rows[i].certified);
    return ST_OK;
}
