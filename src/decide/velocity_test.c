/* The velocity limit (L4), through whole steps. */
#include "decide/decide_fixture.h"
#include "test/check_main.h"

/* n endpoints "a", "b"...; 50 % in 60 s; hold-down 5 s. */
static struct world *simple_new(uint32_t n, enum policy policy)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "api.example.com", policy, n);
    for (uint32_t i = 0; i < n; i++) {
        char name[2] = {(char)('a' + i), 0}, address[32];
        snprintf(address, sizeof address, "10.0.0.%u", i + 1);
        fixture_endpoint(c, s, name, address, check)->role = i ? ROLE_SECONDARY : ROLE_PRIMARY;
    }
    return world_new(c);
}

static void failing_set(struct world *w, uint32_t first, uint32_t end, bool failing)
{
    for (uint32_t i = first; i < end; i++)
        w->failing[i] = failing;
}

START_TEST(test_half_in_a_window)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    world_rounds(w, 3);
    failing_set(w, 0, 3, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "c d");
    ck_assert(world_face(w, 0, IP_V4)->velocity_held);
    ck_assert(w->plan.targets[2].flags & TARGET_HELD);
    ck_assert_int_eq(w->plan.targets[2].state, VERDICT_DOWN);
    world_rounds(w, 59);
    ck_assert_str_eq(world_answer(w, 0), "c d");
    world_rounds(w, 1); /* the window has passed */
    ck_assert_str_eq(world_answer(w, 0), "d");
    ck_assert(!world_face(w, 0, IP_V4)->velocity_held);
    world_free(w);
}
END_TEST

START_TEST(test_oldest_first)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    w->config->services[0].velocity_percent = 25;
    world_rounds(w, 3);
    failing_set(w, 2, 3, true);
    world_round(w);
    failing_set(w, 1, 2, true);
    world_round(w);
    failing_set(w, 0, 1, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a b d"); /* c is out */
    world_rounds(w, 58);
    ck_assert_str_eq(world_answer(w, 0), "a d");
    world_rounds(w, 60);
    ck_assert_str_eq(world_answer(w, 0), "d");
    world_free(w);
}
END_TEST

START_TEST(test_one_is_always_allowed)
{
    struct world *w = simple_new(3, POLICY_SIMPLE);
    w->config->services[0].velocity_percent = 30; /* less than anybody's share */
    world_rounds(w, 3);
    failing_set(w, 0, 2, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b c");
    world_free(w);
}
END_TEST

START_TEST(test_shares_by_capacity)
{
    struct world *w = simple_new(3, POLICY_SIMPLE);
    struct config_endpoint *e = w->config->services[0].endpoints;
    e[0].capacity = 10;
    e[1].capacity = 30;
    e[2].capacity = 60;
    world_rounds(w, 3);
    failing_set(w, 0, 2, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "c"); /* 40 % */
    world_free(w);

    w = simple_new(3, POLICY_SIMPLE);
    e = w->config->services[0].endpoints;
    e[0].capacity = 40;
    e[1].capacity = 30;
    e[2].capacity = 30;
    world_rounds(w, 3);
    failing_set(w, 0, 2, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b c"); /* 70 % would be too much */
    world_free(w);
}
END_TEST

START_TEST(test_huge_capacities_do_not_overflow)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    for (int i = 0; i < 4; i++)
        w->config->services[0].endpoints[i].capacity = UINT64_MAX;
    world_rounds(w, 3);
    failing_set(w, 0, 3, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "c d");
    world_free(w);
}
END_TEST

START_TEST(test_all_dead_opens_at_once)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    world_rounds(w, 3);
    failing_set(w, 0, 4, true);
    world_rounds(w, 3);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    ck_assert_str_eq(world_answer(w, 0), "a b c d");
    /* The first to return does not get the load of all: the others leave at the limit's pace. */
    failing_set(w, 3, 4, false);
    world_rounds(w, 6);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    ck_assert_str_eq(world_answer(w, 0), "c d");
    ck_assert(world_face(w, 0, IP_V4)->velocity_held);
    world_free(w);
}
END_TEST

START_TEST(test_a_flapping_one_counts_once)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    world_rounds(w, 3);
    for (int i = 0; i < 5; i++) {
        failing_set(w, 0, 1, true);
        world_rounds(w, 3);
        ck_assert_str_eq(world_answer(w, 0), "b c d");
        failing_set(w, 0, 1, false);
        world_rounds(w, 8);
        ck_assert_str_eq(world_answer(w, 0), "a b c d");
    }
    failing_set(w, 1, 2, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a c d"); /* the second of two */
    failing_set(w, 2, 3, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "a c d"); /* a third is too much, though a is back */
    world_free(w);
}
END_TEST

START_TEST(test_a_standby_costs_nothing)
{
    struct world *w = simple_new(2, POLICY_FAILOVER);
    world_rounds(w, 3);
    failing_set(w, 1, 2, true); /* the standby falls and returns: nobody was sent there */
    world_rounds(w, 3);
    failing_set(w, 1, 2, false);
    world_rounds(w, 8);
    failing_set(w, 0, 1, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "b");
    ck_assert(!world_face(w, 0, IP_V4)->velocity_held);
    world_free(w);
}
END_TEST

START_TEST(test_unready_is_no_removal)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    failing_set(w, 1, 4, true);
    world_rounds(w, 10); /* b, c and d were never seen healthy */
    ck_assert_str_eq(world_answer(w, 0), "a");
    ck_assert(!world_face(w, 0, IP_V4)->velocity_held);
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(w->plan.targets[i].removed, 0);
    world_free(w);
}
END_TEST

START_TEST(test_orders_are_not_bounded)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    world_rounds(w, 3);
    world_order(w, "api.example.com", "a", ADMIN_DRAINED);
    world_order(w, "api.example.com", "b", ADMIN_DISABLED);
    world_order(w, "api.example.com", "c", ADMIN_DRAINED);
    world_round(w);
    ck_assert_str_eq(world_answer(w, 0), "d");
    ck_assert(!world_face(w, 0, IP_V4)->velocity_held);
    world_free(w);
}
END_TEST

START_TEST(test_no_window_no_limit)
{
    struct world *w = simple_new(4, POLICY_SIMPLE);
    w->config->services[0].velocity_window = 0;
    world_rounds(w, 3);
    failing_set(w, 0, 3, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "d");
    world_free(w);
}
END_TEST

/* Four regions, each a service of its own. */
static struct world *regions_new(void)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *root = fixture_service(c, "www.example.com", POLICY_WEIGHTED, 4);
    for (int i = 0; i < 4; i++) {
        char name[32], address[32];
        snprintf(name, sizeof name, "r%d.example.com", i);
        struct config_service *s = fixture_service(c, name, POLICY_SIMPLE, 1);
        s->zone = CONFIG_NONE;
        snprintf(address, sizeof address, "10.0.0.%d", i + 1);
        fixture_endpoint(c, s, "one", address, check);
        snprintf(name, sizeof name, "r%d", i);
        fixture_nested(c, root, name, 1 + i);
    }
    return world_new(c);
}

/* Their parent may not lose three of them at once. */
START_TEST(test_nested_regions)
{
    struct world *w = regions_new();
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "1(one) 1(one) 1(one) 1(one)");
    failing_set(w, 0, 3, true);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "1(one) 1(one)");
    ck_assert_uint_eq(w->plan.endpoints[2].held, 1 << IP_V4);
    ck_assert(world_face(w, 0, IP_V4)->velocity_held);
    world_rounds(w, 59);
    ck_assert_str_eq(world_answer(w, 0), "1(one) 1(one)");
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "one");
    ck_assert_uint_eq(w->plan.endpoints[2].held, 0);
    world_free(w);
}
END_TEST

START_TEST(test_nested_regions_that_are_not_ready)
{
    struct world *w = regions_new();
    failing_set(w, 1, 4, true);
    world_rounds(w, 3); /* three were never seen healthy: that is no removal */
    ck_assert_str_eq(world_answer(w, 0), "one");
    ck_assert(!world_face(w, 0, IP_V4)->velocity_held);
    failing_set(w, 1, 4, false);
    world_rounds(w, 3);
    ck_assert_str_eq(world_answer(w, 0), "1(one) 1(one) 1(one) 1(one)");
    world_free(w);
}
END_TEST

CHECK_MAIN("velocity", test_half_in_a_window, test_oldest_first, test_one_is_always_allowed,
           test_shares_by_capacity, test_huge_capacities_do_not_overflow,
           test_all_dead_opens_at_once, test_a_flapping_one_counts_once,
           test_a_standby_costs_nothing, test_unready_is_no_removal, test_orders_are_not_bounded,
           test_no_window_no_limit, test_nested_regions, test_nested_regions_that_are_not_ready)
