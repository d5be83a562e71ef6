/* What survives reloads and boots. */
#include "decide/decide_fixture.h"
#include "test/check_main.h"

START_TEST(test_reload_keeps_verdicts)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    w->failing[0] = true;
    world_rounds(w, 3);
    usec_t since = w->plan.targets[0].since, hold = w->plan.targets[0].hold_until;
    /* euw1 first, another service before, a third endpoint, and use1 as it was */
    struct config *c = fixture_config(2);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "new.example.com", POLICY_SIMPLE, 1);
    fixture_endpoint(c, s, "x", "192.0.2.1", check);
    s = fixture_service(c, "api.example.com", POLICY_FAILOVER, 3);
    fixture_endpoint(c, s, "euw1", "203.0.113.10", check)->role = ROLE_SECONDARY;
    fixture_endpoint(c, s, "apn1", "203.0.113.99", check)->role = ROLE_SECONDARY;
    fixture_endpoint(c, s, "use1", "198.51.100.10", check)->role = ROLE_PRIMARY;
    world_reload(w, c);
    world_step(w);
    ck_assert_str_eq(world_answer(w, 1), "euw1");
    const struct plan_target *t = w->plan.targets;
    ck_assert_int_eq(t[0].state, VERDICT_UNREADY);
    ck_assert_int_eq(t[1].state, VERDICT_UP);
    ck_assert_int_eq(t[2].state, VERDICT_UNREADY);
    ck_assert_int_eq(t[3].state, VERDICT_DOWN);
    ck_assert_int_eq(t[3].since, since);
    ck_assert_int_eq(t[3].hold_until, hold);
    ck_assert_uint_eq(t[3].service, 1);
    ck_assert_uint_eq(w->out.changes, PLAN_ANSWERS | PLAN_VERDICTS);
    world_free(w);
}
END_TEST

START_TEST(test_reload_with_another_address)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    struct config *c = failover_config(2);
    ck_assert_int_eq(ip_parse("198.51.100.11", &c->services[0].endpoints[0].address[IP_V4]), 0);
    world_reload(w, c);
    world_step(w);
    ck_assert_int_eq(w->plan.targets[0].state, VERDICT_UNREADY);
    ck_assert_str_eq(world_answer(w, 0), "euw1"); /* seen healthy, the new one not yet */
    ck_assert(!world_face(w, 0, IP_V4)->velocity_held);
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_free(w);
}
END_TEST

START_TEST(test_reload_with_and_without_a_check)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    w->failing[0] = true;
    world_rounds(w, 3);
    struct config *c = failover_config(2);
    c->services[0].endpoints[0].check = CONFIG_NONE;
    world_reload(w, c);
    world_step(w);
    ck_assert_int_eq(w->plan.targets[0].state, VERDICT_UNCHECKED);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_reload(w, failover_config(3));
    world_step(w);
    ck_assert_int_eq(w->plan.targets[0].state,
                     VERDICT_UP); /* answered, so it goes on until it fails */
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    world_free(w);
}
END_TEST

/* What the decider remembers of a configuration is that configuration's alone, even where the next
 * one lies at the same address or comes with no new order. */
START_TEST(test_reload_at_the_same_address)
{
    struct world *w = world_new(simple_config(1, 3));
    world_rounds(w, 3);
    struct config *c = w->config;
    c->services[0].endpoints[0].name = "renamed";
    c->services[0].endpoint_count = 2;
    c->fingerprint = 2;
    w->epoch++;
    w->targets = target_list(c, &c->arena, &w->target_count);
    world_step(w);
    ck_assert_uint_eq(w->plan.endpoint_count, 2);
    ck_assert_str_eq(plan_text(&w->plan, w->plan.endpoints[0].name), "renamed");
    ck_assert_str_eq(world_answer(w, 0), "b"); /* renamed is new */
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "renamed b");
    world_free(w);
}
END_TEST

START_TEST(test_another_boot)
{
    struct world *w = world_new(failover_config(1));
    world_rounds(w, 3);
    w->failing[0] = true;
    world_rounds(w, 3);
    ck_assert_int_eq(w->plan.targets[0].state, VERDICT_DOWN);
    w->boot_id++;
    w->now = 3 * SEC; /* the machine came up just now */
    world_step(w);
    const struct plan_target *t = &w->plan.targets[0];
    ck_assert_int_eq(t->state, VERDICT_DOWN);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    ck_assert_int_eq(t->since, 3 * SEC);
    ck_assert_int_eq(t->hold_until, 8 * SEC); /* all that was left of it */
    ck_assert_int_eq(t->sampled, 0);
    ck_assert_int_eq(t->removed, 3 * SEC);
    ck_assert_int_eq(t->flags & TARGET_FROZEN, 0);
    ck_assert(w->out.changes & PLAN_VERDICTS); /* times of this boot must be published */
    w->failing[0] = false;
    world_rounds(w, 4);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_free(w);
}
END_TEST

START_TEST(test_velocity_survives_reloads)
{
    struct world *w = world_new(simple_config(1, 4));
    world_rounds(w, 3);
    w->failing[0] = w->failing[1] = w->failing[2] = true;
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "c d");
    for (uint64_t i = 2; i < 20; i++) { /* reloading again and again gives no new budget */
        world_reload(w, simple_config(i, 4));
        world_rounds(w, 2);
        ck_assert_str_eq(world_answer(w, 0), "c d");
    }
    world_free(w);
}
END_TEST

CHECK_MAIN("carry", test_reload_keeps_verdicts, test_reload_with_another_address,
           test_reload_with_and_without_a_check, test_reload_at_the_same_address, test_another_boot,
           test_velocity_survives_reloads)
