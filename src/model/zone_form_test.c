/* Zones as transfers give them: what a steered name is in a static zone, and forms that are as well
 * signed as any zone. */
#include "model/snapshot_maker.h"
#include "model/zone_dump.h"
#include "model/zone_fixture.h"
#include "model/zone_form.h"
#include "model/zone_sign.h"
#include "test/check_main.h"

/* ---- answers ---- */

/* "api.example.com 60 A 198.51.0.0 AAAA ..." */
static void answer_text(const struct form_answer *a, struct text *out)
{
    char name[DNAME_TEXT_MAX], address[IP_TEXT_MAX];
    text_appendf(out, "%s %u", dname_format(a->name, name), a->ttl);
    if (a->has_alias)
        text_appendf(out, " CNAME %s", dname_format(a->alias, name));
    for (uint8_t f = 0; f < IP_FAMILIES; f++)
        for (unsigned i = 0; i < a->count[f]; i++) {
            struct ip ip = {.family = f};
            memcpy(ip.bytes, a->addresses[f][i], ip_size(&ip));
            text_appendf(out, " %s", ip_format(&ip, address));
        }
}

static void answer_is(const struct plan *p, uint32_t service, const char *wanted)
{
    struct text out = text_init(4096);
    struct form_answer a;
    form_answer_of(p, service, &a);
    answer_text(&a, &out);
    ck_assert_str_eq(text_string(&out), wanted);
    text_done(&out);
}

/* By chance: all of them. By place without a default: all of them, rather than nobody (L3). */
START_TEST(test_policies)
{
    struct maker m = maker_small(1);
    answer_is(&m.plan, SMALL_API, "api.example.com 60 198.51.0.0 2001:db8::1 2001:db8::3");
    answer_is(&m.plan, SMALL_SPLIT, "split.example.com 60 198.51.0.4 198.51.0.5");
    answer_is(&m.plan, SMALL_NEAR, "near.example.com 60 198.51.0.6 198.51.0.7");
    maker_done(&m);
}
END_TEST

START_TEST(test_place_with_a_default)
{
    struct maker m = maker_small(1);
    uint32_t root = m.services[SMALL_NEAR].faces[IP_V4].choice;
    m.choices[root].otherwise = m.branches[m.choices[root].first + 1].choice;
    answer_is(&m.plan, SMALL_NEAR, "near.example.com 60 198.51.0.7");
    maker_done(&m);
}
END_TEST

/* At most eight, always the same ones, whatever the order. */
START_TEST(test_many)
{
    struct maker m = maker_init(64, 4096);
    maker_file(&m, PLAN_FILE_ZONE, "example.com", 1);
    uint32_t s = maker_service(&m, "m.example.com", 0), first = m.plan.endpoint_count;
    for (unsigned i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "e%u", i);
        maker_endpoint(&m, name, false);
    }
    maker_face(&m, s, IP_V4, FACE_NORMAL, maker_addresses(&m, first, 10, IP_V4));
    struct form_answer a, b;
    form_answer_of(&m.plan, s, &a);
    ck_assert_uint_eq(a.count[IP_V4], PLAN_MULTIVALUE_MAX);
    struct plan_address swap = m.addresses[0];
    m.addresses[0] = m.addresses[5];
    m.addresses[5] = swap;
    m.addresses[6] = m.addresses[5]; /* one twice: the ninth comes in */
    form_answer_of(&m.plan, s, &b);
    ck_assert_uint_eq(b.count[IP_V4], PLAN_MULTIVALUE_MAX);
    m.addresses[6] = m.addresses[7];
    maker_done(&m);
}
END_TEST

START_TEST(test_order_changes_nothing)
{
    struct maker m = maker_small(1);
    struct form_answer a, b;
    form_answer_of(&m.plan, SMALL_API, &a);
    uint32_t first = m.choices[m.services[SMALL_API].faces[IP_V6].choice].first;
    struct plan_address swap = m.addresses[first];
    m.addresses[first] = m.addresses[first + 1];
    m.addresses[first + 1] = swap;
    form_answer_of(&m.plan, SMALL_API, &b);
    ck_assert_mem_eq(&a, &b, sizeof a);
    m.services[SMALL_API].faces[IP_V6].ttl++; /* moves with health */
    form_answer_of(&m.plan, SMALL_API, &b);
    ck_assert_mem_eq(&a, &b, sizeof a);
    maker_done(&m);
}
END_TEST

/* Nothing by the operator's choice is nothing; a fallback name is a CNAME, but for a name where the
 * other family has addresses: there it keeps its own. */
START_TEST(test_all_down)
{
    struct maker m = maker_small(1);
    uint32_t nothing = maker_choice(&m, (struct plan_choice){.kind = CHOICE_NODATA});
    uint32_t cname = maker_choice(
        &m, (struct plan_choice){.kind = CHOICE_CNAME, .first = maker_wire(&m, "sorry.example")});
    maker_face(&m, SMALL_SPLIT, IP_V4, FACE_NODATA, nothing);
    answer_is(&m.plan, SMALL_SPLIT, "split.example.com 60");
    maker_face(&m, SMALL_SPLIT, IP_V4, FACE_FALLBACK, cname);
    answer_is(&m.plan, SMALL_SPLIT,
              "split.example.com 60 CNAME sorry.example 198.51.0.4 198.51.0.8");
    maker_face(&m, SMALL_API, IP_V4, FACE_FALLBACK, cname);
    answer_is(&m.plan, SMALL_API,
              "api.example.com 60 198.51.0.0 198.51.0.2 2001:db8::1 2001:db8::3");
    maker_done(&m);
}
END_TEST

/* ---- forms ---- */

static const char text[] = "$ORIGIN example.com.\n$TTL 300\n"
                           "@ SOA ns1.example.net. admin 7 3600 600 86400 60\n"
                           "@ NS ns1.example.net.\n"
                           "split TXT \"beside\"\n"
                           "sub NS ns.sub\nns.sub A 192.0.2.2\nx A 192.0.2.1\n";
static const char *const steered[] = {"api.example.com", "split.example.com", "near.example.com"};

static void answers_take(const struct plan *p, struct form_answer ret[static 3])
{
    for (uint32_t i = 0; i < 3; i++)
        form_answer_of(p, i, &ret[i]);
}

static struct fixture form_of(const struct fixture *zone, const struct form_answer *answers,
                              const struct zone_seal *seal)
{
    struct text problems = text_init(1 << 16);
    struct fixture f;
    int err = form_make(&zone->zone, answers, 3, seal, &problems, &f.data, &f.size);
    ck_assert_str_eq(text_string(&problems), "");
    ck_assert_int_eq(err, 0);
    ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    text_done(&problems);
    return f;
}

START_TEST(test_form)
{
    struct maker m = maker_small(1);
    struct fixture zone = fixture_steered(text, steered, 3);
    struct form_answer answers[3];
    uint32_t cname = maker_choice(
        &m, (struct plan_choice){.kind = CHOICE_CNAME, .first = maker_wire(&m, "sorry.example")});
    maker_face(&m, SMALL_NEAR, IP_V4, FACE_FALLBACK, cname);
    maker_face(&m, SMALL_SPLIT, IP_V4, FACE_FALLBACK, cname);
    answers_take(&m.plan, answers);
    struct fixture form = form_of(&zone, answers, NULL);
    struct text out = text_init(1 << 16);
    zone_dump(&form.zone, &out);
    ck_assert_str_eq(
        text_string(&out),
        "example.com. 300 IN SOA ns1.example.net. admin.example.com. 7 3600 600 86400 60\n"
        "example.com. 300 IN NS ns1.example.net.\n"
        "api.example.com. 60 IN A 198.51.0.0\n"
        "api.example.com. 60 IN AAAA 2001:db8::1\n"
        "api.example.com. 60 IN AAAA 2001:db8::3\n"
        "near.example.com. 60 IN CNAME sorry.example.\n"
        "split.example.com. 60 IN A 198.51.0.4\n"
        "split.example.com. 60 IN A 198.51.0.8\n"
        "split.example.com. 300 IN TXT \"beside\"\n"
        "sub.example.com. 300 IN NS ns.sub.example.com.\n"
        "ns.sub.example.com. 300 IN A 192.0.2.2\n"
        "x.example.com. 300 IN A 192.0.2.1\n");
    ck_assert_uint_eq(form.zone.header->steered_count, 0);
    text_done(&out);
    fixture_done(&form);
    fixture_done(&zone);
    maker_done(&m);
}
END_TEST

/* Sets that the zone has too are not signed again, and of a form only what another one changed; its
 * NSEC records say what is in it. */
START_TEST(test_signed_form)
{
    enum { NOW = 1700000000, DAY = 86400 };
    struct dnssec_key *key;
    ck_assert_int_eq(
        dnssec_key_generate(DNSSEC_ECDSAP256SHA256, DNSSEC_FLAG_ZONE | DNSSEC_FLAG_SEP, &key), 0);
    struct dnssec_zone_keys keys = {.published = &key,
                                    .published_count = 1,
                                    .key_signers = &key,
                                    .key_signer_count = 1,
                                    .zone_signers = &key,
                                    .zone_signer_count = 1,
                                    .dnskey_ttl = 3600,
                                    .now = NOW,
                                    .lifetime = 14 * DAY,
                                    .refresh = 7 * DAY,
                                    .jitter = DAY};
    struct zone_sign sign = {.keys = &keys};
    struct zone_seal seal = zone_sign_seal(&sign);
    struct text problems = text_init(1 << 16), out = text_init(1 << 16);
    uint8_t names[3][DNAME_MAX];
    const uint8_t *list[3] = {names[0], names[1], names[2]};
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_gt(dname_parse(steered[i], strlen(steered[i]), NULL, names[i]), 0);
    struct fixture zone;
    ck_assert_int_eq(zone_compile_sealed("example.com", "z", text, strlen(text), list, 3, NULL,
                                         NULL, &seal, NULL, &problems, &zone.data, &zone.size),
                     0);
    ck_assert_int_eq(zone_open(zone.data, zone.size, &zone.zone), 0);

    struct maker m = maker_small(1);
    struct form_answer answers[3];
    answers_take(&m.plan, answers);
    struct zone_sign first = {.keys = &keys, .previous = &zone.zone};
    seal = zone_sign_seal(&first);
    struct fixture form = form_of(&zone, answers, &seal);
    ck_assert_uint_eq(first.made, 4 + 2); /* the addresses; split and near have no AAAA any more */
    zone_dump(&form.zone, &out);
    ck_assert(strstr(text_string(&out),
                     "split.example.com. 60 IN NSEC sub.example.com. A TXT RRSIG NSEC\n"));

    struct fixture again = form_of(&zone, answers, &seal);
    maker_face(&m, SMALL_API, IP_V6, FACE_NORMAL,
               maker_addresses(&m, m.services[SMALL_API].endpoint_first, 1, IP_V6));
    answers_take(&m.plan, answers);
    struct zone_sign second = {.keys = &keys, .previous = &zone.zone, .lender = &form.zone};
    seal = zone_sign_seal(&second);
    struct fixture other = form_of(&zone, answers, &seal);
    ck_assert_uint_eq(second.made, 1);
    ck_assert_uint_gt(second.reused, 10);

    fixture_done(&other);
    fixture_done(&again);
    fixture_done(&form);
    fixture_done(&zone);
    dnssec_key_free(key);
    maker_done(&m);
    text_done(&problems);
    text_done(&out);
}
END_TEST

CHECK_MAIN("zone_form", test_policies, test_place_with_a_default, test_many,
           test_order_changes_nothing, test_all_down, test_form, test_signed_form)
