/* Hashes and checksums (xxHash, the library): not cryptographic. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* XXH3, 64 bits. */
pure_function uint64_t hash64(const void *data, size_t length);
pure_function uint64_t hash64_seeded(const void *data, size_t length, uint64_t seed);

/* XXH3, 128 bits: for content that is recognised by nothing else. */
struct hash128 {
    uint64_t low, high;
};
pure_function struct hash128 hash128(const void *data, size_t length);
static inline bool hash128_equal(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

/* A cheap strong mixer of one word (Stafford's mix 13), for hashing numbers. */
static inline uint64_t hash_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}
