#include "base/memory.h"
#include "model/snapshot_maker.h"
#include "serve/dns/steer.h"
#include "test/check_main.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(text, &ip), 0);
    return ip;
}

static void map_add(struct netmap_builder *b, const char *prefix, uint32_t key)
{
    struct ip_prefix p;
    ck_assert_int_eq(ip_prefix_parse(prefix, &p), 0);
    netmap_builder_add(b, &p, key);
}

static const struct ip nobody = {.family = IP_V4};

/* One weighted choice over `count` choices of one address each. */
static uint32_t weighted(struct maker *m, const uint32_t *weights, uint32_t count)
{
    uint32_t first_endpoint = 0, end = 0, children[8];
    maker_service(m, "w.example", PLAN_NONE);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t e = maker_endpoint(m, "e", false);
        first_endpoint = i ? first_endpoint : e;
    }
    for (uint32_t i = 0; i < count; i++)
        children[i] = maker_addresses(m, first_endpoint + i, 1, IP_V4);
    uint32_t first = m->plan.branch_count;
    for (uint32_t i = 0; i < count; i++)
        maker_branch(m, end += weights[i], children[i]);
    return maker_choice(m,
                        (struct plan_choice){
                            .kind = CHOICE_WEIGHTED, .first = first, .count = count, .total = end});
}

/* Pearson's statistic against the 99.9 % quantile: a wrong distribution fails by orders of
 * magnitude, and the seed is fixed, so the test cannot flicker. */
START_TEST(test_weights_are_kept)
{
    static const uint32_t weights[5] = {1, 2, 3, 4, 245};
    enum { DRAWS = 200000, SUM = 255 };
    static const double quantile_4_degrees = 18.47;
    struct maker m = maker_init(32, 1024);
    uint32_t root = weighted(&m, weights, 5), counts[5] = {0};
    struct steer s = {&m.plan, NULL};
    struct random random = random_init(7);
    for (int i = 0; i < DRAWS; i++) {
        struct steer_answer a;
        struct steer_trace t;
        steer_pick(&s, root, &nobody, &random, &a, &t);
        ck_assert_int_eq(a.kind, STEER_ADDRESSES);
        ck_assert_uint_eq(t.count, 2);
        ck_assert_uint_lt(t.steps[0].draw, SUM);
        counts[t.steps[0].branch - m.choices[root].first]++;
    }
    double x = 0;
    for (int i = 0; i < 5; i++) {
        double expected = (double)DRAWS * weights[i] / SUM, d = counts[i] - expected;
        x += d * d / expected;
    }
    ck_assert_msg(x < quantile_4_degrees, "chi-square %f", x);
    maker_done(&m);
}
END_TEST

START_TEST(test_weight_zero_is_never_drawn)
{
    static const uint32_t weights[4] = {0, 5, 0, 5};
    struct maker m = maker_init(32, 1024);
    uint32_t root = weighted(&m, weights, 4), first = m.choices[root].first;
    struct steer s = {&m.plan, NULL};
    struct random random = random_init(1);
    for (int i = 0; i < 10000; i++) {
        struct steer_answer a;
        struct steer_trace t;
        steer_pick(&s, root, &nobody, &random, &a, &t);
        uint32_t taken = t.steps[0].branch - first;
        ck_assert(taken == 1 || taken == 3);
        ck_assert(taken == 1 ? t.steps[0].draw < 5 : t.steps[0].draw >= 5);
        ck_assert_uint_eq(a.choice, m.branches[first + taken].choice);
    }
    maker_done(&m);
}
END_TEST

/* Every start comes up about as often, and never more than `pick` are sent. */
static void rotation_check(uint32_t count, uint16_t pick, uint32_t expected_count)
{
    enum { DRAWS = 24000 };
    struct maker m = maker_init(64, 2048);
    maker_service(&m, "r.example", PLAN_NONE);
    for (uint32_t i = 0; i < count; i++)
        maker_endpoint(&m, "e", false);
    uint32_t root = maker_addresses(&m, 0, count, IP_V4), starts[32] = {0};
    m.choices[root].pick = pick;
    struct steer s = {&m.plan, NULL};
    struct random random = random_init(3);
    for (int i = 0; i < DRAWS; i++) {
        struct steer_answer a;
        steer_pick(&s, root, &nobody, &random, &a, NULL);
        ck_assert_int_eq(a.kind, STEER_ADDRESSES);
        ck_assert_uint_eq(a.count, expected_count);
        ck_assert_uint_lt(a.start, count);
        ck_assert_uint_eq(a.choice, root);
        starts[a.start]++;
    }
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_gt(starts[i], DRAWS / count * 8 / 10);
    maker_done(&m);
}

START_TEST(test_rotation_and_multivalue)
{
    rotation_check(1, 8, 1);
    rotation_check(3, 65535, 3); /* simple: all, rotated */
    rotation_check(12, PLAN_MULTIVALUE_MAX, 8);
    rotation_check(8, PLAN_MULTIVALUE_MAX, 8);
    rotation_check(12, 1, 1);
}
END_TEST

/* A map with two rows (Europe, and a network inside it) and a branch for each. */
struct geo {
    struct maker m;
    uint8_t *bytes;
    struct netmap map;
    const struct netmap *maps[2];
    struct steer s;
    uint32_t root, europe, inside, otherwise;
};

static void geo_init(struct geo *g)
{
    g->m = maker_init(64, 2048);
    struct netmap_builder *b = netmap_builder_new();
    size_t size;
    map_add(b, "10.0.0.0/8", 1);
    map_add(b, "10.20.0.0/16", 2);
    map_add(b, "2001:db8::/32", 1);
    g->bytes = netmap_builder_finish(b, &size);
    netmap_builder_free(b);
    ck_assert_int_eq(netmap_open(g->bytes, size, &g->map), 0);
    maker_file(&g->m, PLAN_FILE_ZONE, "example", 1);
    uint32_t file = maker_file(&g->m, PLAN_FILE_NETMAP, "geo", g->map.hash);
    maker_service(&g->m, "g.example", PLAN_NONE);
    for (int i = 0; i < 3; i++)
        maker_endpoint(&g->m, "e", false);
    g->europe = maker_addresses(&g->m, 0, 1, IP_V4);
    g->inside = maker_addresses(&g->m, 1, 1, IP_V4);
    g->otherwise = maker_choice(&g->m, (struct plan_choice){.kind = CHOICE_NODATA});
    struct ip in_europe = ip_of("10.1.2.3"), in_inside = ip_of("10.20.0.1");
    unsigned scope;
    uint32_t rows[2] = {netmap_find(&g->map, &in_europe, &scope),
                        netmap_find(&g->map, &in_inside, &scope)};
    ck_assert_uint_lt(rows[0], 2);
    ck_assert_uint_lt(rows[1], 2);
    uint32_t first = g->m.plan.branch_count;
    for (uint32_t row = 0; row < 2; row++)
        maker_branch(&g->m, 0, row == rows[0] ? g->europe : g->inside);
    g->root = maker_choice(&g->m, (struct plan_choice){.kind = CHOICE_NETWORK,
                                                       .first = first,
                                                       .count = 2,
                                                       .map = file,
                                                       .otherwise = g->otherwise});
    g->maps[0] = NULL;
    g->maps[1] = &g->map;
    g->s = (struct steer){&g->m.plan, g->maps};
}

static void geo_done(struct geo *g)
{
    maker_done(&g->m);
    free(g->bytes);
}

static struct steer_answer geo_ask(struct geo *g, uint32_t root, const char *address,
                                   struct steer_trace *trace)
{
    struct random random = random_init(1);
    struct steer_answer a;
    struct ip ip = ip_of(address);
    steer_pick(&g->s, root, &ip, &random, &a, trace);
    return a;
}

START_TEST(test_network_rows_and_scope)
{
    struct geo g;
    struct steer_trace t;
    geo_init(&g);
    struct steer_answer a = geo_ask(&g, g.root, "10.20.30.40", &t);
    ck_assert_uint_eq(a.choice, g.inside);
    ck_assert_uint_eq(a.scope, 16);
    ck_assert(a.by_network);
    ck_assert_uint_eq(t.count, 2);
    ck_assert_int_eq(t.steps[0].kind, CHOICE_NETWORK);
    ck_assert_uint_eq(t.steps[0].scope, 16);
    ck_assert_int_eq(t.steps[1].kind, CHOICE_ADDRESSES);

    a = geo_ask(&g, g.root, "10.21.0.1", &t);
    ck_assert_uint_eq(a.choice, g.europe);
    ck_assert_uint_eq(a.scope, 16); /* no wider: 10.20/16 lies beside it */

    a = geo_ask(&g, g.root, "10.200.0.1", &t);
    ck_assert_uint_eq(a.choice, g.europe);
    ck_assert_uint_eq(a.scope, 9);

    a = geo_ask(&g, g.root, "2001:db8:7::1", &t);
    ck_assert_uint_eq(a.choice, g.europe);
    ck_assert_uint_eq(a.scope, 32);

    a = geo_ask(&g, g.root, "192.0.2.1", &t);
    ck_assert_int_eq(a.kind, STEER_NODATA);
    ck_assert_uint_eq(a.choice, g.otherwise);
    ck_assert_uint_eq(t.steps[0].row, NETMAP_NO_ROW);
    ck_assert_uint_eq(t.steps[0].branch, PLAN_NONE);
    ck_assert_uint_eq(a.scope, 1);
    geo_done(&g);
}
END_TEST

/* RFC 7871: of nested look-ups the narrowest scope holds. */
START_TEST(test_nested_scope_is_the_narrowest)
{
    struct geo g;
    struct steer_trace t;
    geo_init(&g);
    uint32_t first = g.m.plan.branch_count;
    maker_branch(&g.m, 1, g.root);
    uint32_t chance = maker_choice(
        &g.m,
        (struct plan_choice){.kind = CHOICE_WEIGHTED, .first = first, .count = 1, .total = 1});
    struct steer_answer a = geo_ask(&g, chance, "10.20.30.40", &t);
    ck_assert_uint_eq(a.choice, g.inside);
    ck_assert_uint_eq(a.scope, 16);
    ck_assert_uint_eq(t.count, 3);
    /* the outer look-up is the narrower one */
    struct netmap_builder *b = netmap_builder_new();
    struct netmap wide;
    size_t size;
    map_add(b, "10.0.0.0/8", 1);
    uint8_t *bytes = netmap_builder_finish(b, &size);
    netmap_builder_free(b);
    ck_assert_int_eq(netmap_open(bytes, size, &wide), 0);
    const struct netmap *maps[3] = {NULL, &g.map, &wide};
    g.s.maps = maps;
    uint32_t wide_file = maker_file(&g.m, PLAN_FILE_NETMAP, "latency", wide.hash);
    first = g.m.plan.branch_count;
    maker_branch(&g.m, 0, g.europe);
    uint32_t inner = maker_choice(&g.m, (struct plan_choice){.kind = CHOICE_NETWORK,
                                                             .first = first,
                                                             .count = 1,
                                                             .map = wide_file,
                                                             .otherwise = g.otherwise});
    g.m.branches[g.m.choices[g.root].first].choice = inner;
    g.m.branches[g.m.choices[g.root].first + 1].choice = inner;
    a = geo_ask(&g, g.root, "10.20.30.40", &t);
    ck_assert_uint_eq(t.steps[1].scope, 8);
    ck_assert_uint_eq(a.scope, 16);
    free(bytes);
    g.s.maps = g.maps;
    struct steer_answer plain = geo_ask(&g, g.europe, "10.20.30.40", NULL);
    ck_assert_uint_eq(plain.scope, 0);
    ck_assert(!plain.by_network);
    geo_done(&g);
}
END_TEST

START_TEST(test_root_of_a_face)
{
    struct plan_service s = {0};
    uint32_t ttl = 7;
    s.faces[IP_V4] = (struct plan_face){.choice = 3, .ttl = 5, .mode = FACE_NORMAL};
    s.faces[IP_V6] = (struct plan_face){.choice = PLAN_NONE, .ttl = 9, .mode = FACE_ABSENT};
    ck_assert_uint_eq(steer_root(&s, IP_V4, &ttl), 3);
    ck_assert_uint_eq(ttl, 5);
    ttl = 7;
    ck_assert_uint_eq(steer_root(&s, IP_V6, &ttl), PLAN_NONE);
    ck_assert_uint_eq(ttl, 7);
    /* an alias holds for every type: AAAA must not say NODATA beside a CNAME for A */
    s.faces[IP_V4].mode = FACE_FALLBACK;
    ck_assert_uint_eq(steer_root(&s, IP_V6, &ttl), 3);
    ck_assert_uint_eq(ttl, 5);
}
END_TEST

CHECK_MAIN("steer", test_weights_are_kept, test_weight_zero_is_never_drawn,
           test_rotation_and_multivalue, test_network_rows_and_scope,
           test_nested_scope_is_the_narrowest, test_root_of_a_face)
