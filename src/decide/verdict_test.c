#include "decide/verdict.h"

#include "base/random.h"
#include "test/check_main.h"

#define SEC USEC_PER_SEC

static const struct config_check check = {.interval = SEC,
                                          .timeout = SEC / 2,
                                          .rise = 2,
                                          .fall = 3,
                                          .hold_down = 5 * SEC,
                                          .expiry_warn = USEC_PER_DAY};

static void take(struct plan_target *t, enum reason reason, usec_t now)
{
    struct sample s = {.ended = now, .reason = (uint8_t)reason};
    s.phase_us[PHASE_CONNECT] = 1000;
    verdict_sample(t, &check, &s, now);
    verdict_settle(t, &check, false, now, 0);
}

static struct plan_target target_new(enum verdict_state state, usec_t now)
{
    return (struct plan_target){.state = (uint8_t)state,
                                .since = now,
                                .down_reason = state == VERDICT_DOWN ? REASON_CLOSED : REASON_OK};
}

START_TEST(test_unready_until_rise)
{
    struct plan_target t = target_new(VERDICT_UNREADY, SEC);
    take(&t, REASON_OK, 2 * SEC);
    ck_assert_int_eq(t.state, VERDICT_UNREADY);
    take(&t, REASON_CLOSED, 3 * SEC); /* begins anew */
    take(&t, REASON_OK, 4 * SEC);
    ck_assert_int_eq(t.state, VERDICT_UNREADY);
    take(&t, REASON_OK, 5 * SEC);
    ck_assert_int_eq(t.state, VERDICT_UP);
    ck_assert_int_eq(t.since, 5 * SEC);
}
END_TEST

START_TEST(test_unready_never_goes_down)
{
    struct plan_target t = target_new(VERDICT_UNREADY, SEC);
    for (int i = 2; i < 50; i++)
        take(&t, REASON_CLOSED, i * SEC);
    ck_assert_int_eq(t.state, VERDICT_UNREADY);
    ck_assert_int_eq(t.reason, REASON_CLOSED);
    ck_assert_int_eq(t.failures, 48);
}
END_TEST

START_TEST(test_down_after_fall_in_a_row)
{
    struct plan_target t = target_new(VERDICT_UP, SEC);
    take(&t, REASON_CLOSED, 2 * SEC);
    take(&t, REASON_CLOSED, 3 * SEC);
    take(&t, REASON_OK, 4 * SEC);
    take(&t, REASON_CLOSED, 5 * SEC);
    take(&t, REASON_CLOSED, 6 * SEC);
    ck_assert_int_eq(t.state, VERDICT_UP);
    take(&t, REASON_STATUS, 7 * SEC);
    ck_assert_int_eq(t.state, VERDICT_DOWN);
    ck_assert_int_eq(t.down_reason, REASON_STATUS);
    ck_assert_int_eq(t.hold_until, 12 * SEC);
}
END_TEST

START_TEST(test_hold_down_outlasts_rise)
{
    struct plan_target t = target_new(VERDICT_DOWN, SEC);
    t.hold_until = 6 * SEC;
    take(&t, REASON_OK, 2 * SEC);
    ck_assert_int_eq(t.flags & TARGET_HOLDING_DOWN, 0);
    take(&t, REASON_OK, 3 * SEC);
    ck_assert_int_eq(t.state, VERDICT_DOWN);
    ck_assert(t.flags & TARGET_HOLDING_DOWN);
    verdict_settle(&t, &check, false, 6 * SEC - 1, 0);
    ck_assert_int_eq(t.state, VERDICT_DOWN);
    verdict_settle(&t, &check, false, 6 * SEC, 0); /* between samples */
    ck_assert_int_eq(t.state, VERDICT_UP);
    ck_assert_int_eq(t.flags & TARGET_HOLDING_DOWN, 0);
    ck_assert_int_eq(t.down_reason, REASON_OK);
}
END_TEST

START_TEST(test_a_failure_during_hold_down_counts)
{
    struct plan_target t = target_new(VERDICT_DOWN, SEC);
    t.hold_until = 6 * SEC;
    take(&t, REASON_OK, 2 * SEC);
    take(&t, REASON_OK, 3 * SEC);
    take(&t, REASON_CLOSED, 5 * SEC);
    verdict_settle(&t, &check, false, 6 * SEC, 0);
    ck_assert_int_eq(t.state, VERDICT_DOWN);
}
END_TEST

START_TEST(test_what_counts_for_nothing)
{
    struct plan_target t = target_new(VERDICT_UP, SEC);
    struct sample s = {.ended = 2 * SEC, .reason = REASON_CLOSED, .late = true};
    for (int i = 0; i < 10; i++)
        verdict_sample(&t, &check, &s, 2 * SEC);
    s = (struct sample){.ended = 2 * SEC, .reason = REASON_INTERNAL};
    for (int i = 0; i < 10; i++)
        verdict_sample(&t, &check, &s, 2 * SEC);
    ck_assert_int_eq(t.failures, 0);
    ck_assert_int_eq(t.sampled, 0);
    /* older than what is known, and too old to say anything */
    take(&t, REASON_OK, 20 * SEC);
    s = (struct sample){.ended = 19 * SEC, .reason = REASON_CLOSED};
    verdict_sample(&t, &check, &s, 20 * SEC);
    s.ended = 21 * SEC;
    verdict_sample(&t, &check, &s, 30 * SEC);
    ck_assert_int_eq(t.failures, 0);
    ck_assert_int_eq(t.sampled, 20 * SEC);
}
END_TEST

START_TEST(test_stale_freezes)
{
    usec_t fresh = 3 * SEC + SEC / 2; /* three intervals and a timeout */
    struct plan_target t = target_new(VERDICT_UP, SEC);
    take(&t, REASON_CLOSED, 2 * SEC);
    take(&t, REASON_CLOSED, 3 * SEC);
    verdict_settle(&t, &check, false, 3 * SEC + fresh, 0);
    ck_assert_int_eq(t.flags & TARGET_FROZEN, 0);
    verdict_settle(&t, &check, false, 3 * SEC + fresh + 1, 0);
    ck_assert(t.flags & TARGET_FROZEN);
    ck_assert_int_eq(t.state, VERDICT_UP);
    /* one more failure would have been the third; after a gap it is the first */
    take(&t, REASON_CLOSED, 60 * SEC);
    ck_assert_int_eq(t.state, VERDICT_UP);
    ck_assert_int_eq(t.failures, 1);
    ck_assert_int_eq(t.flags & TARGET_FROZEN, 0);
}
END_TEST

START_TEST(test_paused_is_forgotten)
{
    static const enum verdict_state states[] = {VERDICT_UP, VERDICT_DOWN, VERDICT_UNREADY};
    for (int i = 0; i < 3; i++) {
        struct plan_target t = target_new(states[i], SEC);
        t.sampled = SEC;
        t.hold_until = 100 * SEC;
        verdict_settle(&t, &check, true, 2 * SEC, 0);
        ck_assert_int_eq(t.state, states[i]); /* a slip of the operator costs nothing */
        verdict_settle(&t, &check, true, 20 * SEC, 0);
        ck_assert_int_eq(t.state, VERDICT_UNREADY);
        ck_assert_int_eq(t.flags & TARGET_FROZEN, 0);
        ck_assert_int_eq(t.down_reason, REASON_OK);
        take(&t, REASON_OK, 30 * SEC);
        ck_assert_int_eq(t.state, VERDICT_UNREADY);
        take(&t, REASON_OK, 31 * SEC);
        ck_assert_int_eq(t.state, VERDICT_UP);
    }
}
END_TEST

START_TEST(test_gap_inside_one_step)
{
    struct plan_target t = target_new(VERDICT_UP, SEC);
    struct sample s = {.ended = 2 * SEC, .reason = REASON_CLOSED};
    verdict_sample(&t, &check, &s, 2 * SEC);
    verdict_sample(&t, &check, &s, 2 * SEC);
    s.ended = 60 * SEC;
    verdict_sample(&t, &check, &s, 60 * SEC);
    ck_assert_int_eq(t.failures, 1);
    ck_assert_int_eq(t.state, VERDICT_UP);
}
END_TEST

START_TEST(test_frozen_stays_down)
{
    struct plan_target t = target_new(VERDICT_DOWN, SEC);
    t.sampled = SEC;
    t.successes = 2;
    t.hold_until = 10 * SEC;
    verdict_settle(&t, &check, false, 11 * SEC, 0);
    ck_assert_int_eq(t.state, VERDICT_DOWN); /* successes from long ago bring nobody back */
    ck_assert(t.flags & TARGET_FROZEN);
}
END_TEST

START_TEST(test_never_sampled_freezes)
{
    struct plan_target t = target_new(VERDICT_UNREADY, 10 * SEC);
    verdict_settle(&t, &check, false, 11 * SEC, 0);
    ck_assert_int_eq(t.flags, 0);
    verdict_settle(&t, &check, false, 20 * SEC, 0);
    ck_assert_int_eq(t.flags, TARGET_FROZEN);
}
END_TEST

START_TEST(test_certificate)
{
    struct plan_target t = target_new(VERDICT_UP, SEC);
    struct sample s = {.ended = 2 * SEC, .certificate_end = 10 * 86400};
    verdict_sample(&t, &check, &s, 2 * SEC);
    verdict_settle(&t, &check, false, 2 * SEC, 8 * USEC_PER_DAY);
    ck_assert_int_eq(t.flags & TARGET_EXPIRING, 0);
    verdict_settle(&t, &check, false, 2 * SEC, 9 * USEC_PER_DAY + SEC);
    ck_assert(t.flags & TARGET_EXPIRING);
    s = (struct sample){.ended = 3 * SEC, .reason = REASON_CONNECT_REFUSED};
    verdict_sample(&t, &check, &s, 3 * SEC);
    ck_assert_int_eq(t.certificate_end, 10 * 86400); /* none seen is not none there */
}
END_TEST

START_TEST(test_connect_is_damped)
{
    struct plan_target t = target_new(VERDICT_UP, SEC);
    take(&t, REASON_OK, 2 * SEC);
    ck_assert_uint_eq(t.connect_us, 1000);
    struct sample s = {.ended = 3 * SEC, .phase_us = {[PHASE_CONNECT] = 9000}};
    verdict_sample(&t, &check, &s, 3 * SEC);
    ck_assert_uint_eq(t.connect_us, 2000);
    s.reason = REASON_STATUS;
    verdict_sample(&t, &check, &s, 3 * SEC);
    ck_assert_uint_eq(t.connect_us, 2000);
}
END_TEST

START_TEST(test_change_bounds)
{
    struct plan_target t = target_new(VERDICT_UP, SEC);
    ck_assert_int_eq(verdict_change_us(&t, &check, SEC), 3 * SEC);
    t.failures = 2;
    ck_assert_int_eq(verdict_change_us(&t, &check, SEC), SEC);
    t = target_new(VERDICT_DOWN, SEC);
    t.hold_until = 7 * SEC;
    ck_assert_int_eq(verdict_change_us(&t, &check, 2 * SEC), 5 * SEC);
    ck_assert_int_eq(verdict_change_us(&t, &check, 6 * SEC), 2 * SEC);
    t = target_new(VERDICT_UNREADY, SEC);
    t.successes = 1;
    ck_assert_int_eq(verdict_change_us(&t, &check, SEC), SEC);
    ck_assert_int_eq(verdict_change_us(&t, NULL, SEC), USEC_NEVER);
}
END_TEST

/* Against a model written the naive way: states follow from the list of results alone. */
START_TEST(test_random_against_model)
{
    struct random r = random_init(2025);
    struct plan_target t = target_new(VERDICT_UNREADY, 0);
    enum verdict_state state = VERDICT_UNREADY;
    unsigned ok = 0, bad = 0;
    usec_t now = 0, went_down = 0;
    for (int i = 0; i < 30000; i++) {
        now += SEC / 2 + random_below(&r, SEC / 2);
        bool success = random_below(&r, 3) > 0;
        take(&t, success ? REASON_OK : REASON_CLOSED, now);
        ok = success ? ok + 1 : 0;
        bad = success ? 0 : bad + 1;
        if (state == VERDICT_UNREADY && ok >= check.rise)
            state = VERDICT_UP;
        else if (state == VERDICT_UP && bad >= check.fall)
            state = VERDICT_DOWN, went_down = now;
        else if (state == VERDICT_DOWN && ok >= check.rise && now >= went_down + check.hold_down)
            state = VERDICT_UP;
        ck_assert_int_eq(t.state, state);
    }
}
END_TEST

CHECK_MAIN("verdict", test_unready_until_rise, test_unready_never_goes_down,
           test_down_after_fall_in_a_row, test_hold_down_outlasts_rise,
           test_a_failure_during_hold_down_counts, test_what_counts_for_nothing, test_stale_freezes,
           test_paused_is_forgotten, test_gap_inside_one_step, test_frozen_stays_down,
           test_never_sampled_freezes, test_certificate, test_connect_is_damped, test_change_bounds,
           test_random_against_model)
