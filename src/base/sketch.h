/* A quantile sketch (DDSketch, Masson, Rim and Lee, VLDB 2019): counts in buckets whose bounds grow
 * geometrically, so that every quantile is known to within 1 % of its value, whatever the values
 * are. Two sketches are merged by adding their counts.
 *
 * Buckets are found with the exponent of the value and its mantissa in 64 equal steps, which are
 * never wider than the 2.02 % that 1 % of error allows, rounding included: the variant with linear
 * interpolation, in whole numbers. */
#pragma once

#include "base/attr.h"
#include <stdint.h>

enum {
    SKETCH_STEPS = 64, /* of one doubling */
    SKETCH_LOWEST = 7, /* bits: below 128 all is one bucket */
    SKETCH_HIGHEST = 31,
    SKETCH_BUCKETS = (SKETCH_HIGHEST - SKETCH_LOWEST + 1) * SKETCH_STEPS + 1,
};

/* A bucket's number, 0 for values below 128; rises with the value. */
static inline uint16_t sketch_bucket(uint32_t value)
{
    if (value < UINT32_C(1) << SKETCH_LOWEST)
        return 0;
    unsigned exponent = 31 - (unsigned)__builtin_clz(value);
    uint64_t rest = value - (UINT32_C(1) << exponent);
    return (uint16_t)(1 + (exponent - SKETCH_LOWEST) * SKETCH_STEPS +
                      (rest * SKETCH_STEPS >> exponent));
}

/* A value within 1 % of all that fall into the bucket; 0 for bucket 0. */
const_function uint32_t sketch_value(uint16_t bucket);

struct sketch {
    uint32_t counts[SKETCH_BUCKETS];
    uint32_t total;
};

void sketch_add(struct sketch *s, uint16_t bucket);
/* The bucket of the value at rank floor(q (total - 1)), q = permille / 1000; 0 while empty. */
pure_function uint16_t sketch_quantile(const struct sketch *s, unsigned permille);
