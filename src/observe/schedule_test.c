#include "observe/schedule.h"

#include "base/random.h"
#include "test/check_main.h"
#include <string.h>

START_TEST(test_heap_gives_the_earliest)
{
    struct heap h = {0};
    struct random r = random_init(1);
    usec_t when[500];
    bool in[500] = {0};
    for (int step = 0; step < 20000; step++) {
        uint32_t id = random_below(&r, 500);
        if (random_below(&r, 3)) {
            when[id] = random_below(&r, 1000);
            in[id] = true;
            heap_put(&h, id, when[id]);
        } else {
            in[id] = false;
            heap_remove(&h, id);
        }
        usec_t least = USEC_NEVER;
        size_t count = 0;
        for (int i = 0; i < 500; i++) {
            count += in[i];
            if (in[i] && when[i] < least)
                least = when[i];
        }
        ck_assert_int_eq(heap_when(&h), least);
        ck_assert_uint_eq(h.count, count);
        if (count)
            ck_assert(in[heap_first(&h)->id] && when[heap_first(&h)->id] == least);
    }
    heap_done(&h);
}
END_TEST

START_TEST(test_empty_is_never_due)
{
    struct schedule s = schedule_init(1);
    uint32_t id;
    ck_assert(!schedule_take(&s, USEC_PER_HOUR, &id));
    ck_assert_int_eq(schedule_next(&s), USEC_NEVER);
    schedule_remove(&s, 7);
    schedule_done(&s);
}
END_TEST

enum { MANY = 2000 };

/* Runs the schedule as a loop would: sleeps until the next moment, at most until `until`. */
static unsigned run(struct schedule *s, usec_t *now, usec_t until, usec_t *last, unsigned *counts)
{
    unsigned taken = 0;
    while (schedule_next(s) < until) {
        if (schedule_next(s) > *now)
            *now = schedule_next(s);
        for (uint32_t id; schedule_take(s, *now, &id); taken++) {
            if (counts)
                counts[id]++;
            if (last)
                last[id] = *now;
        }
    }
    *now = until;
    return taken;
}

START_TEST(test_every_target_keeps_its_interval_without_drift)
{
    struct schedule s = schedule_init(42);
    unsigned counts[MANY] = {0};
    usec_t now = 7 * USEC_PER_HOUR, last[MANY] = {0};
    for (uint32_t i = 0; i < MANY; i++)
        schedule_add(&s, i, i * 77, USEC_PER_SEC, now);
    run(&s, &now, now + 3 * USEC_PER_SEC, last, NULL);
    for (usec_t until = now + USEC_PER_MIN; now < until;) {
        usec_t before[MANY];
        memcpy(before, last, sizeof last);
        /* shorter than the shortest gap: at most one moment of each target falls in */
        run(&s, &now, now + 800 * USEC_PER_MSEC, last, counts);
        for (uint32_t i = 0; i < MANY; i++) {
            if (last[i] == before[i])
                continue;
            ck_assert_int_ge(last[i] - before[i], 900 * USEC_PER_MSEC);
            ck_assert_int_le(last[i] - before[i], 1100 * USEC_PER_MSEC);
            /* the grid is fixed: whatever happened before, the place in the second is the same */
            usec_t place = (last[i] - s.entries[i].phase) % USEC_PER_SEC;
            ck_assert_int_lt(place, USEC_PER_SEC / SCHEDULE_JITTER);
        }
    }
    for (uint32_t i = 0; i < MANY; i++) {
        ck_assert_uint_ge(counts[i], 59);
        ck_assert_uint_le(counts[i], 61);
    }
    ck_assert_uint_eq(s.skipped, 0);
    schedule_done(&s);
}
END_TEST

START_TEST(test_targets_are_spread_over_time)
{
    struct schedule s = schedule_init(3);
    usec_t now = USEC_PER_HOUR;
    for (uint32_t i = 0; i < MANY; i++)
        schedule_add(&s, i, i, USEC_PER_SEC, now);
    /* from the first second on: of 2000 a second about 20 fall due in any 10 ms */
    for (int i = 0; i < 300; i++)
        ck_assert_uint_le(run(&s, &now, now + 10 * USEC_PER_MSEC, NULL, NULL), 50);
    schedule_done(&s);
}
END_TEST

START_TEST(test_after_a_stall_nothing_is_caught_up)
{
    struct schedule s = schedule_init(3);
    usec_t now = USEC_PER_HOUR;
    uint32_t id;
    unsigned burst = 0;
    for (uint32_t i = 0; i < MANY; i++)
        schedule_add(&s, i, i, USEC_PER_SEC, now);
    run(&s, &now, now + 3 * USEC_PER_SEC, NULL, NULL);
    now += 30 * USEC_PER_SEC;
    while (schedule_take(&s, now, &id))
        burst++;
    ck_assert_uint_eq(burst, 0); /* neither 60,000 nor 2,000 */
    ck_assert_uint_gt(s.skipped, MANY * 28);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_le(run(&s, &now, now + 10 * USEC_PER_MSEC, NULL, NULL), 50);
    schedule_done(&s);
}
END_TEST

START_TEST(test_a_short_delay_costs_nobody_a_probe)
{
    struct schedule s = schedule_init(3);
    usec_t now = USEC_PER_HOUR;
    uint32_t id;
    unsigned burst = 0;
    for (uint32_t i = 0; i < MANY; i++)
        schedule_add(&s, i, i, USEC_PER_SEC, now);
    run(&s, &now, now + 3 * USEC_PER_SEC, NULL, NULL);
    now += 100 * USEC_PER_MSEC;
    while (schedule_take(&s, now, &id))
        burst++;
    ck_assert_uint_gt(burst, MANY / 15);
    ck_assert_uint_lt(burst, MANY / 7);
    ck_assert_uint_eq(s.skipped, 0);
    schedule_done(&s);
}
END_TEST

START_TEST(test_place_in_time_is_the_identitys)
{
    struct schedule a = schedule_init(9), b = schedule_init(9), c = schedule_init(10);
    schedule_add(&a, 0, 1234, USEC_PER_SEC, USEC_PER_HOUR);
    schedule_add(&b, 5, 1234, USEC_PER_SEC, USEC_PER_HOUR + 12345678);
    schedule_add(&c, 0, 1234, USEC_PER_SEC, USEC_PER_HOUR);
    ck_assert_int_eq(a.entries[0].phase, b.entries[5].phase);
    ck_assert_int_ne(a.entries[0].phase, c.entries[0].phase);
    schedule_done(&a);
    schedule_done(&b);
    schedule_done(&c);
}
END_TEST

/* Five nodes that start when they like, on clocks of their own: a target is probed by another one
 * every fifth of its interval. */
START_TEST(test_nodes_share_the_work)
{
    enum { NODES = 5, SLACK = USEC_PER_SEC / SCHEDULE_JITTER };
    struct schedule nodes[NODES];
    usec_t clocks[NODES], last = 0, least = USEC_NEVER, most = 0;
    uint32_t id;
    for (uint32_t i = 0; i < NODES; i++) {
        nodes[i] = schedule_init(7);
        clocks[i] = (i + 1) * USEC_PER_HOUR + i * 123457;
        schedule_add(&nodes[i], 0, 99, USEC_PER_SEC, clocks[i]);
        schedule_move(&nodes[i],
                      (struct schedule_place){clocks[i] - 1700000000 * USEC_PER_SEC, i, NODES},
                      clocks[i]);
    }
    for (usec_t t = 0; t < USEC_PER_MIN; t += USEC_PER_MSEC)
        for (uint32_t i = 0; i < NODES; i++) {
            if (!schedule_take(&nodes[i], clocks[i] + t, &id))
                continue;
            if (last && t > 3 * USEC_PER_SEC) {
                least = t - last < least ? t - last : least;
                most = t - last > most ? t - last : most;
            }
            last = t;
        }
    ck_assert_int_ge(least, USEC_PER_SEC / NODES - SLACK);
    ck_assert_int_le(most, USEC_PER_SEC / NODES + SLACK);
    for (uint32_t i = 0; i < NODES; i++)
        schedule_done(&nodes[i]);
}
END_TEST

/* A new place is no reason to probe twice at once, or not for long; what is not due stays so. */
START_TEST(test_moved)
{
    struct schedule s = schedule_init(7);
    usec_t now = USEC_PER_HOUR, last[MANY] = {0};
    for (uint32_t i = 0; i < MANY; i++)
        schedule_add(&s, i, i * 77, USEC_PER_SEC, now);
    schedule_remove(&s, 5);
    run(&s, &now, now + 3 * USEC_PER_SEC, last, NULL);
    for (uint32_t rank = 1; rank < 5; rank++) {
        usec_t before[MANY];
        memcpy(before, last, sizeof last);
        schedule_move(&s, (struct schedule_place){-12345, rank, 5}, now);
        for (unsigned i = 0; i < 20; i++) {
            run(&s, &now, now + 80 * USEC_PER_MSEC, last, NULL);
            for (uint32_t k = 0; k < MANY; k++) {
                if (k == 5)
                    continue;
                ck_assert(last[k] == before[k] || (last[k] - before[k] >= 350 * USEC_PER_MSEC &&
                                                   last[k] - before[k] <= 1650 * USEC_PER_MSEC));
                before[k] = last[k];
            }
        }
    }
    ck_assert_int_eq(last[5], 0);
    schedule_done(&s);
}
END_TEST

/* Clocks are corrected by milliseconds all the time: nobody misses a moment for that. */
START_TEST(test_a_corrected_clock_skips_nobody)
{
    struct schedule s = schedule_init(7);
    usec_t now = USEC_PER_HOUR, last[MANY] = {0}, before[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        schedule_add(&s, i, i * 77, USEC_PER_SEC, now);
    run(&s, &now, now + 3 * USEC_PER_SEC, last, NULL);
    for (unsigned n = 1; n < 40; n++) {
        memcpy(before, last, sizeof last);
        schedule_move(&s, (struct schedule_place){-(usec_t)n * 20000, 0, 1}, now);
        run(&s, &now, now + 300 * USEC_PER_MSEC, last, NULL);
        for (uint32_t k = 0; k < MANY; k++)
            ck_assert(last[k] == before[k] || last[k] - before[k] <= 1200 * USEC_PER_MSEC);
    }
    schedule_done(&s);
}
END_TEST

START_TEST(test_a_rare_check_begins_soon)
{
    struct schedule s = schedule_init(1);
    usec_t now = USEC_PER_DAY;
    uint32_t id;
    for (uint32_t i = 0; i < 100; i++)
        schedule_add(&s, i, i, USEC_PER_HOUR, now);
    unsigned taken = 0;
    for (usec_t t = now; t <= now + SCHEDULE_START; t += 1000)
        while (schedule_take(&s, t, &id))
            taken++;
    ck_assert_uint_eq(taken, 100);
    /* and not again before half of the interval */
    ck_assert_int_ge(schedule_next(&s), now + USEC_PER_HOUR / 2);
    schedule_done(&s);
}
END_TEST

START_TEST(test_removed_is_never_due)
{
    struct schedule s = schedule_init(1);
    usec_t now = USEC_PER_HOUR;
    unsigned counts[10] = {0};
    for (uint32_t i = 0; i < 10; i++)
        schedule_add(&s, i, i, 100 * USEC_PER_MSEC, now);
    schedule_remove(&s, 4);
    run(&s, &now, now + 5 * USEC_PER_SEC, NULL, counts);
    for (uint32_t i = 0; i < 10; i++)
        ck_assert_int_eq(counts[i] == 0, i == 4);
    schedule_add(&s, 4, 4, 100 * USEC_PER_MSEC, now);
    run(&s, &now, now + USEC_PER_SEC, NULL, counts);
    ck_assert_uint_ge(counts[4], 9);
    schedule_done(&s);
}
END_TEST

CHECK_MAIN("schedule", test_heap_gives_the_earliest, test_empty_is_never_due,
           test_every_target_keeps_its_interval_without_drift, test_targets_are_spread_over_time,
           test_after_a_stall_nothing_is_caught_up, test_a_short_delay_costs_nobody_a_probe,
           test_place_in_time_is_the_identitys, test_nodes_share_the_work, test_moved,
           test_a_corrected_clock_skips_nobody, test_a_rare_check_begins_soon,
           test_removed_is_never_due)
