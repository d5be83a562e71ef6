/* Serials by policy: they rise with every change and with nothing else. */
#include "base/random.h"
#include "model/serial.h"
#include "test/check_main.h"
#include "wire/serial.h"

enum { WALL = 1795309261 /* 2026-11-22 01:01:01 UTC */ };

static uint32_t next(enum serial_policy p, uint32_t last, bool changed, uint32_t text)
{
    struct serial_facts f = {
        .policy = p, .served = true, .changed = changed, .last = last, .text = text, .wall = WALL};
    return serial_next(&f);
}

static uint32_t first(enum serial_policy p, uint32_t text, int64_t wall)
{
    struct serial_facts f = {.policy = p, .text = text, .wall = wall};
    return serial_next(&f);
}

START_TEST(test_first)
{
    ck_assert_uint_eq(first(SERIAL_FILE, 7, WALL), 7);
    ck_assert_uint_eq(first(SERIAL_FILE, 0, WALL), 0);
    ck_assert_uint_eq(first(SERIAL_INCREMENT, 7, WALL), 7);
    ck_assert_uint_eq(first(SERIAL_UNIXTIME, 7, WALL), WALL);
    ck_assert_uint_eq(first(SERIAL_DATE, 7, WALL), 2026112200);
}
END_TEST

START_TEST(test_file)
{
    ck_assert_uint_eq(next(SERIAL_FILE, 10, false, 10), 10);
    ck_assert_uint_eq(next(SERIAL_FILE, 10, true, 10), 11);  /* forgotten in the text */
    ck_assert_uint_eq(next(SERIAL_FILE, 10, false, 12), 12); /* only the serial was edited */
    ck_assert_uint_eq(next(SERIAL_FILE, 10, true, 12), 12);
    ck_assert_uint_eq(next(SERIAL_FILE, 15, true, 12), 16); /* the served one ran ahead */
    ck_assert_uint_eq(next(SERIAL_FILE, 15, false, 12), 15);
    ck_assert_uint_eq(next(SERIAL_FILE, 4000000000, true, 5), 5);      /* round the circle */
    ck_assert_uint_eq(next(SERIAL_FILE, 5, true, 5 + 0x80000000u), 6); /* neither is newer */
}
END_TEST

START_TEST(test_others)
{
    ck_assert_uint_eq(next(SERIAL_INCREMENT, 10, true, 2000), 11);
    ck_assert_uint_eq(next(SERIAL_INCREMENT, 10, false, 2000), 10);
    ck_assert_uint_eq(next(SERIAL_UNIXTIME, 10, true, 2000), WALL);
    ck_assert_uint_eq(next(SERIAL_UNIXTIME, 10, false, 2000), 10);
    ck_assert_uint_eq(next(SERIAL_UNIXTIME, WALL, true, 1), WALL + 1);       /* twice in a second */
    ck_assert_uint_eq(next(SERIAL_UNIXTIME, WALL + 50, true, 1), WALL + 51); /* a clock set back */
    ck_assert_uint_eq(next(SERIAL_DATE, 2026112100, true, 1), 2026112200);
    ck_assert_uint_eq(next(SERIAL_DATE, 2026112200, true, 1), 2026112201);
    ck_assert_uint_eq(next(SERIAL_DATE, 2026112299, true, 1), 2026112300);
    ck_assert_uint_eq(next(SERIAL_DATE, 2026112305, true, 1), 2026112306);
    ck_assert_uint_eq(next(SERIAL_DATE, 2026112100, false, 1), 2026112100);
}
END_TEST

START_TEST(test_zero_is_skipped)
{
    for (unsigned p = 0; p < SERIAL_POLICIES; p++)
        if (p != SERIAL_UNIXTIME && p != SERIAL_DATE)
            ck_assert_uint_eq(next((enum serial_policy)p, UINT32_MAX, true, UINT32_MAX), 1);
}
END_TEST

START_TEST(test_dates)
{
    static const struct {
        int64_t wall;
        uint32_t serial;
    } days[] = {
        {0, 1970010100},          {86399, 1970010100},      {951782399, 2000022800},
        {951782400, 2000022900},  {951868800, 2000030100},  {1709164800, 2024022900},
        {1709251200, 2024030100}, {1735689599, 2024123100}, {1735689600, 2025010100},
        {4107542400, 2100030100}, {4107542399, 2100022800}, {-5, 1970010100},
    };
    for (unsigned i = 0; i < array_length(days); i++)
        ck_assert_uint_eq(first(SERIAL_DATE, 0, days[i].wall), days[i].serial);
}
END_TEST

/* Whatever comes, changes rise and nothing else moves. */
START_TEST(test_always_rises)
{
    struct random r = random_init(7);
    for (unsigned i = 0; i < 200000; i++) {
        enum serial_policy p = (enum serial_policy)random_below(&r, SERIAL_POLICIES);
        uint32_t last = (uint32_t)random_u64(&r), text = (uint32_t)random_u64(&r);
        uint32_t n = next(p, last, true, text);
        ck_assert(serial_newer(n, last));
        n = next(p, last, false, text);
        ck_assert(n == last || (p == SERIAL_FILE && n == text && serial_newer(text, last)));
    }
}
END_TEST

CHECK_MAIN("serial", test_first, test_file, test_others, test_zero_is_skipped, test_dates,
           test_always_rises)
