/* CRC-32C by the processor's instruction, or by tables where it has none.  Any thread. */
#include <pthread.h>
#include <string.h>

#include "base/hash.h"

enum { CRC32C_POLYNOMIAL_REFLECTED = 0x82f63b78 };

/* tables[k][b]: what byte b does to the checksum k bytes later; eight at a time. */
static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_fill(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? (uint32_t)CRC32C_POLYNOMIAL_REFLECTED : 0);
        tables[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 255];
}

static uint32_t crc32c_by_table(uint32_t crc, const uint8_t *at, size_t len)
{
    (void)pthread_once(&tables_once, tables_fill);
    for (; len >= 8; len -= 8, at += 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);

        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; len > 0; len--, at++)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 255];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_instruction(uint32_t crc,
                                                                        const uint8_t *at,
                                                                        size_t len)
{
    uint64_t wide = crc;

    for (; len >= 8; len -= 8, at += 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; len > 0; len--, at++)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}
#endif

uint32_t hash_crc32c_portable(uint32_t seed, struct bytes in)
{
    return ~crc32c_by_table(~seed, in.data, in.len);
}

uint32_t hash_crc32c(uint32_t seed, struct bytes in)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc32c_by_instruction(~seed, in.data, in.len);
#endif
    return hash_crc32c_portable(seed, in);
}
