/* The examples of RFC 8976 appendix A (A.2 without its record of another zone, which is refused
 * here), and digests made and verified. */
#include "base/err.h"
#include "model/zone_compile.h"
#include "model/zone_dump.h"
#include "model/zone_rfc8976.h"
#include "model/zone_serial.h"
#include "model/zone_sign.h"
#include "model/zone_walk.h"
#include "test/check_main.h"
#include "wire/zonemd.h"
#include <stdlib.h>

#define HEAD                                                             \
    "example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n" \
    "@ 86400 NS ns1\n@ 86400 NS ns2\n"
#define SERVERS "ns1 3600 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n"
#define SIMPLE                                                         \
    "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9" \
    "a9713b3c9ae5cc27777f98b8e730044c"
#define MULTIPLE_SHA384                                                \
    "62e6cf51b02e54b9b5f967d547ce43136792901f9f88e637493daaf401c92c27" \
    "9dd10f0edb1c56f8080211f8480ee306"
#define MULTIPLE_SHA512                                                \
    "08cfa1115c7b948c4163a901270395ea226a930cd2cbcf2fa9a5e6eb85f37c8a" \
    "4e114d884e66f176eab121cb02db7d652e0cc4827e7a3204f166b47e5613fd27"
#define MULTIPLE_REST                                                \
    "ns1.example. 3600 A 203.0.113.63\n"                             \
    "ns2.example. 86400 TXT \"This example has multiple digests\"\n" \
    "NS2.EXAMPLE. 3600 AAAA 2001:db8::63\n"
#define MULTIPLE_UNKNOWN                                                 \
    "@ 86400 ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee\n" \
    "@ 86400 ZONEMD 2018031900 241 1 e1846540e33a9e4189792d18d5d131f605fc283e\n"

static const char complex_zone[] =
    HEAD "@ 86400 ZONEMD 2018031900 1 1 a3b69bad980a3504e1cffcb0fd6397f93848071c93151f55"
         "2ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe\n"
         "ns1 3600 A 203.0.113.63\n"
         "NS2 3600 AAAA 2001:db8::63\n"
         "occluded.sub 7200 TXT \"I'm occluded but must be digested\"\n"
         "sub 7200 NS ns1\n"
         "duplicate 300 TXT \"I must be digested just once\"\n"
         "duplicate 300 TXT \"I must be digested just once\"\n"
         "UPPERCASE 3600 TXT \"canonicalize uppercase owner names\"\n"
         "* 777 PTR dont-forget-about-wildcards\n"
         "mail 3600 MX 20 MAIL1\n"
         "mail 3600 MX 10 Mail2.Example.\n"
         "sortme 3600 AAAA 2001:db8::5:61\n"
         "sortme 3600 AAAA 2001:db8::3:62\n"
         "sortme 3600 AAAA 2001:db8::4:63\n"
         "sortme 3600 AAAA 2001:db8::1:65\n"
         "sortme 3600 AAAA 2001:db8::2:64\n"
         "non-apex 900 ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c"
         "6f776564206275742069676e6f7265642e20616c6c6f7765\n";

struct made {
    uint8_t *data;
    size_t size;
    struct zone zone;
    struct text problems;
    int err;
};

static void made_done(struct made *m)
{
    free(m->data);
    text_done(&m->problems);
}

/* steered: a name, or NULL. */
static struct made make_zone(const char *zone, const char *text, const struct zone_seal *seal,
                             const char *steered)
{
    struct made m = {.problems = text_init(1 << 16)};
    uint8_t name[DNAME_MAX], origin[DNAME_MAX];
    const uint8_t *const names[] = {name};
    ck_assert_int_gt(dname_parse(zone, strlen(zone), NULL, origin), 0);
    if (steered)
        ck_assert_int_gt(dname_parse(steered, strlen(steered), origin, name), 0);
    m.err = zone_compile_sealed(zone, "z", text, strlen(text), names, steered ? 1 : 0, NULL, NULL,
                                seal, NULL, &m.problems, &m.data, &m.size);
    if (!m.err)
        ck_assert_int_eq(zone_open(m.data, m.size, &m.zone), 0);
    return m;
}

static struct made make(const char *text, const struct zone_seal *seal, const char *steered)
{
    return make_zone("example", text, seal, steered);
}

static void expect(const char *text, enum zonemd_use use, const char *problem)
{
    struct zone_seal seal = {.zonemd = use};
    struct made m = make(text, &seal, NULL);
    ck_assert_str_eq(text_string(&m.problems), problem);
    ck_assert_int_eq(m.err, *problem ? ERR_INVALID : 0);
    made_done(&m);
}

START_TEST(test_examples)
{
    static const char *const zones[] = {
        HEAD "@ 86400 ZONEMD 2018031900 1 1 " SIMPLE "\n" SERVERS,
        complex_zone,
        HEAD "@ 86400 ZONEMD 2018031900 1 1 " MULTIPLE_SHA384
             "\n@ 86400 ZONEMD 2018031900 1 2 " MULTIPLE_SHA512 "\n" MULTIPLE_UNKNOWN MULTIPLE_REST,
        HEAD "@ 86400 ZONEMD 2018031900 1 2 " MULTIPLE_SHA512 "\n" MULTIPLE_REST,
    };
    for (size_t i = 0; i < array_length(zones); i++) {
        expect(zones[i], ZONEMD_REQUIRE, "");
        expect(zones[i], ZONEMD_VERIFY, "");
    }
}
END_TEST

static void records_join(struct text *out, const char *const *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_append(out, records[i]);
}

/* A.4 came signed, but its digest has no signature: that is told, and the zone is taken. */
START_TEST(test_real_zones)
{
    static const struct {
        const char *zone;
        const char *const *records;
        size_t count;
        const char *ttl, *told;
    } cases[] = {
        {"uri.arpa", rfc8976_uri_arpa, array_length(rfc8976_uri_arpa), " 604800 ",
         "z:34:1: the zone came signed"},
        {"root-servers.net", rfc8976_root_servers_net, array_length(rfc8976_root_servers_net),
         " 3600000 ", ""},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        struct zone_seal seal = {.zonemd = ZONEMD_REQUIRE};
        struct text text = text_init(1 << 14);
        records_join(&text, cases[i].records, cases[i].count);
        struct made m = make_zone(cases[i].zone, text_string(&text), &seal, NULL);
        ck_assert_msg(m.err == 0, "%s", text_string(&m.problems));
        ck_assert_mem_eq(text_string(&m.problems), cases[i].told, strlen(cases[i].told));
        made_done(&m);
        /* and with another TTL it is another zone */
        char *changed = strdup(text_string(&text));
        strstr(changed, cases[i].ttl)[1]++;
        m = make_zone(cases[i].zone, changed, &seal, NULL);
        ck_assert_int_eq(m.err, ERR_INVALID);
        ck_assert_ptr_nonnull(strstr(text_string(&m.problems), "does not match what the zone"));
        made_done(&m);
        free(changed);
        text_done(&text);
    }
}
END_TEST

#define REMEDY "; make it anew where the zone is made, or say zonemd: ignore for this zone\n"

START_TEST(test_mismatches)
{
    static const char wrong[] =
        HEAD "@ 86400 ZONEMD 2018031900 1 1 " SIMPLE "\n" SERVERS "more 60 A 192.0.2.1\n";
    static const char serial[] = HEAD "@ 86400 ZONEMD 2018031899 1 1 " SIMPLE "\n" SERVERS;
    static const char twice[] =
        HEAD "@ 86400 ZONEMD 2018031900 1 1 " SIMPLE
             "\n@ 86400 ZONEMD 2018031900 1 1 " MULTIPLE_SHA384 "\n" SERVERS;
    static const char ttl[] = HEAD "@ 86400 ZONEMD 2018031900 1 1 " SIMPLE
                                   "\nns1 3601 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n";
    static const char length[] = HEAD "@ 86400 ZONEMD 2018031900 1 2 " SIMPLE "\n" SERVERS;
    static const char none[] = HEAD SERVERS;
    static const char unknown[] = HEAD MULTIPLE_UNKNOWN SERVERS;
    /* one that matches is enough */
    static const char other[] =
        HEAD "@ 86400 ZONEMD 2018031900 1 1 " SIMPLE
             "\n@ 86400 ZONEMD 2018031900 1 2 " MULTIPLE_SHA512 "\n" MULTIPLE_REST;
    expect(wrong, ZONEMD_VERIFY,
           "z:4:1: the zone's digest (ZONEMD, SHA-384) does not match what the zone holds" REMEDY);
    expect(wrong, ZONEMD_IGNORE, "");
    expect(serial, ZONEMD_VERIFY,
           "z:4:1: the zone's digest (ZONEMD, SHA-384) is of another serial than the SOA" REMEDY);
    expect(twice, ZONEMD_VERIFY,
           "z:5:1: the zone's digest (ZONEMD, SHA-384) is one of several with the same scheme and "
           "algorithm" REMEDY);
    expect(ttl, ZONEMD_VERIFY,
           "z:4:1: the zone's digest (ZONEMD, SHA-384) does not match what the zone holds" REMEDY);
    expect(length, ZONEMD_VERIFY,
           "z:4:1: the zone's digest (ZONEMD, SHA-512) has a digest of the wrong length" REMEDY);
    expect(none, ZONEMD_VERIFY, "");
    expect(none, ZONEMD_REQUIRE,
           "z:1:1: the zone has no digest (ZONEMD), and zonemd: require is said for it\n");
    expect(unknown, ZONEMD_VERIFY, "");
    expect(unknown, ZONEMD_REQUIRE,
           "z:1:1: the zone has no digest (ZONEMD) of a kind that is understood, and zonemd: "
           "require is said for it\n");
    expect(other, ZONEMD_REQUIRE, "");
}
END_TEST

/* ---- made here ---- */

static struct dnssec_key *key;

static struct dnssec_zone_keys keys_of(bool nsec3)
{
    if (!key)
        ck_assert_int_eq(dnssec_key_generate(DNSSEC_ECDSAP256SHA256, 257, &key), 0);
    return (struct dnssec_zone_keys){.published = &key,
                                     .published_count = 1,
                                     .key_signers = &key,
                                     .key_signer_count = 1,
                                     .zone_signers = &key,
                                     .zone_signer_count = 1,
                                     .dnskey_ttl = 3600,
                                     .nsec3 = nsec3,
                                     .now = 1700000000,
                                     .lifetime = 14 * 86400,
                                     .refresh = 7 * 86400};
}

/* Read as anybody else's zone, with its signatures, it matches. */
static void holds(const struct zone *z)
{
    struct zone_seal require = {.zonemd = ZONEMD_REQUIRE};
    struct text text = text_init(1 << 20);
    zone_dump(z, &text);
    struct made m = make(text_string(&text), &require, NULL);
    ck_assert_msg(m.err == 0, "%s%s", text_string(&m.problems), text_string(&text));
    made_done(&m);
    text_done(&text);
}

static const struct zone_set *digest_set(const struct zone *z)
{
    return zone_node_set(zone_node_at(z, z->header->apex), DNS_ZONEMD);
}

START_TEST(test_generate)
{
    struct zone_seal seal = {.zonemd = ZONEMD_GENERATE};
    struct made m = make(HEAD "@ 86400 ZONEMD 7 1 2 " SIMPLE "\n" SERVERS, &seal, NULL);
    ck_assert_str_eq(text_string(&m.problems), "");
    ck_assert_uint_eq(digest_set(&m.zone)->record_count, 1);
    holds(&m.zone);
    struct zone_record r = zone_record_first(&m.zone, digest_set(&m.zone));
    struct zonemd d;
    ck_assert(zonemd_read(r.rdata, r.length, &d));
    ck_assert_uint_eq(d.serial, 2018031900);
    ck_assert_uint_eq(d.digest.data[0], 0xc6); /* that of appendix A.1 */
    ck_assert_int_eq(zone_serial_set(m.data, 2018031977, NULL), 0);
    ck_assert_int_eq(zone_open(m.data, m.size, &m.zone), 0);
    ck_assert(zonemd_read(r.rdata, r.length, &d));
    ck_assert_uint_eq(d.serial, 2018031977);
    holds(&m.zone);
    made_done(&m);
}
END_TEST

static void signature_holds(const struct zone *z)
{
    const struct zone_set *s = digest_set(z);
    struct zone_record r = zone_record_first(z, s), rrsig;
    struct dnssec_set set = {.owner = z->header->origin,
                             .type = DNS_ZONEMD,
                             .ttl = s->ttl,
                             .records = r.rdata - sizeof r.length,
                             .length = sizeof r.length + r.length,
                             .count = 1};
    ck_assert(zone_signature_first(z, s, &rrsig));
    ck_assert(dnssec_verify(key, &set, rrsig.rdata, rrsig.length));
}

START_TEST(test_generate_signed)
{
    for (unsigned i = 0; i < 2; i++) {
        struct dnssec_zone_keys keys = keys_of(i);
        struct zone_sign sign = {.keys = &keys};
        struct zone_seal seal = zone_sign_seal(&sign);
        seal.zonemd = ZONEMD_GENERATE;
        struct made m = make(complex_zone, &seal, NULL);
        ck_assert_str_eq(text_string(&m.problems), "");
        holds(&m.zone);
        signature_holds(&m.zone);
        ck_assert_int_eq(zone_serial_set(m.data, 5, &sign), 2); /* SOA and digest */
        ck_assert_int_eq(zone_open(m.data, m.size, &m.zone), 0);
        holds(&m.zone);
        signature_holds(&m.zone);
        /* the same once more needs no signature */
        struct made was = m;
        struct zone_sign again = {.keys = &keys, .previous = &was.zone};
        seal = zone_sign_seal(&again);
        seal.zonemd = ZONEMD_GENERATE;
        m = make(complex_zone, &seal, NULL);
        ck_assert_int_eq(zone_serial_set(m.data, 5, &again), 0);
        ck_assert_uint_eq(m.size, was.size);
        ck_assert_int_eq(memcmp(m.data, was.data, m.size), 0);
        ck_assert(zone_same(&m.zone, &was.zone));
        made_done(&m);
        made_done(&was);
    }
    dnssec_key_free(key);
    key = NULL;
}
END_TEST

/* What is changed here has no digest of before; it is verified all the same. */
START_TEST(test_dropped)
{
    static const char good[] = HEAD "@ 86400 ZONEMD 2018031900 1 1 " SIMPLE "\n" SERVERS;
    struct made m = make(good, NULL, NULL);
    ck_assert_ptr_nonnull(digest_set(&m.zone));
    made_done(&m);
    m = make(good, NULL, "api");
    ck_assert_int_eq(m.err, 0);
    ck_assert_ptr_null(digest_set(&m.zone));
    made_done(&m);
    struct zone_seal drop = {.zonemd = ZONEMD_DROP};
    m = make(good, &drop, NULL);
    ck_assert_ptr_null(digest_set(&m.zone));
    made_done(&m);
    struct dnssec_zone_keys keys = keys_of(false);
    struct zone_sign sign = {.keys = &keys};
    struct zone_seal seal = zone_sign_seal(&sign);
    m = make(good, &seal, NULL);
    ck_assert_int_eq(m.err, 0);
    ck_assert_ptr_null(digest_set(&m.zone));
    struct text text = text_init(1 << 20);
    zone_dump(&m.zone, &text);
    made_done(&m);
    /* signatures that do not stay count for the digest that comes with them */
    seal.zonemd = ZONEMD_GENERATE;
    m = make(good, &seal, NULL);
    text_reset(&text);
    zone_dump(&m.zone, &text);
    made_done(&m);
    seal.zonemd = ZONEMD_REQUIRE;
    m = make(text_string(&text), &seal, NULL);
    ck_assert_str_eq(text_string(&m.problems), "");
    ck_assert_ptr_null(digest_set(&m.zone));
    made_done(&m);
    /* which cannot be made for a zone that came signed */
    struct zone_seal generate = {.zonemd = ZONEMD_GENERATE};
    m = make(text_string(&text), &generate, NULL);
    ck_assert_int_eq(m.err, ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(text_string(&m.problems), "came signed"));
    made_done(&m);
    text_done(&text);
    dnssec_key_free(key);
    key = NULL;
}
END_TEST

CHECK_MAIN("zone_zonemd", test_examples, test_real_zones, test_mismatches, test_generate,
           test_generate_signed, test_dropped)
