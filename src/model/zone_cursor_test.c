#include "base/random.h"
#include "model/zone_cursor.h"
#include "model/zone_fixture.h"
#include "test/check_main.h"
#include <string.h>

#define HEAD "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns.example.net.\n"

static unsigned records(const struct zone *z)
{
    struct zone_cursor c;
    unsigned count = 0;
    for (zone_cursor_init(&c, z); !c.ended; zone_cursor_next(&c))
        count++;
    return count;
}

/* How many records of `mine` the other lacks. */
static unsigned lacking(const struct zone *mine, const struct zone *other)
{
    struct zone_cursor a, b;
    unsigned count = 0;
    zone_cursor_init(&a, mine);
    zone_cursor_init(&b, other);
    while (!a.ended) {
        int order = zone_cursor_compare(&a, &b);
        ck_assert_int_eq(order<0, zone_cursor_compare(&b, &a)> 0);
        count += order < 0;
        if (order <= 0)
            zone_cursor_next(&a);
        if (order >= 0 && !b.ended)
            zone_cursor_next(&b);
    }
    return count;
}

/* Every record once, in the order of the walk, empty non-terminals and glue included. */
START_TEST(test_walk)
{
    struct fixture f = fixture_new(HEAD "a.b.c 1 A 192.0.2.1\na.b.c 1 A 192.0.2.2\nsub 1 NS x.sub\n"
                                        "x.sub 1 A 192.0.2.3\n*.w 1 TXT x\n");
    struct zone_cursor c, before;
    ck_assert_uint_eq(records(&f.zone), 7);
    zone_cursor_init(&c, &f.zone);
    ck_assert_uint_eq(c.type, DNS_NS); /* by type: NS, SOA */
    for (before = c, zone_cursor_next(&c); !c.ended; before = c, zone_cursor_next(&c))
        ck_assert_int_lt(zone_cursor_compare(&before, &c), 0);
    ck_assert_int_gt(zone_cursor_compare(&c, &before), 0); /* the end comes last */
    fixture_done(&f);
}
END_TEST

START_TEST(test_differences)
{
    static const char *const others[] = {HEAD "a 60 A 192.0.2.1\n", HEAD "a 61 A 192.0.2.1\n",
                                         HEAD "a 60 A 192.0.2.2\n", HEAD "a 60 TXT x\n", HEAD};
    struct fixture f = fixture_new(others[0]);
    for (unsigned i = 0; i < 5; i++) {
        struct fixture g = fixture_new(others[i]);
        ck_assert_uint_eq(lacking(&f.zone, &g.zone), i > 0);
        ck_assert_uint_eq(lacking(&g.zone, &f.zone), i > 0 && i < 4);
        fixture_done(&g);
    }
    fixture_done(&f);
}
END_TEST

enum { LINES = 48 };

static struct fixture random_zone(struct random *random, bool has[static LINES])
{
    char text[4096] = HEAD;
    for (unsigned i = 0; i < LINES; i++) {
        char line[64];
        has[i] = random_below(random, 2);
        snprintf(
            line, sizeof line, "n%u.m%u 60 %s\n", i % 7, i % 3,
            (const char *[]){"A 192.0.2.1", "A 192.0.2.2", "TXT x", "MX 1 a", "MX 1 b"}[i % 5]);
        size_t length = strlen(text);
        if (has[i])
            snprintf(text + length, sizeof text - length, "%s", line);
    }
    return fixture_new(text);
}

/* The lines are all different (7, 3 and 5 have no common factor and 48 is below their product). */
START_TEST(test_random_differences)
{
    struct random random = random_init(7);
    for (unsigned round = 0; round < 200; round++) {
        bool in_f[LINES], in_g[LINES];
        unsigned only_f = 0, only_g = 0;
        struct fixture f = random_zone(&random, in_f), g = random_zone(&random, in_g);
        for (unsigned i = 0; i < LINES; i++) {
            only_f += in_f[i] && !in_g[i];
            only_g += in_g[i] && !in_f[i];
        }
        ck_assert_uint_eq(lacking(&f.zone, &g.zone), only_f);
        ck_assert_uint_eq(lacking(&g.zone, &f.zone), only_g);
        fixture_done(&f);
        fixture_done(&g);
    }
}
END_TEST

CHECK_MAIN("zone_cursor", test_walk, test_differences, test_random_differences)
