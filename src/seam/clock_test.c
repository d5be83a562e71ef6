#include "seam/clock.h"
#include "seam/entropy.h"
#include "test/check_main.h"
#include <string.h>
#include <time.h>

START_TEST(test_clocks_run)
{
    usec_t before = clock_now();
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    usec_t passed = clock_now() - before;
    ck_assert_int_ge(passed, 2000);
    ck_assert_int_lt(passed, 60 * USEC_PER_SEC);
    ck_assert_int_gt(clock_wall(), 50 * 365 * USEC_PER_DAY); /* microseconds, since 1970 */
    ck_assert_int_lt(clock_wall(), 300 * 365 * USEC_PER_DAY);
}
END_TEST

START_TEST(test_boot_id_is_stable)
{
    ck_assert_uint_ne(clock_boot_id(), 0);
    ck_assert_uint_eq(clock_boot_id(), clock_boot_id());
}
END_TEST

START_TEST(test_entropy_fills_all)
{
    static unsigned char data[100000];
    unsigned seen[256] = {0};
    entropy_fill(data, sizeof data);
    for (size_t i = 0; i < sizeof data; i++)
        seen[data[i]]++;
    for (int i = 0; i < 256; i++)
        ck_assert_uint_gt(seen[i], 100); /* 390 each are expected */
    ck_assert_uint_ne(entropy_u64(), entropy_u64());
    entropy_fill(NULL, 0);
}
END_TEST

CHECK_MAIN("clock", test_clocks_run, test_boot_id_is_stable, test_entropy_fills_all)
