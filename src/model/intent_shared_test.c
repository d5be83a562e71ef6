/* Checks, services, zones and records that nodes share. */
#include "base/err.h"
#include "model/intent.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

#define SOA "{\"ttl\": 3600, \"values\": [\"ns1 hostmaster 41 7200 900 1209600 300\"]}"
#define A1  "{\"ttl\": 300, \"values\": [\"192.0.2.1\"]}"
#define A2  "{\"ttl\": 300, \"values\": [\"192.0.2.2\"]}"

static struct intent intent; /* of the one test of this process */
static char said[4096];

static int apply(const struct intent_edit *edits, unsigned count)
{
    struct text why = text_init(sizeof said - 1);
    struct intent next;
    struct intent_request r = {
        .author = "uid 0", .wall_ms = 1000, .edits = edits, .edit_count = count};
    int err = intent_apply(&intent, &r, &next, &why);
    snprintf(said, sizeof said, "%s", text_string(&why));
    text_done(&why);
    if (err)
        return err;
    intent_done(&intent);
    intent = next;
    return 0;
}

static int put(enum intent_kind kind, const char *name, const char *value)
{
    struct intent_edit e = {kind, name, value};
    return apply(&e, 1);
}

static void zone_make(void)
{
    const struct intent_edit edits[] = {
        {INTENT_ZONE, "example.com", "{}"},
        {INTENT_RECORDS, "example.com example.com SOA", SOA},
        {INTENT_RECORDS, "example.com example.com NS", "{\"ttl\": 60, \"values\": [\"ns1\"]}"},
        {INTENT_RECORDS, "example.com ns1.example.com A", A1},
    };
    ck_assert_int_eq(apply(edits, array_length(edits)), 0);
}

static char *zone_text(void)
{
    struct text out = text_init(1 << 16);
    ck_assert(intent_zone_text(&intent, "example.com", &out));
    char *copy = mem_string(text_string(&out));
    text_done(&out);
    return copy;
}

START_TEST(test_zone_text)
{
    zone_make();
    char *text = zone_text();
    ck_assert_str_eq(text,
                     "; shared among the nodes: change it with holdfast record\n"
                     "$ORIGIN example.com.\n"
                     "example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. 42 7200 "
                     "900 1209600 300\n"
                     "example.com. 60 IN NS ns1\n"
                     "ns1.example.com. 300 IN A 192.0.2.1\n");
    free(text);
}
END_TEST

/* The serial moves with every change of the zone, whatever was left out in between, and only with
 * those. */
START_TEST(test_serial)
{
    zone_make();
    ck_assert_int_eq(put(INTENT_RECORDS, "example.com www.example.com A", A2), 0); /* 2 */
    ck_assert_int_eq(put(INTENT_CHECK, "web", "{\"tcp\": 443}"), 0);               /* 3 */
    ck_assert_uint_eq(intent_find(&intent, INTENT_ZONE, "example.com")->touched, 2);
    ck_assert_int_eq(put(INTENT_RECORDS, "example.com www.example.com A", NULL), 0); /* 4 */
    char *text = zone_text();
    ck_assert_ptr_nonnull(strstr(text, " 45 7200 "));
    ck_assert_ptr_null(strstr(text, "www"));
    free(text);
    /* and it is kept with the zone */
    char *json = intent_encode(&intent);
    struct intent again;
    const char *why;
    ck_assert_int_eq(intent_decode(json, strlen(json), &again, &why), 0);
    ck_assert_uint_eq(intent_find(&again, INTENT_ZONE, "example.com")->touched, 4);
    ck_assert(intent_shares_alike(&intent, &again));
    intent_done(&again);
    free(json);
}
END_TEST

START_TEST(test_zone_without_soa)
{
    struct text out = text_init(1 << 16);
    ck_assert_int_eq(put(INTENT_ZONE, "example.com", "{}"), 0);
    ck_assert(!intent_zone_text(&intent, "example.com", &out));
    text_done(&out);
}
END_TEST

/* Names with "/" in them, and zones whose names begin alike. */
START_TEST(test_neighbours)
{
    const struct intent_edit edits[] = {
        {INTENT_ZONE, "0/25.2.0.192.in-addr.arpa", "{}"},
        {INTENT_ZONE, "example.com", "{}"},
        {INTENT_ZONE, "example.com.au", "{}"},
        {INTENT_RECORDS, "0/25.2.0.192.in-addr.arpa 1.0/25.2.0.192.in-addr.arpa PTR",
         "{\"ttl\": 1, \"values\": [\"a.example.com.\"]}"},
        {INTENT_RECORDS, "example.com example.com SOA", SOA},
        {INTENT_RECORDS, "example.com.au www.example.com.au A", A2},
        {INTENT_RECORDS, "example.com www.example.com A", A1},
    };
    ck_assert_int_eq(apply(edits, array_length(edits)), 0);
    char *text = zone_text();
    ck_assert_ptr_nonnull(strstr(text, "www.example.com. 300 IN A 192.0.2.1\n"));
    ck_assert_ptr_null(strstr(text, "192.0.2.2"));
    free(text);
}
END_TEST

START_TEST(test_refused)
{
    static const struct {
        enum intent_kind kind;
        const char *name, *value, *said;
    } cases[] = {
        {INTENT_ZONE, "Example.com", "{}", "lower case"},
        {INTENT_ZONE, "example.com.", "{}", "dot at its end"},
        {INTENT_ZONE, "example.com", "[]", "JSON object"},
        {INTENT_CHECK, "-x", "{}", "letters"},
        {INTENT_SERVICE, "a..b", "{}", "domain name"},
        {INTENT_RECORDS, "example.com www.example.com", A1, "ZONE OWNER TYPE"},
        {INTENT_RECORDS, "example.com www.example.com a", A1, "ZONE OWNER TYPE"},
        {INTENT_RECORDS, "example.com www.example.com AXFR", A1, "ZONE OWNER TYPE"},
        {INTENT_RECORDS, "example.com www.example.org A", A1, "not in its zone"},
        {INTENT_RECORDS, "example.net www.example.net A", A1, "not shared"},
        {INTENT_RECORDS, "example.com a.example.com A",
         "{\"ttl\": -1, \"values\": [\"192.0.2.1\"]}", "seconds"},
        {INTENT_RECORDS, "example.com a.example.com A", "{\"ttl\": 1, \"values\": []}",
         "1 to 1000"},
        {INTENT_RECORDS, "example.com a.example.com A", "{\"ttl\": 1, \"values\": [\"192.0.2\"]}",
         "master file"},
        {INTENT_RECORDS, "example.com a.example.com A",
         "{\"ttl\": 1, \"values\": [\"192.0.2.1\\n$INCLUDE /etc/passwd\"]}", "master file"},
        {INTENT_RECORDS, "example.com a.example.com TXT", "{\"ttl\": 1, \"values\": [\"( open\"]}",
         "master file"},
        {INTENT_RECORDS, "example.com a.example.com A",
         "{\"ttl\": 1, \"values\": [\"192.0.2.1 192.0.2.2\"]}", "master file"},
    };
    zone_make();
    for (size_t i = 0; i < array_length(cases); i++) {
        ck_assert_msg(put(cases[i].kind, cases[i].name, cases[i].value) < 0, "%s", cases[i].name);
        ck_assert_msg(strstr(said, cases[i].said) != NULL, "%s: %s", cases[i].name, said);
    }
    ck_assert_uint_eq(intent.version, 1);
    /* a zone goes with all its records, or not at all */
    ck_assert_int_eq(put(INTENT_ZONE, "example.com", NULL), ERR_MISSING);
}
END_TEST

START_TEST(test_parts)
{
    struct arena arena = arena_init();
    zone_make();
    ck_assert_int_eq(put(INTENT_CHECK, "web", "{\"tcp\": 443}"), 0);
    ck_assert_int_eq(put(INTENT_PANEL, "p", "{}"), 0);
    struct config_parts parts = intent_parts(&intent, &arena);
    ck_assert_uint_eq(parts.count, 2);
    ck_assert_int_eq(parts.list[0].kind, PART_ZONE);
    ck_assert_str_eq(parts.list[0].name, "example.com");
    ck_assert_int_eq(parts.list[1].kind, PART_CHECK);
    ck_assert_str_eq(parts.list[1].value, "{\"tcp\":443}");
    arena_done(&arena);
}
END_TEST

START_TEST(test_shares_alike)
{
    struct intent before;
    struct text why = text_init(100);
    struct intent_edit panel = {INTENT_PANEL, "p", "{}"};
    struct intent_request r = {.author = "x", .wall_ms = 1, .edits = &panel, .edit_count = 1};
    zone_make();
    ck_assert_int_eq(intent_apply(&intent, &r, &before, &why), 0);
    ck_assert(intent_shares_alike(&intent, &before));
    ck_assert_int_eq(put(INTENT_RECORDS, "example.com ns1.example.com A", A2), 0);
    ck_assert(!intent_shares_alike(&intent, &before));
    intent_done(&before);
    text_done(&why);
}
END_TEST

CHECK_MAIN("intent_shared", test_zone_text, test_serial, test_zone_without_soa, test_neighbours,
           test_refused, test_parts, test_shares_alike)
