/* Standard base64, RFC 4648 section 4.  Pure. */
#include <string.h>

#include "base/hash.h"

static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value of a digit plus one; zero for what is none. */
static const uint8_t values[256] = {
    // clang-format off
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
    // clang-format on
};

void base64_encode(struct bytes in, struct buf *out)
{
    uint8_t *to = buf_reserve(out, (in.len + 2) / 3 * 4);
    size_t i = 0;

    for (; i + 2 < in.len; i += 3) {
        uint32_t bits = (uint32_t)in.data[i] << 16 | (uint32_t)in.data[i + 1] << 8 | in.data[i + 2];

        *to++ = (uint8_t)digits[bits >> 18];
        *to++ = (uint8_t)digits[bits >> 12 & 63];
        *to++ = (uint8_t)digits[bits >> 6 & 63];
        *to++ = (uint8_t)digits[bits & 63];
    }
    if (i < in.len) {
        bool two = i + 1 < in.len;
        uint32_t bits = (uint32_t)in.data[i] << 16 | (two ? (uint32_t)in.data[i + 1] << 8 : 0);

        *to++ = (uint8_t)digits[bits >> 18];
        *to++ = (uint8_t)digits[bits >> 12 & 63];
        *to++ = two ? (uint8_t)digits[bits >> 6 & 63] : '=';
        *to++ = '=';
    }
    out->len += (in.len + 2) / 3 * 4;
}

/* Three bytes from four digits; false if one of them is none. */
static bool decode_group(const uint8_t *in, uint8_t *out)
{
    uint32_t bits = 0;

    for (int k = 0; k < 4; k++) {
        if (values[in[k]] == 0)
            return false;
        bits = bits << 6 | (uint32_t)(values[in[k]] - 1);
    }
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
    return true;
}

enum status base64_decode(struct bytes text, struct buf *out)
{
    uint8_t last[4];
    uint8_t group[3];
    size_t padding = 0;
    size_t whole;
    uint8_t *to;

    if (text.len % 4 != 0)
        return ST_BAD_INPUT;
    if (text.len == 0)
        return ST_OK;
    memcpy(last, text.data + text.len - 4, 4);
    /* 'A' is zero bits: a padded group decodes like a full one whose end is then cut off. */
    for (; padding < 2 && last[3 - padding] == '='; padding++)
        last[3 - padding] = 'A';
    whole = text.len / 4 - 1;
    to = buf_reserve(out, whole * 3 + 3);
    for (size_t i = 0; i < whole; i++)
        if (!decode_group(text.data + 4 * i, to + 3 * i))
            return ST_BAD_INPUT;
    if (!decode_group(last, group))
        return ST_BAD_INPUT;
    for (size_t k = 3 - padding; k < 3; k++)
        if (group[k] != 0)
            return ST_BAD_INPUT;
    memcpy(to + 3 * whole, group, 3 - padding);
    out->len += 3 * whole + 3 - padding;
    return ST_OK;
}
