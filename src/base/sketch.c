#include "base/sketch.h"

#include "base/invariant.h"

/* The least value of a bucket above 0. */
static uint64_t bucket_start(unsigned bucket)
{
    unsigned exponent = SKETCH_LOWEST + (bucket - 1) / SKETCH_STEPS;
    uint64_t step = (bucket - 1) % SKETCH_STEPS, base = UINT64_C(1) << exponent;
    return base + (step * base + SKETCH_STEPS - 1) / SKETCH_STEPS;
}

/* 2 l u / (l + u), which is l + l (u - l) / (l + u), is as far from the lower bound as from the
 * upper one, relative to each. */
uint32_t sketch_value(uint16_t bucket)
{
    invariant(bucket < SKETCH_BUCKETS);
    if (bucket == 0)
        return 0;
    uint64_t low = bucket_start(bucket), high = bucket_start(bucket + 1u) - 1;
    uint64_t value = low + (low * (high - low) + (low + high) / 2) / (low + high);
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

void sketch_add(struct sketch *s, uint16_t bucket)
{
    invariant(bucket < SKETCH_BUCKETS && s->total < UINT32_MAX);
    s->counts[bucket]++;
    s->total++;
}

uint16_t sketch_quantile(const struct sketch *s, unsigned permille)
{
    if (s->total == 0)
        return 0;
    uint64_t rank = (uint64_t)(s->total - 1) * permille / 1000, seen = 0;
    for (unsigned i = 0; i < SKETCH_BUCKETS; i++) {
        seen += s->counts[i];
        if (seen > rank)
            return (uint16_t)i;
    }
    return 0;
}
