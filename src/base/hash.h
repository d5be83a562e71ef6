/* Hashes and checksums (xxHash, the library): not cryptographic. */
#pragma once

#include "base/attr.h"
#include <stddef.h>
#include <stdint.h>

/* XXH3, 64 bits. */
pure_function uint64_t hash64(const void *data, size_t length);
pure_function uint64_t hash64_seeded(const void *data, size_t length, uint64_t seed);

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
