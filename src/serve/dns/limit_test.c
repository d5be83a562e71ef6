#include "base/random.h"
#include "serve/dns/limit.h"
#include "test/check_main.h"

#define CLIENT "192.0.2.1"

static struct ip ip_of(const char *text)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(text, &ip), 0);
    return ip;
}

static unsigned passed(struct limit *l, const char *client, uint64_t answer, unsigned count,
                       usec_t from, usec_t step)
{
    struct ip ip = ip_of(client);
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += limit_take(l, &ip, answer, from + i * step) == LIMIT_PASS;
    return n;
}

/* Of a network, /24 or /56, and an answer. */
START_TEST(test_networks)
{
    struct limit *l = limit_new((struct limit_rates){.each = 1}, 0, 1024);
    const usec_t t = 100 * USEC_PER_SEC;
    ck_assert_uint_eq(passed(l, "192.0.2.1", 5, 1, t, 0), 1);
    ck_assert_uint_eq(passed(l, "192.0.2.200", 5, 1, t, 0), 0);
    ck_assert_uint_eq(passed(l, "192.0.3.1", 5, 1, t, 0), 1);
    ck_assert_uint_eq(passed(l, "192.0.2.1", 6, 1, t, 0), 1);
    ck_assert_uint_eq(passed(l, "2001:db8:1:200::1", 5, 1, t, 0), 1);
    ck_assert_uint_eq(passed(l, "2001:db8:1:2ff::9", 5, 1, t, 0), 0);
    ck_assert_uint_eq(passed(l, "2001:db8:1:300::1", 5, 1, t, 0), 1);
    limit_free(l);
}
END_TEST

/* A second's worth at once, then the rate, whatever is asked; after a pause all is as before. */
START_TEST(test_rate)
{
    struct limit *l = limit_new((struct limit_rates){.each = 10}, 0, 1024);
    const usec_t t = 100 * USEC_PER_SEC;
    ck_assert_uint_eq(passed(l, CLIENT, 7, 1000, t, 0), 10);
    ck_assert_uint_eq(passed(l, CLIENT, 8, 5, t, 0), 5);
    ck_assert_uint_eq(passed(l, CLIENT, 7, 10000, t, USEC_PER_SEC / 1000), 99); /* 10 s */
    ck_assert_uint_eq(passed(l, CLIENT, 7, 50, t + 60 * USEC_PER_SEC, USEC_PER_SEC / 10), 50);
    limit_free(l);
}
END_TEST

/* A name of its own for each query: each is within its rate, all together are not. */
START_TEST(test_all)
{
    struct limit *l = limit_new((struct limit_rates){.each = 10, .all = 30}, 0, 1024);
    const usec_t t = 100 * USEC_PER_SEC;
    unsigned n = 0;
    ck_assert_uint_eq(passed(l, CLIENT, 7, 1000, t, 0),
                      10); /* the rest costs the network nothing */
    for (uint64_t answer = 100; answer < 200; answer++)
        n += passed(l, CLIENT, answer, 1, t, 0);
    ck_assert_uint_eq(n, 20);
    ck_assert_uint_eq(passed(l, "198.51.100.1", 7, 5, t, 0), 5);
    limit_free(l);
    l = limit_new((struct limit_rates){.all = 30}, 0, 1024);
    ck_assert_uint_eq(passed(l, CLIENT, 7, 1000, t, 0), 30);
    ck_assert_uint_eq(passed(l, CLIENT, 8, 1000, t + USEC_PER_SEC, USEC_PER_SEC / 1000), 59);
    limit_free(l);
}
END_TEST

START_TEST(test_slip)
{
    struct limit *l = limit_new((struct limit_rates){.each = 1}, 4, 64);
    struct ip ip = ip_of(CLIENT);
    unsigned slipped = 0, dropped = 0;
    ck_assert_int_eq(limit_take(l, &ip, 1, USEC_PER_SEC), LIMIT_PASS);
    for (unsigned i = 0; i < 100; i++) {
        enum limit_verdict v = limit_take(l, &ip, 1, USEC_PER_SEC);
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
    struct limit *l = limit_new((struct limit_rates){.each = RATE}, 0, SIZE);
    struct random dice = random_init(3);
    const usec_t t = 100 * USEC_PER_SEC;
    unsigned n = 0;
    for (unsigned i = 0; i < 100000; i++)
        n += passed(l, CLIENT, random_u64(&dice), 1, t, 0);
    ck_assert_uint_le(n, SIZE * RATE);
    limit_free(l);
}
END_TEST

CHECK_MAIN("limit", test_networks, test_rate, test_all, test_slip, test_flood_of_pairs)
