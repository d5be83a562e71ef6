#include "prog/load_catalog.h"

#include "model/zone_held_fixture.h"
#include "model/zone_held_io.h"
#include "test/check_main.h"
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char file[] = "node: {name: n, site: s, network: AS64500}\n"
                           "zones:\n"
                           "  - {name: own.example, file: f}\n"
                           "  - name: a.example\n"
                           "    catalog: consume\n"
                           "    primaries: 192.0.2.1\n"
                           "    expire: keep\n"
                           "    catalog_groups: {eu: {dnssec: on}, us: {primaries: 192.0.2.9}}\n"
                           "  - {name: b.example, catalog: consume, primaries: 192.0.2.2}\n";

static char data[64];
static struct text problems;

static void folder_make(void)
{
    snprintf(data, sizeof data, "/tmp/catalogs-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(data));
    problems = text_init(100000);
}

static int each_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void folder_remove(void)
{
    ck_assert_int_eq(nftw(data, each_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
    text_done(&problems);
}

/* What a primary sent; lines of properties have absolute owners. */
static void held_put(const char *zone, const char *lines)
{
    struct held_list l = {0};
    held_list_lines(&l, lines);
    ck_assert_int_eq(zone_held_replace(data, zone, &l, 0, &problems), 0);
    held_list_done(&l);
}

#define HEAD(zone)                                            \
    zone ". 1 SOA a. b. 1 2 3 4 5\n" zone ". 1 NS invalid.\n" \
         "version." zone ". 1 TXT \"2\"\n"
#define MEMBER(zone, label, name) label ".zones." zone ". 1 PTR " name ".\n"

/* The configuration with its members; committed where `commit`. */
static struct config *loaded(bool commit, const char *accept)
{
    struct config *c;
    const struct load_request r = {
        .data = data, .accept_shrink = &accept, .accept_shrink_count = accept != NULL};
    ck_assert_int_eq(config_parse("x", file, sizeof file - 1, NULL, &problems, &c), 0);
    struct load_catalogs *l = load_catalogs_open(&r, c, &problems);
    ck_assert_ptr_nonnull(l);
    if (commit)
        load_catalogs_commit(l);
    load_catalogs_close(l);
    return c;
}

static const struct config_zone *zone_of(const struct config *c, const char *name)
{
    int zone = config_zone_find(c, name);
    return zone == CONFIG_NONE ? NULL : &c->zones[zone];
}

START_TEST(test_members_and_groups)
{
    folder_make();
    struct config *c = loaded(true, NULL); /* nothing is held yet */
    ck_assert_uint_eq(c->zone_count, 3);
    config_free(c);
    held_put("a.example",
             HEAD("a.example") MEMBER("a.example", "x", "m.example") MEMBER(
                 "a.example", "y", "eu.example") MEMBER("a.example", "z", "us.example")
                 MEMBER("a.example", "o", "own.example") "group.y.zones.a.example. 1 TXT \"EU\"\n"
                                                         "group.z.zones.a.example. 1 TXT \"zz\"\n"
                                                         "group.z.zones.a.example. 1 TXT \"us\"\n");
    c = loaded(true, NULL);
    const struct config_zone *m = zone_of(c, "m.example"), *eu = zone_of(c, "eu.example"),
                             *us = zone_of(c, "us.example");
    ck_assert_uint_eq(c->zone_count, 6);
    ck_assert(m->primary_count && !m->dnssec.on && m->expire_keep && !m->catalog_consume);
    ck_assert(eu->dnssec.on && eu->expire_keep && !eu->group_count);
    ck_assert_int_eq(us->primaries[0].ip.bytes[3], 9);
    ck_assert_ptr_nonnull(strstr(text_string(&problems), "own.example is a zone of the conf"));
    ck_assert(!zone_of(c, "own.example")->primary_count);
    config_free(c);
    /* broken: all stays, groups too */
    held_put("a.example", "a.example. 1 SOA a. b. 2 2 3 4 5\na.example. 1 NS invalid.\n");
    c = loaded(true, NULL);
    ck_assert_uint_eq(c->zone_count, 6);
    ck_assert(zone_of(c, "eu.example")->dnssec.on);
    config_free(c);
    folder_remove();
}
END_TEST

START_TEST(test_owners_and_labels)
{
    folder_make();
    held_put("a.example", HEAD("a.example") MEMBER("a.example", "x", "m.example"));
    config_free(loaded(true, NULL));
    held_put("m.example", "m.example. 1 SOA a. b. 1 2 3 4 5\nm.example. 1 NS ns.\n");
    /* another catalog that lists it, too, has no say */
    held_put("b.example", HEAD("b.example") MEMBER("b.example", "x", "m.example"));
    struct config *c = loaded(true, NULL);
    ck_assert_int_eq(zone_of(c, "m.example")->primaries[0].ip.bytes[3], 1);
    config_free(c);
    /* until its own gives it away; under the same label it is the same zone (RFC 9432 4.4.1) */
    held_put("a.example",
             HEAD("a.example")
                 MEMBER("a.example", "x", "m.example") "coo.x.zones.a.example. 1 PTR b.example.\n");
    c = loaded(true, NULL);
    ck_assert_int_eq(zone_of(c, "m.example")->primaries[0].ip.bytes[3], 2);
    ck_assert(zone_held_exists(data, "m.example"));
    config_free(c);
    held_put("a.example", HEAD("a.example"));
    c = loaded(true, NULL);
    ck_assert_int_eq(zone_of(c, "m.example")->primaries[0].ip.bytes[3], 2);
    ck_assert(zone_held_exists(data, "m.example"));
    config_free(c);
    /* another label: another zone of that name (5.4) */
    held_put("b.example", HEAD("b.example") MEMBER("b.example", "x2", "m.example"));
    c = loaded(true, NULL);
    ck_assert(zone_of(c, "m.example") && !zone_held_exists(data, "m.example"));
    config_free(c);
    /* listed no more: what was held goes, once that is in use */
    held_put("m.example", "m.example. 1 SOA a. b. 1 2 3 4 5\nm.example. 1 NS ns.\n");
    held_put("b.example", HEAD("b.example"));
    config_free(loaded(false, NULL));
    ck_assert(zone_held_exists(data, "m.example"));
    c = loaded(true, NULL);
    ck_assert(!zone_of(c, "m.example") && !zone_held_exists(data, "m.example"));
    config_free(c);
    folder_remove();
}
END_TEST

/* L3: a third of the members is not lost because a list was cut. */
START_TEST(test_a_third_less)
{
    struct text lines = text_init(10000);
    folder_make();
    text_append(&lines, HEAD("a.example"));
    for (unsigned i = 0; i < 9; i++)
        text_appendf(&lines, "l%u.zones.a.example. 1 PTR m%u.example.\n", i, i);
    held_put("a.example", text_string(&lines));
    config_free(loaded(true, NULL));
    text_reset(&lines);
    text_append(&lines, HEAD("a.example"));
    for (unsigned i = 0; i < 6; i++)
        text_appendf(&lines, "l%u.zones.a.example. 1 PTR m%u.example.\n", i, i);
    held_put("a.example", text_string(&lines));
    for (unsigned round = 0; round < 2; round++) {
        struct config *c = loaded(true, NULL);
        ck_assert_uint_eq(c->zone_count, 3 + 9);
        config_free(c);
    }
    ck_assert_ptr_nonnull(strstr(text_string(&problems), "would lose 3 of its 9 members"));
    struct config *c = loaded(true, "a.example");
    ck_assert_uint_eq(c->zone_count, 3 + 6);
    config_free(c);
    text_done(&lines);
    folder_remove();
}
END_TEST

CHECK_MAIN("load_catalog", test_members_and_groups, test_owners_and_labels, test_a_third_less)
