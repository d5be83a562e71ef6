/* ALIAS records: what a zone makes of them. */
#include "base/ip.h"
#include "model/zone_cursor.h"
#include "model/zone_fixture.h"
#include "model/zone_walk.h"
#include "test/check_main.h"
#include <errno.h>

#define HEAD "@ 300 SOA ns1 host 1 2 3 4 60\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n"

/* A node with this zone, a service and another zone. */
struct place {
    struct zone_alias_source source;
    struct fixture other;
    bool later;
};

static enum zone_alias_place find(void *context, const uint8_t *name, unsigned *ret_families,
                                  struct zone *ret_zone)
{
    struct place *p = context;
    char text[DNAME_TEXT_MAX];
    dname_format(name, text);
    if (!strncmp(text, "api.", 4)) {
        *ret_families = 1u << IP_V6;
        return ALIAS_STEERED;
    }
    if (strstr(text, "other.")) {
        *ret_zone = p->other.zone;
        return p->later ? ALIAS_LATER : ALIAS_OTHER;
    }
    return strstr(text, "example.com") ? ALIAS_OWN : ALIAS_NOWHERE;
}

/* Compiles; the problems, and the zone where there are none. */
static int made(struct place *p, const char *records, struct text *problems, struct fixture *ret)
{
    struct text zone = text_init(1 << 16);
    text_appendf(&zone, "%s%s", HEAD, records);
    p->source.find = find;
    p->source.context = p;
    int err = zone_compile_sealed("example.com", "z", text_string(&zone), zone.length, NULL, 0,
                                  NULL, NULL, NULL, &p->source, problems, &ret->data, &ret->size);
    if (!err)
        ck_assert_int_eq(zone_open(ret->data, ret->size, &ret->zone), 0);
    text_done(&zone);
    return err;
}

static void shown(const struct fixture *f, const char *name, uint16_t type, uint32_t ttl,
                  unsigned count)
{
    const struct zone_node *n = fixture_node(f, name);
    ck_assert_ptr_nonnull(n);
    const struct zone_set *s = zone_node_set(n, type);
    ck_assert_msg(s && s->ttl == ttl && s->record_count == count, "%s %u", name, type);
}

START_TEST(test_addresses)
{
    struct place p = {.later = false};
    struct text problems = text_init(1 << 16);
    struct fixture f;
    p.other = fixture_new(HEAD "x.other 50 A 192.0.2.9\ny.other 70 CNAME x.other\n"
                               "z.other 70 CNAME www\n");
    ck_assert_int_eq(made(&p,
                          "www 200 A 192.0.2.1\nwww 200 A 192.0.2.2\nwww 100 AAAA ::1\n"
                          "a 150 ALIAS www\nb 90 ALIAS c\nc CNAME www\nd 300 ANAME a\n"
                          "@ 300 ALIAS y.other\ne 300 ALIAS z.other\n*.w 10 ALIAS www\n",
                          &problems, &f),
                     0);
    ck_assert_str_eq(text_string(&problems), "");
    ck_assert(p.source.other && !p.source.later);
    shown(&f, "a", DNS_A, 150, 2);
    shown(&f, "a", DNS_AAAA, 100, 1);
    shown(&f, "b", DNS_A, 90, 2);
    shown(&f, "d", DNS_A, 200, 2);
    shown(&f, "example.com.", DNS_A, 50, 1);
    shown(&f, "e", DNS_A, 200, 2);
    shown(&f, "*.w", DNS_A, 10, 2);
    ck_assert_uint_eq(f.zone.header->steered_count, 0);
    for (const struct zone_node *n = zone_node_at(&f.zone, f.zone.header->apex); n;
         n = zone_node_next(&f.zone, n))
        ck_assert_ptr_null(zone_node_set(n, DNS_ALIAS));
    fixture_done(&p.other);
    fixture_done(&f);
    text_done(&problems);
}
END_TEST

/* Bound to a service: steered, and the record is kept for those who make plans and hidden from all
 * others. */
START_TEST(test_services)
{
    struct place p = {.later = false};
    struct text problems = text_init(1 << 16);
    struct fixture f;
    const uint8_t *owner, *service;
    uint32_t position = 0;
    char text[DNAME_TEXT_MAX];
    ck_assert_int_eq(
        made(&p, "@ 300 ALIAS api.example.net.\nx 300 ALIAS y\ny CNAME api\n", &problems, &f), 0);
    ck_assert_uint_eq(f.zone.header->steered_count, 2);
    ck_assert(zone_alias_next(&f.zone, &position, &owner, &service));
    ck_assert_str_eq(dname_format(owner, text), "example.com");
    ck_assert_str_eq(dname_format(service, text), "api.example.net");
    ck_assert(zone_alias_next(&f.zone, &position, &owner, &service));
    ck_assert_str_eq(dname_format(owner, text), "x.example.com");
    ck_assert_str_eq(dname_format(service, text), "api.example.com");
    ck_assert(!zone_alias_next(&f.zone, &position, &owner, &service));
    struct zone_cursor c;
    unsigned records = 0;
    for (zone_cursor_init(&c, &f.zone); !c.ended; zone_cursor_next(&c), records++)
        ck_assert_uint_ne(c.type, DNS_ALIAS);
    ck_assert_uint_eq(records, 4);
    fixture_done(&f);
    text_done(&problems);
}
END_TEST

/* A file alone, with the names that are known to be steered: as `zone diff` reads it. */
START_TEST(test_without_a_node)
{
    static const char *const steered[] = {"api.example.com"};
    struct fixture f =
        fixture_steered(HEAD "@ 300 ALIAS api\nx 300 ALIAS www.example.org.\n", steered, 1);
    const uint8_t *owner, *service;
    uint32_t position = 0;
    ck_assert_uint_eq(f.zone.header->steered_count, 3);
    ck_assert(zone_alias_next(&f.zone, &position, &owner, &service));
    ck_assert(zone_alias_next(&f.zone, &position, &owner, &service));
    ck_assert(!zone_alias_next(&f.zone, &position, &owner, &service));
    fixture_done(&f);
}
END_TEST

START_TEST(test_problems)
{
    static const struct {
        const char *records, *says;
    } wrong[] = {
        {"@ 1 ALIAS www.example.org.\n", "z:4:1: example.com has an ALIAS record onto "
                                         "www.example.org, which lies in no zone of this node"},
        {"@ 1 ALIAS www\n", "www.example.com, which is no service and not in the zone"},
        {"@ 1 ALIAS txt\ntxt 1 TXT a\n", "which has no address"},
        {"@ 1 ALIAS ns1\n@ 1 A 192.0.2.1\n", "so it can have no other addresses"},
        {"a 1 ALIAS ns1\na 1 CNAME b\n", "so it can have no other addresses"},
        {"@ 1 ALIAS ns1\n@ 1 ALIAS api\n", "so it can have no other addresses"},
        {"@ 1 ALIAS api\n@ 1 AAAA ::1\n", "so it can have no other addresses"},
        {"a 1 ALIAS b\nb 1 ALIAS a\n", "aliases of aliases are followed 16 times"},
        {"a 1 ALIAS a\n", "aliases of aliases are followed 16 times"},
        {"@ 1 ALIAS nosuch.other\n", "which is no service and not in its zone"},
        {"@ 1 ALIAS sub.other\n", "which its zone delegates to other name servers"},
        {"sub 1 NS ns1\nsub 1 ALIAS api\n", "the zone delegates it"},
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        struct place p = {.later = false};
        struct text problems = text_init(1 << 16);
        struct fixture f;
        p.other = fixture_new(HEAD "sub.other 1 NS ns1\n");
        ck_assert_int_eq(made(&p, wrong[i].records, &problems, &f), ERR_INVALID);
        ck_assert_msg(strstr(text_string(&problems), wrong[i].says), "%s: %s", wrong[i].records,
                      text_string(&problems));
        fixture_done(&p.other);
        text_done(&problems);
    }
}
END_TEST

START_TEST(test_later)
{
    struct place p = {.later = true};
    struct text problems = text_init(1 << 16);
    struct fixture f;
    ck_assert_int_eq(made(&p, "@ 1 ALIAS x.other\na 1 ALIAS nosuch\n", &problems, &f), -EAGAIN);
    ck_assert(p.source.later && p.source.other);
    ck_assert_str_eq(text_string(&problems), "");
    text_done(&problems);
}
END_TEST

CHECK_MAIN("zone_alias", test_addresses, test_services, test_without_a_node, test_problems,
           test_later)
