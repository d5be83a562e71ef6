#include "base/err.h"
#include "test/check_main.h"
#include "wire/dnsmsg.h"
#include <string.h>

static uint8_t name_of(const char *text, uint8_t name[static DNAME_MAX])
{
    int length = dname_parse(text, strlen(text), NULL, name);
    ck_assert_int_gt(length, 0);
    return (uint8_t)length;
}

START_TEST(test_query_bytes)
{
    uint8_t name[DNAME_MAX], buffer[512];
    struct ip_prefix subnet;
    name_of("www.example.com", name);
    ck_assert_int_eq(ip_prefix_parse("192.0.2.0/24", &subnet), 0);
    struct writer w = writer_init(buffer, sizeof buffer);
    dnsmsg_query_write(&w, &(struct dnsmsg_query){.id = 0x1234,
                                                  .name = name,
                                                  .type = DNS_A,
                                                  .class = DNS_IN,
                                                  .recursion = true,
                                                  .edns_size = 1232,
                                                  .dnssec = true,
                                                  .nsid = true,
                                                  .subnet = &subnet});
    static const uint8_t expected[] =
        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\3www\7example\3com\0\x00\x01\x00\x01"
        "\0\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x0f\x00\x03\x00\x00"
        "\x00\x08\x00\x07\x00\x01\x18\x00\xc0\x00\x02";
    ck_assert(!w.failed);
    ck_assert_uint_eq(w.position, sizeof expected - 1);
    ck_assert_mem_eq(buffer, expected, w.position);
    struct dnsmsg m;
    struct dnsmsg_entry e;
    struct dnsmsg_edns edns;
    ck_assert_int_eq(dnsmsg_open(buffer, w.position, &m), 0);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(e.section, DNSMSG_QUESTION);
    ck_assert_mem_eq(e.name, name, dname_length(name));
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(e.type, DNS_OPT);
    ck_assert_int_eq(dnsmsg_edns_parse(&e, &edns), 0);
    ck_assert(edns.dnssec && edns.has_subnet && edns.size == 1232);
    ck_assert_uint_eq(edns.subnet.length, 24);
    ck_assert(ip_equal(&edns.subnet.ip, &subnet.ip));
    ck_assert_int_eq(dnsmsg_next(&m, &e), 0);
    w = writer_init(buffer, 20);
    dnsmsg_query_write(&w, &(struct dnsmsg_query){.name = name, .edns_size = 512});
    ck_assert(w.failed);
}
END_TEST

#define HEADER   "\x00\x07\x84\x00\x00\x01\x00\x02\x00\x01\x00\x00"
#define QUESTION "\1a\7Example\3com\0\x00\x0f\x00\x01"

START_TEST(test_reply_with_compression)
{
    /* MX with a compressed exchange, CNAME pointing into the question, SOA with both names
     * compressed */
    static const uint8_t reply[] =
        HEADER QUESTION "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x05\x00\x09\x00\x0a\4mail\xc0\x0e"
                        "\xc0\x0e\x00\x05\x00\x01\x00\x00\x00\x06\x00\x02\xc0\x0c"
                        "\xc0\x16\x00\x06\x00\x01\x00\x00\x00\x07\x00\x18\xc0\x0e\xc0\x0c"
                        "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
    static uint8_t data[DNSMSG_RDATA_MAX];
    struct dnsmsg m;
    struct dnsmsg_entry e;
    char text[DNAME_TEXT_MAX];
    ck_assert_int_eq(dnsmsg_open(reply, sizeof reply - 1, &m), 0);
    ck_assert_uint_eq(m.id, 7);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_str_eq(dname_format(e.name, text), "a.Example.com");
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(e.section, DNSMSG_ANSWER);
    ck_assert_uint_eq(e.ttl, 5);
    int length = dnsmsg_rdata(&m, &e, data);
    ck_assert_int_eq(length, 2 + 18);
    ck_assert_mem_eq(data, "\x00\x0a\4mail\7Example\3com\0", 20);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(dnsmsg_rdata(&m, &e, data), 15);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(e.section, DNSMSG_AUTHORITY);
    ck_assert_str_eq(dname_format(e.name, text), "com");
    ck_assert_int_eq(dnsmsg_rdata(&m, &e, data), 13 + 15 + 20);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 0);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 0);
    dnsmsg_name_lower(e.name);
}
END_TEST

/* Types that RFC 1035 did not know, and that some compress all the same (RFC 3597 4). */
START_TEST(test_compression_of_later_types)
{
    static const uint8_t reply[] =
        "\x00\x07\x84\x00\x00\x01\x00\x03\x00\x00\x00\x00" QUESTION
        "\xc0\x0c\x00\x23\x00\x01\x00\x00\x00\x05\x00\x12\0\1\0\2\1S\3SIP\0\4_sip\xc0\x0e"
        "\xc0\x0c\x00\x6b\x00\x01\x00\x00\x00\x05\x00\x04\0\1\xc0\x0e"
        "\xc0\x0c\x00\x23\x00\x01\x00\x00\x00\x05\x00\x07\0\1\0\2\1S\3";
    static uint8_t data[DNSMSG_RDATA_MAX];
    struct dnsmsg m;
    struct dnsmsg_entry e;
    ck_assert_int_eq(dnsmsg_open(reply, sizeof reply - 1, &m), 0);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(dnsmsg_rdata(&m, &e, data), 11 + 18);
    ck_assert_mem_eq(data, "\0\1\0\2\1S\3SIP\0\4_sip\7Example\3com", 29);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_eq(dnsmsg_rdata(&m, &e, data), 2 + 13);
    ck_assert_mem_eq(data, "\0\1\7Example\3com", 15);
    ck_assert_int_eq(dnsmsg_next(&m, &e), 1);
    ck_assert_int_lt(dnsmsg_rdata(&m, &e, data), 0); /* a string goes on after its end */
}
END_TEST

START_TEST(test_every_cut_is_noticed)
{
    static const uint8_t reply[] =
        HEADER QUESTION "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x05\x00\x09\x00\x0a\4mail\xc0\x0e"
                        "\xc0\x0e\x00\x05\x00\x01\x00\x00\x00\x06\x00\x02\xc0\x0c"
                        "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x07\x00\x04\1\2\3\4";
    for (size_t n = 0; n < sizeof reply - 1; n++) {
        struct dnsmsg m;
        struct dnsmsg_entry e;
        int more = 1;
        if (dnsmsg_open(reply, n, &m)) {
            ck_assert_uint_lt(n, DNS_HEADER_SIZE);
            continue;
        }
        while (more == 1)
            more = dnsmsg_next(&m, &e);
        ck_assert_int_eq(more, ERR_TRUNCATED);
    }
}
END_TEST

START_TEST(test_bad_names)
{
    uint8_t name[DNAME_MAX];
    static const struct {
        const char *bytes;
        size_t length, start;
        int result;
    } cases[] = {
        {"\xc0\x00", 2, 0, ERR_SYNTAX},         /* itself */
        {"\1a\xc0\x00", 4, 0, ERR_SYNTAX},      /* its own beginning */
        {"\xc0\x02\xc0\x00", 4, 2, ERR_SYNTAX}, /* each other */
        {"\xc0\x05\0\0\0\0", 6, 0, ERR_SYNTAX}, /* forwards */
        {"\xc0", 1, 0, ERR_TRUNCATED},
        {"\3ab", 3, 0, ERR_TRUNCATED},
        {"\1a", 2, 0, ERR_TRUNCATED},
        {"\x40"
         "a",
         2, 0, ERR_SYNTAX},
        {"\x80"
         "a",
         2, 0, ERR_SYNTAX},
        {"\1a\0\1b\xc0\x00", 7, 3, 5},
        {"", 0, 0, ERR_TRUNCATED},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct reader r = reader_init(cases[i].bytes, cases[i].length);
        r.position = cases[i].start;
        ck_assert_msg(dnsmsg_name(&r, name) == cases[i].result, "case %zu", i);
        ck_assert_uint_eq(r.position, cases[i].result > 0 ? cases[i].length : cases[i].start);
    }
    /* A chain of labels behind pointers that would grow past 255 bytes. */
    uint8_t chain[400] = {0};
    size_t at = 0, previous = 0;
    for (unsigned i = 0; i < 6; i++) {
        size_t here = at;
        chain[at] = 60;
        memset(chain + at + 1, 'x', 60);
        at += 61;
        if (i) {
            chain[at++] = (uint8_t)(0xc0 | previous >> 8);
            chain[at++] = (uint8_t)previous;
        } else {
            chain[at++] = 0;
        }
        struct reader r = reader_init(chain, at);
        r.position = here;
        int result = dnsmsg_name(&r, name);
        ck_assert_int_eq(result, i < 4 ? (int)(61 * (i + 1) + 1) : ERR_LIMIT);
        previous = here;
    }
}
END_TEST

START_TEST(test_edns_options)
{
    struct dnsmsg_edns edns;
    struct dnsmsg_entry e = {.type = DNS_OPT, .class = 4096, .ttl = 0x01008000};
    static const uint8_t good[] = "\x00\x03\x00\x02n1\x00\x0f\x00\x04\x00\x12hi"
                                  "\x00\x08\x00\x06\x00\x02\x10\x30\x20\x01";
    e.rdata = (struct bytes){good, sizeof good - 1};
    ck_assert_int_eq(dnsmsg_edns_parse(&e, &edns), 0);
    ck_assert_uint_eq(edns.rcode_high, 1);
    ck_assert(edns.dnssec && edns.has_error && edns.error == 18 && edns.has_subnet);
    ck_assert_mem_eq(edns.nsid.data, "n1", 2);
    ck_assert_mem_eq(edns.error_text.data, "hi", 2);
    ck_assert_uint_eq(edns.subnet.length, 16);
    ck_assert_uint_eq(edns.subnet_scope, 48);
    static const struct {
        const char *bytes;
        size_t length;
    } bad[] = {
        {"\x00", 1},
        {"\x00\x03\x00\x02n", 5},
        {"\x00\x0f\x00\x01x", 5},
        {"\x00\x08\x00\x04\x00\x03\x00\x00", 8},
        {"\x00\x08\x00\x04\x00\x01\x08\x00", 8},
        {"\x00\x08\x00\x09\x00\x01\x21\x00\1\2\3\4\5", 13},
    };
    for (size_t i = 0; i < array_length(bad); i++) {
        e.rdata = (struct bytes){(const uint8_t *)bad[i].bytes, bad[i].length};
        ck_assert_msg(dnsmsg_edns_parse(&e, &edns) == ERR_SYNTAX, "case %zu", i);
    }
}
END_TEST

CHECK_MAIN("dnsmsg", test_query_bytes, test_reply_with_compression, test_compression_of_later_types,
           test_every_cut_is_noticed, test_bad_names, test_edns_options)
