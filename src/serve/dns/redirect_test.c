/* DNAME (RFC 6672): what is below its owner leads elsewhere. */
#include "serve/dns/query_ask.h"
#include "serve/dns/query_rig_signed.h"
#include "test/check_main.h"

#define expect(r, text, ...) ck_assert_str_eq(rig_ask((r), (struct ask){__VA_ARGS__}), (text))
#define SOA \
    "ns example.com 300 SOA ns1.example.com host.example.com 2024010101 7200 3600 1209600 300\n"

static const char zone[] = "$ORIGIN example.com.\n"
                           "$TTL 3600\n"
                           "@ SOA ns1 host 2024010101 7200 3600 1209600 300\n"
                           "@ NS ns1.example.net.\n"
                           "dn 600 DNAME new\n"
                           "dn TXT \"own\"\n"
                           "a.new A 192.0.2.1\n"
                           "*.star.new A 192.0.2.2\n"
                           "alias.new CNAME b.dn2\n"
                           "dn2 DNAME new2.\n"
                           "into CNAME a.dn\n"
                           "tocut DNAME sub\n"
                           "sub NS ns.sub\n"
                           "ns.sub A 192.0.2.53\n"
                           "tonet DNAME example.net.\n"
                           "root DNAME .\n"
                           "turn1 DNAME turn2\n"
                           "turn2 DNAME turn1\n"
                           "grow DNAME x.grow\n"
                           "back DNAME example.com.\n"
                           "*.w CNAME a.dn\n"
                           "sub2 NS ns.sub\n"
                           "below.sub2 DNAME new\n";

static struct rig *rig_redirect(void)
{
    struct rig *r = rig_new();
    struct served *old = r->served;
    free(r->files[0].data);
    r->files[0] = rig_zone("example.com", zone, rig_steered, RIG_STEERED);
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    ck_assert_msg(rig_build(r, NULL, &r->served) == 0, "%s", r->where);
    served_free(old);
    return r;
}

START_TEST(test_redirection)
{
    struct rig *r = rig_redirect();
    expect(
        r,
        "NOERROR qr aa\nqd a.dn.example.com A\nan dn.example.com 600 DNAME new.example.com\n"
        "an a.dn.example.com 600 CNAME a.new.example.com\nan a.new.example.com 3600 A 192.0.2.1\n",
        "a.dn.example.com", DNS_A);
    /* RFC 6672 2.3: the owner itself is not redirected */
    expect(r, "NOERROR qr aa\nqd dn.example.com TXT\nan dn.example.com 3600 TXT 036f776e\n",
           "dn.example.com", DNS_TXT);
    expect(r, "NOERROR qr aa\nqd dn.example.com A\n" SOA, "dn.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd dn.example.com DNAME\nan dn.example.com 600 DNAME new.example.com\n",
           "dn.example.com", DNS_DNAME);
    /* labels keep the case they were asked in only in the question */
    expect(
        r,
        "NOERROR qr aa\nqd A.Dn.example.com A\nan Dn.example.com 600 DNAME new.example.com\n"
        "an A.Dn.example.com 600 CNAME a.new.example.com\nan a.new.example.com 3600 A 192.0.2.1\n",
        "A.Dn.example.com", DNS_A);
    /* what the new name lacks is said of it (RFC 6604) */
    expect(r,
           "NOERROR qr aa\nqd a.dn.example.com MX\nan dn.example.com 600 DNAME new.example.com\n"
           "an a.dn.example.com 600 CNAME a.new.example.com\n" SOA,
           "a.dn.example.com", DNS_MX);
    expect(r,
           "NXDOMAIN qr aa\nqd x.y.dn.example.com A\nan dn.example.com 600 DNAME new.example.com\n"
           "an x.y.dn.example.com 600 CNAME x.y.new.example.com\n" SOA,
           "x.y.dn.example.com", DNS_A);
    /* who asks for the CNAME, or for anything, has an answer in the one that is made */
    static const char *const made[] = {"CNAME", "ANY"};
    for (size_t i = 0; i < array_length(made); i++) {
        char want[200];
        snprintf(want, sizeof want,
                 "NOERROR qr aa\nqd x.y.dn.example.com %s\n"
                 "an dn.example.com 600 DNAME new.example.com\n"
                 "an x.y.dn.example.com 600 CNAME x.y.new.example.com\n",
                 made[i]);
        expect(r, want, "x.y.dn.example.com", i ? DNS_ANY : DNS_CNAME);
    }
    rig_free(r);
}
END_TEST

START_TEST(test_chains)
{
    struct rig *r = rig_redirect();
    expect(
        r,
        "NOERROR qr aa\nqd into.example.com A\nan into.example.com 3600 CNAME a.dn.example.com\n"
        "an dn.example.com 600 DNAME new.example.com\n"
        "an a.dn.example.com 600 CNAME a.new.example.com\nan a.new.example.com 3600 A 192.0.2.1\n",
        "into.example.com", DNS_A);
    expect(
        r,
        "NOERROR qr aa\nqd q.w.example.com A\nan q.w.example.com 3600 CNAME a.dn.example.com\n"
        "an dn.example.com 600 DNAME new.example.com\n"
        "an a.dn.example.com 600 CNAME a.new.example.com\nan a.new.example.com 3600 A 192.0.2.1\n",
        "q.w.example.com", DNS_A);
    expect(
        r,
        "NOERROR qr aa\nqd q.star.dn.example.com A\nan dn.example.com 600 DNAME new.example.com\n"
        "an q.star.dn.example.com 600 CNAME q.star.new.example.com\n"
        "an q.star.new.example.com 3600 A 192.0.2.2\n",
        "q.star.dn.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd alias.dn.example.com A\nan dn.example.com 600 DNAME new.example.com\n"
           "an alias.dn.example.com 600 CNAME alias.new.example.com\n"
           "an alias.new.example.com 3600 CNAME b.dn2.example.com\n"
           "an dn2.example.com 3600 DNAME new2\nan b.dn2.example.com 3600 CNAME b.new2\n",
           "alias.dn.example.com", DNS_A);
    expect(
        r,
        "NOERROR qr aa\nqd host.tonet.example.com A\nan tonet.example.com 3600 DNAME example.net\n"
        "an host.tonet.example.com 3600 CNAME host.example.net\n"
        "an host.example.net 900 A 192.0.2.77\n",
        "host.tonet.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd api.back.example.com A\nan back.example.com 3600 DNAME example.com\n"
           "an api.back.example.com 3600 CNAME api.example.com\n"
           "an api.example.com 5 A 198.51.0.0\n",
           "api.back.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd www.example.root.example.com A\nan root.example.com 3600 DNAME .\n"
           "an www.example.root.example.com 3600 CNAME www.example\n",
           "www.example.root.example.com", DNS_A);
    expect(r,
           "NOERROR qr aa\nqd x.tocut.example.com A\nan tocut.example.com 3600 DNAME "
           "sub.example.com\nan x.tocut.example.com 3600 CNAME x.sub.example.com\n"
           "ns sub.example.com 3600 NS ns.sub.example.com\n"
           "ad ns.sub.example.com 3600 A 192.0.2.53\n",
           "x.tocut.example.com", DNS_A);
    /* a DNAME below a cut is the child's */
    const char *got = rig_ask(r, (struct ask){"x.below.sub2.example.com", DNS_A});
    ck_assert_ptr_nonnull(strstr(got, "NOERROR qr\n"));
    ck_assert_ptr_null(strstr(got, "DNAME"));
    rig_free(r);
}
END_TEST

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

/* Circles end, and so do names that grow. */
START_TEST(test_bounds)
{
    struct rig *r = rig_redirect();
    const char *got = rig_ask(r, (struct ask){"x.turn1.example.com", DNS_A, .tcp = true});
    ck_assert_uint_eq(count(got, " CNAME "), 2);
    ck_assert_uint_eq(count(got, " DNAME "), 2);
    got = rig_ask(r, (struct ask){"x.grow.example.com", DNS_A, .tcp = true});
    ck_assert_uint_eq(count(got, " CNAME "), QUERY_CHAIN_MAX);
    ck_assert_ptr_null(strstr(got, "malformed"));
    rig_free(r);
}
END_TEST

#define L50 "0123456789012345678901234567890123456789012345678."

/* RFC 6672 2.2: 255 bytes still fit, one more is YXDOMAIN, with the DNAME that made it so. */
START_TEST(test_too_long)
{
    struct rig *r = rig_redirect();
    char name[300];
    for (int extra = 0; extra < 4; extra++) {
        /* 200 bytes, a label of 35 + extra + 1, then 18 bytes of new.example.com and the root */
        snprintf(name, sizeof name, L50 L50 L50 L50 "%.*s.dn.example.com", 35 + extra,
                 "abcdefghijabcdefghijabcdefghijabcdefghij");
        const char *got = rig_ask(r, (struct ask){name, DNS_A, .size = 1232});
        bool fits = extra < 3;
        ck_assert_msg(strncmp(got, fits ? "NXDOMAIN qr aa\n" : "YXDOMAIN qr aa\n", 15) == 0,
                      "%d: %s", extra, got);
        ck_assert_uint_eq(count(got, " CNAME "), fits);
        ck_assert_uint_eq(count(got, "\nan dn.example.com 600 DNAME new.example.com\n"), 1);
    }
    ck_assert_uint_eq(atomic_load(&r->stats->values[DNS_RESPONSES_YXDOMAIN]), 1);
    rig_free(r);
}
END_TEST

/* RFC 6672 5.3.1: the DNAME has a signature, the CNAME made of it has none. */
START_TEST(test_signed)
{
    struct rig *r = rig_new();
    maker_done(&r->maker);
    r->maker = maker_init(64, 4096);
    r->maker.plan.generation = 2;
    free(r->files[0].data);
    struct rig_signer signer;
    rig_signer_init(&signer, false);
    r->files[0] = rig_zone_signed(&signer, "example.com", zone, NULL, 0);
    rig_signer_done(&signer);
    maker_file(&r->maker, PLAN_FILE_ZONE, "example.com", rig_hash(&r->files[0]));
    served_free(r->served);
    ck_assert_msg(rig_build(r, NULL, &r->served) == 0, "%s", r->where);
    const char *got =
        rig_ask(r, (struct ask){"a.dn.example.com", DNS_A, .size = 1232, .dnssec_ok = true});
    ck_assert_ptr_null(strstr(got, "malformed"));
    ck_assert_uint_eq(count(got, "an dn.example.com 600 DNAME "), 1);
    ck_assert_uint_eq(count(got, "an dn.example.com 600 TYPE46 0027"), 1);
    ck_assert_uint_eq(count(got, "an a.dn.example.com 600 CNAME "), 1);
    ck_assert_uint_eq(count(got, "an a.dn.example.com 600 TYPE46"), 0);
    ck_assert_uint_eq(count(got, "an a.new.example.com 3600 TYPE46 0001"), 1);
    ck_assert_uint_eq(count(got, "\nns "), 0);
    got = rig_ask(r, (struct ask){"q.dn.example.com", DNS_A, .size = 4096, .dnssec_ok = true});
    ck_assert_ptr_nonnull(strstr(got, "NXDOMAIN qr aa\n"));
    ck_assert_uint_gt(count(got, " TYPE47 "), 0);
    rig_free(r);
}
END_TEST

CHECK_MAIN("redirect", test_redirection, test_chains, test_bounds, test_too_long, test_signed)
