/* What goes along with MX, SRV, NS, SVCB and HTTPS. */
#include "serve/dns/query_ask.h"
#include "test/check_main.h"

#define HEAD(name, type) "NOERROR qr aa\nqd " name " " type "\n"
#define expect(r, name, type, text) \
    ck_assert_str_eq(rig_ask((r), (struct ask){(name), (type)}), (text))

static const char more[] = "$ORIGIN example.com.\n"
                           "h HTTPS 1 . alpn=h2\n"
                           "h A 192.0.2.10\n"
                           "h AAAA 2001:db8::10\n"
                           "h2 SVCB 1 WWW port=8443\n"
                           "h2 SVCB 2 www\n"
                           "a HTTPS 0 H\n"
                           "a2 SVCB 0 h\n"
                           "none HTTPS 0 .\n"
                           "none A 192.0.2.11\n"
                           "out HTTPS 1 www.example.org.\n"
                           "below SVCB 1 ns.sub\n"
                           "*.star HTTPS 1 . port=1\n"
                           "*.star A 192.0.2.12\n"
                           "toh CNAME h\n"
                           "mx MX 5 api\n"
                           "mx MX 6 mail\n"
                           "mx MX 7 fallback\n"
                           "_s._tcp SRV 1 2 3 api\n"
                           "tosrv CNAME _s._tcp\n"
                           "api HTTPS 1 . port=2\n"
                           "*.any HTTPS 1 .\n"
                           "geo SVCB 1 near\n"
                           "delegated NS api\n";

static struct rig *rig_more(void)
{
    struct rig *r = rig_new();
    struct text zone = text_init(1 << 16);
    text_append(&zone, rig_example);
    text_append(&zone, more);
    free(r->files[0].data);
    r->files[0] = rig_zone("example.com", text_string(&zone), rig_steered, RIG_STEERED);
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    struct served *old = r->served;
    ck_assert_msg(rig_build(r, NULL, &r->served) == 0, "%s", r->where);
    served_free(old);
    text_done(&zone);
    return r;
}

#define H_ADDRESSES "ad h.example.com 3600 A 192.0.2.10\nad h.example.com 3600 AAAA 2001:db8::10\n"

START_TEST(test_services_of_the_zone)
{
    struct rig *r = rig_more();
    /* RFC 9460 2.5.2: "." is the owner */
    expect(r, "h.example.com", DNS_HTTPS,
           HEAD("h.example.com", "TYPE65") "an h.example.com 3600 TYPE65 000100000100030268"
                                           "32\n" H_ADDRESSES);
    /* a target once, whatever the case of its letters; its addresses in the case it has there */
    const char *got = rig_ask(r, (struct ask){"h2.example.com", DNS_SVCB});
    ck_assert_ptr_nonnull(strstr(got, "\nad WWW.example.com 300 A 192.0.2.80\n"
                                      "ad WWW.example.com 300 A 192.0.2.81\n"
                                      "ad WWW.example.com 3600 AAAA 2001:db8::80\n"));
    ck_assert_uint_eq(r->response[11], 3);
    /* RFC 9460 4.1: an alias brings the records of its own type, too */
    expect(r, "a.example.com", DNS_HTTPS,
           HEAD("a.example.com", "TYPE65") "an a.example.com 3600 TYPE65 0000"
                                           "01480765"
                                           "78616d706c6503636f6d00\n"
                                           "ad H.example.com 3600 TYPE65 00010000010003026832\n"
                                           "ad H.example.com 3600 A 192.0.2.10\nad H.example.com "
                                           "3600 AAAA 2001:db8::10\n");
    got = rig_ask(r, (struct ask){"a2.example.com", DNS_SVCB});
    ck_assert_ptr_nonnull(strstr(got, "00\n" H_ADDRESSES));
    /* RFC 9460 2.5.1: there is no service */
    expect(r, "none.example.com", DNS_HTTPS,
           HEAD("none.example.com", "TYPE65") "an none.example.com 3600 TYPE65 000000\n");
    rig_ask(r, (struct ask){"out.example.com", DNS_HTTPS});
    ck_assert_uint_eq(r->response[11], 0);
    rig_ask(r, (struct ask){"below.example.com", DNS_SVCB}); /* glue is for referrals */
    ck_assert_uint_eq(r->response[11], 0);
    got = rig_ask(r, (struct ask){"x.y.star.example.com", DNS_HTTPS});
    ck_assert_ptr_nonnull(strstr(got, "\nad x.y.star.example.com 3600 A 192.0.2.12\n"));
    rig_free(r);
}
END_TEST

START_TEST(test_behind_an_alias)
{
    struct rig *r = rig_more();
    const char *got = rig_ask(r, (struct ask){"toh.example.com", DNS_HTTPS});
    ck_assert_ptr_nonnull(strstr(got, "\n" H_ADDRESSES));
    got = rig_ask(r, (struct ask){"tosrv.example.com", DNS_SRV});
    ck_assert_ptr_nonnull(strstr(got, "\nad api.example.com 5 A 198.51.0.0\n"));
    rig_free(r);
}
END_TEST

START_TEST(test_what_the_plan_picks)
{
    struct rig *r = rig_more();
    /* beside those of the zone; a fallback name is no address */
    const char *got = rig_ask(r, (struct ask){"mx.example.com", DNS_MX});
    ck_assert_ptr_nonnull(strstr(got, "\nad mail.example.com 3600 A 192.0.2.25\n"
                                      "ad api.example.com 5 A 198.51.0.0\n"
                                      "ad api.example.com 5 AAAA 2001:db8:"));
    ck_assert_msg(r->response[11] == 4, "%s", got);
    got = rig_ask(r, (struct ask){"_s._tcp.example.com", DNS_SRV});
    ck_assert_ptr_nonnull(strstr(got, "\nad api.example.com 5 A 198.51.0.0\n"));
    got = rig_ask(r, (struct ask){"api.example.com", DNS_HTTPS});
    ck_assert_ptr_nonnull(strstr(got, "\nad api.example.com 5 A 198.51.0.0\n"));
    got = rig_ask(r, (struct ask){"Q.any.example.com", DNS_HTTPS});
    ck_assert_ptr_nonnull(strstr(got, "\nad Q.any.example.com 11 A 198.51.0.0\n"));
    rig_free(r);
}
END_TEST

/* RFC 7871 7.3.1, RFC 9460 4.4.1: nothing that goes along is tied to a network. */
START_TEST(test_client_subnet)
{
    static const uint8_t subnet[] = {0, DNS_OPTION_CLIENT_SUBNET, 0, 7, 0, 1, 24, 0, 10, 20, 30};
    struct rig *r = rig_more();
    struct ask a = {"geo.example.com", DNS_SVCB, .size = 1232, .from = "10.20.1.1"};
    const char *got = rig_ask(r, a);
    ck_assert_ptr_nonnull(strstr(got, "\nad near.example.com 5 A "));
    a.options = subnet;
    a.options_length = sizeof subnet;
    got = rig_ask(r, a);
    ck_assert_ptr_null(strstr(got, "\nad "));
    ck_assert_ptr_nonnull(strstr(got, "opt 1232 subnet 1/24/0 10.20.30.0\n"));
    rig_free(r);
}
END_TEST

/* What does not fit stays away, whole sets at a time, and nobody is told. */
START_TEST(test_room)
{
    struct rig *r = rig_more();
    r->ctx.udp_size = DNS_UDP_MIN;
    struct text zone = text_init(1 << 16);
    text_append(&zone, rig_example);
    for (int i = 0; i < 14; i++)
        text_appendf(&zone, "big MX %d some-label-that-is-not-short-%d\n", i, i);
    text_append(&zone, "big MX 99 multi\n");
    free(r->files[0].data);
    r->files[0] = rig_zone("example.com", text_string(&zone), rig_steered, RIG_STEERED);
    r->maker.files[0].hash = rig_hash(&r->files[0]);
    struct served *old = r->served;
    ck_assert_msg(rig_build(r, NULL, &r->served) == 0, "%s", r->where);
    served_free(old);
    for (size_t size = 0; size < 3; size++) {
        static const uint16_t sizes[] = {800, 900, 1232};
        static const unsigned added[] = {0, 8, 8};
        r->ctx.udp_size = sizes[size];
        const char *got = rig_ask(r, (struct ask){"big.example.com", DNS_MX, .size = 1232});
        ck_assert_ptr_nonnull(strstr(got, "NOERROR qr aa\n"));
        ck_assert_msg(r->response[11] == added[size] + 1, "%zu: %s", r->length, got); /* and OPT */
        ck_assert_uint_le(r->length, sizes[size]);
    }
    rig_free(r);
    text_done(&zone);
}
END_TEST

CHECK_MAIN("additional", test_services_of_the_zone, test_behind_an_alias, test_what_the_plan_picks,
           test_client_subnet, test_room)
