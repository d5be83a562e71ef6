#include "http/admission.h"

#include "base/invariant.h"
#include "test/check_main.h"

static struct admission admission = {.seed = 7};

static struct ip ip(const char *text)
{
    struct ip ip;
    int err = ip_parse(text, &ip);
    invariant(!err);
    return ip;
}

static unsigned taken(const char *from, unsigned times, usec_t now)
{
    struct ip at = ip(from);
    unsigned count = 0;
    for (unsigned i = 0; i < times; i++)
        count += admission_take(&admission, &at, now);
    return count;
}

/* A network that floods uses up its own share; its neighbours have theirs. */
START_TEST(test_shares)
{
    usec_t now = USEC_PER_HOUR;
    ck_assert_uint_eq(taken("192.0.2.1", 1000, now), ADMISSION_BURST);
    ck_assert_uint_eq(taken("192.0.2.200", 10, now), 0); /* the same network */
    ck_assert_uint_eq(taken("192.0.3.1", 10, now), 10);
    ck_assert_uint_eq(taken("2001:db8::1", 10, now), 10);
    ck_assert_uint_eq(taken("192.0.2.1", 1000, now + USEC_PER_SEC), ADMISSION_PER_S);
    ck_assert_uint_eq(taken("192.0.2.1", 1000, now + USEC_PER_HOUR), ADMISSION_BURST);
    ck_assert_uint_eq(taken("2001:db8:0:ff::1", 100, now), ADMISSION_BURST - 10); /* one /56 */
    ck_assert_uint_eq(taken("2001:db8:0:100::1", 10, now), 10);
}
END_TEST

/* Steadily for a minute: what was promised, and no more. */
START_TEST(test_rate)
{
    unsigned count = 0;
    for (unsigned i = 0; i < 60000; i++)
        count += taken("198.51.100.1", 1, USEC_PER_HOUR + i * USEC_PER_MSEC);
    ck_assert_uint_le(count, ADMISSION_BURST + 60 * ADMISSION_PER_S);
    ck_assert_uint_ge(count, ADMISSION_BURST + 60 * ADMISSION_PER_S - 2);
}
END_TEST

CHECK_MAIN("admission", test_shares, test_rate)
