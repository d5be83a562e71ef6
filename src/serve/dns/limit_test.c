#include "base/random.h"
#include "serve/dns/limit.h"
#include "test/check_main.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(text, &ip), 0);
    return ip;
}

static uint64_t key_of(const char *client, uint64_t answer)
{
    struct ip ip = ip_of(client);
    return limit_key(&ip, answer);
}

START_TEST(test_keys)
{
    ck_assert_uint_eq(key_of("192.0.2.1", 5), key_of("192.0.2.200", 5));
    ck_assert_uint_ne(key_of("192.0.2.1", 5), key_of("192.0.3.1", 5));
    ck_assert_uint_ne(key_of("192.0.2.1", 5), key_of("192.0.2.1", 6));
    ck_assert_uint_eq(key_of("2001:db8:1:200::1", 5), key_of("2001:db8:1:2ff::9", 5));
    ck_assert_uint_ne(key_of("2001:db8:1:200::1", 5), key_of("2001:db8:1:300::1", 5));
}
END_TEST

static unsigned passed(struct limit *l, uint64_t key, unsigned count, usec_t from, usec_t step)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += limit_take(l, key, from + i * step) == LIMIT_PASS;
    return n;
}

/* A second's worth at once, then the rate, whatever is asked; after a pause all is as before. */
START_TEST(test_rate)
{
    struct limit *l = limit_new(10, 0, 1024);
    const usec_t t = 100 * USEC_PER_SEC;
    ck_assert_uint_eq(passed(l, 7, 1000, t, 0), 10);
    ck_assert_uint_eq(passed(l, 8, 5, t, 0), 5);
    ck_assert_uint_eq(passed(l, 7, 10000, t, USEC_PER_SEC / 1000), 99); /* 10 s */
    ck_assert_uint_eq(passed(l, 7, 50, t + 60 * USEC_PER_SEC, USEC_PER_SEC / 10), 50);
    limit_free(l);
}
END_TEST

START_TEST(test_slip)
{
    struct limit *l = limit_new(1, 4, 64);
    unsigned slipped = 0, dropped = 0;
    ck_assert_int_eq(limit_take(l, 1, USEC_PER_SEC), LIMIT_PASS);
    for (unsigned i = 0; i < 100; i++) {
        enum limit_verdict v = limit_take(l, 1, USEC_PER_SEC);
        slipped += v == LIMIT_SLIP;
        dropped += v == LIMIT_DROP;
    }
    ck_assert_uint_eq(slipped, 25);
    ck_assert_uint_eq(dropped, 75);
    limit_free(l);
}
END_TEST

/* More pairs than places: the table as a whole lets through no more than its places may. */
START_TEST(test_flood_of_pairs)
{
    enum { SIZE = 64, RATE = 10 };
    struct limit *l = limit_new(RATE, 0, SIZE);
    struct random dice = random_init(3);
    const usec_t t = 100 * USEC_PER_SEC;
    unsigned n = 0;
    for (unsigned i = 0; i < 100000; i++)
        n += limit_take(l, random_u64(&dice), t) == LIMIT_PASS;
    ck_assert_uint_le(n, SIZE * RATE);
    limit_free(l);
}
END_TEST

CHECK_MAIN("limit", test_keys, test_rate, test_slip, test_flood_of_pairs)
