#include "base/err.h"
#include "test/check_main.h"
#include "wire/proxy2.h"
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        SIGNATURE "\x21\x12\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0\x35"
#define V6                                                                                       \
    SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0" \
              "\0\0\0\0\0\0\2\0\1\0\x35"

static int parse(const char *text, size_t length, struct proxy2 *ret)
{
    return proxy2_parse((const uint8_t *)text, length, ret);
}
#define PARSE(text, ret) parse(text, sizeof(text) - 1, ret)

static const char *client(const struct proxy2 *p)
{
    static char text[IP_TEXT_MAX];
    return ip_format(&p->client, text);
}

START_TEST(test_addresses)
{
    struct proxy2 p;
    ck_assert_int_eq(PARSE(V4 "what follows", &p), 0);
    ck_assert(p.speaks_for);
    ck_assert_str_eq(client(&p), "192.0.2.1");
    ck_assert_uint_eq(p.port, 0x1234);
    ck_assert_uint_eq(p.length, sizeof V4 - 1);
    ck_assert_int_eq(PARSE(V6, &p), 0);
    ck_assert_str_eq(client(&p), "2001:db8::1");
    ck_assert_uint_eq(p.length, sizeof V6 - 1);
}
END_TEST

/* What is added after the addresses is passed over; a proxy that speaks for itself needs none. */
START_TEST(test_more_and_none)
{
    struct proxy2 p;
    ck_assert_int_eq(
        PARSE(SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0\x35\x04\0\1x", &p), 0);
    ck_assert_uint_eq(p.length, 32);
    ck_assert_int_eq(PARSE(SIGNATURE "\x20\0\0\0", &p), 0);
    ck_assert(!p.speaks_for);
    ck_assert_int_eq(PARSE(SIGNATURE "\x21\0\0\2xx", &p), 0);
    ck_assert(!p.speaks_for);
    ck_assert_uint_eq(p.length, 18);
}
END_TEST

START_TEST(test_pieces)
{
    struct proxy2 p;
    for (size_t n = 0; n < sizeof V6 - 1; n++)
        ck_assert_int_eq(parse(V6, n, &p), ERR_TRUNCATED);
}
END_TEST

START_TEST(test_malformed)
{
    struct proxy2 p;
    ck_assert_int_eq(PARSE("PROXY TCP4 192.0.2.1 192.0.2.2 1 53\r\n", &p), ERR_SYNTAX);
    ck_assert_int_eq(PARSE("\r\n\r\n\1", &p), ERR_SYNTAX);
    ck_assert_int_eq(PARSE(SIGNATURE "\x11\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0\x35", &p),
                     ERR_SYNTAX); /* version */
    ck_assert_int_eq(PARSE(SIGNATURE "\x22\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0\x35", &p),
                     ERR_SYNTAX);                                      /* command */
    ck_assert_int_eq(PARSE(SIGNATURE "\x21\x31\0\0", &p), ERR_SYNTAX); /* a path */
    ck_assert_int_eq(PARSE(SIGNATURE "\x21\x13\0\0", &p), ERR_SYNTAX); /* transport */
    ck_assert_int_eq(PARSE(SIGNATURE "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0", &p),
                     ERR_SYNTAX); /* too short for addresses */
    ck_assert_int_eq(PARSE(SIGNATURE "\x21\x21\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x12\x34\0\x35", &p),
                     ERR_SYNTAX);
    ck_assert_int_eq(PARSE(SIGNATURE "\x21\x11\x08\0", &p), ERR_SYNTAX); /* too long */
}
END_TEST

CHECK_MAIN("proxy2", test_addresses, test_more_and_none, test_pieces, test_malformed)
