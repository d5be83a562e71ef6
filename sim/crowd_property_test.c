/* Random crowds: what must hold in every one of them. A failure prints the seed; CROWD_SEED=n plays
 * that one alone.
 *
 *  C1  L8: vantages that see everything fail, and the one more network that cannot reach a target,
 *      move nothing while most of those that are well reach it.
 *  C2  L8: one network never decides, however many of its nodes see a target fail, and whoever else
 *      is not heard.
 *  C3  L2, L3: under any faults a reader takes every plan, and generations rise.
 *  C4  When all is well again, all nodes say so, within 30 s.
 *
 * Each of the first two has a saboteur, who tells the others something else than he sees: the
 * checker has to catch him. */
#include "sim/crowd.h"

#include "base/err.h"
#include "base/invariant.h"
#include "model/snapshot.h"
#include "test/check_main.h"
#include <stdio.h>
#include <stdlib.h>

#define SEC USEC_PER_SEC
#define ALL UINT32_MAX

enum { WORLDS = 60 };

static const char services[] =
    "zones: [{name: example.com, file: z}]\n"
    "collections: {AS1: [192.0.2.0/26], AS2: [192.0.2.64/26], x3: [192.0.2.128/26]}\n"
    "checks: {web: {tcp: 443, interval: 500ms, timeout: 500ms}}\n"
    "services:\n"
    "  - name: api.example.com\n"
    "    policy: failover\n"
    "    endpoints:\n"
    "      - {name: a, address: 10.0.0.1, role: primary, region: r1, provider: p1, check: web}\n"
    "      - {name: b, address: 10.0.0.2, role: secondary, region: r2, provider: p2, check: web}\n"
    "  - name: www.example.com\n"
    "    policy: weighted\n"
    "    endpoints:\n"
    "      - {name: a, address: 10.0.1.1, region: r1, provider: p1, check: web}\n"
    "      - {name: b, address: 10.0.1.2, region: r2, provider: p2, check: web}\n"
    "      - {name: c, address: 10.0.1.3, region: r3, provider: p3, check: web}\n";

static const struct crowd_place apart[] = {{"a", "r1", "AS1"},
                                           {"b", "x2", "AS2"},
                                           {"c", "x3", "AS3"},
                                           {"d", "x4", "AS4"},
                                           {"e", "x5", "AS5"}};
static const struct crowd_place crowded[] = {{"a", "r1", "AS1"},
                                             {"b", "x2", "AS1"},
                                             {"c", "x3", "AS1"},
                                             {"d", "x4", "AS2"},
                                             {"e", "x5", "AS3"}};

static uint64_t seed_now;

#define hold(condition)                                                                    \
    do {                                                                                   \
        if (!(condition))                                                                  \
            ck_abort_msg("CROWD_SEED=%llu: %s", (unsigned long long)seed_now, #condition); \
    } while (0)

static uint32_t downs(const struct crowd *c)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->node_count; i++)
        count += c->nodes[i].downs;
    return count;
}

/* ---- C1 ---- */

static uint32_t doubt_play(uint64_t seed, enum crowd_sabotage sabotage)
{
    struct crowd c;
    struct random r = random_init(seed);
    crowd_init(&c, apart, 5, services, seed);
    c.sabotage = sabotage;
    crowd_run(&c, 8 * SEC);
    uint32_t first = random_below(&r, 5), target = random_below(&r, c.target_count);
    uint32_t second = (first + 1 + random_below(&r, 4)) % 5, third = first;
    while (third == first || third == second)
        third = random_below(&r, 5);
    enum reason reason = random_below(&r, 2) ? REASON_CONNECT_TIMEOUT : REASON_CONNECT_UNREACHABLE;
    crowd_ways(&c, first, ALL, reason, 1000);
    crowd_run(&c, (usec_t)random_below(&r, 5000) * USEC_PER_MSEC);
    crowd_ways(&c, second, ALL, reason, 1000);
    crowd_run(&c, 6 * SEC); /* they know by now that they are blind */
    crowd_ways(&c, third, target, REASON_CLOSED, 1000);
    crowd_run(&c, (20 + (usec_t)random_below(&r, 20)) * SEC);
    uint32_t moved = downs(&c);
    crowd_done(&c);
    return moved;
}

/* ---- C2 ---- */

static uint32_t single_play(uint64_t seed, enum crowd_sabotage sabotage)
{
    struct crowd c;
    struct random r = random_init(seed);
    crowd_init(&c, crowded, 5, services, seed);
    c.sabotage = sabotage;
    crowd_run(&c, 8 * SEC);
    uint32_t target = random_below(&r, c.target_count);
    for (uint32_t i = 3; i < 5; i++)
        c.nodes[i].silent = random_below(&r, 3) == 0;
    crowd_run(&c, (usec_t)random_below(&r, 5000) * USEC_PER_MSEC);
    for (uint32_t i = 0; i < 3; i++)
        crowd_ways(&c, i, target, REASON_CONNECT_TIMEOUT, 1000);
    crowd_run(&c, (20 + (usec_t)random_below(&r, 20)) * SEC);
    uint32_t moved = downs(&c);
    crowd_done(&c);
    return moved;
}

/* ---- C3, C4 ---- */

static void fault_random(struct crowd *c, struct random *r)
{
    uint32_t node = random_below(r, c->node_count), other = random_below(r, c->node_count);
    uint32_t target = random_below(r, 4) ? random_below(r, c->target_count) : ALL;
    switch (random_below(r, 7)) {
    case 0:
        crowd_ways(c, ALL, target, REASON_CONNECT_REFUSED, 1000);
        break;
    case 1:
    case 2:
        crowd_ways(c, node, target, REASON_TLS_TIMEOUT, random_below(r, 1001));
        break;
    case 3:
        c->cut[node][other] = !c->cut[node][other];
        break;
    case 4:
        c->nodes[node].late = !c->nodes[node].late;
        break;
    case 5:
        c->nodes[node].stopped = !c->nodes[node].stopped;
        break;
    default:
        crowd_ways(c, random_below(r, 2) ? node : ALL, target, REASON_OK, 0);
    }
}

static void plans_read(const struct crowd *c, uint64_t *generations)
{
    for (uint32_t i = 0; i < c->node_count; i++) {
        struct plan plan;
        const char *where = "";
        size_t size;
        uint8_t *bytes = snapshot_encode(&c->nodes[i].plan, &size);
        int err = snapshot_decode(bytes, size, &plan, &where);
        if (err)
            fprintf(stderr, "%s: %s\n", err_text(err), where);
        hold(!err && plan.generation >= generations[i]);
        generations[i] = plan.generation;
        free(bytes);
    }
}

static void all_heal(struct crowd *c)
{
    crowd_ways(c, ALL, ALL, REASON_OK, 0);
    for (uint32_t i = 0; i < c->node_count; i++) {
        c->nodes[i].late = c->nodes[i].stopped = c->nodes[i].silent = false;
        for (uint32_t k = 0; k < c->node_count; k++)
            c->cut[i][k] = false;
    }
}

static void faults_play(uint64_t seed)
{
    struct crowd c;
    struct random r = random_init(seed);
    uint64_t generations[CROWD_NODES_MAX] = {0};
    uint32_t count = 2 + random_below(&r, 4);
    crowd_init(&c, random_below(&r, 2) ? apart : crowded, count, services, seed);
    crowd_run(&c, 8 * SEC);
    for (unsigned i = 0; i < 60; i++) {
        if (random_below(&r, 3) == 0)
            fault_random(&c, &r);
        crowd_run(&c, SEC);
        plans_read(&c, generations);
    }
    all_heal(&c);
    for (uint32_t t = 0; t < c.target_count; t++)
        hold(crowd_until(&c, t, VERDICT_UP, 30 * SEC) >= 0);
    crowd_done(&c);
}

/* ---- the tests ---- */

static bool next_world(uint64_t *seed)
{
    const char *one = getenv("CROWD_SEED");
    int64_t number;
    if (one && !integer_parse(one, 0, INT64_MAX, &number)) {
        bool first = *seed == 0;
        *seed = first ? (uint64_t)number + 1 : *seed;
        seed_now = (uint64_t)number;
        return first;
    }
    seed_now = (*seed)++;
    return seed_now < WORLDS;
}

START_TEST(test_doubt)
{
    for (uint64_t seed = 0; next_world(&seed);)
        hold(doubt_play(seed_now, SABOTAGE_NONE) == 0);
}
END_TEST

START_TEST(test_single_network)
{
    for (uint64_t seed = 0; next_world(&seed);)
        hold(single_play(seed_now, SABOTAGE_NONE) == 0);
}
END_TEST

START_TEST(test_faults)
{
    for (uint64_t seed = 0; next_world(&seed);)
        faults_play(seed_now);
}
END_TEST

/* The same seed is the same story. */
START_TEST(test_replay)
{
    struct crowd c[2];
    for (unsigned i = 0; i < 2; i++) {
        crowd_init(&c[i], apart, 4, services, 7);
        crowd_ways(&c[i], ALL, ALL, REASON_CONNECT_TIMEOUT, 200);
        crowd_run(&c[i], 60 * SEC);
    }
    ck_assert_uint_gt(c[0].trace.length, 1000);
    ck_assert_str_eq(text_string(&c[0].trace), text_string(&c[1].trace));
    crowd_done(&c[0]);
    crowd_done(&c[1]);
}
END_TEST

START_TEST(test_saboteurs)
{
    uint32_t doubt = 0, single = 0;
    for (uint64_t seed = 0; seed < 5; seed++) {
        doubt += doubt_play(seed, SABOTAGE_SURE);
        single += single_play(seed, SABOTAGE_NAMES);
    }
    ck_assert(doubt > 0 && single > 0);
}
END_TEST

CHECK_MAIN("crowd_property", test_doubt, test_single_network, test_faults, test_replay,
           test_saboteurs)
