#include "base/date.h"

#include "test/check_main.h"

static void same(int64_t seconds, struct date wanted)
{
    struct date d = date_of(seconds);
    ck_assert_int_eq(d.year, wanted.year);
    ck_assert_uint_eq(d.month, wanted.month);
    ck_assert_uint_eq(d.day, wanted.day);
    ck_assert_uint_eq(d.hour, wanted.hour);
    ck_assert_uint_eq(d.minute, wanted.minute);
    ck_assert_uint_eq(d.second, wanted.second);
    ck_assert_int_eq(date_seconds(&d), seconds);
}

START_TEST(test_known)
{
    same(0, (struct date){1970, 1, 1, 0, 0, 0});
    same(-1, (struct date){1969, 12, 31, 23, 59, 59});
    same(951782400, (struct date){2000, 2, 29, 0, 0, 0});
    same(1440938160, (struct date){2015, 8, 30, 12, 36, 0});
    same(INT64_C(4294967295), (struct date){2106, 2, 7, 6, 28, 15});
    same(INT64_C(253402300799), (struct date){9999, 12, 31, 23, 59, 59});
}
END_TEST

/* Walks the calendar by its rules, a day at a time. */
START_TEST(test_every_day)
{
    struct date d = {.year = 1600, .month = 1, .day = 1};
    for (int64_t at = date_seconds(&d); d.year < 2500; at += DAY_SECONDS) {
        same(at, d);
        d.day++;
        if (!date_exists(&d)) {
            d.day = 1;
            d.month++;
        }
        if (d.month > 12) {
            d.month = 1;
            d.year++;
        }
    }
}
END_TEST

START_TEST(test_exists)
{
    static const struct {
        struct date d;
        bool exists;
    } cases[] = {{{2024, 2, 29, 0, 0, 0}, true},    {{2023, 2, 29, 0, 0, 0}, false},
                 {{1900, 2, 29, 0, 0, 0}, false},   {{2000, 2, 29, 23, 59, 60}, true},
                 {{2026, 4, 31, 0, 0, 0}, false},   {{2026, 0, 1, 0, 0, 0}, false},
                 {{2026, 13, 1, 0, 0, 0}, false},   {{2026, 1, 0, 0, 0, 0}, false},
                 {{2026, 1, 1, 24, 0, 0}, false},   {{2026, 1, 1, 0, 60, 0}, false},
                 {{2026, 1, 1, 0, 0, 61}, false},   {{10000, 1, 1, 0, 0, 0}, false},
                 {{9999, 12, 31, 23, 59, 59}, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(date_exists(&cases[i].d) == cases[i].exists, "case %zu", i);
}
END_TEST

CHECK_MAIN("date", test_known, test_every_day, test_exists)
