/* plan_step as a whole: what a world answers while endpoints fail, heal and are ordered about. */
#include "decide/decide_fixture.h"
#include "test/check_main.h"

static struct world *failover_new(void)
{
    struct config *c = fixture_config(1);
    int check = fixture_check(c);
    struct config_service *s = fixture_service(c, "api.example.com", POLICY_FAILOVER, 2);
    fixture_endpoint(c, s, "use1", "198.51.100.10", check)->role = ROLE_PRIMARY;
    fixture_endpoint(c, s, "euw1", "203.0.113.10", check)->role = ROLE_SECONDARY;
    return world_new(c);
}

START_TEST(test_failover_and_return)
{
    struct world *w = failover_new();
    world_step(w);
    ck_assert_str_eq(world_answer(w, 0), "use1"); /* nobody seen yet: preferred */
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_PREFERRED);
    world_rounds(w, 2);
    ck_assert_int_eq(world_face(w, 0, IP_V4)->mode, FACE_NORMAL);
    w->failing[0] = true;
    world_rounds(w, 2);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "euw1");
    w->failing[0] = false;
    world_rounds(w, 4);
    ck_assert_str_eq(world_answer(w, 0), "euw1"); /* held down */
    world_rounds(w, 1);
    ck_assert_str_eq(world_answer(w, 0), "use1");
    world_free(w);
}
END_TEST

CHECK_MAIN("decide", test_failover_and_return)
