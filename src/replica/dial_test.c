#include "replica/dial.h"

#include "test/check_main.h"

/* Waits grow to the cap and no further, and no two nodes wait alike. */
START_TEST(test_jitter)
{
    struct random r = random_init(7), other = random_init(8);
    struct dial a = {0}, b = {0};
    usec_t longest = 0;
    unsigned same = 0;
    for (unsigned i = 0; i < 1000; i++) {
        dial_failed(&a, 0, &r);
        dial_failed(&b, 0, &other);
        ck_assert_int_le(a.due, DIAL_CAP);
        longest = a.due > longest ? a.due : longest;
        same += a.due == b.due;
    }
    ck_assert_int_gt(longest, DIAL_CAP * 9 / 10);
    ck_assert_uint_lt(same, 3);
    dial_begin(&a, true, 50, &r);
    ck_assert_int_le(a.due, 50 + DIAL_BASE);
    dial_begin(&a, false, 50, &r);
    ck_assert_int_ge(a.due, 50 + DIAL_YIELD);
}
END_TEST

/* However many want to: a burst, then a few a second (L7). */
START_TEST(test_budget)
{
    struct dial_budget budget = {0};
    unsigned taken = 0;
    for (usec_t now = 1; now < 10 * USEC_PER_SEC; now += 10 * USEC_PER_MSEC)
        for (unsigned i = 0; i < 5; i++) {
            struct dial d = {.due = now};
            taken += dial_take(&d, &budget, now);
            ck_assert(d.due == now || d.due == USEC_NEVER);
        }
    ck_assert_uint_ge(taken, DIAL_BUDGET + 9 * DIAL_BUDGET_PER_S);
    ck_assert_uint_le(taken, DIAL_BUDGET + 10 * DIAL_BUDGET_PER_S);
}
END_TEST

CHECK_MAIN("dial", test_jitter, test_budget)
