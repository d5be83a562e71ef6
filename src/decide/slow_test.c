#include "decide/slow.h"

#include "base/random.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

#define SEC  USEC_PER_SEC
#define HOUR USEC_PER_HOUR

static const struct config_check check = {.name = "web", .interval = SEC, .timeout = SEC};
static struct target targets[2] = {{.check = &check}, {.check = &check}};
static const uint64_t identities[2] = {7, 8};

struct bench {
    struct slow *slow;
    usec_t now;
    int64_t wall;
    const struct slow_fact *facts;
    bool down;
    struct vantage vantages[2];
    struct sight sights[2][2];
};

static void begin(struct bench *b)
{
    *b = (struct bench){.slow = slow_new(), .now = 1000 * SEC, .wall = 100 * USEC_PER_DAY};
    slow_targets(b->slow, targets, identities, 2);
    for (unsigned i = 0; i < 2; i++) {
        b->vantages[i] = (struct vantage){.id = i + 1, .boot = 1, .sights = b->sights[i]};
        snprintf(b->vantages[i].network, sizeof b->vantages[i].network, "AS%u", i);
    }
}

/* A second of ten beats, in which both targets are probed once. */
static void second(struct bench *b, uint32_t took_us, enum reason reason, uint32_t vantages)
{
    for (uint32_t t = 0; t < 2; t++) {
        struct sample s = {.target = t, .ended = b->now, .reason = (uint8_t)reason};
        s.phase_us[PHASE_CONNECT] = took_us;
        slow_sample(b->slow, &s, b->down);
    }
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned v = 0; v < 2; v++)
            b->vantages[v].heard = b->now;
        b->facts = slow_step(b->slow, "AS9", b->vantages, vantages, b->now, b->wall);
        b->now += SEC / 10;
        b->wall += SEC / 10;
    }
}

/* The figures of the field: p0 0.1 %, p1 5 % and h 12 find 5 % of loss in some 85 probes. */
START_TEST(test_cusum)
{
    struct random r = random_init(5);
    double probes = 0;
    for (unsigned round = 0; round < 100; round++) {
        struct bench b;
        begin(&b);
        for (unsigned i = 0; i < 1000 && !(b.facts && b.facts[0].lossy); i++, probes++)
            second(&b, 20000, random_below(&r, 20) ? REASON_OK : REASON_CLOSED, 0);
        ck_assert(b.facts[0].lossy && b.facts[0].loss_ppm > 20000);
        slow_free(b.slow);
    }
    ck_assert_msg(probes / 100 > 60 && probes / 100 < 110, "%.1f probes", probes / 100);
}
END_TEST

/* What fails and goes on failing is no loss, and neither is one lost probe. */
START_TEST(test_outage_is_no_loss)
{
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < 2000; i++) {
        second(&b, 20000, i % 200 > 150 ? REASON_CONNECT_TIMEOUT : REASON_OK, 0);
        ck_assert(!b.facts[0].lossy);
    }
    for (unsigned i = 0; i < 2000; i++) {
        second(&b, 20000, i % 900 ? REASON_OK : REASON_CLOSED, 0);
        ck_assert(!b.facts[0].lossy);
    }
    slow_free(b.slow);
}
END_TEST

/* Of three networks one alone loses probes: the target is not what loses them. */
START_TEST(test_one_way)
{
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < 120; i++) {
        for (unsigned v = 0; v < 2; v++) {
            b.sights[v][0].counts[LOSS_OF_PROBES].tries++;
            b.sights[v][0].counts[LOSS_OF_PROBES].lost += v == 1 && i % 5 == 0;
        }
        second(&b, 20000, REASON_OK, 2);
    }
    ck_assert(b.facts[0].lossy);
    ck_assert_uint_eq(b.facts[0].lossy_from, 4);
    ck_assert_uint_gt(b.facts[0].loss_ppm, 150000);
    ck_assert(!b.facts[1].lossy);
    for (unsigned v = 0; v < 2; v++)
        b.vantages[v].boot = 2; /* they start anew: no step of their counters is a loss */
    memset(b.sights, 0, sizeof b.sights);
    second(&b, 20000, REASON_OK, 2);
    ck_assert(!b.facts[0].lossy);
    slow_free(b.slow);
}
END_TEST

static void probe(struct bench *b, enum reason reason, uint8_t segments, uint8_t lost)
{
    struct sample s = {
        .ended = b->now, .reason = (uint8_t)reason, .segments = segments, .segments_lost = lost};
    slow_sample(b->slow, &s, b->down);
    b->facts = slow_step(b->slow, "AS9", b->vantages, 0, b->now, b->wall);
    b->now += SEC;
}

/* A probe that sends four segments and loses one now and then fails seldom or never, and finds it
 * in a third of the time. */
START_TEST(test_segments)
{
    struct random r = random_init(5);
    double probes = 0;
    for (unsigned round = 0; round < 100; round++) {
        struct bench b;
        begin(&b);
        for (unsigned i = 0; i < 1000 && !(b.facts && b.facts[0].lossy); i++, probes++) {
            uint8_t lost = 0;
            for (unsigned k = 0; k < 4; k++)
                if (random_below(&r, 20) == 0)
                    lost++;
            probe(&b, REASON_OK, 4, lost);
        }
        ck_assert(b.facts[0].lossy && b.facts[0].loss_of == LOSS_OF_SEGMENTS);
        ck_assert_uint_gt(b.facts[0].loss_ppm, 20000);
        slow_free(b.slow);
    }
    ck_assert_msg(probes / 100 > 15 && probes / 100 < 30, "%.1f probes", probes / 100);
}
END_TEST

/* Errors of an answer lose no segment, and an outage is a loss of neither. */
START_TEST(test_what_is_no_loss_of_segments)
{
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < 200; i++)
        probe(&b, i % 10 ? REASON_OK : REASON_STATUS, 2, 0);
    ck_assert(b.facts[0].lossy && b.facts[0].loss_of == LOSS_OF_PROBES);
    slow_free(b.slow);
    begin(&b);
    for (unsigned i = 0; i < 2000; i++) {
        bool out = i % 200 > 150;
        probe(&b, out ? REASON_CONNECT_TIMEOUT : REASON_OK, out ? 1 : 2, out);
        ck_assert(!b.facts[0].lossy);
    }
    slow_free(b.slow);
    begin(&b);
    for (unsigned i = 0; i < 2000; i++) { /* a short one, which the others have called down */
        bool out = i % 20 > 17;
        b.down = i % 20 == 19 || i % 20 == 0;
        probe(&b, out ? REASON_CONNECT_TIMEOUT : REASON_OK, out ? 1 : 2, out);
        ck_assert(!b.facts[0].lossy);
    }
    slow_free(b.slow);
}
END_TEST

static void hours(struct bench *b, unsigned count, uint32_t took_us)
{
    for (unsigned i = 0; i < count * 3600; i++)
        second(b, took_us, REASON_OK, 0);
}

static bool near(uint32_t value, uint32_t wanted)
{
    return value >= wanted - wanted / 50 && value <= wanted + wanted / 50;
}

/* The same hour of other days counts, before that all hours, before that this one's minutes. */
START_TEST(test_usual)
{
    struct bench b;
    begin(&b);
    for (unsigned i = 0; i < 300; i++)
        second(&b, 30000, REASON_OK, 0);
    ck_assert_uint_eq(b.facts[0].usual_us, 0); /* too soon */
    ck_assert(near(b.facts[0].p99_us, 30000) && near(b.facts[0].p50_us, 30000));
    hours(&b, 1, 30000);
    ck_assert(near(b.facts[0].usual_us, 30000));
    hours(&b, 22, 60000);
    ck_assert(near(b.facts[0].usual_us, 60000)); /* most hours */
    hours(&b, 1, 60000);
    for (unsigned i = 0; i < 120; i++)
        second(&b, 60000, REASON_OK, 0);
    ck_assert(near(b.facts[0].usual_us, 30000)); /* the hour of the day before */
    slow_free(b.slow);
}
END_TEST

/* What is usual is known again after a restart, and after a reload that moves targets. */
START_TEST(test_kept)
{
    static const uint64_t moved[2] = {8, 9};
    struct bench b, c;
    uint32_t count;
    begin(&b);
    hours(&b, 2, 30000);
    begin(&c);
    const struct slow_history *kept = slow_histories(b.slow, &count);
    ck_assert_uint_eq(slow_hours(b.slow), 2);
    slow_resume(c.slow, kept, count);
    c.wall = b.wall - HOUR;
    for (unsigned i = 0; i < 61; i++)
        second(&c, 90000, REASON_OK, 0);
    ck_assert(near(c.facts[1].usual_us, 30000));
    slow_targets(c.slow, targets, moved, 2);
    for (unsigned i = 0; i < 61; i++)
        second(&c, 90000, REASON_OK, 0);
    ck_assert(near(c.facts[0].usual_us, 30000));
    ck_assert_uint_eq(c.facts[1].usual_us, 0);
    slow_free(b.slow);
    slow_free(c.slow);
}
END_TEST

CHECK_MAIN("slow", test_cusum, test_outage_is_no_loss, test_one_way, test_segments,
           test_what_is_no_loss_of_segments, test_usual, test_kept)
