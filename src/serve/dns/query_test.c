#include "serve/dns/query_ask.h"
#include "test/check_main.h"

#define SOA \
    "ns example.com 300 SOA ns1.example.com host.example.com 2024010101 7200 3600 1209600 300\n"
#define SOA_NET "ns example.net 60 SOA ns1.example.com host.example.com 7 7200 3600 1209600 60\n"

/* expect(rig, "name type" ..., text of the response) */
#define expect(r, text, ...) ck_assert_str_eq(rig_ask((r), (struct ask){__VA_ARGS__}), (text))

START_TEST(test_positive)
{
    struct rig *r = rig_new();
    expect(r,
           "NOERROR qr aa\nqd www.example.com A\n"
           "an www.example.com 300 A 192.0.2.80\nan www.example.com 300 A 192.0.2.81\n",
           "www.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa rd\nqd www.example.com AAAA\nan www.example.com 3600 AAAA 2001:db8::80\n",
           "www.example.com", DNS_AAAA, .flags = DNS_FLAG_RD);
    expect(r, "NOERROR qr aa\nqd txt.example.com TXT\nan txt.example.com 3600 TXT 0568656c6c6f\n",
           "txt.example.com", DNS_TXT);
    expect(r,
           "NOERROR qr aa\nqd example.com SOA\nan example.com 3600 SOA ns1.example.com "
           "host.example.com 2024010101 7200 3600 1209600 300\n",
           "example.com", DNS_SOA);
    rig_free(r);
}
END_TEST

START_TEST(test_additionals_help)
{
    struct rig *r = rig_new();
    expect(r,
           "NOERROR qr aa\nqd example.com MX\nan example.com 3600 MX 10 mail.example.com\n"
           "ad mail.example.com 3600 A 192.0.2.25\n",
           "example.com", DNS_MX);
    expect(r,
           "NOERROR qr aa\nqd _sip._tcp.example.com SRV\n"
           "an _sip._tcp.example.com 3600 SRV 1 2 5060 www.example.com\n"
           "ad www.example.com 300 A 192.0.2.80\nad www.example.com 300 A 192.0.2.81\n"
           "ad www.example.com 3600 AAAA 2001:db8::80\n",
           "_sip._tcp.example.com", DNS_SRV);
    rig_free(r);
}
END_TEST

/* RFC 4343, and 0x20: the question comes back as it was asked. */
START_TEST(test_case)
{
    struct rig *r = rig_new();
    expect(r, "NOERROR qr aa\nqd wWw.eXample.COM AAAA\nan wWw.eXample.COM 3600 AAAA 2001:db8::80\n",
           "wWw.eXample.COM", DNS_AAAA);
    expect(r,
           "NXDOMAIN qr aa\nqd nO.eXample.COM A\n"
           "ns eXample.COM 300 SOA ns1.eXample.COM host.eXample.COM 2024010101 7200 3600 1209600 "
           "300\n",
           "nO.eXample.COM", DNS_A);
    rig_free(r);
}
END_TEST

START_TEST(test_negative)
{
    struct rig *r = rig_new();
    expect(r, "NOERROR qr aa\nqd www.example.com MX\n" SOA, "www.example.com", DNS_MX);
    expect(r, "NXDOMAIN qr aa\nqd missing.example.com A\n" SOA, "missing.example.com", DNS_A);
    expect(r, "NXDOMAIN qr aa\nqd a.b.c.missing.example.com A\n" SOA, "a.b.c.missing.example.com",
           DNS_A);
    expect(r, "NXDOMAIN qr aa\nqd below.www.example.com A\n" SOA, "below.www.example.com", DNS_A);
    /* empty non-terminals exist (RFC 4592 2.2.2) */
    expect(r, "NOERROR qr aa\nqd b.c.deep.example.com A\n" SOA, "b.c.deep.example.com", DNS_A);
    expect(r, "NOERROR qr aa\nqd deep.example.com A\n" SOA, "deep.example.com", DNS_A);
    expect(r, "NXDOMAIN qr aa\nqd x.deep.example.com A\n" SOA, "x.deep.example.com", DNS_A);
    expect(r, "NOERROR qr aa\nqd host.example.net MX\n" SOA_NET, "host.example.net", DNS_MX);
    rig_free(r);
}
END_TEST

/* RFC 4592 */
START_TEST(test_wildcards)
{
    struct rig *r = rig_new();
    expect(r, "NOERROR qr aa\nqd a.wild.example.com A\nan a.wild.example.com 600 A 192.0.2.99\n",
           "a.wild.example.com", DNS_A);
    expect(
        r,
        "NOERROR qr aa\nqd a.B.c.wild.example.com A\nan a.B.c.wild.example.com 600 A 192.0.2.99\n",
        "a.B.c.wild.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd a.wild.example.com MX\nan a.wild.example.com 3600 MX 5 "
           "mail.example.com\n"
           "ad mail.example.com 3600 A 192.0.2.25\n",
           "a.wild.example.com", DNS_MX);
    expect(r, "NOERROR qr aa\nqd a.wild.example.com TXT\n" SOA, "a.wild.example.com", DNS_TXT);
    expect(r, "NOERROR qr aa\nqd *.wild.example.com A\nan *.wild.example.com 600 A 192.0.2.99\n",
           "*.wild.example.com", DNS_A);
    /* the wildcard's parent is not covered by it */
    expect(r, "NOERROR qr aa\nqd wild.example.com A\n" SOA, "wild.example.com", DNS_A);
    /* an existing name shadows it, and so does what is below that name */
    expect(r, "NOERROR qr aa\nqd host.wildmix.example.com TXT\n" SOA, "host.wildmix.example.com",
           DNS_TXT);
    expect(r, "NXDOMAIN qr aa\nqd x.host.wildmix.example.com TXT\n" SOA,
           "x.host.wildmix.example.com", DNS_TXT);
    /* a wildcard that is an empty non-terminal: NODATA, not NXDOMAIN */
    expect(r, "NOERROR qr aa\nqd x.star.example.com A\n" SOA, "x.star.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd q.wildalias.example.com AAAA\n"
           "an q.wildalias.example.com 3600 CNAME www.example.com\n"
           "an www.example.com 3600 AAAA 2001:db8::80\n",
           "q.wildalias.example.com", DNS_AAAA);
    expect(r,
           "NOERROR qr aa\nqd q.wildalias.example.com CNAME\n"
           "an q.wildalias.example.com 3600 CNAME www.example.com\n",
           "q.wildalias.example.com", DNS_CNAME);
    expect(r, "NOERROR qr aa\nqd x.any.example.com A\nan x.any.example.com 11 A 198.51.0.0\n",
           "x.any.example.com", DNS_A);
    rig_free(r);
}
END_TEST

#define REFERRAL                                                                                  \
    "ns sub.example.com 3600 NS ns.sub.example.com\nns sub.example.com 3600 NS ns1.example.com\n" \
    "ad ns.sub.example.com 3600 A 192.0.2.53\nad ns.sub.example.com 3600 AAAA 2001:db8::53\n"

/* The order of the records of a set, and of the glue, is the compiler's: lines are sorted. */
static int line_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static const char *sorted(const char *text)
{
    static char copy[1 << 16], out[1 << 16];
    char *lines[128] = {NULL}, *save = NULL;
    size_t n = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *l = strtok_r(copy, "\n", &save); l && n < 128; l = strtok_r(NULL, "\n", &save))
        lines[n++] = l;
    qsort(lines, n, sizeof *lines, line_compare);
    out[0] = 0;
    for (size_t i = 0, at = 0; i < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s\n", lines[i]);
    return out;
}

static void expect_lines(const char *got, const char *const *lines)
{
    char want[4096] = "";
    for (size_t at = 0; *lines; lines++)
        at += (size_t)snprintf(want + at, sizeof want - at, "%s\n", *lines);
    char expected[1 << 14];
    snprintf(expected, sizeof expected, "%s", sorted(want));
    ck_assert_str_eq(sorted(got), expected);
}
#define lines(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

START_TEST(test_delegations)
{
    static const char *const names[] = {"sub.example.com", "x.sub.example.com",
                                        "ns.sub.example.com", "a.b.c.SUB.example.com"};
    struct rig *r = rig_new();
    for (size_t i = 0; i < array_length(names); i++) {
        char question[64];
        snprintf(question, sizeof question, "qd %s A", names[i]);
        const char *cut = i == 3 ? "SUB.example.com" : "sub.example.com";
        char ns[4][80];
        snprintf(ns[0], 80, "ns %s 3600 NS ns.%s", cut, cut);
        snprintf(ns[1], 80, "ns %s 3600 NS ns1.example.com", cut);
        snprintf(ns[2], 80, "ad ns.%s 3600 A 192.0.2.53", cut);
        snprintf(ns[3], 80, "ad ns.%s 3600 AAAA 2001:db8::53", cut);
        expect_lines(rig_ask(r, (struct ask){names[i], DNS_A}),
                     lines("NOERROR qr", question, ns[0], ns[1], ns[2], ns[3],
                           "ad ns1.example.com 3600 A 192.0.2.1"));
    }
    expect(r,
           "NOERROR qr\nqd unsigned.example.com A\n"
           "ns unsigned.example.com 3600 NS ns.example.org\n",
           "unsigned.example.com", DNS_A);
    /* RFC 4035 3.1.4.1: DS at the cut is the parent's, whether there is one or not */
    expect(r,
           "NOERROR qr aa\nqd sub.example.com DS\nan sub.example.com 3600 DS "
           "30390d020123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
           "sub.example.com", DNS_DS);
    expect(r, "NOERROR qr aa\nqd unsigned.example.com DS\n" SOA, "unsigned.example.com", DNS_DS);
    /* below it, it is not */
    const char *below = rig_ask(r, (struct ask){"x.sub.example.com", DNS_DS});
    ck_assert_ptr_nonnull(strstr(below, "NOERROR qr\n"));
    ck_assert_ptr_nonnull(strstr(below, "ns sub.example.com 3600 NS"));
    const char *any = rig_ask(r, (struct ask){"sub.example.com", DNS_ANY});
    ck_assert_ptr_nonnull(strstr(any, "NOERROR qr\n"));
    rig_free(r);
}
END_TEST

START_TEST(test_aliases)
{
    struct rig *r = rig_new();
    expect(r,
           "NOERROR qr aa\nqd alias2.example.com AAAA\nan alias2.example.com 60 CNAME "
           "alias.example.com\n"
           "an alias.example.com 3600 CNAME www.example.com\nan www.example.com 3600 AAAA "
           "2001:db8::80\n",
           "alias2.example.com", DNS_AAAA);
    expect(r,
           "NOERROR qr aa\nqd alias2.example.com CNAME\nan alias2.example.com 60 CNAME "
           "alias.example.com\n",
           "alias2.example.com", DNS_CNAME);
    expect(r,
           "NOERROR qr aa\nqd tosteered.example.com A\nan tosteered.example.com 3600 CNAME "
           "api.example.com\n"
           "an api.example.com 5 A 198.51.0.0\n",
           "tosteered.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd outside.example.com A\nan outside.example.com 3600 CNAME "
           "www.example.org\n",
           "outside.example.com", DNS_A);
    expect(
        r,
        "NOERROR qr aa\nqd tonet.example.com A\nan tonet.example.com 3600 CNAME host.example.net\n"
        "an host.example.net 900 A 192.0.2.77\n",
        "tonet.example.com", DNS_A);
    /* RFC 6604 3: the last name's RCODE; its zone's SOA */
    expect(r,
           "NXDOMAIN qr aa\nqd nowhere.example.com A\n"
           "an nowhere.example.com 3600 CNAME missing.example.com\n" SOA,
           "nowhere.example.com", DNS_A);
    expect(r,
           "NXDOMAIN qr aa\nqd back.example.net A\n"
           "an back.example.net 900 CNAME back.example.com\n" SOA,
           "back.example.net", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd nodata.example.com A\nan nodata.example.com 3600 CNAME "
           "txt.example.com\n" SOA,
           "nodata.example.com", DNS_A);
    rig_free(r);
}
END_TEST

/* RFC 4035 2.5: NSEC and RRSIG may stand beside an alias, and are no reason to follow it. */
START_TEST(test_beside_an_alias)
{
    struct rig *r = rig_new();
    const char *nsec = "000006040000000003\n"; /* the root; CNAME, RRSIG, NSEC */
    char expected[200];
    snprintf(expected, sizeof expected,
             "NOERROR qr aa\nqd beside.example.com TYPE47\nan beside.example.com 3600 TYPE47 %s",
             nsec);
    expect(r, expected, "beside.example.com", 47);
    snprintf(expected, sizeof expected,
             "NOERROR qr aa\nqd tobeside.example.com TYPE47\n"
             "an tobeside.example.com 3600 CNAME beside.example.com\n"
             "an beside.example.com 3600 TYPE47 %s",
             nsec);
    expect(r, expected, "tobeside.example.com", 47);
    ck_assert_ptr_nonnull(
        strstr(rig_ask(r, (struct ask){"beside.example.com", DNS_A}), "CNAME www"));
    ck_assert_ptr_nonnull(strstr(rig_ask(r, (struct ask){"alias.example.com", 47}), "CNAME www"));
    rig_free(r);
}
END_TEST

START_TEST(test_alias_into_a_cut)
{
    struct rig *r = rig_new();
    expect_lines(rig_ask(r, (struct ask){"tocut.example.com", DNS_A}),
                 lines("NOERROR qr aa", "qd tocut.example.com A",
                       "an tocut.example.com 3600 CNAME deep.sub.example.com",
                       "ns sub.example.com 3600 NS ns.sub.example.com",
                       "ns sub.example.com 3600 NS ns1.example.com",
                       "ad ns.sub.example.com 3600 A 192.0.2.53",
                       "ad ns.sub.example.com 3600 AAAA 2001:db8::53",
                       "ad ns1.example.com 3600 A 192.0.2.1"));
    rig_free(r);
}
END_TEST

START_TEST(test_alias_loops_end)
{
    struct rig *r = rig_new();
    expect(
        r,
        "NOERROR qr aa\nqd loop1.example.com A\nan loop1.example.com 3600 CNAME loop2.example.com\n"
        "an loop2.example.com 3600 CNAME loop1.example.com\n",
        "loop1.example.com", DNS_A);
    expect(
        r,
        "NOERROR qr aa\nqd self.example.com A\nan self.example.com 3600 CNAME self.example.com\n",
        "self.example.com", DNS_A);
    rig_free(r);
}
END_TEST

START_TEST(test_any_is_one_set)
{
    struct rig *r = rig_new();
    expect(r,
           "NOERROR qr aa\nqd www.example.com ANY\nan www.example.com 300 A 192.0.2.80\n"
           "an www.example.com 300 A 192.0.2.81\n",
           "www.example.com", DNS_ANY);
    expect(r,
           "NOERROR qr aa\nqd alias.example.com ANY\nan alias.example.com 3600 CNAME "
           "www.example.com\n",
           "alias.example.com", DNS_ANY);
    expect(r, "NOERROR qr aa\nqd api.example.com ANY\nan api.example.com 5 A 198.51.0.0\n",
           "api.example.com", DNS_ANY);
    expect(r, "NOERROR qr aa\nqd deep.example.com ANY\n" SOA, "deep.example.com", DNS_ANY);
    expect(r, "NXDOMAIN qr aa\nqd no.example.com ANY\n" SOA, "no.example.com", DNS_ANY);
    const char *v6 = rig_ask(r, (struct ask){"v6only.example.com", DNS_ANY});
    ck_assert_ptr_nonnull(strstr(v6, "an v6only.example.com 5 AAAA 2001:db8::"));
    rig_free(r);
}
END_TEST

START_TEST(test_refusals)
{
    struct rig *r = rig_new();
    expect(r, "REFUSED qr\nqd www.example.org A\n", "www.example.org", DNS_A);
    expect(r, "REFUSED qr\nqd com A\n", "com", DNS_A);
    expect(r, "REFUSED qr\nqd . NS\n", ".", DNS_NS);
    expect(r, "REFUSED qr\nqd notexample.com A\n", "notexample.com", DNS_A);
    expect(r, "REFUSED qr\nqd version.bind TXT class 3\n", "version.bind", DNS_TXT,
           .class = DNS_CH);
    expect(r, "REFUSED qr\nqd www.example.com A class 255\n", "www.example.com", DNS_A,
           .class = 255);
    expect(r, "REFUSED qr\nqd example.com TYPE252\n", "example.com", DNS_AXFR, .tcp = true);
    expect(r, "REFUSED qr\nqd example.com TYPE251\n", "example.com", DNS_IXFR);
    expect(r, "NOTIMP qr\nqd example.com TYPE250\n", "example.com", 250);
    expect(r, "FORMERR qr\nqd example.com TYPE41\n", "example.com", DNS_OPT);
    expect(r, "FORMERR qr\nqd www.example.com TYPE128\n", "www.example.com", DNS_NXNAME);
    expect(r, "FORMERR qr\nqd nothing.example.com TYPE128\nopt 1232 ede 30\n",
           "nothing.example.com", DNS_NXNAME, .size = 1232);
    /* opcodes: the header only */
    expect(r, "NOTIMP qr opcode 2\n", "example.com", DNS_SOA, .flags = 2 << 11);
    /* those for control, where nobody passes them on */
    expect(r, "SERVFAIL qr opcode 5\n", "example.com", DNS_SOA, .flags = 5 << 11);
    expect(r, "SERVFAIL qr rd opcode 4\n", "example.com", DNS_SOA, .flags = 4 << 11 | DNS_FLAG_RD);
    /* a response is never answered: two servers would never stop */
    expect(r, "dropped", "example.com", DNS_SOA, .flags = DNS_FLAG_QR);
    /* AA, RA, AD, CD and Z of the query are not ours to repeat */
    expect(r,
           "NOERROR qr aa rd\nqd www.example.com AAAA\nan www.example.com 3600 AAAA 2001:db8::80\n",
           "www.example.com", DNS_AAAA, .flags = 0x07f0);
    rig_free(r);
}
END_TEST

static const char *ask_bytes(struct rig *r, const char *bytes, size_t length)
{
    uint8_t wire[256] = {0};
    memcpy(wire, bytes, length);
    return rig_ask_raw(r, wire, length, NULL, false);
}
#define ASK_BYTES(r, literal) ask_bytes((r), (literal), sizeof(literal) - 1)

START_TEST(test_malformed)
{
    struct rig *r = rig_new();
    ck_assert_str_eq(ASK_BYTES(r, ""), "dropped");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0"), "dropped");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\0"), "FORMERR qr\n");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\0\0\0\0\0\0\0"), "FORMERR qr\n");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\2\0\0\0\0\0\0\3com\0\0\1\0\1\3org\0\0\1\0\1"),
                     "FORMERR qr\n");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\0\3com\0\0\1\0"), "FORMERR qr\n");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\0\3com"), "FORMERR qr\n");
    /* compression, and the reserved label types, in the question */
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\0\300\014\0\1\0\1"), "FORMERR qr\n");
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\0\100a\0\0\1\0\1"), "FORMERR qr\n");
    /* records that are announced and do not come */
    ck_assert_str_eq(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\1\3com\0\0\1\0\1"),
                     "FORMERR qr\nqd com A\n");
    ck_assert_str_eq(
        ASK_BYTES(r, "\0\1\0\0\0\1\0\1\0\0\0\0\3com\0\0\1\0\1\0\0\1\0\1\0\0\0\0\0\5abc"),
        "FORMERR qr\nqd com A\n");
    rig_free(r);
}
END_TEST

START_TEST(test_longest_names)
{
    struct rig *r = rig_new();
    char name[300] = "";
    for (int i = 0; i < 120; i++)
        strncat(name, "a.", sizeof name - strlen(name) - 1);
    strncat(name, "example.com", sizeof name - strlen(name) - 1); /* 120 * 2 + 13 = 253 bytes */
    const char *got = rig_ask(r, (struct ask){name, DNS_A});
    ck_assert_ptr_nonnull(strstr(got, "NXDOMAIN qr aa\n"));
    ck_assert_ptr_nonnull(strstr(got, SOA));
    snprintf(name, sizeof name, "%.*s%s", 63,
             "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
             ".wild.example.com");
    got = rig_ask(r, (struct ask){name, DNS_A});
    ck_assert_ptr_nonnull(strstr(got, "600 A 192.0.2.99\n"));
    uint8_t wire[400] = {0, 1, 0, 0, 0, 1};
    for (size_t i = 0; i < 127; i++) /* 127 labels of one letter: 255 bytes */
        wire[DNS_HEADER_SIZE + 2 * i] = 1, wire[DNS_HEADER_SIZE + 2 * i + 1] = 'a';
    size_t end = DNS_HEADER_SIZE + DNAME_MAX;
    wire[end + 1] = wire[end + 3] = 1;
    got = rig_ask_raw(r, wire, end + 4, NULL, false);
    ck_assert_ptr_nonnull(strstr(got, "REFUSED qr\nqd a.a."));
    ck_assert_ptr_null(strstr(got, "malformed"));
    memmove(wire + DNS_HEADER_SIZE + 1, wire + DNS_HEADER_SIZE, DNAME_MAX + 4);
    wire[DNS_HEADER_SIZE] = 2; /* and one more */
    ck_assert_str_eq(rig_ask_raw(r, wire, end + 5, NULL, false), "FORMERR qr\n");
    rig_free(r);
}
END_TEST

START_TEST(test_no_plan)
{
    struct rig *r = rig_new();
    struct served *s = r->served;
    r->served = NULL;
    expect(r, "SERVFAIL qr\nqd www.example.com A\n", "www.example.com", DNS_A);
    expect(r, "SERVFAIL qr\nqd www.example.org A\nopt 1232 ede 14\n", "www.example.org", DNS_A,
           .size = 512);
    ck_assert_uint_eq(atomic_load(&r->stats->values[DNS_RESPONSES_SERVFAIL]), 2);
    r->served = s;
    rig_free(r);
}
END_TEST

/* ---- EDNS ---- */

#define SUBNET(family, source, scope, ...)                                                    \
    (const uint8_t[]){0,          8,      0,      sizeof((const uint8_t[]){__VA_ARGS__}) + 4, \
                      0,          family, source, scope,                                      \
                      __VA_ARGS__},                                                           \
        8 + sizeof((const uint8_t[]){__VA_ARGS__})

static const char *ask_subnet(struct rig *r, const char *name, const uint8_t *option, size_t length)
{
    return rig_ask(
        r, (struct ask){name, DNS_A, .size = 1232, .options = option, .options_length = length});
}

START_TEST(test_edns)
{
    struct rig *r = rig_new();
    expect(r,
           "NOERROR qr aa\nqd host.example.net A\nan host.example.net 900 A 192.0.2.77\nopt 1232\n",
           "host.example.net", DNS_A, .size = 4096);
    expect(
        r,
        "NOERROR qr aa\nqd host.example.net A\nan host.example.net 900 A 192.0.2.77\nopt 1232 do\n",
        "host.example.net", DNS_A, .size = 4096, .dnssec_ok = true);
    expect(r, "NXDOMAIN qr aa\nqd x.example.com A\n" SOA "opt 1232\n", "x.example.com", DNS_A,
           .size = 1232);
    expect(r, "NOERROR qr\nqd host.example.net A\nopt 1232 high 256\n", "host.example.net", DNS_A,
           .size = 1232, .version = 1);
    ck_assert_uint_eq(atomic_load(&r->stats->values[DNS_RESPONSES_BADVERS]), 1);
    /* unknown options are ignored, a cut one is FORMERR */
    static const uint8_t unknown[] = {0xff, 0xf0, 0, 2, 1, 2}, cut[] = {0, 10, 0, 9, 1};
    expect(r,
           "NOERROR qr aa\nqd host.example.net A\nan host.example.net 900 A 192.0.2.77\nopt 1232\n",
           "host.example.net", DNS_A, .size = 1232, .options = unknown, .options_length = 6);
    expect(r, "FORMERR qr\nqd host.example.net A\nopt 1232\n", "host.example.net", DNS_A,
           .size = 1232, .options = cut, .options_length = 5);
    rig_free(r);
}
END_TEST

/* OPT after another additional record; two OPTs; OPT with an owner. */
START_TEST(test_opt_anywhere)
{
    struct rig *r = rig_new();
#define QUESTION "\4host\7example\3net\0\0\1\0\1"
#define OPT      "\0\0\051\20\0\0\0\0\0\0\0"
#define A_RECORD "\300\014\0\1\0\1\0\0\0\0\0\4\1\2\3\4"
    ck_assert_str_eq(
        ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\2" QUESTION A_RECORD OPT),
        "NOERROR qr aa\nqd host.example.net A\nan host.example.net 900 A 192.0.2.77\nopt 1232\n");
    ck_assert_str_eq(
        ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\2" QUESTION OPT A_RECORD),
        "NOERROR qr aa\nqd host.example.net A\nan host.example.net 900 A 192.0.2.77\nopt 1232\n");
    ck_assert_ptr_nonnull(
        strstr(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\2" QUESTION OPT OPT), "FORMERR"));
    ck_assert_ptr_nonnull(strstr(ASK_BYTES(r, "\0\1\0\0\0\1\0\1\0\0\0\0" QUESTION OPT), "FORMERR"));
    ck_assert_ptr_nonnull(
        strstr(ASK_BYTES(r, "\0\1\0\0\0\1\0\0\0\0\0\1" QUESTION "\1x" OPT), "FORMERR"));
    rig_free(r);
}
END_TEST

START_TEST(test_client_subnet)
{
    struct rig *r = rig_new();
    /* the answer depends on the network: scope of the map's range, whatever the source length was
     */
    ck_assert_ptr_nonnull(strstr(ask_subnet(r, "near.example.com", SUBNET(1, 24, 0, 10, 20, 30)),
                                 "opt 1232 subnet 1/24/16 10.20.30.0\n"));
    char inside[512];
    snprintf(inside, sizeof inside, "%s", text_string(&r->text));
    ck_assert_ptr_nonnull(strstr(ask_subnet(r, "near.example.com", SUBNET(1, 24, 0, 10, 200, 30)),
                                 "opt 1232 subnet 1/24/9 10.200.30.0\n"));
    ck_assert_str_ne(inside, text_string(&r->text));
    ck_assert_ptr_nonnull(strstr(ask_subnet(r, "near.example.com", SUBNET(1, 8, 0, 10)),
                                 "opt 1232 subnet 1/8/12 10.0.0.0\n"));
    ck_assert_ptr_nonnull(
        strstr(ask_subnet(r, "near.example.com", SUBNET(2, 48, 0, 0x20, 1, 0xd, 0xb8, 0, 7)),
               "opt 1232 subnet 2/48/32 2001:db8:7::\n"));
    /* nowhere: NODATA with its scope too */
    const char *got = ask_subnet(r, "near.example.com", SUBNET(1, 32, 0, 192, 0, 2, 1));
    ck_assert_str_eq(got, "NOERROR qr aa\nqd near.example.com A\n" SOA
                          "opt 1232 subnet 1/32/1 192.0.2.1\n");
    /* does not depend: scope 0 */
    ck_assert_ptr_nonnull(strstr(ask_subnet(r, "split.example.com", SUBNET(1, 24, 0, 10, 20, 30)),
                                 "opt 1232 subnet 1/24/0 10.20.30.0\n"));
    ck_assert_ptr_nonnull(strstr(ask_subnet(r, "www.example.com", SUBNET(1, 20, 0, 10, 20, 16)),
                                 "opt 1232 subnet 1/20/0 10.20.16.0\n"));
    ck_assert_ptr_nonnull(strstr(ask_subnet(r, "no.example.com", SUBNET(1, 24, 0, 10, 20, 30)),
                                 "opt 1232 subnet 1/24/0 10.20.30.0\n"));
    rig_free(r);
}
END_TEST

/* A source of 0 asks not to be located: the resolver's own address decides, and the answer is for
 * all. */
START_TEST(test_client_subnet_of_nobody)
{
    static const uint8_t none[] = {0, 8, 0, 4, 0, 1, 0, 0},
                         unspecified[] = {0, 8, 0, 4, 0, 0, 0, 0};
    struct rig *r = rig_new();
    const char *got =
        rig_ask(r, (struct ask){"near.example.com", DNS_A, .size = 1232, .options = none,
                                .options_length = 8, .from = "10.20.0.1"});
    ck_assert_ptr_nonnull(strstr(got, "an near.example.com 5 A"));
    ck_assert_ptr_nonnull(strstr(got, "opt 1232 subnet 1/0/0 0.0.0.0\n"));
    got = ask_subnet(r, "near.example.com", unspecified, 8);
    ck_assert_ptr_nonnull(strstr(got, "opt 1232 subnet 0/0/0 0.0.0.0\n"));
    rig_free(r);
}
END_TEST

START_TEST(test_client_subnet_malformed)
{
    static const uint8_t shorter[] = {0, 8, 0, 3, 0, 1, 0};
    struct rig *r = rig_new();
#define MALFORMED(...)                                               \
    ck_assert_str_eq(ask_subnet(r, "near.example.com", __VA_ARGS__), \
                     "FORMERR qr\nqd near.example.com A\nopt 1232\n")
    MALFORMED(SUBNET(1, 24, 0, 10, 20));            /* too few bytes */
    MALFORMED(SUBNET(1, 24, 0, 10, 20, 30, 40));    /* too many */
    MALFORMED(SUBNET(1, 20, 0, 10, 20, 31));        /* bits past the length */
    MALFORMED(SUBNET(1, 24, 1, 10, 20, 30));        /* a scope in a query */
    MALFORMED(SUBNET(1, 33, 0, 10, 20, 30, 40, 0)); /* longer than the family */
    MALFORMED(SUBNET(3, 8, 0, 10));                 /* no such family */
    MALFORMED(shorter, sizeof shorter);
    r->ctx.client_subnet = false; /* then it is an unknown option like any other */
    ck_assert_str_eq(
        ask_subnet(r, "host.example.net", SUBNET(3, 8, 0, 10)),
        "NOERROR qr aa\nqd host.example.net A\nan host.example.net 900 A 192.0.2.77\nopt 1232\n");
    rig_free(r);
}
END_TEST

/* ---- steered names ---- */

START_TEST(test_steered)
{
    struct rig *r = rig_new();
    expect(r, "NOERROR qr aa\nqd aPi.example.com A\nan aPi.example.com 5 A 198.51.0.0\n",
           "aPi.example.com", DNS_A);
    const char *got = rig_ask(r, (struct ask){"api.example.com", DNS_AAAA});
    ck_assert_ptr_nonnull(strstr(got, "an api.example.com 5 AAAA 2001:db8::"));
    expect(r, "NOERROR qr aa\nqd api.example.com MX\n" SOA, "api.example.com", DNS_MX);
    expect(r, "NOERROR qr aa\nqd v6only.example.com A\n" SOA, "v6only.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd fallback.example.com A\nan fallback.example.com 5 CNAME "
           "www.example.com\n"
           "an www.example.com 300 A 192.0.2.80\nan www.example.com 300 A 192.0.2.81\n",
           "fallback.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd fallback.example.com AAAA\nan fallback.example.com 5 CNAME "
           "www.example.com\n"
           "an www.example.com 3600 AAAA 2001:db8::80\n",
           "fallback.example.com", DNS_AAAA);
    ck_assert_uint_ge(atomic_load(&r->stats->values[DNS_STEERED]), 5);
    rig_free(r);
}
END_TEST

static unsigned count_lines(const char *text, const char *start)
{
    unsigned n = 0;
    for (; text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL)
        n += strncmp(text, start, strlen(start)) == 0;
    return n;
}

START_TEST(test_multivalue_and_rotation)
{
    struct rig *r = rig_new();
    unsigned firsts[256] = {0}, different = 0;
    for (int i = 0; i < 2000; i++) {
        const char *got = rig_ask(r, (struct ask){"multi.example.com", DNS_A});
        ck_assert_uint_eq(count_lines(got, "an multi.example.com 5 A 198.51.0."),
                          PLAN_MULTIVALUE_MAX);
        uint8_t last[PLAN_MULTIVALUE_MAX];
        for (int k = 0; k < PLAN_MULTIVALUE_MAX; k++) { /* 12 + 23 + 16 k + 15 */
            last[k] = r->response[12 + dname_length(r->response + 12) + 4 + 16 * (size_t)k + 15];
            for (int j = 0; j < k; j++)
                ck_assert_uint_ne(last[j], last[k]);
        }
        firsts[last[0]]++;
    }
    for (int i = 0; i < 256; i++)
        different += firsts[i] > 100;
    ck_assert_uint_eq(different, 12);
    rig_free(r);
}
END_TEST

/* ---- sizes ---- */

START_TEST(test_truncation)
{
    struct rig *r = rig_new();
    /* sixty AAAA of 28 bytes do not fit into 1232: whole sets only */
    expect(r, "NOERROR qr aa tc\nqd multi.example.com AAAA\nopt 1232\n", "multi.example.com",
           DNS_AAAA, .size = 4096);
    expect(r, "NOERROR qr aa tc\nqd multi.example.com AAAA\n", "multi.example.com", DNS_AAAA);
    ck_assert_uint_eq(atomic_load(&r->stats->values[DNS_TRUNCATED]), 2);
    const char *got = rig_ask(r, (struct ask){"multi.example.com", DNS_AAAA, .tcp = true});
    ck_assert_uint_eq(count_lines(got, "an multi.example.com 5 AAAA"), 60);
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr aa\n"));
    /* an EDNS size below 512 counts as 512 */
    got = rig_ask(r, (struct ask){"multi.example.com", DNS_A, .size = 100});
    ck_assert_uint_eq(count_lines(got, "an "), 8);
    rig_free(r);
}
END_TEST

static struct rig *rig_with(const char *text)
{
    struct rig *r = rig_new();
    served_free(r->served);
    free(r->files[0].data);
    r->files[0] = rig_zone("example.com", text, rig_steered, RIG_STEERED);
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    ck_assert_int_eq(rig_build(r, NULL, &r->served), 0);
    return r;
}

/* RFC 2181 9: additionals that do not fit are dropped in silence, glue (RFC 9471) is not. */
START_TEST(test_additionals_dropped)
{
    struct text zone = text_init(1 << 16);
    text_append(&zone, rig_example);
    for (int i = 0; i < 40; i++) {
        text_appendf(&zone, "big MX %d m%d\nm%d AAAA 2001:db8::%x\n", i, i, i, i + 1);
        text_appendf(&zone, "cut NS ns%d.cut\nns%d.cut A 192.0.2.%d\nns%d.cut AAAA 2001:db8::%x\n",
                     i, i, i, i, i + 1);
    }
    struct rig *r = rig_with(text_string(&zone));
    const char *got = rig_ask(r, (struct ask){"big.example.com", DNS_MX, .size = 1232});
    ck_assert_uint_eq(count_lines(got, "an big.example.com 3600 MX"), 40);
    ck_assert_uint_gt(count_lines(got, "ad "), 0);
    ck_assert_uint_le(r->length, 1232);
    got = rig_ask(r, (struct ask){"big.example.com", DNS_MX, .size = 1000});
    ck_assert_uint_eq(count_lines(got, "an big.example.com 3600 MX"), 40);
    ck_assert_uint_eq(count_lines(got, "ad "), 0);
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr aa\n"));
    ck_assert_uint_le(r->length, 1000);
    got = rig_ask(r, (struct ask){"x.cut.example.com", DNS_A, .size = 1232});
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr tc\n"));
    ck_assert_uint_le(r->length, 1232);
    got = rig_ask(r, (struct ask){"x.cut.example.com", DNS_A, .tcp = true});
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr\n"));
    ck_assert_uint_eq(count_lines(got, "ad "), 80);
    rig_free(r);
    text_done(&zone);
}
END_TEST

/* Sixteen links and no more: a zone cannot make one query into work without end. */
#define long_label "a-label-of-some-fifty-bytes-that-says-nothing-at-all-"
#define long_name  long_label "00.example.com"

START_TEST(test_chain_is_bounded)
{
    struct text zone = text_init(1 << 16);
    text_append(&zone, rig_example);
    for (int i = 0; i < 40; i++)
        text_appendf(&zone, "link%d CNAME link%d\n", i, i + 1);
    text_append(&zone, "link40 A 192.0.2.40\n");
    for (int i = 0; i < 12; i++)
        text_appendf(&zone, "%s%02d CNAME %s%02d\n", long_label, i, long_label, i + 1);
    struct rig *r = rig_with(text_string(&zone));
    const char *got = rig_ask(r, (struct ask){"link30.example.com", DNS_A});
    ck_assert_uint_eq(count_lines(got, "an "), 11);
    ck_assert_ptr_nonnull(strstr(got, "an link40.example.com 3600 A 192.0.2.40\n"));
    got = rig_ask(r, (struct ask){"link0.example.com", DNS_A, .size = 1232});
    ck_assert_uint_eq(count_lines(got, "an "), QUERY_CHAIN_MAX);
    /* a chain that does not fit is truncated as a whole */
    r->ctx.udp_size = 512;
    got = rig_ask(r, (struct ask){long_name, DNS_A});
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr aa tc\n"));
    ck_assert_uint_eq(count_lines(got, "an "), 0);
    ck_assert_uint_le(r->length, 512);
    rig_free(r);
    text_done(&zone);
}
END_TEST

/* Names in a chain are written once: in full this one would be 1,700 bytes. */
START_TEST(test_long_chain_fits)
{
    struct text zone = text_init(1 << 16);
    text_append(&zone, rig_example);
    text_append(&zone, "$ORIGIN " long_label "below.example.com.\n");
    for (int i = 0; i < QUERY_CHAIN_MAX - 1; i++)
        text_appendf(&zone, "link%d CNAME link%d\n", i, i + 1);
    text_append(&zone, "link15 MX 10 link16\nlink16 A 192.0.2.16\n");
    struct rig *r = rig_with(text_string(&zone));
    const char *got = rig_ask(
        r, (struct ask){"LINK0." long_label "Below.example.COM", DNS_MX, .size = QUERY_UDP_SIZE});
    ck_assert_uint_eq(count_lines(got, "an "), QUERY_CHAIN_MAX);
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr aa\n"));
    ck_assert_ptr_nonnull(
        strstr(got, "an link15." long_label "Below.example.COM 3600 MX 10 link16." long_label
                    "Below.example.COM\n"
                    "ad link16." long_label "Below.example.COM 3600 A 192.0.2.16\n"));
    ck_assert_uint_lt(r->length, 600);
    rig_free(r);
    text_done(&zone);
}
END_TEST

/* The three stages over many queries at once give what one after the other gives. */
START_TEST(test_batch_equals_single)
{
    static const char *const names[] = {
        "www.example.com",    "x.example.com",   "a.wild.example.com", "sub.example.com",
        "alias2.example.com", "api.example.com", "www.example.org",    "host.example.net"};
    enum { N = array_length(names) };
    struct rig *r = rig_new();
    struct query *jobs = mem_new(N, sizeof *jobs);
    uint8_t wires[N][128], address[4] = {192, 0, 2, 200}, one[1232], batch[1232];
    struct query_client client = {address, IP_V4, false};
    size_t lengths[N];
    for (unsigned i = 0; i < N; i++) {
        struct ask a = {names[i], DNS_A, .size = 1232};
        lengths[i] = ask_write(&a, wires[i], sizeof wires[i]);
        query_prepare(&jobs[i], &r->ctx, r->served, wires[i], lengths[i], &client);
    }
    for (unsigned i = 0; i < N; i++)
        query_locate(&jobs[i]);
    for (unsigned i = 0; i < N; i++) {
        size_t n = query_finish(&jobs[i], &r->ctx, batch, sizeof batch);
        ck_assert_uint_eq(
            n, query_answer(&r->ctx, r->served, wires[i], lengths[i], &client, one, sizeof one));
        ck_assert_mem_eq(one, batch, n);
        if (jobs[i].course == QUERY_GO)
            ck_assert_uint_eq(jobs[i].hash, dname_hash(jobs[i].name, jobs[i].name_length));
    }
    free(jobs);
    rig_free(r);
}
END_TEST

CHECK_MAIN("query", test_positive, test_additionals_help, test_case, test_negative, test_wildcards,
           test_delegations, test_aliases, test_beside_an_alias, test_alias_into_a_cut,
           test_alias_loops_end, test_any_is_one_set, test_refusals, test_malformed,
           test_longest_names, test_no_plan, test_edns, test_opt_anywhere, test_client_subnet,
           test_client_subnet_of_nobody, test_client_subnet_malformed, test_steered,
           test_multivalue_and_rotation, test_truncation, test_additionals_dropped,
           test_chain_is_bounded, test_long_chain_fits, test_batch_equals_single)
