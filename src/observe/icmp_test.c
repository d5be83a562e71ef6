#include "observe/icmp.h"

#include "test/check_main.h"
#include <string.h>

static const struct icmp_echo echo = {.identifier = 0x1234,
                                      .sequence = 0xfffe,
                                      .secret = 0x1122334455667788,
                                      .slot = 7,
                                      .serial = 99};

static uint16_t sum(const uint8_t *p, size_t n)
{
    uint32_t s = 0;
    for (size_t i = 0; i < n; i++)
        s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static void sum_set(uint8_t *p, size_t n)
{
    p[2] = p[3] = 0;
    uint16_t s = sum(p, n);
    p[2] = (uint8_t)(s >> 8);
    p[3] = (uint8_t)s;
}

static void v4_header(uint8_t *h, size_t behind, uint8_t protocol, const char *to)
{
    struct ip ip;
    memset(h, 0, 20);
    h[0] = 0x45;
    h[2] = (uint8_t)((20 + behind) >> 8);
    h[3] = (uint8_t)(20 + behind);
    h[9] = protocol;
    ck_assert_int_eq(ip_parse(to, &ip), 0);
    memcpy(h + 16, ip.bytes, 4);
}

/* An IPv4 packet with the echo reply to `echo`. */
static size_t v4_reply(uint8_t p[static 64])
{
    v4_header(p, ICMP_ECHO_SIZE, 1, "192.0.2.9");
    icmp_echo_write(IP_V4, &echo, p + 20);
    p[20] = 0;
    sum_set(p + 20, ICMP_ECHO_SIZE);
    return 20 + ICMP_ECHO_SIZE;
}

/* An IPv4 packet with an error about `echo`, quoting `quoted` bytes of it. */
static size_t v4_error(uint8_t p[static 128], uint8_t type, size_t quoted)
{
    v4_header(p, 8 + 20 + quoted, 1, "192.0.2.9");
    memset(p + 20, 0, 8);
    p[20] = type;
    p[21] = 1;
    v4_header(p + 28, ICMP_ECHO_SIZE, 1, "198.51.100.7");
    uint8_t request[ICMP_ECHO_SIZE];
    icmp_echo_write(IP_V4, &echo, request);
    memcpy(p + 48, request, quoted);
    sum_set(p + 20, 28 + quoted);
    return 48 + quoted;
}

START_TEST(test_request_has_a_right_checksum)
{
    uint8_t p[ICMP_ECHO_SIZE];
    icmp_echo_write(IP_V4, &echo, p);
    ck_assert_uint_eq(p[0], 8);
    ck_assert_uint_eq(sum(p, sizeof p), 0);
    icmp_echo_write(IP_V6, &echo, p);
    ck_assert_uint_eq(p[0], 128);
}
END_TEST

START_TEST(test_reply)
{
    uint8_t p[64];
    struct icmp_echo got = {0};
    struct ip to;
    size_t n = v4_reply(p);
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_REPLY);
    ck_assert(got.has_cookie && got.secret == echo.secret && got.slot == 7 && got.serial == 99);
    ck_assert_uint_eq(got.sequence, echo.sequence);
    /* a datagram socket gives no header; padding behind the packet is not part of it */
    ck_assert_int_eq(icmp_read(IP_V4, false, p + 20, n - 20, &got, &to), ICMP_REPLY);
    p[n] = 0xff;
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n + 1, &got, &to), ICMP_REPLY);
    icmp_echo_write(IP_V6, &echo, p);
    p[0] = 129;
    ck_assert_int_eq(icmp_read(IP_V6, false, p, ICMP_ECHO_SIZE, &got, &to), ICMP_REPLY);
}
END_TEST

START_TEST(test_what_is_not_ours)
{
    uint8_t good[64], p[64];
    struct icmp_echo got;
    struct ip to;
    size_t n = v4_reply(good);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert_int_eq(icmp_read(IP_V4, true, good, cut, &got, &to), ICMP_FOREIGN);
    for (size_t i = 20; i < n; i++) { /* the checksum guards the message */
        memcpy(p, good, n);
        p[i] ^= 0x10;
        ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
    }
    memcpy(p, good, n);
    p[0] = 0x41; /* a header of 4 bytes */
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
    p[0] = 0x45, p[7] = 1; /* a later fragment */
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
    p[7] = 0, p[9] = 17;
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
    p[9] = 1, p[20] = 8; /* our own request, seen on loopback */
    sum_set(p + 20, n - 20);
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
}
END_TEST

START_TEST(test_errors)
{
    uint8_t p[128];
    struct icmp_echo got;
    struct ip to, wanted;
    ck_assert_int_eq(ip_parse("198.51.100.7", &wanted), 0);
    static const uint8_t types[] = {3, 11, 12};
    for (size_t i = 0; i < sizeof types; i++) {
        size_t n = v4_error(p, types[i], 8); /* as much as RFC 792 demands */
        ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_UNREACHABLE);
        ck_assert(!got.has_cookie && got.identifier == 0x1234 && got.sequence == 0xfffe);
        ck_assert(ip_equal(&to, &wanted));
        n = v4_error(p, types[i], ICMP_ECHO_SIZE);
        ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_UNREACHABLE);
        ck_assert(got.has_cookie && got.secret == echo.secret);
        n = v4_error(p, types[i], 7);
        ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
    }
    size_t n = v4_error(p, 5, 8); /* redirect */
    ck_assert_int_eq(icmp_read(IP_V4, true, p, n, &got, &to), ICMP_FOREIGN);
}
END_TEST

START_TEST(test_errors_v6)
{
    uint8_t p[8 + 40 + ICMP_ECHO_SIZE] = {1};
    struct icmp_echo got;
    struct ip to, wanted;
    ck_assert_int_eq(ip_parse("2001:db8::7", &wanted), 0);
    p[8] = 0x60;
    p[8 + 6] = 58;
    memcpy(p + 8 + 24, wanted.bytes, 16);
    icmp_echo_write(IP_V6, &echo, p + 48);
    ck_assert_int_eq(icmp_read(IP_V6, false, p, sizeof p, &got, &to), ICMP_UNREACHABLE);
    ck_assert(ip_equal(&to, &wanted) && got.has_cookie && got.serial == 99);
    for (size_t cut = 0; cut < 56; cut++)
        ck_assert_int_eq(icmp_read(IP_V6, false, p, cut, &got, &to), ICMP_FOREIGN);
    p[8 + 6] = 17;
    ck_assert_int_eq(icmp_read(IP_V6, false, p, sizeof p, &got, &to), ICMP_FOREIGN);
}
END_TEST

CHECK_MAIN("icmp", test_request_has_a_right_checksum, test_reply, test_what_is_not_ours,
           test_errors, test_errors_v6)
