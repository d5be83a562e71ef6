#include "serve/dns/census.h"
#include "test/check_main.h"
#include <pthread.h>

static struct ip v4(unsigned a, unsigned b)
{
    return (struct ip){.family = IP_V4, .bytes = {192, 0, (uint8_t)a, (uint8_t)b}};
}

static struct ip v6(unsigned seventh, unsigned eighth, unsigned last)
{
    struct ip ip = {.family = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};
    ip.bytes[6] = (uint8_t)seventh;
    ip.bytes[7] = (uint8_t)eighth;
    ip.bytes[15] = (uint8_t)last;
    return ip;
}

START_TEST(test_each_has_its_count)
{
    struct census *c = census_new(100, 2, 32, 56, 7);
    struct ip a = v4(2, 1), b = v4(2, 2);
    ck_assert(census_enter(c, &a));
    ck_assert(census_enter(c, &a));
    ck_assert(!census_enter(c, &a));
    ck_assert(census_enter(c, &b));
    census_leave(c, &a);
    ck_assert(census_enter(c, &a));
    ck_assert(!census_enter(c, &a));
    census_free(c);
}
END_TEST

START_TEST(test_a_client_is_a_prefix)
{
    struct census *c = census_new(100, 1, 24, 56, 7);
    struct ip ips[] = {v4(2, 1), v4(2, 200), v4(3, 1), v6(1, 0, 1), v6(1, 0xff, 9), v6(2, 0, 1)};
    const bool enters[] = {true, false, true, true, false, true};
    for (size_t i = 0; i < sizeof ips / sizeof *ips; i++)
        ck_assert_msg(census_enter(c, &ips[i]) == enters[i], "%zu", i);
    census_free(c);
}
END_TEST

/* As many clients as there may be streams: nearly all find a place, and all places are given back.
 */
START_TEST(test_many)
{
    enum { CLIENTS = 4096 };
    struct census *c = census_new(CLIENTS, 3, 32, 56, 99);
    static bool in[CLIENTS];
    unsigned refused = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct ip ip = v4(i / 256, i % 256);
            in[i] = census_enter(c, &ip);
            refused += !in[i];
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            struct ip ip = v4(i / 256, i % 256);
            if (in[i])
                census_leave(c, &ip);
        }
    }
    ck_assert_uint_le(refused, 3 * CLIENTS / 100);
    census_free(c);
}
END_TEST

static void *come_and_go(void *census)
{
    for (unsigned i = 0; i < 20000; i++) {
        struct ip ip = v4(0, i % 5);
        if (census_enter(census, &ip))
            census_leave(census, &ip);
    }
    return NULL;
}

START_TEST(test_threads)
{
    struct census *c = census_new(16, 2, 32, 56, 1);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, come_and_go, c);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 5; i++) { /* nothing is left */
        struct ip ip = v4(0, i);
        ck_assert(census_enter(c, &ip));
        ck_assert(census_enter(c, &ip));
        ck_assert(!census_enter(c, &ip));
    }
    census_free(c);
}
END_TEST

CHECK_MAIN("census", test_each_has_its_count, test_a_client_is_a_prefix, test_many, test_threads)
