/* plan_step as a whole: what a world answers while endpoints fail, heal and are ordered about. */
#include "decide/decide_fixture.h"
#include "model/snapshot.h"
#include "test/check_main.h"

/* ---- failing over ---- */

START_TEST(test_failover_and_return)
{
    struct world *w = world_new(failover_config(1));
    w->config->services[0].ttl_min = w->config->services[0].ttl_max; /* never changes */
    world_step(w);
    ck_assert_str_eq(world_answer(w, 0), "use1"); /* nobody seen yet: preferred */
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    ck_assert(told(w, EVENT_MODE,
                   "api.example.com A: nothing was seen healthy yet: the preferred set answers"));
    world_rounds(w, 2);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    ck_assert(told(w, EVENT_MODE, "api.example.com A: healthy endpoints answer"));
    ck_assert(told(w, EVENT_VERDICT,
                   "api.example.com/use1 198.51.100.10 is up: it answered as it "
                   "should (2 in a row)"));
    w->failing[0] = true;
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    ck_assert_uint_eq(w->out.changes, PLAN_ANSWERS | PLAN_VERDICTS);
    ck_assert(
        told(w, EVENT_VERDICT,
             "api.example.com/use1 198.51.100.10 is down: no connection in time (3 in a row)"));
    w->failing[0] = false;
    world_rounds(w, 4);
    ck_assert_str_eq(world_answer(w, 0), "euw1"); /* held down */
    ck_assert(w->plan.targets[0].flags & TARGET_HOLDING_DOWN);
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    ck_assert(told(w, EVENT_VERDICT,
                   "api.example.com/use1 198.51.100.10 is up again after 5s: it answered as it "
                   "should (5 in a row)"));
    world_free(w);
}
END_TEST

/* ---- L3 ---- */

static struct world *all_down_new(enum when_all_down wish)
{
    struct config *c = simple_config(1, 3);
    c->services[0].when_all_down = wish;
    c->services[0].fallback = "sorry.example.net";
    c->services[0].velocity_window = 0;
    struct world *w = world_new(c);
    world_rounds(w, 3);
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b c");
    w->failing[1] = w->failing[2] = true;
    world_rounds(w, 3);
    return w;
}

static void heal(struct world *w)
{
    w->failing[0] = w->failing[1] = w->failing[2] = false;
    world_rounds(w, 8);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    ck_assert_str_eq(world_answer(w, 0), "a b c");
}

START_TEST(test_all_down_preferred)
{
    struct world *w = all_down_new(ALL_DOWN_PREFERRED);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    ck_assert_str_eq(world_answer(w, 0), "a b c");
    ck_assert(told(w, EVENT_MODE,
                   "api.example.com A: nothing looks healthy: the preferred set answers as if it "
                   "were"));
    heal(w);
    world_free(w);
}
END_TEST

START_TEST(test_all_down_last_good)
{
    struct world *w = all_down_new(ALL_DOWN_LAST_GOOD);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_LAST_GOOD);
    ck_assert_str_eq(world_answer(w, 0), "b c");
    world_rounds(w, 5);
    ck_assert_str_eq(world_answer(w, 0), "b c");
    heal(w);
    world_free(w);
}
END_TEST

START_TEST(test_last_good_that_is_gone)
{
    struct world *w = all_down_new(ALL_DOWN_LAST_GOOD);
    struct config *next = simple_config(2, 1); /* b and c are no longer configured */
    next->services[0].when_all_down = ALL_DOWN_LAST_GOOD;
    world_reload(w, next);
    world_round(w);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    ck_assert_str_eq(world_answer(w, 0), "a");
    world_free(w);
}
END_TEST

START_TEST(test_all_down_nodata)
{
    struct world *w = all_down_new(ALL_DOWN_NODATA);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NODATA);
    ck_assert_str_eq(world_answer(w, 0), "nodata");
    ck_assert_int_eq(w->plan.targets[0].flags & TARGET_SERVED, 0);
    heal(w);
    world_free(w);
}
END_TEST

START_TEST(test_all_down_fallback)
{
    struct world *w = all_down_new(ALL_DOWN_FALLBACK);
    const struct plan_face *f = world_face(w, 0, IP_V4);
    ck_assert_int_eq(f->mode, FACE_FALLBACK);
    const struct plan_choice *c = &w->plan.choices[f->choice];
    ck_assert_int_eq(c->kind, CHOICE_CNAME);
    ck_assert_mem_eq(plan_text(&w->plan, c->first), "\5sorry\7example\3net\0", 19);
    heal(w);
    world_free(w);
}
END_TEST

START_TEST(test_a_start_is_no_outage)
{
    static const enum when_all_down wishes[] = {ALL_DOWN_PREFERRED, ALL_DOWN_LAST_GOOD,
                                                ALL_DOWN_NODATA, ALL_DOWN_FALLBACK};
    for (unsigned i = 0; i < array_length(wishes); i++) {
        struct config *c = simple_config(1, 3);
        c->services[0].when_all_down = wishes[i];
        c->services[0].fallback = "sorry.example.net";
        struct world *w = world_new(c);
        w->failing[0] = w->failing[1] = w->failing[2] = true;
        world_rounds(w, 10);
        ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
        ck_assert_str_eq(world_answer(w, 0), "a b c");
        world_free(w);
    }
}
END_TEST

START_TEST(test_unready_beside_healthy)
{
    struct config *c = simple_config(1, 3);
    struct world *w = world_new(c);
    w->failing[2] = true;
    world_rounds(w, 5);
    ck_assert_str_eq(world_answer(w, 0), "a b");
    c->services[0].unready_serves = true;
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "a b c");
    world_free(w);
}
END_TEST

/* ---- L8: a prober that stops ---- */

START_TEST(test_silence_freezes)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    w->silent[0] = w->silent[1] = true;
    world_rounds(w, 10);
    ck_assert(w->plan.targets[0].flags & TARGET_FROZEN);
    ck_assert_int_eq(w->plan.targets[0].state, VERDICT_UP);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    w->silent[0] = w->silent[1] = false;
    world_round(w);
    ck_assert_int_eq(w->plan.targets[0].flags & TARGET_FROZEN, 0);
    ck_assert(told(w, EVENT_FROZEN, "api.example.com/use1 198.51.100.10 is checked again"));
    world_free(w);
}
END_TEST

START_TEST(test_late_samples_change_nothing)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    for (int i = 0; i < 10; i++) {
        w->now += SEC;
        world_sample(w, 0, REASON_CONNECT_TIMEOUT)->late = true;
        world_sample(w, 1, REASON_OK);
        world_step(w);
    }
    ck_assert_str_eq(world_answer(w, 0), "use1");
    ck_assert(w->plan.targets[0].flags & TARGET_FROZEN);
    world_free(w);
}
END_TEST

/* ---- orders ---- */

START_TEST(test_drained)
{
    struct world *w = world_new(simple_config(1, 3));
    world_rounds(w, 3);
    world_order(w, "api.example.com", "a", ADMIN_DRAINED);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "b c");
    const struct plan_endpoint *e = &w->plan.endpoints[0];
    ck_assert_int_eq(e->admin, ADMIN_DRAINED);
    ck_assert_str_eq(plan_text(&w->plan, e->author), "uid 1000 (ana)");
    ck_assert_str_eq(plan_text(&w->plan, e->why), "a test");
    ck_assert_int_eq(e->ordered_wall, 1700000000);
    w->failing[1] = w->failing[2] = true;
    world_rounds(w, 3);
    /* Nobody else is healthy, so the drained one comes in; c is dead, but held (L4). */
    ck_assert_str_eq(world_answer(w, 0), "a c");
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b c"); /* it is no better than they are: it stays out */
    w->failing[0] = false;
    world_rounds(w, 60);
    world_order(w, "api.example.com", "b", ADMIN_DISABLED);
    world_order(w, "api.example.com", "c", ADMIN_DRAINED);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "a"); /* nobody else may; c is down */
    world_order(w, "api.example.com", "a", ADMIN_AUTO);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "a");
    ck_assert_int_eq(w->plan.endpoints[0].admin, ADMIN_AUTO);
    world_free(w);
}
END_TEST

/* A shift that had ended by a clock that was ahead goes on once the clock is right. */
START_TEST(test_shift_and_a_clock_that_was_ahead)
{
    struct world *w = world_new(simple_config(1, 2));
    struct intent_edit edit = {INTENT_SHIFT, "endpoint:api.example.com/a",
                               "{\"expires_ms\":1700010000000}"};
    struct intent_request words = {.author = "uid 1000 (ana)",
                                   .wall_ms = INT64_C(1700000000000),
                                   .edits = &edit,
                                   .edit_count = 1};
    struct intent next;
    struct text why = text_init(1000);
    world_rounds(w, 3);
    ck_assert_int_eq(intent_apply(&w->intent, &words, &next, &why), 0);
    intent_done(&w->intent);
    w->intent = next;
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "b");
    w->wall_ahead = 20000 * SEC;
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "a b");
    w->wall_ahead = 0;
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "b");
    text_done(&why);
    world_free(w);
}
END_TEST

START_TEST(test_drained_at_a_start)
{
    struct world *w = world_new(simple_config(1, 3));
    world_order(w, "api.example.com", "a", ADMIN_DRAINED);
    w->failing[1] = w->failing[2] = true;
    world_rounds(w, 5); /* the others are not known to be down: they were never seen up */
    ck_assert_str_eq(world_answer(w, 0), "b c");
    world_free(w);
}
END_TEST

START_TEST(test_disabled)
{
    struct world *w = world_new(simple_config(1, 2));
    world_rounds(w, 3);
    world_order(w, "api.example.com", "a", ADMIN_DISABLED);
    w->silent[0] = true;
    world_rounds(w, 10);
    ck_assert_str_eq(world_answer(w, 0), "b");
    ck_assert_int_eq(w->plan.targets[0].flags & TARGET_FROZEN, 0); /* paused on purpose */
    ck_assert_int_eq(w->plan.targets[0].state, VERDICT_UNREADY);
    w->failing[1] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b"); /* fails open, but never to the disabled one */
    world_order(w, "api.example.com", "b", ADMIN_DISABLED);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "nodata"); /* an order, not an automatic action */
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NODATA);
    world_free(w);
}
END_TEST

START_TEST(test_enabled_again)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    world_order(w, "api.example.com", "use1", ADMIN_DISABLED);
    w->silent[0] = true;
    world_rounds(w, 30);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    world_order(w, "api.example.com", "use1", ADMIN_AUTO);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "euw1"); /* it has to be seen healthy first */
    ck_assert_uint_eq(w->out.event_count, 0);
    w->silent[0] = false;
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_free(w);
}
END_TEST

START_TEST(test_forced_up)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    world_order(w, "api.example.com", "use1", ADMIN_FORCED_UP);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    ck_assert_int_eq(w->plan.targets[0].state, VERDICT_DOWN); /* the truth stays visible */
    world_free(w);
}
END_TEST

START_TEST(test_orders_for_nobody)
{
    struct world *w = world_new(failover_config(1));
    world_order(w, "api.example.com", "gone", ADMIN_DISABLED);
    world_order(w, "other.example.com", "use1", ADMIN_DISABLED);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    ck_assert_int_eq(w->plan.endpoints[0].admin, ADMIN_AUTO);
    world_free(w);
}
END_TEST

/* ---- TTL ---- */

START_TEST(test_computed_ttl)
{
    struct config *c = failover_config(1);
    c->checks[0].interval = 10 * SEC;
    c->checks[0].timeout = SEC;
    c->checks[0].hold_down = 100 * SEC;
    c->services[0].ttl_max = 60;
    c->services[0].ttl_min = 5;
    struct world *w = world_new(c);
    world_step(w);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 20); /* unready: two successes */
    for (int i = 0; i < 3; i++) {
        w->now += 9 * SEC;
        world_round(w);
    }
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 30); /* three failures */
    w->failing[0] = true;
    w->now += 9 * SEC;
    world_round(w);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 20);
    w->now += 9 * SEC;
    world_round(w);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 10);
    w->now += 9 * SEC;
    world_round(w); /* on the secondary, which three failures could change */
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 30);
    c->services[0].ttl_max = 25;
    world_step(w);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 25);
    c->services[0].ttl_min = 25;
    c->checks[0].interval = SEC;
    world_step(w);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 25);
    world_free(w);
}
END_TEST

/* A drained endpoint bounds the TTL only while it is a reserve: while nobody else is healthy. */
START_TEST(test_ttl_of_a_reserve)
{
    struct config *c = simple_config(1, 2);
    struct config_check *slow = &c->checks[fixture_check(c)];
    slow->hold_down = 100 * SEC;
    c->checks[0].hold_down = 0;
    c->services[0].endpoints[1].check = 1;
    struct world *w = world_new(c);
    world_rounds(w, 3);
    world_order(w, "api.example.com", "a", ADMIN_DRAINED);
    w->failing[0] = true;
    world_rounds(w, 2);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 3); /* b's three failures, not a's third */
    w->failing[1] = true;
    world_rounds(w, 4);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    ck_assert_uint_eq(world_face(w, 0, IP_V4)->ttl, 2); /* a's two successes, not b's hold-down */
    world_free(w);
}
END_TEST

START_TEST(test_ttl_does_not_make_plans)
{
    struct config *c = failover_config(1);
    c->checks[0].hold_down = 600 * SEC;
    c->services[0].ttl_max = 3600;
    struct world *w = world_new(c);
    world_rounds(w, 3);
    w->failing[0] = w->failing[1] = true;
    world_rounds(w, 3);
    unsigned changes = 0;
    for (int i = 0; i < 500; i++) {
        world_round(w);
        changes += w->out.changes != 0;
        usec_t left = w->plan.targets[0].hold_until - w->now;
        ck_assert_int_le(world_face(w, 0, IP_V4)->ttl, left / SEC);
    }
    ck_assert_uint_le(changes, 4); /* steps of a ladder, not one a second */
    world_free(w);
}
END_TEST

/* ---- numbers ---- */

START_TEST(test_generation_rises_with_changes_only)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    uint64_t generation = w->plan.generation;
    usec_t made = w->plan.made;
    for (int i = 0; i < 20; i++) {
        world_round(w);
        ck_assert_uint_eq(w->out.changes, 0);
    }
    ck_assert_uint_eq(w->plan.generation, generation);
    ck_assert_int_eq(w->plan.made, made);
    w->failing[1] = true; /* the standby: nobody is answered otherwise */
    world_rounds(w, 3);
    ck_assert_uint_eq(w->out.changes, PLAN_VERDICTS);
    ck_assert_uint_eq(w->plan.generation, generation + 1);
    ck_assert_int_eq(w->plan.made, w->now);
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert(w->out.changes & PLAN_VERDICTS);
    struct plan_file other = w->files.files[0];
    other.hash++; /* a zone was compiled anew */
    w->files.files = &other;
    generation = w->plan.generation;
    world_step(w);
    ck_assert_uint_eq(w->out.changes, PLAN_ANSWERS);
    ck_assert_uint_eq(w->plan.generation, generation + 1);
    world_free(w);
}
END_TEST

START_TEST(test_goes_on_above_the_highest)
{
    struct world *w = world_new(failover_config(1));
    w->plan = (struct plan){.generation = 41, .text = "", .text_size = 1};
    world_step(w);
    ck_assert_uint_eq(w->plan.generation, 42);
    ck_assert_uint_eq(w->out.changes, PLAN_ANSWERS | PLAN_VERDICTS);
    world_free(w);
}
END_TEST

START_TEST(test_foreign_samples_are_ignored)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    for (int i = 0; i < 5; i++) {
        w->now += SEC;
        world_sample(w, 0, REASON_CONNECT_TIMEOUT)->epoch = w->epoch - 1;
        world_sample(w, 99, REASON_CONNECT_TIMEOUT);
        world_step(w);
    }
    ck_assert_int_eq(w->plan.targets[0].failures, 0);
    world_free(w);
}
END_TEST

START_TEST(test_plan_before_stays_readable)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 5);
    for (int i = 0; i < 20; i++) {
        size_t size, again_size;
        struct plan before = w->plan;
        uint8_t *bytes = snapshot_encode(&before, &size);
        w->failing[0] = i % 2;
        if (i == 10)
            world_order(w, "api.example.com", "euw1", ADMIN_DRAINED);
        world_rounds(w, 1);
        uint8_t *again = snapshot_encode(&before, &again_size);
        ck_assert_uint_eq(size, again_size);
        ck_assert_mem_eq(bytes, again, size);
        free(bytes);
        free(again);
    }
    world_free(w);
}
END_TEST

/* ---- what else the plan says ---- */

START_TEST(test_texts_and_zones)
{
    struct config *c = failover_config(1);
    c->services[0].endpoints[0].region = "us-east-1";
    struct config_service *s = fixture_service(c, "inner", POLICY_SIMPLE, 1);
    s->zone = CONFIG_NONE;
    fixture_endpoint(c, s, "x", "192.0.2.1", CONFIG_NONE);
    struct world *w = world_new(c);
    world_step(w);
    const struct plan *p = &w->plan;
    ck_assert_str_eq(plan_text(p, p->node), "n1");
    ck_assert_str_eq(plan_text(p, p->services[0].name), "api.example.com");
    ck_assert_mem_eq(p->text + p->services[0].wire_name, "\3api\7example\3com\0", 17);
    ck_assert_uint_eq(p->services[0].zone, 0);
    ck_assert_str_eq(plan_text(p, p->files[0].name), "example.com");
    ck_assert_uint_eq(p->services[1].zone, PLAN_NONE);
    ck_assert_str_eq(plan_text(p, p->endpoints[0].region), "us-east-1");
    ck_assert_uint_eq(p->endpoints[1].region, PLAN_NONE);
    ck_assert_int_eq(p->targets[2].flags & TARGET_SERVED, 0); /* nobody can ask for "inner" */
    ck_assert_int_eq(p->text[0], 0);
    world_free(w);
}
END_TEST

START_TEST(test_events_are_bounded)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    for (unsigned i = 0; i < 400; i++) {
        char name[64];
        snprintf(name, sizeof name, "service-%u.example.com", i);
        struct config_service *s = fixture_service(c, name, POLICY_SIMPLE, 1);
        fixture_endpoint(c, s, "x", "192.0.2.1", check);
    }
    struct world *w = world_new(c);
    world_rounds(w, 2);
    ck_assert_uint_eq(w->out.event_count, 257);
    ck_assert_str_eq(w->out.events[256].sentence, "and 544 more changes in the same step");
    world_free(w);
}
END_TEST

START_TEST(test_long_names_keep_the_reason)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    char name[256];
    memset(name, 'x', 250);
    for (int i = 63; i < 250; i += 64)
        name[i] = '.';
    name[250] = 0;
    struct config_service *s = fixture_service(c, name, POLICY_SIMPLE, 1);
    fixture_endpoint(c, s, name, "2001:db8:1111:2222:3333:4444:5555:6666", check);
    struct world *w = world_new(c);
    world_rounds(w, 3);
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_ptr_nonnull(
        strstr(w->out.events[0].sentence, " is down: no connection in time (3 in a row)"));
    world_free(w);
}
END_TEST

START_TEST(test_expiry_is_told_once)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    unsigned count = 0;
    for (int i = 0; i < 5; i++) {
        w->now += SEC;
        world_sample(w, 0, REASON_OK)->certificate_end =
            (w->now + 1700000000 * SEC) / SEC + 3 * 86400;
        world_sample(w, 1, REASON_OK);
        world_step(w);
        count += w->out.event_count;
        if (i == 0)
            ck_assert(told(w, EVENT_EXPIRY,
                           "api.example.com/use1 198.51.100.10 has a certificate that ends in 3d"));
    }
    ck_assert_uint_eq(count, 1);
    world_free(w);
}
END_TEST

START_TEST(test_nothing_configured)
{
    struct world *w = world_new(fixture_config(0));
    world_rounds(w, 3);
    ck_assert_uint_eq(w->plan.service_count, 0);
    ck_assert_uint_eq(w->plan.generation, 1);
    world_free(w);
}
END_TEST

CHECK_MAIN("decide", test_failover_and_return, test_all_down_preferred, test_all_down_last_good,
           test_last_good_that_is_gone, test_all_down_nodata, test_all_down_fallback,
           test_a_start_is_no_outage, test_unready_beside_healthy, test_silence_freezes,
           test_late_samples_change_nothing, test_drained, test_shift_and_a_clock_that_was_ahead,
           test_drained_at_a_start, test_disabled, test_enabled_again, test_forced_up,
           test_orders_for_nobody, test_computed_ttl, test_ttl_of_a_reserve,
           test_ttl_does_not_make_plans, test_generation_rises_with_changes_only,
           test_goes_on_above_the_highest, test_foreign_samples_are_ignored,
           test_plan_before_stays_readable, test_texts_and_zones, test_events_are_bounded,
           test_long_names_keep_the_reason, test_expiry_is_told_once, test_nothing_configured)
