#include "base/err.h"
#include "model/plan_sign.h"
#include "model/snapshot.h"
#include "model/snapshot_maker.h"
#include "test/check_main.h"
#include "wire/dns.h"
#include <time.h>

enum { NOW = 1767225600, DAY = 86400 };

static struct dnssec_key *pairs[2];
static struct dnssec_zone_keys zone_keys;
static const struct dnssec_zone_keys *keys[2];

static void begin(void)
{
    ck_assert_int_eq(
        dnssec_key_generate(DNSSEC_ECDSAP256SHA256, DNSSEC_FLAG_ZONE | DNSSEC_FLAG_SEP, &pairs[0]),
        0);
    zone_keys = (struct dnssec_zone_keys){.published = pairs,
                                          .published_count = 1,
                                          .key_signers = pairs,
                                          .key_signer_count = 1,
                                          .zone_signers = pairs,
                                          .zone_signer_count = 1,
                                          .dnskey_ttl = 3600,
                                          .now = NOW - DAY,
                                          .lifetime = 14 * DAY,
                                          .refresh = 3 * DAY,
                                          .jitter = DAY};
    keys[0] = &zone_keys;
    keys[1] = NULL;
}

static void end(struct plan_signer *s, struct maker *m)
{
    plan_signer_free(s);
    maker_done(m);
    dnssec_key_free(pairs[0]);
    dnssec_key_free(pairs[1]);
    pairs[1] = NULL;
}

static struct plan_signed sign(struct plan_signer *s, const struct plan *p, int64_t now,
                               struct plan *ret)
{
    struct plan_signed out;
    int err = plan_sign(s, p, keys, now, ret, &out);
    ck_assert_msg(err == 0, "%s", err_text(err));
    return out;
}

/* The records that go out from this start, as the name server sends them. */
static struct dnssec_set answer(const struct plan *p, uint32_t service, uint32_t choice,
                                uint32_t start, uint8_t *records)
{
    const struct plan_choice *c = &p->choices[choice];
    struct dnssec_set set = {.owner = (const uint8_t *)p->text + p->services[service].wire_name,
                             .ttl = p->services[service].ttl_max,
                             .records = records};
    uint16_t size = c->family == IP_V6 ? 16 : 4;
    set.type = c->family == IP_V6 ? DNS_AAAA : DNS_A;
    for (uint32_t i = 0; i < c->count && i < c->pick; i++) {
        memcpy(records + set.length, &size, 2);
        memcpy(records + set.length + 2, p->addresses[c->first + (start + i) % c->count].bytes,
               size);
        set.length += 2u + size;
        set.count++;
    }
    return set;
}

/* By each key that signs the zone, in their order. */
static void holds(const struct plan *p, uint32_t service, uint32_t choice, uint32_t start)
{
    uint8_t records[PLAN_MULTIVALUE_MAX * 18];
    uint32_t count = 0;
    struct dnssec_set set = answer(p, service, choice, start, records);
    const struct plan_signature *s = plan_signatures(p, service, choice, &count);
    ck_assert_uint_eq(count, zone_keys.zone_signer_count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_msg(
            dnssec_verify(pairs[i], &set, plan_signature_rdata(p, &s[i], start), s[i].length),
            "service %u choice %u start %u key %u", service, choice, start, i);
}

START_TEST(test_every_answer)
{
    begin();
    struct maker m = maker_small(1);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    struct plan_signed out = sign(s, &m.plan, NOW, &p);
    ck_assert_uint_eq(out.made, p.signature_count);
    ck_assert_uint_eq(p.signature_count, 2 + 2 + 2); /* the hidden service is not published */
    for (uint32_t i = 0; i < p.signature_count; i++)
        holds(&p, p.signatures[i].service, p.signatures[i].choice, 0);
    ck_assert_uint_eq(p.services[SMALL_HIDDEN].signature_count, 0);
    uint32_t count;
    ck_assert_ptr_null(plan_signatures(&p, SMALL_HIDDEN, 0, &count));
    ck_assert_int_le(out.refresh, NOW + 11 * DAY);
    ck_assert_int_gt(out.refresh, NOW + 10 * DAY - 1);
    ck_assert_int_eq(out.since, NOW - 3600);
    ck_assert_int_eq(out.end, out.refresh + 3 * DAY);
    ck_assert_int_eq(out.alarm, out.refresh + 3 * DAY / 2);
    end(s, &m);
}
END_TEST

START_TEST(test_same_answers_sign_nothing)
{
    begin();
    struct maker m = maker_small(1);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    uint32_t all = sign(s, &m.plan, NOW, &p).made;
    m.services[SMALL_API].faces[IP_V4].ttl = 1; /* a TTL that moves */
    struct plan_signed out = sign(s, &m.plan, NOW + DAY, &p);
    ck_assert_uint_eq(out.made, 0);
    ck_assert_uint_eq(out.reused, all);
    holds(&p, SMALL_API, m.services[SMALL_API].faces[IP_V4].choice, 0);
    out = sign(s, &m.plan, NOW + 11 * DAY, &p); /* refresh */
    ck_assert_uint_eq(out.made, all);
    out = sign(s, &m.plan, NOW, &p); /* a clock that went back: signatures of the future */
    ck_assert_uint_eq(out.made, all);
    keys[0] = NULL;
    out = sign(s, &m.plan, NOW, &p);
    ck_assert_uint_eq(p.signature_count, 0);
    ck_assert_int_eq(out.refresh, INT64_MAX);
    end(s, &m);
}
END_TEST

START_TEST(test_another_key_signs_anew)
{
    begin();
    struct maker m = maker_small(1);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    uint32_t all = sign(s, &m.plan, NOW, &p).made;
    dnssec_key_free(pairs[0]);
    begin();
    ck_assert_uint_eq(sign(s, &m.plan, NOW, &p).made, all);
    holds(&p, SMALL_API, m.services[SMALL_API].faces[IP_V4].choice, 0);
    end(s, &m);
}
END_TEST

static struct maker many_addresses(uint32_t endpoints)
{
    struct maker m = maker_init(256, 8192);
    m.plan.generation = 1;
    maker_file(&m, PLAN_FILE_ZONE, "example.com", 0x1111);
    uint32_t s = maker_service(&m, "many.example.com", 0);
    uint32_t first = maker_endpoint(&m, "e", true);
    for (uint32_t i = 1; i < endpoints; i++)
        maker_endpoint(&m, "e", true);
    for (uint8_t f = 0; f < IP_FAMILIES; f++)
        maker_face(&m, s, f, FACE_NORMAL, maker_addresses(&m, first, endpoints, f));
    return m;
}

START_TEST(test_windows)
{
    begin();
    struct maker m = many_addresses(20);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    ck_assert_uint_eq(sign(s, &m.plan, NOW, &p).made, 2 * 20);
    ck_assert_uint_eq(p.signature_count, 2);
    for (uint32_t choice = 0; choice < 2; choice++)
        for (uint32_t start = 0; start < 20; start++)
            holds(&p, 0, choice, start);
    plan_signer_free(s);
    maker_done(&m);
    m = many_addresses(PLAN_MULTIVALUE_MAX); /* all are sent: one set, wherever it begins */
    s = plan_signer_new();
    ck_assert_uint_eq(sign(s, &m.plan, NOW, &p).made, 2);
    for (uint32_t start = 0; start < PLAN_MULTIVALUE_MAX; start++)
        holds(&p, 0, 0, start);
    end(s, &m);
}
END_TEST

/* RFC 4035 2.2: while the algorithm changes, both sign each start of each answer. */
START_TEST(test_two_algorithms)
{
    begin();
    struct maker m = many_addresses(20);
    struct plan_signer *s = plan_signer_new();
    struct plan p, back;
    const char *where = "";
    size_t size;
    uint32_t one = sign(s, &m.plan, NOW, &p).made;
    ck_assert_int_eq(dnssec_key_generate(DNSSEC_RSASHA256, 257, &pairs[1]), 0);
    zone_keys.zone_signer_count = 2;
    struct plan_signed out = sign(s, &m.plan, NOW, &p);
    ck_assert_uint_eq(out.made, one); /* the other one's are kept */
    ck_assert_uint_eq(out.reused, one);
    ck_assert_uint_eq(p.services[0].signature_count, 2 * 2);
    uint8_t *file = snapshot_encode(&p, &size);
    int err = snapshot_decode(file, size, &back, &where);
    ck_assert_msg(err == 0, "%s", where);
    for (uint32_t choice = 0; choice < 2; choice++)
        for (uint32_t start = 0; start < 20; start++)
            holds(&back, 0, choice, start);
    free(file);
    end(s, &m);
}
END_TEST

/* More signatures of one answer than a message is made for. */
START_TEST(test_too_many_signers)
{
    begin();
    struct maker m = maker_small(1);
    struct plan_signer *s = plan_signer_new();
    struct plan_signature list[PLAN_SIGNERS_MAX + 1];
    struct plan_service services[8];
    struct plan p, back;
    const char *where = "";
    size_t size;
    sign(s, &m.plan, NOW, &p);
    ck_assert_uint_le(p.service_count, array_length(services));
    memcpy(services, p.services, p.service_count * sizeof *services);
    for (uint32_t i = 0; i < p.service_count; i++)
        services[i].signature_count = 0;
    for (unsigned i = 0; i < array_length(list); i++)
        list[i] = p.signatures[0];
    p.services = services;
    p.signatures = list;
    for (uint32_t count = PLAN_SIGNERS_MAX; count <= PLAN_SIGNERS_MAX + 1; count++) {
        services[list[0].service].signature_first = 0;
        services[list[0].service].signature_count = p.signature_count = count;
        uint8_t *file = snapshot_encode(&p, &size);
        int err = snapshot_decode(file, size, &back, &where);
        ck_assert_int_eq(err, count > PLAN_SIGNERS_MAX ? ERR_BOUNDS : 0);
        free(file);
    }
    end(s, &m);
}
END_TEST

START_TEST(test_shared_leaf)
{
    /* what a nested service answers is signed for each name that leads to it */
    begin();
    struct maker m = maker_small(1);
    m.services[SMALL_SPLIT].zone = SMALL_ZONE;
    uint32_t shared = m.services[SMALL_HIDDEN].faces[IP_V4].choice;
    m.branches[1].choice = shared;
    m.services[SMALL_HIDDEN].zone = PLAN_NONE;
    maker_face(&m, SMALL_NEAR, IP_V4, FACE_NORMAL, shared);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    sign(s, &m.plan, NOW, &p);
    holds(&p, SMALL_SPLIT, shared, 0);
    holds(&p, SMALL_NEAR, shared, 0);
    uint32_t count;
    ck_assert_ptr_ne(plan_signatures(&p, SMALL_SPLIT, shared, &count),
                     plan_signatures(&p, SMALL_NEAR, shared, &count));
    end(s, &m);
}
END_TEST

START_TEST(test_fallback_name)
{
    begin();
    struct maker m = maker_small(1);
    uint32_t name = maker_wire(&m, "sorry.example.net");
    uint32_t choice = maker_choice(&m, (struct plan_choice){.kind = CHOICE_CNAME, .first = name});
    m.services[SMALL_API].when_all_down = ALL_DOWN_FALLBACK;
    maker_face(&m, SMALL_API, IP_V4, FACE_FALLBACK, choice);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    uint8_t records[DNAME_MAX + 2];
    uint32_t count = 0;
    uint16_t size;
    sign(s, &m.plan, NOW, &p);
    const struct plan_signature *made = plan_signatures(&p, SMALL_API, choice, &count);
    ck_assert_uint_eq(count, 1);
    size = (uint16_t)dname_length((const uint8_t *)m.text + name);
    memcpy(records, &size, 2);
    memcpy(records + 2, m.text + name, size);
    struct dnssec_set set = {.owner = (const uint8_t *)p.text + p.services[SMALL_API].wire_name,
                             .type = DNS_CNAME,
                             .ttl = 60,
                             .records = records,
                             .length = size + 2u,
                             .count = 1};
    ck_assert(dnssec_verify(pairs[0], &set, plan_signature_rdata(&p, made, 0), made->length));
    end(s, &m);
}
END_TEST

START_TEST(test_through_the_door)
{
    begin();
    struct maker m = many_addresses(20);
    struct plan_signer *s = plan_signer_new();
    struct plan p, back;
    const char *where = "";
    size_t size;
    sign(s, &m.plan, NOW, &p);
    uint8_t *file = snapshot_encode(&p, &size);
    int err = snapshot_decode(file, size, &back, &where);
    ck_assert_msg(err == 0, "%s", where);
    holds(&back, 0, 1, 19);
    free(file);
    /* every way to be wrong is refused */
    for (unsigned i = 0; i < 8; i++) {
        struct plan_signature list[2];
        struct plan_service service = p.services[0];
        struct plan bad = p;
        memcpy(list, p.signatures, sizeof list);
        bad.signatures = list;
        bad.services = &service;
        if (i == 0)
            list[0].service = 1;
        else if (i == 1)
            list[0].choice = 9;
        else if (i == 2)
            list[0].choice = 1, list[1].choice = 0;
        else if (i == 3)
            list[1].windows = 1;
        else if (i == 4)
            list[1].length++;
        else if (i == 5)
            list[0].offset = p.signed_size;
        else if (i == 6)
            service.signature_count = 3;
        else
            list[0].length = 3;
        file = snapshot_encode(&bad, &size);
        ck_assert_msg(snapshot_decode(file, size, &back, &where) == ERR_BOUNDS, "%u", i);
        free(file);
    }
    end(s, &m);
}
END_TEST

START_TEST(test_thousand_services)
{
    begin();
    struct maker m = maker_large(1, 1000, 2);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    struct timespec a, b, c;
    clock_gettime(CLOCK_MONOTONIC, &a);
    ck_assert_uint_eq(sign(s, &m.plan, NOW, &p).made, 4000);
    clock_gettime(CLOCK_MONOTONIC, &b);
    ck_assert_uint_eq(sign(s, &m.plan, NOW, &p).made, 0);
    clock_gettime(CLOCK_MONOTONIC, &c);
    double first = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    double again = (double)(c.tv_sec - b.tv_sec) + (double)(c.tv_nsec - b.tv_nsec) / 1e9;
    printf("# 4000 signatures: %.1f ms, the same again: %.1f ms\n", first * 1e3, again * 1e3);
    ck_assert(again < first / 3);
    end(s, &m);
}
END_TEST

START_TEST(test_forgets)
{
    begin();
    struct maker m = maker_small(1);
    struct plan_signer *s = plan_signer_new();
    struct plan p;
    uint32_t all = sign(s, &m.plan, NOW, &p).made;
    const struct dnssec_zone_keys *kept = keys[0];
    keys[0] = NULL;
    for (unsigned i = 0; i < 3 * PLAN_SIGN_KEEP; i++)
        sign(s, &m.plan, NOW, &p);
    keys[0] = kept;
    ck_assert_uint_eq(sign(s, &m.plan, NOW, &p).made, all);
    end(s, &m);
}
END_TEST

CHECK_MAIN("plan_sign", test_every_answer, test_same_answers_sign_nothing,
           test_another_key_signs_anew, test_windows, test_two_algorithms, test_too_many_signers,
           test_shared_leaf, test_fallback_name, test_through_the_door, test_thousand_services,
           test_forgets)
