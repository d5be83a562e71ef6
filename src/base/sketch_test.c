#include "base/sketch.h"

#include "base/random.h"
#include "test/check_main.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The guarantee: within 1 %, for every value, also at the ends of buckets. */
static bool close_to(uint32_t value, uint32_t found)
{
    uint64_t off = value > found ? value - found : found - value;
    return off * 100 <= value;
}

START_TEST(test_every_value)
{
    for (uint64_t v = 128; v < UINT32_MAX; v = v < 100000 ? v + 1 : v + v / 3001 + 1) {
        uint16_t bucket = sketch_bucket((uint32_t)v);
        ck_assert_uint_lt(bucket, SKETCH_BUCKETS);
        ck_assert_msg(close_to((uint32_t)v, sketch_value(bucket)), "%lu -> %u", (unsigned long)v,
                      sketch_value(bucket));
        ck_assert_uint_ge(bucket, sketch_bucket((uint32_t)v - 1));
        ck_assert_uint_eq(sketch_bucket(sketch_value(bucket)), bucket);
    }
    ck_assert_uint_eq(sketch_bucket(UINT32_MAX), SKETCH_BUCKETS - 1);
    ck_assert_uint_eq(sketch_value(sketch_bucket(127)), 0);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Values of many shapes: even, clustered, with a long tail. */
static uint32_t value_random(struct random *r, unsigned shape)
{
    uint32_t v = 128 + random_below(r, 1000000);
    if (shape == 1)
        v = 20000 + random_below(r, 30);
    if (shape == 2)
        v = UINT32_C(128) << random_below(r, 20);
    if (shape == 3 && random_below(r, 50) == 0)
        v = 4000000 + random_below(r, 60000000);
    return v;
}

/* Property: every quantile of any set is within 1 % of the set's own. */
START_TEST(test_quantiles)
{
    static uint32_t values[3000];
    static const unsigned permilles[] = {0, 10, 250, 500, 900, 990, 999, 1000};
    struct random r = random_init(4);
    for (unsigned round = 0; round < 400; round++) {
        struct sketch s = {.total = 0};
        uint32_t count = 1 + random_below(&r, array_length(values));
        for (uint32_t i = 0; i < count; i++) {
            values[i] = value_random(&r, round % 4);
            sketch_add(&s, sketch_bucket(values[i]));
        }
        qsort(values, count, sizeof *values, compare);
        for (unsigned k = 0; k < array_length(permilles); k++) {
            uint32_t exact = values[(uint64_t)(count - 1) * permilles[k] / 1000];
            uint32_t found = sketch_value(sketch_quantile(&s, permilles[k]));
            ck_assert_msg(close_to(exact, found), "round %u: %u -> %u", round, exact, found);
        }
    }
}
END_TEST

START_TEST(test_empty)
{
    struct sketch s = {.total = 0};
    ck_assert_uint_eq(sketch_quantile(&s, 990), 0);
}
END_TEST

CHECK_MAIN("sketch", test_every_value, test_quantiles, test_empty)
