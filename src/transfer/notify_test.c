#include "test/check_main.h"
#include "transfer/inbound_fixture.h"
#include "transfer/notify.h"
#include "wire/dns.h"
#include <string.h>

static const uint8_t zone[] = "\7example\3com";
enum { NOW = 1700000000 };

START_TEST(test_plain)
{
    uint8_t wire[NOTIFY_SIZE_MAX];
    struct tsig_session s = {0};
    unsigned rcode;
    int length = notify_write(0x1234, zone, &s, NOW, wire);
    static const uint8_t expected[] = "\x12\x34\x24\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1";
    ck_assert_int_eq(length, (int)sizeof expected - 1);
    ck_assert_mem_eq(wire, expected, sizeof expected - 1);
    ck_assert(!notify_answered(wire, (size_t)length, 0x1234, &s, NOW, &rcode)); /* no response */
    wire[2] |= 0x80;
    ck_assert(!notify_answered(wire, (size_t)length, 0x1235, &s, NOW, &rcode));
    ck_assert(notify_answered(wire, (size_t)length, 0x1234, &s, NOW, &rcode));
    ck_assert_uint_eq(rcode, 0);
    wire[3] = DNS_REFUSED;
    ck_assert(notify_answered(wire, (size_t)length, 0x1234, &s, NOW, &rcode));
    ck_assert_uint_eq(rcode, DNS_REFUSED);
    ck_assert(!notify_answered(wire, 11, 0x1234, &s, NOW, &rcode));
}
END_TEST

/* Only the true answer counts, also after a made-up one. */
START_TEST(test_signed)
{
    uint8_t wire[NOTIFY_SIZE_MAX], reply[NOTIFY_SIZE_MAX];
    struct tsig_key key = {.name = "\1k", .algorithm = TSIG_SHA256};
    ck_assert_int_eq(tsig_secret_parse("QUJD", &key), 0);
    struct tsig_session ours = {.key = &key}, theirs;
    struct tsig t;
    unsigned rcode;
    int length = notify_write(7, zone, &ours, NOW, wire);
    ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&theirs, &key, wire, &t, NOW), 0);
    memcpy(reply, wire, t.offset);
    reply[2] |= 0x80;
    reply[11] = 0;
    ck_assert(!notify_answered(reply, t.offset, 7, &ours, NOW, &rcode));
    length = tsig_sign(&theirs, reply, t.offset, sizeof reply, NOW);
    reply[3] ^= 5;
    ck_assert(!notify_answered(reply, (size_t)length, 7, &ours, NOW, &rcode));
    reply[3] ^= 5;
    ck_assert(notify_answered(reply, (size_t)length, 7, &ours, NOW, &rcode));
}
END_TEST

START_TEST(test_serial)
{
    uint8_t other[] = "\7example\3org";
    uint32_t serial = 0;
    struct fixture_message m = fixture_message(DNS_SOA, "S42");
    ck_assert(notify_serial(m.wire, m.length, fixture_zone, &serial));
    ck_assert_uint_eq(serial, 42);
    ck_assert(!notify_serial(m.wire, m.length, other, &serial));
    ck_assert(!notify_serial(m.wire, m.length - 1, fixture_zone, &serial));
    m = fixture_message(DNS_SOA, "www");
    ck_assert(!notify_serial(m.wire, m.length, fixture_zone, &serial));
    m = fixture_message(DNS_SOA, "");
    ck_assert(!notify_serial(m.wire, m.length, fixture_zone, &serial));
    ck_assert(!notify_serial(m.wire, 3, fixture_zone, &serial));
}
END_TEST

START_TEST(test_waits)
{
    struct random random = random_init(1);
    usec_t total = 0;
    for (unsigned i = 0; i < NOTIFY_ATTEMPTS; i++) {
        usec_t wait = notify_wait(i, &random);
        ck_assert_int_ge(wait, USEC_PER_SEC << i);
        ck_assert_int_lt(wait, (USEC_PER_SEC << i) * 3 / 2);
        total += wait;
    }
    ck_assert_int_ge(total, 60 * USEC_PER_SEC);
}
END_TEST

CHECK_MAIN("notify", test_plain, test_signed, test_serial, test_waits)
