#include "observe/resolvers.h"

#include "test/check_main.h"
#include <string.h>

static const char *parsed(const char *text, uint32_t want, uint32_t which)
{
    static char address[IP_TEXT_MAX];
    struct resolver list[RESOLVERS_MAX];
    ck_assert_uint_eq(resolvers_parse(text, strlen(text), list), want);
    ck_assert_uint_eq(list[which].port, 53);
    return ip_format(&list[which].ip, address);
}

START_TEST(test_lines)
{
    const char *text = "# nameserver 192.0.2.9\n"
                       "search example.com\n"
                       "nameserver 192.0.2.53\n"
                       "nameserver\t2001:db8::53  \r\n"
                       "nameservers 192.0.2.8\n"
                       "nameserver fe80::1%eth0\n"
                       "nameserver 192.0.2.54";
    ck_assert_str_eq(parsed(text, 3, 0), "192.0.2.53");
    ck_assert_str_eq(parsed(text, 3, 1), "2001:db8::53");
    ck_assert_str_eq(parsed(text, 3, 2), "192.0.2.54");
}
END_TEST

START_TEST(test_most)
{
    ck_assert_str_eq(parsed("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
                            "nameserver 192.0.2.3\nnameserver 192.0.2.4\n",
                            3, 2),
                     "192.0.2.3");
}
END_TEST

START_TEST(test_none)
{
    ck_assert_str_eq(parsed("", 1, 0), "127.0.0.1");
    ck_assert_str_eq(parsed("nameserver\nnameserver x\n", 1, 0), "127.0.0.1");
}
END_TEST

CHECK_MAIN("resolvers", test_lines, test_most, test_none)
