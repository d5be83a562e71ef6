#include "base/sha1.h"
#include <string.h>

enum { BLOCK = 64, ROUNDS = 80, LENGTH_SIZE = 8 };

static uint32_t rotate(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static uint32_t mix(unsigned round, const uint32_t *s)
{
    switch (round / 20) {
    case 0:
        return ((s[1] & s[2]) | (~s[1] & s[3])) + 0x5a827999u;
    case 1:
        return (s[1] ^ s[2] ^ s[3]) + 0x6ed9eba1u;
    case 2:
        return ((s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])) + 0x8f1bbcdcu;
    default:
        return (s[1] ^ s[2] ^ s[3]) + 0xca62c1d6u;
    }
}

static void block_take(uint32_t state[static 5], const uint8_t *block)
{
    uint32_t w[ROUNDS], s[5];

    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < ROUNDS; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(s, state, sizeof s);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t next = rotate(s[0], 5) + mix(i, s) + s[4] + w[i];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rotate(s[1], 30);
        s[1] = s[0];
        s[0] = next;
    }
    for (unsigned i = 0; i < 5; i++)
        state[i] += s[i];
}

void sha1(const void *data, size_t length, uint8_t ret_hash[static SHA1_SIZE])
{
    uint32_t state[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};
    const uint8_t *at = data;
    uint8_t last[2 * BLOCK] = {0};
    size_t left = length;

    for (; left >= BLOCK; left -= BLOCK, at += BLOCK)
        block_take(state, at);
    size_t end = left + 1 + LENGTH_SIZE <= BLOCK ? BLOCK : 2 * BLOCK;
    if (left)
        memcpy(last, at, left);
    last[left] = 0x80;
    for (unsigned i = 0; i < LENGTH_SIZE; i++)
        last[end - 1 - i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));
    for (size_t i = 0; i < end; i += BLOCK)
        block_take(state, last + i);
    for (unsigned i = 0; i < SHA1_SIZE; i++)
        ret_hash[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
