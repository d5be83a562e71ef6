#include "base/err.h"
#include "base/ip.h"
#include "base/random.h"
#include "test/check_main.h"
#include <string.h>

static struct ip ip_of(const char *string)
{
    struct ip ip;
    ck_assert_msg(ip_parse(string, &ip) == 0, "%s", string);
    return ip;
}

static struct ip_prefix prefix_of(const char *string)
{
    struct ip_prefix p;
    ck_assert_msg(ip_prefix_parse(string, &p) == 0, "%s", string);
    return p;
}

START_TEST(test_parse_and_format)
{
    const char *const texts[] = {"0.0.0.0", "192.0.2.1",   "255.255.255.255",          "::",
                                 "::1",     "2001:db8::1", "fe80::abcd:ef01:2345:6789"};
    char buffer[IP_TEXT_MAX];
    for (size_t i = 0; i < array_length(texts); i++) {
        struct ip ip = ip_of(texts[i]);
        ck_assert_str_eq(ip_format(&ip, buffer), texts[i]);
    }
    struct ip v4 = ip_of("192.0.2.1"), v6 = ip_of("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
    ck_assert_int_eq(v4.family, IP_V4);
    ck_assert_mem_eq(v4.bytes, ((uint8_t[16]){192, 0, 2, 1}), 16); /* the rest is zero */
    ck_assert_int_eq(v6.family, IP_V6);
    ck_assert_uint_lt(strlen(ip_format(&v6, buffer)), IP_TEXT_MAX);
}
END_TEST

START_TEST(test_parse_refuses)
{
    const char *const bad[] = {"",           "1.2.3",    "1.2.3.4.5", "256.1.1.1",  "1.2.3.4 ",
                               " 1.2.3.4",   "01.2.3.4", ":",         "1::2::3",    "[::1]",
                               "fe80::1%lo", "g::1",     "1.2.3.4/8", "0x7f.0.0.1", "2130706433"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct ip ip = {.family = 9};
        ck_assert_msg(ip_parse(bad[i], &ip) == ERR_SYNTAX, "%s", bad[i]);
        ck_assert_int_eq(ip.family, 9);
    }
}
END_TEST

START_TEST(test_prefix)
{
    const char *const texts[] = {"0.0.0.0/0", "192.0.2.0/24",  "192.0.2.1/32",
                                 "::/0",      "2001:db8::/33", "::1/128"};
    char buffer[IP_PREFIX_TEXT_MAX];
    for (size_t i = 0; i < array_length(texts); i++) {
        struct ip_prefix p = prefix_of(texts[i]);
        ck_assert_str_eq(ip_prefix_format(&p, buffer), texts[i]);
    }
    struct ip_prefix p = {.length = 99};
    ck_assert_int_eq(ip_prefix_parse("192.0.2.1/24", &p), ERR_INVALID);
    ck_assert_int_eq(ip_prefix_parse("2001:db8::/28", &p), ERR_INVALID);
    const char *const bad[] = {"192.0.2.0",  "192.0.2.0/33",
                               "192.0.2.0/", "/24",
                               "::/129",     "192.0.2.0/-1",
                               "1.2.3.4/2x", "::/ 1",
                               "x/1",        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/8"};
    for (size_t i = 0; i < array_length(bad); i++)
        ck_assert_msg(ip_prefix_parse(bad[i], &p) == ERR_SYNTAX, "%s", bad[i]);
    ck_assert_int_eq(p.length, 99);
}
END_TEST

START_TEST(test_contains)
{
    struct ip_prefix p = prefix_of("198.51.100.128/25"), all = prefix_of("0.0.0.0/0");
    struct ip in = ip_of("198.51.100.200"), out = ip_of("198.51.100.127"), v6 = ip_of("::1");
    ck_assert(ip_prefix_contains(&p, &in));
    ck_assert(!ip_prefix_contains(&p, &out));
    ck_assert(ip_prefix_contains(&all, &out));
    ck_assert(!ip_prefix_contains(&all, &v6));
    struct ip_prefix host = prefix_of("::1/128");
    ck_assert(ip_prefix_contains(&host, &v6));
}
END_TEST

/* contains() and mask() are two ways to the same answer. */
START_TEST(test_contains_agrees_with_mask)
{
    struct random r = random_init(2);
    for (int i = 0; i < 50000; i++) {
        struct ip a = {.family = (uint8_t)random_below(&r, 2)}, b = a;
        for (size_t k = 0; k < ip_size(&a); k++)
            a.bytes[k] = b.bytes[k] = (uint8_t)random_u64(&r);
        unsigned flipped = random_below(&r, ip_bits(&a)),
                 length = random_below(&r, ip_bits(&a) + 1);
        b.bytes[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
        struct ip_prefix p = {.ip = ip_mask(&a, length), .length = (uint8_t)length};
        struct ip masked = ip_mask(&b, length);
        ck_assert(ip_prefix_contains(&p, &a));
        ck_assert(ip_prefix_contains(&p, &b) == ip_equal(&masked, &p.ip));
        ck_assert(ip_prefix_contains(&p, &b) == (flipped >= length));
    }
}
END_TEST

START_TEST(test_port)
{
    struct ip ip;
    uint16_t port = 7;
    char buffer[IP_PORT_TEXT_MAX];
    const char *const texts[] = {"127.0.0.1:53", "[::1]:53", "0.0.0.0:65535", "[2001:db8::]:0"};
    for (size_t i = 0; i < array_length(texts); i++) {
        ck_assert_msg(ip_port_parse(texts[i], &ip, &port) == 0, "%s", texts[i]);
        ck_assert_str_eq(ip_port_format(&ip, port, buffer), texts[i]);
    }
    port = 7;
    const char *const bad[] = {"",
                               "127.0.0.1",
                               ":53",
                               "127.0.0.1:",
                               "[::1]",
                               "::1:53",
                               "[::1:53",
                               "::1]:53",
                               "[]:53",
                               "[:53",
                               "]:53",
                               "127.0.0.1:65536",
                               "127.0.0.1:-1",
                               "[127.0.0.1]:53",
                               "[::1] :53",
                               "127.0.0.1:5x",
                               "[",
                               ":",
                               "[]",
                               "localhost:53"};
    for (size_t i = 0; i < array_length(bad); i++)
        ck_assert_msg(ip_port_parse(bad[i], &ip, &port) == ERR_SYNTAX, "%s", bad[i]);
    ck_assert_uint_eq(port, 7);
}
END_TEST

CHECK_MAIN("ip", test_parse_and_format, test_parse_refuses, test_prefix, test_contains,
           test_contains_agrees_with_mask, test_port)
