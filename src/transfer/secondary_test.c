/* Stories in virtual time: a line says what happens, then what the machine wants. */
#include "base/attr.h"
#include "test/check_main.h"
#include "transfer/secondary.h"

enum { S = 1000000 };
static const struct secondary_timers timers = {.refresh = 100, .retry = 10, .expire = 1000};

struct world {
    struct secondary *machine;
    usec_t now;
};

static struct world world(uint32_t zones, uint32_t primaries)
{
    struct world w = {secondary_new(zones, 7), 1000 * (usec_t)S};
    for (uint32_t i = 0; i < zones; i++)
        secondary_add(w.machine, i, primaries, 0, w.now);
    return w;
}

static const struct secondary_zone *zone(const struct world *w)
{
    return secondary_zone(w->machine, 0);
}

/* The one order there is now. */
static struct secondary_order order(struct world *w)
{
    struct secondary_order o, none;
    ck_assert(secondary_next(w->machine, w->now, &o));
    ck_assert(!secondary_next(w->machine, w->now, &none));
    return o;
}

static void quiet(struct world *w)
{
    struct secondary_order o;
    ck_assert(!secondary_next(w->machine, w->now, &o));
}

static void fetched(struct world *w, enum secondary_fetched how, uint32_t serial)
{
    secondary_fetched(w->machine, 0, how, serial, &timers, w->now);
}

static void asked(struct world *w, uint32_t serial)
{
    secondary_asked(w->machine, 0, true, serial, w->now);
}

/* How long until the machine wants something, in seconds rounded up; at most `most`. */
static unsigned waits(struct world *w, unsigned most)
{
    usec_t began = w->now;
    while (zone(w)->state == SECONDARY_RESTING && zone(w)->due > w->now &&
           w->now < began + most * (usec_t)S)
        w->now += S / 10;
    return (unsigned)((w->now - began + S - 1) / S);
}

/* A zone with content of serial 5, at rest. */
static struct world settled(uint32_t primaries)
{
    struct world w = world(1, primaries);
    struct secondary_order o = order(&w);
    ck_assert(o.what == SECONDARY_FETCH && !o.incremental);
    fetched(&w, SECONDARY_TAKEN, 5);
    quiet(&w);
    return w;
}

START_TEST(test_refresh)
{
    struct world w = settled(1);
    for (unsigned i = 0; i < 20; i++) {
        unsigned waited = waits(&w, 200);
        ck_assert_uint_ge(waited, 90);
        ck_assert_uint_le(waited, 100);
        ck_assert_int_eq(order(&w).what, SECONDARY_ASK);
        asked(&w, 5);
        ck_assert_int_eq(zone(&w)->confirmed, w.now);
    }
    waits(&w, 200);
    order(&w);
    asked(&w, 6);
    struct secondary_order o = order(&w);
    ck_assert(o.what == SECONDARY_FETCH && o.incremental && o.serial == 5);
    fetched(&w, SECONDARY_TAKEN, 6);
    quiet(&w);
    secondary_free(w.machine);
}
END_TEST

START_TEST(test_ixfr_then_axfr)
{
    struct world w = settled(1);
    waits(&w, 200);
    order(&w);
    asked(&w, 6);
    ck_assert(order(&w).incremental);
    fetched(&w, SECONDARY_UNFIT, 0);
    struct secondary_order o = order(&w);
    ck_assert(o.what == SECONDARY_FETCH && !o.incremental);
    fetched(&w, SECONDARY_UNFIT, 0); /* nor the whole: as any failure */
    quiet(&w);
    ck_assert_uint_eq(zone(&w)->failures, 1);
    secondary_free(w.machine);
}
END_TEST

/* UDP may be blocked: TCP has the last word. */
START_TEST(test_no_answer_over_udp)
{
    struct world w = settled(1);
    waits(&w, 200);
    order(&w);
    secondary_asked(w.machine, 0, false, 0, w.now);
    ck_assert(order(&w).incremental);
    fetched(&w, SECONDARY_SAME, 5);
    quiet(&w);
    ck_assert_int_eq(zone(&w)->confirmed, w.now);
    secondary_free(w.machine);
}
END_TEST

START_TEST(test_primaries_in_turn)
{
    struct world w = settled(3);
    waits(&w, 200);
    ck_assert_uint_eq(order(&w).primary, 0);
    asked(&w, 4); /* older than ours */
    ck_assert_uint_eq(order(&w).primary, 1);
    secondary_asked(w.machine, 0, false, 0, w.now);
    ck_assert_uint_eq(order(&w).primary, 1);
    fetched(&w, SECONDARY_FAILED, 0);
    ck_assert_uint_eq(order(&w).primary, 2);
    asked(&w, 5);
    quiet(&w);
    waits(&w, 200);
    ck_assert_uint_eq(order(&w).primary, 2); /* who answered is asked first */
    secondary_free(w.machine);
}
END_TEST

/* Retries wait longer and longer, up to the refresh time, and stop doing so when all is well. */
START_TEST(test_backoff)
{
    struct world w = settled(1);
    static const unsigned expected[] = {10, 20, 40, 80, 100, 100};
    waits(&w, 200);
    for (unsigned i = 0; i < array_length(expected); i++) {
        order(&w);
        secondary_asked(w.machine, 0, false, 0, w.now);
        order(&w);
        fetched(&w, SECONDARY_FAILED, 0);
        unsigned waited = waits(&w, 1000);
        ck_assert_uint_le(waited, expected[i]);
        ck_assert_uint_ge(waited, expected[i] * 9 / 10);
    }
    order(&w);
    asked(&w, 5);
    ck_assert_uint_ge(waits(&w, 1000), 90);
    order(&w);
    secondary_asked(w.machine, 0, false, 0, w.now);
    order(&w);
    fetched(&w, SECONDARY_FAILED, 0);
    ck_assert_uint_le(waits(&w, 1000), 10);
    secondary_free(w.machine);
}
END_TEST

START_TEST(test_empty_zone_is_tried_soon)
{
    struct world w = world(1, 1);
    unsigned last = 0;
    for (unsigned i = 0; i < 15; i++) {
        ck_assert(!order(&w).incremental);
        fetched(&w, SECONDARY_FAILED, 0);
        last = waits(&w, 5000);
        if (i == 0)
            ck_assert_uint_le(last, 2);
    }
    ck_assert_uint_ge(last, 500);
    ck_assert_uint_le(last, 600);
    secondary_free(w.machine);
}
END_TEST

START_TEST(test_notify)
{
    struct world w = settled(2);
    w.now += S;
    ck_assert(!secondary_notify(w.machine, 0, 1, true, 5, w.now));
    quiet(&w);
    ck_assert(secondary_notify(w.machine, 0, 1, true, 6, w.now));
    ck_assert(secondary_notify(w.machine, 0, 1, false, 0, w.now));
    struct secondary_order o = order(&w);
    ck_assert(o.what == SECONDARY_ASK && o.primary == 1);
    asked(&w, 6);
    order(&w);
    /* any number of them while one is under way: one more question */
    for (unsigned i = 0; i < 5; i++)
        ck_assert(secondary_notify(w.machine, 0, 1, true, 7, w.now));
    quiet(&w);
    fetched(&w, SECONDARY_TAKEN, 6);
    ck_assert_int_eq(order(&w).what, SECONDARY_ASK);
    asked(&w, 6);
    quiet(&w);
    secondary_free(w.machine);
}
END_TEST

/* What nobody signed is heard, once a second however often it is said. */
START_TEST(test_hints)
{
    struct world w = settled(2);
    unsigned rounds = 0;
    ck_assert(!secondary_hint(w.machine, 0, 1, true, 5, w.now));
    quiet(&w);
    for (unsigned i = 0; i < 5000; i++, w.now += S / 1000) {
        struct secondary_order o;
        ck_assert(secondary_hint(w.machine, 0, 1, true, 6, w.now));
        if (!secondary_next(w.machine, w.now, &o))
            continue;
        ck_assert(o.what == SECONDARY_ASK && o.primary == 1);
        ck_assert(secondary_hint(w.machine, 0, 1, true, 6, w.now)); /* while it is under way */
        asked(&w, 5);
        rounds++;
    }
    ck_assert_uint_eq(rounds, 5);
    w.now += S; /* the last one is not lost */
    ck_assert_int_eq(order(&w).what, SECONDARY_ASK);
    asked(&w, 5);
    w.now += S * 2;
    quiet(&w);
    /* One that is signed does not wait. */
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(secondary_hint(w.machine, 0, 1, true, 6, w.now));
        ck_assert(secondary_notify(w.machine, 0, 0, true, 6, w.now));
        ck_assert_uint_eq(order(&w).primary, 0);
        asked(&w, 5);
    }
    secondary_free(w.machine);
}
END_TEST

static bool turned(struct world *w, bool *expired)
{
    uint32_t number;
    bool found = secondary_turned(w->machine, w->now, &number, expired);
    if (found)
        ck_assert(!secondary_turned(w->machine, w->now, &number, &(bool){false}));
    return found;
}

START_TEST(test_expiry)
{
    struct world w = settled(1);
    bool expired;
    w.now += 1000 * (usec_t)S;
    ck_assert(!turned(&w, &expired));
    w.now += S;
    ck_assert(turned(&w, &expired));
    ck_assert(expired);
    ck_assert(!turned(&w, &expired));
    order(&w);
    asked(&w, 5);
    ck_assert(turned(&w, &expired));
    ck_assert(!expired);
    secondary_free(w.machine);
}
END_TEST

/* L3: what was refused is not fetched again and again, and does not let the zone run out. */
START_TEST(test_refused)
{
    struct world w = settled(1);
    bool expired;
    waits(&w, 200);
    order(&w);
    asked(&w, 6);
    order(&w);
    fetched(&w, SECONDARY_SHRUNK, 6);
    for (unsigned i = 0; i < 30; i++) {
        waits(&w, 200);
        ck_assert_int_eq(order(&w).what, SECONDARY_ASK);
        asked(&w, 6);
        quiet(&w);
        ck_assert(!turned(&w, &expired));
    }
    ck_assert(!secondary_notify(w.machine, 0, 0, true, 6, w.now));
    ck_assert_uint_eq(zone(&w)->serial, 5);
    secondary_accept(w.machine, 0, w.now);
    ck_assert(order(&w).accepting);
    asked(&w, 6);
    struct secondary_order o = order(&w);
    ck_assert(o.what == SECONDARY_FETCH && o.accepting);
    fetched(&w, SECONDARY_TAKEN, 6);
    waits(&w, 200);
    ck_assert(!order(&w).accepting);
    secondary_free(w.machine);
}
END_TEST

/* L7: a thousand zones at once are a queue, and each gets its turn. */
START_TEST(test_admission)
{
    enum { ZONES = 1000 };
    struct world w = world(ZONES, 1);
    struct secondary_order o, running[SECONDARY_SLOTS];
    bool seen[ZONES] = {false};
    unsigned done = 0;
    while (done < ZONES) {
        unsigned count = 0;
        while (secondary_next(w.machine, w.now, &o)) {
            ck_assert_uint_lt(count, SECONDARY_SLOTS);
            running[count++] = o;
        }
        ck_assert_uint_gt(count, 0);
        for (unsigned i = 0; i < count; i++) {
            ck_assert(!seen[running[i].zone]);
            seen[running[i].zone] = true;
            secondary_fetched(w.machine, running[i].zone, SECONDARY_TAKEN, 1, &timers, w.now);
            done++;
        }
    }
    quiet(&w);
    secondary_free(w.machine);
}
END_TEST

/* Primaries that are gone hold up nobody else: questions have room of their own. */
START_TEST(test_questions_beside_transfers)
{
    enum { ZONES = 2 * SECONDARY_ASKS };
    struct world w = world(ZONES + 1, 1);
    struct secondary_order o;
    unsigned asks = 0;
    for (uint32_t i = 0; i < ZONES; i++)
        secondary_resume(w.machine, i, 1, timers, 0, w.now);
    w.now += 10 * (usec_t)S;
    while (secondary_next(w.machine, w.now, &o))
        if (o.what == SECONDARY_ASK)
            asks++;
        else
            ck_assert_uint_eq(o.zone, ZONES); /* the new one, beside them all */
    ck_assert_uint_eq(asks, SECONDARY_ASKS);
    ck_assert_int_eq(secondary_zone(w.machine, ZONES)->state, SECONDARY_FETCHING);
    secondary_free(w.machine);
}
END_TEST

START_TEST(test_restart_and_reload)
{
    struct world w = world(1, 2);
    bool expired;
    secondary_resume(w.machine, 0, 9, timers, 5000 * (usec_t)S, w.now);
    ck_assert(turned(&w, &expired));
    ck_assert(expired);
    waits(&w, 10);
    struct secondary_order o = order(&w);
    ck_assert(o.what == SECONDARY_ASK && o.serial == 9);
    struct secondary *next = secondary_new(3, 8);
    secondary_add(next, 2, 1, 1, w.now);
    secondary_carry(next, 2, zone(&w), w.now);
    ck_assert(secondary_next(next, w.now, &o));
    ck_assert(o.zone == 2 && o.what == SECONDARY_FETCH && o.incremental); /* TLS: straight */
    ck_assert(!secondary_next(next, w.now, &o));
    secondary_free(next);
    secondary_free(w.machine);
}
END_TEST

CHECK_MAIN("secondary", test_refresh, test_ixfr_then_axfr, test_no_answer_over_udp,
           test_primaries_in_turn, test_backoff, test_empty_zone_is_tried_soon, test_notify,
           test_hints, test_expiry, test_refused, test_admission, test_questions_beside_transfers,
           test_restart_and_reload)
