#include "observe/dnsprobe.h"

#include "base/err.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <string.h>

static struct dnsprobe probe_make(const char *name, uint16_t type, const char *expect)
{
    struct dnsprobe p = {.type = type, .has_expect = expect};
    int length = dname_parse(name, strlen(name), NULL, p.name);
    ck_assert_int_gt(length, 0);
    p.name_length = (size_t)length;
    if (expect)
        ck_assert_int_eq(ip_parse(expect, &p.expect), 0);
    return p;
}

struct message {
    uint8_t data[512];
    size_t length;
};

/* The answer to a query: its question with flags and rcode, and A records with these last bytes. */
static struct message reply_make(const struct dnsprobe *p, uint16_t flags, const uint8_t *last,
                                 unsigned count)
{
    struct message m;
    m.length = dnsprobe_write(p, 77, m.data) - 11; /* without OPT */
    m.data[2] = (uint8_t)(flags >> 8);
    m.data[3] = (uint8_t)flags;
    m.data[7] = (uint8_t)count;
    m.data[11] = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last[i]};
        memcpy(m.data + m.length, record, sizeof record);
        m.length += sizeof record;
    }
    return m;
}

START_TEST(test_query)
{
    struct dnsprobe p = probe_make("www.Example.com", DNS_AAAA, NULL);
    uint8_t q[DNSPROBE_QUERY_MAX];
    size_t n = dnsprobe_write(&p, 0xabcd, q);
    const uint8_t wanted[] = "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
                             "\x03www\x07"
                             "example\x03"
                             "com\x00\x00\x1c\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00";
    ck_assert_uint_eq(n, sizeof wanted);
    ck_assert(memcmp(q, wanted, n) == 0);
}
END_TEST

START_TEST(test_answers)
{
    struct dnsprobe p = probe_make("www.example.com", DNS_A, "192.0.2.5");
    struct message m = reply_make(&p, 0x8400, (uint8_t[]){4, 5}, 2);
    struct dnsprobe_reply r;
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length, &r), 0);
    ck_assert(r.expected && r.answers == 2 && r.rcode == 0 && !r.truncated);
    m = reply_make(&p, 0x8400, (uint8_t[]){4, 6}, 2);
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length, &r), 0);
    ck_assert(!r.expected && r.answers == 2);
    m = reply_make(&p, 0x8403, NULL, 0);
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length, &r), 0);
    ck_assert(r.answers == 0 && r.rcode == DNS_NXDOMAIN);
    m.data[13] = 'W'; /* the case of the question is free (RFC 4343) */
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length, &r), 0);
}
END_TEST

START_TEST(test_what_is_not_our_answer)
{
    struct dnsprobe p = probe_make("www.example.com", DNS_A, NULL),
                    other = probe_make("xww.example.com", DNS_A, NULL),
                    type = probe_make("www.example.com", DNS_MX, NULL);
    struct dnsprobe_reply r;
    struct message m = reply_make(&p, 0x8400, (uint8_t[]){4}, 1);
    ck_assert_int_eq(dnsprobe_read(&p, 78, m.data, m.length, &r), ERR_MISSING);
    ck_assert_int_eq(dnsprobe_read(&other, 77, m.data, m.length, &r), ERR_MISSING);
    ck_assert_int_eq(dnsprobe_read(&type, 77, m.data, m.length, &r), ERR_MISSING);
    for (size_t cut = 0; cut < 12; cut++)
        ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, cut, &r), ERR_MISSING);
    m.data[2] &= 0x7f; /* a query */
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length, &r), ERR_MISSING);
}
END_TEST

START_TEST(test_broken_answers)
{
    struct dnsprobe p = probe_make("www.example.com", DNS_A, NULL);
    struct dnsprobe_reply r;
    struct message m = reply_make(&p, 0x8400, (uint8_t[]){4, 5}, 2);
    for (size_t cut = 33; cut < m.length; cut++)
        ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, cut, &r), ERR_SYNTAX);
    m.data[2] |= 2; /* TC: then it may end anywhere */
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length - 3, &r), 0);
    ck_assert(r.truncated);
    m.data[2] &= (uint8_t)~2;
    m.data[33] = 0x80; /* neither a label nor a pointer */
    ck_assert_int_eq(dnsprobe_read(&p, 77, m.data, m.length, &r), ERR_SYNTAX);
}
END_TEST

START_TEST(test_errors_without_a_question)
{
    struct dnsprobe p = probe_make("www.example.com", DNS_A, NULL);
    struct dnsprobe_reply r;
    uint8_t m[12] = {0, 77, 0x80, 0x01};
    ck_assert_int_eq(dnsprobe_read(&p, 77, m, sizeof m, &r), 0);
    ck_assert_uint_eq(r.rcode, DNS_FORMERR);
    m[3] = 0;
    ck_assert_int_eq(dnsprobe_read(&p, 77, m, sizeof m, &r), ERR_MISSING);
}
END_TEST

CHECK_MAIN("dnsprobe", test_query, test_answers, test_what_is_not_our_answer, test_broken_answers,
           test_errors_without_a_question)
