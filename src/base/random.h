/* Pseudo-random numbers from a given seed (xoshiro256**), so that a simulation replays exactly.
 * Seeds for real processes come from seam/entropy. Not for keys or tokens. */
#pragma once

#include <stdint.h>

struct random {
    uint64_t s[4];
};

static inline uint64_t random_splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline struct random random_init(uint64_t seed)
{
    struct random r;
    for (int i = 0; i < 4; i++)
        r.s[i] = random_splitmix(&seed);
    return r;
}

static inline uint64_t random_rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t random_u64(struct random *r)
{
    uint64_t result = random_rotate(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;
    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = random_rotate(r->s[3], 45);
    return result;
}

/* Uniform in [0, bound), bound > 0 (Lemire's multiplication; bias under 2^-32 for bounds here). */
static inline uint32_t random_below(struct random *r, uint32_t bound)
{
    return (uint32_t)(((random_u64(r) >> 32) * bound) >> 32);
}
