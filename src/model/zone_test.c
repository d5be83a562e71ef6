#include "model/zone_dump.h"
#include "model/zone_fixture.h"
#include "test/check_main.h"

#define HEAD                                 \
    "$TTL 3600\n"                            \
    "@ SOA ns1 host 7 3600 900 604800 300\n" \
    "  NS ns1\n"                             \
    "  NS ns.example.net.\n"                 \
    "ns1 A 192.0.2.1\n"                      \
    "    AAAA 2001:db8::1\n"

static const char zone_text[] =
    HEAD "@ MX 10 mail\n"
         "  MX 20 mail\n"
         "  MX 30 elsewhere.example.net.\n"
         "  TXT \"a\" \"b\"\n"
         "mail 60 A 192.0.2.3\n"
         "mail 60 A 192.0.2.2\n"
         "www CNAME @\n"
         "_sip._tcp SRV 1 2 5060 mail\n"
         "          SRV 1 2 5061 deep.sub\n"
         "a.b.c TXT x\n"
         "*.wild A 192.0.2.9\n"
         "*.wild MX 5 mail\n"
         "*.wild MX 6 x.y.wild\n"
         "x.y.wild A 192.0.2.10\n"
         "sub NS ns.sub\n"
         "sub NS ns.other\n"
         "sub NS ns1\n"
         "sub NS ns.example.org.\n"
         "sub DS 1 13 5 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
         "sub TXT occluded\n"
         "ns.sub A 192.0.2.20\n"
         "ns.sub AAAA 2001:db8::20\n"
         "deep.sub A 192.0.2.21\n"
         "sub2.sub NS ns.sub2.sub\n"
         "long-label-of-a-delegation NS ns.long-label-of-a-delegation\n"
         "ns.long-label-of-a-delegation A 192.0.2.30\n"
         "other NS ns.other\n"
         "ns.other A 192.0.2.22\n"
         "apex-copy NS @\n"
         "@ A 192.0.2.99\n";

/* The answer to a question of this type from the node of this name. */
static void expect(const struct fixture *f, const char *node, uint16_t type, const char *question,
                   const char *wanted)
{
    struct text out = text_init(1 << 20);
    const struct zone_node *n = fixture_node(f, node);
    const struct zone_set *s = n ? zone_node_set(n, type) : NULL;

    ck_assert_msg(s, "%s has no such set", node);
    ck_assert_uint_ne(s->image, 0);
    image_decode(f, zone_set_image(n, s), question, &out);
    ck_assert_str_eq(text_string(&out), wanted);
    text_done(&out);
}

START_TEST(test_positive)
{
    struct fixture f = fixture_new(zone_text);

    expect(&f, "mail", DNS_A, "mail",
           "mail.example.com 60 A 192.0.2.2\nmail.example.com 60 A 192.0.2.3\n");
    expect(&f, "example.com.", DNS_MX, "example.com.",
           "example.com 3600 MX 10 mail.example.com.\n"
           "example.com 3600 MX 20 mail.example.com.\n"
           "example.com 3600 MX 30 elsewhere.example.net.\n"
           "-- additional\n"
           "mail.example.com 60 A 192.0.2.2\nmail.example.com 60 A 192.0.2.3\n");
    expect(&f, "example.com.", DNS_NS, "example.com.",
           "example.com 3600 NS ns.example.net.\nexample.com 3600 NS ns1.example.com.\n"
           "-- additional\n"
           "ns1.example.com 3600 A 192.0.2.1\nns1.example.com 3600 AAAA 2001:db8::1\n");
    expect(&f, "example.com.", DNS_SOA, "example.com.",
           "example.com 3600 SOA ns1.example.com. host.example.com. 7 3600 900 604800 300\n");
    expect(&f, "example.com.", DNS_TXT, "example.com.", "example.com 3600 TXT \"a\" \"b\"\n");
    expect(&f, "www", DNS_CNAME, "www", "www.example.com 3600 CNAME example.com.\n");
    /* What lies below a cut is not ours to hand out as an answer's company. */
    expect(&f, "_sip._tcp", DNS_SRV, "_sip._tcp",
           "_sip._tcp.example.com 3600 SRV 1 2 5060 mail.example.com.\n"
           "_sip._tcp.example.com 3600 SRV 1 2 5061 deep.sub.example.com.\n"
           "-- additional\n"
           "mail.example.com 60 A 192.0.2.2\nmail.example.com 60 A 192.0.2.3\n");
    expect(&f, "sub", DNS_DS, "sub",
           "sub.example.com 3600 DS 1 13 5 "
           "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
    fixture_done(&f);
}
END_TEST

START_TEST(test_exact_bytes)
{
    struct fixture f = fixture_new(zone_text);
    const struct zone_node *mail = fixture_node(&f, "mail"), *srv = fixture_node(&f, "_sip._tcp"),
                           *apex = fixture_node(&f, "example.com.");
    const struct zone_image *i = zone_set_image(mail, zone_node_set(mail, DNS_A));
    const uint8_t two[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 2,
                           0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 3};

    ck_assert_uint_eq(i->length, sizeof two);
    ck_assert_mem_eq(zone_image_bytes(i), two, sizeof two);
    /* 12 + 13 + 4 = 29: the first MX lies there, its target's name at 29 + 14. The second points.
     */
    i = zone_set_image(apex, zone_node_set(apex, DNS_MX));
    const uint8_t mx[] = {0xc0, 12, 0,   15,  0,   1,   0,    0,  14,   16,   0, 9,  0,
                          10,   4,  'm', 'a', 'i', 'l', 0xc0, 12, 0xc0, 12,   0, 15, 0,
                          1,    0,  0,   14,  16,  0,   4,    0,  20,   0xc0, 43};
    ck_assert_mem_eq(zone_image_bytes(i), mx, sizeof mx);
    /* RFC 2782: the target of an SRV record is never compressed. */
    i = zone_set_image(srv, zone_node_set(srv, DNS_SRV));
    ck_assert_mem_eq(zone_image_bytes(i) + 18, "\4mail\7example\3com", 18);
    ck_assert_uint_eq(i->fixup_count, 0);
    fixture_done(&f);
}
END_TEST

START_TEST(test_wildcards)
{
    struct fixture f = fixture_new(zone_text);
    const char *const questions[] = {"q.wild", "*.wild", "a.much.longer.question.wild"};

    for (size_t i = 0; i < array_length(questions); i++) {
        struct text wanted = text_init(4096);
        const char *q = questions[i];
        text_appendf(&wanted, "%s.example.com 3600 A 192.0.2.9\n", q);
        expect(&f, "*.wild", DNS_A, q, text_string(&wanted));
        text_reset(&wanted);
        text_appendf(&wanted,
                     "%s.example.com 3600 MX 5 mail.example.com.\n"
                     "%s.example.com 3600 MX 6 x.y.wild.example.com.\n"
                     "-- additional\n"
                     "mail.example.com 60 A 192.0.2.2\nmail.example.com 60 A 192.0.2.3\n"
                     "x.y.wild.example.com 3600 A 192.0.2.10\n",
                     q, q);
        expect(&f, "*.wild", DNS_MX, q, text_string(&wanted));
        text_done(&wanted);
    }
    fixture_done(&f);
}
END_TEST

#define REFERRAL                                                              \
    "-- authority\n"                                                          \
    "sub.example.com 3600 NS ns.sub.example.com.\n"                           \
    "sub.example.com 3600 NS ns.other.example.com.\n"                         \
    "sub.example.com 3600 NS ns.example.org.\n"                               \
    "sub.example.com 3600 NS ns1.example.com.\n"                              \
    "-- additional\n" /* its own glue first: that must go along (RFC 9471) */ \
    "ns.sub.example.com 3600 A 192.0.2.20\n"                                  \
    "ns.sub.example.com 3600 AAAA 2001:db8::20\n"                             \
    "ns.other.example.com 3600 A 192.0.2.22\n"                                \
    "ns1.example.com 3600 A 192.0.2.1\n"                                      \
    "ns1.example.com 3600 AAAA 2001:db8::1\n"

START_TEST(test_referrals)
{
    struct fixture f = fixture_new(zone_text);

    expect(&f, "sub", DNS_NS, "sub", REFERRAL);
    expect(&f, "sub", DNS_NS, "x.sub", REFERRAL);
    expect(&f, "sub", DNS_NS, "some.name.far.below.sub", REFERRAL);
    expect(&f, "long-label-of-a-delegation", DNS_NS, "x.long-label-of-a-delegation",
           "-- authority\n"
           "long-label-of-a-delegation.example.com 3600 NS "
           "ns.long-label-of-a-delegation.example.com.\n"
           "-- additional\n"
           "ns.long-label-of-a-delegation.example.com 3600 A 192.0.2.30\n");
    expect(&f, "apex-copy", DNS_NS, "apex-copy",
           "-- authority\napex-copy.example.com 3600 NS example.com.\n"
           "-- additional\nexample.com 3600 A 192.0.2.99\n");
    fixture_done(&f);
}
END_TEST

START_TEST(test_negative)
{
    struct fixture f = fixture_new(zone_text);
    const struct zone_image *image =
        (const struct zone_image *)(f.zone.base + f.zone.header->negative);
    const char *const questions[] = {"example.com.", "x", "no.such.name"};

    for (size_t i = 0; i < array_length(questions); i++) {
        struct text out = text_init(4096);
        image_decode(&f, image, questions[i], &out);
        ck_assert_str_eq(text_string(&out),
                         "-- authority\nexample.com 300 SOA ns1.example.com. host.example.com. 7 "
                         "3600 900 604800 300\n");
        text_done(&out);
    }
    fixture_done(&f);
    /* RFC 2308 5: the smaller of TTL and MINIMUM, both ways. */
    f = fixture_new("@ 30 SOA a b 1 2 3 4 500\n@ 30 NS a.\n");
    struct text out = text_init(4096);
    image_decode(&f, (const struct zone_image *)(f.zone.base + f.zone.header->negative), "x", &out);
    ck_assert_str_eq(
        text_string(&out),
        "-- authority\nexample.com 30 SOA a.example.com. b.example.com. 1 2 3 4 500\n");
    text_done(&out);
    fixture_done(&f);
}
END_TEST

START_TEST(test_flags)
{
    struct fixture f = fixture_new(zone_text);
    static const struct {
        const char *name;
        unsigned flags;
    } wanted[] = {
        {"example.com.", NODE_APEX},
        {"mail", 0},
        {"www", NODE_CNAME},
        {"_tcp", NODE_EMPTY},
        {"c", NODE_EMPTY},
        {"b.c", NODE_EMPTY},
        {"a.b.c", 0},
        {"wild", NODE_EMPTY | NODE_HAS_WILDCARD_CHILD},
        {"*.wild", NODE_WILDCARD},
        {"y.wild", NODE_EMPTY},
        {"sub", NODE_CUT},
        {"ns.sub", NODE_BELOW_CUT},
        {"sub2.sub", NODE_BELOW_CUT},
        {"other", NODE_CUT},
    };

    for (size_t i = 0; i < array_length(wanted); i++) {
        const struct zone_node *n = fixture_node(&f, wanted[i].name);
        ck_assert_msg(n && n->flags == wanted[i].flags, "%s", wanted[i].name);
    }
    const struct zone_node *sub = fixture_node(&f, "sub"), *ns = fixture_node(&f, "ns.sub");
    ck_assert_ptr_eq(zone_node_at(&f.zone, (uint64_t)ns->cut * 8), sub);
    ck_assert_ptr_eq(zone_node_at(&f.zone, (uint64_t)sub->cut * 8), sub);
    ck_assert_ptr_eq(zone_node_at(&f.zone, (uint64_t)ns->parent * 8), sub);
    ck_assert_uint_eq(zone_node_set(ns, DNS_A)->image, 0);
    ck_assert_uint_eq(zone_node_set(sub, DNS_TXT)->image, 0);
    ck_assert_uint_eq(f.zone.header->flags, ZONE_HAS_CUT | ZONE_HAS_WILDCARD);
    ck_assert_uint_eq(f.zone.header->serial, 7);
    ck_assert_uint_eq(f.zone.header->labels_max, 5);
    ck_assert_ptr_null(fixture_node(&f, "b"));
    ck_assert_ptr_null(fixture_node(&f, "x.mail"));
    ck_assert_ptr_null(fixture_node(&f, "com."));
    fixture_done(&f);
}
END_TEST

START_TEST(test_steered)
{
    const char *const names[] = {"api.example.com", "example.com", "*.app.example.com"};
    struct fixture f = fixture_steered(HEAD "api TXT beside\n*.app MX 1 api\n", names, 3);
    const struct zone_node *api = fixture_node(&f, "api"), *apex = fixture_node(&f, "example.com."),
                           *wild = fixture_node(&f, "*.app");
    const uint64_t *list = (const uint64_t *)(f.zone.base + f.zone.header->steered);

    ck_assert_uint_eq(f.zone.header->steered_count, 3);
    ck_assert_uint_eq(api->flags, NODE_STEERED);
    ck_assert_uint_eq(api->steered, 0);
    ck_assert_uint_eq(api->set_count, 1);
    ck_assert_uint_eq(apex->flags, NODE_APEX | NODE_STEERED);
    ck_assert_uint_eq(apex->steered, 1);
    ck_assert_uint_eq(wild->flags, NODE_WILDCARD | NODE_STEERED);
    ck_assert_uint_eq(wild->steered, 2);
    ck_assert_ptr_eq(zone_node_at(&f.zone, list[0]), api);
    ck_assert_ptr_eq(zone_node_at(&f.zone, list[1]), apex);
    ck_assert_ptr_eq(zone_node_at(&f.zone, list[2]), wild);
    expect(&f, "*.app", DNS_MX, "x.app", "x.app.example.com 3600 MX 1 api.example.com.\n");
    fixture_done(&f);
}
END_TEST

/* ---- refusals ---- */

static void refused(const char *text, const char *const *steered, unsigned count,
                    const char *problems)
{
    struct text found = text_init(1 << 20);
    uint8_t names[4][DNAME_MAX], *data = NULL;
    const uint8_t *list[4];
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_gt(dname_parse(steered[i], strlen(steered[i]), NULL, names[i]), 0);
        list[i] = names[i];
    }
    int err = zone_compile("example.com", "z", text, strlen(text), list, count, NULL, NULL, &found,
                           &data, &size);
    ck_assert_str_eq(text_string(&found), problems);
    ck_assert_int_lt(err, 0);
    ck_assert_ptr_null(data);
    text_done(&found);
}

START_TEST(test_whole_zone_problems)
{
    refused("", NULL, 0,
            "z:1:1: the zone has no SOA record at example.com\n"
            "z:1:1: the zone has no NS record at example.com\n");
    refused(HEAD "@ SOA ns2 host 8 3600 900 604800 300\nsub SOA a b 1 2 3 4 5\n", NULL, 0,
            "z:7:1: there is a second SOA record at example.com\n"
            "z:8:1: an SOA record belongs to the apex, not to sub.example.com\n");
    refused(HEAD "www CNAME a\nwww A 192.0.2.1\nw2 CNAME a\nw2 CNAME b\n@ CNAME a\n", NULL, 0,
            "z:4:1: example.com has a CNAME record, so it cannot have NS too\n"
            "z:2:1: example.com has a CNAME record, so it cannot have SOA too\n"
            "z:10:1: w2.example.com has more than one CNAME record\n"
            "z:8:1: www.example.com has a CNAME record, so it cannot have A too\n");
    refused(HEAD "example.org. A 192.0.2.1\n", NULL, 0, "z:7:1: this name is outside the zone\n");
    refused(HEAD "*.x NS ns1\n*.y DNAME a.\nd DNAME a.\nd DNAME b.\nx.d A 192.0.2.1\n", NULL, 0,
            "z:10:1: d.example.com has more than one DNAME record\n"
            "z:11:1: x.d.example.com lies below a DNAME record, where nothing can be (RFC 6672 "
            "2.4)\n"
            "z:7:1: *.x.example.com: a wildcard cannot have NS records (RFC 4592 4.2)\n"
            "z:8:1: *.y.example.com: a wildcard cannot have DNAME records (RFC 4592 4.2)\n");
    refused("$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS none\n@ NS alias\nalias CNAME a.\nsub NS ns.sub\n",
            NULL, 0,
            "z:3:1: example.com has the name server none.example.com, but there is no address for "
            "it here\n"
            "z:4:1: the name server alias.example.com is an alias (RFC 2181 10.3)\n"
            "z:6:1: sub.example.com has the name server ns.sub.example.com, but there is no "
            "address for it here\n");
}
END_TEST

START_TEST(test_accepted)
{
    /* A wildcard gives the name server its address; one under another cut is that zone's matter;
     * RRSIG and NSEC may stand beside a CNAME. */
    static const char *const texts[] = {
        "$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS any.thing\n*.thing A 192.0.2.1\n",
        HEAD "@ NS ns.sub\nsub NS ns.example.org.\nsub2 NS ns.sub\n",
        HEAD "www CNAME a\nwww RRSIG CNAME 13 3 1 20300101000000 20200101000000 1 @ AQ==\n"
             "www NSEC a CNAME\n",
    };

    for (size_t i = 0; i < array_length(texts); i++) {
        struct fixture f = fixture_new(texts[i]);
        fixture_done(&f);
    }
}
END_TEST

START_TEST(test_steered_problems)
{
    const char *const names[] = {"api.example.com", "api.example.com"};
    const char *const cut[] = {"sub.example.com", "x.sub.example.com"};
    const char *const outside[] = {"api.example.org"};

    refused(HEAD, names, 2, "z:1:1: api.example.com is steered by more than one service\n");
    refused(HEAD "api A 192.0.2.1\napi CNAME x\n", names, 1,
            "z:7:1: api.example.com has a CNAME record, so it cannot have A too\n"
            "z:7:1: api.example.com is a service, so its addresses cannot stand in the zone too: "
            "remove this A record\n"
            "z:8:1: api.example.com is a service, so its addresses cannot stand in the zone too: "
            "remove this CNAME record\n");
    refused(HEAD "sub NS ns.example.org.\n", cut, 2,
            "z:1:1: sub.example.com is a service, but the zone delegates it to other name servers\n"
            "z:1:1: x.sub.example.com is a service, but the zone delegates it to other name "
            "servers\n");
    refused(HEAD, outside, 1,
            "z:1:1: the service api.example.org is outside the zone example.com\n");
}
END_TEST

START_TEST(test_too_large)
{
    struct text t = text_init(1 << 24);

    text_append(&t, HEAD);
    for (int i = 0; i < 5000; i++)
        text_appendf(&t, "big A 10.0.%d.%d\n", i >> 8, i & 255);
    refused(text_string(&t), NULL, 0,
            "z:7:1: the 5000 A records of big.example.com do not fit in one DNS message\n");
    text_reset(&t);
    /* A referral is drawn as if for the longest question. */
    text_append(&t, HEAD);
    for (int i = 0; i < 4096; i++)
        text_appendf(&t, "big A 10.0.%d.%d\n", i >> 8, i & 255);
    refused(text_string(&t), NULL, 0,
            "z:7:1: the 4096 A records of big.example.com do not fit in one DNS message\n");
    text_reset(&t);
    text_append(&t, HEAD);
    for (int i = 0; i < 4093; i++)
        text_appendf(&t, "big A 10.0.%d.%d\n", i >> 8, i & 255);
    struct fixture f = fixture_new(text_string(&t));
    const struct zone_node *n = fixture_node(&f, "big");
    ck_assert_uint_eq(zone_set_image(n, zone_node_set(n, DNS_A))->answers, 4093);
    fixture_done(&f);
    text_done(&t);
}
END_TEST

START_TEST(test_additional_is_capped)
{
    struct text t = text_init(1 << 24);

    /* 100 targets of 2 addresses: what exceeds a common UDP answer would only be dropped whole. */
    text_append(&t, HEAD);
    for (int i = 0; i < 100; i++)
        text_appendf(&t, "many MX %d m%d\nm%d A 10.0.0.%d\n", i, i, i, i);
    struct fixture f = fixture_new(text_string(&t));
    const struct zone_node *n = fixture_node(&f, "many");
    const struct zone_image *i = zone_set_image(n, zone_node_set(n, DNS_MX));
    ck_assert_uint_eq(i->answers, 100);
    ck_assert_uint_eq(i->additionals, 0);
    fixture_done(&f);
    /* But a referral's own glue always goes along. */
    text_reset(&t);
    text_append(&t, HEAD);
    for (int k = 0; k < 50; k++)
        text_appendf(&t, "d NS n%d.d\nn%d.d AAAA 2001:db8::%x\n", k, k, k);
    f = fixture_new(text_string(&t));
    n = fixture_node(&f, "d");
    i = zone_set_image(n, zone_node_set(n, DNS_NS));
    ck_assert_uint_eq(i->authorities, 50);
    ck_assert_uint_eq(i->additionals, 50);
    ck_assert_uint_gt(i->length, 1232);
    fixture_done(&f);
    text_done(&t);
}
END_TEST

START_TEST(test_sets)
{
    /* Duplicates are one record, the smallest TTL counts, data stand in canonical order. */
    struct fixture f =
        fixture_new(HEAD "a 60 A 192.0.2.9\na 30 A 192.0.2.1\nA 90 A 192.0.2.9\na 5 TXT x\n");

    expect(&f, "a", DNS_A, "a", "a.example.com 30 A 192.0.2.1\na.example.com 30 A 192.0.2.9\n");
    expect(&f, "a", DNS_TXT, "a", "a.example.com 5 TXT \"x\"\n");
    ck_assert_uint_eq(f.zone.header->record_count, 8);
    fixture_done(&f);
}
END_TEST

START_TEST(test_dump)
{
    struct fixture f = fixture_new(zone_text);
    struct text first = text_init(1 << 20), second = text_init(1 << 20);

    zone_dump(&f.zone, &first);
    struct fixture g = fixture_new(text_string(&first));
    zone_dump(&g.zone, &second);
    ck_assert_str_eq(text_string(&first), text_string(&second));
    ck_assert_uint_eq(f.size, g.size);
    ck_assert_mem_eq(f.data, g.data, f.size);
    ck_assert(strncmp(text_string(&first), "example.com. 3600 IN SOA ", 25) == 0);
    ck_assert_ptr_nonnull(
        strstr(text_string(&first), "\nns.sub.example.com. 3600 IN A 192.0.2.20\n"));
    text_done(&first);
    text_done(&second);
    fixture_done(&f);
    fixture_done(&g);
}
END_TEST

static bool shrinks(const char *from, const char *to, unsigned lost, unsigned total)
{
    struct fixture f = fixture_new(from), g = fixture_new(to);
    unsigned ret_lost = 99, ret_total = 99;
    bool result = zone_shrinks(&f.zone, &g.zone, &ret_lost, &ret_total);

    ck_assert_uint_eq(ret_lost, lost);
    ck_assert_uint_eq(ret_total, total);
    fixture_done(&f);
    fixture_done(&g);
    return result;
}

START_TEST(test_shrinks)
{
    static const char nine[] = HEAD "a A 1.1.1.1\nb A 1.1.1.1\nc A 1.1.1.1\nd A 1.1.1.1\n"
                                    "e A 1.1.1.1\nf A 1.1.1.1\ng A 1.1.1.1\n";

    ck_assert(!shrinks(nine, nine, 0, 9));
    ck_assert(!shrinks(
        nine, HEAD "a A 2.1.1.1\nb A 2.1.1.1\nc A 2.1.1.1\nd A 2.1.1.1\ne A 2.1.1.1\n", 2, 9));
    ck_assert(shrinks(nine, HEAD "a A 1.1.1.1\nb A 1.1.1.1\nc A 1.1.1.1\nd A 1.1.1.1\n", 3, 9));
    ck_assert(shrinks(nine, HEAD, 7, 9));
    ck_assert(!shrinks(HEAD "a A 1.1.1.1\n", HEAD, 1, 3)); /* no more than a handful */
    ck_assert(!shrinks(HEAD, nine, 0, 2));
    /* All names stay, but most of what they hold goes. */
    ck_assert(shrinks(HEAD "a A 1.1.1.1\na A 1.1.1.2\na A 1.1.1.3\na A 1.1.1.4\na A 1.1.1.5\n",
                      HEAD "a A 1.1.1.1\n", 4, 10));
}
END_TEST

START_TEST(test_shrinks_to_steered)
{
    const char *const names[] = {"a.example.com", "b.example.com", "c.example.com"};
    struct fixture f = fixture_new(HEAD "a A 1.1.1.1\nb A 1.1.1.1\nc A 1.1.1.1\nd A 1.1.1.1\n"),
                   g = fixture_steered(HEAD "d A 1.1.1.1\n", names, 3);
    unsigned lost, total;

    ck_assert(!zone_shrinks(&f.zone, &g.zone, &lost, &total));
    ck_assert(!zone_shrinks(&g.zone, &f.zone, &lost, &total));
    fixture_done(&f);
    fixture_done(&g);
}
END_TEST

CHECK_MAIN("zone", test_positive, test_exact_bytes, test_wildcards, test_referrals, test_negative,
           test_flags, test_steered, test_whole_zone_problems, test_accepted, test_steered_problems,
           test_too_large, test_additional_is_capped, test_sets, test_dump, test_shrinks,
           test_shrinks_to_steered)
