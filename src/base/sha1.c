#include "base/sha1.h"
#include <string.h>

enum { BLOCK = 64, ROUNDS = 80, LENGTH_SIZE = 8 };

static uint32_t rotate(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

/* Twenty rounds of one kind each; the state goes round by renaming. */
#define ROUND(f, k, w)                                      \
    do {                                                    \
        uint32_t next = rotate(a, 5) + (f) + e + (k) + (w); \
        e = d;                                              \
        d = c;                                              \
        c = rotate(b, 30);                                  \
        b = a;                                              \
        a = next;                                           \
    } while (0)

static void block_take(uint32_t state[static 5], const uint8_t *block)
{
    uint32_t w[ROUNDS], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

    for (unsigned i = 0; i < 16; i++) {
        uint32_t v;
        memcpy(&v, block + 4 * i, sizeof v);
        w[i] = __builtin_bswap32(v);
    }
    for (unsigned i = 16; i < ROUNDS; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (unsigned i = 0; i < 20; i++)
        ROUND(d ^ (b & (c ^ d)), 0x5a827999u, w[i]);
    for (unsigned i = 20; i < 40; i++)
        ROUND(b ^ c ^ d, 0x6ed9eba1u, w[i]);
    for (unsigned i = 40; i < 60; i++)
        ROUND((b & c) | (d & (b | c)), 0x8f1bbcdcu, w[i]);
    for (unsigned i = 60; i < 80; i++)
        ROUND(b ^ c ^ d, 0xca62c1d6u, w[i]);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
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
