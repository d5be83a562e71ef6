/* A serial that is written into a compiled zone: the file is as if it had been compiled with it,
 * signatures included; and what counts as a change. */
#include "base/memory.h"
#include "model/zone_dump.h"
#include "model/zone_fixture.h"
#include "model/zone_serial.h"
#include "model/zone_walk.h"
#include "test/check_main.h"

enum { NOW = 1700000000, DAY = 86400 };

static char *text_of(unsigned serial, const char *more)
{
    char *text = mem_new(2048, 1);
    snprintf(
        text, 2048,
        "$ORIGIN example.com.\n$TTL 300\n@ SOA ns1.example.net. admin.mail %u 3600 600 86400 60\n"
        "@ NS ns1\nns1 A 192.0.2.1\n*.w TXT \"x\"\nsub NS ns.sub\nns.sub A 192.0.2.2\n%s",
        serial, more);
    return text;
}

static struct fixture zone_of(unsigned serial, const char *more)
{
    char *text = text_of(serial, more);
    struct fixture f = fixture_new(text);
    free(text);
    return f;
}

/* Byte for byte what the compiler makes of a text with that serial. */
START_TEST(test_as_if_compiled)
{
    static const unsigned serials[] = {0, 1, 11, UINT32_MAX, 2026112200};
    for (unsigned i = 0; i < array_length(serials); i++) {
        struct fixture a = zone_of(10, ""), b = zone_of(serials[i], "");
        ck_assert_int_eq(zone_serial_set(a.data, serials[i], NULL), 0);
        ck_assert_uint_eq(a.size, b.size);
        ck_assert_mem_eq(a.data, b.data, a.size);
        ck_assert_int_eq(zone_open(a.data, a.size, &a.zone), 0);
        fixture_done(&a);
        fixture_done(&b);
    }
}
END_TEST

START_TEST(test_the_root)
{
    static const char text[] =
        "$TTL 300\n@ SOA . . 10 3600 600 86400 60\n@ NS ns1.example.\nns1.example. A 192.0.2.1\n";
    struct text problems = text_init(1 << 16);
    uint8_t *data;
    size_t size;
    struct zone z;
    ck_assert_int_eq(
        zone_compile(".", "z", text, strlen(text), NULL, 0, NULL, NULL, &problems, &data, &size),
        0);
    ck_assert_int_eq(zone_serial_set(data, 77, NULL), 0);
    ck_assert_int_eq(zone_open(data, size, &z), 0);
    ck_assert_uint_eq(z.header->serial, 77);
    free(data);
    text_done(&problems);
}
END_TEST

START_TEST(test_same)
{
    static const struct {
        const char *more;
        bool same;
    } others[] = {
        {"", true},
        {"x A 192.0.2.9\n", false},
        {"ns1 A 192.0.2.3\n", false},
        {"ns1 TXT \"\"\n", false},
    };
    struct fixture a = zone_of(10, "");
    for (unsigned i = 0; i < array_length(others); i++) {
        struct fixture b = zone_of(11, others[i].more);
        ck_assert_int_eq(zone_same(&a.zone, &b.zone), others[i].same);
        ck_assert_int_eq(zone_same(&b.zone, &a.zone), others[i].same);
        fixture_done(&b);
    }
    fixture_done(&a);
}
END_TEST

/* Everything in a SOA but its serial counts. */
START_TEST(test_soa_counts)
{
    static const char *const soas[] = {
        "ns1 admin 1 3600 600 86400 60",  "ns2 admin 1 3600 600 86400 60",
        "ns1 nobody 1 3600 600 86400 60", "ns1 admin 1 3601 600 86400 60",
        "ns1 admin 1 3600 601 86400 60",  "ns1 admin 1 3600 600 86401 60",
        "ns1 admin 1 3600 600 86400 61",
    };
    struct fixture first = {0};
    for (unsigned i = 0; i < array_length(soas); i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "$ORIGIN example.com.\n$TTL 300\n@ SOA %s\n@ NS ns1.example.net.\n", soas[i]);
        struct fixture f = fixture_new(text);
        if (i == 0) {
            first = f;
            continue;
        }
        ck_assert(!zone_same(&first.zone, &f.zone));
        fixture_done(&f);
    }
    fixture_done(&first);
}
END_TEST

/* ---- signed ---- */

struct rig {
    struct dnssec_key *key;
    struct dnssec_zone_keys keys;
    struct zone_sign sign;
};

static void rig_open(struct rig *r, unsigned algorithm)
{
    *r = (struct rig){0};
    ck_assert_int_eq(dnssec_key_generate(algorithm, DNSSEC_FLAG_ZONE | DNSSEC_FLAG_SEP, &r->key),
                     0);
    r->keys = (struct dnssec_zone_keys){.published = &r->key,
                                        .published_count = 1,
                                        .key_signers = &r->key,
                                        .key_signer_count = 1,
                                        .zone_signers = &r->key,
                                        .zone_signer_count = 1,
                                        .dnskey_ttl = 3600,
                                        .now = NOW,
                                        .lifetime = 14 * DAY,
                                        .refresh = 7 * DAY,
                                        .jitter = DAY};
}

static struct fixture zone_signed(struct rig *r, unsigned serial, const char *more,
                                  const struct zone *previous)
{
    struct text problems = text_init(1 << 16);
    struct fixture f = {0};
    char *text = text_of(serial, more);
    r->sign = (struct zone_sign){.keys = &r->keys, .previous = previous};
    struct zone_seal seal = zone_sign_seal(&r->sign);
    ck_assert_int_eq(zone_compile_sealed("example.com", "z", text, strlen(text), NULL, 0, NULL,
                                         NULL, &seal, NULL, &problems, &f.data, &f.size),
                     0);
    ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    text_done(&problems);
    free(text);
    return f;
}

static bool soa_verifies(const struct rig *r, const struct fixture *f)
{
    const struct zone_set *soa =
        zone_node_set(zone_node_at(&f->zone, f->zone.header->apex), DNS_SOA);
    struct zone_record record = zone_record_first(&f->zone, soa), rrsig;
    struct dnssec_set set = {.owner = f->zone.header->origin,
                             .type = DNS_SOA,
                             .ttl = soa->ttl,
                             .records = record.rdata - sizeof record.length,
                             .length = sizeof record.length + record.length,
                             .count = 1};
    ck_assert(zone_signature_first(&f->zone, soa, &rrsig));
    return dnssec_verify(r->key, &set, rrsig.rdata, rrsig.length);
}

START_TEST(test_signed)
{
    static const unsigned algorithms[] = {DNSSEC_RSASHA256, DNSSEC_ECDSAP256SHA256, DNSSEC_ED25519};
    for (unsigned i = 0; i < array_length(algorithms); i++) {
        struct rig r;
        rig_open(&r, algorithms[i]);
        struct fixture old = zone_signed(&r, 10, "", NULL);
        struct fixture next = zone_signed(&r, 20, "", &old.zone);
        ck_assert_uint_eq(r.sign.made, 1); /* of the SOA, which has another serial */
        /* back to the serial that was served: its signature is taken over, and nothing changed */
        ck_assert_int_eq(zone_serial_set(next.data, 10, &r.sign), 0);
        ck_assert_mem_eq(next.data, old.data, old.size);
        ck_assert_int_eq(zone_serial_set(next.data, 11, &r.sign), 1);
        ck_assert_int_eq(zone_open(next.data, next.size, &next.zone), 0);
        ck_assert(soa_verifies(&r, &next));
        ck_assert(zone_same(&old.zone, &next.zone));
        fixture_done(&next);
        fixture_done(&old);
        dnssec_key_free(r.key);
    }
}
END_TEST

/* Signatures that are made anew because their time has come are a change: secondaries have to come
 * for them. */
START_TEST(test_new_signatures_are_a_change)
{
    struct rig r;
    rig_open(&r, DNSSEC_ECDSAP256SHA256);
    struct fixture old = zone_signed(&r, 10, "", NULL);
    r.keys.now += 8 * DAY;
    struct fixture next = zone_signed(&r, 10, "", &old.zone);
    ck_assert(!zone_same(&old.zone, &next.zone));
    ck_assert_int_eq(zone_serial_set(next.data, 10, &r.sign), 1);
    fixture_done(&next);
    fixture_done(&old);
    dnssec_key_free(r.key);
}
END_TEST

CHECK_MAIN("zone_serial", test_as_if_compiled, test_the_root, test_same, test_soa_counts,
           test_signed, test_new_signatures_are_a_change)
