/* Practice runs: windows, and the story of a run. */
#include "base/err.h"
#include "model/practice.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>

#define HOUR  INT64_C(3600000)
#define DAY   (24 * HOUR)
#define T0    (INT64_C(20499) * DAY) /* Sunday, 15 February 2026 */
#define SCOPE "region:us-east-1"

static struct intent intent;
static const char *unwell_service; /* the one that is not well */
static bool lacking;

static bool unwell(void *context, const char *service, struct text *why)
{
    (void)context;
    if (!unwell_service || strcmp(service, unwell_service))
        return false;
    text_appendf(why, "%s fails open", service);
    return true;
}

static bool short_of(void *context, const char *scope, struct text *why)
{
    (void)context;
    if (lacking)
        text_appendf(why, "nothing is left without %s", scope);
    return lacking;
}

static const struct practice_world world = {.unwell = unwell, .short_of = short_of};

static void apply(const struct intent_edit *edits, unsigned count, int64_t wall_ms)
{
    struct text why = text_init(1000);
    struct intent next;
    struct intent_request r = {
        .author = "uid 0", .wall_ms = wall_ms, .edits = edits, .edit_count = count};
    ck_assert_msg(!intent_apply(&intent, &r, &next, &why), "%s", text_string(&why));
    text_done(&why);
    intent_done(&intent);
    intent = next;
}

static void put(enum intent_kind kind, const char *value, int64_t wall_ms)
{
    struct intent_edit e = {kind, SCOPE, value};
    apply(&e, 1, wall_ms);
}

static void schedule(const char *more)
{
    char value[500];
    snprintf(value, sizeof value, "{\"first_ms\": %lld, \"every_ms\": %lld, \"for_ms\": %lld%s}",
             (long long)T0, (long long)DAY, (long long)HOUR, more);
    put(INTENT_PRACTICE, value, T0 - HOUR);
}

/* One step, carried out. */
static struct practice_move step(int64_t wall_ms)
{
    struct practice_move m;
    struct intent_edit *edits;
    practice_step(&intent, intent_find(&intent, INTENT_PRACTICE, SCOPE), &world, wall_ms, &m);
    if (m.what) {
        unsigned count = practice_edits(intent_find(&intent, INTENT_PRACTICE, SCOPE), &m, &edits);
        apply(edits, count, wall_ms);
        intent_edits_free(edits, count);
    }
    return m;
}

static const struct practice_run *last(void)
{
    return &intent_find(&intent, INTENT_PRACTICE, SCOPE)->practice->last;
}

static bool shifted(int64_t wall_ms)
{
    const struct intent_object *o = intent_find(&intent, INTENT_SHIFT, SCOPE);
    return o && o->expires_ms > wall_ms;
}

START_TEST(test_a_run)
{
    schedule("");
    ck_assert_int_eq(step(T0 - 1).what, PRACTICE_NOTHING);
    ck_assert_int_eq(step(T0 + 5).what, PRACTICE_BEGIN);
    ck_assert(shifted(T0 + 6));
    ck_assert_int_eq(last()->outcome, PRACTICE_PENDING);
    ck_assert_int_eq(step(T0 + HOUR).what, PRACTICE_NOTHING);
    ck_assert_int_eq(step(T0 + 5 + HOUR).what, PRACTICE_END);
    ck_assert_int_eq(last()->outcome, PRACTICE_SUCCEEDED);
    ck_assert(!shifted(T0 + 5 + HOUR));
    /* once a slot */
    ck_assert_int_eq(step(T0 + 2 * HOUR).what, PRACTICE_NOTHING);
    ck_assert_int_eq(step(T0 + DAY).what, PRACTICE_BEGIN);
}
END_TEST

START_TEST(test_outcomes)
{
    schedule(", \"blocking\": [\"b\"], \"outcome\": [\"o\"]");
    unwell_service = "b";
    ck_assert_int_eq(step(T0).what, PRACTICE_NOTHING);
    unwell_service = NULL;
    ck_assert_int_eq(step(T0 + 1).what, PRACTICE_BEGIN);
    unwell_service = "o";
    struct practice_move m = step(T0 + 2);
    ck_assert_int_eq(m.what, PRACTICE_END);
    ck_assert_str_eq(m.why, "o fails open");
    ck_assert_int_eq(last()->outcome, PRACTICE_FAILED);
    ck_assert(!shifted(T0 + 3));
    unwell_service = NULL;
    ck_assert_int_eq(step(T0 + DAY).what, PRACTICE_BEGIN);
    unwell_service = "b";
    ck_assert_int_eq(step(T0 + DAY + 1).what, PRACTICE_END);
    ck_assert_int_eq(last()->outcome, PRACTICE_INTERRUPTED);
    unwell_service = NULL;
    lacking = true;
    ck_assert_int_eq(step(T0 + 2 * DAY).what, PRACTICE_NOTE);
    ck_assert_int_eq(last()->outcome, PRACTICE_CAPACITY_CHECK_FAILED);
    ck_assert(!shifted(T0 + 2 * DAY));
    lacking = false;
    ck_assert_int_eq(step(T0 + 2 * DAY + 1).what, PRACTICE_NOTHING);
    /* kept waiting for too long: the next slot */
    ck_assert_int_eq(step(T0 + 3 * DAY + 13 * HOUR).what, PRACTICE_NOTHING);
}
END_TEST

/* Precedence: an operator's shift comes first. */
START_TEST(test_operator_first)
{
    char shift[100];
    schedule("");
    ck_assert_int_eq(step(T0).what, PRACTICE_BEGIN);
    snprintf(shift, sizeof shift, "{\"expires_ms\": %lld}", (long long)(T0 + 2 * HOUR));
    put(INTENT_SHIFT, shift, T0 + 1);
    ck_assert_int_eq(step(T0 + 2).what, PRACTICE_NOTE);
    ck_assert_int_eq(last()->outcome, PRACTICE_INTERRUPTED);
    ck_assert(shifted(T0 + 3)); /* theirs stays */
    /* none begins beside one */
    snprintf(shift, sizeof shift, "{\"expires_ms\": %lld}", (long long)(T0 + DAY + HOUR));
    put(INTENT_SHIFT, shift, T0 + 3);
    ck_assert_int_eq(step(T0 + DAY).what, PRACTICE_NOTHING);
    /* one elsewhere ends a run */
    put(INTENT_SHIFT, NULL, T0 + DAY);
    ck_assert_int_eq(step(T0 + DAY).what, PRACTICE_BEGIN);
    struct intent_edit other = {INTENT_SHIFT, "region:eu-west-1", shift};
    apply(&other, 1, T0 + DAY + 1);
    ck_assert_int_eq(step(T0 + DAY + 2).what, PRACTICE_END);
    ck_assert_int_eq(last()->outcome, PRACTICE_INTERRUPTED);
    ck_assert(!shifted(T0 + DAY + 2));
}
END_TEST

START_TEST(test_operator_ends_it)
{
    schedule("");
    ck_assert_int_eq(step(T0).what, PRACTICE_BEGIN);
    put(INTENT_SHIFT, NULL, T0 + 1);
    ck_assert_int_eq(step(T0 + 2).what, PRACTICE_NOTE);
    ck_assert_int_eq(last()->outcome, PRACTICE_INTERRUPTED);
    ck_assert_int_eq(step(T0 + 3).what, PRACTICE_NOTHING);
}
END_TEST

START_TEST(test_windows)
{
    static const struct {
        const char *window;
        int64_t at;
        bool holds;
    } cases[] = {
        {"Sun", T0, true},
        {"Sun", T0 + DAY, false},
        {"Mon-Fri", T0, false},
        {"Mon-Fri", T0 + DAY, true},
        {"Sat-Mon", T0, true},
        {"Sat-Mon", T0 + 2 * DAY, false},
        {"09:00-17:00", T0 + 9 * HOUR, true},
        {"09:00-17:00", T0 + 17 * HOUR, false},
        {"Sun 22:00-06:00", T0 + 23 * HOUR, true},
        {"Sun 22:00-06:00", T0 + DAY + 5 * HOUR, true},
        {"Sun 22:00-06:00", T0 + 5 * HOUR, false},
        {"Sun 00:00-24:00", T0 + 23 * HOUR, true},
        {"2026-02-15", T0, true},
        {"2026-02-15", T0 + DAY, false},
        {"2026-02-10/2026-02-14", T0, false},
        {"2026-02-10/2026-02-20", T0, true},
        {"2024-02-29/2026-02-15", T0 + DAY - 1, true},
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        char value[200];
        const char *why;
        snprintf(value, sizeof value, "{\"first_ms\": 1, \"allowed\": [\"%s\"]}", cases[i].window);
        json_t *json = json_loads(value, 0, NULL);
        struct practice *p = practice_decode(json, &why);
        ck_assert_msg(p != NULL, "%s", cases[i].window);
        ck_assert_msg(practice_window_holds(&p->allowed[0], cases[i].at) == cases[i].holds,
                      "%s %lld", cases[i].window, (long long)cases[i].at);
        practice_free(p);
        json_decref(json);
    }
}
END_TEST

START_TEST(test_windows_bind)
{
    schedule(", \"blocked\": [\"Sun\"], \"allowed\": [\"02:00-03:00\"]");
    ck_assert_int_eq(step(T0 + 2 * HOUR).what, PRACTICE_NOTHING);
    ck_assert_int_eq(step(T0 + DAY).what, PRACTICE_NOTHING);
    ck_assert_int_eq(step(T0 + DAY + 2 * HOUR).what, PRACTICE_BEGIN);
    ck_assert_int_eq(last()->slot_ms, T0 + DAY);
}
END_TEST

START_TEST(test_refused)
{
    static const char *const wrong[] = {
        "{}",
        "{\"first_ms\": 0}",
        "{\"first_ms\": 1, \"every_ms\": 1}",
        "{\"first_ms\": 1, \"every_ms\": 3600000, \"for_ms\": 1800001}",
        "{\"first_ms\": 1, \"allowed\": [\"Someday\"]}",
        "{\"first_ms\": 1, \"allowed\": [\"2026-13-01\"]}",
        "{\"first_ms\": 1, \"allowed\": [\"2026-02-29\"]}",
        "{\"first_ms\": 1, \"allowed\": [\"2026-02-20/2026-02-10\"]}",
        "{\"first_ms\": 1, \"allowed\": [\"25:00-26:00\"]}",
        "{\"first_ms\": 1, \"allowed\": \"Mon\"}",
        "{\"first_ms\": 1, \"blocking\": [7]}",
        "{\"first_ms\": 1, \"runs\": [{\"slot_ms\": 1, \"outcome\": \"MAYBE\"}]}",
        "{\"first_ms\": 1, \"more\": 1}",
    };
    for (size_t i = 0; i < array_length(wrong); i++) {
        const char *why = NULL;
        json_t *json = json_loads(wrong[i], 0, NULL);
        ck_assert_msg(!practice_decode(json, &why) && why, "%s", wrong[i]);
        json_decref(json);
    }
}
END_TEST

CHECK_MAIN("practice", test_a_run, test_outcomes, test_operator_first, test_operator_ends_it,
           test_windows, test_windows_bind, test_refused)
