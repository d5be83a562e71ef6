#include "base/err.h"
#include "test/check_main.h"
#include "transfer/inbound_fixture.h"
#include "transfer/refresh.h"

static struct tsig_session none;
static uint32_t serial;

static int answered(const struct fixture_message *m)
{
    return refresh_answered(m->wire, m->length, FIXTURE_ID, fixture_zone, &none, FIXTURE_NOW,
                            &serial);
}

START_TEST(test_plain)
{
    uint8_t wire[REFRESH_SIZE_MAX];
    int length = refresh_write(FIXTURE_ID, fixture_zone, &none, FIXTURE_NOW, wire);
    ck_assert_int_eq(length, 12 + 13 + 4);
    ck_assert_mem_eq(wire, "\x12\x34\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1", 29);
    struct fixture_message m = fixture_message(DNS_SOA, "S42");
    ck_assert_int_eq(answered(&m), 0);
    ck_assert_uint_eq(serial, 42);
    m.wire[0] ^= 1; /* another id: somebody else's */
    ck_assert_int_eq(answered(&m), ERR_MISSING);
    m.wire[0] ^= 1;
    m.wire[2] &= 0x7f; /* a question */
    ck_assert_int_eq(answered(&m), ERR_MISSING);
    m = fixture_message(DNS_A, "S42");
    ck_assert_int_eq(answered(&m), ERR_MISSING);
}
END_TEST

START_TEST(test_nothing_said)
{
    struct fixture_message m = fixture_message(DNS_SOA, "S42");
    m.wire[2] &= 0xfb; /* lame: no AA */
    ck_assert_int_eq(answered(&m), ERR_REFUSED);
    m = fixture_message(DNS_SOA, "S42");
    m.wire[3] = DNS_SERVFAIL;
    ck_assert_int_eq(answered(&m), ERR_REFUSED);
    m = fixture_message(DNS_SOA, "S42");
    m.wire[2] |= 2;
    ck_assert_int_eq(answered(&m), ERR_TRUNCATED);
    m = fixture_message(DNS_SOA, "www");
    ck_assert_int_eq(answered(&m), ERR_SYNTAX);
    m = fixture_message(DNS_SOA, "S42");
    m.length--;
    ck_assert_int_eq(answered(&m), ERR_SYNTAX);
}
END_TEST

START_TEST(test_signed)
{
    struct tsig_key key = {.name = "\1k", .algorithm = TSIG_SHA256};
    uint8_t wire[REFRESH_SIZE_MAX];
    struct tsig t;
    ck_assert_int_eq(tsig_secret_parse("QUJD", &key), 0);
    struct tsig_session ours = {.key = &key}, theirs;
    int length = refresh_write(FIXTURE_ID, fixture_zone, &ours, FIXTURE_NOW, wire);
    ck_assert_int_eq(tsig_find(wire, (size_t)length, &t), 0);
    ck_assert_int_eq(tsig_request_verify(&theirs, &key, wire, &t, FIXTURE_NOW), 0);
    struct fixture_message m = fixture_message(DNS_SOA, "S42");
    ck_assert_int_eq(
        refresh_answered(m.wire, m.length, FIXTURE_ID, fixture_zone, &ours, FIXTURE_NOW, &serial),
        ERR_MISSING);
    m.length = (size_t)tsig_sign(&theirs, m.wire, m.length, sizeof m.wire, FIXTURE_NOW);
    ck_assert_int_eq(
        refresh_answered(m.wire, m.length, FIXTURE_ID, fixture_zone, &ours, FIXTURE_NOW, &serial),
        0);
}
END_TEST

CHECK_MAIN("refresh", test_plain, test_nothing_said, test_signed)
